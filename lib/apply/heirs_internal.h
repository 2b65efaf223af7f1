/* The record that continues another one, whose key was changed (heirs.c), and
 * its row. Only for lib/apply. */
#ifndef CM_APPLY_HEIRS_INTERNAL_H
#define CM_APPLY_HEIRS_INTERNAL_H

#include "apply/internal.h"

/* Return who continues RECORD, whose key was changed, as the message that
 * deletes it says; NULL if it says nothing. */
cm_identity_t cm_heirs_first(const cm_record_t *record);

/* Return the record that continues that of ENTRY, as a message of this run or a
 * tombstone says; or NULL. */
const cm_entry_t *cm_heirs_next(cm_run_t *run, const cm_entry_t *entry);

/* Return the record that continues RECORD in the end, as the message says that
 * deletes it, or NULL: its key may have changed more than once. */
const cm_entry_t *cm_heirs_last(cm_run_t *run, const cm_record_t *record);

/* Return whether the record that continues RECORD, which is to be deleted,
 * comes in this run, but is not here yet. */
int cm_heirs_are_coming(cm_run_t *run, const cm_record_t *record);

/* Before RECORD is deleted, because its key was changed: let what refers to it
 * here refer to the record that continues it, if that is here. */
cm_error_t *cm_heirs_adopt(cm_run_t *run, const cm_record_t *record,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Let the rows of TABLE that hold FORMER in COLUMN hold HEIR, or NULL; *MOVED
 * counts them. */
cm_error_t *cm_heirs_move(apr_int64_t *moved, cm_run_t *run,
                          const cm_table_t *table, const cm_column_t *column,
                          const char *former, const char *heir,
                          apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- rename.c --- */

/* The same as cm_rename_rows(), for those which could not have their rows then,
 * and have none yet: other records are gone that may have been in the way, or
 * the parents are here that their new keys name. */
cm_error_t *cm_rename_late(cm_run_t *run,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The same, if records have been made since that was done last. Nothing while
 * what is written may be undone. */
cm_error_t *cm_rename_due(cm_run_t *run,
                          apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return whether RECORD may still be given the row of one that it continues. */
int cm_rename_may_come(const cm_record_t *record);

#endif
