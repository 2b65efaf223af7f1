/* The order of a peer's messages: no gap, and none twice. */
#ifndef CM_INBOX_ORDER_H
#define CM_INBOX_ORDER_H

#include "node/peer.h"
#include "outbox/read.h"

/* The messages of a batch that are new here. */
typedef struct cm_fresh_t {
    apr_array_header_t *messages; /* cm_message_t *; when the batch was stopped,
                                     those that were applied */
    int repeated;                 /* messages that were received before */
    apr_int64_t received;         /* the last one, once these are stored */
    apr_int64_t missing;          /* so many are passed over before the first:
                                     a gem does not have them any more */
    apr_int64_t held;             /* the last one that can be read ... */
    apr_int64_t held_clock;       /* ... and its clock */
} cm_fresh_t;

/* Find the messages of BATCH that are new here. Fails with CM_GAP (*WANTED: the
 * id that must come next; a gem that was told so a moment ago has sent all that
 * it has from there on), with CM_EPOCH when messages that were received
 * before are different now, with CM_MALFORMED when the ids are not valid. */
cm_error_t *cm_inbox_order(cm_fresh_t **fresh, apr_int64_t *wanted,
                           const cm_peer_t *peer, const cm_batch_t *batch,
                           int gem, apr_pool_t *pool) CM_UNUSED_RESULT;

/* Keep the first MOST messages of FRESH, found for PEER; of a gem's, which may
 * be out of order, those with the lowest numbers. */
void cm_inbox_order_cut(cm_fresh_t *fresh, const cm_peer_t *peer, int most,
                        int gem, apr_pool_t *pool);

#endif
