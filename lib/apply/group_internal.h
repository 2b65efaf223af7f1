/* Writing records together: what group.c and tied.c share. */
#ifndef CM_APPLY_GROUP_INTERNAL_H
#define CM_APPLY_GROUP_INTERNAL_H

#include "apply/internal.h"

/* --- group.c --- */

/* Begin another attempt: all that waits may be tried again. */
void cm_group_begin(cm_run_t *run);

/* Return the records that could be written without the references that they
 * wait for, as PARTIAL says. Their effects are made. */
apr_array_header_t *cm_group_waiting(cm_run_t *run, cm_partial_e partial,
                                     apr_pool_t *pool);

/* Let RECORD wait as before the attempt. */
void cm_group_leave(cm_record_t *record);

/* Try all waiting records at once, until that works: those that wait for what
 * may be empty, or with MODEL its records that are tied. Those that failed are
 * not tried again, so that this ends. */
cm_error_t *cm_group_write_waiting(cm_run_t *run, const cm_model_t *model,
                                   apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The same as cm_group_write(), with what is of COMPANY (cm_entry_t; NULL: all
 * are). *REFUSED: in the end, by deferred constraints. */
cm_error_t *cm_group_write_with(int *done, int *refused, cm_run_t *run,
                                const apr_array_header_t *records, int late,
                                apr_hash_t *company,
                                apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- rounds.c --- */

/* Return whether RECORD is not to come now: what is written may be undone, so
 * it cannot be given the row of the one that it continues; later it may. */
int cm_rounds_hold(cm_run_t *run, const cm_record_t *record);

/* --- tied.c --- */

/* Return whether ENTRY is one of ENTRIES, which are their own keys. */
int cm_tied_has(apr_hash_t *entries, const cm_entry_t *entry);

/* Return the records that must refer to each other, so that none of them can
 * come first; of MODEL, or all: NULL. Their effects are made. */
apr_array_header_t *cm_tied_records(cm_run_t *run, const cm_model_t *model,
                                    apr_pool_t *pool);

/* Let each model of tied records begin, until all are written: perhaps only its
 * foreign keys need not be checked at once. Then each record. */
cm_error_t *cm_tied_write(cm_run_t *run,
                          apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
