/* What inbox.c (what comes) and retry.c (what is parked) share:
 * one transaction in which messages of one peer are taken. */
#ifndef CM_INBOX_ATTEMPT_H
#define CM_INBOX_ATTEMPT_H

#include "apply/apply.h"
#include "inbox/inbox.h"
#include "inbox/rows.h"

typedef struct cm_attempt_t {
    cm_node_t *node;
    const char *peer;
    const cm_batch_t *batch; /* NULL: only what is parked is tried */
    int gem;
    int isolate_schema;
    int strict;   /* what the database checks at the end of a transaction is
                     checked chunk by chunk */
    int isolated; /* the batch is taken in parts, to find the bad messages */
    int most;     /* messages of this part; 0: all */
    const cm_error_t *refusal; /* park this part untried, with this error */
    int count;                 /* messages that the transaction is about,
                                  once it gets to them; 0: not yet */
    int lost;                  /* it failed with its connection, or while
                                  it waited for somebody else's lock */
    cm_receipt_t *receipt;
    apr_int64_t *wanted;
    const cm_error_t *stopped;     /* CM_ON_ERROR_STOP: why ... */
    apr_int64_t stopped_id;        /* ... and at which message */
    cm_page_t page;                /* of what is parked */
    int waiting;                   /* only those that wait for a record */
    const apr_array_header_t *ids; /* apr_int64_t: only these, or NULL */
    cm_decision_e decision;        /* what a person says of them */
    int created;                   /* records that it brought */
    apr_pool_t *pool;              /* of what outlives the transaction */
    apr_pool_t *result_pool;       /* of the receipt */
} cm_attempt_t;

/* What is done in the transaction. */
typedef cm_error_t *(*cm_attempt_work_t)(cm_attempt_t *attempt,
                                         apr_pool_t *scratch_pool);

/* Return an empty receipt. */
cm_receipt_t *cm_attempt_receipt(apr_pool_t *pool);

/* Begin a run for ATTEMPT in POOL. */
cm_apply_t *cm_attempt_begin(const cm_attempt_t *attempt, apr_pool_t *pool);

/* Write what APPLY did, and count it. With ATTEMPTS what is still parked counts
 * one more, with NOTE_KEPT the receipt names what was parked before, too. */
cm_error_t *cm_attempt_finish(cm_attempt_t *attempt, cm_apply_t *apply,
                              int attempts, int note_kept,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Run WORK in a transaction, behind a stamping of what is committed here, so
 * that the stamping within it is short. When the tables have changed since
 * they were looked at, once more; so when it fails for what may pass. Fails as
 * cm_inbox_receive(). */
cm_error_t *cm_attempt_run(cm_attempt_t *attempt, cm_attempt_work_t work,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The same; when the fault is with some of the messages, which are found by
 * halving and parked, in transactions of their own. */
cm_error_t *cm_isolate_attempt(cm_attempt_t *attempt, cm_attempt_work_t work,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return whether a failure of the last transaction may be the fault of its
 * messages. */
int cm_attempt_is_of_messages(const cm_attempt_t *attempt);

/* Return whether so little is parked, of PEER or (NULL) of all, that it may be
 * gone through after every batch. Else that is done once, at the end of the
 * run (cm_inbox_retry()): a first load may bring children before parents. */
cm_error_t *cm_inbox_retry_is_little(int *little, cm_node_t *node,
                                     const char *peer,
                                     apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Try what waits for other records, as long as that brings further ones: of
 * the peer of ATTEMPT, in its transaction. */
cm_error_t *cm_inbox_retry_waiting(cm_attempt_t *attempt,
                                   apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The same of all peers, each in transactions of its own. */
cm_error_t *
cm_inbox_retry_all_waiting(cm_attempt_t *attempt,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
