/* What a column that refers to records holds where it refers to none.
 *
 * That is NULL, and with references=COLUMN:MODEL?NONE the value NONE, too: 0 in
 * applications whose columns are NOT NULL. On the wire, and wherever values are
 * compared, none is null. A row here gets NONE. */
#ifndef CM_RECORD_REFERENCE_H
#define CM_RECORD_REFERENCE_H

#include "base/value.h"
#include "schema/table.h"

/* Return whether VALUE, canonical, refers to nothing in COLUMN. */
int cm_reference_is_none(const cm_column_t *column, cm_value_t value,
                         apr_pool_t *pool);

/* Return what a row has in COLUMN where it refers to nothing. */
cm_value_t cm_reference_none(const cm_column_t *column);

/* Return whether COLUMN can refer to nothing when its parent is deleted. A key
 * cannot: it would be that of another record, or of several. */
int cm_reference_may_be_none(const cm_column_t *column);

#endif
