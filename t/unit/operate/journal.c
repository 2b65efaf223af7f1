/* The journal of runs: what a row has, how the last day is summed up, what is
 * removed, and that writing it waits for nobody. */
#include <apr_strings.h>

#include "base/clock.h"
#include "operate/gather.h"
#include "../database.h"
#include "../settings.h"
#include "../tap.h"

#define MINUTE (60 * (apr_int64_t)1000000)
#define DAY    (1440 * MINUTE)
#define FMT    "%" APR_INT64_T_FMT

static cm_node_t *make_node(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    cm_node_t *node;

    settings_add_peer(settings, "there", pool);
    settings_add_peer(settings, "silent", pool);
    settings_migrate(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    return node;
}

/* Write a run that ended AGO microseconds ago. */
static void write_run(cm_node_t *node, apr_int64_t ago, apr_int64_t sent,
                      int exit_status, apr_pool_t *pool)
{
    cm_journal_row_t row = {.peer = "there",
                            .command = "communicate",
                            .ended_at = cm_clock_now() - ago,
                            .sent = {.moved = sent},
                            .received = {.moved = 7},
                            .applied = 6,
                            .parked = 1,
                            .exit_status = exit_status,
                            .error = exit_status ? "cannot push" : NULL};
    cm_status_said_t said = {.pending = 4, .oldest = row.ended_at - MINUTE};

    row.began_at = row.ended_at - 2000000;
    database_must(cm_journal_run(node, &row, &said, pool));
}

static const cm_journal_row_t *row_of(const apr_array_header_t *rows, int i)
{
    return &APR_ARRAY_IDX(rows, i, cm_journal_row_t);
}

static void runs(cm_store_t *store, apr_pool_t *pool)
{
    const char *name = database_of(store);
    cm_node_t *node = make_node(store, pool);
    const cm_journal_row_t *row;
    apr_array_header_t *rows;

    database_must(cm_journal_list(&rows, node, NULL, 10, pool));
    is_int(rows->nelts, 0, "%s: nothing has run", name);
    database_run(store,
                 apr_psprintf(pool,
                              "INSERT INTO outbound_messages (seq, model, body,"
                              " clock) VALUES (1, 'post', '{}', " FMT ")",
                              cm_clock_now() - 5 * MINUTE));
    database_run(store, "UPDATE communicator_node SET last_seq = 1");
    write_run(node, MINUTE, 3, 75, pool);
    write_run(node, 0, 5, 0, pool);
    database_must(cm_journal_list(&rows, node, NULL, 10, pool));
    is_int(rows->nelts, 2, "%s: two runs", name);
    row = row_of(rows, 0);
    is_int(row->sent.moved, 5, "%s: the last first", name);
    is_str(row->command, "communicate", "%s: its command", name);
    is_int(row->ended_at - row->began_at, 2000000, "%s: how long", name);
    is_int(row->received.moved, 7, "%s: received", name);
    is_int(row->applied, 6, "%s: applied", name);
    is_int(row->parked, 1, "%s: parked", name);
    is_int(row->sent.pending, 1, "%s: what is left", name);
    is_int(row->sent.lag / MINUTE, 5, "%s: since when", name);
    is_int(row->received.pending, 4, "%s: what is left there", name);
    is_int(row->received.lag, MINUTE, "%s: since when", name);
    ok(!row->exit_status && !row->error, "%s: it went well", name);
    row = row_of(rows, 1);
    is_int(row->exit_status, 75, "%s: the other did not", name);
    is_str(row->error, "cannot push", "%s: and why", name);
    database_must(cm_journal_list(&rows, node, NULL, 1, pool));
    is_int(rows->nelts, 1, "%s: as many as asked for", name);
    database_must(cm_journal_list(&rows, node, "silent", 10, pool));
    is_int(rows->nelts, 0, "%s: of one peer", name);
}

static void day(cm_store_t *store, apr_pool_t *pool)
{
    const char *name = database_of(store);
    cm_node_t *node = make_node(store, pool);
    const apr_int64_t now = cm_clock_now();
    const cm_journal_slot_t *slots;
    apr_array_header_t *days;
    cm_journal_row_t row = {.peer = "there", .command = "push"};

    database_must(cm_journal_days(&days, node, now, pool));
    is_int(days->nelts, 0, "%s: nothing has run", name);
    row.sent.moved = 10;
    row.began_at = row.ended_at = cm_journal_slot_at(now, 3);
    database_must(cm_journal_run(node, &row, NULL, pool));
    row.exit_status = 75;
    row.ended_at = cm_journal_slot_at(now, 4) - 1;
    database_must(cm_journal_run(node, &row, NULL, pool));
    row.ended_at = cm_journal_slot_at(now, 0) - 1; /* too old */
    database_must(cm_journal_run(node, &row, NULL, pool));
    row.ended_at = now;
    database_must(cm_journal_run(node, &row, NULL, pool));
    database_must(cm_journal_days(&days, node, now, pool));
    is_int(days->nelts, 1, "%s: one peer", name);
    is_str(APR_ARRAY_IDX(days, 0, cm_journal_day_t).peer, "there",
           "%s: its name", name);
    ok(APR_ARRAY_IDX(days, 0, cm_journal_day_t).now == now,
       "%s: it knows when its slots are, however late it is shown", name);
    slots = APR_ARRAY_IDX(days, 0, cm_journal_day_t).slots;
    is_int(slots[3].sent.moved, 20, "%s: two runs of one slot", name);
    is_int(slots[3].failed, 1, "%s: one failed", name);
    is_int(slots[3].received.pending, -1, "%s: the peer reported nothing",
           name);
    ok(slots[CM_JOURNAL_SLOTS - 1].known, "%s: the last slot is now", name);
    ok(!slots[0].known && !slots[2].known && !slots[4].known,
       "%s: of the others nothing is known", name);
    ok(cm_journal_slot_at(now, CM_JOURNAL_SLOTS - 1) <= now &&
           now - cm_journal_slot_at(now, 0) <= DAY,
       "%s: a day", name);
}

static void samples(cm_store_t *store, apr_pool_t *pool)
{
    const char *name = database_of(store);
    cm_node_t *node = make_node(store, pool);
    const cm_journal_row_t *row;
    apr_array_header_t *rows;
    cm_health_t *health;

    database_run(store, "INSERT INTO communicator_peers (name, confirmed,"
                        " received) VALUES ('there', 5, 10)");
    database_must(cm_health_read(&health, node, NULL, pool));
    database_must(cm_journal_sample(node, health, pool));
    database_must(cm_journal_sample(node, health, pool));
    database_must(cm_journal_list(&rows, node, NULL, 10, pool));
    is_int(rows->nelts, 2, "%s: a row of each peer, once", name);
    row = row_of(rows, 1);
    is_str(row->peer, "there", "%s: in their order", name);
    is_int(row->received.moved, 0, "%s: nothing moved before", name);
    health->taken_at += 50 * MINUTE / 60;
    database_must(cm_journal_sample(node, health, pool));
    is_str(database_value(store, "SELECT count(*) FROM communicator_journal",
                          pool),
           "2", "%s: not again within a minute", name);
    database_run(store, "UPDATE communicator_peers SET confirmed = 8,"
                        " received = 3");
    database_must(cm_health_read(&health, node, NULL, pool));
    health->taken_at += MINUTE;
    database_must(cm_journal_sample(node, health, pool));
    database_must(cm_journal_list(&rows, node, "there", 10, pool));
    is_int(rows->nelts, 2, "%s: then again", name);
    row = row_of(rows, 0);
    is_int(row->sent.moved, 3, "%s: what moved since", name);
    is_int(row->received.moved, 0, "%s: a cursor set back is no message", name);
    ok(row->ended_at - row->began_at >= MINUTE, "%s: in that time", name);
}

/* SQL that copies the rows of the journal where CONDITION, with new IDs. */
#define COPY(id, condition)                                                    \
    "INSERT INTO communicator_journal (id, " COLUMNS ") SELECT " id            \
    ", " COLUMNS " FROM communicator_journal WHERE " condition
#define COLUMNS                                                                \
    "peer, command, began_at, ended_at, sent, received, applied, parked,"      \
    " exit_status, error, pending, waited, pending_there, waited_there,"       \
    " confirmed, received_seq"

static void bounds(cm_store_t *store, apr_pool_t *pool)
{
    const char *name = database_of(store);
    cm_node_t *node = make_node(store, pool);
    const char *count = "SELECT count(*) FROM communicator_journal";
    int i, rows;

    for (i = 0; i < 100; i++)
        write_run(node, i < 99 ? 8 * DAY : 0, 1, 0, pool);
    is_str(database_value(store, count, pool), "100", "%s: a hundred", name);
    write_run(node, 0, 1, 0, pool);
    is_str(database_value(store, count, pool), "101",
           "%s: less than a hundred are old", name);
    database_run(store, apr_psprintf(pool,
                                     "UPDATE communicator_journal SET"
                                     " ended_at = " FMT,
                                     cm_clock_now() - 8 * DAY));
    write_run(node, 0, 1, 0, pool);
    is_str(database_value(store, count, pool), "2",
           "%s: a hundred old ones are removed", name);
    for (i = 0; i < 98; i++)
        write_run(node, 0, 1, 0, pool);
    /* As where each of several servers leaves the others' ids out. */
    database_run(store, COPY("id * 3 + 1000000", "1 = 1"));
    database_run(store, "DELETE FROM communicator_journal WHERE id < 1000000");
    for (i = 0; i < 9; i++)
        database_run(store, COPY("id + 3 * (SELECT max(id) - 999999 FROM"
                                 " communicator_journal)",
                                 "1 = 1"));
    write_run(node, 0, 1, 0, pool);
    is_str(database_value(store, count, pool), "51201",
           "%s: gaps between ids are no rows", name);
    database_run(store, COPY("id + 100000000", "id > 1000000"));
    rows = (int)apr_atoi64(database_value(store, count, pool));
    write_run(node, 0, 1, 0, pool);
    is_int(apr_atoi64(database_value(store, count, pool)), rows + 1 - 100,
           "%s: those that are too many are removed", name);
}

/* As many rows are removed as are written, however many peers there are. */
static void many(cm_store_t *store, apr_pool_t *pool)
{
    const char *name = database_of(store);
    const char *count = "SELECT count(*) FROM communicator_journal";
    cm_settings_t *settings = settings_make(pool);
    cm_health_t *health;
    cm_node_t *node;
    int i;

    for (i = 0; i < 150; i++)
        settings_add_peer(settings, apr_psprintf(pool, "peer%d", i), pool);
    settings_migrate(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    database_must(cm_health_read(&health, node, NULL, pool));
    database_must(cm_journal_sample(node, health, pool));
    is_str(database_value(store, count, pool), "150", "%s: many peers", name);
    database_run(store, apr_psprintf(pool,
                                     "UPDATE communicator_journal SET"
                                     " ended_at = " FMT,
                                     cm_clock_now() - 8 * DAY));
    database_must(cm_journal_sample(node, health, pool));
    is_str(database_value(store, count, pool), "150",
           "%s: as many old ones are removed", name);
}

/* Add a run that moved SENT messages and ended so. */
static void gather_run(cm_gather_t *gather, cm_node_t *node, apr_int64_t sent,
                       int exit_status, apr_pool_t *pool)
{
    const apr_int64_t now = cm_clock_now();
    cm_journal_row_t row = {.peer = "there",
                            .command = "communicate",
                            .began_at = now - 1000,
                            .ended_at = now,
                            .sent = {.moved = sent},
                            .exit_status = exit_status,
                            .error = exit_status ? "away" : NULL};

    database_must(cm_gather_run(gather, node, &row, NULL, pool));
}

/* A process that stays. */
static void gathered(cm_store_t *store, apr_pool_t *pool)
{
    const char *name = database_of(store);
    cm_node_t *node = make_node(store, pool);
    cm_gather_t *gather = cm_gather_create(pool);
    apr_array_header_t *rows;

    gather_run(gather, node, 1, 0, pool);
    database_must(cm_journal_list(&rows, node, NULL, 10, pool));
    is_int(rows->nelts, 1, "%s: the first run at once", name);
    gather_run(gather, node, 2, 0, pool);
    gather_run(gather, node, 3, 0, pool);
    database_must(cm_journal_list(&rows, node, NULL, 10, pool));
    is_int(rows->nelts, 1, "%s: not each of many", name);
    gather_run(gather, node, 0, 75, pool);
    database_must(cm_journal_list(&rows, node, NULL, 10, pool));
    is_int(rows->nelts, 3, "%s: but one that fails", name);
    is_int(row_of(rows, 1)->sent.moved, 5, "%s: after those before it", name);
    is_int(row_of(rows, 1)->exit_status, 0, "%s: which went well", name);
    is_str(row_of(rows, 0)->error, "away", "%s: with its error", name);
    gather_run(gather, node, 0, 75, pool);
    gather_run(gather, node, 0, 75, pool);
    gather_run(gather, node, 4, 0, pool);
    database_must(cm_journal_list(&rows, node, NULL, 10, pool));
    is_int(rows->nelts, 5, "%s: and the first that does not", name);
    ok(!row_of(rows, 0)->error, "%s: without an error", name);
    gather_run(gather, node, 6, 0, pool);
    database_must(cm_gather_end(gather, node, pool));
    database_must(cm_gather_end(gather, node, pool));
    database_must(cm_journal_list(&rows, node, NULL, 10, pool));
    is_int(rows->nelts, 6, "%s: what is left, in the end, once", name);
    is_int(row_of(rows, 0)->sent.moved, 6, "%s: and nothing twice", name);
}

/* Where there is only one writer, the journal does not wait for it. */
static void busy(cm_store_t *store, apr_pool_t *pool)
{
    const char *name = database_of(store);
    cm_node_t *node = make_node(store, pool);
    cm_store_t *other = database_again(pool);
    cm_journal_row_t row = {.peer = "there", .command = "push"};
    apr_time_t began = apr_time_now();
    cm_error_t *err;

    database_must(cm_transaction_begin(other, pool));
    database_run(other, "UPDATE communicator_node SET last_seq = 3");
    err = cm_journal_run(node, &row, NULL, pool);
    ok(!err || err->code == CM_BUSY, "%s: while another writes", name);
    ok(apr_time_now() - began < 2000000, "%s: at once", name);
    cm_transaction_rollback(other);
}

int main(void)
{
    if (!database_any())
        return skip_all("no database to test with");
    database_each("runs", runs);
    database_each("day", day);
    database_each("samples", samples);
    database_each("bounds", bounds);
    database_each("many", many);
    database_each("gathered", gathered);
    database_each("busy", busy);
    return done_testing();
}
