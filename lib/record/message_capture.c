/* What a trigger captured, made canonical: see message.h. */
#include "record/message.h"

#include <string.h>

#include <apr_escape.h>
#include <apr_strings.h>

#include "base/json.h"
#include "base/utf8.h"
#include "store/dialect.h"
#include "schema/table.h"
#include "record/canonical.h"

static const char *without_bytes(cm_datum_t raw, apr_pool_t *pool)
{
    char *copy = apr_pstrmemdup(pool, raw.data, raw.size);
    apr_size_t i;

    for (i = 0; i < raw.size; i++)
        if ((unsigned char)copy[i] >= 0x80)
            copy[i] = '?';
    return copy;
}

/* Append the string between BEGIN and END as {"hex":"..."}. */
static void append_hex(cm_buffer_t *buffer, const char *begin, const char *end,
                       apr_pool_t *pool)
{
    cm_value_t value;

    cm_json_text_decode(&value, begin, end, pool);
    cm_buffer_raw(buffer, "{\"hex\":\"");
    cm_buffer_raw(buffer, apr_pescape_hex(pool, value.data, value.size, 0));
    cm_buffer_raw(buffer, "\"}");
}

cm_datum_t cm_message_capture_mend(cm_datum_t raw, const cm_dialect_t *dialect,
                                   apr_pool_t *pool)
{
    const char *at = raw.data, *done = at, *end = at + raw.size, *next, *ascii;
    const char *wrong = NULL, *problem = NULL;
    cm_buffer_t *buffer;
    int escaped;

    if (dialect->checks_utf8 || cm_utf8_is_valid(raw.data, raw.size))
        return raw;
    buffer = cm_buffer_create(raw.size + 64, pool);
    ascii = without_bytes(raw, pool);
    for (; (at = memchr(at, '"', end - at)) && !wrong; at = next) {
        next =
            raw.data + (cm_json_text_end(ascii + (at + 1 - raw.data),
                                         ascii + raw.size, &escaped, &wrong) -
                        ascii);
        problem = NULL;
        cm_json_text_end(at + 1, end, &escaped, &problem);
        if (wrong || !problem)
            continue;
        cm_buffer_append(buffer, done, at - done);
        append_hex(buffer, at + 1, next - 1, pool);
        done = next;
    }
    cm_buffer_append(buffer, done, end - done);
    cm_buffer_append(buffer, "", 1);
    return (cm_datum_t){buffer->data, buffer->size - 1, 0};
}

cm_error_t *cm_message_capture(apr_array_header_t **attributes,
                               const cm_table_t *table, const char *raw,
                               apr_size_t raw_size, const cm_dialect_t *dialect,
                               apr_pool_t *pool)
{
    const cm_column_t *column;
    cm_attribute_t *attribute;
    cm_value_t name, value;
    cm_datum_t mended =
        cm_message_capture_mend((cm_datum_t){raw, raw_size, 0}, dialect, pool);
    cm_json_t json;
    int count = 0;

    *attributes =
        apr_array_make(pool, table->column_count + 1, sizeof(cm_attribute_t));
    cm_json_init(&json, mended.data, mended.size, pool);
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
        attribute->value = cm_canonical_value(column, value, dialect, pool);
    }
    if (!cm_json_done(&json))
        return cm_json_error(&json, "what was captured cannot be read", pool);
    return NULL;
}

cm_error_t *cm_message_capture_body(const char **body, apr_size_t *body_size,
                                    const cm_table_t *table, const char *raw,
                                    apr_size_t raw_size,
                                    const cm_dialect_t *dialect,
                                    apr_pool_t *pool)
{
    apr_array_header_t *attributes;
    cm_buffer_t *buffer;

    CM_TRY(
        cm_message_capture(&attributes, table, raw, raw_size, dialect, pool));
    buffer = cm_buffer_create(raw_size + raw_size / 8 + 64, pool);
    cm_message_write_body(buffer, table->model->name, attributes);
    *body_size = buffer->size;
    cm_buffer_append(buffer, "", 1);
    *body = buffer->data;
    return NULL;
}
