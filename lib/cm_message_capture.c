/* What a trigger captured, made canonical: see cm_message.h. */
#include "cm_message.h"

#include <string.h>

#include "cm_catalog.h"
#include "cm_json.h"

cm_error_t *cm_message_capture(apr_array_header_t **attributes,
                               const cm_table_t *table, const char *raw,
                               apr_size_t raw_size, const cm_dialect_t *dialect,
                               apr_pool_t *pool)
{
    const cm_column_t *column;
    cm_attribute_t *attribute;
    cm_value_t name, value;
    cm_json_t json;
    int count = 0;

    *attributes =
        apr_array_make(pool, table->column_count + 1, sizeof(cm_attribute_t));
    cm_json_init(&json, raw, raw_size, pool);
    cm_json_open(&json, '{');
    while (cm_json_next(&json, '}', &count)) {
        if (!cm_json_name(&json, &name) || !cm_json_value(&json, &value))
            break;
        column = cm_table_column(table, name.data);
        if (!column || !column->carried)
            continue;
        attribute = apr_array_push(*attributes);
        memset(attribute, 0, sizeof(*attribute));
        attribute->name = name.data;
        attribute->value = cm_value_canonical(column, value, dialect, pool);
    }
    if (!cm_json_done(&json))
        return cm_json_error(&json, "what was captured cannot be read", pool);
    return NULL;
}

cm_error_t *cm_message_body(const char **body, apr_size_t *body_size,
                            const cm_table_t *table, const char *raw,
                            apr_size_t raw_size, const cm_dialect_t *dialect,
                            apr_pool_t *pool)
{
    apr_array_header_t *attributes;
    cm_buffer_t *buffer;

    CM_TRY(
        cm_message_capture(&attributes, table, raw, raw_size, dialect, pool));
    buffer = cm_buffer_create(raw_size + raw_size / 8 + 64, pool);
    cm_buffer_body(buffer, table->model->name, attributes);
    *body_size = buffer->size;
    cm_buffer_append(buffer, "", 1);
    *body = buffer->data;
    return NULL;
}
