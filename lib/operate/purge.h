/* Purging: messages that are no longer needed are removed, in small chunks so
 * that nobody has to wait. */
#ifndef CM_OPERATE_PURGE_H
#define CM_OPERATE_PURGE_H

#include "node/node.h"

typedef struct cm_purge_t {
    apr_int64_t before; /* only what was delivered or processed before this
                           moment, microseconds */
    int force;          /* also what a peer has not confirmed */
    int most_chunks;    /* of each kind; 0: no limit, and a chunk that finds
                           the database busy is tried again some times */
    /* called after each chunk, or NULL; purging ends when it fails */
    cm_error_t *(*progress)(void *baton, apr_int64_t removed, apr_pool_t *pool);
    void *baton;
    apr_int64_t outbound, inbound; /* removed */
    const char *slowest; /* the peer that has confirmed least, or NULL */
    apr_int64_t kept;    /* seq from which it keeps all; 0: no peers */
} cm_purge_t;

/* Remove what PURGE says, each chunk a transaction of its own: messages that
 * every configured peer has confirmed, and processed ones of theirs. The last
 * message confirmed stays, it proves the history; parked, withheld
 * and unstamped ones stay always. What it removed before it failed stays
 * removed. */
cm_error_t *cm_purge_run(cm_purge_t *purge, cm_node_t *node,
                         apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Purge by CommunicatorRetain, some chunks at most: the next runs go on.
 * *REMOVED counts. */
cm_error_t *cm_purge_retain(apr_int64_t *removed, cm_node_t *node,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
