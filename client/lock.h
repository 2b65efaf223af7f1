/* One run at a time per peer: flock() on a file in CommunicatorRunDir, which
 * the kernel frees however the holder ends. */
#ifndef LOCK_H
#define LOCK_H

#include "client.h"

/* Take the lock of PEER until POOL goes, waiting for --wait. *HOLDER is NULL
 * when we have it, else it says who does ("process 812 for 5 seconds"). That is
 * a failure with CM_LOCKED only when we waited, or when that run has lasted for
 * an hour. Fails with CM_FILE. */
cm_error_t *sync_lock_take(const char **holder, const sync_client_t *client,
                           const char *peer, apr_pool_t *pool) CM_UNUSED_RESULT;

/* Fail with CM_FILE when there is a lock of PEER that this user cannot open, so
 * that another file is used. */
cm_error_t *sync_lock_check(const sync_client_t *client,
                            const char *peer) CM_UNUSED_RESULT;

#endif
