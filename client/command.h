/* The commands of communicator-sync: a function each, one table of them. */
#ifndef COMMAND_H
#define COMMAND_H

#include "node/peer.h"
#include "inbox/inbox.h"
#include "client.h"

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

/* Push, then pull, with each peer. */
cm_error_t *sync_command_sync_both(int *status, sync_client_t *client,
                                   apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* One direction, with each peer. */
cm_error_t *sync_command_sync_push(int *status, sync_client_t *client,
                                   apr_pool_t *scratch_pool) CM_UNUSED_RESULT;
cm_error_t *sync_command_sync_pull(int *status, sync_client_t *client,
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
cm_error_t *
sync_command_parked_retry(int *status, sync_client_t *client,
                          apr_pool_t *scratch_pool) CM_UNUSED_RESULT;
cm_error_t *
sync_command_parked_discard(int *status, sync_client_t *client,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Tell the story of one record. */
cm_error_t *sync_command_explain(int *status, sync_client_t *client,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Stop both sides, and go on. */
cm_error_t *sync_command_pause(int *status, sync_client_t *client,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;
cm_error_t *sync_command_pause_end(int *status, sync_client_t *client,
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
