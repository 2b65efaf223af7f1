/* What is known of a peer: its row in communicator_peers. */
#include "node/peer.h"

#include <apr_strings.h>

#include "base/clock.h"
#include "store/bulk.h"
#include "store/dialect.h"
#include "record/clocks.h"

/* Read the row of NAME; *PEER is NULL when there is none. */
static cm_error_t *read_row(cm_peer_t **peer, cm_node_t *node, const char *name,
                            int lock, apr_pool_t *result_pool)
{
    cm_datum_t argument = cm_datum_text(name);
    cm_rows_t *rows;
    cm_peer_t *read;
    const char *sql;

    sql = apr_pstrcat(
        result_pool,
        "SELECT epoch, confirmed, confirmed_id, received, received_clock,"
        " sent, has_received, last_push_at, last_pull_at, clock_offset, held,"
        " lost, told, told_at,"
        " (SELECT count(*) FROM communicator_problems WHERE subject = name),"
        " status"
        " FROM communicator_peers WHERE name = %s",
        lock ? cm_dialect_of_store(node->store)->for_update : "", NULL);
    CM_TRY_FOR(
        cm_statement_select(&rows, node->store, sql, &argument, 1, result_pool),
        result_pool, "cannot read the cursors of peer '%s'", name);
    *peer = NULL;
    if (!rows->count)
        return NULL;
    read = apr_pcalloc(result_pool, sizeof(*read));
    read->name = apr_pstrdup(result_pool, name);
    read->epoch = cm_cell_text(rows, 0, 0);
    read->confirmed = cm_cell_number(rows, 0, 1);
    read->confirmed_id = cm_cell_number(rows, 0, 2);
    read->received = cm_cell_number(rows, 0, 3);
    read->received_clock = cm_cell_number(rows, 0, 4);
    read->sent = cm_cell_number(rows, 0, 5);
    read->has_received = (int)cm_cell_number(rows, 0, 6);
    read->last_push_at = cm_cell_number(rows, 0, 7);
    read->last_pull_at = cm_cell_number(rows, 0, 8);
    read->clock_offset = cm_cell_number(rows, 0, 9);
    read->held = cm_cell_number(rows, 0, 10);
    read->lost = cm_cell_number(rows, 0, 11);
    read->told = cm_cell_number(rows, 0, 12);
    read->told_at = cm_cell_number(rows, 0, 13);
    read->problems = (int)cm_cell_number(rows, 0, 14);
    read->status = *cm_cell(rows, 0, 15);
    /* earlier versions accepted any number */
    if (read->received > CM_CLOCK_MAX)
        read->received = CM_CLOCK_MAX;
    *peer = read;
    return NULL;
}

/* Make the row of NAME, unless it has just been made. */
static cm_error_t *make_row(cm_node_t *node, const char *name,
                            apr_pool_t *scratch_pool)
{
    static const cm_bulk_column_t columns[] = {{"name", NULL}};
    cm_bulk_t *bulk =
        cm_bulk_create("communicator_peers", columns, 1, 1, scratch_pool);
    apr_int64_t inserted;

    cm_bulk_row(bulk, "t", name);
    CM_TRY_FOR(cm_bulk_insert(&inserted, node->store, bulk, CM_PRESENT_KEEP,
                              scratch_pool),
               scratch_pool, "cannot note peer '%s'", name);
    return NULL;
}

cm_error_t *cm_peer_load(cm_peer_t **peer, cm_node_t *node, const char *name,
                         int lock, apr_pool_t *result_pool)
{
    CM_TRY(read_row(peer, node, name, lock, result_pool));
    if (*peer)
        return NULL;
    CM_TRY(make_row(node, name, result_pool));
    CM_TRY(read_row(peer, node, name, lock, result_pool));
    if (!*peer)
        return CM_FAIL(result_pool, CM_DATABASE,
                       "the row of peer '%s' is gone again", name);
    return NULL;
}

cm_error_t *cm_peer_find(cm_peer_t **peer, cm_node_t *node, const char *name,
                         apr_pool_t *result_pool)
{
    return read_row(peer, node, name, 0, result_pool);
}

