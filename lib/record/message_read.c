/* Reading messages, from the wire and from where they were stored: see
 * message.h. Nothing here trusts the sender. */
#include "record/message.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/json.h"
#include "record/message_beside.h"

/* So many attributes are found by looking through them; more by a hash. */
#define FEW_ATTRIBUTES 32

/* A message has at least so many bytes; a few may have less. One of {} costs
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

static const char *const field_names[FIELDS] = {
    "id",    "body",   "origin", "original_id", "action",
    "clock", "clocks", "base",   "refs"};

/* Note the attributes from FIRST on by their names. */
static void index_attributes(cm_message_t *message,
                             const apr_array_header_t *attributes, int first,
                             apr_pool_t *scratch_pool)
{
    int i;

    if (!message->by_name)
        message->by_name = apr_hash_make(scratch_pool);
    for (i = first; i < attributes->nelts; i++) {
        cm_attribute_t *attribute =
            &APR_ARRAY_IDX(attributes, i, cm_attribute_t);

        apr_hash_set(message->by_name, attribute->name, APR_HASH_KEY_STRING,
                     attribute);
    }
}

static cm_error_t *add_attribute(cm_message_t *message, const cm_value_t *name,
                                 const cm_value_t *value, apr_pool_t *pool,
                                 apr_pool_t *scratch_pool)
{
    apr_array_header_t *attributes = message->attributes;
    cm_attribute_t *attribute;

    if (strlen(name->data) != name->size ||
        attributes->nelts == CM_COLUMNS_MOST)
        return CM_FAIL(pool, CM_MALFORMED, "no table has such attributes");
    if (cm_message_attribute(message, name->data))
        return CM_FAIL(pool, CM_MALFORMED, "the attribute '%s' stands twice",
                       name->data);
    attribute = apr_array_push(attributes);
    memset(attribute, 0, sizeof(*attribute));
    attribute->name = name->data;
    attribute->value = *value;
    if (attributes->nelts == FEW_ATTRIBUTES)
        index_attributes(message, attributes, 0, scratch_pool);
    else if (message->by_name)
        index_attributes(message, attributes, attributes->nelts - 1,
                         scratch_pool);
    return NULL;
}

/* The array grows in SCRATCH_POOL: in POOL all that it outgrew would stay. */
static cm_error_t *read_attributes(cm_message_t *message, cm_json_t *json,
                                   apr_pool_t *scratch_pool)
{
    apr_array_header_t *read;
    cm_value_t name, value;
    int count = 0;

    message->attributes =
        apr_array_make(scratch_pool, 16, sizeof(cm_attribute_t));
    cm_json_open(json, '{');
    while (cm_json_next(json, '}', &count)) {
        if (!cm_json_name(json, &name) || !cm_json_value(json, &value))
            return NULL;
        CM_TRY(add_attribute(message, &name, &value, json->pool, scratch_pool));
    }
    read = message->attributes;
    message->attributes =
        apr_array_make(json->pool, read->nelts, sizeof(cm_attribute_t));
    apr_array_cat(message->attributes, read);
    if (message->by_name)
        index_attributes(message, message->attributes, 0, scratch_pool);
    return NULL;
}

/* Read the body: {"model":{attributes}}, one key and nothing beside it. */
static cm_error_t *read_body(cm_message_t *message, apr_pool_t *pool,
                             apr_pool_t *scratch_pool)
{
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
    CM_TRY_FOR(read_attributes(message, &json, scratch_pool), pool,
               "the attributes of '%s' cannot be read", message->model);
    if (cm_json_next(&json, '}', &count))
        return CM_FAIL(pool, CM_MALFORMED,
                       "the body has a second key beside '%s'", message->model);
    if (!cm_json_done(&json))
        return cm_json_error(&json, "the body", pool);
    return NULL;
}

/* Leave nothing in MESSAGE that was needed while it was read. */
static void end_reading(cm_message_t *message, const cm_error_t *err)
{
    message->by_name = NULL;
    if (err)
        message->attributes = NULL;
}

cm_error_t *cm_message_read_stored(cm_message_t *message, const char *body,
                                   apr_size_t size, const char *clocks,
                                   const char *base, const char *refs,
                                   apr_pool_t *pool)
{
    apr_pool_t *scratch_pool;
    cm_error_t *err;

    message->body = body;
    message->body_size = size;
    message->from_gem = !message->clocks.clock;
    message->has_base = 0;
    message->attributes = NULL;
    apr_pool_create(&scratch_pool, pool);
    err = read_body(message, pool, scratch_pool);
    if (!err)
        err = cm_clocks_read(&message->clocks, message->clocks.clock, clocks,
                             pool);
    if (!err)
        err = cm_message_beside_read(message, base, refs, pool);
    end_reading(message, err);
    apr_pool_destroy(scratch_pool);
    return err;
}

