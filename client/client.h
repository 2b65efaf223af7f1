/* A run of the client: its options and settings, its database, its node. */
#ifndef CLIENT_H
#define CLIENT_H

#include "operate/status.h"
#include "options.h"
#include "output.h"

/* What a command works with. */
typedef struct sync_client_t {
    const sync_options_t *options;
    cm_settings_t *settings;
    cm_store_t *store; /* NULL until sync_client_store() */
    cm_node_t *node;   /* NULL until sync_client_node() */
    sync_output_t *output;
    struct sync_http_kept_t *kept; /* connections of --follow, or NULL */
    const char *const *words;      /* the command line */
    int status;                    /* to exit with, when no error is returned */
    apr_pool_t *pool;              /* lives as long as the command */
} sync_client_t;

/* Connect to the database. Fails as cm_store_open(). */
cm_error_t *sync_client_store(sync_client_t *client) CM_UNUSED_RESULT;

/* Connect and open the node. Fails as cm_node_open(). */
cm_error_t *sync_client_node(sync_client_t *client) CM_UNUSED_RESULT;

/* Print ERR about PEER (NULL: about this node), and exit with its status. */
void sync_client_report(sync_client_t *client, const char *peer,
                        const cm_error_t *err);

/* Exit with the status of ERR (NULL: nothing failed), unless there is a worse
 * one: what needs a person is worse than what passes by itself. */
void sync_client_exit_with(sync_client_t *client, const cm_error_t *err);

/* Return an error of CM_USAGE that says WHAT, with a hint to the help of the
 * command. */
cm_error_t *sync_client_usage(const sync_client_t *client, const char *what);

/* Find the model, or the peer, of that name. Fail with CM_USAGE. */
cm_error_t *sync_client_model(const cm_model_t **model,
                              const sync_client_t *client,
                              const char *name) CM_UNUSED_RESULT;
cm_error_t *sync_client_peer(const cm_peer_settings_t **peer,
                             const sync_client_t *client,
                             const char *name) CM_UNUSED_RESULT;

/* Give the peers to work with (cm_peer_settings_t *): that of --peer, or all.
 * With CONNECTED only those that we connect to. Fails with CM_USAGE for an
 * unknown name, CM_CONFIG when none is left. */
cm_error_t *sync_client_peers(apr_array_header_t **peers,
                              const sync_client_t *client,
                              int connected) CM_UNUSED_RESULT;

/* Return a line about the clock of PEER's host when it differs too much from
 * ours, else NULL. */
const char *sync_client_skew(const cm_peer_t *peer, apr_pool_t *pool);

/* Return which messages between this node and the peer wait for a person, as
 * problems: cm_problem_t. */
apr_array_header_t *sync_client_stuck(const cm_status_peer_t *peer,
                                      apr_pool_t *pool);

/* Keep other runs from exchanging with PEER, if we connect to it, until the
 * command ends. Fails with CM_LOCKED unless they end within --wait. */
cm_error_t *
sync_client_exclude_others(const sync_client_t *client,
                           const cm_peer_settings_t *peer) CM_UNUSED_RESULT;

#endif
