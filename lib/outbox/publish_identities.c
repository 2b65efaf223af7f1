/* Publishing records that are named as peers name them: see publish.h. */
#include "outbox/publish.h"

#include <apr_strings.h>

#include "store/bulk.h"

static const cm_bulk_column_t delete_columns[] = {
    {"model", NULL},      {"action", NULL},    {"body", NULL},
    {"changed", NULL},    {"clock", "bigint"}, {"origin", NULL},
    {"original_id", NULL}};

/* Say the deletes of MAPPINGS (cm_mapping_t *) again. */
static cm_error_t *publish_deletes(apr_int64_t *count, cm_node_t *node,
                                   const cm_model_t *model,
                                   const apr_array_header_t *mappings,
                                   apr_pool_t *pool)
{
    const char *body = apr_pstrcat(pool, "{\"", model->name, "\":{}}", NULL);
    cm_bulk_t *bulk =
        cm_bulk_create("outbound_messages", delete_columns, 7, 0, pool);
    int i;

    for (i = 0; i < mappings->nelts; i++) {
        const cm_mapping_t *mapping =
            APR_ARRAY_IDX(mappings, i, const cm_mapping_t *);

        cm_bulk_add(bulk, cm_datum_text(model->name));
        cm_bulk_add(bulk, cm_datum_text("delete"));
        cm_bulk_add(bulk, cm_datum_text(body));
        cm_bulk_add(bulk, cm_datum_text("[]"));
        cm_bulk_add(bulk, cm_datum_number(0, pool));
        cm_bulk_add(bulk, cm_datum_text(mapping->identity.origin));
        cm_bulk_add(bulk, cm_datum_text(mapping->identity.original_id));
    }
    CM_TRY(cm_transaction_begin(node->store, pool));
    return cm_transaction_end(
        node->store,
        cm_bulk_insert(count, node->store, bulk, CM_PRESENT_FAIL, pool), pool);
}

cm_error_t *cm_publish_identities(apr_int64_t *published, cm_node_t *node,
                                  const cm_model_t *model,
                                  const apr_array_header_t *names,
                                  apr_pool_t *scratch_pool)
{
    apr_array_header_t *ids =
        apr_array_make(scratch_pool, names->nelts + 1, sizeof(const char *));
    apr_array_header_t *deleted =
        apr_array_make(scratch_pool, 4, sizeof(cm_mapping_t *));
    apr_int64_t deletes = 0;
    apr_hash_index_t *at;
    apr_hash_t *found;

    CM_TRY(
        cm_mapping_by_identity(&found, node, model->type, names, scratch_pool));
    for (at = apr_hash_first(scratch_pool, found); at; at = apr_hash_next(at)) {
        cm_mapping_t *mapping = apr_hash_this_val(at);

        if (mapping->local_id)
            APR_ARRAY_PUSH(ids, const char *) = mapping->local_id;
        else if (mapping->deleted_at && model->deletes)
            APR_ARRAY_PUSH(deleted, cm_mapping_t *) = mapping;
    }
    CM_TRY(cm_publish_records(published, node, model, ids, scratch_pool));
    if (deleted->nelts)
        CM_TRY_FOR(
            publish_deletes(&deletes, node, model, deleted, scratch_pool),
            scratch_pool, "cannot publish the deletes of model '%s'",
            model->name);
    *published += deletes;
    return NULL;
}
