/* Batches (node/batches.h) become rows of outbound_messages again. A message is
 * a row where it is more than a part of a batch: it came from a peer, it is
 * withheld from one or may replace what is, it cannot be read, or the peer is a
 * gem. */
#ifndef CM_OUTBOX_UNPACK_H
#define CM_OUTBOX_UNPACK_H

#include "node/node.h"

/* Make rows of outbound_messages of all batches that reach beyond AFTER, with
 * the same numbers: for what needs single messages. In the open transaction,
 * under the node's lock. */
cm_error_t *cm_unpack_all(cm_node_t *node, apr_int64_t after,
                          apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The same in transactions of its own, one for each batch; cheap when there is
 * none. */
cm_error_t *cm_unpack_each(cm_node_t *node, apr_int64_t after,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