/* Take what only messages of ours have; those without a clock have not. */
static cm_error_t *read_ours(cm_message_t *message, const cm_value_t *values,
                             apr_pool_t *pool)
{
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
    CM_TRY(cm_message_beside_read_clocks(message, values[CLOCKS].data, pool));
    CM_TRY(cm_message_beside_read(message, values[BASE].data, values[REFS].data,
                                  pool));
    message->action = cm_message_action_usual(message);
    if (values[ACTION].kind > CM_NULL &&
        (values[ACTION].kind != CM_TEXT ||
         !cm_message_action_read(&message->action, values[ACTION].data)))
        return CM_FAIL(pool, CM_MALFORMED, "the action is not known");
    return NULL;
}

static cm_error_t *read_message(cm_message_t *message, const cm_value_t *values,
                                apr_pool_t *pool, apr_pool_t *scratch_pool)
{
    if (!cm_json_integer(&message->id, &values[ID]) || message->id < 0)
        message->id = 0;
    CM_TRY(cm_identity_read(&message->identity, &values[ORIGIN],
                            &values[ORIGINAL_ID], pool));
    if (values[BODY].kind != CM_TEXT)
        return CM_FAIL(pool, CM_MALFORMED, "the body is not text");
    message->body = values[BODY].data;
    message->body_size = values[BODY].size;
    CM_TRY(read_body(message, pool, scratch_pool));
    return read_ours(message, values, pool);
}

/* Read the members of one element into VALUES; returns the key that stands
 * twice, or NULL. */
static const char *read_fields(cm_value_t *values, cm_json_t *json)
{
    const char *twice = NULL;
    cm_value_t name;
    int count = 0, i;

    cm_json_open(json, '{');
    while (cm_json_next(json, '}', &count) && cm_json_name(json, &name)) {
        for (i = 0; i < FIELDS && strcmp(name.data, field_names[i]); i++)
            ;
        if (i == FIELDS) {
            cm_json_skip(json, NULL, NULL);
            continue;
        }
        if (values[i].kind != CM_ABSENT)
            twice = field_names[i];
        cm_json_value(json, &values[i]);
    }
    return twice;
}

static void read_element(cm_message_t *message, cm_json_t *json,
                         apr_pool_t *scratch_pool)
{
    cm_value_t values[FIELDS] = {{CM_ABSENT, NULL, 0}};
    const char *twice;

    cm_json_peek(json);
    message->text = json->at;
    twice = read_fields(values, json);
    if (json->problem)
        return;
    message->text_size = json->at - message->text;
    message->error =
        twice ? CM_FAIL(json->pool, CM_MALFORMED, "'%s' stands twice", twice)
              : read_message(message, values, json->pool, scratch_pool);
    end_reading(message, message->error);
    if (message->error)
        message->text =
            apr_pstrmemdup(json->pool, message->text, message->text_size);
}

/* Return how many messages a list of SIZE bytes may have, MOST at most. */
static int messages_in(apr_size_t size, int most)
{
    apr_size_t room = FEW_MESSAGES + size / LEAST_BYTES;

    return room < (apr_size_t)most ? (int)room : most;
}

cm_error_t *cm_message_read_some(apr_array_header_t **messages,
                                 const char *text, apr_size_t size, int most,
                                 apr_pool_t *pool)
{
    apr_pool_t *scratch_pool;
    cm_json_t json;
    cm_message_t *message;
    int count = 0;

    most = messages_in(size, most);
    *messages = apr_array_make(pool, 64, sizeof(cm_message_t *));
    apr_pool_create(&scratch_pool, pool);
    cm_json_init(&json, text, size, pool);
    cm_json_open(&json, '[');
    while (cm_json_next(&json, ']', &count)) {
        if (count > most)
            return CM_FAIL(pool, CM_TOO_LARGE,
                           "these are more than %d messages at once", most);
        apr_pool_clear(scratch_pool);
        message = apr_pcalloc(pool, sizeof(*message));
        read_element(message, &json, scratch_pool);
        if (message->id > CM_SEQ_MAX)
            return CM_FAIL(pool, CM_MALFORMED,
                           "message %" APR_INT64_T_FMT
                           ": no peer has so great a number",
                           message->id);
        APR_ARRAY_PUSH(*messages, cm_message_t *) = message;
    }
    apr_pool_destroy(scratch_pool);
    if (!cm_json_done(&json))
        return cm_json_error(&json, "this is not a list of messages", pool);
    return NULL;
}

cm_error_t *cm_message_read_batch(apr_array_header_t **messages,
                                  const char *text, apr_size_t size,
                                  apr_pool_t *pool)
{
    return cm_message_read_some(messages, text, size, INT_MAX, pool);
}
