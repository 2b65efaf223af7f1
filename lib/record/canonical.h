/* The canonical form of a value: how it stands on the wire, whatever database
 * it came from. docs/values.md is the table; this is its code.
 *
 * A value becomes canonical by its column's class, from the raw form that the
 * trigger's SQL made of it or from any form on the wire. So it is compared,
 * merged and sent; fit.h makes of it what a database takes. */
#ifndef CM_RECORD_CANONICAL_H
#define CM_RECORD_CANONICAL_H

#include "base/value.h"
#include "store/store.h"
#include "schema/table.h"

/* Make RAW, a member of the body that a trigger of this node's database
 * wrote, canonical. Never fails: what cannot be recognised (an invalid
 * date, in SQLite) stays as it is. */
cm_value_t cm_canonical_value(const cm_column_t *column, cm_value_t raw,
                              const cm_dialect_t *dialect, apr_pool_t *pool);

/* Make VALUE from the wire canonical for COLUMN, so that both sides compare
 * alike: "2011/06/22 10:11:12 +0000" and "2011-06-22T10:11:12Z" are equal. */
cm_value_t cm_canonical_normalise(const cm_column_t *column, cm_value_t value,
                                  apr_pool_t *pool);

/* Return the canonical form of a key's TEXT (key_text, or from the wire): the
 * same on every database, however each writes it. */
const char *cm_canonical_key(const cm_table_t *table, const char *text,
                             const cm_dialect_t *dialect, apr_pool_t *pool);

#endif
