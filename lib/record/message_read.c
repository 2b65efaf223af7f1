/* Reading messages, from the wire and from the tables: see message.h. Nothing
 * here trusts the sender. */
#include "record/message.h"

#include <string.h>

#include <apr_strings.h>

#include "base/json.h"

/* Up to this number, attributes are found by a loop; more, by a hash. */
#define FEW_ATTRIBUTES 32

/* A message has at least so many bytes; a few may have less. Reading {} takes
 * a hundred times its size. */
#define LEAST_BYTES  40
#define FEW_MESSAGES 1000

/* The keys of a message that mean something, in the order of their names. */
typedef enum field_e {
    ID,
    BODY,
    ORIGIN,
    ORIGINAL_ID,
    ACTION,
    CLOCK,
    CLOCKS,
    BASE,
    REFS,
    FIELDS
} field_e;

static const char *const field_names[] = {
    "id",    "body",   "origin", "original_id", "action",
    "clock", "clocks", "base",   "refs",        NULL};

/* One message while it is read. */
typedef struct reader_t {
    cm_message_t *message;
    apr_hash_t *by_name; /* name -> cm_attribute_t *; NULL: only a few */
    apr_pool_t *pool, *scratch_pool;
    int stored; /* it is a row, and was not sent */
} reader_t;

/* Read an object: into VALUES, in the order of NAMES, which ends with NULL.
 * Other members mean nothing. Returns the name that appears twice, or NULL. */
static const char *read_members(cm_value_t *values, const char *const *names,
                                cm_json_t *json)
{
    const char *twice = NULL;
    cm_value_t name;
    int count = 0, i;

    cm_json_open(json, '{');
    while (cm_json_next(json, '}', &count) && cm_json_name(json, &name)) {
        for (i = 0; names[i] && strcmp(name.data, names[i]); i++)
            ;
        if (!names[i]) {
            cm_json_skip(json, NULL, NULL);
            continue;
        }
        if (values[i].kind != CM_ABSENT)
            twice = names[i];
        cm_json_value(json, &values[i]);
    }
    return twice;
}

/* --- the body --- */

static cm_attribute_t *find_attribute(const reader_t *reader, const char *name)
{
    const apr_array_header_t *attributes = reader->message->attributes;
    int i;

    if (reader->by_name)
        return apr_hash_get(reader->by_name, name, APR_HASH_KEY_STRING);
    for (i = 0; i < attributes->nelts; i++) {
        cm_attribute_t *attribute =
            &APR_ARRAY_IDX(attributes, i, cm_attribute_t);

        if (!strcmp(attribute->name, name))
            return attribute;
    }
    return NULL;
}

/* Add the attributes from FIRST on to the hash. */
static void index_attributes(reader_t *reader, int first)
{
    const apr_array_header_t *attributes = reader->message->attributes;
    int i;

    if (!reader->by_name)
        reader->by_name = apr_hash_make(reader->scratch_pool);
    for (i = first; i < attributes->nelts; i++) {
        cm_attribute_t *attribute =
            &APR_ARRAY_IDX(attributes, i, cm_attribute_t);

        apr_hash_set(reader->by_name, attribute->name, APR_HASH_KEY_STRING,
                     attribute);
    }
}

static cm_error_t *add_attribute(reader_t *reader, const cm_value_t *name,
                                 const cm_value_t *value)
{
    apr_array_header_t *attributes = reader->message->attributes;
    cm_attribute_t *attribute;

    if (strlen(name->data) != name->size)
        return CM_FAIL(reader->pool, CM_MALFORMED,
                       "the name of an attribute contains U+0000");
    if (attributes->nelts == CM_COLUMNS_MOST)
        return CM_FAIL(reader->pool, CM_MALFORMED,
                       "there are more than a table can have columns");
    if (find_attribute(reader, name->data))
        return CM_FAIL(reader->pool, CM_MALFORMED,
                       "the attribute '%s' appears twice", name->data);
    attribute = apr_array_push(attributes);
    memset(attribute, 0, sizeof(*attribute));
    attribute->name = name->data;
    attribute->value = *value;
    if (attributes->nelts == FEW_ATTRIBUTES)
        index_attributes(reader, 0);
    else if (reader->by_name)
        index_attributes(reader, attributes->nelts - 1);
    return NULL;
}

