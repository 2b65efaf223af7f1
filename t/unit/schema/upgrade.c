/* A database of the Ruby gem is upgraded in place: nothing lost, its numbers
 * go on. */
#include "schema/migrate.h"
#include "node/peer.h"
#include "../gem.h"

static void count_step(void *baton, const char *what, const char *sql)
{
    (void)what;
    (void)sql;
    ++*(int *)baton;
}

static cm_error_t *migrate(int *steps, cm_store_t *store,
                           const cm_settings_t *settings, apr_pool_t *pool)
{
    *steps = 0;
    return cm_migrate_run(store, settings, 0, count_step, steps, pool);
}

static void is_value(cm_store_t *store, const char *sql, const char *want,
                     apr_pool_t *pool)
{
    is_str(database_value(store, sql, pool), want, "%s: %s", database_of(store),
           sql);
}

/* Columns of our tables as one text, without those of records: which there are
 * depends on what was synchronised. */
static const char *columns_of(cm_store_t *store, apr_pool_t *pool)
{
    static const char sqlite[] =
        "SELECT group_concat(x, ';') FROM (SELECT m.name || '.' || c.name"
        " || ' ' || c.type || ' ' || c.\"notnull\" || ' ' || c.pk AS x"
        " FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c"
        " WHERE m.type = 'table' AND m.name NOT LIKE 'communicator_records%'"
        " ORDER BY m.name, c.name)";
    static const char pgsql[] =
        "SELECT string_agg(table_name || '.' || column_name || ' '"
        " || data_type || ' ' || coalesce(character_maximum_length, 0)"
        " || is_nullable, ';' ORDER BY table_name, column_name)"
        " FROM information_schema.columns WHERE table_schema = 'public'"
        " AND table_name <> 'communicator_mappings'"
        " AND table_name NOT LIKE 'communicator_records%'";
    static const char mysql[] =
        "SELECT group_concat(concat_ws(' ', table_name, column_name,"
        " data_type, character_maximum_length, collation_name, is_nullable,"
        " column_key, extra) ORDER BY table_name, column_name SEPARATOR ';')"
        " FROM information_schema.columns WHERE table_schema = DATABASE()"
        " AND table_name <> 'communicator_mappings'"
        " AND table_name NOT LIKE 'communicator_records%'";

    switch (cm_dialect_of_store(store)->database) {
    case CM_SQLITE3:
        return database_value(store, sqlite, pool);
    case CM_PGSQL:
        return database_value(store, pgsql, pool);
    case CM_MYSQL:
        database_run(store, "SET SESSION group_concat_max_len = 100000");
        return database_value(store, mysql, pool);
    }
    return NULL;
}

/* What must be there after the upgrade, however it went. */
static void check_messages(cm_store_t *store, apr_pool_t *pool)
{
    is_value(store, "SELECT count(*) FROM outbound_messages WHERE seq = id",
             "5", pool);
    is_value(store, "SELECT body FROM outbound_messages WHERE id = 1",
             "caf\xc3\xa9", pool);
    is_value(store,
             "SELECT count(*) FROM outbound_messages"
             " WHERE created_at = '2011-06-22 10:11:12'",
             "1", pool);
    is_value(store,
             "SELECT count(*) FROM outbound_messages"
             " WHERE delivered_at IS NOT NULL",
             "4", pool);
    is_value(store,
             "SELECT count(*) FROM inbound_messages WHERE peer = 'facade'"
             " AND processed_at IS NOT NULL",
             "3", pool);
    is_value(store, "SELECT received_at FROM inbound_messages WHERE id = 50",
             "1308737472000000", pool);
    is_value(store, "SELECT last_seq FROM communicator_node", "9", pool);
    is_value(store, "SELECT history FROM communicator_node", "rows", pool);
    is_value(store, "SELECT migrated_seq FROM communicator_node", "9", pool);
}

