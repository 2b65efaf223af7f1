/* Writing answers: see wire.h. */
#include <apr_strings.h>

#include "verify/text.h"
#include "verify/wire.h"

const char *const cm_verify_reply_class_names[] = {
    "text", "integer",   "decimal",        "float",  "boolean", "date",
    "time", "timestamp", "timestamp_zone", "binary", "json",    "any"};

static void append_digest(cm_buffer_t *buffer, cm_digest_t digest)
{
    char text[CM_DIGEST_DIGITS + 1];

    apr_snprintf(text, sizeof(text),
                 "%016" APR_UINT64_T_HEX_FMT "%016" APR_UINT64_T_HEX_FMT,
                 digest.high, digest.low);
    cm_verify_text_append(buffer, text);
}

static void append_column(cm_buffer_t *buffer, const cm_verify_column_t *column)
{
    cm_verify_text_comma(buffer);
    cm_buffer_raw(buffer, "{");
    cm_verify_text_member(buffer, "name", column->name);
    cm_verify_text_member(buffer, "class",
                          cm_verify_reply_class_names[column->value_class]);
    cm_verify_text_member(buffer, "reference", column->reference);
    cm_verify_text_number(buffer, "loose", column->loose);
    cm_buffer_raw(buffer, "}");
}

static void append_shape(cm_buffer_t *buffer, const cm_verify_shape_t *shape)
{
    int i;

    cm_verify_text_begin(buffer, "shape");
    cm_buffer_raw(buffer, "{");
    cm_verify_text_number(buffer, "known", shape->known);
    cm_verify_text_number(buffer, "receives", shape->receives);
    cm_verify_text_number(buffer, "publishes", shape->publishes);
    cm_verify_text_number(buffer, "deletes", shape->deletes);
    cm_verify_text_number(buffer, "shared_keys", shape->shared_keys);
    cm_verify_text_number(buffer, "records", shape->records);
    cm_verify_text_number(buffer, "unpublished", shape->unpublished);
    cm_verify_text_number(buffer, "rows", shape->rows);
    cm_verify_text_number(buffer, "filtered", shape->filtered);
    cm_verify_text_number(buffer, "hidden", shape->hidden);
    cm_verify_text_begin(buffer, "columns");
    cm_buffer_raw(buffer, "[");
    for (i = 0; i < shape->columns->nelts; i++)
        append_column(buffer,
                      &APR_ARRAY_IDX(shape->columns, i, cm_verify_column_t));
    cm_buffer_raw(buffer, "]");
    cm_verify_text_begin(buffer, "origins");
    cm_buffer_raw(buffer, "[");
    for (i = 0; i < shape->origins->nelts; i++) {
        cm_verify_text_comma(buffer);
        cm_verify_text_append(buffer,
                              APR_ARRAY_IDX(shape->origins, i, const char *));
    }
    cm_buffer_raw(buffer, "]}");
}

static void append_parts(cm_buffer_t *buffer, const apr_array_header_t *parts)
{
    int i;

    cm_verify_text_begin(buffer, "parts");
    cm_buffer_raw(buffer, "[");
    for (i = 0; i < parts->nelts; i++) {
        cm_verify_part_t part = APR_ARRAY_IDX(parts, i, cm_verify_part_t);

        cm_verify_text_comma(buffer);
        cm_buffer_raw(buffer, "{");
        cm_verify_text_number(buffer, "count", part.count);
        cm_verify_text_begin(buffer, "digest");
        append_digest(buffer, part.digest);
        cm_buffer_raw(buffer, "}");
    }
    cm_buffer_raw(buffer, "]");
}

static void append_items(cm_buffer_t *buffer, const apr_array_header_t *items)
{
    int i;

    cm_verify_text_begin(buffer, "items");
    cm_buffer_raw(buffer, "[");
    for (i = 0; i < items->nelts; i++) {
        const cm_verify_item_t *item =
            &APR_ARRAY_IDX(items, i, cm_verify_item_t);

        cm_verify_text_comma(buffer);
        cm_buffer_raw(buffer, "{");
        cm_verify_text_member(buffer, "id", item->original_id);
        cm_verify_text_begin(buffer, "digest");
        append_digest(buffer, item->digest);
        cm_verify_text_number(buffer, "clock", item->clock);
        cm_buffer_raw(buffer, "}");
    }
    cm_buffer_raw(buffer, "]");
}

static void append_values(cm_buffer_t *buffer, const cm_resend_t *state,
                          int columns)
{
    int i;

    cm_verify_text_begin(buffer, "values");
    cm_buffer_raw(buffer, "[");
    for (i = 0; i < columns; i++) {
        const cm_value_t *value = &state->values[i];

        cm_buffer_raw(buffer, i ? "," : "");
        if (value->kind <= CM_NULL)
            cm_buffer_raw(buffer, "null");
        else
            cm_buffer_string(buffer, value->data, value->size);
    }
    cm_buffer_raw(buffer, "]");
}

static void append_state(cm_buffer_t *buffer, const cm_resend_t *state,
                         int columns)
{
    int i;

    cm_verify_text_comma(buffer);
    cm_buffer_raw(buffer, "{");
    cm_verify_text_member(buffer, "origin", state->identity.origin);
    cm_verify_text_member(buffer, "original_id", state->identity.original_id);
    cm_verify_text_number(buffer, "clock", state->clock);
    cm_verify_text_number(buffer, "deleted", state->deleted_at);
    cm_verify_text_number(buffer, "pending", state->pending);
    cm_verify_text_number(buffer, "parked", state->parked);
    if (state->clocks) {
        cm_verify_text_begin(buffer, "clocks");
        cm_buffer_raw(buffer, "[");
        for (i = 0; i < columns; i++) {
            cm_verify_text_comma(buffer);
            cm_buffer_number(buffer, state->clocks[i]);
        }
        cm_buffer_raw(buffer, "]");
    }
    if (state->values)
        append_values(buffer, state, columns);
    cm_buffer_raw(buffer, "}");
}

void cm_verify_reply_write(cm_buffer_t *buffer,
                           const cm_verify_answer_t *answer, int columns)
{
    int i;

    cm_buffer_raw(buffer, "{");
    if (answer->shape)
        append_shape(buffer, answer->shape);
    if (answer->parts)
        append_parts(buffer, answer->parts);
    if (answer->items)
        append_items(buffer, answer->items);
    if (answer->states) {
        cm_verify_text_begin(buffer, "states");
        cm_buffer_raw(buffer, "[");
        for (i = 0; i < answer->states->nelts; i++)
            append_state(buffer, &APR_ARRAY_IDX(answer->states, i, cm_resend_t),
                         columns);
        cm_buffer_raw(buffer, "]");
    }
    cm_verify_text_member(buffer, "until", answer->until);
    cm_verify_text_number(buffer, "published", answer->published);
    cm_buffer_raw(buffer, "}");
}