/* The array grows in the scratch pool: what it outgrew goes with that. */
static cm_error_t *read_attributes(reader_t *reader, cm_json_t *json)
{
    cm_message_t *message = reader->message;
    apr_array_header_t *grown =
        apr_array_make(reader->scratch_pool, 16, sizeof(cm_attribute_t));
    cm_value_t name, value;
    int count = 0;

    message->attributes = grown;
    cm_json_open(json, '{');
    while (cm_json_next(json, '}', &count)) {
        if (!cm_json_name(json, &name) || !cm_json_value(json, &value))
            return NULL;
        CM_TRY(add_attribute(reader, &name, &value));
    }
    message->attributes =
        apr_array_make(reader->pool, grown->nelts, sizeof(cm_attribute_t));
    apr_array_cat(message->attributes, grown);
    if (reader->by_name)
        index_attributes(reader, 0);
    return NULL;
}

/* Read the body: {"model":{attributes}}, one key and nothing beside it. */
static cm_error_t *read_body(reader_t *reader)
{
    cm_message_t *message = reader->message;
    apr_pool_t *pool = reader->pool;
    cm_json_t json;
    cm_value_t name;
    int count = 0;

    cm_json_init(&json, message->body, message->body_size, pool);
    cm_json_open(&json, '{');
    if (!cm_json_next(&json, '}', &count) || !cm_json_name(&json, &name))
        return json.problem
                   ? cm_json_error(&json, "the body", pool)
                   : CM_FAIL(pool, CM_MALFORMED, "the body names no model");
    CM_TRY(cm_identity_read_name(&message->model, &name, "the model's name",
                                 pool));
    CM_TRY_FOR(read_attributes(reader, &json), pool,
               "the attributes of '%s' cannot be read", message->model);
    if (cm_json_next(&json, '}', &count))
        return CM_FAIL(pool, CM_MALFORMED,
                       "the body has a second key beside '%s'", message->model);
    if (!cm_json_done(&json))
        return cm_json_error(&json, "the body", pool);
    return NULL;
}

/* --- clocks and base --- */

static cm_error_t *too_many_columns(apr_pool_t *pool)
{
    return CM_FAIL(pool, CM_MALFORMED,
                   "there are more columns than a table can have");
}

/* Apply one element of a list of clocks: a number is the clock of the names
 * that follow it. *REST is the clock of the columns that are not named: the
 * number at the end of the list, if there is one. NAMED: which are named, by
 * the attribute's index. */
static cm_error_t *take_clock(const reader_t *reader, apr_int64_t *clock,
                              apr_int64_t *rest, char *named,
                              const cm_value_t *value)
{
    cm_message_t *message = reader->message;
    apr_int64_t newest = message->clocks.clock;
    cm_attribute_t *attribute;
    int index;

    if (value->kind == CM_NUMBER) {
        if (!cm_json_integer(clock, value) || *clock < 0 || *clock > newest)
            return CM_FAIL(reader->pool, CM_MALFORMED,
                           "'%s' is not a clock, or newer than the record's",
                           value->data);
        *rest = *clock;
        return NULL;
    }
    if (value->kind != CM_TEXT)
        return CM_FAIL(reader->pool, CM_MALFORMED,
                       "clocks contain something other than numbers and names");
    *rest = newest;
    attribute = find_attribute(reader, value->data);
    if (!attribute)
        return NULL;
    index = attribute - (cm_attribute_t *)message->attributes->elts;
    if (named[index])
        return CM_FAIL(reader->pool, CM_MALFORMED, "column '%s' has two clocks",
                       value->data);
    named[index] = 1;
    cm_clocks_set(&message->clocks, attribute->name, *clock, reader->pool);
    return NULL;
}

