/* Deletes that are queued once more: see internal.h. */
#include "outbox/internal.h"

#include <apr_strings.h>

#include "outbox/append.h"

/* Deletes that are queued in one transaction. */
#define CHUNK_ROWS 500

/* Set *LAST to the original_id of the last deleted record of the next chunk
 * behind AFTER; NULL: there are no more chunks. */
static cm_error_t *find_tombstone(const char **last, cm_node_t *node,
                                  const cm_model_t *model, const char *after,
                                  apr_pool_t *pool)
{
    const cm_datum_t argument = cm_datum_text(after);
    const cm_records_t *records;
    cm_rows_t *rows;

    CM_TRY(cm_node_records(&records, node, model->type, pool));
    CM_TRY(cm_statement_select(
        &rows, node->store,
        apr_psprintf(pool,
                     "SELECT original_id FROM %s WHERE deleted_at > 0"
                     " AND original_id > %%s"
                     " ORDER BY original_id LIMIT 1 OFFSET %d",
                     records->table, CHUNK_ROWS - 1),
        &argument, 1, pool));
    *last = rows->count ? cm_cell_text(rows, 0, 0) : NULL;
    return NULL;
}

cm_error_t *cm_publish_deletes(cm_node_t *node, const cm_model_t *model,
                               apr_pool_t *scratch_pool)
{
    const char *after = "", *last = NULL;
    apr_pool_t *iterpool;

    if (!model->deletes)
        return NULL;
    apr_pool_create(&iterpool, scratch_pool);
    do {
        apr_pool_clear(iterpool);
        CM_TRY(find_tombstone(&last, node, model, after, scratch_pool));
        CM_TRY(cm_transaction_begin(node->store, iterpool));
        CM_TRY(cm_transaction_end(
            node->store,
            cm_append_tombstones(node, model, after, last, iterpool),
            iterpool));
        after = last;
    } while (last);
    apr_pool_destroy(iterpool);
    return NULL;
}

cm_error_t *cm_publish_deletes_of(apr_int64_t *count, cm_node_t *node,
                                  const cm_model_t *model,
                                  const apr_array_header_t *identities,
                                  apr_pool_t *pool)
{
    cm_bulk_t *list = cm_append_create(pool);
    int i;

    for (i = 0; i < identities->nelts; i++) {
        const cm_append_t message = cm_append_delete(
            model, APR_ARRAY_IDX(identities, i, cm_identity_t), pool);

        cm_append_add(list, &message);
    }
    CM_TRY(cm_transaction_begin(node->store, pool));
    return cm_transaction_end(node->store,
                              cm_append_write(count, node, list, pool), pool);
}
