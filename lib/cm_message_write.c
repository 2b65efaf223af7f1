/* Writing messages and bodies: see cm_message.h. */
#include "cm_message.h"

#include <string.h>

#include <apr_strings.h>

#include "cm_json.h"
#include "cm_message_beside.h"
#include "cm_value_number.h"

static const char *const action_names[] = {"create", "update", "delete"};

const char *cm_action_name(cm_action_e action)
{
    return action_names[action];
}

int cm_action_read(cm_action_e *action, const char *name)
{
    int i;

    for (i = CM_CREATE; i <= CM_DELETE; i++) {
        if (!strcmp(name, action_names[i])) {
            *action = i;
            return 1;
        }
    }
    return 0;
}

cm_action_e cm_action_usual(const cm_message_t *message)
{
    return message->has_base ? CM_UPDATE : CM_CREATE;
}

cm_buffer_t *cm_buffer_create(apr_size_t room, apr_pool_t *pool)
{
    cm_buffer_t *buffer = apr_palloc(pool, sizeof(*buffer));

    buffer->room = room ? room : 64;
    buffer->data = apr_palloc(pool, buffer->room);
    buffer->size = 0;
    buffer->pool = pool;
    return buffer;
}

void cm_buffer_append(cm_buffer_t *buffer, const char *data, apr_size_t size)
{
    if (buffer->room - buffer->size < size) {
        char *old = buffer->data;

        buffer->room = 2 * buffer->room + size;
        buffer->data = apr_palloc(buffer->pool, buffer->room);
        memcpy(buffer->data, old, buffer->size);
    }
    memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
}

void cm_buffer_raw(cm_buffer_t *buffer, const char *text)
{
    cm_buffer_append(buffer, text, strlen(text));
}

void cm_buffer_number(cm_buffer_t *buffer, apr_int64_t number)
{
    char room[CM_NUMBER_ROOM];

    cm_buffer_raw(buffer, cm_number_text(room, number));
}

static void append_escape(cm_buffer_t *buffer, unsigned char c)
{
    static const char names[] = "\"\\\b\f\n\r\t";
    static const char escapes[] = "\"\\bfnrt";
    const char *found = c ? strchr(names, c) : NULL;
    char text[8];

    if (found)
        apr_snprintf(text, sizeof(text), "\\%c", escapes[found - names]);
    else
        apr_snprintf(text, sizeof(text), "\\u%04x", c);
    cm_buffer_raw(buffer, text);
}

void cm_buffer_string(cm_buffer_t *buffer, const char *data, apr_size_t size)
{
    const char *end = data + size, *from = data;

    cm_buffer_append(buffer, "\"", 1);
    for (; (data = cm_json_plain_end(data, end)) < end; data++) {
        if (*data != '"' && *data != '\\' && (unsigned char)*data >= 0x20)
            continue;
        cm_buffer_append(buffer, from, data - from);
        append_escape(buffer, *data);
        from = data + 1;
    }
    cm_buffer_append(buffer, from, end - from);
    cm_buffer_append(buffer, "\"", 1);
}

static void append_value(cm_buffer_t *buffer, const cm_value_t *value)
{
    if (value->kind == CM_NULL)
        cm_buffer_append(buffer, "null", 4);
    else if (value->kind == CM_TEXT)
        cm_buffer_string(buffer, value->data, value->size);
    else
        cm_buffer_append(buffer, value->data, value->size);
}

void cm_buffer_body(cm_buffer_t *buffer, const char *model,
                    const apr_array_header_t *attributes)
{
    const char *separator = ":{";
    int i;

    cm_buffer_append(buffer, "{", 1);
    cm_buffer_string(buffer, model, strlen(model));
    for (i = 0; i < attributes->nelts; i++) {
        const cm_attribute_t *attribute =
            &APR_ARRAY_IDX(attributes, i, cm_attribute_t);

        if (attribute->value.kind == CM_ABSENT)
            continue;
        cm_buffer_raw(buffer, separator);
        cm_buffer_string(buffer, attribute->name, strlen(attribute->name));
        cm_buffer_append(buffer, ":", 1);
        append_value(buffer, &attribute->value);
        separator = ",";
    }
    cm_buffer_raw(buffer, *separator == ',' ? "}}" : ":{}}");
}

