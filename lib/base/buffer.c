/* Text that grows: see buffer.h. */
#include "base/buffer.h"

#include <string.h>

#include "base/json.h"
#include "base/number.h"

cm_buffer_t *cm_buffer_create(apr_size_t room, apr_pool_t *pool)
{
    cm_buffer_t *buffer = apr_palloc(pool, sizeof(*buffer));

    buffer->room = room ? room : 64;
    buffer->data = apr_palloc(pool, buffer->room);
    buffer->size = 0;
    buffer->pool = pool;
    return buffer;
}

void cm_buffer_grow(cm_buffer_t *buffer, apr_size_t size)
{
    char *old = buffer->data;

    buffer->room = 2 * buffer->room + size;
    buffer->data = apr_palloc(buffer->pool, buffer->room);
    memcpy(buffer->data, old, buffer->size);
}

void cm_buffer_number(cm_buffer_t *buffer, apr_int64_t number)
{
    char room[CM_NUMBER_ROOM];
    const char *text = cm_number_text(room, number);

    cm_buffer_append(buffer, text, &room[CM_NUMBER_ROOM - 1] - text);
}

/* Most are quotation marks: a body is JSON within JSON. */
static void append_escape(cm_buffer_t *buffer, unsigned char c)
{
    static const char names[] = "\"\\\b\f\n\r\t";
    static const char escapes[] = "\"\\bfnrt";
    static const char digits[] = "0123456789abcdef";
    const char *found = c ? strchr(names, c) : NULL;
    char text[] = "\\u00..";

    if (found) {
        text[1] = escapes[found - names];
        cm_buffer_append(buffer, text, 2);
        return;
    }
    text[4] = digits[c >> 4];
    text[5] = digits[c & 15];
    cm_buffer_append(buffer, text, 6);
}

void cm_buffer_string(cm_buffer_t *buffer, const char *data, apr_size_t size)
{
    const char *end = data + size, *from = data;

    cm_buffer_append(buffer, "\"", 1);
    for (; (data = cm_json_text_plain_end(data, end)) < end; data++) {
        if (*data != '"' && *data != '\\' && (unsigned char)*data >= 0x20)
            continue;
        cm_buffer_append(buffer, from, data - from);
        append_escape(buffer, *data);
        from = data + 1;
    }
    cm_buffer_append(buffer, from, end - from);
    cm_buffer_append(buffer, "\"", 1);
}
