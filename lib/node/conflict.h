/* communicator_conflicts: every value and message that lost, or that a person
 * gave up, so that nothing is lost silently. */
#ifndef CM_NODE_CONFLICT_H
#define CM_NODE_CONFLICT_H

#include "node/node.h"

/* Keep the whole message in the first of ROWS, of or for PEER, as JSON in
 * communicator_conflicts. ROWS: id, model, origin, original_id, action, clock,
 * clocks, base, refs, body, reason. LOCAL_ID, the record's id here, may be
 * NULL. In the open transaction. */
cm_error_t *cm_conflict_keep_message(cm_node_t *node, const char *peer,
                                     const cm_rows_t *rows,
                                     const char *local_id,
                                     apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
