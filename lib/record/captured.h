/* What a trigger captured: a JSON object of raw values, made canonical.
 *
 * A capture may hold less than the row: a trigger cannot name a column that
 * was dropped or renamed, and MariaDB cannot hold a value larger than a packet.
 * Such rows are read from the table when they are needed. */
#ifndef CM_RECORD_CAPTURED_H
#define CM_RECORD_CAPTURED_H

#include "schema/table.h"

/* Read RAW as canonical attributes (cm_attribute_t), in its order. Columns that
 * TABLE no longer has or does not carry are left out. Fails with CM_MALFORMED.
 */
cm_error_t *cm_captured_read(apr_array_header_t **attributes,
                             const cm_table_t *table, cm_datum_t raw,
                             const cm_dialect_t *dialect,
                             apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return RAW as valid JSON. SQLite accepts any bytes as text, and a trigger
 * cannot tell: strings that are not UTF-8 are written like bytes without a
 * type, {"hex":"00ff"}. */
cm_datum_t cm_captured_mend(cm_datum_t raw, const cm_dialect_t *dialect,
                            apr_pool_t *pool);

/* If *RAW, the capture of the row of TABLE with KEY, holds less than the row
 * because a value is too large, set it to the whole row. Fails as
 * cm_statement_select(), with CM_BUSY when the row changes at the same time,
 * and with CM_REJECTED when it is too large to be sent. */
cm_error_t *cm_captured_complete(const cm_datum_t **raw, cm_store_t *store,
                                 const cm_table_t *table, const char *key,
                                 apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Select the rows of TABLE with KEYS (const char *) as table->capture gives
 * them: canonical key (cm_canonical_key()) -> const cm_datum_t *. Those that
 * are gone are left out. */
cm_error_t *cm_captured_select(apr_hash_t **found, cm_store_t *store,
                               const cm_table_t *table,
                               const apr_array_header_t *keys,
                               apr_pool_t *result_pool) CM_UNUSED_RESULT;

#endif
