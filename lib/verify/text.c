/* Pieces of JSON: see text.h. */
#include "verify/text.h"

#include <string.h>

void cm_verify_text_append(cm_buffer_t *buffer, const char *text)
{
    if (text)
        cm_buffer_string(buffer, text, strlen(text));
    else
        cm_buffer_raw(buffer, "null");
}

void cm_verify_text_comma(cm_buffer_t *buffer)
{
    char last = buffer->size ? buffer->data[buffer->size - 1] : '{';

    if (last != '{' && last != '[')
        cm_buffer_raw(buffer, ",");
}

void cm_verify_text_begin(cm_buffer_t *buffer, const char *name)
{
    cm_verify_text_comma(buffer);
    cm_verify_text_append(buffer, name);
    cm_buffer_raw(buffer, ":");
}

void cm_verify_text_member(cm_buffer_t *buffer, const char *name,
                           const char *text)
{
    if (!text)
        return;
    cm_verify_text_begin(buffer, name);
    cm_verify_text_append(buffer, text);
}

void cm_verify_text_number(cm_buffer_t *buffer, const char *name,
                           apr_int64_t number)
{
    cm_verify_text_begin(buffer, name);
    cm_buffer_number(buffer, number);
}

int cm_verify_text_read(const char **text, cm_json_t *json)
{
    cm_value_t value;

    *text = NULL;
    if (!cm_json_value(json, &value) || value.kind == CM_NULL)
        return !json->problem;
    *text = value.data;
    return value.kind == CM_TEXT && strlen(value.data) == value.size;
}

int cm_verify_text_read_number(apr_int64_t *number, cm_json_t *json)
{
    cm_value_t value;

    return cm_json_value(json, &value) && value.kind == CM_NUMBER &&
           cm_json_integer(number, &value) && *number >= 0 &&
           *number <= CM_CLOCK_MAX;
}

int cm_verify_text_read_object(cm_json_t *json, cm_text_read_t read,
                               void *baton)
{
    cm_value_t name;
    int count = 0;

    if (!cm_json_open(json, '{'))
        return 0;
    while (cm_json_next(json, '}', &count))
        if (!cm_json_name(json, &name) || !read(baton, name.data, json))
            return 0;
    return !json->problem;
}

int cm_verify_text_read_array(cm_json_t *json, int most, cm_text_read_t read,
                              void *baton)
{
    int count = 0;

    if (!cm_json_open(json, '['))
        return 0;
    while (cm_json_next(json, ']', &count))
        if (count > most || !read(baton, NULL, json))
            return 0;
    return !json->problem;
}

cm_error_t *cm_verify_text_read_whole(const char *text, apr_size_t size,
                                      const char *what, cm_text_read_t read,
                                      void *baton, apr_pool_t *pool)
{
    cm_json_t json;

    cm_json_init(&json, text, size, pool);
    if (!cm_verify_text_read_object(&json, read, baton) || !cm_json_done(&json))
        return CM_FAIL(pool, CM_MALFORMED, "%s cannot be read", what);
    return NULL;
}
