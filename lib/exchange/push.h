/* A push: push.c sends batches, withhold.c deals with messages that are
 * refused.
 *
 * A single message that the peer, or a proxy on the way to it, refuses must not
 * keep the others waiting: halving the batch finds it, and it is withheld. That
 * happens only when other messages are seen to pass; from a peer that is away
 * nothing is withheld. */
#ifndef CM_EXCHANGE_PUSH_H
#define CM_EXCHANGE_PUSH_H

#include "base/json.h"
#include "outbox/read.h"
#include "outbox/stamp.h"
#include "outbox/withheld.h"
#include "exchange/session.h"

typedef struct cm_push_t {
    cm_session_t *session;
    cm_limits_t limits;  /* of the next batch: halved, grown again */
    cm_limits_t ceiling; /* what the limits grow up to */
    apr_int64_t after;   /* the next batch begins after this seq */
    apr_int64_t told;    /* ours: the peer holds messages up to this seq */
    apr_int64_t noted;   /* ours: how much of that the database says */
    int unstamped;       /* there may be messages without a number */
    cm_stamping_t stamping;
    apr_int64_t next_id;  /* gem: number of the next message */
    int agreed;           /* a 409 was settled since the last success */
    apr_int64_t total;    /* messages that waited at the beginning; an estimate
                             if they are many */
    int ended;            /* enough was sent: there may be more */
    int shrunk;           /* times in a row that the batch was halved */
    cm_refusal_e refusal; /* what the last failure may mean for a message */
    cm_refuser_e refuser; /* whose answer it was */
    struct cm_refused_t *refused; /* withhold.c: the messages refused */
    apr_pool_t *pool;             /* of the batch that is being made ready */
} cm_push_t;

/* A batch that is ready to be sent, without its messages, so that the next one
 * can be prepared in their memory. */
typedef struct cm_ready_t {
    int made;                      /* 0: there is none, ignore the rest */
    int count;                     /* messages */
    apr_int64_t first_id, last_id; /* of the messages */
    apr_int64_t seq;               /* of the first; a gem counts otherwise */
    cm_batch_t batch;              /* without the messages */
    cm_transport_body_t body;      /* what is sent */
    cm_buffer_t *buffer;           /* which BODY points into */
    apr_pool_t *pool;              /* of the rest */
} cm_ready_t;

/* --- withhold.c --- */

/* Begin: nothing is refused yet. What an interrupted run left is tried
 * again. */
cm_error_t *cm_withhold_begin(cm_push_t *push,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The batch READY failed with ERR. Returns NULL when the push goes on: with
 * less, once more, or after that message; else why it ends. */
cm_error_t *cm_withhold_refused(cm_push_t *push, const cm_ready_t *ready,
                                cm_error_t *err) CM_UNUSED_RESULT;

/* A batch is about to be sent: note what was refused before it, for the peer
 * will go on after it. */
cm_error_t *cm_withhold_before(cm_push_t *push,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The peer received a batch: what was refused before it stays withheld. */
cm_error_t *cm_withhold_passed(cm_push_t *push,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* There is nothing after what was refused: withhold it when the reason is
 * certainly the message, and let the peer go on after it; else fail. */
cm_error_t *cm_withhold_end(cm_push_t *push,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Nothing passed behind what was refused: it is tried again another time. */
cm_error_t *cm_withhold_forget(cm_push_t *push,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
