/* What a column takes of a value from the wire: nothing is cut, rounded or
 * clamped silently. docs/values.md is the table; this is its code. */
#ifndef CM_RECORD_FIT_H
#define CM_RECORD_FIT_H

#include "base/value.h"
#include "store/store.h"
#include "schema/table.h"

/* Make VALUE, from a peer of ours or from a gem in any of its forms (wire.md
 * 2.6), what COLUMN of this database takes. Fails with CM_REJECTED where the
 * column cannot hold it, naming column and reason: nothing is cut, rounded or
 * clamped silently. */
cm_error_t *cm_fit_value(cm_datum_t *datum, const cm_column_t *column,
                         cm_value_t value, const cm_dialect_t *dialect,
                         apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
