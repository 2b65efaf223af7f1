/* What was decided of columns: see decisions.h. */
#include "node/decisions.h"

#include <apr_strings.h>

#include "base/id_set.h"
#include "store/bulk.h"

static const cm_bulk_column_t columns[] = {
    {"model", "text"}, {"local_record_id", "text"}, {"column_name", "text"},
    {"peer", "text"},  {"clock", "bigint"},         {"seen_clock", "bigint"},
    {"taken", "int"}};

cm_error_t *cm_decisions_keep(cm_node_t *node,
                              const apr_array_header_t *decisions,
                              apr_pool_t *scratch_pool)
{
    cm_bulk_t *keys =
        cm_bulk_create("communicator_decisions", columns, 3, 3, scratch_pool);
    cm_bulk_t *rows =
        cm_bulk_create("communicator_decisions", columns,
                       sizeof(columns) / sizeof(*columns), 0, scratch_pool);
    cm_id_set_t *named = cm_id_set_create(decisions->nelts, scratch_pool);
    apr_int64_t count;
    int i;

    for (i = decisions->nelts - 1; i >= 0; i--) {
        const cm_settled_t *it = &APR_ARRAY_IDX(decisions, i, cm_settled_t);

        if (!cm_id_set_add(named,
                           apr_pstrcat(scratch_pool, it->model, "\x1f",
                                       it->local_id, "\x1f", it->column, NULL)))
            continue;
        cm_bulk_row(keys, "ttt", it->model, it->local_id, it->column);
        cm_bulk_row(rows, "ttttnnn", it->model, it->local_id, it->column,
                    it->peer, it->clock, it->seen, (apr_int64_t)it->taken);
    }
    if (!cm_bulk_rows(rows))
        return NULL;
    CM_TRY(cm_bulk_delete(&count, node->store, keys, scratch_pool));
    return cm_bulk_insert(&count, node->store, rows, CM_PRESENT_FAIL,
                          scratch_pool);
}

cm_error_t *cm_decisions_find(apr_array_header_t **found, cm_node_t *node,
                              const char *peer, const char *model,
                              const char *local_id, apr_pool_t *result_pool)
{
    const cm_datum_t arguments[] = {
        cm_datum_text(model), cm_datum_text(local_id), cm_datum_text(peer)};
    cm_rows_t *rows;
    int i;

    CM_TRY(cm_statement_select(&rows, node->store,
                               "SELECT column_name, clock, seen_clock, taken"
                               " FROM communicator_decisions WHERE model = %s"
                               " AND local_record_id = %s AND peer = %s",
                               arguments, 3, result_pool));
    *found = apr_array_make(result_pool, rows->count, sizeof(cm_settled_t));
    for (i = 0; i < rows->count; i++)
        APR_ARRAY_PUSH(*found, cm_settled_t) =
            (cm_settled_t){.model = model,
                           .local_id = local_id,
                           .column = cm_cell_text(rows, i, 0),
                           .peer = peer,
                           .clock = cm_cell_number(rows, i, 1),
                           .seen = cm_cell_number(rows, i, 2),
                           .taken = cm_cell_number(rows, i, 3) != 0};
    return NULL;
}
