/* Questions as text, and how they are answered: see wire.h. */
#include <string.h>

#include <apr_strings.h>

#include "verify/compare.h"
#include "verify/text.h"
#include "verify/wire.h"

/* Records that are read for one answer, and bytes of values in it. */
#define MOST_RECORDS 8192
#define MOST_BYTES   (2 * 1024 * 1024)
/* Records in a question, and parts of a stretch. We ask for 256 and for 16. */
#define MOST_NAMES  1024
#define MOST_BOUNDS 10000

static const char *const ask_names[] = {"shape", "parts", "items", "states",
                                        "publish"};
static const char *const like_names[] = {"exact", "number", "boolean", "moment",
                                         "json"};

static void append_names(cm_buffer_t *buffer, const apr_array_header_t *names)
{
    int i;

    cm_verify_text_begin(buffer, "names");
    cm_buffer_raw(buffer, "[");
    for (i = 0; i < names->nelts; i++) {
        cm_identity_t name = APR_ARRAY_IDX(names, i, cm_identity_t);

        cm_buffer_raw(buffer, i ? ",[" : "[");
        cm_verify_text_append(buffer, name.origin);
        cm_buffer_raw(buffer, ",");
        cm_verify_text_append(buffer, name.original_id);
        cm_buffer_raw(buffer, "]");
    }
    cm_buffer_raw(buffer, "]");
}

static void append_columns(cm_buffer_t *buffer,
                           const apr_array_header_t *columns)
{
    int i;

    cm_verify_text_begin(buffer, "columns");
    cm_buffer_raw(buffer, "[");
    for (i = 0; i < columns->nelts; i++) {
        const cm_verify_column_t *column =
            &APR_ARRAY_IDX(columns, i, cm_verify_column_t);

        cm_buffer_raw(buffer, i ? ",[" : "[");
        cm_verify_text_append(buffer, column->name);
        cm_buffer_raw(buffer, ",");
        cm_verify_text_append(buffer, like_names[column->like]);
        cm_buffer_raw(buffer, "]");
    }
    cm_buffer_raw(buffer, "]");
}

static void append_bounds(cm_buffer_t *buffer, const apr_array_header_t *bounds)
{
    int i;

    cm_verify_text_begin(buffer, "bounds");
    cm_buffer_raw(buffer, "[");
    for (i = 0; i < bounds->nelts; i++) {
        cm_verify_text_comma(buffer);
        cm_verify_text_append(buffer, APR_ARRAY_IDX(bounds, i, const char *));
    }
    cm_buffer_raw(buffer, "]");
}

void cm_verify_question_write(cm_buffer_t *buffer,
                              const cm_verify_question_t *question)
{
    cm_buffer_raw(buffer, "{");
    cm_verify_text_member(buffer, "ask", ask_names[question->ask]);
    cm_verify_text_member(buffer, "model", question->model);
    cm_verify_text_member(buffer, "origin", question->origin);
    cm_verify_text_member(buffer, "after", question->after);
    if (question->columns)
        append_columns(buffer, question->columns);
    if (question->bounds)
        append_bounds(buffer, question->bounds);
    if (question->names)
        append_names(buffer, question->names);
    cm_buffer_raw(buffer, "}");
}

/* Read one text of a pair. */
static int read_half(void *baton, const char *name, cm_json_t *json)
{
    apr_array_header_t *pair = baton;

    (void)name;
    return cm_verify_text_read((const char **)apr_array_push(pair), json);
}

/* Read ["a","b"]. */
static int read_pair(const char **first, const char **second, cm_json_t *json)
{
    apr_array_header_t *pair = apr_array_make(json->pool, 2, sizeof(char *));

    if (!cm_verify_text_read_array(json, 2, read_half, pair) ||
        pair->nelts != 2)
        return 0;
    *first = APR_ARRAY_IDX(pair, 0, const char *);
    *second = APR_ARRAY_IDX(pair, 1, const char *);
    return *first && *second;
}

static int read_name(void *baton, const char *unused, cm_json_t *json)
{
    apr_array_header_t *names = baton;
    cm_identity_t *name = apr_array_push(names);

    (void)unused;
    return read_pair(&name->origin, &name->original_id, json);
}

/* Return the place of WORD in the COUNT WORDS, or -1. */
static int place_of(const char *word, const char *const *words, int count)
{
    int i;

    for (i = 0; word && i < count; i++)
        if (!strcmp(word, words[i]))
            return i;
    return -1;
}

static int read_column(void *baton, const char *unused, cm_json_t *json)
{
    apr_array_header_t *columns = baton;
    cm_verify_column_t *column = apr_array_push(columns);
    const char *word;
    int like;

    (void)unused;
    memset(column, 0, sizeof(*column));
    if (!read_pair(&column->name, &word, json))
        return 0;
    like = place_of(word, like_names, CM_LIKE_JSON + 1);
    column->like = like;
    return like >= 0;
}

/* Only the last bound may be null. */
static int read_bound(void *baton, const char *unused, cm_json_t *json)
{
    apr_array_header_t *bounds = baton;
    int count = bounds->nelts;

    (void)unused;
    return (!count || APR_ARRAY_IDX(bounds, count - 1, const char *)) &&
           cm_verify_text_read((const char **)apr_array_push(bounds), json);
}

static int read_ask(cm_verify_question_t *question, cm_json_t *json)
{
    const char *word;
    int place;

    if (!cm_verify_text_read(&word, json))
        return 0;
    place = place_of(word, ask_names, CM_ASK_PUBLISH + 1);
    question->ask = place;
    return place >= 0;
}

