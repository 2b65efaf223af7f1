/* Reviving a deleted record: see revive.h. */
#include "inbox/revive.h"

#include <apr_strings.h>

#include "outbox/missing.h"
#include "outbox/publish.h"
#include "inbox/inbox.h"

/* Add the deleted records of MODEL that have ID at ORIGIN, of all lives. */
static cm_error_t *find_deleted(apr_array_header_t *identities, cm_node_t *node,
                                const cm_model_t *model, cm_identity_t identity,
                                apr_pool_t *pool)
{
    const char *first = apr_pstrcat(pool, identity.original_id, "\x1f", NULL);
    const char *last = apr_pstrcat(pool, identity.original_id, "\x20", NULL);
    const cm_datum_t arguments[] = {cm_datum_text(identity.origin),
                                    cm_datum_text(identity.original_id),
                                    cm_datum_text(first), cm_datum_text(last)};
    const cm_records_t *records;
    cm_rows_t *rows;
    int i;

    CM_TRY(cm_node_records(&records, node, model->type, pool));
    CM_TRY(cm_statement_select(
        &rows, node->store,
        apr_pstrcat(pool, "SELECT original_id FROM ", records->table,
                    " WHERE origin = %s AND deleted_at IS NOT NULL AND"
                    " (original_id = %s OR (original_id > %s AND"
                    " original_id < %s)) ORDER BY original_id",
                    NULL),
        arguments, 4, pool));
    for (i = 0; i < rows->count; i++)
        APR_ARRAY_PUSH(identities, cm_identity_t) =
            (cm_identity_t){identity.origin, cm_cell_text(rows, i, 0)};
    return NULL;
}

cm_error_t *cm_inbox_revive_find(apr_array_header_t **identities,
                                 cm_node_t *node, const cm_model_t *model,
                                 const char *origin, const char *id,
                                 apr_pool_t *result_pool)
{
    apr_array_header_t *ids =
        apr_array_make(result_pool, 1, sizeof(const char *));
    const cm_mapping_t *mapping;
    cm_identity_t identity = {origin, id};
    apr_hash_t *found;

    *identities = apr_array_make(result_pool, 2, sizeof(cm_identity_t));
    if (!origin) {
        APR_ARRAY_PUSH(ids, const char *) = id;
        CM_TRY(cm_mapping_by_local_id(&found, node, model->type, ids,
                                      result_pool));
        mapping = apr_hash_get(found, id, APR_HASH_KEY_STRING);
        if (mapping) {
            APR_ARRAY_PUSH(*identities, cm_identity_t) = mapping->identity;
            return NULL;
        }
        identity =
            cm_mapping_identity_of_local(node, model, id, 1, result_pool);
    }
    return find_deleted(*identities, node, model, identity, result_pool);
}

/* Decide for the row here against each delete of IDENTITY that is parked. */
static cm_error_t *revive_parked(int *revived, cm_node_t *node,
                                 const cm_model_t *model,
                                 cm_identity_t identity, apr_pool_t *pool)
{
    const cm_datum_t arguments[] = {cm_datum_text(identity.original_id),
                                    cm_datum_text(identity.origin),
                                    cm_datum_text(model->name)};
    cm_rows_t *rows;
    int i;

    CM_TRY(cm_statement_select(
        &rows, node->store,
        "SELECT peer, id FROM inbound_messages WHERE processed_at IS NULL"
        " AND action = 'delete' AND original_id = %s AND origin = %s"
        " AND model = %s ORDER BY peer, id",
        arguments, 3, pool));
    for (i = 0; i < rows->count; i++) {
        apr_array_header_t *ids = apr_array_make(pool, 1, sizeof(apr_int64_t));
        cm_receipt_t *receipt;

        APR_ARRAY_PUSH(ids, apr_int64_t) = cm_cell_number(rows, i, 1);
        CM_TRY(cm_inbox_retry_decided(&receipt, node, cm_cell_text(rows, i, 0),
                                      ids, CM_DECIDE_REVIVE, pool));
        *revived |= !receipt->parked->nelts;
    }
    return NULL;
}

/* The row that MAPPING keeps belongs to no record any more. */
static cm_error_t *free_row(cm_node_t *node, const cm_model_t *model,
                            cm_mapping_t *mapping,
                            const apr_array_header_t *ids, apr_pool_t *pool)
{
    apr_array_header_t *one = apr_array_make(pool, 1, sizeof(cm_mapping_t *));
    apr_int64_t last_seq;

    CM_TRY(cm_node_lock(&last_seq, node, pool));
    mapping->local_id = NULL;
    mapping->changed = 1;
    APR_ARRAY_PUSH(one, cm_mapping_t *) = mapping;
    CM_TRY(cm_mapping_save(node, one, pool));
    return cm_missing_note(node, model, ids, pool);
}

/* Publish the row that was kept when the delete of IDENTITY was discarded. */
static cm_error_t *revive_kept(int *revived, cm_node_t *node,
                               const cm_model_t *model, cm_identity_t identity,
                               apr_pool_t *pool)
{
    apr_array_header_t *ids = apr_array_make(pool, 1, sizeof(const char *));
    apr_int64_t published;
    cm_mapping_t *mapping;

    CM_TRY(cm_mapping_of_identity(&mapping, node, model->type, identity, pool));
    if (!mapping || !cm_mapping_is_kept(mapping))
        return NULL;
    APR_ARRAY_PUSH(ids, const char *) = mapping->local_id;
    CM_TRY(cm_transaction_begin(node->store, pool));
    CM_TRY(cm_transaction_end(node->store,
                              free_row(node, model, mapping, ids, pool), pool));
    CM_TRY(cm_publish_records(&published, node, model, ids, pool));
    *revived = published > 0;
    return NULL;
}

cm_error_t *cm_inbox_revive(apr_int64_t *revived, cm_node_t *node,
                            const cm_model_t *model,
                            const apr_array_header_t *identities,
                            apr_pool_t *scratch_pool)
{
    int i;

    *revived = 0;
    for (i = 0; i < identities->nelts; i++) {
        const cm_identity_t identity =
            APR_ARRAY_IDX(identities, i, cm_identity_t);
        int done = 0;

        CM_TRY_FOR(revive_parked(&done, node, model, identity, scratch_pool),
                   scratch_pool, "cannot revive record '%s' of '%s'",
                   identity.original_id, identity.origin);
        if (!done)
            CM_TRY_FOR(revive_kept(&done, node, model, identity, scratch_pool),
                       scratch_pool, "cannot revive record '%s' of '%s'",
                       identity.original_id, identity.origin);
        *revived += done;
    }
    return NULL;
}
