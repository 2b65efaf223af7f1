/* What a column of this database accepts. Nothing is cut, rounded or clamped
 * silently: docs/values.md is the table, this is its code. */
#ifndef CM_RECORD_FIT_H
#define CM_RECORD_FIT_H

#include "base/value.h"
#include "store/store.h"
#include "schema/table.h"

/* Make of VALUE, from a peer or in any form that a gem writes (wire.md 2.6),
 * what is written into COLUMN. Fails with CM_REJECTED when the column cannot
 * hold it exactly; the message names the column and the reason. */
cm_error_t *cm_fit_value(cm_datum_t *datum, const cm_column_t *column,
                         cm_value_t value, const cm_dialect_t *dialect,
                         apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
