/* The journal: see journal.h. */
#include "operate/journal.h"

#include <string.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "store/bulk.h"

#define FMT "%" APR_INT64_T_FMT

/* What is kept. A row has some hundred bytes. */
#define KEEP apr_time_from_sec(7 * 86400)
#define MOST 100000

/* Old rows are removed so many at a time, or as many as are written. */
#define CHUNK 100

/* The time between two samples: the watchdog looks each half minute, not
 * exactly. */
#define SAMPLE apr_time_from_sec(55)

/* A row as it is written. */
typedef struct entry_t {
    const cm_journal_row_t *row;
    apr_int64_t confirmed, received; /* of a sample: the cursors of the peer */
} entry_t;

void cm_journal_way_join(cm_journal_way_t *sum, const cm_journal_way_t *way)
{
    sum->moved += way->moved;
    if (way->pending > sum->pending)
        sum->pending = way->pending;
    if (way->lag > sum->lag)
        sum->lag = way->lag;
}

/* Find out whether there are too many rows, whose ids are SPAN apart. Only then
 * they are counted: where several servers give out ids, these leave gaps. */
static cm_error_t *are_too_many(int *result, cm_node_t *node, apr_int64_t span,
                                apr_pool_t *pool)
{
    cm_rows_t *rows;

    *result = 0;
    if (span < MOST)
        return NULL;
    CM_TRY(cm_statement_select(&rows, node->store,
                               "SELECT count(*) FROM communicator_journal",
                               NULL, 0, pool));
    *result = cm_cell_number(rows, 0, 0) > MOST;
    return NULL;
}

/* Remove the oldest rows if they are too old, or too many, when WRITTEN were
 * added. Rows get their ids in the order of time, or nearly. */
static cm_error_t *trim(cm_node_t *node, int written, apr_pool_t *pool)
{
    const apr_int64_t before = cm_clock_now() - KEEP;
    cm_rows_t *rows;
    int due;

    CM_TRY(cm_statement_select(
        &rows, node->store,
        apr_psprintf(pool,
                     "SELECT id, ended_at, (SELECT max(id) FROM"
                     " communicator_journal) FROM communicator_journal"
                     " ORDER BY id LIMIT 1 OFFSET %d",
                     (written > CHUNK ? written : CHUNK) - 1),
        NULL, 0, pool));
    if (!rows->count)
        return NULL;
    due = cm_cell_number(rows, 0, 1) <= before;
    if (!due)
        CM_TRY(are_too_many(
            &due, node, cm_cell_number(rows, 0, 2) - cm_cell_number(rows, 0, 0),
            pool));
    if (!due)
        return NULL;
    return cm_statement_run(
        NULL, node->store,
        apr_psprintf(pool, "DELETE FROM communicator_journal WHERE id <= " FMT,
                     cm_cell_number(rows, 0, 0)),
        NULL, 0, pool);
}

static cm_bulk_t *bulk_of(const apr_array_header_t *entries, apr_pool_t *pool)
{
    static const cm_bulk_column_t columns[] = {{"peer", NULL},
                                               {"command", NULL},
                                               {"began_at", "bigint"},
                                               {"ended_at", "bigint"},
                                               {"sent", "bigint"},
                                               {"received", "bigint"},
                                               {"applied", "bigint"},
                                               {"parked", "bigint"},
                                               {"exit_status", "integer"},
                                               {"error", NULL},
                                               {"pending", "bigint"},
                                               {"waited", "bigint"},
                                               {"pending_there", "bigint"},
                                               {"waited_there", "bigint"},
                                               {"confirmed", "bigint"},
                                               {"received_seq", "bigint"}};
    const int count = (int)(sizeof(columns) / sizeof(*columns));
    cm_bulk_t *bulk =
        cm_bulk_create("communicator_journal", columns, count, 0, pool);
    int i;

    for (i = 0; i < entries->nelts; i++) {
        const entry_t *entry = &APR_ARRAY_IDX(entries, i, entry_t);
        const cm_journal_row_t *row = entry->row;

        cm_bulk_row(bulk, "ttnnnnnnntnnnnnn", row->peer, row->command,
                    row->began_at, row->ended_at, row->sent.moved,
                    row->received.moved, row->applied, row->parked,
                    (apr_int64_t)row->exit_status, row->error,
                    row->sent.pending, row->sent.lag, row->received.pending,
                    row->received.lag, entry->confirmed, entry->received);
    }
    return bulk;
}

/* Write ENTRIES (entry_t). */
static cm_error_t *write_entries(cm_node_t *node,
                                 const apr_array_header_t *entries,
                                 apr_pool_t *pool)
{
    apr_int64_t inserted;
    cm_error_t *err;

    CM_TRY(cm_transaction_begin_at_once(node->store, pool));
    err = cm_bulk_insert(&inserted, node->store, bulk_of(entries, pool),
                         CM_PRESENT_FAIL, pool);
    if (!err)
        err = trim(node, entries->nelts, pool);
    CM_TRY_FOR(cm_transaction_end(node->store, err, pool), pool,
               "cannot write the journal");
    return NULL;
}

