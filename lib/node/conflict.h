/* communicator_conflicts: every value that lost, and every message that a
 * person discarded, so that nothing is lost silently. */
#ifndef CM_NODE_CONFLICT_H
#define CM_NODE_CONFLICT_H

#include "base/value.h"
#include "record/identity.h"
#include "node/node.h"

/* A value of a column that lost to another one. */
typedef struct cm_conflict_t {
    const char *model, *local_id;
    cm_identity_t identity;
    const char *column;
    cm_value_t lost, won; /* CM_ABSENT: the record is deleted */
    apr_int64_t lost_clock, won_clock;
    const char *peer;
    apr_int64_t message_id;
} cm_conflict_t;

/* How the reason ends for which conflict=hold parks a message: `parked` tells
 * it from others by these words. */
#define CM_CONFLICT_HELD "was changed on both sides"

/* Keep CONFLICTS (cm_conflict_t), in the open transaction. */
cm_error_t *cm_conflict_write(cm_node_t *node,
                              const apr_array_header_t *conflicts,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Keep the whole message in the first of ROWS, of or for PEER, as JSON in
 * communicator_conflicts. ROWS: id, model, origin, original_id, action, clock,
 * clocks, base, refs, body, reason. LOCAL_ID, the record's id here, may be
 * NULL. In the open transaction. */
cm_error_t *cm_conflict_keep_message(cm_node_t *node, const char *peer,
                                     const cm_rows_t *rows,
                                     const char *local_id,
                                     apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
