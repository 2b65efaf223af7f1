/* communicator_conflicts: see conflict.h. */
#include "node/conflict.h"

#include <apr_strings.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "store/bulk.h"

/* The columns of the message that is kept; some are JSON already. */
static const struct {
    const char *name;
    int is_text;
} kept[] = {{"id", 0},     {"model", 1}, {"origin", 1}, {"original_id", 1},
            {"action", 1}, {"clock", 0}, {"clocks", 0}, {"base", 0},
            {"refs", 0},   {"body", 1},  {"reason", 1}};

/* Return the message in the first of ROWS, which has those columns, as JSON. */
static const char *whole_of(const cm_rows_t *rows, apr_pool_t *pool)
{
    cm_buffer_t *json = cm_buffer_create(1024, pool);
    int i;

    cm_json_write_open(json, NULL, '{');
    for (i = 0; i < (int)(sizeof(kept) / sizeof(*kept)); i++) {
        const cm_datum_t *cell = cm_cell(rows, 0, i);

        if (cell->data && kept[i].is_text)
            cm_json_write_bytes(json, kept[i].name, cell->data, cell->size);
        else if (cell->data)
            cm_json_write_raw(json, kept[i].name, cell->data, cell->size);
    }
    cm_json_write_close(json, '}');
    cm_buffer_append(json, "", 1);
    return json->data;
}

cm_error_t *cm_conflict_keep_message(cm_node_t *node, const char *peer,
                                     const cm_rows_t *rows,
                                     const char *local_id, apr_pool_t *pool)
{
    static const cm_bulk_column_t columns[] = {
        {"model", "text"},        {"local_record_id", "text"},
        {"origin", "text"},       {"original_id", "text"},
        {"lost_value", "text"},   {"lost_clock", "bigint"},
        {"peer", "text"},         {"message_id", "bigint"},
        {"created_at", "bigint"}, {"resolved_at", "bigint"}};
    cm_bulk_t *bulk =
        cm_bulk_create("communicator_conflicts", columns,
                       sizeof(columns) / sizeof(*columns), 0, pool);
    const char *model = cm_cell_text(rows, 0, 1);
    apr_int64_t now = cm_clock_now(), inserted;

    cm_bulk_row(bulk, "ttddtdtdnn", model ? model : "", local_id,
                *cm_cell(rows, 0, 2), *cm_cell(rows, 0, 3),
                whole_of(rows, pool), *cm_cell(rows, 0, 5), peer,
                *cm_cell(rows, 0, 0), now, now);
    return cm_bulk_insert(&inserted, node->store, bulk, CM_PRESENT_FAIL, pool);
}

/* A value as JSON; SQL NULL: the record is deleted. */
static cm_datum_t value_text(const cm_value_t *value, apr_pool_t *pool)
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

static void add_row(cm_bulk_t *bulk, const cm_conflict_t *conflict,
                    apr_int64_t now, apr_pool_t *pool)
{
    cm_bulk_row(bulk, "tttttdndntnn", conflict->model, conflict->local_id,
                conflict->identity.origin, conflict->identity.original_id,
                conflict->column, value_text(&conflict->lost, pool),
                conflict->lost_clock, value_text(&conflict->won, pool),
                conflict->won_clock, conflict->peer, conflict->message_id, now);
}

cm_error_t *cm_conflict_write(cm_node_t *node,
                              const apr_array_header_t *conflicts,
                              apr_pool_t *scratch_pool)
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
    apr_int64_t now = cm_clock_now(), inserted;
    int i;

    if (!conflicts->nelts)
        return NULL;
    for (i = 0; i < conflicts->nelts; i++)
        add_row(bulk, &APR_ARRAY_IDX(conflicts, i, cm_conflict_t), now,
                scratch_pool);
    return cm_bulk_insert(&inserted, node->store, bulk, CM_PRESENT_FAIL,
                          scratch_pool);
}