/* Return how long before NOW CLOCK was; 0 for none. */
static apr_int64_t age_of(apr_int64_t clock, apr_int64_t now)
{
    return clock && clock < now ? now - clock : 0;
}

/* Note in ROW what waits for the peer, and what it has reported. */
static void note_queues(cm_journal_row_t *row, const cm_pending_t *pending,
                        const cm_status_said_t *said)
{
    row->sent.pending = pending->count;
    row->sent.lag = age_of(pending->oldest_clock, row->ended_at);
    row->received.pending = said ? said->pending : -1;
    row->received.lag = said ? age_of(said->oldest, row->ended_at) : 0;
}

cm_error_t *cm_journal_run(cm_node_t *node, const cm_journal_row_t *run,
                           const cm_status_said_t *said,
                           apr_pool_t *scratch_pool)
{
    apr_array_header_t *entries =
        apr_array_make(scratch_pool, 1, sizeof(entry_t));
    entry_t *entry = apr_array_push(entries);
    cm_journal_row_t row = *run;
    cm_pending_t pending;

    CM_TRY(cm_outbox_pending(&pending, node, row.peer, CM_EXACT_ON_THE_WAY,
                             scratch_pool));
    note_queues(&row, &pending, said);
    *entry = (entry_t){.row = &row};
    return write_entries(node, entries, scratch_pool);
}

/* Read the last samples: peer, ended_at, confirmed, received_seq. */
static cm_error_t *last_samples(cm_rows_t **rows, cm_node_t *node,
                                apr_pool_t *pool)
{
    return cm_statement_select(
        rows, node->store,
        "SELECT peer, ended_at, confirmed, received_seq FROM"
        " communicator_journal WHERE command = '" CM_JOURNAL_SAMPLE "' AND"
        " ended_at = (SELECT ended_at FROM communicator_journal WHERE"
        " command = '" CM_JOURNAL_SAMPLE "' ORDER BY ended_at DESC LIMIT 1)",
        NULL, 0, pool);
}

/* Return how far a cursor has come. One that was set back has not moved. */
static apr_int64_t moved(apr_int64_t from, apr_int64_t to)
{
    return to > from ? to - from : 0;
}

/* Add a sample of PEER, whose last one is among ROWS, or it has none. */
static void add_sample(apr_array_header_t *entries, const cm_rows_t *rows,
                       const cm_status_peer_t *state, apr_int64_t now)
{
    apr_pool_t *pool = entries->pool;
    cm_journal_row_t *row = apr_pcalloc(pool, sizeof(*row));
    const cm_peer_t *peer = state->peer;
    entry_t *entry = apr_array_push(entries);
    int i;

    row->peer = peer->name;
    row->command = CM_JOURNAL_SAMPLE;
    row->began_at = row->ended_at = now;
    note_queues(row, &state->pending, &state->said);
    for (i = 0; i < rows->count; i++) {
        if (strcmp(cm_cell_text(rows, i, 0), peer->name))
            continue;
        row->began_at = cm_cell_number(rows, i, 1);
        row->sent.moved = moved(cm_cell_number(rows, i, 2), peer->confirmed);
        row->received.moved = moved(cm_cell_number(rows, i, 3), peer->received);
    }
    row->applied = row->received.moved;
    *entry = (entry_t){row, peer->confirmed, peer->received};
}

cm_error_t *cm_journal_sample(cm_node_t *node, const cm_health_t *health,
                              apr_pool_t *scratch_pool)
{
    apr_array_header_t *entries =
        apr_array_make(scratch_pool, 4, sizeof(entry_t));
    cm_rows_t *rows;
    int i;

    if (health->standby)
        return NULL;
    CM_TRY_FOR(last_samples(&rows, node, scratch_pool), scratch_pool,
               "cannot read the journal");
    if (rows->count &&
        !cm_clock_is_past(cm_cell_number(rows, 0, 1), health->taken_at, SAMPLE))
        return NULL;
    for (i = 0; i < health->peers->nelts; i++) {
        const cm_health_peer_t *peer =
            &APR_ARRAY_IDX(health->peers, i, cm_health_peer_t);

        if (!peer->connects)
            add_sample(entries, rows, peer->state, health->taken_at);
    }
    return entries->nelts ? write_entries(node, entries, scratch_pool) : NULL;
}

