/* Messages on the wire and in the tables (record/message.h). */
#include "../tap.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <apr_time.h>

#include "store/dialect.h"
#include "schema/table.h"
#include "record/captured.h"
#include "record/message.h"

#define BODY     "\"{\\\"post\\\":{\\\"title\\\":\\\"x\\\"}}\""
#define NEST8(x) "[[[[[[[[" x "]]]]]]]]"

/* What is not a list of messages at all. */
static const struct {
    const char *name, *text;
} refused[] = {
    {"nothing", ""},
    {"a cut list", "[{\"id\":1,"},
    {"a text", "\"abc\""},
    {"null", "null"},
    {"numbers", "[1,2]"},
    {"texts", "[\"abc\"]"},
    {"a null in a list", "[null]"},
    {"an object", "{\"id\":1,\"body\":\"{}\"}"},
    {"words", "hello world"},
    {"a form", "a=1&b=2"},
    {"NaN", "[NaN]"},
    {"NaN as a value", "[{\"id\":NaN}]"},
    {"Infinity", "[{\"id\":Infinity}]"},
    {"single quotes", "[{'id':1}]"},
    {"no quotes", "[{id:1}]"},
    {"a comment", "[/* x */]"},
    {"a comma too much", "[{\"id\":1},]"},
    {"a comma in front", "[,{\"id\":1}]"},
    {"no comma", "[{\"id\":1}{\"id\":2}]"},
    {"something behind", "[] []"},
    {"U+0000 behind", "[]\0"},
    {"a number with a leading zero", "[{\"id\":01}]"},
    {"a number with a plus", "[{\"id\":+1}]"},
    {"a number without digits", "[{\"id\":-}]"},
    {"a number that ends in a point", "[{\"id\":1.}]"},
    {"a hexadecimal number", "[{\"id\":0x1}]"},
    {"True", "[{\"id\":True}]"},
    {"half a word", "[{\"id\":tru}]"},
    {"a line feed in a text", "[{\"origin\":\"a\nb\"}]"},
    {"a wrong escape", "[{\"origin\":\"\\x41\"}]"},
    {"a cut escape", "[{\"origin\":\"\\u12\"}]"},
    {"half a surrogate", "[{\"origin\":\"\\ud83d\"}]"},
    {"the other half", "[{\"origin\":\"\\ude00\"}]"},
    {"two first halves", "[{\"origin\":\"\\ud83d\\ud83d\"}]"},
    {"a lone continuation byte", "[{\"origin\":\"\x80\"}]"},
    {"an overlong slash", "[{\"origin\":\"\xC0\xAF\"}]"},
    {"an overlong euro", "[{\"origin\":\"\xE0\x82\xAC\"}]"},
    {"a surrogate in UTF-8", "[{\"origin\":\"\xED\xA0\xBD\"}]"},
    {"beyond U+10FFFF", "[{\"origin\":\"\xF4\x90\x80\x80\"}]"},
    {"a cut character", "[{\"origin\":\"\xF0\x9F\x98\"}]"},
    {"33 levels", "[{\"x\":" NEST8(NEST8(NEST8("[[[[[[[]]]]]]]"))) "}]"},
};

static void test_refused(apr_pool_t *pool)
{
    apr_array_header_t *messages;
    apr_size_t i, size;
    cm_error_t *err;

    for (i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
        size = strlen(refused[i].text);
        if (!strcmp(refused[i].name, "U+0000 behind"))
            size++;
        err = cm_message_read_batch(&messages, refused[i].text, size, 0, pool);
        ok(err && err->code == CM_MALFORMED, "%s: refused", refused[i].name);
    }
}

