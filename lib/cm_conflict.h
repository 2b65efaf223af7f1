/* Conflicts: what two nodes changed without knowing of each other. One value
 * wins, everywhere the same; the other is kept in communicator_conflicts, so
 * that nothing is ever lost silently. */
#ifndef CM_CONFLICT_H
#define CM_CONFLICT_H

#include "cm_apply.h"

typedef struct cm_conflict_row_t {
    const cm_record_t *record;
    const char *column;
    cm_value_t lost, won; /* CM_ABSENT: the record is deleted */
    apr_int64_t lost_clock, won_clock;
    const char *peer;
    apr_int64_t message_id;
} cm_conflict_row_t;

/* Return the value of FIELD as a person is to see it: of a REFERENCE, the
 * origin and the id there of the record that it refers to. */
cm_value_t cm_field_shown(const cm_field_t *field, int reference,
                          apr_pool_t *pool);

/* Write the conflicts that RUN met. */
cm_error_t *cm_conflict_write(const cm_run_t *run,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
