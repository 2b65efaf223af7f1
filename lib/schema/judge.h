/* Whether a table can be synchronised: what migrate refuses and check reports.
 */
#ifndef CM_SCHEMA_JUDGE_H
#define CM_SCHEMA_JUDGE_H

#include "schema/table.h"

/* Something that is wrong with a table. */
typedef struct cm_finding_t {
    int refused;      /* migrate stops; 0: it is a warning only */
    int used;         /* refused, but records are already synchronised: migrate
                         only warns, check reports it */
    const char *text; /* what is wrong, a sentence about the table */
    const char *hint; /* what to do, or NULL */
} cm_finding_t;

/* Judge TABLE. *FINDINGS: cm_finding_t; empty when nothing is wrong. Fails as
 * cm_statement_select(). */
cm_error_t *cm_judge_table(apr_array_header_t **findings, cm_store_t *store,
                           const cm_table_t *table,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

/* Add to FINDINGS rows of TABLE that have the same key, if no index forbids it:
 * that reads the whole table. Fails as cm_statement_select(). */
cm_error_t *cm_judge_rows(apr_array_header_t *findings, cm_store_t *store,
                          const cm_table_t *table,
                          apr_pool_t *pool) CM_UNUSED_RESULT;

/* Add to FINDINGS what the columns of TABLE that are to name models hold, and
 * that is none: the ids beside it are sent as they are. That reads the whole
 * table. Fails as cm_statement_select(). */
cm_error_t *cm_judge_names(apr_array_header_t *findings, cm_store_t *store,
                           const cm_settings_t *settings,
                           const cm_table_t *table,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

/* Add to FINDINGS the rows of TABLE whose COLUMN, a reference that may not be
 * NULL, leads to no row: the peer cannot have them. That reads the whole table.
 * Fails as cm_table_read() and cm_statement_select(). */
cm_error_t *cm_judge_orphans(apr_array_header_t *findings, cm_store_t *store,
                             const cm_settings_t *settings,
                             const cm_table_t *table, const cm_column_t *column,
                             apr_pool_t *pool) CM_UNUSED_RESULT;

/* Fail, with the words of the database, if where= of the model of TABLE cannot
 * be asked of all its rows. */
cm_error_t *cm_judge_filter(cm_store_t *store, const cm_table_t *table,
                            apr_pool_t *pool) CM_UNUSED_RESULT;

/* Count the rows of TABLE that where= lets leave and that were never sent, and
 * those that it does not let leave although peers know them. Fails as
 * cm_statement_number(). */
cm_error_t *cm_judge_filter_rows(apr_int64_t *unsent, apr_int64_t *outside,
                                 cm_store_t *store, const cm_table_t *table,
                                 apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return the first refusal among FINDINGS as an error (CM_SCHEMA), or NULL.
 * USED: also those of tables whose records are already synchronised. */
cm_error_t *cm_judge_error(const apr_array_header_t *findings, int used,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