int cm_original_id_is_exact(const char *id)
{
    const apr_int64_t exact = APR_INT64_C(1) << 53;
    cm_value_t value = {CM_TEXT, id, strlen(id)};
    apr_int64_t number;
    char room[CM_NUMBER_ROOM];

    return *id && cm_json_integer(&number, &value) && number <= exact &&
           number >= -exact && !strcmp(cm_number_text(room, number), id);
}

void cm_original_id_write(cm_buffer_t *buffer, const char *id)
{
    if (cm_original_id_is_exact(id))
        cm_buffer_raw(buffer, id);
    else
        cm_buffer_string(buffer, id, strlen(id));
}

static void append_identity(cm_buffer_t *buffer, cm_identity_t identity)
{
    if (!identity.origin || !identity.original_id) {
        cm_buffer_raw(buffer, ",\"origin\":null,\"original_id\":null");
        return;
    }
    cm_buffer_raw(buffer, ",\"origin\":");
    cm_buffer_string(buffer, identity.origin, strlen(identity.origin));
    cm_buffer_raw(buffer, ",\"original_id\":");
    cm_original_id_write(buffer, identity.original_id);
}

const char *cm_message_base_text(const cm_message_t *message, apr_pool_t *pool)
{
    char room[CM_NUMBER_ROOM];

    if (!message->has_base)
        return NULL;
    if (message->base.older && apr_hash_count(message->base.older))
        return cm_clocks_text(&message->base, pool);
    return apr_pstrdup(pool, cm_number_text(room, message->base.clock));
}

const char *cm_message_refs_text(const cm_message_t *message, apr_pool_t *pool)
{
    cm_buffer_t *buffer = NULL;
    int i;

    for (i = 0; message->attributes && i < message->attributes->nelts; i++) {
        const cm_attribute_t *attribute =
            &APR_ARRAY_IDX(message->attributes, i, cm_attribute_t);

        if (!attribute->reference_model)
            continue;
        if (buffer)
            cm_buffer_append(buffer, ",", 1);
        else
            cm_buffer_append(buffer = cm_buffer_create(128, pool), "{", 1);
        cm_buffer_string(buffer, attribute->name, strlen(attribute->name));
        cm_buffer_raw(buffer, ":{\"model\":");
        cm_buffer_string(buffer, attribute->reference_model,
                         strlen(attribute->reference_model));
        append_identity(buffer, attribute->reference);
        cm_buffer_append(buffer, "}", 1);
    }
    if (!buffer)
        return NULL;
    cm_buffer_append(buffer, "}", 2);
    return buffer->data;
}

/* Append what only ours understand. */
static void append_ours(cm_buffer_t *buffer, const cm_message_t *message)
{
    if (message->action != cm_action_usual(message)) {
        cm_buffer_raw(buffer, ",\"action\":\"");
        cm_buffer_raw(buffer, cm_action_name(message->action));
        cm_buffer_raw(buffer, "\"");
    }
    cm_buffer_raw(buffer, ",\"clock\":");
    cm_buffer_number(buffer, message->clocks.clock);
    cm_beside_write(buffer, message);
}

void cm_message_write(cm_buffer_t *buffer, const cm_message_t *message, int gem)
{
    cm_buffer_raw(buffer, buffer->size ? ",{\"id\":" : "[{\"id\":");
    cm_buffer_number(buffer, message->id);
    cm_buffer_raw(buffer, ",\"body\":");
    cm_buffer_string(buffer, message->body, message->body_size);
    append_identity(buffer, message->identity);
    if (!gem && message->clocks.clock)
        append_ours(buffer, message);
    cm_buffer_append(buffer, "}", 1);
}
