/* A session with a peer over HTTP: its address, its password, its handle. */
#ifndef CONNECT_H
#define CONNECT_H

#include "exchange/session.h"
#include "http.h"

/* Open a session of NODE with the peer of SETTINGS; nothing is sent yet.
 * TIMEOUT: seconds for one request. Fails with CM_CONFIG, CM_FILE, and as
 * cm_session_load(). */
cm_error_t *sync_connect(cm_session_t **session, cm_node_t *node,
                         const cm_peer_settings_t *settings, int timeout,
                         apr_pool_t *pool) CM_UNUSED_RESULT;

/* Create a session that needs neither database nor password, for check: OWN are
 * this node's settings, *HTTP its handle, *SECRET why the password cannot be
 * read, or NULL. Fails with CM_CONFIG, CM_INTERNAL. */
cm_error_t *sync_connect_probe(cm_session_t **session, sync_http_t **http,
                               cm_error_t **secret, const cm_settings_t *own,
                               const cm_peer_settings_t *settings, int timeout,
                               apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
