/* Reading answers: see wire.h. */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "verify/text.h"
#include "verify/wire.h"

#define HALF_DIGITS (CM_DIGEST_DIGITS / 2)

/* What an answer has at most. Nobody reads more than 8192 records for one. */
#define MOST_ITEMS   65536
#define MOST_ORIGINS 10000
#define MOST_STATES  1024

static int read_digest(cm_digest_t *digest, cm_json_t *json)
{
    char half[HALF_DIGITS + 1];
    const char *text;

    if (!cm_verify_text_read(&text, json) || !text ||
        strlen(text) != CM_DIGEST_DIGITS ||
        strspn(text, "0123456789abcdef") != CM_DIGEST_DIGITS)
        return 0;
    apr_cpystrn(half, text, sizeof(half));
    digest->high = strtoull(half, NULL, 16);
    digest->low = strtoull(text + HALF_DIGITS, NULL, 16);
    return 1;
}

static int read_flag(int *flag, cm_json_t *json)
{
    apr_int64_t number;

    if (!cm_verify_text_read_number(&number, json))
        return 0;
    *flag = number != 0;
    return 1;
}

static int read_class(cm_class_e *value_class, cm_json_t *json)
{
    const char *text;
    int i;

    if (!cm_verify_text_read(&text, json) || !text)
        return 0;
    *value_class = CM_CLASS_TEXT;
    for (i = CM_CLASS_TEXT; i <= CM_CLASS_ANY; i++)
        if (!strcmp(text, cm_verify_reply_class_names[i]))
            *value_class = i;
    return 1;
}

static int read_column_member(void *baton, const char *name, cm_json_t *json)
{
    cm_verify_column_t *column = baton;

    if (!strcmp(name, "name"))
        return cm_verify_text_read(&column->name, json) && column->name;
    if (!strcmp(name, "class"))
        return read_class(&column->value_class, json);
    if (!strcmp(name, "reference"))
        return cm_verify_text_read(&column->reference, json);
    if (!strcmp(name, "loose"))
        return read_flag(&column->loose, json);
    return cm_json_skip(json, NULL, NULL);
}

static int read_column(void *baton, const char *unused, cm_json_t *json)
{
    cm_verify_column_t *column = apr_array_push(baton);

    (void)unused;
    memset(column, 0, sizeof(*column));
    return cm_verify_text_read_object(json, read_column_member, column) &&
           column->name;
}

static int read_origin(void *baton, const char *unused, cm_json_t *json)
{
    const char **origin = apr_array_push(baton);

    (void)unused;
    return cm_verify_text_read(origin, json) && *origin;
}

static int read_shape_member(void *baton, const char *name, cm_json_t *json)
{
    cm_verify_shape_t *shape = baton;

    if (!strcmp(name, "known"))
        return read_flag(&shape->known, json);
    if (!strcmp(name, "receives"))
        return read_flag(&shape->receives, json);
    if (!strcmp(name, "publishes"))
        return read_flag(&shape->publishes, json);
    if (!strcmp(name, "deletes"))
        return read_flag(&shape->deletes, json);
    if (!strcmp(name, "shared_keys"))
        return read_flag(&shape->shared_keys, json);
    if (!strcmp(name, "records"))
        return cm_verify_text_read_number(&shape->records, json);
    if (!strcmp(name, "unpublished"))
        return cm_verify_text_read_number(&shape->unpublished, json);
    if (!strcmp(name, "rows"))
        return cm_verify_text_read_number(&shape->rows, json);
    if (!strcmp(name, "filtered"))
        return read_flag(&shape->filtered, json);
    if (!strcmp(name, "hidden"))
        return cm_verify_text_read_number(&shape->hidden, json);
    if (!strcmp(name, "columns"))
        return cm_verify_text_read_array(json, CM_COLUMNS_MOST, read_column,
                                         shape->columns);
    if (!strcmp(name, "origins"))
        return cm_verify_text_read_array(json, MOST_ORIGINS, read_origin,
                                         shape->origins);
    return cm_json_skip(json, NULL, NULL);
}

static int read_shape(cm_verify_answer_t *answer, cm_json_t *json)
{
    cm_verify_shape_t *shape = apr_pcalloc(json->pool, sizeof(*shape));

    shape->columns = apr_array_make(json->pool, 16, sizeof(cm_verify_column_t));
    shape->origins = apr_array_make(json->pool, 4, sizeof(const char *));
    shape->rows = -1;
    answer->shape = shape;
    return cm_verify_text_read_object(json, read_shape_member, shape);
}

static int read_part_member(void *baton, const char *name, cm_json_t *json)
{
    cm_verify_part_t *part = baton;

    if (!strcmp(name, "count"))
        return cm_verify_text_read_number(&part->count, json);
    if (!strcmp(name, "digest"))
        return read_digest(&part->digest, json);
    return cm_json_skip(json, NULL, NULL);
}

static int read_part(void *baton, const char *unused, cm_json_t *json)
{
    cm_verify_part_t *part = apr_array_push(baton);

    (void)unused;
    memset(part, 0, sizeof(*part));
    return cm_verify_text_read_object(json, read_part_member, part);
}

