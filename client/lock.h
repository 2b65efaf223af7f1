/* One run at a time per peer: flock() on a file in the run directory, which
 * the kernel frees however the holder ends. */
#ifndef LOCK_H
#define LOCK_H

#include "base/error.h"

/* Take the lock of PEER below DIRECTORY (made when it is not there) until
 * POOL goes, waiting at most SECONDS. *HOLDER is NULL when we have it; else
 * words about who does ("process 812 since 5 minutes"), which is a failure
 * with CM_LOCKED only when it lasts for an hour or we waited. Fails with
 * CM_FILE. */
cm_error_t *sync_lock_take(const char **holder, const char *directory,
                           const char *peer, int seconds,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

/* Fail with CM_FILE when a lock of PEER is there that this user cannot open, so
 * that another file has to serve. */
cm_error_t *sync_lock_check(const char *directory, const char *peer,
                            apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
