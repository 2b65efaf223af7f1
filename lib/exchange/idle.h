/* Whether nothing has happened since a peer last asked: the usual case. */
#ifndef CM_EXCHANGE_IDLE_H
#define CM_EXCHANGE_IDLE_H

#include "node/epoch.h"
#include "node/peer.h"
#include "outbox/withheld.h"

/* Find out by one statement whether the peer NAME, which says CLAIM, needs
 * nothing: its claim fits; it holds all our messages and has confirmed them;
 * they are stamped, and the records that they refer to are here; none of its
 * messages is parked, none of ours withheld, and it withholds what it did
 * before (THEIRS); the node is not paused; and its last pull was noted after
 * SINCE. Then a pull gets an empty answer, and nothing is written: *PEER has
 * name, epoch, confirmed, received, received_clock, last_pull_at and held.
 * Otherwise *PEER is NULL: the pull must be served in full. */
cm_error_t *cm_idle_find(cm_peer_t **peer, cm_node_t *node,
                         const cm_claim_t *claim, const char *name,
                         const cm_withheld_sum_t *theirs, apr_int64_t since,
                         apr_pool_t *result_pool) CM_UNUSED_RESULT;

#endif
