/* Questions and answers as JSON: see wire.h. */
#include "verify/wire.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "base/json_object.h"
#include "base/json_write.h"

/* Hexadecimal digits of a digest, and of half of it. */
#define DIGITS      32
#define HALF_DIGITS 16

/* Elements that a peer may send. We ask for 256 names and for 16 parts, and an
 * answer is about 8192 records at most. */
#define MOST_NAMES   1024
#define MOST_BOUNDS  10000
#define MOST_ITEMS   65536
#define MOST_ORIGINS 10000
#define MOST_STATES  1024

static const char *const asks[] = {"shape",   "parts",  "items", "states",
                                   "publish", "revive", NULL};
static const char *const likes[] = {"exact",  "number", "boolean",
                                    "moment", "json",   NULL};
static const char *const classes[] = {
    "text", "integer", "decimal",   "float",          "boolean",
    "date", "time",    "timestamp", "timestamp_zone", "binary",
    "json", "any",     NULL};

static void write_digest(cm_buffer_t *json, const char *name, const void *field,
                         const void *baton)
{
    const cm_digest_t *digest = field;
    char text[DIGITS + 1];

    (void)baton;
    apr_snprintf(text, sizeof(text),
                 "%016" APR_UINT64_T_HEX_FMT "%016" APR_UINT64_T_HEX_FMT,
                 digest->high, digest->low);
    cm_json_write_text(json, name, text);
}

static int read_digest(void *field, cm_json_t *json, const void *baton)
{
    cm_digest_t *digest = field;
    char half[HALF_DIGITS + 1];
    const char *text;

    (void)baton;
    if (!cm_json_object_read_string(&text, json) || !text ||
        strlen(text) != DIGITS || strspn(text, "0123456789abcdef") != DIGITS)
        return 0;
    apr_cpystrn(half, text, sizeof(half));
    digest->high = strtoull(half, NULL, 16);
    digest->low = strtoull(text + HALF_DIGITS, NULL, 16);
    return 1;
}

static const cm_json_own_t own_digest = {write_digest, read_digest};

/* Values and clocks of a state, as many as the question has columns: BATON. */
static void write_values(cm_buffer_t *json, const char *name, const void *field,
                         const void *baton)
{
    const cm_value_t *values = *(const cm_value_t *const *)field;
    int i;

    if (!values)
        return;
    cm_json_write_open(json, name, '[');
    for (i = 0; i < *(const int *)baton; i++) {
        cm_buffer_raw(json, i ? "," : "");
        if (values[i].kind <= CM_NULL)
            cm_buffer_raw(json, "null");
        else
            cm_buffer_string(json, values[i].data, values[i].size);
    }
    cm_json_write_close(json, ']');
}

static int read_values(void *field, cm_json_t *json, const void *baton)
{
    const int columns = *(const int *)baton;
    apr_array_header_t *list =
        apr_array_make(json->pool, 16, sizeof(cm_value_t));
    int count = 0;

    if (!cm_json_open(json, '['))
        return 0;
    while (cm_json_next(json, ']', &count))
        if (count > columns || !cm_json_value(json, apr_array_push(list)))
            return 0;
    *(const cm_value_t **)field = (const cm_value_t *)list->elts;
    return !json->problem && list->nelts == columns;
}

static const cm_json_own_t own_values = {write_values, read_values};

static void write_clocks(cm_buffer_t *json, const char *name, const void *field,
                         const void *baton)
{
    const apr_int64_t *clocks = *(const apr_int64_t *const *)field;
    int i;

    if (!clocks)
        return;
    cm_json_write_open(json, name, '[');
    for (i = 0; i < *(const int *)baton; i++)
        cm_json_write_number(json, NULL, clocks[i]);
    cm_json_write_close(json, ']');
}

static int read_clocks(void *field, cm_json_t *json, const void *baton)
{
    const int columns = *(const int *)baton;
    apr_array_header_t *list =
        apr_array_make(json->pool, 16, sizeof(apr_int64_t));
    int count = 0;

    if (!cm_json_open(json, '['))
        return 0;
    while (cm_json_next(json, ']', &count))
        if (count > columns ||
            !cm_json_object_read_number(apr_array_push(list), json))
            return 0;
    *(const apr_int64_t **)field = (const apr_int64_t *)list->elts;
    return !json->problem && list->nelts == columns;
}

static const cm_json_own_t own_clocks = {write_clocks, read_clocks};

/* A list of texts. */
static const cm_json_member_t text_members[] = {
    {.name = "", .kind = CM_JSON_TEXT}, {.name = NULL}};
static const cm_json_object_t text_object = {.members = text_members,
                                             .size = sizeof(const char *),
                                             .form = CM_JSON_PLAIN};

/* ["origin","original_id"] */
static const cm_json_member_t name_members[] = {
    {CM_JSON_MEMBER("", TEXT, cm_identity_t, origin), .needed = 1},
    {CM_JSON_MEMBER("", TEXT, cm_identity_t, original_id), .needed = 1},
    {.name = NULL}};
