/* Structs as JSON (base/json_object.h): what is written is read again, and what
 * is wrong is refused. */
#include "../tap.h"

#include <string.h>

#include <apr_general.h>

#include "base/json_object.h"
#include "base/json_write.h"

typedef struct pair_t {
    const char *first, *second;
} pair_t;

typedef enum color_e {
    RED,
    GREEN
} color_e;

typedef struct thing_t {
    const char *name, *text;
    apr_int64_t count;
    int is_new;
    color_e color;
    pair_t *pair;
    apr_array_header_t *pairs, *words;
} thing_t;

static const char *const colors[] = {"red", "green", NULL};

static const cm_json_member_t pair_members[] = {
    {CM_JSON_MEMBER("first", TEXT, pair_t, first), .needed = 1},
    {CM_JSON_MEMBER("second", TEXT, pair_t, second)},
    {.name = NULL}};
static const cm_json_object_t pair_object = {.members = pair_members,
                                             .size = sizeof(pair_t)};
static const cm_json_object_t tuple_object = {
    .members = pair_members, .size = sizeof(pair_t), .form = CM_JSON_TUPLE};
static const cm_json_member_t word_members[] = {
    {.name = "", .kind = CM_JSON_TEXT}, {.name = NULL}};
static const cm_json_object_t word_object = {.members = word_members,
                                             .size = sizeof(const char *),
                                             .form = CM_JSON_PLAIN};
static const cm_json_member_t thing_members[] = {
    {CM_JSON_MEMBER("name", TEXT, thing_t, name), .needed = 1},
    {CM_JSON_MEMBER("text", TEXT, thing_t, text)},
    {CM_JSON_MEMBER("count", NUMBER, thing_t, count), .least = -1},
    {CM_JSON_MEMBER("new", FLAG, thing_t, is_new)},
    {CM_JSON_MEMBER("color", WORD, thing_t, color), .words = colors},
    {CM_JSON_MEMBER("pair", STRUCT, thing_t, pair), .object = &pair_object},
    {CM_JSON_MEMBER("pairs", LIST, thing_t, pairs), .object = &tuple_object,
     .most = 2},
    {CM_JSON_MEMBER("words", LIST, thing_t, words), .object = &word_object,
     .most = 3},
    {.name = NULL}};
static const cm_json_object_t thing_object = {.members = thing_members,
                                              .size = sizeof(thing_t)};

/* Return what TEXT is when it is read and written again; NULL: refused. */
static const char *again(const char *text, apr_pool_t *pool)
{
    cm_buffer_t *json = cm_buffer_create(0, pool);
    void *thing;

    if (cm_json_object_read_text(&thing, &thing_object, text, strlen(text),
                                 "the thing", NULL, pool))
        return NULL;
    cm_json_object_write(json, NULL, &thing_object, thing, NULL);
    cm_buffer_append(json, "", 1);
    return json->data;
}

#define REST "\"count\":0,\"new\":0,\"color\":\"red\"}"

static void test_read(apr_pool_t *pool)
{
    static const struct {
        const char *text, *again;
    } cases[] = {
        {"{\"name\":\"a\"}", "{\"name\":\"a\"," REST},
        {"{\"name\":\"a\",\"text\":\"b\\\"\",\"count\":-1,\"new\":7,"
         "\"color\":\"green\",\"pair\":{\"first\":\"x\"},"
         "\"pairs\":[[\"p\",\"q\"],[\"r\",null]],\"words\":[\"s\",null]}",
         "{\"name\":\"a\",\"text\":\"b\\\"\",\"count\":-1,\"new\":1,"
         "\"color\":\"green\",\"pair\":{\"first\":\"x\"},"
         "\"pairs\":[[\"p\",\"q\"],[\"r\",null]],\"words\":[\"s\",null]}"},
        {"{\"later\":[{}],\"name\":\"a\",\"text\":null}",
         "{\"name\":\"a\"," REST},
        {"{\"name\":\"a\",\"color\":\"blue\"}", "{\"name\":\"a\"," REST},
        {"{\"name\":\"a\",\"pairs\":[],\"words\":[]}",
         "{\"name\":\"a\",\"count\":0,\"new\":0,\"color\":\"red\","
         "\"pairs\":[],\"words\":[]}"}};
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        is_str(again(cases[i].text, pool), cases[i].again,
               "read and written: %s", cases[i].text);
}

static void test_refused(apr_pool_t *pool)
{
    static const char *const cases[] = {
        "",
        "[]",
        "{}",
        "{\"name\":null}",
        "{\"name\":1}",
        "{\"name\":\"a\\u0000\"}",
        "{\"name\":\"a\"} x",
        "{\"name\":\"a\",\"count\":-2}",
        "{\"name\":\"a\",\"count\":\"1\"}",
        "{\"name\":\"a\",\"count\":1152921504606846977}",
        "{\"name\":\"a\",\"new\":true}",
        "{\"name\":\"a\",\"color\":1}",
        "{\"name\":\"a\",\"pair\":{}}",
        "{\"name\":\"a\",\"pair\":null}",
        "{\"name\":\"a\",\"pairs\":[[\"p\"]]}",
        "{\"name\":\"a\",\"pairs\":[[\"p\",\"q\",\"r\"]]}",
        "{\"name\":\"a\",\"pairs\":[[null,\"q\"]]}",
        "{\"name\":\"a\",\"pairs\":[[\"p\",\"\"],[\"p\",\"\"],[\"p\",\"\"]]}",
        "{\"name\":\"a\",\"words\":{}}"};
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        ok(!again(cases[i], pool), "refused: %s", cases[i]);
}

static void test_write(apr_pool_t *pool)
{
    cm_buffer_t *json = cm_buffer_create(0, pool);

    cm_json_write_open(json, NULL, '{');
    cm_json_write_text(json, "a{", "x{[");
    cm_json_write_text(json, "b", NULL);
    cm_json_write_open(json, "c", '[');
    cm_json_write_number(json, NULL, 1);
    cm_json_write_truth(json, NULL, 0);
    cm_json_write_open(json, NULL, '{');
    cm_json_write_close(json, '}');
    cm_json_write_close(json, ']');
    cm_json_write_raw(json, "d", "{}", 2);
    cm_json_write_close(json, '}');
    cm_buffer_append(json, "", 1);
    is_str(json->data,
           "{\"a{\":\"x{[\",\"b\":null,\"c\":[1,false,{}],\"d\":{}}",
           "commas stand where they belong");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_read(pool);
    test_refused(pool);
    test_write(pool);
    apr_terminate();
    return done_testing();
}