/* Read ["changed",CLOCK,"older",...,CLOCK]. What it means depends on the body,
 * unlike the list in a row (clocks.h). */
static cm_error_t *read_clock_list(const reader_t *reader, const char *text)
{
    cm_message_t *message = reader->message;
    apr_int64_t clock = message->clocks.clock, rest = clock;
    int i, count = 0, columns = message->attributes->nelts;
    char *named = apr_pcalloc(reader->pool, columns + 1);
    cm_json_t json;
    cm_value_t value;

    cm_json_init(&json, text, strlen(text), reader->pool);
    cm_json_open(&json, '[');
    while (cm_json_next(&json, ']', &count) && cm_json_value(&json, &value)) {
        if (count > 2 * CM_COLUMNS_MOST)
            return too_many_columns(reader->pool);
        CM_TRY(take_clock(reader, &clock, &rest, named, &value));
    }
    if (!cm_json_done(&json))
        return cm_json_error(&json, "clocks cannot be read", reader->pool);
    for (i = 0; i < columns; i++)
        if (!named[i])
            cm_clocks_set(
                &message->clocks,
                APR_ARRAY_IDX(message->attributes, i, cm_attribute_t).name,
                rest, reader->pool);
    return NULL;
}

/* Read clocks as they are sent: TEXT (NULL: none). */
static cm_error_t *read_clocks(const reader_t *reader, const char *text)
{
    cm_clocks_t *clocks = &reader->message->clocks;

    if (!text || *text != '[')
        return cm_clocks_read_object(clocks, clocks->clock, text, reader->pool);
    clocks->older = NULL;
    return read_clock_list(reader, text);
}

/* Read base, a number or an object: all its columns are in "older". */
static cm_error_t *read_base(const reader_t *reader, const char *text)
{
    cm_clocks_t *base = &reader->message->base;
    apr_pool_t *pool = reader->pool;
    cm_value_t value = cm_value_of(CM_NUMBER, text);
    apr_hash_index_t *at;
    apr_int64_t number;

    reader->message->has_base = 1;
    *base = (cm_clocks_t){.clock = 0};
    if (cm_json_integer(&number, &value)) {
        base->clock = number;
        return number >= 0 && number <= CM_CLOCK_MAX
                   ? NULL
                   : CM_FAIL(pool, CM_MALFORMED, "base is not a clock");
    }
    CM_TRY_FOR(cm_clocks_read_object(base, 0, text, pool), pool,
               "base cannot be read");
    base->clock = base->elsewhere;
    for (at = base->older ? apr_hash_first(pool, base->older) : NULL; at;
         at = apr_hash_next(at)) {
        number = *(apr_int64_t *)apr_hash_this_val(at);
        if (number > base->clock)
            base->clock = number;
    }
    return NULL;
}

/* --- refs --- */

/* The parts of a reference. */
typedef enum part_e {
    PART_MODEL,
    PART_ID,
    PART_ORIGIN,
    PARTS
} part_e;

static const char *const part_names[] = {"model", "original_id", "origin",
                                         NULL};

/* A reference is an object, or a list of the parts in their order, or a model.
 * The shorter forms leave out what is known: the message's own origin, and the
 * id that is the value in the body. */
static void read_parts(cm_value_t *parts, const char *own_origin,
                       const cm_value_t *own_value, cm_json_t *json)
{
    char first = cm_json_peek(json);
    int count = 0;

    if (first == '{') {
        read_members(parts, part_names, json);
        return;
    }
    if (own_origin)
        parts[PART_ORIGIN] = cm_value_of(CM_TEXT, own_origin);
    if (first != '[') {
        cm_json_value(json, &parts[PART_MODEL]);
        parts[PART_ID] = *own_value;
        return;
    }
    cm_json_open(json, '[');
    while (cm_json_next(json, ']', &count)) {
        if (count > PARTS)
            cm_json_skip(json, NULL, NULL);
        else
            cm_json_value(json, &parts[count - 1]);
    }
}

