/* Writing what stands beside the body: see cm_message_beside.h. */
#include "cm_message_beside.h"

#include <string.h>

/* The columns of a message with one clock; COLUMN is the first of them. */
static apr_size_t group_size(const apr_int64_t *clocks,
                             const apr_array_header_t *attributes, int column)
{
    apr_size_t size = 0;
    int i;

    for (i = column; i < attributes->nelts; i++)
        if (clocks[i] == clocks[column])
            size +=
                strlen(APR_ARRAY_IDX(attributes, i, cm_attribute_t).name) + 3;
    return size;
}

/* Return whether COLUMN is the first one with its clock. */
static int is_first(const apr_int64_t *clocks, int column)
{
    int i;

    for (i = 0; i < column && clocks[i] != clocks[column]; i++)
        ;
    return i == column;
}

/* Fill in the clock of each attribute of MESSAGE, -1 where it has none; return
 * how many are older than the message. */
static int list_clocks(apr_int64_t *clocks, const cm_message_t *message)
{
    int i, older = 0;

    for (i = 0; i < message->attributes->nelts; i++) {
        const cm_attribute_t *attribute =
            &APR_ARRAY_IDX(message->attributes, i, cm_attribute_t);

        clocks[i] = attribute->value.kind == CM_ABSENT
                        ? -1
                        : cm_clocks_of(&message->clocks, attribute->name);
        older += clocks[i] >= 0 && clocks[i] != message->clocks.clock;
    }
    return older;
}

/* Append the names of those that have CLOCK. */
static void append_group(cm_buffer_t *buffer, const apr_int64_t *clocks,
                         const cm_message_t *message, apr_int64_t clock,
                         const char **separator)
{
    const char *name;
    int i;

    for (i = 0; i < message->attributes->nelts; i++) {
        if (clocks[i] != clock)
            continue;
        name = APR_ARRAY_IDX(message->attributes, i, cm_attribute_t).name;
        cm_buffer_raw(buffer, *separator);
        cm_buffer_string(buffer, name, strlen(name));
        *separator = ",";
    }
}

static void append_clock(cm_buffer_t *buffer, apr_int64_t clock,
                         const char **separator)
{
    cm_buffer_raw(buffer, *separator);
    cm_buffer_number(buffer, clock);
    *separator = ",";
}

/* Append the clocks as a list: the names of each group of columns, but of the
 * one with the most to name. */
static void append_clock_list(cm_buffer_t *buffer, const apr_int64_t *clocks,
                              const cm_message_t *message)
{
    const apr_array_header_t *attributes = message->attributes;
    apr_int64_t newest = message->clocks.clock, rest = newest;
    apr_size_t size, most = 0;
    const char *separator = "";
    int i;

    for (i = 0; i < attributes->nelts; i++) {
        size = clocks[i] >= 0 && is_first(clocks, i)
                   ? group_size(clocks, attributes, i)
                   : 0;
        if (size > most) {
            most = size;
            rest = clocks[i];
        }
    }
    cm_buffer_raw(buffer, ",\"clocks\":[");
    if (rest != newest)
        append_group(buffer, clocks, message, newest, &separator);
    for (i = 0; i < attributes->nelts; i++) {
        if (clocks[i] < 0 || clocks[i] == newest || clocks[i] == rest ||
            !is_first(clocks, i))
            continue;
        append_clock(buffer, clocks[i], &separator);
        append_group(buffer, clocks, message, clocks[i], &separator);
    }
    if (rest != newest)
        append_clock(buffer, rest, &separator);
    cm_buffer_raw(buffer, "]");
}

static void append_text(cm_buffer_t *buffer, const char *name, const char *text)
{
    if (!text)
        return;
    cm_buffer_raw(buffer, name);
    cm_buffer_raw(buffer, text);
}

/* The list cannot name a column that is not in the body. */
static void append_clocks(cm_buffer_t *buffer, const cm_message_t *message)
{
    apr_int64_t *clocks;
    int older =
        message->clocks.older ? (int)apr_hash_count(message->clocks.older) : 0;

    if (!older)
        return;
    clocks =
        apr_palloc(buffer->pool, message->attributes->nelts * sizeof(*clocks));
    if (list_clocks(clocks, message) == older)
        append_clock_list(buffer, clocks, message);
    else
        append_text(buffer, ",\"clocks\":",
                    cm_clocks_text(&message->clocks, buffer->pool));
}

/* Return whether the body's value, and the message's origin, say already whom
 * ATTRIBUTE refers to. */
static int is_in_body(const cm_attribute_t *attribute)
{
    const cm_value_t *value = &attribute->value;

    if (value->kind != CM_TEXT &&
        (value->kind != CM_NUMBER || !cm_original_id_is_exact(value->data)))
        return 0;
    return value->size == strlen(attribute->reference.original_id) &&
           !memcmp(value->data, attribute->reference.original_id, value->size);
}

static void append_reference(cm_buffer_t *buffer, const cm_message_t *message,
                             const cm_attribute_t *attribute)
{
    const cm_identity_t *reference = &attribute->reference;
    const char *own = message->identity.origin;
    int same = own && !strcmp(own, reference->origin);
    int brief = same && is_in_body(attribute);

    cm_buffer_string(buffer, attribute->name, strlen(attribute->name));
    cm_buffer_raw(buffer, brief ? ":" : ":[");
    cm_buffer_string(buffer, attribute->reference_model,
                     strlen(attribute->reference_model));
    if (brief)
        return;
    cm_buffer_raw(buffer, ",");
    cm_original_id_write(buffer, reference->original_id);
    if (!same) {
        cm_buffer_raw(buffer, ",");
        cm_buffer_string(buffer, reference->origin, strlen(reference->origin));
    }
    cm_buffer_raw(buffer, "]");
}

static void append_refs(cm_buffer_t *buffer, const cm_message_t *message)
{
    const char *separator = ",\"refs\":{";
    int i;

    for (i = 0; i < message->attributes->nelts; i++) {
        const cm_attribute_t *attribute =
            &APR_ARRAY_IDX(message->attributes, i, cm_attribute_t);

        if (!attribute->reference_model)
            continue;
        cm_buffer_raw(buffer, separator);
        append_reference(buffer, message, attribute);
        separator = ",";
    }
    if (*separator == ',' && !separator[1])
        cm_buffer_raw(buffer, "}");
}

void cm_beside_write(cm_buffer_t *buffer, const cm_message_t *message)
{
    append_clocks(buffer, message);
    append_text(buffer,
                ",\"base\":", cm_message_base_text(message, buffer->pool));
    append_refs(buffer, message);
}
