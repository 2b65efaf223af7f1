/* Reading what stands beside the body: see cm_message_beside.h. Nothing here
 * trusts the sender. */
#include "cm_message_beside.h"

#include <string.h>

#include <apr_strings.h>

#include "cm_json.h"

/* Characters that the columns for names hold. */
#define NAME_LENGTH 255

cm_error_t *cm_name_read(const char **name, const cm_value_t *value,
                         const char *what, apr_pool_t *pool)
{
    apr_size_t i, characters = 0;

    if (strlen(value->data) != value->size)
        return CM_FAIL(pool, CM_MALFORMED, "%s holds U+0000", what);
    for (i = 0; i < value->size; i++)
        characters += (value->data[i] & 0xC0) != 0x80;
    if (characters > NAME_LENGTH)
        return CM_FAIL(pool, CM_MALFORMED, "%s is longer than %d characters",
                       what, NAME_LENGTH);
    *name = value->data;
    return NULL;
}

/* Give the text of an original_id: 11, "11" and 11.0 are the same. */
static cm_error_t *read_original_id(const char **id, const cm_value_t *value,
                                    apr_pool_t *pool)
{
    apr_int64_t number;

    if (value->kind == CM_NUMBER && cm_json_integer(&number, value)) {
        *id = apr_psprintf(pool, "%" APR_INT64_T_FMT, number);
        return NULL;
    }
    if (value->kind != CM_TEXT && value->kind != CM_NUMBER)
        return CM_FAIL(pool, CM_MALFORMED,
                       "original_id is neither number nor text");
    return cm_name_read(id, value, "original_id", pool);
}

cm_error_t *cm_identity_read(cm_identity_t *identity, const cm_value_t *origin,
                             const cm_value_t *original_id, apr_pool_t *pool)
{
    identity->origin = identity->original_id = NULL;
    if (origin->kind <= CM_NULL || original_id->kind <= CM_NULL)
        return NULL;
    if (origin->kind != CM_TEXT)
        return CM_FAIL(pool, CM_MALFORMED, "origin is no text");
    CM_TRY(read_original_id(&identity->original_id, original_id, pool));
    return cm_name_read(&identity->origin, origin, "origin", pool);
}

cm_attribute_t *cm_attribute_find(const cm_message_t *message, const char *name)
{
    const apr_array_header_t *attributes = message->attributes;
    int i;

    if (message->by_name)
        return apr_hash_get(message->by_name, name, APR_HASH_KEY_STRING);
    for (i = 0; i < attributes->nelts; i++) {
        cm_attribute_t *attribute =
            &APR_ARRAY_IDX(attributes, i, cm_attribute_t);

        if (!strcmp(attribute->name, name))
            return attribute;
    }
    return NULL;
}

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
    CM_TRY(cm_name_read(&attribute->reference_model, &parts.model, "model",
                        json->pool));
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
        attribute = cm_attribute_find(message, name.data);
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
                           "'%s' is no clock, or newer than the record's",
                           value->data);
        *rest = *clock;
        return NULL;
    }
    if (value->kind != CM_TEXT)
        return CM_FAIL(pool, CM_MALFORMED, "clocks are numbers and names");
    *rest = newest;
    attribute = cm_attribute_find(message, value->data);
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
 * unlike the list in a row (cm_clocks.h). */
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

cm_error_t *cm_beside_read_clocks(cm_message_t *message, const char *text,
                                  apr_pool_t *pool)
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
                   : CM_FAIL(pool, CM_MALFORMED, "base is no clock");
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

cm_error_t *cm_beside_read(cm_message_t *message, const char *base,
                           const char *refs, apr_pool_t *pool)
{
    if (base && *base)
        CM_TRY(read_base(message, base, pool));
    if (refs && *refs)
        CM_TRY(read_refs(message, refs, pool));
    return NULL;
}
