/* Messages that are held back from a peer: see withheld.h. */
#include "outbox/withheld_internal.h"

#include <errno.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "node/conflict.h"
#include "node/peer.h"

#define FMT          "%" APR_INT64_T_FMT
#define MOST_COUNTED 10000

static const char *const refusers[] = {"peer", "proxy", "here"};

const char *cm_withheld_refuser_name(cm_refuser_e refuser)
{
    return refusers[refuser];
}

static cm_refuser_e refuser_of(const char *name)
{
    int i;

    for (i = CM_REFUSER_PEER; i < CM_REFUSER_HERE; i++)
        if (!strcmp(name, refusers[i]))
            break;
    return (cm_refuser_e)i;
}

/* Return SEQS as they stand in "IN (...)". */
static const char *list_of(const apr_array_header_t *seqs, apr_pool_t *pool)
{
    apr_array_header_t *texts =
        apr_array_make(pool, seqs->nelts, sizeof(const char *));
    int i;

    for (i = 0; i < seqs->nelts; i++)
        APR_ARRAY_PUSH(texts, const char *) = apr_psprintf(
            pool, i ? ", " FMT : FMT, APR_ARRAY_IDX(seqs, i, apr_int64_t));
    return apr_array_pstrcat(pool, texts, 0);
}

apr_array_header_t *cm_withheld_numbers(const cm_rows_t *rows, apr_pool_t *pool)
{
    apr_array_header_t *seqs =
        apr_array_make(pool, rows->count, sizeof(apr_int64_t));
    int i;

    for (i = 0; i < rows->count; i++)
        APR_ARRAY_PUSH(seqs, apr_int64_t) = cm_cell_number(rows, i, 0);
    return seqs;
}

cm_error_t *cm_withheld_end(cm_node_t *node, const char *peer,
                            const cm_rows_t *rows, apr_pool_t *pool)
{
    const cm_datum_t argument = cm_datum_text(peer);

    if (!rows->count)
        return NULL;
    return cm_statement_run(
        NULL, node->store,
        apr_psprintf(pool,
                     "UPDATE communicator_withheld SET ended_at = " FMT
                     " WHERE peer = %%s AND seq IN (%s)",
                     cm_clocks_now(),
                     list_of(cm_withheld_numbers(rows, pool), pool)),
        &argument, 1, pool);
}

/* End what older messages of the records of the numbers in LIST say. */
static cm_error_t *end_older(cm_node_t *node, const char *peer,
                             const char *list, apr_pool_t *pool)
{
    const cm_datum_t argument = cm_datum_text(peer);
    cm_rows_t *rows;

    CM_TRY(cm_statement_select(
        &rows, node->store,
        apr_psprintf(pool,
                     "SELECT DISTINCT o.seq FROM communicator_withheld AS n"
                     " JOIN communicator_withheld AS o"
                     " ON o.original_id = n.original_id AND o.origin = n.origin"
                     " AND o.model = n.model AND o.peer = n.peer"
                     " AND o.seq < n.seq"
                     " WHERE n.peer = %%s AND n.seq IN (%s)"
                     " AND o.ended_at = 0",
                     list),
        &argument, 1, pool));
    return cm_withheld_end(node, peer, rows, pool);
}

static cm_error_t *add(cm_node_t *node, const char *peer,
                       const apr_array_header_t *seqs, cm_refuser_e refuser,
                       const char *reason, apr_pool_t *pool)
{
    const char *list = list_of(seqs, pool);
    const cm_datum_t arguments[] = {cm_datum_text(peer),
                                    cm_datum_text(refusers[refuser]),
                                    cm_datum_text(reason), cm_datum_text(peer)};
    cm_peer_t *row;

    CM_TRY(cm_peer_load(&row, node, peer, 1, pool));
    CM_TRY(cm_statement_run(
        NULL, node->store,
        apr_psprintf(pool,
                     "INSERT INTO communicator_withheld (peer, refused_by,"
                     " reason, seq, model, action, local_record_id, origin,"
                     " original_id, withheld_at)"
                     " SELECT %%s, %%s, %%s, seq, model, action,"
                     " local_record_id, origin, original_id, " FMT
                     " FROM outbound_messages WHERE seq IN (%s)"
                     " AND NOT EXISTS (SELECT 1 FROM communicator_withheld AS w"
                     " WHERE w.peer = %%s AND w.seq = outbound_messages.seq)",
                     cm_clocks_now(), list),
        arguments, 4, pool));
    return end_older(node, peer, list, pool);
}

cm_error_t *cm_withheld_add(cm_node_t *node, const char *peer,
                            const apr_array_header_t *seqs,
                            cm_refuser_e refuser, const char *reason,
                            apr_pool_t *scratch_pool)
{
    if (!seqs->nelts)
        return NULL;
    CM_TRY(cm_transaction_begin(node->store, scratch_pool));
    CM_TRY_FOR(
        cm_transaction_end(node->store,
                           add(node, peer, seqs, refuser, reason, scratch_pool),
                           scratch_pool),
        scratch_pool, "cannot note that messages are held back from '%s'",
        peer);
    return NULL;
}

