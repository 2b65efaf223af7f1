/* Captured changes that a delete has overtaken: see overtaken.h. */
#include "outbox/overtaken.h"

#include <string.h>

#include <apr_strings.h>

#include "store/bulk.h"
#include "store/dialect.h"
#include "outbox/unstamped.h"

/* Rows of the outbox that are read at a time. */
#define PAGE 5000

static const char *key_of(const char *model, const char *local_id,
                          apr_pool_t *pool)
{
    return apr_pstrcat(pool, model, "\x1f", local_id, NULL);
}

/* Return the keys of GRAVES: key -> "". */
static apr_hash_t *keys_of(const apr_array_header_t *graves, apr_pool_t *pool)
{
    apr_hash_t *keys = apr_hash_make(pool);
    int i;

    for (i = 0; i < graves->nelts; i++) {
        const cm_grave_t *grave = &APR_ARRAY_IDX(graves, i, cm_grave_t);

        apr_hash_set(keys, key_of(grave->model->name, grave->local_id, pool),
                     APR_HASH_KEY_STRING, "");
    }
    return keys;
}

/* Add the ids of those of ROWS (id, model, local_record_id, action) to
 * OVERTAKEN whose record is in GONE. A create says that the application has
 * put the row back: its record is taken out of GONE. */
static void add_overtaken(cm_bulk_t *overtaken, apr_hash_t *gone,
                          const cm_rows_t *rows, apr_pool_t *pool)
{
    int i;

    for (i = 0; i < rows->count; i++) {
        const char *key =
            key_of(cm_cell_text(rows, i, 1), cm_cell_text(rows, i, 2), pool);

        if (!apr_hash_get(gone, key, APR_HASH_KEY_STRING))
            continue;
        if (!strcmp(cm_cell_text(rows, i, 3), "create"))
            apr_hash_set(gone, key, APR_HASH_KEY_STRING, NULL);
        else
            cm_bulk_add(overtaken, *cm_cell(rows, i, 0));
    }
}

/* Read the next captured rows without a number, above the id AFTER. */
static cm_error_t *read_page(cm_rows_t **rows, cm_node_t *node,
                             apr_int64_t after, apr_pool_t *pool)
{
    const cm_dialect_t *dialect = cm_dialect_of_store(node->store);

    return cm_statement_select(
        rows, node->store,
        apr_psprintf(pool,
                     "SELECT id, model, local_record_id, action FROM %s"
                     " WHERE %s AND id > %" APR_INT64_T_FMT
                     " AND local_record_id IS NOT NULL"
                     " AND action IS NOT NULL AND source IS NULL%s LIMIT %d",
                     dialect->unstamped, cm_unstamped_where(node, 0, pool),
                     after, dialect->in_order, PAGE),
        NULL, 0, pool);
}

static cm_error_t *find(cm_bulk_t *overtaken, cm_node_t *node,
                        const apr_array_header_t *graves, apr_pool_t *pool)
{
    apr_hash_t *gone = keys_of(graves, pool);
    apr_int64_t after = 0;
    cm_rows_t *rows;

    do {
        CM_TRY(read_page(&rows, node, after, pool));
        add_overtaken(overtaken, gone, rows, pool);
        if (rows->count)
            after = cm_cell_number(rows, rows->count - 1, 0);
    } while (rows->count == PAGE);
    return NULL;
}

cm_error_t *cm_overtaken_delete(cm_node_t *node,
                                const apr_array_header_t *graves,
                                apr_pool_t *scratch_pool)
{
    static const cm_bulk_column_t columns[] = {{"id", "bigint"}};
    cm_bulk_t *overtaken;
    apr_int64_t deleted;

    if (!graves->nelts)
        return NULL;
    overtaken =
        cm_bulk_create("outbound_messages", columns, 1, 1, scratch_pool);
    CM_TRY_FOR(find(overtaken, node, graves, scratch_pool), scratch_pool,
               "cannot read what was captured of deleted records");
    if (!cm_bulk_rows(overtaken))
        return NULL;
    CM_TRY_FOR(cm_bulk_delete(&deleted, node->store, overtaken, scratch_pool),
               scratch_pool,
               "cannot delete what was captured of deleted records");
    return NULL;
}
