/* The inbox: messages of peers. A batch is stored and applied in one
 * transaction, once and in order; what cannot be applied is parked. */
#ifndef CM_INBOX_H
#define CM_INBOX_H

#include "record/decision.h"
#include "outbox/read.h"

/* A message that stays in the inbox for now. */
typedef struct cm_parked_t {
    apr_int64_t id;
    const char *model;
    cm_identity_t identity;
    const char *reason;
    int transient; /* waits for another record; not for a person */
} cm_parked_t;

/* What became of a batch. */
typedef struct cm_receipt_t {
    apr_int64_t received;        /* last seq now held from the peer */
    int accepted;                /* messages new here */
    int repeated;                /* held already, passed over */
    int applied;                 /* messages that took effect, parked ones of
                                    earlier batches included */
    apr_array_header_t *parked;  /* cm_parked_t: of this batch */
    apr_array_header_t *altered; /* cm_altered_t: columns that do not keep what
                                    is written, seen for the first time */
} cm_receipt_t;

/* From this size on, a batch most of which cannot be applied is reported as
 * such: somebody here made a mistake (a table dropped, a model not declared),
 * not the messages. */
#define CM_MOSTLY_PARKED 20

/* Return whether PARKED messages, not for a passing reason, are most of a
 * batch of COUNT. */
int cm_inbox_is_mostly_parked(apr_int64_t parked, apr_int64_t count);

/* Return how many messages of the batch of RECEIPT are parked, when they are
 * most of it; else 0. */
int cm_inbox_receipt_mostly_parked(const cm_receipt_t *receipt);

/* Take BATCH from PEER: keep, apply, park, move the cursor, commit.
 *
 * Ours: the batch must follow the last seq held (batch->after), messages held
 * already are passed over. Gem (GEM): as the gem does (wire.md 2.2): the
 * first id must be the last + 1 unless nothing was ever received; gaps behind
 * it are taken. With CM_ON_ERROR_STOP a message that cannot be applied ends
 * the batch: those before it are kept, the error is returned and *RECEIPT is
 * set too.
 *
 * A message that cannot be applied is parked, however many there are.
 *
 * Fails with CM_TOO_LARGE when it would take too much memory to apply it at
 * once, CM_GAP (*WANTED: the id that must come), CM_EPOCH, CM_BUSY and
 * CM_UNAVAILABLE (nothing was kept: try again), CM_DATABASE. */
cm_error_t *cm_inbox_receive(cm_receipt_t **receipt, apr_int64_t *wanted,
                             cm_node_t *node, const char *peer,
                             const cm_batch_t *batch, int gem,
                             apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Retry the parked messages of PEER, and what waits for the records that they
 * create. Cheap when nothing is parked. */
cm_error_t *cm_inbox_retry(cm_receipt_t **receipt, cm_node_t *node,
                           const char *peer,
                           apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Retry the parked messages IDS (apr_int64_t) of PEER, which conflict=hold has
 * parked, as a person has DECIDED; receipt->parked gets those that stay parked
 * for another reason. Theirs: the message is applied, even over a newer change
 * here. Ours: the values here stay, and are published again as newer; a record
 * that was deleted there continues as a new one. */
cm_error_t *cm_inbox_retry_decided(cm_receipt_t **receipt, cm_node_t *node,
                                   const char *peer,
                                   const apr_array_header_t *ids,
                                   cm_decision_e decided,
                                   apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Count what is parked, of PEER or (NULL) of all. */
cm_error_t *cm_inbox_retry_count(apr_int64_t *count, cm_node_t *node,
                                 const char *peer,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
