/* References to nothing: see reference.h. */
#include "record/reference.h"

#include "record/canonical.h"

int cm_reference_is_none(const cm_column_t *column, cm_value_t value,
                         apr_pool_t *pool)
{
    if (value.kind == CM_NULL)
        return 1;
    if (value.kind == CM_ABSENT || !column->none)
        return 0;
    return !cm_value_compare(
        value, cm_canonical_normalise(column, cm_reference_none(column), pool));
}

cm_value_t cm_reference_none(const cm_column_t *column)
{
    return column->none ? cm_value_of(CM_TEXT, column->none)
                        : (cm_value_t){.kind = CM_NULL};
}

int cm_reference_may_be_none(const cm_column_t *column)
{
    return column->nullable || (column->none && !column->is_key);
}
