/* Whether values are the same: see alike.h. */
#include "record/alike.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include "base/json.h"
#include "base/json_write.h"
#include "base/number.h"

static cm_value_t form_of_boolean(cm_value_t value)
{
    static const char *const words[] = {"true", "t", "1", "false", "f", "0"};
    int i;

    for (i = 0; i < 6; i++)
        if (value.size == strlen(words[i]) &&
            !memcmp(value.data, words[i], value.size))
            return cm_value_of(CM_NUMBER, i < 3 ? "1" : "0");
    return value;
}

static cm_value_t form_of_number(cm_value_t value, apr_pool_t *pool)
{
    cm_decimal_t decimal;

    if (value.kind == CM_BOOLEAN)
        return form_of_boolean(value);
    if (!cm_number_decimal_read(&decimal, value.data, value.size, pool))
        return value;
    return cm_value_of(CM_NUMBER,
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

/* A member of an object: its name, and where its value is. */
typedef struct member_t {
    cm_value_t name;
    const char *start;
    apr_size_t size;
    int place;
} member_t;

static int compare_members(const void *a, const void *b)
{
    const member_t *left = a, *right = b;
    int order = cm_value_compare(left->name, right->name);

    return order ? order : left->place - right->place;
}

static void write_form(cm_buffer_t *out, const char *text, apr_size_t size,
                       apr_pool_t *pool);

/* Members are sorted by name; of several with one name the last counts. */
static void write_object(cm_buffer_t *out, cm_json_t *json)
{
    apr_array_header_t *members =
        apr_array_make(json->pool, 8, sizeof(member_t));
    member_t member = {.place = 0}, *all;
    int i;

    while (cm_json_next(json, '}', &member.place) &&
           cm_json_name(json, &member.name) &&
           cm_json_skip(json, &member.start, &member.size))
        APR_ARRAY_PUSH(members, member_t) = member;
    all = (member_t *)members->elts;
    qsort(all, members->nelts, sizeof(*all), compare_members);
    cm_json_write_open(out, NULL, '{');
    for (i = 0; i < members->nelts; i++) {
        if (i + 1 < members->nelts &&
            !cm_value_compare(all[i].name, all[i + 1].name))
            continue;
        cm_json_write_name(out, all[i].name.data, all[i].name.size);
        write_form(out, all[i].start, all[i].size, json->pool);
    }
    cm_json_write_close(out, '}');
}

static void write_array(cm_buffer_t *out, cm_json_t *json)
{
    const char *start;
    apr_size_t size;
    int count = 0;

    cm_json_write_open(out, NULL, '[');
    while (cm_json_next(json, ']', &count) && cm_json_skip(json, &start, &size))
        write_form(out, start, size, json->pool);
    cm_json_write_close(out, ']');
}

/* Write the JSON TEXT, which is known to be valid, in the form in which equal
 * values are the same bytes. */
static void write_form(cm_buffer_t *out, const char *text, apr_size_t size,
                       apr_pool_t *pool)
{
    cm_value_t value = {CM_NULL, NULL, 0};
    cm_json_t json;

    cm_json_init(&json, text, size, pool);
    if (cm_json_peek(&json) == '{' && cm_json_open(&json, '{'))
        write_object(out, &json);
    else if (cm_json_peek(&json) == '[' && cm_json_open(&json, '['))
        write_array(out, &json);
    else if (cm_json_value(&json, &value) && value.kind == CM_NUMBER)
        cm_json_write_value(out, NULL, form_of_number(value, pool));
    else
        cm_json_write_value(out, NULL, value);
}

static cm_value_t form_of_json(cm_value_t value, apr_pool_t *pool)
{
    cm_buffer_t *buffer = cm_buffer_create(value.size + 16, pool);
    cm_json_t json;

    cm_json_init(&json, value.data, value.size, pool);
    if (!cm_json_skip(&json, NULL, NULL) || !cm_json_done(&json))
        return value;
    write_form(buffer, value.data, value.size, pool);
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
