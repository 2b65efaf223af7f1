/* Messages of the gem's time that wait: they have their numbers, which a peer
 * may know, but no clocks. */
#ifndef CM_OUTBOX_INHERIT_H
#define CM_OUTBOX_INHERIT_H

#include "node/node.h"

/* Give the messages of the gem's time that wait for a peer the clock of their
 * creation (created_at, in UTC, or local time: times=local), and their records
 * the same: what is changed from now on, here or at a peer, is newer. Note when
 * the gem met its peer last (node->met_at), so that no change of what is as old
 * is taken for a conflict. *COUNT gets the number of these messages; one whose
 * model is not configured, or which names no record, stays as it is. In
 * transactions of its own, under the node's lock; may be repeated. Fails as the
 * database does. */
cm_error_t *cm_inherit_clocks(apr_int64_t *count, cm_node_t *node,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
