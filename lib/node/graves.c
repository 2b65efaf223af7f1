/* Which record had an id here: see graves.h. */
#include "node/graves.h"

#include <string.h>

#include <apr_strings.h>

#include "base/id_set.h"
#include "store/bulk.h"

static const cm_bulk_column_t columns[] = {{"local_record_id", "text"},
                                           {"local_record_type", "text"},
                                           {"origin", "text"},
                                           {"original_id", "text"}};

/* Return whether a model refers to MODEL. */
static int is_parent(const cm_settings_t *settings, const cm_model_t *model)
{
    int i, j;

    for (i = 0; i < settings->models->nelts; i++) {
        const cm_model_t *child =
            APR_ARRAY_IDX(settings->models, i, const cm_model_t *);

        for (j = 0; j < child->columns.references->nelts; j++)
            if (cm_settings_refers_to(&APR_ARRAY_IDX(child->columns.references,
                                                     j, cm_reference_t),
                                      model))
                return 1;
    }
    return 0;
}

cm_error_t *cm_graves_add(cm_node_t *node, const apr_array_header_t *graves,
                          apr_pool_t *scratch_pool)
{
    cm_bulk_t *keys =
        cm_bulk_create("communicator_graves", columns, 2, 2, scratch_pool);
    cm_bulk_t *rows =
        cm_bulk_create("communicator_graves", columns, 4, 0, scratch_pool);
    cm_id_set_t *seen = cm_id_set_create(graves->nelts, scratch_pool);
    apr_int64_t count;
    int i;

    for (i = graves->nelts - 1; i >= 0; i--) {
        const cm_grave_t *grave = &APR_ARRAY_IDX(graves, i, cm_grave_t);
        const char *type = grave->model->type;
        const char *key =
            apr_pstrcat(scratch_pool, type, "\x1f", grave->local_id, NULL);

        if (!is_parent(node->settings, grave->model) ||
            !cm_id_set_add(seen, key))
            continue;
        cm_bulk_row(keys, "tt", grave->local_id, type);
        cm_bulk_row(rows, "tttt", grave->local_id, type, grave->identity.origin,
                    grave->identity.original_id);
    }
    if (!cm_bulk_rows(rows))
        return NULL;
    CM_TRY(cm_bulk_delete(&count, node->store, keys, scratch_pool));
    return cm_bulk_insert(&count, node->store, rows, CM_PRESENT_FAIL,
                          scratch_pool);
}

cm_error_t *cm_graves_find(apr_hash_t *found, cm_node_t *node, const char *type,
                           const apr_array_header_t *ids,
                           apr_pool_t *result_pool)
{
    cm_bulk_t *keys =
        cm_bulk_create("communicator_graves", columns, 2, 2, result_pool);
    cm_rows_t *rows;
    int i;

    if (!ids->nelts)
        return NULL;
    for (i = 0; i < ids->nelts; i++)
        cm_bulk_row(keys, "tt", APR_ARRAY_IDX(ids, i, const char *), type);
    CM_TRY(cm_bulk_select(&rows, node->store,
                          "t.local_record_id, t.origin, t.original_id", keys,
                          NULL, 0, result_pool));
    for (i = 0; i < rows->count; i++) {
        cm_mapping_t *mapping = apr_pcalloc(result_pool, sizeof(*mapping));

        mapping->identity.origin = cm_cell_text(rows, i, 1);
        mapping->identity.original_id = cm_cell_text(rows, i, 2);
        apr_hash_set(found, cm_cell_text(rows, i, 0), APR_HASH_KEY_STRING,
                     mapping);
    }
    return NULL;
}
