/* The state of a pull, shared with unfetched.c: what to do when a message
 * cannot be fetched. */
#ifndef CM_EXCHANGE_PULL_H
#define CM_EXCHANGE_PULL_H

#include "exchange/session.h"

typedef struct cm_pull_t {
    cm_session_t *session;
    apr_int64_t received; /* we hold the peer's messages up to this seq */
    int limit;            /* messages to ask for at once: halved, grown again */
    int tries;            /* of a single message */
    cm_refusal_e refusal; /* what the last failure may mean for a message */
    int too_large_here;   /* the reply was larger than this side takes */
} cm_pull_t;

/* GET what QUERY asks for. *REPLY is NULL when no reply came. Fails as
 * cm_reply_judge_get(). */
cm_error_t *cm_pull_ask(cm_reply_t **reply, cm_pull_t *pull, const char *query,
                        apr_pool_t *pool) CM_UNUSED_RESULT;

/* The messages after pull->received could not be fetched, because of ERR. If
 * one message is the reason and others pass, ask the peer to withhold it.
 * *REPLY is what the peer sends then; NULL: try again, with pull->limit.
 * Fails with ERR if no single message is the reason. */
cm_error_t *cm_unfetched(cm_reply_t **reply, cm_pull_t *pull, cm_error_t *err,
                         apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