/* Elements: what is read of them, or why not. */
static const struct {
    const char *name, *text;
    apr_int64_t id;
    const char *origin, *original_id;
    const char *error; /* NULL: none */
} elements[] = {
    {"a gem's", "\"id\":7,\"origin\":\"o\",\"original_id\":11,\"body\":" BODY,
     7, "o", "11", NULL},
    {"the number as text",
     "\"id\":\"7\",\"origin\":\"o\",\"original_id\":\"11\",\"body\":" BODY, 7,
     "o", "11", NULL},
    {"the number as 11.0",
     "\"id\":7.0,\"origin\":\"o\",\"original_id\":11.0,\"body\":" BODY, 7, "o",
     "11", NULL},
    {"a natural key with a zero",
     "\"id\":7,\"origin\":\"o\",\"original_id\":\"011\",\"body\":" BODY, 7, "o",
     "011", NULL},
    {"a large key",
     "\"id\":7,\"origin\":\"o\",\"original_id\":98765432109876543210,"
     "\"body\":" BODY,
     7, "o", "98765432109876543210", NULL},
    {"no identity", "\"id\":7,\"body\":" BODY, 7, NULL, NULL, NULL},
    {"half an identity",
     "\"id\":7,\"origin\":null,\"original_id\":3,\"body\":" BODY, 7, NULL, NULL,
     NULL},
    {"an id that is none", "\"id\":\"abc\",\"body\":" BODY, 0, NULL, NULL,
     NULL},
    {"an id beyond 63 bits", "\"id\":18446744073709551617,\"body\":" BODY, 0,
     NULL, NULL, NULL},
    {"a negative id", "\"id\":-7,\"body\":" BODY, 0, NULL, NULL, NULL},
    {"the greatest id", "\"id\":9007199254740992,\"body\":" BODY,
     9007199254740992, NULL, NULL, NULL},
    {"extensions of somebody else",
     "\"op\":\"u\",\"clock\":\"x\",\"refs\":3,\"meta\":{\"a\":[1,{\"b\":null}]"
     "},\"id\":7,\"body\":" BODY,
     7, NULL, NULL, NULL},
    {"28 levels of them",
     "\"x\":" NEST8(NEST8(NEST8("[[[[]]]]"))) ",\"id\":7,\"body\":" BODY, 7,
     NULL, NULL, NULL},
    {"no body", "\"id\":7", 7, NULL, NULL, "the body is not text"},
    {"an object as body", "\"id\":7,\"body\":{\"post\":{}}", 7, NULL, NULL,
     "the body is not text"},
    {"an empty body", "\"id\":7,\"body\":\"\"", 7, NULL, NULL,
     "expected an object"},
    {"words as body", "\"id\":7,\"body\":\"hello\"", 7, NULL, NULL,
     "expected an object"},
    {"an array as body", "\"id\":7,\"body\":\"[1]\"", 7, NULL, NULL,
     "expected an object"},
    {"{}", "\"id\":7,\"body\":\"{}\"", 7, NULL, NULL, "names no model"},
    {"null attributes", "\"id\":7,\"body\":\"{\\\"post\\\":null}\"", 7, NULL,
     NULL, "expected an object"},
    {"text for attributes", "\"id\":7,\"body\":\"{\\\"post\\\":\\\"x\\\"}\"", 7,
     NULL, NULL, "expected an object"},
    {"a second key in the body",
     "\"id\":7,\"body\":\"{\\\"post\\\":{},\\\"comment\\\":{}}\"", 7, NULL,
     NULL, "second key beside 'post'"},
    {"an attribute twice",
     "\"id\":7,\"body\":\"{\\\"post\\\":{\\\"a\\\":1,\\\"a\\\":2}}\"", 7, NULL,
     NULL, "'a' appears twice"},
    {"half a surrogate in the body",
     "\"id\":7,\"body\":\"{\\\"post\\\":{\\\"a\\\":\\\"\\\\ud83d\\\"}}\"", 7,
     NULL, NULL, "half a character"},
    {"a key twice", "\"id\":7,\"id\":8,\"body\":" BODY, 0, NULL, NULL,
     "'id' appears twice"},
    {"an identity that is an object",
     "\"id\":7,\"origin\":\"o\",\"original_id\":{},\"body\":" BODY, 7, NULL,
     NULL, "neither a number nor text"},
    {"U+0000 in the identity",
     "\"id\":7,\"origin\":\"o\\u0000\",\"original_id\":1,\"body\":" BODY, 7,
     NULL, "1", "U+0000"},
    {"a clock that is none", "\"id\":7,\"clock\":0,\"body\":" BODY, 7, NULL,
     NULL, "is not a clock"},
    {"a clock out of this world",
     "\"id\":7,\"clock\":9223372036854775807,\"body\":" BODY, 7, NULL, NULL,
     "is not a clock"},
    {"an action that is none",
     "\"id\":7,\"clock\":5,\"action\":\"upsert\",\"body\":" BODY, 7, NULL, NULL,
     "action"},
    {"a column newer than its record",
     "\"id\":7,\"clock\":5,\"action\":\"update\",\"clocks\":{\"title\":6},"
     "\"body\":" BODY,
     7, NULL, NULL, "newer than"},
    {"a reference without model",
     "\"id\":7,\"clock\":5,\"action\":\"update\",\"refs\":{\"title\":{}},"
     "\"body\":" BODY,
     7, NULL, NULL, "no model"},
};