static cm_error_t *read_reference(cm_attribute_t *attribute,
                                  const cm_message_t *message, cm_json_t *json)
{
    cm_value_t parts[PARTS] = {{CM_ABSENT, NULL, 0}};

    read_parts(parts, message->identity.origin, &attribute->value, json);
    if (json->problem)
        return NULL;
    if (parts[PART_MODEL].kind != CM_TEXT)
        return CM_FAIL(json->pool, CM_MALFORMED, "no model");
    CM_TRY(cm_identity_read_name(&attribute->reference_model,
                                 &parts[PART_MODEL], "model", json->pool));
    CM_TRY(cm_identity_read(&attribute->reference, &parts[PART_ORIGIN],
                            &parts[PART_ID], json->pool));
    if (!attribute->reference.origin)
        return CM_FAIL(json->pool, CM_MALFORMED, "no identity");
    return NULL;
}

/* In a row, null is a reference that dangles. */
static int read_dangling(cm_attribute_t *attribute, cm_json_t *json)
{
    if (cm_json_peek(json) != 'n')
        return 0;
    cm_json_skip(json, NULL, NULL);
    attribute->value = (cm_value_t){.kind = CM_NULL};
    return 1;
}

/* Read refs into the attributes. Those of columns that are not in the body
 * mean nothing. One without a name is to the counterpart. */
static cm_error_t *read_refs(const reader_t *reader, const char *text)
{
    cm_attribute_t *attribute, counterpart = {.value = {.kind = CM_ABSENT}};
    cm_json_t json;
    cm_value_t name;
    int count = 0;

    cm_json_init(&json, text, strlen(text), reader->pool);
    cm_json_open(&json, '{');
    while (cm_json_next(&json, '}', &count) && cm_json_name(&json, &name)) {
        if (count > CM_COLUMNS_MOST)
            return too_many_columns(reader->pool);
        attribute =
            name.size ? find_attribute(reader, name.data) : &counterpart;
        if (attribute && reader->stored && read_dangling(attribute, &json))
            continue;
        if (attribute)
            CM_TRY_FOR(read_reference(attribute, reader->message, &json),
                       reader->pool, "the reference '%s' cannot be read",
                       name.data);
        else
            cm_json_skip(&json, NULL, NULL);
    }
    if (!cm_json_done(&json))
        return cm_json_error(&json, "refs cannot be read", reader->pool);
    reader->message->counterpart = counterpart.reference;
    return NULL;
}

/* Read base and refs (NULL: none), which name attributes of the body. */
static cm_error_t *read_base_and_refs(const reader_t *reader, const char *base,
                                      const char *refs)
{
    if (base && *base)
        CM_TRY(read_base(reader, base));
    if (refs && *refs)
        CM_TRY(read_refs(reader, refs));
    return NULL;
}

/* --- messages --- */

static cm_error_t *read_stored(reader_t *reader, const char *clocks,
                               const char *base, const char *refs)
{
    cm_clocks_t *own = &reader->message->clocks;

    CM_TRY(read_body(reader));
    CM_TRY(cm_clocks_read(own, own->clock, clocks, reader->pool));
    return read_base_and_refs(reader, base, refs);
}

cm_error_t *cm_message_read_stored(cm_message_t *message, const char *body,
                                   apr_size_t size, const char *clocks,
                                   const char *base, const char *refs,
                                   apr_pool_t *pool)
{
    reader_t reader = {.message = message, .pool = pool, .stored = 1};
    cm_error_t *err;

    message->body = body;
    message->body_size = size;
    message->from_gem = !message->clocks.clock;
    message->has_base = 0;
    apr_pool_create(&reader.scratch_pool, pool);
    err = read_stored(&reader, clocks, base, refs);
    if (err)
        message->attributes = NULL;
    apr_pool_destroy(reader.scratch_pool);
    return err;
}

