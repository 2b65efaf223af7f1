/* The canonical form of a value: the one in which it is sent, whatever database
 * it came from. docs/values.md is the table, this is its code.
 *
 * A value is made canonical by its column's class, from the raw form that the
 * trigger's SQL wrote or from any form on the wire. It is compared, merged and
 * sent in this form; fit.h turns it into what a database accepts. */
#ifndef CM_RECORD_CANONICAL_H
#define CM_RECORD_CANONICAL_H

#include "base/value.h"
#include "store/store.h"
#include "schema/table.h"

/* Make RAW canonical, a member of the body that a trigger of this database
 * wrote. Never fails: what is not recognised (an invalid date, in SQLite) stays
 * as it is. */
cm_value_t cm_canonical_value(const cm_column_t *column, cm_value_t raw,
                              const cm_dialect_t *dialect, apr_pool_t *pool);

/* Make VALUE from the wire canonical for COLUMN: "2011/06/22 10:11:12 +0000"
 * becomes "2011-06-22T10:11:12Z". */
cm_value_t cm_canonical_normalise(const cm_column_t *column, cm_value_t value,
                                  apr_pool_t *pool);

/* Return the canonical form of a key (what table->key_text selects, or from the
 * wire): the same on every database. */
const char *cm_canonical_key(const cm_table_t *table, const char *text,
                             const cm_dialect_t *dialect, apr_pool_t *pool);

#endif
