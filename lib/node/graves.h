/* Which record had an id here before a peer deleted it: a message captured
 * earlier may still refer to it. Writes the table communicator_graves. */
#ifndef CM_NODE_GRAVES_H
#define CM_NODE_GRAVES_H

#include "node/mapping.h"

/* A record that is gone. */
typedef struct cm_grave_t {
    const cm_model_t *model;
    const char *local_id; /* the one that it had */
    cm_identity_t identity;
} cm_grave_t;

/* Remember GRAVES (cm_grave_t) of records that others may refer to, in the open
 * transaction. Of several with one id the last one counts. */
cm_error_t *cm_graves_add(cm_node_t *node, const apr_array_header_t *graves,
                          apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Find the records of TYPE that had IDS (const char *), and add them to FOUND:
 * local id -> cm_mapping_t *, of which only the identity is set. */
cm_error_t *cm_graves_find(apr_hash_t *found, cm_node_t *node, const char *type,
                           const apr_array_header_t *ids,
                           apr_pool_t *result_pool) CM_UNUSED_RESULT;

#endif
