/* The commands of communicator-sync: a function each, one table of them. */
#ifndef COMMAND_H
#define COMMAND_H

#include "node/peer.h"
#include "inbox/inbox.h"
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

/* Do the command; *STATUS is the exit status, of failures that it has
 * printed itself (one peer of several). SCRATCH_POOL lives as long as the
 * command. */
typedef cm_error_t *(*sync_command_run_t)(int *status, sync_client_t *client,
                                          apr_pool_t *scratch_pool);

typedef struct sync_command_t {
    const char *name;
    sync_command_run_t run;
    int bits;              /* sync_command_bit_e: the options that it has */
    int arguments_max;     /* -1: any number */
    const char *arguments; /* for help */
    const char *help;
    const char *more; /* further words for its own help, or "" */
} sync_command_t;

/* Every command; ends with a name of NULL. The first is the default. */
extern const sync_command_t sync_commands[];

/* Return the command of that name, or NULL. */
const sync_command_t *sync_command_find(const char *name);

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
cm_error_t *sync_client_lock(const sync_client_t *client,
                             const cm_peer_settings_t *peer,
                             apr_pool_t *pool) CM_UNUSED_RESULT;

/* Push, then pull, with each peer. */
cm_error_t *sync_command_communicate(int *status, sync_client_t *client,
                                     apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* One direction, with each peer. */
cm_error_t *sync_command_push(int *status, sync_client_t *client,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;
cm_error_t *sync_command_pull(int *status, sync_client_t *client,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Create or upgrade the tables and triggers. */
cm_error_t *sync_command_migrate(int *status, sync_client_t *client,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Enqueue records. */
cm_error_t *sync_command_publish(int *status, sync_client_t *client,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Say what works and what does not. */
cm_error_t *sync_command_check(int *status, sync_client_t *client,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Show queues and last contact per peer. */
cm_error_t *sync_command_status(int *status, sync_client_t *client,
                                apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* List what is parked; try it again; give up on it. */
cm_error_t *sync_command_parked(int *status, sync_client_t *client,
                                apr_pool_t *scratch_pool) CM_UNUSED_RESULT;
cm_error_t *sync_command_retry(int *status, sync_client_t *client,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;
cm_error_t *sync_command_discard(int *status, sync_client_t *client,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Tell the story of one record. */
cm_error_t *sync_command_explain(int *status, sync_client_t *client,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Stop both sides, and go on. */
cm_error_t *sync_command_pause(int *status, sync_client_t *client,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;
cm_error_t *sync_command_resume(int *status, sync_client_t *client,
                                apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Move everything and prove it. */
cm_error_t *sync_command_drain(int *status, sync_client_t *client,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Remove messages that have done their work. */
cm_error_t *sync_command_purge(int *status, sync_client_t *client,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Show the epochs, or go on after a database was restored. */
cm_error_t *sync_command_epoch(int *status, sync_client_t *client,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Compare the records of both sides. */
cm_error_t *sync_command_verify(int *status, sync_client_t *client,
                                apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Read the configuration, and show it. */
cm_error_t *sync_command_configtest(int *status, sync_client_t *client,
                                    apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
