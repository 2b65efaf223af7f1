/* The node, its lock and what its triggers look at; the rows of peers. */
#include "schema/migrate.h"
#include "record/clocks.h"
#include "node/epoch.h"
#include "../database.h"
#include "../settings.h"
#include "../tap.h"

static cm_node_t *make_node(cm_store_t *store, const cm_settings_t *settings,
                            apr_pool_t *pool)
{
    cm_node_t *node;

    settings_migrate(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    return node;
}

/* Let locks be waited for a short while only. */
static void be_impatient(cm_store_t *store)
{
    if (cm_dialect_of_store(store)->database == CM_PGSQL)
        database_run(store, "SET lock_timeout = '200ms'");
    else
        database_run(store, "SET innodb_lock_wait_timeout = 1");
}

static void versions(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    const char *name = database_of(store);
    int present, known;
    cm_node_t *node;
    cm_error_t *err;

    err = cm_node_open(&node, settings, store, pool);
    ok(database_fails(err, CM_SCHEMA, "no tables") &&
           strstr(err->hint, "migrate"),
       "%s: without tables the hint is to migrate", name);
    node = make_node(store, settings, pool);
    is_int(strspn(node->epoch, "0123456789abcdef"), 32,
           "%s: the epoch has 32 digits", name);
    database_must(cm_migrate_version(&present, &known, store, pool));
    is_int(present, known, "%s: the version is the one known", name);

    database_run(store,
                 "UPDATE communicator_schema SET version = 99"
                 " WHERE version = (SELECT v FROM (SELECT max(version) AS v"
                 " FROM communicator_schema) AS newest)");
    err = cm_node_open(&node, settings, store, pool);
    ok(database_fails(err, CM_SCHEMA, "newer") && strstr(err->hint, "newer"),
       "%s: newer tables need a newer program", name);
    err = settings_try_to_migrate(store, settings, pool);
    ok(database_fails(err, CM_SCHEMA, "newer") && strstr(err->hint, "newer"),
       "%s: migrate leaves them alone", name);
    database_run(store, "DELETE FROM communicator_schema");
    err = cm_node_open(&node, settings, store, pool);
    ok(database_fails(err, CM_SCHEMA, "half") && strstr(err->hint, "migrate"),
       "%s: half a migration is none", name);
}

static void locks(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    cm_node_t *node = make_node(store, settings, pool), *other_node;
    const char *name = database_of(store);
    apr_int64_t last_seq = -1;
    cm_store_t *other;

    database_must(cm_transaction_begin(store, pool));
    database_must(cm_node_lock(&last_seq, node, pool));
    is_int(last_seq, 0, "%s: no number is used yet", name);
    database_must(cm_node_set_last_seq(node, APR_INT64_MAX, pool));
    if (cm_dialect_of_store(store)->database != CM_SQLITE3) {
        other = database_again(pool);
        be_impatient(other);
        database_must(cm_node_open(&other_node, settings, other, pool));
        database_must(cm_transaction_begin(other, pool));
        ok(database_fails(cm_node_lock(&last_seq, other_node, pool), CM_BUSY,
                          "the second"),
           "%s: the lock is held by one", name);
        cm_transaction_rollback(other);
    }
    database_must(cm_transaction_commit(store, pool));
    database_must(cm_transaction_begin(store, pool));
    database_must(cm_node_lock(&last_seq, node, pool));
    ok(last_seq == APR_INT64_MAX, "%s: the number is kept", name);
    cm_transaction_rollback(store);
}

static const char *applying_to(cm_store_t *store, apr_pool_t *pool)
{
    switch (cm_dialect_of_store(store)->database) {
    case CM_SQLITE3:
        return database_value(store, "SELECT name FROM communicator_applying",
                              pool);
    case CM_PGSQL:
        return database_value(
            store,
            "SELECT nullif(current_setting('communicator.applying', true), '')",
            pool);
    case CM_MYSQL:
        return database_value(store, "SELECT @communicator_applying", pool);
    }
    return NULL;
}

static void tables(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    cm_model_t *model =
        settings_add_model(settings, "post", "my posts", "id", pool);
    cm_node_t *node = make_node(store, settings_make(pool), pool);
    const cm_table_t *table, *again;
    const char *name = database_of(store);

    ok(database_fails(cm_node_table(&table, node, model, pool), CM_SCHEMA,
                      "missing"),
       "%s: a table that is not there", name);
    database_run(store, apr_pstrcat(pool, "CREATE TABLE ",
                                    cm_store_quote(store, "my posts", pool),
                                    " (id bigint NOT NULL PRIMARY KEY,"
                                    " title varchar(20))",
                                    NULL));
    ok(database_fails(cm_node_table(&table, node, model, pool), CM_SCHEMA,
                      "known"),
       "%s: and is not looked for again at once", name);
    cm_node_renew(node);
    database_must(cm_node_table(&table, node, model, pool));
    database_must(cm_node_table(&again, node, model, pool));
    ok(table == again, "%s: a table is read once", name);
    cm_node_forget(node);
    database_must(cm_node_table(&again, node, model, pool));
    if (cm_dialect_of_store(store)->schema_version)
        ok(table == again, "%s: and kept while the schema is the same", name);
    table = again;
    database_run(store, apr_pstrcat(pool, "ALTER TABLE ", table->quoted,
                                    " ADD COLUMN place int", NULL));
    cm_node_forget(node);
    database_must(cm_node_table(&table, node, model, pool));
    is_int(table->column_count, 3, "%s: and again when asked to forget", name);

    database_must(cm_transaction_begin(store, pool));
    database_must(cm_node_applying(node, table, pool));
    is_str(applying_to(store, pool), "my posts", "%s: applies to it", name);
    database_must(cm_node_applying(node, table, pool));
    database_must(cm_node_applying(node, NULL, pool));
    is_str(applying_to(store, pool), NULL, "%s: applies to none", name);
    database_must(cm_transaction_commit(store, pool));
}

static void peers(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    cm_node_t *node = make_node(store, settings, pool), *other_node;
    const char *name = database_of(store);
    cm_peer_t *peer, *again;
    cm_store_t *other;

    database_must(cm_peer_load(&peer, node, "o'facade", 0, pool));
    ok(!peer->epoch && !peer->received && !peer->has_received,
       "%s: a peer never met", name);
    *peer = (cm_peer_t){.name = "o'facade",
                        .epoch = "e",
                        .confirmed = 1,
                        .confirmed_id = 2,
                        .received = CM_CLOCK_MAX,
                        .received_clock = 4,
                        .sent = 5,
                        .has_received = 1,
                        .last_push_at = 6,
                        .last_pull_at = 7,
                        .clock_offset = -8,
                        .held = 3};
    database_must(cm_peer_save(node, peer, pool));
    database_must(cm_peer_load(&again, node, "o'facade", 0, pool));
    is_str(again->epoch, "e", "%s: the row is kept", name);
    ok(again->confirmed == 1 && again->confirmed_id == 2 &&
           again->received == CM_CLOCK_MAX && again->received_clock == 4 &&
           again->sent == 5 && again->has_received == 1 &&
           again->last_push_at == 6 && again->last_pull_at == 7 &&
           again->clock_offset == -8 && again->held == 3,
       "%s: with every number", name);
    database_must(cm_peer_load(&again, node, "O'Facade", 0, pool));
    ok(!again->epoch, "%s: another case is another peer", name);
    if (cm_dialect_of_store(store)->database == CM_SQLITE3)
        return;

    database_must(cm_transaction_begin(store, pool));
    database_must(cm_peer_load(&peer, node, "o'facade", 1, pool));
    other = database_again(pool);
    be_impatient(other);
    database_must(cm_node_open(&other_node, settings, other, pool));
    database_must(cm_transaction_begin(other, pool));
    ok(database_fails(cm_peer_load(&again, other_node, "o'facade", 1, pool),
                      CM_BUSY, "the second"),
       "%s: its lock is held by one", name);
    cm_transaction_rollback(other);
    database_must(cm_transaction_commit(store, pool));
}

/* What was read before another host, or another server of a cluster, moved on
 * raises no alarm: it is read again, under the locks. */
static void stale(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    cm_node_t *node = make_node(store, settings, pool);
    const char *name = database_of(store);
    cm_claim_t claim = cm_epoch_claim_none();
    cm_peer_t *peer, *read;

    database_must(cm_peer_load(&peer, node, "facade", 0, pool));
    peer->epoch = "old";
    peer->received = 60;
    database_must(cm_peer_save(node, peer, pool));
    database_must(cm_peer_load(&read, node, "facade", 0, pool));
    claim.epoch = "new";
    peer = read;
    ok(database_fails(cm_epoch_check(&claim, node, &peer, pool, pool), CM_EPOCH,
                      "another epoch"),
       "%s: another epoch is an alarm", name);
    database_run(store, "UPDATE communicator_peers SET epoch = 'new'");
    peer = read;
    ok(database_fails(cm_epoch_check(&claim, node, &peer, pool, pool),
                      CM_CODE_COUNT, "accepted meanwhile"),
       "  but not when it was accepted since the row was read");
    is_str(peer->epoch, "new", "  which the caller then knows");
    claim.newest = 50;
    read = peer;
    ok(database_fails(cm_epoch_check(&claim, node, &peer, pool, pool), CM_EPOCH,
                      "less than is held"),
       "a peer that has used less than is held of it is one");
    database_run(store, "UPDATE communicator_peers SET received = 40");
    ok(database_fails(cm_epoch_check(&claim, node, &read, pool, pool),
                      CM_CODE_COUNT, "set back meanwhile"),
       "  but not when that is no longer so");
    claim.received = 7;
    ok(database_fails(cm_epoch_check(&claim, node, &peer, pool, pool), CM_EPOCH,
                      "more than was written"),
       "one that holds what was never written is one");
    is_str(database_value(store, "SELECT sent FROM communicator_peers", pool),
           "7", "  and the number is kept for the next history");
    claim.received = 0;
    claim.asked_after = 8;
    ok(database_fails(cm_epoch_check(&claim, node, &peer, pool, pool), CM_EPOCH,
                      "more than was written, by now"),
       "one that asks for what follows such a message is one");
    is_str(database_value(store, "SELECT sent FROM communicator_peers", pool),
           "8", "  and the number is kept, too");
    database_must(cm_epoch_look(&read, node, "facade", pool));
    is_int(read->received, 40, "what a peer doubts is read again");
    database_must(cm_epoch_look(&read, node, "never met", pool));
    ok(!read->epoch, "  of one that was never met, too");
}

/* A database that was restored to before it met the peer has forgotten that it
 * did, but the peer knows it. */
static void forgotten(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    cm_node_t *node = make_node(store, settings, pool);
    cm_claim_t claim = cm_epoch_claim_none();
    cm_epoch_split_t split;
    cm_peer_t *peer;

    database_run(store, "UPDATE communicator_node SET last_seq = 9");
    database_must(cm_peer_load(&peer, node, "facade", 0, pool));
    claim.epoch = "e";
    claim.known_epoch = node->epoch;
    claim.received = 0;
    ok(database_fails(cm_epoch_check(&claim, node, &peer, pool, pool),
                      CM_CODE_COUNT, "our first reply was lost"),
       "%s: a peer that has met us, and has nothing", database_of(store));
    claim.received = 4;
    ok(database_fails(cm_epoch_check(&claim, node, &peer, pool, pool), CM_EPOCH,
                      "passed over numbers of ours"),
       "  but one that has something is not met for the first time");
    database_must(cm_epoch_split(&split, &claim, node, peer, pool));
    ok(split.we_were_set_back && !split.peer_was_set_back,
       "  we were set back");
    is_str(database_value(store, "SELECT sent FROM communicator_peers", pool),
           "4", "  and the number is kept for the next history");
    claim.counts = 1;
    ok(database_fails(cm_epoch_check(&claim, node, &peer, pool, pool),
                      CM_CODE_COUNT, "a gem's count"),
       "a gem's successor has something");
    claim.counts = 0;
    database_run(store, "UPDATE communicator_peers SET last_pull_at = 1");
    database_must(cm_peer_load(&peer, node, "facade", 0, pool));
    ok(database_fails(cm_epoch_check(&claim, node, &peer, pool, pool),
                      CM_CODE_COUNT, "its epoch was forgotten"),
       "so has one whose epoch was forgotten (epoch --accept)");
}

int main(void)
{
    if (!database_any())
        return skip_all("no database to test with");
    database_each("versions", versions);
    database_each("the node's lock", locks);
    database_each("tables", tables);
    database_each("peers", peers);
    database_each("stale reads", stale);
    database_each("a forgotten peer", forgotten);
    return done_testing();
}
