/* Messages that are held back, where messages leave: see withheld.h. */
#include <apr_strings.h>

#include "outbox/withheld_internal.h"

#include "outbox/publish.h"

#define FMT "%" APR_INT64_T_FMT

cm_error_t *cm_withheld_seqs_find(apr_array_header_t **seqs, cm_node_t *node,
                                  const char *peer, apr_int64_t after,
                                  apr_int64_t last, apr_pool_t *result_pool)
{
    const cm_datum_t argument = cm_datum_text(peer);
    cm_rows_t *rows;

    CM_TRY_FOR(
        cm_statement_select(&rows, node->store,
                            apr_psprintf(result_pool,
                                         "SELECT seq FROM communicator_withheld"
                                         " WHERE peer = %%s AND seq > " FMT
                                         " AND seq <= " FMT " ORDER BY seq",
                                         after, last),
                            &argument, 1, result_pool),
        result_pool, "cannot read what is held back from '%s'", peer);
    *seqs = cm_withheld_numbers(rows, result_pool);
    return NULL;
}

cm_error_t *cm_withheld_seqs_not(apr_array_header_t **seqs, cm_node_t *node,
                                 const char *peer, apr_int64_t after,
                                 apr_int64_t last, int limit,
                                 apr_pool_t *result_pool)
{
    const cm_datum_t arguments[] = {cm_datum_text(peer), cm_datum_text(peer)};
    const char *end =
        last ? apr_psprintf(result_pool, " AND seq <= " FMT, last) : "";
    cm_rows_t *rows;

    CM_TRY_FOR(
        cm_statement_select(
            &rows, node->store,
            apr_psprintf(result_pool,
                         "SELECT seq FROM outbound_messages"
                         " WHERE seq > " FMT "%s"
                         " AND (source IS NULL OR source <> %%s)"
                         " AND NOT EXISTS (SELECT 1 FROM communicator_withheld"
                         " AS w WHERE w.peer = %%s"
                         " AND w.seq = outbound_messages.seq)"
                         " ORDER BY seq LIMIT %d",
                         after, end, limit),
            arguments, 2, result_pool),
        result_pool, "cannot read which messages come next for '%s'", peer);
    *seqs = cm_withheld_numbers(rows, result_pool);
    return NULL;
}

cm_error_t *cm_withheld_seqs_sent(apr_int64_t *seq, cm_node_t *node,
                                  const char *peer, apr_int64_t last,
                                  apr_pool_t *scratch_pool)
{
    const cm_datum_t arguments[] = {cm_datum_text(peer), cm_datum_text(peer)};
    cm_rows_t *rows;

    CM_TRY_FOR(
        cm_statement_select(
            &rows, node->store,
            apr_psprintf(scratch_pool,
                         "SELECT seq FROM outbound_messages WHERE seq <= " FMT
                         " AND (source IS NULL OR source <> %%s)"
                         " AND NOT EXISTS (SELECT 1 FROM communicator_withheld"
                         " AS w WHERE w.peer = %%s"
                         " AND w.seq = outbound_messages.seq)"
                         " ORDER BY seq DESC LIMIT 1",
                         last),
            arguments, 2, scratch_pool),
        scratch_pool, "cannot read what was last sent to '%s'", peer);
    *seq = rows->count ? cm_cell_number(rows, 0, 0) : 0;
    return NULL;
}

/* Say whether anything is held back from PEER: mostly nothing is. */
static cm_error_t *is_any(int *any, cm_node_t *node, const char *peer,
                          apr_pool_t *pool)
{
    const cm_datum_t argument = cm_datum_text(peer);
    cm_rows_t *rows;

    CM_TRY(cm_statement_select(&rows, node->store,
                               "SELECT 1 FROM communicator_withheld"
                               " WHERE peer = %s AND ended_at = 0 LIMIT 1",
                               &argument, 1, pool));
    *any = rows->count;
    return NULL;
}

