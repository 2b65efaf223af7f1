/* A run of the client: its options and settings, its database, its node. */
#ifndef CLIENT_H
#define CLIENT_H

#include "node/peer.h"
#include "options.h"
#include "output.h"

/* What a command works with. */
typedef struct sync_client_t {
    const sync_options_t *options;
    cm_settings_t *settings;
    cm_store_t *store; /* NULL until sync_client_store() */
    cm_node_t *node;   /* NULL until sync_client_node() */
    sync_output_t *output;
    apr_pool_t *pool;
} sync_client_t;

/* Connect to the database. Fails as cm_store_open(). */
cm_error_t *sync_client_store(sync_client_t *client) CM_UNUSED_RESULT;

/* Connect and open the node. Fails as cm_node_open(). */
cm_error_t *sync_client_node(sync_client_t *client) CM_UNUSED_RESULT;

/* Give the peers to work with: the one of --peer, or all; with CONNECTED only
 * those that we connect to. cm_peer_settings_t *. Fails with CM_USAGE for an
 * unknown name, CM_CONFIG when none is left. */
cm_error_t *sync_client_peers(apr_array_header_t **peers,
                              const sync_client_t *client, int connected,
                              apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return a line about the clock of PEER's host, when it is further from ours
 * than anybody would like, else NULL. */
const char *sync_client_skew(const cm_peer_t *peer, apr_pool_t *pool);

/* Keep other runs away from PEER until POOL goes. Fails with CM_LOCKED, unless
 * they end within --wait. */
cm_error_t *sync_client_exclude_others(const sync_client_t *client,
                                       const cm_peer_settings_t *peer,
                                       apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
