/* What a column that refers to records holds.
 *
 * references=COLUMN:{TYPE}: the column TYPE of the row names the model, by its
 * name or its class. Both columns are one value: they change and are merged
 * together. Where TYPE names no model, the column is data like any other.
 *
 * That is NULL, and with references=COLUMN:MODEL?NONE the value NONE, too: 0 in
 * applications whose columns are NOT NULL. On the wire, and wherever values are
 * compared, none is null. A row here gets NONE. */
#ifndef CM_RECORD_REFERENCE_H
#define CM_RECORD_REFERENCE_H

#include <apr_tables.h>

#include "base/value.h"
#include "schema/table.h"

/* Return whether COLUMN is to refer to records. */
int cm_reference_is(const cm_column_t *column);

/* Return the model that COLUMN refers to, if the column that names it has the
 * value NAME. NULL: none. */
const cm_model_t *cm_reference_model(const cm_settings_t *settings,
                                     const cm_column_t *column,
                                     cm_value_t name);

/* Return the value of the column that names the model of COLUMN, from
 * ATTRIBUTES (cm_attribute_t). CM_ABSENT: there is none. */
cm_value_t cm_reference_name(const cm_column_t *column,
                             const apr_array_header_t *attributes);

/* Return whether VALUE, canonical, refers to nothing in COLUMN. */
int cm_reference_is_none(const cm_column_t *column, cm_value_t value,
                         apr_pool_t *pool);

/* Return what a row has in COLUMN where it refers to nothing. */
cm_value_t cm_reference_none(const cm_column_t *column);

/* Return whether COLUMN can refer to nothing when its parent is deleted. A key
 * cannot: it would be that of another record, or of several. */
int cm_reference_may_be_none(const cm_column_t *column);

#endif
