/* Reading what stands beside the body: see message_beside.h. Nothing here
 * trusts the sender. */
#include "record/message_beside.h"

#include <string.h>

#include <apr_strings.h>

#include "base/json.h"

/* The parts of a reference as they came. */
typedef struct parts_t {
    cm_value_t model, original_id, origin;
} parts_t;

/* {"model":..,"origin":..,"original_id":..} */
static void read_parts_object(parts_t *parts, cm_json_t *json)
{
    cm_value_t name, value;
    int count = 0;

    cm_json_open(json, '{');
    while (cm_json_next(json, '}', &count)) {
        if (!cm_json_name(json, &name) || !cm_json_value(json, &value))
            return;
        if (!strcmp(name.data, "model"))
            parts->model = value;
        else if (!strcmp(name.data, "origin"))
            parts->origin = value;
        else if (!strcmp(name.data, "original_id"))
            parts->original_id = value;
    }
}

/* [model, original_id] or [model, original_id, origin] */
static void read_parts_list(parts_t *parts, cm_json_t *json)
{
    cm_value_t *const values[] = {&parts->model, &parts->original_id,
                                  &parts->origin};
    int count = 0;

    cm_json_open(json, '[');
    while (cm_json_next(json, ']', &count)) {
        if (count > 3)
            cm_json_skip(json, NULL, NULL);
        else
            cm_json_value(json, values[count - 1]);
    }
}

/* Read the reference of ATTRIBUTE. What a short form leaves out is the
 * message's own origin, and the value in the body. */
static cm_error_t *read_reference(cm_attribute_t *attribute,
                                  const cm_message_t *message, cm_json_t *json)
{
    const char *own = message->identity.origin;
    parts_t parts = {{0}, {0}, {0}};
    char first = cm_json_peek(json);

    if (first == '{') {
        read_parts_object(&parts, json);
    }
    else {
        if (own)
            parts.origin = (cm_value_t){CM_TEXT, own, strlen(own)};
        if (first == '[') {
            read_parts_list(&parts, json);
        }
        else {
            cm_json_value(json, &parts.model);
            parts.original_id = attribute->value;
        }
    }
    if (json->problem)
        return NULL;
    if (parts.model.kind != CM_TEXT)
        return CM_FAIL(json->pool, CM_MALFORMED, "no model");
    CM_TRY(cm_identity_read_name(&attribute->reference_model, &parts.model,
                                 "model", json->pool));
    CM_TRY(cm_identity_read(&attribute->reference, &parts.origin,
                            &parts.original_id, json->pool));
    if (!attribute->reference.origin)
        return CM_FAIL(json->pool, CM_MALFORMED, "no identity");
    return NULL;
}

/* Read refs, the JSON in TEXT, into the attributes of MESSAGE. Those of
 * columns that are not in the body mean nothing. */
static cm_error_t *read_refs(cm_message_t *message, const char *text,
                             apr_pool_t *pool)
{
    cm_attribute_t *attribute;
    cm_json_t json;
    cm_value_t name;
    int count = 0;

    cm_json_init(&json, text, strlen(text), pool);
    cm_json_open(&json, '{');
    while (cm_json_next(&json, '}', &count) && cm_json_name(&json, &name)) {
        if (count > CM_COLUMNS_MOST)
            return CM_FAIL(pool, CM_MALFORMED, "no table has so many columns");
        attribute = cm_message_attribute(message, name.data);
        if (attribute)
            CM_TRY_FOR(read_reference(attribute, message, &json), pool,
                       "the reference '%s' cannot be read", name.data);
        else
            cm_json_skip(&json, NULL, NULL);
    }
    if (!cm_json_done(&json))
        return cm_json_error(&json, "refs cannot be read", pool);
    return NULL;
}

/* Take one element of a list of clocks: a number is the clock of the names
 * that follow it. *REST is that of the columns without name, which is the
 * number at the end, if one is there. Sets NAMED by the attribute's place. */
