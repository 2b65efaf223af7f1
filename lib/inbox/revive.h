/* Reviving a record that one side has deleted and the other one still has: its
 * row becomes a new record, which is sent to all peers. The deleted record
 * stays deleted (docs/convergence.md). */
#ifndef CM_INBOX_REVIVE_H
#define CM_INBOX_REVIVE_H

#include "node/mapping.h"

/* Find the identities (cm_identity_t) that ID may mean: the record of MODEL
 * with that local id, or (none has it) the deleted ones that were made here
 * with it; with ORIGIN those that have it there. */
cm_error_t *cm_inbox_revive_find(apr_array_header_t **identities,
                                 cm_node_t *node, const cm_model_t *model,
                                 const char *origin, const char *id,
                                 apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Revive those of IDENTITIES whose delete is parked here, or was discarded
 * here; *REVIVED counts them. */
cm_error_t *cm_inbox_revive(apr_int64_t *revived, cm_node_t *node,
                            const cm_model_t *model,
                            const apr_array_header_t *identities,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
