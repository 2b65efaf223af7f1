/* References: see reference.h. */
#include "record/reference.h"

#include <string.h>

#include "record/canonical.h"
#include "record/message.h"

int cm_reference_is(const cm_column_t *column)
{
    return column->reference || column->named_by;
}

const cm_model_t *cm_reference_model(const cm_settings_t *settings,
                                     const cm_column_t *column, cm_value_t name)
{
    if (column->reference)
        return cm_settings_model(settings, column->reference);
    return column->named_by && name.kind > CM_NULL
               ? cm_settings_model_of_type(settings, name.data)
               : NULL;
}

cm_value_t cm_reference_name(const cm_column_t *column,
                             const apr_array_header_t *attributes)
{
    int i;

    for (i = 0; column->named_by && i < attributes->nelts; i++) {
        const cm_attribute_t *attribute =
            &APR_ARRAY_IDX(attributes, i, cm_attribute_t);

        if (!strcmp(attribute->name, column->named_by->name))
            return attribute->value;
    }
    return (cm_value_t){.kind = CM_ABSENT};
}

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