cm_error_t *cm_withheld_seqs_replace(cm_node_t *node, const char *peer,
                                     apr_int64_t after, apr_int64_t last,
                                     apr_pool_t *scratch_pool)
{
    const cm_datum_t arguments[] = {cm_datum_text(peer), cm_datum_text(peer)};
    cm_rows_t *rows;
    int any;

    CM_TRY(is_any(&any, node, peer, scratch_pool));
    if (!any)
        return NULL;
    CM_TRY(cm_statement_select(
        &rows, node->store,
        apr_psprintf(scratch_pool,
                     "SELECT DISTINCT w.seq FROM outbound_messages AS n"
                     " JOIN communicator_withheld AS w"
                     " ON w.original_id = n.original_id AND w.origin = n.origin"
                     " AND w.model = n.model AND w.seq < n.seq"
                     " WHERE n.seq > " FMT " AND n.seq <= " FMT
                     " AND (n.source IS NULL OR n.source <> %%s)"
                     " AND w.peer = %%s AND w.ended_at = 0"
                     " AND NOT EXISTS (SELECT 1 FROM communicator_withheld AS x"
                     " WHERE x.peer = w.peer AND x.seq = n.seq)",
                     after, last),
        arguments, 2, scratch_pool));
    return cm_withheld_end(node, peer, rows, scratch_pool);
}

cm_error_t *cm_withheld_seqs_forget(cm_node_t *node, const char *peer,
                                    apr_int64_t after, apr_pool_t *scratch_pool)
{
    const cm_datum_t arguments[] = {
        cm_datum_text(peer),
        cm_datum_text(cm_withheld_refuser_name(CM_REFUSER_HERE))};

    CM_TRY_FOR(
        cm_statement_run(NULL, node->store,
                         apr_psprintf(scratch_pool,
                                      "DELETE FROM communicator_withheld"
                                      " WHERE peer = %%s AND seq > " FMT
                                      " AND ended_at = 0 AND refused_by <> %%s",
                                      after),
                         arguments, 2, scratch_pool),
        scratch_pool, "cannot try again what was refused by '%s'", peer);
    return NULL;
}

/* Publish the record that ROWS names. */
static cm_error_t *publish(apr_int64_t *published, cm_node_t *node,
                           const cm_rows_t *rows, apr_pool_t *pool)
{
    const char *name = cm_cell_text(rows, 0, 0);
    const cm_identity_t identity = {cm_cell_text(rows, 0, 1),
                                    cm_cell_text(rows, 0, 2)};
    const cm_model_t *model =
        name ? cm_settings_model(node->settings, name) : NULL;
    apr_array_header_t *names = apr_array_make(pool, 1, sizeof(cm_identity_t));

    if (!model)
        return CM_FAIL(pool, CM_USAGE, "model '%s' is not configured here",
                       name ? name : "?");
    APR_ARRAY_PUSH(names, cm_identity_t) = identity;
    if (identity.origin && identity.original_id)
        CM_TRY(cm_publish_identities(published, node, model, names, pool));
    if (*published)
        return NULL;
    return cm_error_hint(
        CM_FAIL(pool, CM_USAGE, "its record of model '%s' is not here", name),
        pool, "communicator-sync discard gives it up");
}

cm_error_t *cm_withheld_seqs_retry(apr_int64_t *published, cm_node_t *node,
                                   const char *peer, apr_int64_t seq,
                                   apr_pool_t *scratch_pool)
{
    const cm_datum_t arguments[] = {cm_datum_text(peer),
                                    cm_datum_number(seq, scratch_pool)};
    cm_rows_t *rows;

    *published = 0;
    CM_TRY(cm_statement_select(&rows, node->store,
                               "SELECT model, origin, original_id"
                               " FROM communicator_withheld WHERE peer = %s"
                               " AND seq = %s AND ended_at = 0",
                               arguments, 2, scratch_pool));
    if (!rows->count)
        return NULL;
    CM_TRY_FOR(publish(published, node, rows, scratch_pool), scratch_pool,
               "cannot send message " FMT " to '%s' again", seq, peer);
    return NULL;
}
