/* The order in which a peer's messages come: without a gap, none twice. */
#ifndef CM_INBOX_ORDER_H
#define CM_INBOX_ORDER_H

#include "node/peer.h"
#include "outbox/read.h"

/* What a batch brings to what is held of the peer already. */
typedef struct cm_fresh_t {
    apr_array_header_t *messages; /* cm_message_t *: new here */
    int repeated;                 /* held already */
    apr_int64_t received;         /* held when these are kept */
    apr_int64_t held;             /* the last message that can be read ... */
    apr_int64_t held_clock;       /* ... and its clock */
} cm_fresh_t;

/* Find what BATCH brings that is new. Fails with CM_GAP (*WANTED: the id that
 * must come), CM_EPOCH when it tells another story of what is held already,
 * CM_MALFORMED when the ids are none. */
cm_error_t *cm_inbox_order(cm_fresh_t **fresh, apr_int64_t *wanted,
                           const cm_peer_t *peer, const cm_batch_t *batch,
                           int gem, apr_pool_t *pool) CM_UNUSED_RESULT;

/* Leave of FRESH, found for PEER, the first MOST messages; of a gem's, which
 * may stand in disorder, those with the lowest numbers. */
void cm_inbox_order_cut(cm_fresh_t *fresh, const cm_peer_t *peer, int most,
                        int gem, apr_pool_t *pool);

#endif
