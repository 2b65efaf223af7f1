/* The state of a pull, shared with what is done where a message cannot be
 * fetched. */
#ifndef PULL_H
#define PULL_H

#include "sync.h"

typedef struct cm_pull_t {
    cm_session_t *session;
    apr_int64_t received; /* we hold the peer's messages up to this seq */
    int limit;            /* messages to ask for at once: halved, grown again */
    int tries;            /* of one message alone */
    cm_refusal_e refusal; /* what the last failure may mean for a message */
    int too_large_here;   /* the reply was larger than this side takes */
} cm_pull_t;

/* GET what QUERY asks for. *REPLY is NULL when no reply came. Fails as
 * cm_reply_judge_get(). */
cm_error_t *cm_pull_ask(cm_reply_t **reply, cm_pull_t *pull, const char *query,
                        apr_pool_t *pool) CM_UNUSED_RESULT;

/* What follows pull->received could not be fetched, for ERR. Where that is one
 * message's fault, and others pass, the peer is told to hold it back. *REPLY
 * is what it sends then; NULL: try again, with pull->limit. Fails with ERR
 * where the fault is not a message's. */
cm_error_t *cm_unfetched(cm_reply_t **reply, cm_pull_t *pull, cm_error_t *err,
                         apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
