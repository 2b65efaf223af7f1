/* What is remembered from run to run: CommunicatorStateDir/status.json, one
 * object with a member for each peer. Written beside and renamed, under a
 * lock of its own. */
#ifndef MEMORY_H
#define MEMORY_H

#include <apr_time.h>

#include "base/error.h"

struct json_object;

/* Read the member NAME of the file in DIRECTORY; an empty object when there
 * is none, or it cannot be read. Freed with POOL. */
struct json_object *sync_memory_read(const char *directory, const char *name,
                                     apr_pool_t *pool);

/* Look at the file in DIRECTORY: *WRITTEN is when, or 0 when there is none yet.
 * Fails with CM_FILE when this user may not read it, CM_MALFORMED when it is
 * damaged. */
cm_error_t *sync_memory_check(apr_time_t *written, const char *directory,
                              apr_pool_t *pool) CM_UNUSED_RESULT;

/* What the last runs came to. */
typedef struct sync_runs_t {
    apr_int64_t last_run, last_success; /* seconds since 1970; 0: none */
    apr_int64_t failed;                 /* runs that failed in a row */
    apr_int64_t exit_status;            /* of the last run */
    const char *reason;                 /* NULL: the last run went well */
    const char *hint;                   /* what to do, or NULL */
} sync_runs_t;

/* Read that of the member NAME. */
sync_runs_t sync_memory_runs(const char *directory, const char *name,
                             apr_pool_t *pool);

/* Put MEMBER in the place of the member NAME, the others stay. The directory
 * is made when it is not there, and where it cannot be written another serves
 * (folder.h). Fails with CM_FILE. */
cm_error_t *sync_memory_write(const char *directory, const char *name,
                              struct json_object *member,
                              apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
