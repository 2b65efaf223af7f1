/* Rows that hold a record: see holder.h. */
#include "operate/holder.h"

#include <string.h>

#include <apr_strings.h>

#include "base/buffer.h"
#include "node/mapping.h"
#include "record/keys.h"

/* A foreign key that leads to the table of the record. */
typedef struct search_t {
    const cm_catalog_table_t *child;
    const cm_catalog_foreign_t *foreign;
    const apr_array_header_t *key; /* of CHILD: const char * */
} search_t;

/* Return the names COLUMNS of the row "c" as a list. */
static const char *list_of(const apr_array_header_t *columns,
                           const cm_store_t *store, apr_pool_t *pool)
{
    const char *list = "";
    int i;

    for (i = 0; i < columns->nelts; i++)
        list = apr_pstrcat(
            pool, list, i ? ", c." : "c.",
            cm_store_quote(store, APR_ARRAY_IDX(columns, i, const char *),
                           pool),
            NULL);
    return list;
}

/* Return the condition that the row "c" refers to "t". */
static const char *condition_of(const cm_catalog_foreign_t *foreign,
                                const cm_store_t *store, apr_pool_t *pool)
{
    const char *sql = "";
    int i;

    for (i = 0; i < foreign->columns->nelts; i++) {
        const char *column = APR_ARRAY_IDX(foreign->columns, i, const char *);
        const char *that = APR_ARRAY_IDX(foreign->those, i, const char *);

        sql = apr_pstrcat(pool, sql, i ? " AND c." : "c.",
                          cm_store_quote(store, column, pool), " = t.",
                          cm_store_quote(store, that, pool), NULL);
    }
    return sql;
}

/* Write the columns of the key of the first row that SEARCH finds, each as a
 * query of its own. */
static void write_search(cm_buffer_t *sql, const search_t *search,
                         const cm_store_t *store, apr_pool_t *pool)
{
    const char *from = apr_pstrcat(
        pool, " FROM ", cm_store_quote_table(store, search->child->name, pool),
        " AS c WHERE ", condition_of(search->foreign, store, pool),
        " ORDER BY ", list_of(search->key, store, pool), " LIMIT 1)", NULL);
    int i;

    for (i = 0; i < search->key->nelts; i++) {
        const char *column = cm_store_quote(
            store, APR_ARRAY_IDX(search->key, i, const char *), pool);

        cm_buffer_raw(sql, sql->size ? ", (SELECT c." : "(SELECT c.");
        cm_buffer_raw(sql, column);
        cm_buffer_raw(sql, from);
    }
}

static int is_complete(const cm_catalog_foreign_t *foreign)
{
    int i;

    for (i = 0; i < foreign->those->nelts; i++)
        if (!APR_ARRAY_IDX(foreign->those, i, const char *))
            return 0;
    return 1;
}

/* Return the foreign keys of CATALOG that refuse deletes of rows of PARENT:
 * search_t. */
static apr_array_header_t *searches_of(const cm_catalog_t *catalog,
                                       const cm_catalog_table_t *parent,
                                       apr_pool_t *pool)
{
    apr_array_header_t *searches = apr_array_make(pool, 4, sizeof(search_t));
    int i, j;

    for (i = 0; i < catalog->tables->nelts; i++) {
        const cm_catalog_table_t *child =
            APR_ARRAY_IDX(catalog->tables, i, cm_catalog_table_t *);
        const cm_catalog_unique_t *key = cm_catalog_primary(child);

        for (j = 0; j < child->foreign->nelts; j++) {
            const cm_catalog_foreign_t *foreign =
                &APR_ARRAY_IDX(child->foreign, j, cm_catalog_foreign_t);

            if (foreign->refuses && !strcmp(foreign->parent, parent->name) &&
                is_complete(foreign))
                APR_ARRAY_PUSH(searches, search_t) = (search_t){
                    child, foreign, key ? key->columns : foreign->columns};
        }
    }
    return searches;
}

/* Return what the first of SEARCHES has found that has found anything: in the
 * only row of ROWS, behind its key. NULL: nothing. */
static const char *read_holder(const apr_array_header_t *searches,
                               const cm_rows_t *rows, apr_pool_t *pool)
{
    int cell = 1, i, j;

    for (i = 0; i < searches->nelts; i++) {
        const search_t *search = &APR_ARRAY_IDX(searches, i, search_t);
        const char *text = search->child->name;

        if (!cm_cell_text(rows, 0, cell)) {
            cell += search->key->nelts;
            continue;
        }
        for (j = 0; j < search->key->nelts; j++) {
            const char *value = cm_cell_text(rows, 0, cell + j);

            text = apr_pstrcat(pool, text, j ? "," : " ",
                               value ? value : "NULL", NULL);
        }
        return text;
    }
    return NULL;
}

cm_error_t *cm_holder_find(const char **holder, cm_node_t *node,
                           const cm_catalog_t *catalog,
                           const cm_parked_row_t *row, apr_pool_t *pool)
{
    const cm_model_t *model =
        cm_settings_model(node->settings, row->message.model);
    const cm_catalog_table_t *parent =
        model ? cm_catalog_table(catalog, model->table) : NULL;
    cm_buffer_t *sql = cm_buffer_create(256, pool);
    const apr_array_header_t *searches;
    cm_mapping_t *mapping;
    const cm_table_t *table;
    cm_keys_t *keys;
    cm_rows_t *rows;
    int i;

    *holder = NULL;
    if (!parent)
        return NULL;
    searches = searches_of(catalog, parent, pool);
    CM_TRY(cm_mapping_of_identity(&mapping, node, model->type,
                                  row->message.identity, pool));
    if (!searches->nelts || !mapping || !mapping->local_id)
        return NULL;
    for (i = 0; i < searches->nelts; i++)
        write_search(sql, &APR_ARRAY_IDX(searches, i, search_t), node->store,
                     pool);
    cm_buffer_append(sql, "", 1);
    CM_TRY(cm_node_table(&table, node, model, pool));
    keys = cm_keys_create(node->store, table, pool);
    cm_keys_add(keys, mapping->local_id, "", 0);
    CM_TRY(cm_keys_select(&rows, keys, sql->data, 0, pool));
    if (rows->count)
        *holder = read_holder(searches, rows, pool);
    return NULL;
}
