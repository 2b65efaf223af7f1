/* What is remembered from run to run: CommunicatorStateDir/status.json, one
 * object with a member for each peer. It is replaced as a whole, under a lock
 * of its own. */
#ifndef MEMORY_H
#define MEMORY_H

#include "client.h"

/* Return the member NAME, freed with POOL; an empty object when there is none,
 * or the file cannot be read. */
struct json_object *sync_memory_read(const sync_client_t *client,
                                     const char *name, apr_pool_t *pool);

/* Return the number NAME in OBJECT; 0 when there is none. */
apr_int64_t sync_memory_number(struct json_object *object, const char *name);

/* Fail with CM_FILE when this user may not read the file, with CM_MALFORMED
 * when it is damaged. That there is none yet is no failure. */
cm_error_t *sync_memory_check(const sync_client_t *client) CM_UNUSED_RESULT;

/* How the last runs ended. */
typedef struct sync_runs_t {
    apr_int64_t last_run, last_success; /* seconds since 1970; 0: none */
    apr_int64_t failed;                 /* runs that failed in a row */
    apr_int64_t exit_status;            /* of the last run */
    const char *reason;                 /* NULL: the last run went well */
    const char *hint;                   /* what to do, or NULL */
} sync_runs_t;

/* Return that of the member NAME. */
sync_runs_t sync_memory_runs(const sync_client_t *client, const char *name);

/* Replace the member NAME by MEMBER. The directory is made if necessary; where
 * it cannot be written, another one is used (folder.h). Fails with CM_FILE. */
cm_error_t *sync_memory_write(const sync_client_t *client, const char *name,
                              struct json_object *member) CM_UNUSED_RESULT;

#endif
