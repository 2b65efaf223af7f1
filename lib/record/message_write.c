/* Writing messages, their bodies and their metadata: see message.h. */
#include "record/message.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "base/json_write.h"
#include "base/number.h"

void cm_message_write_body(cm_buffer_t *buffer, const char *model,
                           const apr_array_header_t *attributes)
{
    int i;

    cm_json_write_open(buffer, NULL, '{');
    cm_json_write_open(buffer, model, '{');
    for (i = 0; i < attributes->nelts; i++) {
        const cm_attribute_t *attribute =
            &APR_ARRAY_IDX(attributes, i, cm_attribute_t);

        if (attribute->value.kind != CM_ABSENT)
            cm_json_write_value(buffer, attribute->name, attribute->value);
    }
    cm_json_write_close(buffer, '}');
    cm_json_write_close(buffer, '}');
}

static void write_identity(cm_buffer_t *buffer, cm_identity_t identity)
{
    int known = identity.origin && identity.original_id;

    cm_json_write_text(buffer, "origin", known ? identity.origin : NULL);
    cm_identity_write_id(buffer, "original_id",
                         known ? identity.original_id : NULL);
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

/* Add a reference to the refs in BUFFER, which is made for the first one.
 * MODEL: NULL when it dangles. */
static void add_reference(cm_buffer_t **buffer, const char *column,
                          const char *model, cm_identity_t identity,
                          apr_pool_t *pool)
{
    if (!*buffer) {
        *buffer = cm_buffer_create(128, pool);
        cm_json_write_open(*buffer, NULL, '{');
    }
    if (!model) {
        cm_json_write_text(*buffer, column, NULL);
        return;
    }
    cm_json_write_open(*buffer, column, '{');
    cm_json_write_text(*buffer, "model", model);
    write_identity(*buffer, identity);
    cm_json_write_close(*buffer, '}');
}

const char *cm_message_write_refs(const cm_message_t *message, apr_pool_t *pool)
{
    cm_buffer_t *buffer = NULL;
    int i;

    if (message->counterpart.original_id)
        add_reference(&buffer, "", message->model, message->counterpart, pool);
    for (i = 0; message->attributes && i < message->attributes->nelts; i++) {
        const cm_attribute_t *attribute =
            &APR_ARRAY_IDX(message->attributes, i, cm_attribute_t);

        if (attribute->reference_model || attribute->dangles)
            add_reference(&buffer, attribute->name, attribute->reference_model,
                          attribute->reference, pool);
    }
    if (!buffer)
        return NULL;
    cm_buffer_append(buffer, "}", 2);
    return buffer->data;
}

/* --- clocks, as they are sent --- */

/* The clock of one attribute; its index in the message. */
typedef struct stamp_t {
    apr_int64_t clock;
    int column;
} stamp_t;

/* The attributes that have the same clock. */
typedef struct group_t {
    const stamp_t *stamps;
    int count;
    apr_size_t size; /* of their names, as JSON */
} group_t;

static const char *name_of(const cm_message_t *message, const stamp_t *stamp)
{
    return APR_ARRAY_IDX(message->attributes, stamp->column, cm_attribute_t)
        .name;
}

/* Fill in the clocks of the attributes of MESSAGE; *COUNT of them have one.
 * Return how many are older than the message. */
static int list_stamps(stamp_t *stamps, int *count, const cm_message_t *message)
{
    int i, older = 0;

    *count = 0;
    for (i = 0; i < message->attributes->nelts; i++) {
        const cm_attribute_t *attribute =
            &APR_ARRAY_IDX(message->attributes, i, cm_attribute_t);
        stamp_t *stamp = &stamps[*count];

        if (attribute->value.kind == CM_ABSENT)
            continue;
        *stamp = (stamp_t){cm_clocks_of(&message->clocks, attribute->name), i};
        older += stamp->clock != message->clocks.clock;
        ++*count;
    }
    return older;
}

static int compare_stamps(const void *a, const void *b)
{
    const stamp_t *left = a, *right = b;

    if (left->clock != right->clock)
        return left->clock < right->clock ? -1 : 1;
    return left->column - right->column;
}

static int compare_groups(const void *a, const void *b)
{
    return ((const group_t *)a)->stamps->column -
           ((const group_t *)b)->stamps->column;
}

/* Return the groups of the COUNT STAMPS, in the order of their first columns.
 */
static apr_array_header_t *make_groups(stamp_t *stamps, int count,
                                       const cm_message_t *message,
                                       apr_pool_t *pool)
{
    apr_array_header_t *groups = apr_array_make(pool, 8, sizeof(group_t));
    group_t *group = NULL;
    int i;

    qsort(stamps, count, sizeof(*stamps), compare_stamps);
    for (i = 0; i < count; i++) {
        if (!group || group->stamps->clock != stamps[i].clock) {
            group = apr_array_push(groups);
            *group = (group_t){&stamps[i], 0, 0};
        }
        group->count++;
        group->size += strlen(name_of(message, &stamps[i])) + 3;
    }
    qsort(groups->elts, groups->nelts, sizeof(group_t), compare_groups);
    return groups;
}

static void write_names(cm_buffer_t *buffer, const group_t *group,
                        const cm_message_t *message)
{
    int i;

    for (i = 0; i < group->count; i++)
        cm_json_write_text(buffer, NULL, name_of(message, &group->stamps[i]));
}

/* Return the clock of the group that takes the most room to name. */
static apr_int64_t largest_group(const apr_array_header_t *groups)
{
    const group_t *largest = &APR_ARRAY_IDX(groups, 0, group_t);
    int i;

    for (i = 1; i < groups->nelts; i++)
        if (APR_ARRAY_IDX(groups, i, group_t).size > largest->size)
            largest = &APR_ARRAY_IDX(groups, i, group_t);
    return largest->stamps->clock;
}

/* Write the clocks as a list: the columns with the newest clock, then each
 * older clock and its columns. The largest group is not named: its clock comes
 * last, unless it is the newest. */
static void write_clock_list(cm_buffer_t *buffer,
                             const apr_array_header_t *groups,
                             const cm_message_t *message)
{
    apr_int64_t newest = message->clocks.clock, rest = largest_group(groups);
    int i;

    cm_json_write_open(buffer, "clocks", '[');
    for (i = 0; rest != newest && i < groups->nelts; i++)
        if (APR_ARRAY_IDX(groups, i, group_t).stamps->clock == newest)
            write_names(buffer, &APR_ARRAY_IDX(groups, i, group_t), message);
    for (i = 0; i < groups->nelts; i++) {
        const group_t *group = &APR_ARRAY_IDX(groups, i, group_t);
        apr_int64_t clock = group->stamps->clock;

        if (clock == newest || clock == rest)
            continue;
        cm_json_write_number(buffer, NULL, clock);
        write_names(buffer, group, message);
    }
    if (rest != newest)
        cm_json_write_number(buffer, NULL, rest);
    cm_json_write_close(buffer, ']');
}

/* The list cannot name a column that is not in the body; an object can. */
static void write_clocks(cm_buffer_t *buffer, const cm_message_t *message)
{
    const char *text;
    stamp_t *stamps;
    int count, older = message->clocks.older
                           ? (int)apr_hash_count(message->clocks.older)
                           : 0;

    if (!older)
        return;
    stamps = apr_palloc(buffer->pool,
                        (message->attributes->nelts + 1) * sizeof(*stamps));
    if (list_stamps(stamps, &count, message) == older) {
        write_clock_list(
            buffer, make_groups(stamps, count, message, buffer->pool), message);
        return;
    }
    text = cm_clocks_text(&message->clocks, buffer->pool);
    cm_json_write_raw(buffer, "clocks", text, strlen(text));
}

/* --- refs, as they are sent --- */

/* Return whether the value in the body is the id of the record that ATTRIBUTE
 * refers to. */
static int is_in_body(const cm_attribute_t *attribute)
{
    const cm_value_t *value = &attribute->value;

    if (value->kind != CM_TEXT &&
        (value->kind != CM_NUMBER || !cm_identity_id_is_exact(value->data)))
        return 0;
    return value->size == strlen(attribute->reference.original_id) &&
           !memcmp(value->data, attribute->reference.original_id, value->size);
}

static void write_reference(cm_buffer_t *buffer, const cm_message_t *message,
                            const cm_attribute_t *attribute)
{
    const cm_identity_t *reference = &attribute->reference;
    const char *own = message->identity.origin;
    int same = own && !strcmp(own, reference->origin);

    if (same && is_in_body(attribute)) {
        cm_json_write_text(buffer, attribute->name, attribute->reference_model);
        return;
    }
    cm_json_write_open(buffer, attribute->name, '[');
    cm_json_write_text(buffer, NULL, attribute->reference_model);
    cm_identity_write_id(buffer, NULL, reference->original_id);
    if (!same)
        cm_json_write_text(buffer, NULL, reference->origin);
    cm_json_write_close(buffer, ']');
}

static void write_refs(cm_buffer_t *buffer, const cm_message_t *message)
{
    const cm_attribute_t counterpart = {.name = "",
                                        .value = {.kind = CM_ABSENT},
                                        .reference_model = message->model,
                                        .reference = message->counterpart};
    int i, count = 0;

    if (message->counterpart.original_id) {
        cm_json_write_open(buffer, "refs", '{');
        write_reference(buffer, message, &counterpart);
        count++;
    }
    for (i = 0; i < message->attributes->nelts; i++) {
        const cm_attribute_t *attribute =
            &APR_ARRAY_IDX(message->attributes, i, cm_attribute_t);

        if (!attribute->reference_model)
            continue;
        if (!count++)
            cm_json_write_open(buffer, "refs", '{');
        write_reference(buffer, message, attribute);
    }
    if (count)
        cm_json_write_close(buffer, '}');
}

/* --- messages --- */

/* Write what a gem does not know. */
static void write_ours(cm_buffer_t *buffer, const cm_message_t *message)
{
    const char *base = cm_message_write_base(message, buffer->pool);

    if (message->action != cm_message_action_usual(message))
        cm_json_write_text(buffer, "action",
                           cm_message_action_name(message->action));
    cm_json_write_number(buffer, "clock", message->clocks.clock);
    write_clocks(buffer, message);
    if (base)
        cm_json_write_raw(buffer, "base", base, strlen(base));
    write_refs(buffer, message);
}

void cm_message_write(cm_buffer_t *buffer, const cm_message_t *message, int gem)
{
    if (!buffer->size)
        cm_json_write_open(buffer, NULL, '[');
    cm_json_write_open(buffer, NULL, '{');
    cm_json_write_number(buffer, "id", message->id);
    cm_json_write_bytes(buffer, "body", message->body, message->body_size);
    write_identity(buffer, message->identity);
    if (!gem && message->clocks.clock)
        write_ours(buffer, message);
    cm_json_write_close(buffer, '}');
}