static void test_elements(apr_pool_t *pool)
{
    apr_size_t i;

    for (i = 0; i < sizeof(elements) / sizeof(*elements); i++) {
        const char *text = apr_psprintf(
            pool, "[{%s} , {\"id\":99,\"body\":" BODY "}]", elements[i].text);
        apr_array_header_t *messages;
        const cm_message_t *message;

        if (!ok(!cm_message_read_batch(&messages, text, strlen(text), 0,
                                       pool) &&
                    messages->nelts == 2,
                "%s: the list is read", elements[i].name))
            continue;
        message = APR_ARRAY_IDX(messages, 0, cm_message_t *);
        is_int(message->id, elements[i].id, "  its id");
        is_str(message->identity.origin, elements[i].origin, "  origin");
        is_str(message->identity.original_id, elements[i].original_id,
               "  original_id");
        ok(elements[i].error ? message->error && !message->attributes &&
                                   strstr(cm_error_text(message->error, pool),
                                          elements[i].error)
                             : !message->error && message->attributes &&
                                   !strcmp(message->model, "post"),
           "  %s",
           message->error ? cm_error_text(message->error, pool)
                          : "without error");
        message = APR_ARRAY_IDX(messages, 1, cm_message_t *);
        ok(message->id == 99 && !message->error, "  the next one is good");
    }
}

#define BEGIN                                                                  \
    "[{\"id\":3,\"body\":\"{\\\"post\\\":{\\\"title\\\":\\\"\\\\\\\"q\\\\\\\\" \
    "\\\\n\\\\u0001\xF0\x9F\x98\x80\\\",\\\"n\\\":12345678901234567890.50,"    \
    "\\\"b\\\":true,\\\"none\\\":null,\\\"author_id\\\":5}}\","                \
    "\"origin\":\"central\",\"original_id\":\"a\\\"b\","
#define OURS                                                                   \
    BEGIN "\"action\":\"update\",\"clock\":1700000000000009,\"clocks\":{"      \
          "\"b\":1,\"none\":2},\"base\":{\"n\":4,\"title\":3},\"refs\":{"      \
          "\"author_id\":{\"model\":\"author\",\"origin\":\"facade\","         \
          "\"original_id\":12}}}"
#define SHORT                                                                  \
    BEGIN "\"clock\":1700000000000009,\"clocks\":[1,\"b\",2,\"none\"],"        \
          "\"base\":{\"n\":4,\"title\":3},"                                    \
          "\"refs\":{\"author_id\":[\"author\",12,\"facade\"]}}"

/* What is read is written again, in the short forms, byte by byte. */
static void test_round_trip(apr_pool_t *pool)
{
    const char *text = OURS "]";
    apr_array_header_t *messages;
    const cm_message_t *message;
    const cm_attribute_t *attributes;
    cm_message_t stored = {0};
    cm_buffer_t *buffer = cm_buffer_create(0, pool);
    cm_error_t *err;

    err = cm_message_read_batch(&messages, text, strlen(text), 0, pool);
    message = APR_ARRAY_IDX(messages, 0, cm_message_t *);
    if (!ok(!err && !message->error, "a message of ours is read"))
        return;
    attributes = (const cm_attribute_t *)message->attributes->elts;
    is_int(message->attributes->nelts, 5, "five attributes");
    is_str(attributes[0].value.data, "\"q\\\n\x01\xF0\x9F\x98\x80", "text");
    is_str(attributes[1].value.data, "12345678901234567890.50", "digits");
    is_int(attributes[2].value.kind, CM_BOOLEAN, "a boolean");
    is_int(attributes[3].value.kind, CM_NULL, "a null");
    is_str(attributes[4].reference_model, "author", "a reference");
    is_str(attributes[4].reference.original_id, "12", "to 12 of the facade");
    is_int(message->action, CM_UPDATE, "action");
    is_int(cm_clocks_of(&message->clocks, "none"), 2, "an older column");
    is_int(cm_clocks_of(&message->clocks, "n"), 1700000000000009, "the rest");
    is_int(cm_clocks_of(&message->base, "title"), 3, "base of one column");
    is_int(cm_clocks_of(&message->base, "n"), 4, "and of the other");
    cm_message_write(buffer, message, 0);
    cm_buffer_append(buffer, "]", 2);
    is_str(buffer->data, SHORT "]", "and written again");

    stored.clocks.clock = message->clocks.clock;
    stored.id = message->id;
    stored.identity = message->identity;
    stored.action = message->action;
    err = cm_message_read_stored(&stored, message->body, message->body_size,
                                 cm_clocks_list(&message->clocks, pool),
                                 cm_message_write_base(message, pool),
                                 cm_message_write_refs(message, pool), pool);
    ok(!err, "read from what is stored");
    buffer = cm_buffer_create(0, pool);
    cm_message_write(buffer, &stored, 0);
    cm_buffer_append(buffer, "]", 2);
    is_str(buffer->data, SHORT "]", "it is the same");

    buffer = cm_buffer_create(0, pool);
    cm_message_write(buffer, message, 1);
    cm_buffer_append(buffer, "]", 2);
    ok(strstr(buffer->data, ",\"original_id\":\"a\\\"b\"}]") != NULL,
       "a gem gets nothing behind the identity");
}