static void read_row(cm_journal_row_t *row, const cm_rows_t *rows, int i)
{
    row->peer = cm_cell_text(rows, i, 0);
    row->command = cm_cell_text(rows, i, 1);
    row->began_at = cm_cell_number(rows, i, 2);
    row->ended_at = cm_cell_number(rows, i, 3);
    row->sent.moved = cm_cell_number(rows, i, 4);
    row->received.moved = cm_cell_number(rows, i, 5);
    row->applied = cm_cell_number(rows, i, 6);
    row->parked = cm_cell_number(rows, i, 7);
    row->exit_status = (int)cm_cell_number(rows, i, 8);
    row->error = cm_cell_text(rows, i, 9);
    row->sent.pending = cm_cell_number(rows, i, 10);
    row->sent.lag = cm_cell_number(rows, i, 11);
    row->received.pending = cm_cell_number(rows, i, 12);
    row->received.lag = cm_cell_number(rows, i, 13);
}

cm_error_t *cm_journal_list(apr_array_header_t **rows, cm_node_t *node,
                            const char *name, int limit,
                            apr_pool_t *result_pool)
{
    const cm_datum_t argument = cm_datum_text(name);
    cm_rows_t *read;
    int i;

    CM_TRY_FOR(
        cm_statement_select(
            &read, node->store,
            apr_psprintf(result_pool,
                         "SELECT peer, command, began_at, ended_at, sent,"
                         " received, applied, parked, exit_status, error,"
                         " pending, waited, pending_there, waited_there"
                         " FROM communicator_journal%s"
                         " ORDER BY id DESC LIMIT %d",
                         name ? " WHERE peer = %s" : "", limit),
            &argument, name != NULL, result_pool),
        result_pool, "cannot read the journal");
    *rows = apr_array_make(result_pool, read->count, sizeof(cm_journal_row_t));
    for (i = 0; i < read->count; i++)
        read_row(apr_array_push(*rows), read, i);
    return NULL;
}

apr_int64_t cm_journal_slot_at(apr_int64_t now, int i)
{
    return now - now % CM_JOURNAL_SLOT -
           (CM_JOURNAL_SLOTS - 1 - i) * CM_JOURNAL_SLOT;
}

/* Read the slots of the day that begins at SINCE: peer, number of the slot ...
 */
static cm_error_t *read_slots(cm_rows_t **rows, cm_node_t *node,
                              apr_int64_t since, apr_pool_t *pool)
{
    const char *slot =
        apr_psprintf(pool, "ended_at - ended_at %%%% " FMT, CM_JOURNAL_SLOT);

    return cm_statement_select(
        rows, node->store,
        apr_psprintf(pool,
                     "SELECT peer, %s, sum(sent), sum(received), max(pending),"
                     " max(pending_there), max(waited), max(waited_there),"
                     " count(nullif(exit_status, 0))"
                     " FROM communicator_journal WHERE ended_at >= " FMT
                     " GROUP BY peer, %s",
                     slot, since, slot),
        NULL, 0, pool);
}

static void fill_slot(cm_journal_slot_t *slot, const cm_rows_t *rows, int i)
{
    slot->known = 1;
    slot->sent.moved = cm_cell_number(rows, i, 2);
    slot->received.moved = cm_cell_number(rows, i, 3);
    slot->sent.pending = cm_cell_number(rows, i, 4);
    slot->received.pending = cm_cell_number(rows, i, 5);
    slot->sent.lag = cm_cell_number(rows, i, 6);
    slot->received.lag = cm_cell_number(rows, i, 7);
    slot->failed = (int)cm_cell_number(rows, i, 8);
}

/* Fill DAY from what ROWS have of its peer; return whether there is any. */
static int fill_day(cm_journal_day_t *day, const cm_rows_t *rows,
                    apr_int64_t since)
{
    int i, any = 0;

    for (i = 0; i < rows->count; i++) {
        apr_int64_t number =
            (cm_cell_number(rows, i, 1) - since) / CM_JOURNAL_SLOT;

        if (strcmp(cm_cell_text(rows, i, 0), day->peer) ||
            number >= CM_JOURNAL_SLOTS)
            continue;
        fill_slot(&day->slots[number], rows, i);
        any = 1;
    }
    return any;
}

cm_error_t *cm_journal_days(apr_array_header_t **days, cm_node_t *node,
                            apr_int64_t now, apr_pool_t *result_pool)
{
    const apr_array_header_t *peers = node->settings->peers;
    const apr_int64_t since = cm_journal_slot_at(now, 0);
    cm_rows_t *rows;
    int i;

    CM_TRY_FOR(read_slots(&rows, node, since, result_pool), result_pool,
               "cannot read the journal");
    *days = apr_array_make(result_pool, 4, sizeof(cm_journal_day_t));
    for (i = 0; i < peers->nelts; i++) {
        cm_journal_day_t *day = apr_array_push(*days);

        memset(day, 0, sizeof(*day));
        day->peer = APR_ARRAY_IDX(peers, i, const cm_peer_settings_t *)->name;
        day->now = now;
        if (!fill_day(day, rows, since))
            apr_array_pop(*days);
    }
    return NULL;
}
