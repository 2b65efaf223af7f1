/* The commands of communicator-sync: a function each, one table of them. */
#ifndef COMMAND_H
#define COMMAND_H

#include "client.h"

typedef struct sync_command_t {
    const char *name;
    cm_error_t *(*run)(sync_client_t *client); /* NULL: help */
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

/* communicate, push, pull: each peer in turn. */
cm_error_t *sync_command_sync_both(sync_client_t *client) CM_UNUSED_RESULT;
cm_error_t *sync_command_sync_push(sync_client_t *client) CM_UNUSED_RESULT;
cm_error_t *sync_command_sync_pull(sync_client_t *client) CM_UNUSED_RESULT;

/* parked, retry, discard: messages that cannot be applied or sent. */
cm_error_t *sync_command_parked(sync_client_t *client) CM_UNUSED_RESULT;
cm_error_t *sync_command_parked_retry(sync_client_t *client) CM_UNUSED_RESULT;
cm_error_t *sync_command_parked_discard(sync_client_t *client) CM_UNUSED_RESULT;

/* revive: a record that was deleted on one side only. */
cm_error_t *sync_command_revive(sync_client_t *client) CM_UNUSED_RESULT;

/* pause, resume: both sides. */
cm_error_t *sync_command_pause(sync_client_t *client) CM_UNUSED_RESULT;
cm_error_t *sync_command_pause_end(sync_client_t *client) CM_UNUSED_RESULT;

/* The commands of these names. */
cm_error_t *sync_command_check(sync_client_t *client) CM_UNUSED_RESULT;
cm_error_t *sync_command_configtest(sync_client_t *client) CM_UNUSED_RESULT;
cm_error_t *sync_command_drain(sync_client_t *client) CM_UNUSED_RESULT;
cm_error_t *sync_command_epoch(sync_client_t *client) CM_UNUSED_RESULT;
cm_error_t *sync_command_explain(sync_client_t *client) CM_UNUSED_RESULT;
cm_error_t *sync_command_history(sync_client_t *client) CM_UNUSED_RESULT;
cm_error_t *sync_command_migrate(sync_client_t *client) CM_UNUSED_RESULT;
cm_error_t *sync_command_models(sync_client_t *client) CM_UNUSED_RESULT;
cm_error_t *sync_command_publish(sync_client_t *client) CM_UNUSED_RESULT;
cm_error_t *sync_command_purge(sync_client_t *client) CM_UNUSED_RESULT;
cm_error_t *sync_command_recover(sync_client_t *client) CM_UNUSED_RESULT;
cm_error_t *sync_command_status(sync_client_t *client) CM_UNUSED_RESULT;
cm_error_t *sync_command_verify(sync_client_t *client) CM_UNUSED_RESULT;

/* Return what became of the message in ROW, a cm_event_t, in a word or two. */
const char *sync_command_explain_state(const void *row, apr_pool_t *pool);

#endif
