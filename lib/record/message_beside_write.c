/* Writing what stands beside the body: see message_beside.h. */
#include "record/message_beside.h"

#include <stdlib.h>
#include <string.h>

/* The clock of one attribute, by its place among them. */
typedef struct place_t {
    apr_int64_t clock;
    int column;
} place_t;

/* The attributes that have one clock. */
typedef struct group_t {
    const place_t *places;
    int count;
    apr_size_t size; /* of their names, as they are written */
} group_t;

static const char *name_of(const cm_message_t *message, const place_t *place)
{
    return APR_ARRAY_IDX(message->attributes, place->column, cm_attribute_t)
        .name;
}

/* Fill in the clocks of the attributes of MESSAGE; *COUNT of them have one.
 * Return how many are older than the message. */
static int list_clocks(place_t *places, int *count, const cm_message_t *message)
{
    int i, older = 0;

    *count = 0;
    for (i = 0; i < message->attributes->nelts; i++) {
        const cm_attribute_t *attribute =
            &APR_ARRAY_IDX(message->attributes, i, cm_attribute_t);
        place_t *place = &places[*count];

        if (attribute->value.kind == CM_ABSENT)
            continue;
        *place = (place_t){cm_clocks_of(&message->clocks, attribute->name), i};
        older += place->clock != message->clocks.clock;
        ++*count;
    }
    return older;
}

static int compare_places(const void *a, const void *b)
{
    const place_t *left = a, *right = b;

    if (left->clock != right->clock)
        return left->clock < right->clock ? -1 : 1;
    return left->column - right->column;
}

static int compare_groups(const void *a, const void *b)
{
    return ((const group_t *)a)->places->column -
           ((const group_t *)b)->places->column;
}

/* Return the groups of the COUNT PLACES, in the order of their first ones. */
static apr_array_header_t *make_groups(place_t *places, int count,
                                       const cm_message_t *message,
                                       apr_pool_t *pool)
{
    apr_array_header_t *groups = apr_array_make(pool, 8, sizeof(group_t));
    group_t *group = NULL;
    int i;

    qsort(places, count, sizeof(*places), compare_places);
    for (i = 0; i < count; i++) {
        if (!group || group->places->clock != places[i].clock) {
            group = apr_array_push(groups);
            *group = (group_t){&places[i], 0, 0};
        }
        group->count++;
        group->size += strlen(name_of(message, &places[i])) + 3;
    }
    qsort(groups->elts, groups->nelts, sizeof(group_t), compare_groups);
    return groups;
}

/* Append the names of GROUP. */
static void append_group(cm_buffer_t *buffer, const group_t *group,
                         const cm_message_t *message, const char **separator)
{
    const char *name;
    int i;

    for (i = 0; i < group->count; i++) {
        name = name_of(message, &group->places[i]);
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
static void append_clock_list(cm_buffer_t *buffer,
                              const apr_array_header_t *groups,
                              const cm_message_t *message)
{
    apr_int64_t newest = message->clocks.clock, rest = newest, clock;
    apr_size_t most = 0;
    const char *separator = "";
    int i;

    for (i = 0; i < groups->nelts; i++) {
        const group_t *group = &APR_ARRAY_IDX(groups, i, group_t);

        if (group->size <= most)
            continue;
        most = group->size;
        rest = group->places->clock;
    }
    cm_buffer_raw(buffer, ",\"clocks\":[");
    for (i = 0; rest != newest && i < groups->nelts; i++)
        if (APR_ARRAY_IDX(groups, i, group_t).places->clock == newest)
            append_group(buffer, &APR_ARRAY_IDX(groups, i, group_t), message,
                         &separator);
    for (i = 0; i < groups->nelts; i++) {
        const group_t *group = &APR_ARRAY_IDX(groups, i, group_t);

        clock = group->places->clock;
        if (clock == newest || clock == rest)
            continue;
        append_clock(buffer, clock, &separator);
        append_group(buffer, group, message, &separator);
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
    place_t *places;
    int count, older = message->clocks.older
                           ? (int)apr_hash_count(message->clocks.older)
                           : 0;

    if (!older)
        return;
    places = apr_palloc(buffer->pool,
                        (message->attributes->nelts + 1) * sizeof(*places));
    if (list_clocks(places, &count, message) == older)
        append_clock_list(
            buffer, make_groups(places, count, message, buffer->pool), message);
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
        (value->kind != CM_NUMBER || !cm_identity_id_is_exact(value->data)))
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
    cm_identity_write_id(buffer, reference->original_id);
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

void cm_message_beside_write(cm_buffer_t *buffer, const cm_message_t *message)
{
    append_clocks(buffer, message);
    append_text(buffer,
                ",\"base\":", cm_message_write_base(message, buffer->pool));
    append_refs(buffer, message);
}