static void check_peer(cm_store_t *store, const cm_settings_t *settings,
                       apr_pool_t *pool)
{
    cm_peer_t *peer;
    cm_node_t *node;

    database_must(cm_node_open(&node, settings, store, pool));
    database_must(cm_peer_load(&peer, node, "facade", 0, pool));
    is_int(peer->confirmed, 4, "%s: confirmed before the first that waits",
           database_of(store));
    is_int(peer->confirmed_id, 4, "  as the gem numbers it");
    is_int(peer->sent, 8, "  handed over");
    is_int(peer->received, 53, "  received");
    is_int(peer->has_received, 1, "  something");
}

static void check_mappings(cm_store_t *store, apr_pool_t *pool)
{
    is_value(store,
             "SELECT count(*) FROM communicator_mappings WHERE clock = 0", "3",
             pool);
    is_value(store,
             "SELECT local_record_id FROM communicator_mappings"
             " WHERE local_record_type = 'Post' AND origin = 'there'"
             " AND original_id = '7'",
             "8", pool);
    is_value(store, "SELECT original_id FROM outbound_messages WHERE id = 4",
             "14", pool);
}

/* The application goes on writing as the gem did, with ids of any kind. */
static void check_goes_on(cm_store_t *store, apr_pool_t *pool)
{
    database_run(store, "INSERT INTO outbound_messages (body, origin,"
                        " original_id) VALUES ('new', 'here', '007')");
    is_value(store, "SELECT max(id) FROM outbound_messages", "10", pool);
    is_value(store, "SELECT original_id FROM outbound_messages WHERE id = 10",
             "007", pool);
    is_value(store,
             "SELECT count(*) FROM outbound_messages WHERE id = 10"
             " AND seq IS NULL AND created_at IS NOT NULL",
             "1", pool);
}

/* No index of records begins with what all of them share: a database without
 * statistics would take it. */
static void check_indexes(cm_store_t *store, apr_pool_t *pool)
{
    static const char sqlite[] =
        "SELECT count(*) FROM pragma_index_list('communicator_records_1') AS l"
        " JOIN pragma_index_info(l.name) AS c ON c.seqno = 0"
        " WHERE c.name = ";
    static const char pgsql[] =
        "SELECT count(*) FROM pg_index AS i JOIN pg_attribute AS a"
        " ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]"
        " WHERE i.indrelid = to_regclass('communicator_records_1')"
        " AND a.attname = ";
    static const char mysql[] =
        "SELECT count(*) FROM information_schema.statistics"
        " WHERE table_schema = DATABASE()"
        " AND table_name = 'communicator_records_1' AND seq_in_index = 1"
        " AND column_name = ";
    const char *sql =
        cm_dialect_of_store(store)->database == CM_SQLITE3 ? sqlite
        : cm_dialect_of_store(store)->database == CM_PGSQL ? pgsql
                                                           : mysql;

    is_value(store, apr_pstrcat(pool, sql, "'origin'", NULL), "0", pool);
    is_value(store, apr_pstrcat(pool, sql, "'original_id'", NULL), "1", pool);
    is_value(store, apr_pstrcat(pool, sql, "'local_id'", NULL), "1", pool);
}

static void upgrade(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = gem_settings(pool);
    const char *upgraded;
    int steps;

    gem_make(store, 0, pool);
    database_must(migrate(&steps, store, settings, pool));
    check_messages(store, pool);
    check_mappings(store, pool);
    check_peer(store, settings, pool);
    check_goes_on(store, pool);
    check_indexes(store, pool);
    database_must(migrate(&steps, store, settings, pool));
    is_int(steps, 0, "%s: a second run does nothing", database_of(store));

    upgraded = columns_of(store, pool);
    gem_drop_upgraded(store);
    database_must(migrate(&steps, store, settings, pool));
    is_str(upgraded, columns_of(store, pool),
           "%s: the columns are those of a new database", database_of(store));
}

static void upgrade_old(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = gem_settings(pool);
    int steps;

    gem_make(store, 1, pool);
    database_must(migrate(&steps, store, settings, pool));
    check_messages(store, pool);
    check_peer(store, settings, pool);
    check_goes_on(store, pool);
}