static void test_numbers(apr_pool_t *pool)
{
    static const struct {
        const char *id, *wire;
    } ids[] = {
        {"0", ":0}"},
        {"-3", ":-3}"},
        {"007", ":\"007\"}"},
        {"-0", ":\"-0\"}"},
        {"1.0", ":\"1.0\"}"},
        {"9007199254740992", ":9007199254740992}"},
        {"9007199254740993", ":\"9007199254740993\"}"},
        {"", ":\"\"}"},
    };
    cm_message_t message = {.body = "{}", .body_size = 2};
    cm_buffer_t *buffer;
    apr_size_t i;

    for (i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
        message.identity.origin = "o";
        message.identity.original_id = ids[i].id;
        buffer = cm_buffer_create(0, pool);
        cm_message_write(buffer, &message, 1);
        cm_buffer_append(buffer, "", 1);
        is_str(strstr(buffer->data, "original_id") + 12, ids[i].wire,
               "original_id '%s'", ids[i].id);
    }
}

/* Read the capture RAW and return it as a body, or NULL. */
static const char *captured_body(const cm_table_t *table, const char *raw,
                                 apr_pool_t *pool)
{
    cm_buffer_t *buffer = cm_buffer_create(64, pool);
    apr_array_header_t *attributes;

    if (cm_captured_read(&attributes, table, cm_datum_text(raw),
                         &cm_dialect_sqlite3, pool))
        return NULL;
    cm_message_write_body(buffer, table->model->name, attributes);
    cm_buffer_append(buffer, "", 1);
    return buffer->data;
}

static void test_capture(apr_pool_t *pool)
{
    cm_model_t model = {.name = "post"};
    cm_column_t columns[2] = {
        {.name = "title",
         .type = "text",
         .value_class = CM_CLASS_TEXT,
         .carried = 1},
        {.name = "secret", .type = "text", .value_class = CM_CLASS_TEXT}};
    int next = 0;
    cm_table_t table = {
        .model = &model, .column_count = 2, .columns = columns, .next = &next};
    const char *raw = "{\"title\":\"a\\u0000b\",\"secret\":\"s\",\"gone\":1}";

    table.by_name = apr_hash_make(pool);
    apr_hash_set(table.by_name, "title", APR_HASH_KEY_STRING, &columns[0]);
    apr_hash_set(table.by_name, "secret", APR_HASH_KEY_STRING, &columns[1]);
    is_str(captured_body(&table, raw, pool),
           "{\"post\":{\"title\":\"a\\u0000b\"}}",
           "a capture: only columns that are here and carried");
    is_str(captured_body(&table, "{}", pool), "{\"post\":{}}", "an empty one");
    is_str(captured_body(&table, "{\"title\":", pool), NULL,
           "a cut capture is refused");
}

/* Every cut and every changed byte of a good list ends in an error or in
 * messages, not in a crash (the sanitizers watch). */
static void test_damage(const char *text, apr_pool_t *pool)
{
    apr_size_t size = strlen(text), i;
    apr_pool_t *iterpool;
    int taken = 0;

    apr_pool_create(&iterpool, pool);
    for (i = 0; i < size; i++) {
        apr_array_header_t *messages;
        char *copy;

        apr_pool_clear(iterpool);
        copy = apr_pstrmemdup(iterpool, text, i);
        taken += !cm_message_read_batch(&messages, copy, i, 0, iterpool);
    }
    is_int(taken, 0, "no cut list is taken");
    for (i = 0; i < 16 * size; i++) {
        apr_array_header_t *messages;
        char *copy;
        cm_error_t *err;

        apr_pool_clear(iterpool);
        copy = apr_pstrmemdup(iterpool, text, size);
        copy[i / 16] ^= (char)(1 << i % 8 | (i % 16 > 7 ? 0x40 : 0));
        err = cm_message_read_batch(&messages, copy, size, 0, iterpool);
        taken += !err && !messages->nelts;
    }
    is_int(taken, 0, "a damaged list is refused or holds messages");
}

