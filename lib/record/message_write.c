/* Writing messages and bodies: see message.h. */
#include "record/message.h"

#include <string.h>

#include <apr_strings.h>

#include "base/json.h"
#include "base/number.h"
#include "record/message_beside.h"

static void append_value(cm_buffer_t *buffer, const cm_value_t *value)
{
    if (value->kind == CM_NULL)
        cm_buffer_append(buffer, "null", 4);
    else if (value->kind == CM_TEXT)
        cm_buffer_string(buffer, value->data, value->size);
    else
        cm_buffer_append(buffer, value->data, value->size);
}

void cm_message_write_body(cm_buffer_t *buffer, const char *model,
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

static void append_identity(cm_buffer_t *buffer, cm_identity_t identity)
{
    if (!identity.origin || !identity.original_id) {
        cm_buffer_raw(buffer, ",\"origin\":null,\"original_id\":null");
        return;
    }
    cm_buffer_raw(buffer, ",\"origin\":");
    cm_buffer_string(buffer, identity.origin, strlen(identity.origin));
    cm_buffer_raw(buffer, ",\"original_id\":");
    cm_identity_write_id(buffer, identity.original_id);
}

const char *cm_message_write_base(const cm_message_t *message, apr_pool_t *pool)
{
    char room[CM_NUMBER_ROOM];

    if (!message->has_base)
        return NULL;
    if (message->base.older && apr_hash_count(message->base.older))
        return cm_clocks_text(&message->base, pool);
    return apr_pstrdup(pool, cm_number_text(room, message->base.clock));
}

const char *cm_message_write_refs(const cm_message_t *message, apr_pool_t *pool)
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
    if (message->action != cm_message_action_usual(message)) {
        cm_buffer_raw(buffer, ",\"action\":\"");
        cm_buffer_raw(buffer, cm_message_action_name(message->action));
        cm_buffer_raw(buffer, "\"");
    }
    cm_buffer_raw(buffer, ",\"clock\":");
    cm_buffer_number(buffer, message->clocks.clock);
    cm_message_beside_write(buffer, message);
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
