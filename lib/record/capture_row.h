/* Rows that their capture cannot hold: what a trigger could not name because a
 * column had been dropped or renamed, and what is larger than a value of
 * MariaDB may be. They are read from the table when they are needed. */
#ifndef CM_RECORD_CAPTURE_ROW_H
#define CM_RECORD_CAPTURE_ROW_H

#include "schema/table.h"

/* Complete *RAW, what table->capture gave for the row of TABLE with KEY, where
 * it holds less than the row; *RAW is the same where it is complete already.
 * Fails as cm_statement_select(), and with CM_REJECTED when the row is too
 * large for anything. */
cm_error_t *cm_capture_row_whole(const cm_datum_t **raw, cm_store_t *store,
                                 const cm_table_t *table, const char *key,
                                 apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Read the rows of TABLE with KEYS (const char *) as table->capture gives
 * them: canonical key (cm_canonical_key()) -> const cm_datum_t *. Those that
 * are gone are left out. */
cm_error_t *cm_capture_row_read(apr_hash_t **found, cm_store_t *store,
                                const cm_table_t *table,
                                const apr_array_header_t *keys,
                                apr_pool_t *result_pool) CM_UNUSED_RESULT;

#endif
