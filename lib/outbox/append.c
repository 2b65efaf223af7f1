/* New messages in the outbox: see append.h. */
#include "outbox/append.h"

#include <string.h>

#include <apr_strings.h>

static const cm_bulk_column_t columns[] = {
    {"seq", "bigint"},   {"model", NULL},  {"local_record_id", NULL},
    {"action", NULL},    {"body", NULL},   {"changed_columns", NULL},
    {"clock", "bigint"}, {"clocks", NULL}, {"base", NULL},
    {"refs", NULL},      {"origin", NULL}, {"original_id", NULL},
    {"source", NULL}};

cm_bulk_t *cm_append_create(apr_pool_t *pool)
{
    return cm_bulk_create("outbound_messages", columns,
                          sizeof(columns) / sizeof(*columns), 0, pool);
}

void cm_append_add(cm_bulk_t *list, const cm_append_t *message)
{
    cm_bulk_row(list, "ztttdtntttttt", message->seq, message->model,
                message->local_id, cm_message_action_name(message->action),
                message->body, message->changed, message->clock,
                message->clocks, message->base, message->refs,
                message->identity.origin, message->identity.original_id,
                message->source);
}

/* Return the body of a delete of MODEL. */
static const char *delete_body(const cm_model_t *model, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "{\"", model->name, "\":{}}", NULL);
}

cm_append_t cm_append_delete(const cm_model_t *model, cm_identity_t identity,
                             apr_pool_t *pool)
{
    return (cm_append_t){.model = model->name,
                         .action = CM_DELETE,
                         .body = cm_datum_text(delete_body(model, pool)),
                         .changed = "[]",
                         .identity = identity};
}

cm_error_t *cm_append_write(apr_int64_t *count, cm_node_t *node,
                            const cm_bulk_t *list, apr_pool_t *scratch_pool)
{
    if (count)
        *count = 0;
    if (!cm_bulk_rows(list))
        return NULL;
    return cm_bulk_insert(count, node->store, list, CM_PRESENT_FAIL,
                          scratch_pool);
}

#define COPIED                                                                 \
    "model, local_record_id, action, body, changed_columns, clock, clocks,"    \
    " base, refs, origin, original_id, source"

cm_error_t *cm_append_copy(cm_node_t *node, apr_int64_t seq, apr_int64_t copy,
                           apr_pool_t *scratch_pool)
{
    return cm_statement_run(
        NULL, node->store,
        apr_psprintf(scratch_pool,
                     "INSERT INTO outbound_messages (seq, " COPIED ") SELECT"
                     " %" APR_INT64_T_FMT ", " COPIED
                     " FROM outbound_messages WHERE seq = %" APR_INT64_T_FMT,
                     copy, seq),
        NULL, 0, scratch_pool);
}

/* Return the SQL of a query, names, for the identities of the deleted records
 * of MODEL in the table RECORDS: all names of each. */
static const char *names_query(const cm_model_t *model, const char *records,
                               const char *last, apr_pool_t *pool)
{
    const char *aliases = apr_pstrcat(
        pool, " UNION SELECT a.origin, a.original_id FROM ", records,
        " AS a JOIN names AS n ON a.same_id = n.original_id"
        " AND a.same_origin = n.origin"
        " WHERE coalesce(a.deleted_at, 0) = 0",
        NULL);

    return apr_pstrcat(
        pool, "WITH RECURSIVE names AS (SELECT origin, original_id FROM ",
        records, " WHERE deleted_at > 0 AND original_id > %s",
        last ? " AND original_id <= %s" : "",
        model->columns.match->nelts ? aliases : "", ")", NULL);
}

cm_error_t *cm_append_tombstones(cm_node_t *node, const cm_model_t *model,
                                 const char *after, const char *last,
                                 apr_pool_t *scratch_pool)
{
    cm_datum_t arguments[4];
    const cm_records_t *records;
    int count = 0;

    arguments[count++] = cm_datum_text(after);
    if (last)
        arguments[count++] = cm_datum_text(last);
    arguments[count++] = cm_datum_text(model->name);
    arguments[count++] = cm_datum_text(delete_body(model, scratch_pool));
    CM_TRY(cm_node_records(&records, node, model->type, scratch_pool));
    return cm_statement_run(
        NULL, node->store,
        apr_pstrcat(scratch_pool,
                    "INSERT INTO outbound_messages (model, action, body,"
                    " changed_columns, clock, origin, original_id) ",
                    names_query(model, records->table, last, scratch_pool),
                    " SELECT %s, 'delete', %s, '[]', 0, origin, original_id"
                    " FROM names ORDER BY original_id, origin",
                    NULL),
        arguments, count, scratch_pool);
}