/* Return a list of one message with COUNT attributes and as many clocks. */
static cm_buffer_t *wide(int count, apr_pool_t *pool)
{
    cm_buffer_t *buffer = cm_buffer_create(1 << 20, pool);
    int i;

    cm_buffer_raw(buffer, "[{\"id\":1,\"clock\":9,\"body\":\"{\\\"post\\\":{");
    for (i = 0; i < count; i++)
        cm_buffer_raw(
            buffer, apr_psprintf(pool, "%s\\\"c%d\\\":%d", i ? "," : "", i, i));
    cm_buffer_raw(buffer, "}}\",\"clocks\":{");
    for (i = 0; i < count; i++)
        cm_buffer_raw(buffer,
                      apr_psprintf(pool, "%s\"c%d\":7", i ? "," : "", i));
    cm_buffer_raw(buffer, "}}]");
    return buffer;
}

/* What a table may have is taken, and what a body can hold is bounded. */
static void test_bounds(apr_pool_t *pool)
{
    apr_array_header_t *messages;
    const cm_message_t *message;
    cm_buffer_t *buffer = wide(CM_COLUMNS_MOST, pool);
    cm_error_t *err;
    int i;

    err = cm_message_read_batch(&messages, buffer->data, buffer->size, 0, pool);
    message = err ? NULL : APR_ARRAY_IDX(messages, 0, cm_message_t *);
    ok(message && !message->error &&
           message->attributes->nelts == CM_COLUMNS_MOST,
       "as many attributes as a table may have columns");
    buffer = wide(CM_COLUMNS_MOST + 1, pool);
    err = cm_message_read_batch(&messages, buffer->data, buffer->size, 0, pool);
    message = err ? NULL : APR_ARRAY_IDX(messages, 0, cm_message_t *);
    ok(message && message->error, "one more is refused");
    buffer = cm_buffer_create(1 << 20, pool);
    for (i = 0; i < 100000; i++)
        cm_buffer_raw(buffer, i ? ",{}" : "[{}");
    cm_buffer_raw(buffer, "]");
    err = cm_message_read_batch(&messages, buffer->data, buffer->size, 0, pool);
    ok(err && err->code == CM_TOO_LARGE, "more messages than its size tells");
    err = cm_message_read_batch(&messages, "[{},{},{}]", 10, 2, pool);
    ok(err && err->code == CM_TOO_LARGE, "more messages than are wanted");
    err = cm_message_read_batch(&messages, "[{},{}]", 7, 2, pool);
    ok(!err && messages->nelts == 2, "as many as are wanted");
}

/* 100,000 messages of 500 bytes take a fraction of a second. */
static void test_speed(apr_pool_t *pool)
{
    cm_buffer_t *buffer = cm_buffer_create(1 << 20, pool);
    const char *element =
        ",{\"id\":1,\"body\":\"{\\\"post\\\":{\\\"title\\\":\\\"a title of "
        "some length\\\",\\\"body\\\":\\\"%-250s\\\",\\\"created_at\\\":"
        "\\\"2026-11-23T17:22:59Z\\\",\\\"views\\\":12}}\",\"origin\":"
        "\"central\",\"original_id\":12345,\"action\":\"update\",\"clock\":"
        "1700000000000000,\"base\":1600000000000000}";
    apr_array_header_t *messages;
    apr_time_t start;
    cm_error_t *err;
    int i;

    element = apr_psprintf(pool, element, "lorem \\\\n ipsum");
    for (i = 0; i < 10000; i++)
        cm_buffer_raw(buffer, element);
    buffer->data[0] = '[';
    cm_buffer_append(buffer, "]", 1);
    start = apr_time_now();
    err = cm_message_read_batch(&messages, buffer->data, buffer->size, 0, pool);
    start = apr_time_now() - start;
    ok(!err && messages->nelts == 10000, "a list of 10,000");
    ok(start < apr_time_from_sec(1), "read in %d ms (%d bytes each)",
       (int)(start / 1000), (int)strlen(element));
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_refused(pool);
    test_elements(pool);
    test_round_trip(pool);
    test_numbers(pool);
    test_capture(pool);
    test_damage(OURS "]", pool);
    test_damage(SHORT "]", pool);
    test_bounds(pool);
    test_speed(pool);
    apr_terminate();
    return done_testing();
}
