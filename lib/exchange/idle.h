/* Whether nothing has happened since a peer asked last: the usual case. */
#ifndef CM_EXCHANGE_IDLE_H
#define CM_EXCHANGE_IDLE_H

#include "node/epoch.h"
#include "node/peer.h"
#include "outbox/withheld.h"

/* Set *PEER to what is known of the peer NAME when all of this is so, by one
 * statement: its CLAIM fits, it holds everything up to our last message, and
 * that is confirmed; all messages of ours are stamped and refer to records
 * that are here; none of its messages is parked, none of ours withheld; it
 * withholds what it did before (THEIRS); no
 * pause; and its last pull was noted, after SINCE. Then a pull is answered by
 * nothing, and nothing is written. Else *PEER is NULL: ask in full. Of PEER
 * only name, epoch, confirmed, received, received_clock, last_pull_at and held
 * are set. */
cm_error_t *cm_idle_find(cm_peer_t **peer, cm_node_t *node,
                         const cm_claim_t *claim, const char *name,
                         const cm_withheld_sum_t *theirs, apr_int64_t since,
                         apr_pool_t *result_pool) CM_UNUSED_RESULT;

#endif