/* With several peers nobody can say whose messages they are; with one, later,
 * they are found again. */
static void upgrade_of_nobody(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = gem_settings(pool);
    int steps;

    settings_add_peer(settings, "other", pool);
    gem_make(store, 0, pool);
    database_must(migrate(&steps, store, settings, pool));
    is_value(store, "SELECT count(*) FROM inbound_messages WHERE peer = ''",
             "3", pool);
    database_must(migrate(&steps, store, settings, pool));
    is_int(steps, 0, "%s: nothing to be done about it", database_of(store));
    settings = gem_settings(pool);
    database_must(migrate(&steps, store, settings, pool));
    ok(steps > 0, "%s: the only peer adopts them", database_of(store));
    check_messages(store, pool);
    check_peer(store, settings, pool);
    database_must(migrate(&steps, store, settings, pool));
    is_int(steps, 0, "%s: once", database_of(store));
}

/* A database of version 0.9 has the tables of the first migration alone. */
static void upgrade_first(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = gem_settings(pool);
    const char *whole;
    int steps;

    database_must(migrate(&steps, store, settings, pool));
    whole = columns_of(store, pool);
    database_run(store, "DROP TABLE communicator_withheld");
    database_run(store, "DROP TABLE communicator_altered");
    database_run(store, "DROP TABLE communicator_graves");
    database_run(store, "DROP TABLE communicator_received");
    is_value(store, "SELECT history FROM communicator_node", NULL, pool);
    gem_old_mappings(store, pool);
    database_run(store, "INSERT INTO communicator_mappings (origin,"
                        " original_id, local_record_type, local_record_id)"
                        " VALUES ('here', '1', 'Post', '1')");
    database_run(store, "CREATE UNIQUE INDEX remote_record_unique_index"
                        " ON communicator_mappings"
                        " (local_record_type, origin, original_id)");
    database_run(store, "CREATE UNIQUE INDEX local_record_unique_index"
                        " ON communicator_mappings"
                        " (local_record_type, local_record_id)");
    database_run(store, "DELETE FROM communicator_schema WHERE version > 1");
    database_must(migrate(&steps, store, settings, pool));
    is_str(columns_of(store, pool), whole,
           "%s: the columns are those of a new database", database_of(store));
    check_indexes(store, pool);
}

/* An emptied outbox still knows which numbers were used. */
static void upgrade_purged(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = gem_settings(pool);
    int steps;

    gem_make(store, 0, pool);
    database_run(store, "DELETE FROM outbound_messages");
    database_must(migrate(&steps, store, settings, pool));
    is_value(store, "SELECT last_seq FROM communicator_node", "9", pool);
    is_value(store, "SELECT confirmed FROM communicator_peers", "9", pool);
    check_goes_on(store, pool);
}

/* What SQLite would lose by rebuilding the table is not lost. */
static void strangers(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = gem_settings(pool);
    cm_error_t *err;
    int steps;

    gem_make(store, 0, pool);
    database_run(store, "ALTER TABLE outbound_messages ADD COLUMN mine int");
    err = migrate(&steps, store, settings, pool);
    if (cm_dialect_of_store(store)->database == CM_SQLITE3) {
        ok(database_fails(err, CM_SCHEMA, "a foreign column") && err->hint,
           "sqlite3: a foreign column is refused");
        is_value(store, "SELECT count(mine) FROM outbound_messages", "0", pool);
    }
    else {
        ok(!err, "%s: a foreign column stays", database_of(store));
        is_value(store, "SELECT count(mine) FROM outbound_messages", "0", pool);
    }
}

int main(void)
{
    if (!database_any())
        return skip_all("no database to test with");
    database_each("a gem's database", upgrade);
    database_each("an older gem's", upgrade_old);
    database_each("messages of nobody", upgrade_of_nobody);
    database_each("the tables of 0.9", upgrade_first);
    database_each("a purged outbox", upgrade_purged);
    database_each("foreign columns", strangers);
    return done_testing();
}
