/* An attempt: a transaction in which messages of one peer are applied, new ones
 * (inbox.c) or parked ones (retry.c), and how it is repeated. */
#ifndef CM_INBOX_ATTEMPT_H
#define CM_INBOX_ATTEMPT_H

#include "apply/apply.h"
#include "inbox/inbox.h"
#include "inbox/rows.h"

/* How the next transaction is made, after what earlier ones have shown. */
typedef struct cm_attempt_mode_t {
    int isolate_schema; /* see cm_apply_t */
    int strict;         /* see cm_apply_t */
    int long_way;       /* no row is written before it is read */
    int isolated; /* the messages are applied in parts, to find the bad ones */
    int most;     /* messages of this part; 0: all */
    int singly;   /* CM_ON_ERROR_STOP: each message is applied alone */
    const cm_error_t *refusal; /* park this part with this error, untried */
} cm_attempt_mode_t;

/* What became of the last transaction. */
typedef struct cm_attempt_outcome_t {
    int count; /* messages that it was about; 0: it did not get to them */
    int lost;  /* it failed with its connection, or while it waited for a lock
                  of another session */
    int hasty; /* see cm_apply_t */
    const cm_error_t *stopped; /* CM_ON_ERROR_STOP: why it stopped ... */
    apr_int64_t stopped_id;    /* ... and at which message */
    int created;               /* records that are new here */
    int parked;                /* messages of the peer may be parked */
} cm_attempt_outcome_t;

typedef struct cm_attempt_t {
    cm_node_t *node;
    const char *peer;
    const cm_batch_t *batch; /* NULL: only parked messages are tried */
    apr_int64_t arrived;     /* when the batch came */
    apr_int64_t lost;        /* see cm_apply_t */
    int gem;
    cm_page_t page;                /* of the parked messages */
    int waiting;                   /* only those that wait for a record */
    const apr_array_header_t *ids; /* apr_int64_t: only these; NULL: all */
    cm_decision_e decision;        /* a person's, about their conflicts */
    cm_attempt_mode_t mode;
    cm_attempt_outcome_t outcome;
    cm_receipt_t *receipt;
    apr_int64_t *wanted;
    apr_pool_t *pool;        /* outlives the transaction */
    apr_pool_t *result_pool; /* of the receipt */
} cm_attempt_t;

/* What is done in the transaction. */
typedef cm_error_t *(*cm_attempt_work_t)(cm_attempt_t *attempt,
                                         apr_pool_t *scratch_pool);

/* Return an empty receipt. */
cm_receipt_t *cm_attempt_receipt(apr_pool_t *pool);

/* Return whether the first message that fails stops the batch
 * (CM_ON_ERROR_STOP). */
int cm_attempt_stops(const cm_attempt_t *attempt);

/* Begin to apply messages of ATTEMPT, in POOL. */
cm_apply_t *cm_attempt_begin(cm_attempt_t *attempt, apr_pool_t *pool);

/* Finish APPLY and add its outcome to the receipt. With ATTEMPTS, messages that
 * stay parked count one attempt more; with NOTE_KEPT the receipt lists those
 * that were parked before, too. */
cm_error_t *cm_attempt_finish(cm_attempt_t *attempt, cm_apply_t *apply,
                              int attempts, int note_kept,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Run WORK in a transaction, and repeat it while that may help. If some of the
 * messages are at fault, they are found by halving, and parked, in transactions
 * of their own. Fails as cm_inbox_receive(). */
cm_error_t *cm_attempt_run(cm_attempt_t *attempt, cm_attempt_work_t work,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Set *SOME if messages are parked, of PEER or (NULL) of all, and *FEW if these
 * are so few that they can be retried after every batch. Otherwise they are
 * retried once, at the end of the run (cm_inbox_retry()): a first load may send
 * children before their parents. */
cm_error_t *cm_inbox_retry_some(int *some, int *few, cm_node_t *node,
                                const char *peer,
                                apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Retry messages that wait for other records, as long as that creates further
 * records: those of the peer of ATTEMPT, in its transaction. */
cm_error_t *cm_inbox_retry_waiting(cm_attempt_t *attempt,
                                   apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The same of all peers, each in transactions of its own. */
cm_error_t *
cm_inbox_retry_all_waiting(cm_attempt_t *attempt,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
