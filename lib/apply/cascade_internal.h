/* Which records a foreign key deletes with their parent (cascade.c). Only for
 * lib/apply. */
#ifndef CM_APPLY_CASCADE_INTERNAL_H
#define CM_APPLY_CASCADE_INTERNAL_H

#include "apply/internal.h"

/* Set *RESULT: foreign keys delete rows of TABLE with their parents. */
cm_error_t *cm_cascade_deletes(int *result, cm_run_t *run,
                               const cm_table_t *table) CM_UNUSED_RESULT;

/* Set *RESULT: a foreign key deletes the row of RECORD with PARENT, to which
 * COLUMN refers. Not if deletes of its model are not taken. */
cm_error_t *cm_cascade_takes(int *result, cm_run_t *run,
                             const cm_record_t *record,
                             const cm_column_t *column,
                             const cm_entry_t *parent) CM_UNUSED_RESULT;

#endif
