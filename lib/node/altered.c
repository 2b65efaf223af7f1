/* Values that are stored differently: see altered.h. */
#include "node/altered.h"

#include <string.h>

#include <apr_strings.h>

#include "store/bulk.h"

const char *cm_altered_text(const cm_altered_t *altered, apr_pool_t *pool)
{
    return apr_psprintf(pool,
                        "model '%s': column '%s' does not keep what is "
                        "written when messages are applied (first seen in "
                        "record %s): a trigger of the application or the "
                        "type of the column changes it",
                        altered->model, altered->column, altered->local_id);
}

static cm_error_t *read_all(apr_array_header_t **all, cm_node_t *node,
                            apr_pool_t *pool)
{
    cm_rows_t *rows;
    int i;

    CM_TRY_FOR(cm_statement_select(&rows, node->store,
                                   "SELECT model, column_name, local_record_id,"
                                   " written_value, stored_value, seen_at"
                                   " FROM communicator_altered"
                                   " ORDER BY model, column_name",
                                   NULL, 0, pool),
               pool, "cannot read which columns change values");
    *all = apr_array_make(pool, rows->count + 1, sizeof(cm_altered_t));
    for (i = 0; i < rows->count; i++)
        APR_ARRAY_PUSH(*all, cm_altered_t) =
            (cm_altered_t){.model = cm_cell_text(rows, i, 0),
                           .column = cm_cell_text(rows, i, 1),
                           .local_id = cm_cell_text(rows, i, 2),
                           .written = cm_cell_text(rows, i, 3),
                           .stored = cm_cell_text(rows, i, 4),
                           .seen_at = cm_cell_number(rows, i, 5)};
    return NULL;
}

static int is_known(const apr_array_header_t *all, const cm_altered_t *altered)
{
    int i;

    for (i = 0; i < all->nelts; i++) {
        const cm_altered_t *known = &APR_ARRAY_IDX(all, i, cm_altered_t);

        if (!strcmp(known->model, altered->model) &&
            !strcmp(known->column, altered->column))
            return 1;
    }
    return 0;
}

static cm_error_t *write_all(cm_node_t *node, const apr_array_header_t *news,
                             apr_pool_t *pool)
{
    static const cm_bulk_column_t columns[] = {
        {"model", "text"},           {"column_name", "text"},
        {"local_record_id", "text"}, {"written_value", "text"},
        {"stored_value", "text"},    {"seen_at", "bigint"}};
    cm_bulk_t *bulk =
        cm_bulk_create("communicator_altered", columns,
                       sizeof(columns) / sizeof(*columns), 2, pool);
    apr_int64_t inserted;
    int i;

    for (i = 0; i < news->nelts; i++) {
        const cm_altered_t *altered = &APR_ARRAY_IDX(news, i, cm_altered_t);

        cm_bulk_row(bulk, "tttttn", altered->model, altered->column,
                    altered->local_id, altered->written, altered->stored,
                    altered->seen_at);
    }
    return cm_bulk_insert(&inserted, node->store, bulk, CM_PRESENT_KEEP, pool);
}

cm_error_t *cm_altered_keep(apr_array_header_t **news, cm_node_t *node,
                            const apr_array_header_t *all,
                            apr_pool_t *result_pool)
{
    apr_array_header_t *known;
    int i;

    *news = apr_array_make(result_pool, 4, sizeof(cm_altered_t));
    if (!all->nelts)
        return NULL;
    CM_TRY(read_all(&known, node, result_pool));
    for (i = 0; i < all->nelts; i++) {
        const cm_altered_t *altered = &APR_ARRAY_IDX(all, i, cm_altered_t);

        if (!is_known(known, altered))
            APR_ARRAY_PUSH(*news, cm_altered_t) = *altered;
    }
    if (!(*news)->nelts)
        return NULL;
    CM_TRY_FOR(write_all(node, *news, result_pool), result_pool,
               "cannot note which columns change values");
    return NULL;
}

cm_error_t *cm_altered_list(apr_array_header_t **all, cm_node_t *node,
                            apr_pool_t *result_pool)
{
    apr_array_header_t *read;
    int i;

    CM_TRY(read_all(&read, node, result_pool));
    *all = apr_array_make(result_pool, 4, sizeof(cm_altered_t));
    for (i = 0; i < read->nelts; i++) {
        const cm_altered_t *altered = &APR_ARRAY_IDX(read, i, cm_altered_t);
        const cm_model_t *model =
            cm_settings_model(node->settings, altered->model);

        if (model && cm_settings_model_carries(model, altered->column))
            APR_ARRAY_PUSH(*all, cm_altered_t) = *altered;
    }
    return NULL;
}