cm_error_t *cm_peer_save(cm_node_t *node, const cm_peer_t *peer,
                         apr_pool_t *scratch_pool)
{
    const cm_datum_t arguments[] = {
        cm_datum_text(peer->epoch),
        cm_datum_number(peer->confirmed, scratch_pool),
        cm_datum_number(peer->confirmed_id, scratch_pool),
        cm_datum_number(peer->received, scratch_pool),
        cm_datum_number(peer->received_clock, scratch_pool),
        cm_datum_number(peer->sent, scratch_pool),
        cm_datum_number(peer->has_received, scratch_pool),
        cm_datum_number(peer->last_push_at, scratch_pool),
        cm_datum_number(peer->last_pull_at, scratch_pool),
        cm_datum_number(peer->clock_offset, scratch_pool),
        cm_datum_number(peer->held, scratch_pool),
        cm_datum_number(peer->lost, scratch_pool),
        cm_datum_text(peer->name),
    };

    CM_TRY_FOR(
        cm_statement_run(
            NULL, node->store,
            "UPDATE communicator_peers SET epoch = %s, confirmed = %s,"
            " confirmed_id = %s, received = %s, received_clock = %s,"
            " sent = %s, has_received = %s, last_push_at = %s,"
            " last_pull_at = %s, clock_offset = %s, held = %s,"
            " lost = %s"
            " WHERE name = %s",
            arguments, sizeof(arguments) / sizeof(*arguments), scratch_pool),
        scratch_pool, "cannot write the cursors of peer '%s'", peer->name);
    return NULL;
}

cm_error_t *cm_peer_note_told(cm_node_t *node, const char *name,
                              apr_int64_t last, apr_pool_t *scratch_pool)
{
    const cm_datum_t arguments[] = {
        cm_datum_number(last, scratch_pool),
        cm_datum_number(cm_clock_now(), scratch_pool), cm_datum_text(name)};

    CM_TRY_FOR(cm_statement_run(NULL, node->store,
                                "UPDATE communicator_peers SET told = %s,"
                                " told_at = %s WHERE name = %s",
                                arguments, 3, scratch_pool),
               scratch_pool, "cannot note what '%s' was told", name);
    return NULL;
}

cm_error_t *cm_peer_set_status(cm_node_t *node, const char *name,
                               const char *status, apr_pool_t *scratch_pool)
{
    const cm_datum_t arguments[] = {cm_datum_text(status), cm_datum_text(name)};

    CM_TRY_FOR(cm_statement_run(NULL, node->store,
                                "UPDATE communicator_peers SET status = %s"
                                " WHERE name = %s",
                                arguments, 2, scratch_pool),
               scratch_pool, "cannot keep the status that '%s' reported", name);
    return NULL;
}

cm_error_t *cm_peer_lock_all(apr_int64_t *sent, cm_node_t *node,
                             apr_pool_t *scratch_pool)
{
    cm_rows_t *rows;
    int i;

    *sent = 0;
    CM_TRY(cm_statement_select(
        &rows, node->store,
        apr_pstrcat(scratch_pool,
                    "SELECT sent FROM communicator_peers ORDER BY name",
                    cm_dialect_of_store(node->store)->for_update, NULL),
        NULL, 0, scratch_pool));
    for (i = 0; i < rows->count; i++)
        if (cm_cell_number(rows, i, 0) > *sent)
            *sent = cm_cell_number(rows, i, 0);
    return NULL;
}

cm_error_t *cm_peer_renumber_all(cm_node_t *node, apr_int64_t by,
                                 apr_pool_t *scratch_pool)
{
    CM_TRY(cm_statement_run(
        NULL, node->store,
        apr_psprintf(scratch_pool,
                     "UPDATE communicator_peers SET confirmed = confirmed"
                     " + %" APR_INT64_T_FMT
                     " WHERE epoch IS NULL AND confirmed > 0",
                     by),
        NULL, 0, scratch_pool));
    return cm_statement_run(NULL, node->store,
                            "UPDATE communicator_peers SET confirmed = 0,"
                            " confirmed_id = 0 WHERE epoch IS NOT NULL",
                            NULL, 0, scratch_pool);
}
