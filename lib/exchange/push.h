/* The state of a push, shared by what differs between kinds of peers. */
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
    apr_int64_t after;   /* seq that reading goes on behind */
    apr_int64_t told;    /* ours: the last seq that the peer holds */
    apr_int64_t noted;   /* ours: that much of it stands in the database */
    int unstamped;       /* there may be messages without a number */
    cm_stamping_t stamping;
    apr_int64_t next_id;  /* gem: number of the next message */
    int agreed;           /* a 409 was settled since the last success */
    apr_int64_t total;    /* messages that waited at the beginning */
    int shrunk;           /* times in a row that the batch was halved */
    cm_refusal_e refusal; /* what the last failure may mean for a message */
    cm_refuser_e refuser; /* whose answer it was */
    struct cm_refused_t *refused; /* withhold.c: messages that it meant */
    apr_pool_t *pool;             /* of the batch that is being made ready */
} cm_push_t;

/* A batch that is ready to be sent: what must be known of it while the next
 * one is made. */
typedef struct cm_ready_t {
    int made;                      /* 0: nothing of this holds */
    int count;                     /* messages */
    apr_int64_t first_id, last_id; /* of the messages */
    apr_int64_t seq;               /* of the first, as it is counted here */
    cm_batch_t batch;              /* without the messages */
    cm_transport_body_t body;      /* what is sent */
    cm_buffer_t *buffer;           /* where it was written, each time */
    apr_pool_t *pool;              /* of the rest */
} cm_ready_t;

/* Write BATCH into BUFFER as it is sent. */
void cm_push_write(cm_buffer_t *buffer, const cm_batch_t *batch, int gem);

/* Set PUSH up for a gem: where it goes on, and in small batches. */
void cm_push_gem_begin(cm_push_t *push);

/* Note before a batch is sent to a gem that it may come to hold it. */
cm_error_t *cm_push_gem_before(cm_push_t *push, const cm_ready_t *ready,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Note that a gem holds all of a batch. */
cm_error_t *cm_push_gem_accepted(cm_push_t *push, const cm_ready_t *ready,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* A gem wants to go on at message WANTED: find it. Fails with CM_EPOCH when
 * it holds what was never sent. */
cm_error_t *cm_push_gem_agree(cm_push_t *push, apr_int64_t wanted,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