/* Read what only Communicator's messages have; a gem's have no clock. */
static cm_error_t *read_ours(const reader_t *reader, const cm_value_t *values)
{
    cm_message_t *message = reader->message;
    apr_pool_t *pool = reader->pool;
    apr_int64_t clock = 0;

    message->action = CM_UPDATE;
    message->from_gem = values[CLOCK].kind != CM_NUMBER;
    if (message->from_gem)
        return NULL;
    if (!cm_json_integer(&clock, &values[CLOCK]) || clock < 1 ||
        clock > CM_CLOCK_MAX)
        return CM_FAIL(pool, CM_MALFORMED, "'%s' is not a clock",
                       values[CLOCK].data);
    message->clocks.clock = clock;
    CM_TRY(read_clocks(reader, values[CLOCKS].data));
    CM_TRY(read_base_and_refs(reader, values[BASE].data, values[REFS].data));
    message->action = cm_message_action_usual(message);
    if (values[ACTION].kind > CM_NULL &&
        (values[ACTION].kind != CM_TEXT ||
         !cm_message_action_read(&message->action, values[ACTION].data)))
        return CM_FAIL(pool, CM_MALFORMED, "the action is unknown");
    return NULL;
}

static cm_error_t *read_message(reader_t *reader, const cm_value_t *values)
{
    cm_message_t *message = reader->message;

    if (!cm_json_integer(&message->id, &values[ID]) || message->id < 0)
        message->id = 0;
    CM_TRY(cm_identity_read(&message->identity, &values[ORIGIN],
                            &values[ORIGINAL_ID], reader->pool));
    if (values[BODY].kind != CM_TEXT)
        return CM_FAIL(reader->pool, CM_MALFORMED, "the body is not text");
    message->body = values[BODY].data;
    message->body_size = values[BODY].size;
    CM_TRY(read_body(reader));
    return read_ours(reader, values);
}

static void read_element(cm_message_t *message, cm_json_t *json,
                         apr_pool_t *scratch_pool)
{
    reader_t reader = {
        .message = message, .pool = json->pool, .scratch_pool = scratch_pool};
    cm_value_t values[FIELDS] = {{CM_ABSENT, NULL, 0}};
    const char *twice;

    cm_json_peek(json);
    message->text = json->at;
    twice = read_members(values, field_names, json);
    if (json->problem)
        return;
    message->text_size = json->at - message->text;
    message->error =
        twice ? CM_FAIL(json->pool, CM_MALFORMED, "'%s' appears twice", twice)
              : read_message(&reader, values);
    if (!message->error)
        return;
    message->attributes = NULL;
    message->text =
        apr_pstrmemdup(json->pool, message->text, message->text_size);
}

cm_error_t *cm_message_read_batch(apr_array_header_t **messages,
                                  const char *text, apr_size_t size, int most,
                                  apr_pool_t *pool)
{
    const apr_size_t room = FEW_MESSAGES + size / LEAST_BYTES;
    apr_pool_t *scratch_pool;
    cm_json_t json;
    cm_message_t *message;
    int count = 0;

    if (!most || room < (apr_size_t)most)
        most = (int)room;
    *messages = apr_array_make(pool, 64, sizeof(cm_message_t *));
    apr_pool_create(&scratch_pool, pool);
    cm_json_init(&json, text, size, pool);
    cm_json_open(&json, '[');
    while (cm_json_next(&json, ']', &count)) {
        if (count > most)
            return CM_FAIL(pool, CM_TOO_LARGE,
                           "there are more than %d messages at once", most);
        apr_pool_clear(scratch_pool);
        message = apr_pcalloc(pool, sizeof(*message));
        read_element(message, &json, scratch_pool);
        if (message->id > CM_SEQ_MAX)
            return CM_FAIL(pool, CM_MALFORMED,
                           "message %" APR_INT64_T_FMT
                           ": the number is too great",
                           message->id);
        APR_ARRAY_PUSH(*messages, cm_message_t *) = message;
    }
    apr_pool_destroy(scratch_pool);
    if (!cm_json_done(&json))
        return cm_json_error(&json, "this is not a list of messages", pool);
    return NULL;
}