cm_error_t *cm_withheld_list(apr_array_header_t **rows, cm_node_t *node,
                             const char *peer, int limit,
                             apr_pool_t *result_pool)
{
    const cm_datum_t argument = cm_datum_text(peer);
    cm_rows_t *read;
    int i;

    CM_TRY_FOR(cm_statement_select(
                   &read, node->store,
                   apr_psprintf(result_pool,
                                "SELECT peer, seq, model, action,"
                                " local_record_id, origin, original_id,"
                                " refused_by, reason, withheld_at"
                                " FROM communicator_withheld"
                                " WHERE ended_at = 0%s"
                                " ORDER BY peer, seq LIMIT %d",
                                peer ? " AND peer = %s" : "", limit),
                   &argument, peer ? 1 : 0, result_pool),
               result_pool, "cannot list what is held back from peers");
    *rows = apr_array_make(result_pool, read->count, sizeof(cm_withheld_t));
    for (i = 0; i < read->count; i++) {
        cm_withheld_t *row = apr_array_push(*rows);

        row->peer = cm_cell_text(read, i, 0);
        row->seq = cm_cell_number(read, i, 1);
        row->model = cm_cell_text(read, i, 2);
        row->action = cm_cell_text(read, i, 3);
        row->local_id = cm_cell_text(read, i, 4);
        row->identity.origin = cm_cell_text(read, i, 5);
        row->identity.original_id = cm_cell_text(read, i, 6);
        row->refuser = refuser_of(cm_cell_text(read, i, 7));
        row->reason = cm_cell_text(read, i, 8);
        row->withheld_at = cm_cell_number(read, i, 9);
    }
    return NULL;
}

cm_error_t *cm_withheld_count(cm_withheld_sum_t *sum, cm_node_t *node,
                              const char *peer, apr_pool_t *scratch_pool)
{
    const cm_datum_t argument = cm_datum_text(peer);
    cm_rows_t *rows;

    CM_TRY_FOR(cm_statement_select(
                   &rows, node->store,
                   apr_psprintf(scratch_pool,
                                "SELECT count(*), min(seq) FROM (SELECT seq"
                                " FROM communicator_withheld"
                                " WHERE ended_at = 0%s ORDER BY peer, seq"
                                " LIMIT %d) AS counted",
                                peer ? " AND peer = %s" : "", MOST_COUNTED),
                   &argument, peer ? 1 : 0, scratch_pool),
               scratch_pool, "cannot count what is held back from peers");
    sum->count = cm_cell_number(rows, 0, 0);
    sum->first = cm_cell_number(rows, 0, 1);
    return NULL;
}

const char *cm_withheld_sum_text(const cm_withheld_sum_t *sum, apr_pool_t *pool)
{
    return sum->first ? apr_psprintf(pool, FMT " " FMT, sum->count, sum->first)
                      : apr_psprintf(pool, FMT, sum->count);
}

cm_withheld_sum_t cm_withheld_sum_read(const char *text)
{
    cm_withheld_sum_t sum = {-1, 0};
    char *end;

    if (!text || !apr_isdigit(*text))
        return sum;
    errno = 0;
    sum.count = apr_strtoi64(text, &end, 10);
    if (*end == ' ' && apr_isdigit(end[1]))
        sum.first = apr_strtoi64(end + 1, &end, 10);
    if (errno || *end || sum.first > CM_SEQ_MAX)
        sum = (cm_withheld_sum_t){-1, 0};
    return sum;
}

static cm_error_t *discard(cm_node_t *node, const char *peer, apr_int64_t seq,
                           apr_pool_t *pool)
{
    const cm_datum_t arguments[] = {cm_datum_text(peer),
                                    cm_datum_number(seq, pool)};
    cm_peer_t *row;
    cm_rows_t *rows;

    CM_TRY(cm_peer_load(&row, node, peer, 1, pool));
    CM_TRY(cm_statement_select(
        &rows, node->store,
        "SELECT w.seq, w.model, w.origin, w.original_id, w.action, o.clock,"
        " o.clocks, o.base, o.refs, o.body, w.reason, w.local_record_id"
        " FROM communicator_withheld AS w"
        " LEFT JOIN outbound_messages AS o ON o.seq = w.seq"
        " WHERE w.peer = %s AND w.seq = %s AND w.ended_at = 0",
        arguments, 2, pool));
    if (!rows->count)
        return CM_FAIL(pool, CM_USAGE,
                       "message " FMT " is not held back from '%s'", seq, peer);
    CM_TRY(cm_conflict_keep_message(node, peer, rows, cm_cell_text(rows, 0, 11),
                                    pool));
    return cm_statement_run(NULL, node->store,
                            apr_psprintf(pool,
                                         "UPDATE communicator_withheld"
                                         " SET ended_at = " FMT
                                         " WHERE peer = %%s AND seq = %%s",
                                         cm_clocks_now()),
                            arguments, 2, pool);
}

cm_error_t *cm_withheld_discard(cm_node_t *node, const char *peer,
                                apr_int64_t seq, apr_pool_t *scratch_pool)
{
    CM_TRY(cm_transaction_begin(node->store, scratch_pool));
    CM_TRY_FOR(
        cm_transaction_end(node->store, discard(node, peer, seq, scratch_pool),
                           scratch_pool),
        scratch_pool, "cannot discard message " FMT " for '%s'", seq, peer);
    return NULL;
}