static int read_item_member(void *baton, const char *name, cm_json_t *json)
{
    cm_verify_item_t *item = baton;

    if (!strcmp(name, "id"))
        return cm_verify_text_read(&item->original_id, json);
    if (!strcmp(name, "digest"))
        return read_digest(&item->digest, json);
    if (!strcmp(name, "clock"))
        return cm_verify_text_read_number(&item->clock, json);
    return cm_json_skip(json, NULL, NULL);
}

static int read_item(void *baton, const char *unused, cm_json_t *json)
{
    cm_verify_item_t *item = apr_array_push(baton);

    (void)unused;
    memset(item, 0, sizeof(*item));
    return cm_verify_text_read_object(json, read_item_member, item) &&
           item->original_id;
}

/* A state, and how many values it must have. */
typedef struct reading_t {
    cm_verify_answer_t *answer;
    cm_resend_t *state;
    int columns;
} reading_t;

static int read_value(void *baton, const char *unused, cm_json_t *json)
{
    (void)unused;
    return cm_json_value(json, apr_array_push(baton));
}

static int read_clock(void *baton, const char *unused, cm_json_t *json)
{
    (void)unused;
    return cm_verify_text_read_number(apr_array_push(baton), json);
}

static int read_state_lists(reading_t *reading, const char *name,
                            cm_json_t *json)
{
    apr_array_header_t *list;
    int columns = reading->columns;

    if (!strcmp(name, "values")) {
        list = apr_array_make(json->pool, 16, sizeof(cm_value_t));
        if (!cm_verify_text_read_array(json, columns, read_value, list))
            return 0;
        reading->state->values = (const cm_value_t *)list->elts;
        return list->nelts == columns;
    }
    if (strcmp(name, "clocks") != 0)
        return cm_json_skip(json, NULL, NULL);
    list = apr_array_make(json->pool, 16, sizeof(apr_int64_t));
    if (!cm_verify_text_read_array(json, columns, read_clock, list))
        return 0;
    reading->state->clocks = (const apr_int64_t *)list->elts;
    return list->nelts == columns;
}

static int read_state_member(void *baton, const char *name, cm_json_t *json)
{
    reading_t *reading = baton;
    cm_resend_t *state = reading->state;

    if (!strcmp(name, "origin"))
        return cm_verify_text_read(&state->identity.origin, json);
    if (!strcmp(name, "original_id"))
        return cm_verify_text_read(&state->identity.original_id, json);
    if (!strcmp(name, "clock"))
        return cm_verify_text_read_number(&state->clock, json);
    if (!strcmp(name, "deleted"))
        return cm_verify_text_read_number(&state->deleted_at, json);
    if (!strcmp(name, "pending"))
        return read_flag(&state->pending, json);
    if (!strcmp(name, "parked"))
        return read_flag(&state->parked, json);
    return read_state_lists(reading, name, json);
}

static int read_state(void *baton, const char *unused, cm_json_t *json)
{
    reading_t *reading = baton;

    (void)unused;
    reading->state = apr_array_push(reading->answer->states);
    memset(reading->state, 0, sizeof(*reading->state));
    return cm_verify_text_read_object(json, read_state_member, reading);
}

static int read_states(reading_t *reading, cm_json_t *json)
{
    reading->answer->states =
        apr_array_make(json->pool, 64, sizeof(cm_resend_t));
    return cm_verify_text_read_array(json, MOST_STATES, read_state, reading);
}

static int read_member(void *baton, const char *name, cm_json_t *json)
{
    reading_t *reading = baton;
    cm_verify_answer_t *answer = reading->answer;

    if (!strcmp(name, "shape"))
        return read_shape(answer, json);
    if (!strcmp(name, "states"))
        return read_states(reading, json);
    if (!strcmp(name, "until"))
        return cm_verify_text_read(&answer->until, json);
    if (!strcmp(name, "published"))
        return cm_verify_text_read_number(&answer->published, json);
    if (!strcmp(name, "parts")) {
        answer->parts =
            apr_array_make(json->pool, 16, sizeof(cm_verify_part_t));
        return cm_verify_text_read_array(json, MOST_ITEMS, read_part,
                                         answer->parts);
    }
    if (!strcmp(name, "items")) {
        answer->items =
            apr_array_make(json->pool, 64, sizeof(cm_verify_item_t));
        return cm_verify_text_read_array(json, MOST_ITEMS, read_item,
                                         answer->items);
    }
    return cm_json_skip(json, NULL, NULL);
}

cm_error_t *cm_verify_reply_read(cm_verify_answer_t **answer, const char *text,
                                 apr_size_t size, int columns, apr_pool_t *pool)
{
    reading_t reading = {.columns = columns};

    reading.answer = apr_pcalloc(pool, sizeof(**answer));
    CM_TRY(cm_verify_text_read_whole(text, size, "the answer", read_member,
                                     &reading, pool));
    *answer = reading.answer;
    return NULL;
}
