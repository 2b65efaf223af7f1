/* What was decided of single columns (conflict=hold), until something newer is
 * there: the peer goes on with its own value until it knows the decision.
 * Writes the table communicator_decisions. */
#ifndef CM_NODE_DECISIONS_H
#define CM_NODE_DECISIONS_H

#include "node/node.h"

/* Who won in a column of a record. */
typedef struct cm_settled_t {
    const char *model, *local_id, *column;
    const char *peer;  /* whose value was in conflict */
    apr_int64_t clock; /* of the winner: it has been published with that */
    apr_int64_t seen;  /* the newest clock of the peer's value then */
    int taken;         /* that value won */
} cm_settled_t;

/* Keep DECISIONS (cm_settled_t), in the open transaction. Of several about one
 * column the last one counts. */
cm_error_t *cm_decisions_keep(cm_node_t *node,
                              const apr_array_header_t *decisions,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Set *FOUND to what was decided against PEER of the record of MODEL with
 * LOCAL_ID: cm_settled_t. */
cm_error_t *cm_decisions_find(apr_array_header_t **found, cm_node_t *node,
                              const char *peer, const char *model,
                              const char *local_id,
                              apr_pool_t *result_pool) CM_UNUSED_RESULT;

#endif
