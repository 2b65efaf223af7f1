/* Conflicts: see lost.h. */
#include "apply/lost.h"

#include <string.h>

#include <apr_strings.h>

cm_value_t cm_lost_shown(const cm_field_t *field, int reference,
                         apr_pool_t *pool)
{
    cm_value_t value = field->value;
    apr_int64_t length;
    char *name;

    if (!reference || value.kind != CM_TEXT)
        return value;
    /* cm_identity_key(): the origin's length, then both */
    length = apr_strtoi64(value.data, &name, 10);
    value.data =
        apr_psprintf(pool, "%.*s %s", (int)length, name + 1, name + 1 + length);
    value.size = strlen(value.data);
    return value;
}

static cm_datum_t shown(const cm_value_t *value, apr_pool_t *pool)
{
    cm_buffer_t *buffer;

    if (value->kind == CM_ABSENT)
        return cm_datum_text(NULL);
    if (value->kind == CM_NULL)
        return cm_datum_text("null");
    if (value->kind != CM_TEXT)
        return (cm_datum_t){value->data, value->size, 0};
    buffer = cm_buffer_create(value->size + 16, pool);
    cm_buffer_string(buffer, value->data, value->size);
    cm_buffer_append(buffer, "", 1);
    return cm_datum_text(buffer->data);
}

static void add_row(cm_bulk_t *bulk, const cm_lost_t *row, apr_int64_t now,
                    apr_pool_t *pool)
{
    const cm_known_t *known = row->record->known;

    cm_bulk_row(bulk, "tttttdndntnn", row->record->table->model->name,
                row->record->local_id, known->identity.origin,
                known->identity.original_id, row->column,
                shown(&row->lost, pool), row->lost_clock,
                shown(&row->won, pool), row->won_clock, row->peer,
                row->message_id, now);
}

cm_error_t *cm_lost_write(const cm_apply_t *run, apr_pool_t *scratch_pool)
{
    static const cm_bulk_column_t columns[] = {
        {"model", "text"},        {"local_record_id", "text"},
        {"origin", "text"},       {"original_id", "text"},
        {"column_name", "text"},  {"lost_value", "text"},
        {"lost_clock", "bigint"}, {"won_value", "text"},
        {"won_clock", "bigint"},  {"peer", "text"},
        {"message_id", "bigint"}, {"created_at", "bigint"}};
    cm_bulk_t *bulk =
        cm_bulk_create("communicator_conflicts", columns,
                       sizeof(columns) / sizeof(*columns), 0, scratch_pool);
    apr_int64_t now = cm_clocks_now(), inserted;
    int i;

    if (!run->conflicts->nelts)
        return NULL;
    for (i = 0; i < run->conflicts->nelts; i++)
        add_row(bulk, &APR_ARRAY_IDX(run->conflicts, i, cm_lost_t), now,
                scratch_pool);
    return cm_bulk_insert(&inserted, run->node->store, bulk, CM_PRESENT_FAIL,
                          scratch_pool);
}
