/* A migration of a gem's database that is cut off at any step, and run again:
 * it ends as if nothing had been. */
#include "schema/migrate.h"
#include "../gem.h"

/* Where the connection of a run of migrate is cut. */
typedef struct cut_t {
    int steps, at; /* at 0: never */
    const char *kill;
    cm_store_t *killer;
} cut_t;

static void count_step(void *baton, const char *what, const char *sql)
{
    cut_t *cut = baton;
    apr_pool_t *pool;
    cm_rows_t *rows;

    (void)what;
    (void)sql;
    if (++cut->steps != cut->at)
        return;
    apr_pool_create(&pool, NULL);
    database_must(
        cm_statement_select(&rows, cut->killer, cut->kill, NULL, 0, pool));
    apr_pool_destroy(pool);
}

/* Give the SQL that cuts the connection of STORE. */
static const char *kill_sql(cm_store_t *store, apr_pool_t *pool)
{
    if (cm_dialect_of_store(store)->database == CM_PGSQL)
        return apr_psprintf(
            pool, "SELECT pg_terminate_backend(%s)",
            database_value(store, "SELECT pg_backend_pid()", pool));
    return apr_psprintf(pool, "KILL CONNECTION %s",
                        database_value(store, "SELECT CONNECTION_ID()", pool));
}

/* Run migrate on a connection of its own that is cut at its step AT; return
 * whether it came that far. */
static int migrate_cut(cm_store_t *killer, int at, apr_pool_t *pool)
{
    cut_t cut = {0, at, NULL, killer};
    cm_store_t *store = database_again(pool);
    cm_error_t *err;

    if (at)
        cut.kill = kill_sql(store, pool);
    err = cm_migrate_run(store, gem_settings(pool), 0, count_step, &cut, pool);
    if (!at || cut.steps < at)
        database_must(err);
    else
        ok(err && err->code == CM_UNAVAILABLE, "%s: cut at step %d",
           database_of(killer), at);
    return cut.steps >= at;
}

/* Return what the gem left, as one text. */
static const char *state_of(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const questions[] = {
        "SELECT count(*) FROM outbound_messages WHERE seq = id AND id < 10",
        "SELECT sum(id) FROM outbound_messages WHERE body <> 'meanwhile'",
        "SELECT body FROM outbound_messages WHERE id = 1",
        "SELECT original_id FROM outbound_messages WHERE id = 4",
        "SELECT count(*) FROM inbound_messages WHERE peer = 'facade'"
        " AND processed_at IS NOT NULL",
        "SELECT received_at FROM inbound_messages WHERE id = 50",
        "SELECT count(*) FROM communicator_mappings WHERE clock = 0",
        "SELECT local_record_id FROM communicator_mappings"
        " WHERE origin = 'there' AND local_record_type = 'Post'",
        "SELECT confirmed FROM communicator_peers WHERE name = 'facade'",
        "SELECT received FROM communicator_peers WHERE name = 'facade'",
        "SELECT length(epoch) FROM communicator_node WHERE id = 1",
        "SELECT history FROM communicator_node WHERE id = 1",
        "SELECT max(version) FROM communicator_schema",
    };
    const char *text = "";
    apr_size_t i;

    for (i = 0; i < sizeof(questions) / sizeof(*questions); i++)
        text = apr_pstrcat(
            pool, text, database_value(store, questions[i], pool), " ", NULL);
    return text;
}

/* The application writes a message in between: it must not get a number that
 * is used again. */
static void crashes(cm_store_t *store, apr_pool_t *pool)
{
    const char *want = NULL, *got;
    apr_pool_t *iterpool;
    int at, reached = 1;

    if (cm_dialect_of_store(store)->database == CM_SQLITE3)
        return;
    apr_pool_create(&iterpool, pool);
    for (at = 0; reached; at++) {
        apr_pool_clear(iterpool);
        gem_drop_upgraded(store);
        gem_make(store, 0, iterpool);
        reached = migrate_cut(store, at, iterpool);
        database_run(store, "INSERT INTO outbound_messages (body, created_at,"
                            " updated_at) VALUES ('meanwhile',"
                            " '2012-01-01', '2012-01-01')");
        migrate_cut(store, 0, iterpool);
        got = state_of(store, pool);
        if (!at)
            want = got;
        is_str(got, want, "%s: ends as without a cut", database_of(store));
        is_str(database_value(store,
                              "SELECT count(*) FROM outbound_messages WHERE seq"
                              " > (SELECT last_seq FROM communicator_node)",
                              iterpool),
               "0", "  and no number will be used twice");
    }
    ok(at > 8, "%s: cut at %d steps", database_of(store), at - 2);
    apr_pool_destroy(iterpool);
}

/* One transaction: what cannot be finished was never begun. */
static void fails(cm_store_t *store, apr_pool_t *pool)
{
    cut_t cut = {0, 0, NULL, NULL};
    cm_error_t *err;

    if (cm_dialect_of_store(store)->database == CM_MYSQL)
        return;
    gem_make(store, 0, pool);
    database_run(store, "CREATE TABLE x (y int)");
    database_run(store, "CREATE INDEX communicator_conflicts_record_index"
                        " ON x (y)");
    err = cm_migrate_run(store, gem_settings(pool), 0, count_step, &cut, pool);
    ok(err && cut.steps > 3, "%s: a step fails: %s", database_of(store),
       err ? cm_error_text(err, pool) : "no error");
    database_run(store, "INSERT INTO outbound_messages (body, created_at,"
                        " updated_at, original_id) VALUES ('x', '2012-01-01',"
                        " '2012-01-01', 12)");
    is_str(database_value(store, "SELECT max(id) FROM outbound_messages", pool),
           "10", "%s: the gem's tables are as they were", database_of(store));
    database_run(store, "DROP TABLE x");
    database_must(
        cm_migrate_run(store, gem_settings(pool), 0, count_step, &cut, pool));
    is_str(
        database_value(store, "SELECT last_seq FROM communicator_node", pool),
        "10", "%s: then it works", database_of(store));
}

int main(void)
{
    if (!database_any())
        return skip_all("no database to test with");
    database_each("a cut connection", crashes);
    database_each("a failing step", fails);
    return done_testing();
}
