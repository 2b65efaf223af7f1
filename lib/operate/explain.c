/* The story of one record: see explain.h. */
#include "operate/explain.h"

#include <string.h>

#include <apr_strings.h>

#include "store/bulk.h"

#define MOST 20

/* Find the mapping, and the identity. A record that is deleted here has no
 * local id any more: it is searched as one that was created here. */
static cm_error_t *find_mapping(cm_story_t *story, cm_identity_t *identity,
                                cm_node_t *node, const cm_model_t *model,
                                const char *origin, const char *id,
                                apr_pool_t *pool)
{
    apr_array_header_t *ids = apr_array_make(pool, 1, sizeof(const char *));
    apr_hash_t *found;

    *identity = (cm_identity_t){origin, id};
    if (!origin) {
        APR_ARRAY_PUSH(ids, const char *) = id;
        CM_TRY(cm_mapping_by_local_id(&found, node, model->type, ids, pool));
        story->mapping = apr_hash_get(found, id, APR_HASH_KEY_STRING);
        *identity = cm_mapping_identity_of_local(node, model, id, 1, pool);
    }
    if (!story->mapping)
        CM_TRY(cm_mapping_of_identity(&story->mapping, node, model->type,
                                      *identity, pool));
    if (story->mapping)
        *identity = story->mapping->identity;
    return NULL;
}

cm_error_t *cm_explain_identity(cm_identity_t *identity, cm_node_t *node,
                                const cm_model_t *model, const char *id,
                                apr_pool_t *result_pool)
{
    cm_story_t story = {.key = id};

    CM_TRY_FOR(
        find_mapping(&story, identity, node, model, NULL, id, result_pool),
        result_pool, "cannot find the record");
    return NULL;
}

static cm_error_t *find_row(cm_story_t *story, cm_node_t *node,
                            const cm_model_t *model, apr_pool_t *pool)
{
    cm_datum_t key = cm_datum_text(story->key);
    const cm_table_t *table;
    cm_rows_t *rows;

    CM_TRY(cm_node_table(&table, node, model, pool));
    CM_TRY(cm_statement_select(&rows, node->store,
                               apr_pstrcat(pool, "SELECT 1 FROM ",
                                           table->quoted, " t WHERE ",
                                           table->key_text, " = %s", NULL),
                               &key, 1, pool));
    story->exists = rows->count > 0;
    return NULL;
}

static cm_error_t *read_messages(cm_story_t *story, cm_node_t *node,
                                 const cm_model_t *model,
                                 cm_identity_t identity, apr_pool_t *pool)
{
    const cm_history_query_t query = {.model = model->name,
                                      .identity = identity,
                                      .local_id = story->key,
                                      .limit = MOST};

    CM_TRY(cm_history_sent(&story->out, node, &query, pool));
    return cm_history_received(&story->in, node, &query, pool);
}

static cm_error_t *read_losses(cm_story_t *story, cm_node_t *node,
                               const cm_model_t *model, cm_identity_t identity,
                               apr_pool_t *pool)
{
    const cm_datum_t arguments[] = {
        cm_datum_text(model->name), cm_datum_text(story->key),
        cm_datum_text(identity.origin), cm_datum_text(identity.original_id)};
    cm_rows_t *rows;
    int i;

    CM_TRY(cm_statement_select(
        &rows, node->store,
        apr_psprintf(pool,
                     "SELECT column_name, lost_value, won_value, lost_clock,"
                     " won_clock, created_at, peer, message_id"
                     " FROM communicator_conflicts WHERE model = %%s"
                     " AND (local_record_id = %%s OR (origin = %%s"
                     " AND original_id = %%s)) ORDER BY id DESC LIMIT %d",
                     MOST),
        arguments, 4, pool));
    story->losses = apr_array_make(pool, rows->count, sizeof(cm_loss_t));
    for (i = 0; i < rows->count; i++) {
        cm_loss_t *loss = apr_array_push(story->losses);

        loss->column = cm_cell_text(rows, i, 0);
        loss->lost = cm_cell_text(rows, i, 1);
        loss->won = cm_cell_text(rows, i, 2);
        loss->lost_clock = cm_cell_number(rows, i, 3);
        loss->won_clock = cm_cell_number(rows, i, 4);
        loss->at = cm_cell_number(rows, i, 5);
        loss->peer = cm_cell_text(rows, i, 6);
        loss->message_id = cm_cell_number(rows, i, 7);
    }
    return NULL;
}

cm_error_t *cm_explain_record(cm_story_t **story, cm_node_t *node,
                              const cm_model_t *model, const char *origin,
                              const char *id, apr_pool_t *result_pool)
{
    cm_story_t *told = apr_pcalloc(result_pool, sizeof(*told));
    cm_identity_t identity;

    CM_TRY(find_mapping(told, &identity, node, model, origin, id, result_pool));
    told->key = origin ? "" : id;
    if (told->mapping && told->mapping->local_id)
        told->key = told->mapping->local_id;
    CM_TRY(find_row(told, node, model, result_pool));
    CM_TRY(read_messages(told, node, model, identity, result_pool));
    CM_TRY(read_losses(told, node, model, identity, result_pool));
    *story = told;
    return NULL;
}
