/* The address of a peer, before credentials are sent to it. */
#ifndef URI_H
#define URI_H

#include "base/error.h"
#include "config/settings.h"

/* Give the uri= of PEER in POOL, with the path "/messages.json" when it has
 * none; *LOOPBACK says whether it leads to this host. Fails with CM_CONFIG
 * when credentials would cross the network unencrypted. */
cm_error_t *sync_uri_check(const char **uri, int *loopback,
                           const cm_peer_settings_t *peer,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
