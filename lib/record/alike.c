/* What counts as the same value: see alike.h. */
#include "record/alike.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include "base/buffer.h"
#include "base/json.h"
#include "base/number.h"

static cm_value_t value_of(cm_kind_e kind, const char *text)
{
    return (cm_value_t){kind, text, strlen(text)};
}

static cm_value_t form_of_boolean(cm_value_t value)
{
    static const char *const words[] = {"true", "t", "1", "false", "f", "0"};
    int i;

    for (i = 0; i < 6; i++)
        if (value.size == strlen(words[i]) &&
            !memcmp(value.data, words[i], value.size))
            return value_of(CM_NUMBER, i < 3 ? "1" : "0");
    return value;
}

static cm_value_t form_of_number(cm_value_t value, apr_pool_t *pool)
{
    cm_decimal_t decimal;

    if (value.kind == CM_BOOLEAN)
        return form_of_boolean(value);
    if (!cm_number_decimal_read(&decimal, value.data, value.size, pool))
        return value;
    return value_of(CM_NUMBER,
                    cm_number_decimal_text(
                        &decimal, cm_number_decimal_scale(&decimal), pool));
}

static cm_value_t form_of_moment(cm_value_t value, apr_pool_t *pool)
{
    static const char midnight[] = "T00:00:00Z";
    apr_size_t size = sizeof(midnight) - 1;

    if (value.size <= size ||
        memcmp(value.data + value.size - size, midnight, size))
        return value;
    value.size -= size;
    value.data = apr_pstrmemdup(pool, value.data, value.size);
    return value;
}

/* A member of an object: where its name and its value stand. */
typedef struct member_t {
    cm_value_t name;
    const char *start;
    apr_size_t size;
    int place; /* the last one of a name counts */
} member_t;

static int compare_members(const void *a, const void *b)
{
    const member_t *left = a, *right = b;
    int order = cm_value_compare(left->name, right->name);

    return order ? order : left->place - right->place;
}

static void append_json(cm_buffer_t *buffer, const char *text, apr_size_t size,
                        apr_pool_t *pool);

static void append_object(cm_buffer_t *buffer, cm_json_t *json)
{
    apr_array_header_t *members =
        apr_array_make(json->pool, 8, sizeof(member_t));
    member_t member = {.place = 0}, *all;
    const char *separator = "{";
    int i;

    while (cm_json_next(json, '}', &member.place) &&
           cm_json_name(json, &member.name) &&
           cm_json_skip(json, &member.start, &member.size))
        APR_ARRAY_PUSH(members, member_t) = member;
    all = (member_t *)members->elts;
    qsort(all, members->nelts, sizeof(*all), compare_members);
    for (i = 0; i < members->nelts; i++) {
        if (i + 1 < members->nelts &&
            !cm_value_compare(all[i].name, all[i + 1].name))
            continue;
        cm_buffer_raw(buffer, separator);
        cm_buffer_string(buffer, all[i].name.data, all[i].name.size);
        cm_buffer_raw(buffer, ":");
        append_json(buffer, all[i].start, all[i].size, json->pool);
        separator = ",";
    }
    cm_buffer_raw(buffer, *separator == ',' ? "}" : "{}");
}

static void append_array(cm_buffer_t *buffer, cm_json_t *json)
{
    const char *start;
    apr_size_t size;
    int count = 0;

    cm_buffer_raw(buffer, "[");
    while (cm_json_next(json, ']', &count) &&
           cm_json_skip(json, &start, &size)) {
        if (count > 1)
            cm_buffer_raw(buffer, ",");
        append_json(buffer, start, size, json->pool);
    }
    cm_buffer_raw(buffer, "]");
}

/* Append the JSON TEXT, which is known to be well-formed. */
static void append_json(cm_buffer_t *buffer, const char *text, apr_size_t size,
                        apr_pool_t *pool)
{
    cm_json_t json;
    cm_value_t value;

    cm_json_init(&json, text, size, pool);
    if (cm_json_peek(&json) == '{' && cm_json_open(&json, '{'))
        append_object(buffer, &json);
    else if (cm_json_peek(&json) == '[' && cm_json_open(&json, '['))
        append_array(buffer, &json);
    else if (!cm_json_value(&json, &value) || value.kind == CM_NULL)
        cm_buffer_raw(buffer, "null");
    else if (value.kind == CM_TEXT)
        cm_buffer_string(buffer, value.data, value.size);
    else if (value.kind == CM_NUMBER) {
        value = form_of_number(value, pool);
        cm_buffer_append(buffer, value.data, value.size);
    }
    else
        cm_buffer_append(buffer, value.data, value.size);
}

static cm_value_t form_of_json(cm_value_t value, apr_pool_t *pool)
{
    cm_buffer_t *buffer = cm_buffer_create(value.size + 16, pool);
    cm_json_t json;

    cm_json_init(&json, value.data, value.size, pool);
    if (!cm_json_skip(&json, NULL, NULL) || !cm_json_done(&json))
        return value;
    append_json(buffer, value.data, value.size, pool);
    return (cm_value_t){CM_TEXT, buffer->data, buffer->size};
}

cm_value_t cm_alike_form(cm_like_e like, cm_value_t value, apr_pool_t *pool)
{
    if (value.kind <= CM_NULL)
        return (cm_value_t){.kind = CM_NULL};
    switch (like) {
    case CM_LIKE_NUMBER:
        return form_of_number(value, pool);
    case CM_LIKE_BOOLEAN:
        return form_of_boolean(value);
    case CM_LIKE_MOMENT:
        return form_of_moment(value, pool);
    case CM_LIKE_JSON:
        return form_of_json(value, pool);
    case CM_LIKE_EXACT:
        break;
    }
    return value;
}