static const cm_json_object_t name_object = {.members = name_members,
                                             .size = sizeof(cm_identity_t),
                                             .form = CM_JSON_TUPLE};

/* ["column","exact"] */
static const cm_json_member_t compared_members[] = {
    {CM_JSON_MEMBER("", TEXT, cm_verify_column_t, name), .needed = 1},
    {CM_JSON_MEMBER("", WORD, cm_verify_column_t, like), .needed = 1,
     .words = likes},
    {.name = NULL}};
static const cm_json_object_t compared_object = {.members = compared_members,
                                                 .size =
                                                     sizeof(cm_verify_column_t),
                                                 .form = CM_JSON_TUPLE};

static const cm_json_member_t question_members[] = {
    {CM_JSON_MEMBER("ask", WORD, cm_verify_question_t, ask), .needed = 1,
     .words = asks},
    {CM_JSON_MEMBER("model", TEXT, cm_verify_question_t, model)},
    {CM_JSON_MEMBER("brief", FLAG, cm_verify_question_t, brief)},
    {CM_JSON_MEMBER("origin", TEXT, cm_verify_question_t, origin)},
    {CM_JSON_MEMBER("after", TEXT, cm_verify_question_t, after)},
    {CM_JSON_MEMBER("columns", LIST, cm_verify_question_t, columns),
     .object = &compared_object, .most = CM_COLUMNS_MOST},
    {CM_JSON_MEMBER("bounds", LIST, cm_verify_question_t, bounds),
     .object = &text_object, .most = MOST_BOUNDS},
    {CM_JSON_MEMBER("names", LIST, cm_verify_question_t, names),
     .object = &name_object, .most = MOST_NAMES},
    {.name = NULL}};
static const cm_json_object_t question_object = {
    .members = question_members, .size = sizeof(cm_verify_question_t)};

static const cm_json_member_t column_members[] = {
    {CM_JSON_MEMBER("name", TEXT, cm_verify_column_t, name), .needed = 1},
    {CM_JSON_MEMBER("class", WORD, cm_verify_column_t, value_class),
     .words = classes},
    {CM_JSON_MEMBER("reference", TEXT, cm_verify_column_t, reference)},
    {CM_JSON_MEMBER("loose", FLAG, cm_verify_column_t, loose)},
    {.name = NULL}};
static const cm_json_object_t column_object = {
    .members = column_members, .size = sizeof(cm_verify_column_t)};

static const cm_json_member_t origin_members[] = {
    {.name = "", .kind = CM_JSON_TEXT, .needed = 1}, {.name = NULL}};
static const cm_json_object_t origin_object = {.members = origin_members,
                                               .size = sizeof(const char *),
                                               .form = CM_JSON_PLAIN};

static const cm_json_member_t shape_members[] = {
    {CM_JSON_MEMBER("known", FLAG, cm_verify_shape_t, known)},
    {CM_JSON_MEMBER("receives", FLAG, cm_verify_shape_t, receives)},
    {CM_JSON_MEMBER("publishes", FLAG, cm_verify_shape_t, publishes)},
    {CM_JSON_MEMBER("deletes", FLAG, cm_verify_shape_t, deletes)},
    {CM_JSON_MEMBER("shared_keys", FLAG, cm_verify_shape_t, shared_keys)},
    {CM_JSON_MEMBER("records", NUMBER, cm_verify_shape_t, records)},
    {CM_JSON_MEMBER("unpublished", NUMBER, cm_verify_shape_t, unpublished)},
    {CM_JSON_MEMBER("rows", NUMBER, cm_verify_shape_t, rows)},
    {CM_JSON_MEMBER("filtered", FLAG, cm_verify_shape_t, filtered)},
    {CM_JSON_MEMBER("hidden", NUMBER, cm_verify_shape_t, hidden)},
    {CM_JSON_MEMBER("columns", LIST, cm_verify_shape_t, columns),
     .object = &column_object, .most = CM_COLUMNS_MOST},
    {CM_JSON_MEMBER("origins", LIST, cm_verify_shape_t, origins),
     .object = &origin_object, .most = MOST_ORIGINS},
    {.name = NULL}};

/* Set what a peer may leave out of a shape. */
static void begin_shape(void *object, apr_pool_t *pool)
{
    cm_verify_shape_t *shape = object;

    shape->columns = apr_array_make(pool, 0, sizeof(cm_verify_column_t));
    shape->origins = apr_array_make(pool, 0, sizeof(const char *));
    shape->rows = -1;
}

static const cm_json_object_t shape_object = {.members = shape_members,
                                              .size = sizeof(cm_verify_shape_t),
                                              .form = CM_JSON_MEMBERS,
                                              .begin = begin_shape};

static const cm_json_member_t part_members[] = {
    {CM_JSON_MEMBER("count", NUMBER, cm_verify_part_t, count)},
    {CM_JSON_MEMBER("digest", OWN, cm_verify_part_t, digest),
     .own = &own_digest},
    {.name = NULL}};
