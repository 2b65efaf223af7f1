/* Rows here that are the records of a peer by match= (match.c, adopt.c). Only
 * for lib/apply. */
#ifndef CM_APPLY_MATCH_INTERNAL_H
#define CM_APPLY_MATCH_INTERNAL_H

#include "apply/internal.h"

/* --- match.c --- */

/* match=: find rows here with the values of records that have no mapping, and
 * lock them; *FOUND counts them. */
cm_error_t *cm_match_find(int *found, cm_run_t *run,
                          apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return whether the parents by which RECORD was found still have the rows that
 * they match. */
int cm_match_stands(cm_run_t *run, const cm_record_t *record);

/* Return whether a message of this run deletes RECORD. */
int cm_match_is_dying(const cm_record_t *record);

/* Return whether the peer gave OTHER, whose row RECORD matches, other values
 * before it sent RECORD: it knows two records. */
int cm_match_has_left(cm_run_t *run, const cm_record_t *other,
                      const cm_record_t *record);

/* Return whether ATTRIBUTES (cm_attribute_t), of a message about another record
 * of the table of RECORD, are other values than it has in the columns of
 * match=. References are not compared. */
int cm_match_is_other(cm_run_t *run, const apr_array_header_t *attributes,
                      const cm_record_t *record);

/* Return whether TASK gives its record, which this run has made, values in the
 * columns of match= that it never had here: it got others at once. */
int cm_match_is_passed(cm_run_t *run, const cm_task_t *task);

/* --- adopt.c --- */

/* After stamping: give matching rows that have an identity of another origin a
 * second one. One with an identity of the same origin is another record. */
cm_error_t *cm_adopt_matching(cm_run_t *run,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* When what can be written is written: give the records that are the same as
 * one of this run (same_as) a second identity, too. Their messages wait: a
 * later run could not tell any more which of the two came first. */
cm_error_t *cm_adopt_told(cm_run_t *run,
                          apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
