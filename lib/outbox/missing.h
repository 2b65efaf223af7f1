/* Records that others here refer to and that are not here (yet): without a
 * foreign key an application may write the child first. A message says NULL
 * in the place of such a reference, which is noted; once the record is there,
 * those that refer to it are said again. */
#ifndef CM_OUTBOX_MISSING_H
#define CM_OUTBOX_MISSING_H

#include "node/node.h"

/* Give those of LOCAL_IDS (const char *) that are records of MODEL here. */
cm_error_t *cm_missing_present(apr_array_header_t **present, cm_node_t *node,
                               const cm_model_t *model,
                               const apr_array_header_t *local_ids,
                               apr_pool_t *pool) CM_UNUSED_RESULT;

/* Note that records of MODEL with LOCAL_IDS are missing, once each. */
cm_error_t *cm_missing_note(cm_node_t *node, const cm_model_t *model,
                            const apr_array_header_t *local_ids,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Look whether what is noted is here by now, and publish what refers to it,
 * with its old clocks; *SAID counts these records. What an application has
 * locked is left for the next time. */
cm_error_t *cm_missing_say(apr_int64_t *said, cm_node_t *node,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
