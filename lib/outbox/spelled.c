/* Keys in another spelling: see spelled.h. */
#include "outbox/spelled.h"

#include <string.h>

#include "base/id_set.h"
#include "record/keys.h"
#include "node/mapping.h"

/* Return whether different values of the key can be equal: texts by their
 * collation, numbers with more or fewer zeros. */
static int may_differ(const cm_table_t *table)
{
    return table->key_count == 1 &&
           (table->keys[0]->value_class == CM_CLASS_TEXT ||
            table->keys[0]->value_class == CM_CLASS_DECIMAL);
}

static cm_error_t *select_keys(cm_rows_t **rows, cm_keys_t **keys,
                               cm_node_t *node, const cm_table_t *table,
                               const apr_array_header_t *ids, apr_pool_t *pool)
{
    int i;

    *keys = cm_keys_create(node->store, table, pool);
    for (i = 0; i < ids->nelts; i++) {
        const char *id = APR_ARRAY_IDX(ids, i, const char *);

        cm_keys_add(*keys, id, id, 0);
    }
    CM_TRY_FOR(cm_keys_select(rows, *keys, NULL, 0, pool), pool,
               "cannot look for the records of '%s'", table->model->name);
    return NULL;
}

/* Return whether one of ROWS has a key that is not among KEYS. */
static int has_other(const cm_rows_t *rows, const cm_keys_t *keys)
{
    int i;

    for (i = 0; i < rows->count; i++)
        if (!cm_keys_find(keys, cm_cell_text(rows, i, 0)))
            return 1;
    return 0;
}

/* One query says whether there are any, which is rare; one for each id then
 * says which. */
cm_error_t *cm_spelled_find(apr_hash_t **found, cm_node_t *node,
                            const cm_model_t *model,
                            const apr_array_header_t *local_ids,
                            apr_pool_t *result_pool)
{
    apr_array_header_t *one =
        apr_array_make(result_pool, 1, sizeof(const char *));
    const cm_table_t *table;
    cm_keys_t *keys;
    cm_rows_t *rows;
    int i;

    *found = apr_hash_make(result_pool);
    if (!local_ids->nelts)
        return NULL;
    CM_TRY(cm_node_table(&table, node, model, result_pool));
    if (!may_differ(table))
        return NULL;
    CM_TRY(select_keys(&rows, &keys, node, table, local_ids, result_pool));
    if (!has_other(rows, keys))
        return NULL;
    for (i = 0; i < local_ids->nelts; i++) {
        const char *id = APR_ARRAY_IDX(local_ids, i, const char *);

        apr_array_clear(one);
        APR_ARRAY_PUSH(one, const char *) = id;
        CM_TRY(select_keys(&rows, &keys, node, table, one, result_pool));
        if (rows->count == 1 && has_other(rows, keys))
            apr_hash_set(*found, id, APR_HASH_KEY_STRING,
                         cm_cell_text(rows, 0, 0));
    }
    return NULL;
}

cm_error_t *cm_spelled_mappings(apr_hash_t **found, cm_node_t *node,
                                const cm_model_t *model,
                                const apr_array_header_t *local_ids,
                                apr_pool_t *result_pool)
{
    cm_id_set_t *keys = cm_id_set_create(4, result_pool);
    apr_array_header_t *missing =
        apr_array_make(result_pool, 4, sizeof(const char *));
    apr_hash_t *spelled, *more;
    apr_hash_index_t *at;
    int i;

    CM_TRY(cm_mapping_by_local_id(found, node, model->type, local_ids,
                                  result_pool));
    for (i = 0; i < local_ids->nelts; i++) {
        const char *id = APR_ARRAY_IDX(local_ids, i, const char *);

        if (!apr_hash_get(*found, id, APR_HASH_KEY_STRING))
            APR_ARRAY_PUSH(missing, const char *) = id;
    }
    CM_TRY(cm_spelled_find(&spelled, node, model, missing, result_pool));
    for (at = apr_hash_first(result_pool, spelled); at; at = apr_hash_next(at))
        cm_id_set_add(keys, apr_hash_this_val(at));
    CM_TRY(cm_mapping_by_local_id(&more, node, model->type, keys->ids,
                                  result_pool));
    for (at = apr_hash_first(result_pool, spelled); at; at = apr_hash_next(at))
        apr_hash_set(
            *found, apr_hash_this_key(at), APR_HASH_KEY_STRING,
            apr_hash_get(more, apr_hash_this_val(at), APR_HASH_KEY_STRING));
    return NULL;
}
