/* communicator_conflicts: see conflict.h. */
#include "node/conflict.h"

#include <apr_strings.h>

#include "base/buffer.h"
#include "store/bulk.h"
#include "record/clocks.h"

static void add_member(cm_buffer_t *json, const char *name,
                       const cm_datum_t *cell, int is_text)
{
    if (!cell->data)
        return;
    cm_buffer_raw(json, json->size > 1 ? ",\"" : "\"");
    cm_buffer_raw(json, name);
    cm_buffer_raw(json, "\":");
    if (is_text)
        cm_buffer_string(json, cell->data, cell->size);
    else
        cm_buffer_append(json, cell->data, cell->size);
}

/* Return the message in the first of ROWS, which has those columns, as JSON. */
static const char *whole_of(const cm_rows_t *rows, apr_pool_t *pool)
{
    static const char *const names[] = {
        "id",     "model", "origin", "original_id", "action", "clock",
        "clocks", "base",  "refs",   "body",        "reason"};
    cm_buffer_t *json = cm_buffer_create(1024, pool);
    int i;

    cm_buffer_raw(json, "{");
    for (i = 0; i < (int)(sizeof(names) / sizeof(*names)); i++)
        add_member(json, names[i], cm_cell(rows, 0, i),
                   i != 0 && (i < 5 || i > 8));
    cm_buffer_append(json, "}", 2);
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
    cm_datum_t now = cm_datum_number(cm_clocks_now(), pool);
    apr_int64_t inserted;

    cm_bulk_add(bulk, cm_datum_text(model ? model : ""));
    cm_bulk_add(bulk, cm_datum_text(local_id));
    cm_bulk_add(bulk, *cm_cell(rows, 0, 2));
    cm_bulk_add(bulk, *cm_cell(rows, 0, 3));
    cm_bulk_add(bulk, cm_datum_text(whole_of(rows, pool)));
    cm_bulk_add(bulk, *cm_cell(rows, 0, 5));
    cm_bulk_add(bulk, cm_datum_text(peer));
    cm_bulk_add(bulk, *cm_cell(rows, 0, 0));
    cm_bulk_add(bulk, now);
    cm_bulk_add(bulk, now);
    return cm_bulk_insert(&inserted, node->store, bulk, CM_PRESENT_FAIL, pool);
}
