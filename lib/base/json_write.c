/* Writing JSON: see json_write.h. */
#include "base/json_write.h"

#include <string.h>

/* Write a comma unless an object, an array or a member has just begun. */
static void write_comma(cm_buffer_t *json)
{
    char last = json->size ? json->data[json->size - 1] : '{';

    if (last != '{' && last != '[' && last != ':')
        cm_buffer_append(json, ",", 1);
}

void cm_json_write_name(cm_buffer_t *json, const char *data, apr_size_t size)
{
    write_comma(json);
    cm_buffer_string(json, data, size);
    cm_buffer_append(json, ":", 1);
}

/* Write what comes before a value. */
static void begin(cm_buffer_t *json, const char *name)
{
    if (name)
        cm_json_write_name(json, name, strlen(name));
    else
        write_comma(json);
}

void cm_json_write_open(cm_buffer_t *json, const char *name, char bracket)
{
    begin(json, name);
    cm_buffer_append(json, &bracket, 1);
}

void cm_json_write_close(cm_buffer_t *json, char bracket)
{
    cm_buffer_append(json, &bracket, 1);
}

void cm_json_write_text(cm_buffer_t *json, const char *name, const char *text)
{
    if (text)
        cm_json_write_bytes(json, name, text, strlen(text));
    else
        cm_json_write_raw(json, name, "null", 4);
}

void cm_json_write_bytes(cm_buffer_t *json, const char *name, const char *data,
                         apr_size_t size)
{
    begin(json, name);
    cm_buffer_string(json, data, size);
}

void cm_json_write_number(cm_buffer_t *json, const char *name,
                          apr_int64_t number)
{
    begin(json, name);
    cm_buffer_number(json, number);
}

void cm_json_write_truth(cm_buffer_t *json, const char *name, int truth)
{
    begin(json, name);
    cm_buffer_raw(json, truth ? "true" : "false");
}

void cm_json_write_value(cm_buffer_t *json, const char *name, cm_value_t value)
{
    if (value.kind <= CM_NULL)
        cm_json_write_raw(json, name, "null", 4);
    else if (value.kind == CM_TEXT)
        cm_json_write_bytes(json, name, value.data, value.size);
    else
        cm_json_write_raw(json, name, value.data, value.size);
}

void cm_json_write_raw(cm_buffer_t *json, const char *name, const char *data,
                       apr_size_t size)
{
    begin(json, name);
    cm_buffer_append(json, data, size);
}
