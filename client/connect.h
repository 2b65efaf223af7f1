/* A session with a peer over HTTP: its address, its password, its handle.
 *
 * The password comes from $CREDENTIALS_DIRECTORY/NAME-OF-PEER or
 * $CREDENTIALS_DIRECTORY/password (systemd), else from the first line of
 * password-file=, which nobody but its owner may be able to read. The same
 * holds for key=, key-password-file= and proxy-user-file=. */
#ifndef CONNECT_H
#define CONNECT_H

#include "exchange/session.h"
#include "client.h"
#include "http.h"

/* Open a session of CLIENT's node with PEER, which shows its progress. Nothing
 * is sent yet. Fails with CM_CONFIG when there is no password, CM_FILE,
 * CM_INTERNAL, and as cm_session_load(). */
cm_error_t *sync_connect(cm_session_t **session, const sync_client_t *client,
                         const cm_peer_settings_t *peer,
                         apr_pool_t *pool) CM_UNUSED_RESULT;

/* For check: create a session that needs neither database nor password. *HTTP
 * gets its handle, *SECRET why the password cannot be read, or NULL. Fails with
 * CM_FILE, CM_INTERNAL. */
cm_error_t *sync_connect_probe(cm_session_t **session, sync_http_t **http,
                               cm_error_t **secret, const sync_client_t *client,
                               const cm_peer_settings_t *peer,
                               apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