static cm_error_t *take_clock(cm_message_t *message, apr_int64_t *clock,
                              apr_int64_t *rest, char *named,
                              const cm_value_t *value, apr_pool_t *pool)
{
    apr_int64_t newest = message->clocks.clock;
    cm_attribute_t *attribute;
    int place;

    if (value->kind == CM_NUMBER) {
        if (!cm_json_integer(clock, value) || *clock < 0 || *clock > newest)
            return CM_FAIL(pool, CM_MALFORMED,
                           "'%s' is not a clock, or newer than the record's",
                           value->data);
        *rest = *clock;
        return NULL;
    }
    if (value->kind != CM_TEXT)
        return CM_FAIL(pool, CM_MALFORMED, "clocks are numbers and names");
    *rest = newest;
    attribute = cm_message_attribute(message, value->data);
    if (!attribute)
        return NULL;
    place = attribute - (cm_attribute_t *)message->attributes->elts;
    if (named[place])
        return CM_FAIL(pool, CM_MALFORMED, "column '%s' has two clocks",
                       value->data);
    named[place] = 1;
    cm_clocks_set(&message->clocks, attribute->name, *clock, pool);
    return NULL;
}

/* Read ["changed",CLOCK,"older",...,CLOCK]. What it says depends on the body,
 * unlike the list in a row (clocks.h). */
static cm_error_t *read_clock_list(cm_message_t *message, const char *text,
                                   apr_pool_t *pool)
{
    apr_int64_t clock = message->clocks.clock, rest = clock;
    int i, count = 0, columns = message->attributes->nelts;
    char *named = apr_pcalloc(pool, columns + 1);
    cm_json_t json;
    cm_value_t value;

    cm_json_init(&json, text, strlen(text), pool);
    cm_json_open(&json, '[');
    while (cm_json_next(&json, ']', &count) && cm_json_value(&json, &value)) {
        if (count > 2 * CM_COLUMNS_MOST)
            return CM_FAIL(pool, CM_MALFORMED, "no table has so many columns");
        CM_TRY(take_clock(message, &clock, &rest, named, &value, pool));
    }
    if (!cm_json_done(&json))
        return cm_json_error(&json, "clocks cannot be read", pool);
    for (i = 0; i < columns; i++)
        if (!named[i])
            cm_clocks_set(
                &message->clocks,
                APR_ARRAY_IDX(message->attributes, i, cm_attribute_t).name,
                rest, pool);
    return NULL;
}

cm_error_t *cm_message_beside_read_clocks(cm_message_t *message,
                                          const char *text, apr_pool_t *pool)
{
    if (!text || *text != '[')
        return cm_clocks_read_object(&message->clocks, message->clocks.clock,
                                     text, pool);
    message->clocks.older = NULL;
    return read_clock_list(message, text, pool);
}

/* Read base, a number or an object: every column of it stays in "older". */
static cm_error_t *read_base(cm_message_t *message, const char *text,
                             apr_pool_t *pool)
{
    cm_value_t value = {CM_NUMBER, text, strlen(text)};
    apr_hash_index_t *at;
    apr_int64_t number;

    message->has_base = 1;
    memset(&message->base, 0, sizeof(message->base));
    if (cm_json_integer(&number, &value)) {
        message->base.clock = number;
        return number >= 0 && number <= CM_CLOCK_MAX
                   ? NULL
                   : CM_FAIL(pool, CM_MALFORMED, "base is not a clock");
    }
    CM_TRY_FOR(cm_clocks_read_object(&message->base, 0, text, pool), pool,
               "base cannot be read");
    if (!message->base.older)
        return NULL;
    for (at = apr_hash_first(pool, message->base.older); at;
         at = apr_hash_next(at)) {
        number = *(apr_int64_t *)apr_hash_this_val(at);
        if (number > message->base.clock)
            message->base.clock = number;
    }
    return NULL;
}

cm_error_t *cm_message_beside_read(cm_message_t *message, const char *base,
                                   const char *refs, apr_pool_t *pool)
{
    if (base && *base)
        CM_TRY(read_base(message, base, pool));
    if (refs && *refs)
        CM_TRY(read_refs(message, refs, pool));
    return NULL;
}
