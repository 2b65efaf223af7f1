/* The inbox: messages received from peers. A batch is stored and applied in one
 * transaction, once and in order; what cannot be applied is parked. */
#ifndef CM_INBOX_INBOX_H
#define CM_INBOX_INBOX_H

#include "outbox/read.h"

/* A message that stays in the inbox for now. */
typedef struct cm_parked_t {
    apr_int64_t id;
    const char *model;
    cm_identity_t identity;
    const char *reason;
    int transient; /* waits for another record, not for a person */
} cm_parked_t;

/* What became of a batch. */
typedef struct cm_receipt_t {
    apr_int64_t received;        /* the last seq received from the peer */
    int accepted;                /* messages that are new here */
    int repeated;                /* messages received before, skipped */
    apr_int64_t missing;         /* messages that a gem does not have any more,
                                    passed over */
    int applied;                 /* messages that were applied, parked ones of
                                    earlier batches included */
    apr_array_header_t *parked;  /* cm_parked_t: of this batch */
    apr_array_header_t *altered; /* cm_altered_t: columns that do not store what
                                    is written, seen for the first time */
} cm_receipt_t;

/* If most of a batch of at least this size cannot be applied, that is reported:
 * the mistake was made here (a table dropped, a model not declared), not in the
 * messages. */
#define CM_MOSTLY_PARKED 20

/* Return whether PARKED messages, for reasons that do not pass, are most of a
 * batch of COUNT. */
int cm_inbox_is_mostly_parked(apr_int64_t parked, apr_int64_t count);

/* Return how many messages of the batch of RECEIPT are parked, when they are
 * most of it; else 0. */
int cm_inbox_receipt_mostly_parked(const cm_receipt_t *receipt);

/* Receive BATCH from PEER in one transaction: store and apply its messages,
 * park those that cannot be applied, however many, and move the cursor.
 *
 * The batch must follow the last seq received (batch->after); messages that
 * were received before are skipped. Of a gem (GEM) the first id must be the
 * last + 1 unless nothing was ever received; gaps after it are accepted
 * (wire.md 2.2). With CM_ON_ERROR_STOP a message that cannot be applied ends
 * the batch: those before it are committed, the error is returned, and *RECEIPT
 * is set, too.
 *
 * Fails with CM_TOO_LARGE when applying it at once would take too much memory,
 * CM_GAP (*WANTED: the id that must come next), CM_EPOCH, CM_BUSY and
 * CM_UNAVAILABLE (the batch was rolled back: try again), CM_DATABASE. */
cm_error_t *cm_inbox_receive(cm_receipt_t **receipt, apr_int64_t *wanted,
                             cm_node_t *node, const char *peer,
                             const cm_batch_t *batch, int gem,
                             apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Retry the parked messages of PEER, and what waits for the records that they
 * create. Cheap when nothing is parked. */
cm_error_t *cm_inbox_retry(cm_receipt_t **receipt, cm_node_t *node,
                           const char *peer,
                           apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Retry the messages IDS (apr_int64_t) of PEER, which conflict=hold has parked,
 * as a person has DECIDED; receipt->parked gets those that stay parked for
 * another reason. Theirs: the message is applied, even over a newer change
 * here. Ours: the values here stay, and are published again as newer; a record
 * that was deleted there becomes a new one. */
cm_error_t *cm_inbox_retry_decided(cm_receipt_t **receipt, cm_node_t *node,
                                   const char *peer,
                                   const apr_array_header_t *ids,
                                   cm_decision_e decided,
                                   apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Count what is parked, of PEER or (NULL) of all; up to MOST, or (0) all. */
cm_error_t *cm_inbox_retry_count(apr_int64_t *count, cm_node_t *node,
                                 const char *peer, int most,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
