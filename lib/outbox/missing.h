/* Local ids to which rows refer, but not as their peers know it:
 * - A record that is not here yet: without a foreign key an application may
 *   write the child first. Or one that a row filter keeps here. Such a
 *   reference is sent as NULL.
 * - A new record under the key of a deleted one: a reference sent before leads
 *   to the deleted one.
 * They are noted in communicator_missing. Once such a record is here, the
 * records that refer to it are published again.
 *
 * So is a key that a record has given up for another one. Without a foreign key
 * a row may still have it: it was written, by an application or by a message,
 * while the key was being changed. On other nodes it refers to that record, and
 * so it does here, once it has the new key. */
#ifndef CM_OUTBOX_MISSING_H
#define CM_OUTBOX_MISSING_H

#include "node/node.h"

/* Find which of LOCAL_IDS (const char *) are records of MODEL here. */
cm_error_t *cm_missing_here(apr_array_header_t **here, cm_node_t *node,
                            const cm_model_t *model,
                            const apr_array_header_t *local_ids,
                            apr_pool_t *pool) CM_UNUSED_RESULT;

/* The same, if they match its row filter. */
cm_error_t *cm_missing_present(apr_array_header_t **present, cm_node_t *node,
                               const cm_model_t *model,
                               const apr_array_header_t *local_ids,
                               apr_pool_t *pool) CM_UNUSED_RESULT;

/* Note LOCAL_IDS of records of MODEL, once each; nothing if no model that is
 * published here refers to MODEL. */
cm_error_t *cm_missing_note(cm_node_t *node, const cm_model_t *model,
                            const apr_array_header_t *local_ids,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The same with those of LOCAL_IDS that are here. */
cm_error_t *cm_missing_note_here(cm_node_t *node, const cm_model_t *model,
                                 const apr_array_header_t *local_ids,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* A key that its record has given up. */
typedef struct cm_missing_heir_t {
    const char *former; /* the key */
    const char *heir;   /* the new one of that record, or of the record that
                           continues it; NULL: it has none */
    int taken;          /* another record has the key now */
} cm_missing_heir_t;

/* Note HEIRS (cm_missing_heir_t) of records of MODEL. Rows that hold a key
 * which is taken are sent again: they did not change, but refer to another
 * record. */
cm_error_t *cm_missing_note_heirs(cm_node_t *node, const cm_model_t *model,
                                  const apr_array_header_t *heirs,
                                  apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Find the records of MODEL that have given up those of LOCAL_IDS (const char
 * *) which rows still hold: they are to follow, and refer to these records
 * until then. *HEIRS: local id -> cm_mapping_t *. */
cm_error_t *cm_missing_heirs(apr_hash_t **heirs, cm_node_t *node,
                             const cm_model_t *model,
                             const apr_array_header_t *local_ids,
                             apr_pool_t *pool) CM_UNUSED_RESULT;

/* Publish the records that refer to missing ones which are here by now, with
 * unchanged clocks; let rows follow a record that has given up the key which
 * they refer to. *PUBLISHED counts both. What an application has locked is left
 * for the next time. */
cm_error_t *cm_missing_publish(apr_int64_t *published, cm_node_t *node,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
