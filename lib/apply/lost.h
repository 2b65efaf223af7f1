/* Conflicts: what two nodes changed without knowing of each other. One value
 * wins, everywhere the same; the other is kept in communicator_conflicts, so
 * that nothing is ever lost silently. */
#ifndef CM_APPLY_LOST_H
#define CM_APPLY_LOST_H

#include "apply/apply.h"

typedef struct cm_lost_t {
    const cm_record_t *record;
    const char *column;
    cm_value_t lost, won; /* CM_ABSENT: the record is deleted */
    apr_int64_t lost_clock, won_clock;
    const char *peer;
    apr_int64_t message_id;
} cm_lost_t;

/* Return the value of FIELD as a person is to see it: of a REFERENCE, the
 * origin and the id there of the record that it refers to. */
cm_value_t cm_lost_shown(const cm_field_t *field, int reference,
                         apr_pool_t *pool);

/* Write the conflicts that RUN met. */
cm_error_t *cm_lost_write(const cm_apply_t *run,
                          apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
