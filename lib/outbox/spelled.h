/* References that do not spell their parent's key as it is: where a collation
 * ignores case, 'DE' refers to 'de', and the number 1.00 refers to 1.0. A
 * foreign key allows that, and so do joins. */
#ifndef CM_OUTBOX_SPELLED_H
#define CM_OUTBOX_SPELLED_H

#include "node/node.h"

/* Find the keys of records of MODEL here that the database takes for equal to
 * one of LOCAL_IDS (const char *), but that are spelled otherwise: *FOUND:
 * local id -> key. For ids that have no mapping: it is a query. Fails as
 * cm_keys_select(). */
cm_error_t *cm_spelled_find(apr_hash_t **found, cm_node_t *node,
                            const cm_model_t *model,
                            const apr_array_header_t *local_ids,
                            apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Find the mappings of the parents that references to MODEL with LOCAL_IDS
 * lead to, in whatever spelling. *FOUND: local id -> cm_mapping_t *. Fails as
 * cm_mapping_by_local_id(). */
cm_error_t *cm_spelled_mappings(apr_hash_t **found, cm_node_t *node,
                                const cm_model_t *model,
                                const apr_array_header_t *local_ids,
                                apr_pool_t *result_pool) CM_UNUSED_RESULT;

#endif