/* Read an array of at most MOST elements, each by READ, into *LIST. */
static int read_list(const apr_array_header_t **list, apr_size_t size, int most,
                     cm_text_read_t read, cm_json_t *json)
{
    apr_array_header_t *made = apr_array_make(json->pool, 16, (int)size);

    *list = made;
    return cm_verify_text_read_array(json, most, read, made);
}

static int read_member(void *baton, const char *name, cm_json_t *json)
{
    cm_verify_question_t *question = baton;

    if (!strcmp(name, "ask"))
        return read_ask(question, json);
    if (!strcmp(name, "model"))
        return cm_verify_text_read(&question->model, json);
    if (!strcmp(name, "origin"))
        return cm_verify_text_read(&question->origin, json);
    if (!strcmp(name, "after"))
        return cm_verify_text_read(&question->after, json);
    if (!strcmp(name, "columns"))
        return read_list(&question->columns, sizeof(cm_verify_column_t),
                         CM_COLUMNS_MOST, read_column, json);
    if (!strcmp(name, "bounds"))
        return read_list(&question->bounds, sizeof(const char *), MOST_BOUNDS,
                         read_bound, json);
    if (!strcmp(name, "names"))
        return read_list(&question->names, sizeof(cm_identity_t), MOST_NAMES,
                         read_name, json);
    return cm_json_skip(json, NULL, NULL);
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
               question->bounds && question->bounds->nelts;
    case CM_ASK_STATES:
        return question->names && question->names->nelts && question->columns;
    case CM_ASK_PUBLISH:
        return question->names != NULL;
    }
    return 0;
}

cm_error_t *cm_verify_question_read(cm_verify_question_t **question,
                                    const char *text, apr_size_t size,
                                    apr_pool_t *pool)
{
    cm_verify_question_t *made = apr_pcalloc(pool, sizeof(*made));

    CM_TRY(cm_verify_text_read_whole(text, size, "the question", read_member,
                                     made, pool));
    if (!is_whole(made))
        return CM_FAIL(pool, CM_MALFORMED, "the question is not whole");
    *question = made;
    return NULL;
}

/* Make of BOUNDS those before UNTIL, and UNTIL. */
static const apr_array_header_t *cut(const apr_array_header_t *bounds,
                                     const char *until, apr_pool_t *pool)
{
    apr_array_header_t *kept = apr_array_copy(pool, bounds);
    int i;

    for (i = 0; i < bounds->nelts; i++) {
        const char *bound = APR_ARRAY_IDX(bounds, i, const char *);

        if (!bound || strcmp(bound, until) >= 0)
            break;
    }
    kept->nelts = i;
    APR_ARRAY_PUSH(kept, const char *) = until;
    return kept;
}

/* Read the stretch asked for, or as much of it as one answer may hold. */
static cm_error_t *answer_stretch(cm_verify_answer_t *answer,
                                  const cm_verify_t *verify,
                                  const cm_verify_question_t *question,
                                  apr_pool_t *pool)
{
    const apr_array_header_t *bounds = question->bounds;
    cm_stretch_t stretch = {
        question->origin, question->after,
        APR_ARRAY_IDX(bounds, bounds->nelts - 1, const char *)};

    CM_TRY(cm_verify_read_bound(&answer->until, verify, &stretch, MOST_RECORDS,
                                pool));
    if (answer->until && stretch.until &&
        strcmp(answer->until, stretch.until) >= 0)
        answer->until = NULL;
    if (answer->until) {
        stretch.until = answer->until;
        bounds = cut(bounds, answer->until, pool);
    }
    CM_TRY(cm_verify_read_items(&answer->items, verify, &stretch, pool));
    if (question->ask == CM_ASK_ITEMS)
        return NULL;
    answer->parts = cm_verify_read_parts(answer->items, bounds, pool);
    answer->items = NULL;
    return NULL;
}

/* Return the model that QUESTION is about, or NULL: of one that is only
 * received nothing is sent, so nothing is told, not even that it is here. */
static const cm_model_t *sent_model(const cm_node_t *node,
                                    const cm_verify_question_t *question)
{
    const cm_model_t *model =
        cm_settings_model(node->settings, question->model);

    return model && model->publishes ? model : NULL;
}

cm_error_t *cm_verify_question_answer(cm_verify_answer_t **answer,
                                      cm_node_t *node, const char *peer,
                                      const cm_verify_question_t *question,
                                      apr_pool_t *pool)
{
    cm_verify_answer_t *made = apr_pcalloc(pool, sizeof(*made));
    const cm_model_t *model = sent_model(node, question);
    cm_verify_t *verify;

    *answer = made;
    if (question->ask == CM_ASK_SHAPE)
        return cm_verify_shape(&made->shape, node, model ? model->name : "",
                               pool);
    if (!model)
        return CM_FAIL(pool, CM_NOT_FOUND,
                       "no model '%.255s' is sent from here", question->model);
    if (question->ask == CM_ASK_PUBLISH)
        return cm_publish_identities(&made->published, node, model,
                                     question->names, pool);
    CM_TRY(cm_verify_shape_open(&verify, node, peer, question->model,
                                question->columns, pool));
    if (question->ask == CM_ASK_STATES)
        return cm_resend_find(&made->states, verify, question->names,
                              MOST_BYTES, pool);
    return answer_stretch(made, verify, question, pool);
}

cm_error_t *cm_verify_question_ask(cm_verify_answer_t **answer,
                                   const cm_verify_work_t *work,
                                   const cm_verify_question_t *question,
                                   apr_pool_t *pool)
{
    return work->ask(answer, work->baton, question, pool);
}