static const cm_json_object_t part_object = {.members = part_members,
                                             .size = sizeof(cm_verify_part_t)};

static const cm_json_member_t item_members[] = {
    {CM_JSON_MEMBER("id", TEXT, cm_verify_item_t, original_id), .needed = 1},
    {CM_JSON_MEMBER("digest", OWN, cm_verify_item_t, digest),
     .own = &own_digest},
    {CM_JSON_MEMBER("clock", NUMBER, cm_verify_item_t, clock)},
    {.name = NULL}};
static const cm_json_object_t item_object = {.members = item_members,
                                             .size = sizeof(cm_verify_item_t)};

static const cm_json_member_t state_members[] = {
    {CM_JSON_MEMBER("origin", TEXT, cm_verify_state_t, identity.origin)},
    {CM_JSON_MEMBER("original_id", TEXT, cm_verify_state_t,
                    identity.original_id)},
    {CM_JSON_MEMBER("clock", NUMBER, cm_verify_state_t, clock)},
    {CM_JSON_MEMBER("deleted", NUMBER, cm_verify_state_t, deleted_at)},
    {CM_JSON_MEMBER("pending", FLAG, cm_verify_state_t, pending)},
    {CM_JSON_MEMBER("parked", FLAG, cm_verify_state_t, parked)},
    {CM_JSON_MEMBER("outside", FLAG, cm_verify_state_t, outside)},
    {CM_JSON_MEMBER("clocks", OWN, cm_verify_state_t, clocks),
     .own = &own_clocks},
    {CM_JSON_MEMBER("values", OWN, cm_verify_state_t, values),
     .own = &own_values},
    {.name = NULL}};
static const cm_json_object_t state_object = {
    .members = state_members, .size = sizeof(cm_verify_state_t)};

static const cm_json_member_t answer_members[] = {
    {CM_JSON_MEMBER("shape", STRUCT, cm_verify_answer_t, shape),
     .object = &shape_object},
    {CM_JSON_MEMBER("parts", LIST, cm_verify_answer_t, parts),
     .object = &part_object, .most = MOST_ITEMS},
    {CM_JSON_MEMBER("items", LIST, cm_verify_answer_t, items),
     .object = &item_object, .most = MOST_ITEMS},
    {CM_JSON_MEMBER("states", LIST, cm_verify_answer_t, states),
     .object = &state_object, .most = MOST_STATES},
    {CM_JSON_MEMBER("until", TEXT, cm_verify_answer_t, until)},
    {CM_JSON_MEMBER("published", NUMBER, cm_verify_answer_t, published)},
    {.name = NULL}};
static const cm_json_object_t answer_object = {
    .members = answer_members, .size = sizeof(cm_verify_answer_t)};

void cm_verify_wire_write_question(cm_buffer_t *buffer,
                                   const cm_verify_question_t *question)
{
    cm_json_object_write(buffer, NULL, &question_object, question, NULL);
}

/* Only the last bound may be null. */
static int are_bounds(const apr_array_header_t *bounds)
{
    int i;

    for (i = 0; i < bounds->nelts - 1; i++)
        if (!APR_ARRAY_IDX(bounds, i, const char *))
            return 0;
    return bounds->nelts > 0;
}

static int is_whole(const cm_verify_question_t *question)
{
    if (!question->model)
        return 0;
    switch (question->ask) {
    case CM_ASK_SHAPE:
        return 1;
    case CM_ASK_PARTS:
    case CM_ASK_ITEMS:
        return question->origin && question->after && question->columns &&
               question->bounds && are_bounds(question->bounds);
    case CM_ASK_STATES:
        return question->names && question->names->nelts && question->columns;
    case CM_ASK_PUBLISH:
    case CM_ASK_REVIVE:
        return question->names != NULL;
    }
    return 0;
}

cm_error_t *cm_verify_wire_read_question(cm_verify_question_t **question,
                                         const char *text, apr_size_t size,
                                         apr_pool_t *pool)
{
    void *made;

    CM_TRY(cm_json_object_read_text(&made, &question_object, text, size,
                                    "the question", NULL, pool));
    if (!is_whole(made))
        return CM_FAIL(pool, CM_MALFORMED, "the question is not whole");
    *question = made;
    return NULL;
}

void cm_verify_wire_write_answer(cm_buffer_t *buffer,
                                 const cm_verify_answer_t *answer, int columns)
{
    cm_json_object_write(buffer, NULL, &answer_object, answer, &columns);
}

cm_error_t *cm_verify_wire_read_answer(cm_verify_answer_t **answer,
                                       const char *text, apr_size_t size,
                                       int columns, apr_pool_t *pool)
{
    void *made;

    CM_TRY(cm_json_object_read_text(&made, &answer_object, text, size,
                                    "the answer", &columns, pool));
    *answer = made;
    return NULL;
}
