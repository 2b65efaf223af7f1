/* migrate: a new database, twice, as a dry run, by several at once; and the
 * triggers of what is published. */
#include "schema/migrate.h"

#include <apr_thread_proc.h>

#include "../database.h"
#include "../settings.h"
#include "../tap.h"

/* What migrate told. */
typedef struct told_t {
    int steps;
    const char *words, *sql; /* of all steps, one after the other */
    apr_pool_t *pool;
} told_t;

static void tell(void *baton, const char *what, const char *sql)
{
    told_t *told = baton;

    told->steps++;
    told->words = apr_pstrcat(told->pool, told->words, what, "\n", NULL);
    told->sql = apr_pstrcat(told->pool, told->sql, sql, "\n", NULL);
}

static told_t migrate(cm_store_t *store, const cm_settings_t *settings,
                      int dry_run, apr_pool_t *pool)
{
    told_t told = {0, "", "", pool};

    database_must(cm_migrate_run(store, settings, dry_run, tell, &told, pool));
    return told;
}

/* Count the tables of the database. */
static const char *tables_of(cm_store_t *store, apr_pool_t *pool)
{
    switch (cm_dialect_of_store(store)->database) {
    case CM_SQLITE3:
        return database_value(store, "SELECT count(*) FROM sqlite_master",
                              pool);
    case CM_PGSQL:
        return database_value(store,
                              "SELECT count(*) FROM pg_tables"
                              " WHERE schemaname = 'public'",
                              pool);
    case CM_MYSQL:
        return database_value(store,
                              "SELECT count(*) FROM information_schema.tables"
                              " WHERE table_schema = DATABASE()",
                              pool);
    }
    return NULL;
}

/* Count our triggers, and the functions that they call. */
static const char *triggers_of(cm_store_t *store, apr_pool_t *pool)
{
    switch (cm_dialect_of_store(store)->database) {
    case CM_SQLITE3:
        return database_value(store,
                              "SELECT count(*) FROM sqlite_master WHERE type ="
                              " 'trigger' AND name LIKE 'communicator%%'",
                              pool);
    case CM_PGSQL:
        return database_value(
            store,
            "SELECT (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal"
            " AND tgname LIKE 'communicator%%') + (SELECT count(*) FROM"
            " pg_proc WHERE proname LIKE 'communicator%%'"
            " AND prorettype = CAST('trigger' AS regtype))",
            pool);
    case CM_MYSQL:
        return database_value(store,
                              "SELECT count(*) FROM information_schema.triggers"
                              " WHERE trigger_schema = DATABASE()",
                              pool);
    }
    return NULL;
}

static void fresh(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    const char *name = database_of(store), *epoch;
    told_t dry, real, again;

    dry = migrate(store, settings, 1, pool);
    ok(dry.steps > 5 && strstr(dry.sql, "CREATE TABLE communicator_peers"),
       "%s: a dry run shows the SQL", name);
    is_str(tables_of(store, pool), "0", "  and changes nothing");
    real = migrate(store, settings, 0, pool);
    is_str(real.words, dry.words, "%s: then it is done", name);
    epoch = database_value(store, "SELECT epoch FROM communicator_node", pool);
    again = migrate(store, settings, 0, pool);
    is_int(again.steps, 0, "%s: a second run does nothing", name);
    again = migrate(store, settings, 1, pool);
    is_int(again.steps, 0, "  nor does a dry one");
    is_str(database_value(store, "SELECT epoch FROM communicator_node", pool),
           epoch, "  the epoch stays");
    is_str(
        database_value(store, "SELECT count(*) FROM communicator_peers", pool),
        "0", "  nobody was met yet");
    if (cm_dialect_of_store(store)->database == CM_SQLITE3)
        is_str(database_value(store, "PRAGMA journal_mode", pool), "wal",
               "  the journal is a write-ahead log");
}

static void triggers(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool), *fewer = settings_make(pool);
    const char *name = database_of(store), *before;
    cm_error_t *err;
    told_t told = {0, "", "", pool};

    settings_add_model(settings, "post", "posts", "id", pool);
    settings_add_model(settings, "tag", "tags", "id", pool);
    settings_add_model(fewer, "post", "posts", "id", pool);
    database_run(store, "CREATE TABLE posts (id int NOT NULL PRIMARY KEY,"
                        " title varchar(20))");
    err = cm_migrate_run(store, settings, 0, tell, &told, pool);
    ok(database_fails(err, CM_SCHEMA, "no table") &&
           strstr(cm_error_text(err, pool), "tag"),
       "%s: a published model must have a table", name);
    is_int(told.steps, cm_dialect_of_store(store)->database == CM_SQLITE3,
           "  and nothing is done before");
    database_run(store, "CREATE TABLE tags (id int NOT NULL PRIMARY KEY)");
    told = migrate(store, settings, 0, pool);
    ok(strstr(told.words, "table posts (model post)") != NULL,
       "%s: its triggers are installed", name);
    before = triggers_of(store, pool);
    told = migrate(store, settings, 0, pool);
    is_int(told.steps, 0, "%s: once", name);

    database_run(store, "INSERT INTO tags VALUES (1)");
    database_run(store, "ALTER TABLE posts ADD COLUMN place int");
    told = migrate(store, settings, 0, pool);
    ok(strstr(told.words, "renews the triggers of table posts") != NULL,
       "%s: a new column renews them", name);
    is_str(triggers_of(store, pool), before, "  as many as before");
    told = migrate(store, fewer, 0, pool);
    ok(strstr(told.words, "table tags: no model uses it") != NULL,
       "%s: what is published no longer loses them", name);
    is_int(2 * apr_atoi64(triggers_of(store, pool)), apr_atoi64(before),
           "  only that");
    database_run(store, "INSERT INTO tags VALUES (2)");
    is_str(
        database_value(store, "SELECT count(*) FROM outbound_messages", pool),
        "1", "  and is silent");
    told = migrate(store, fewer, 0, pool);
    is_int(told.steps, 0, "%s: once", name);
}

/* A table that is called otherwise now, or is only called so: one message for
 * each change. */
static void renamed(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const schemas[] = {"main", "public", NULL};
    const char *schema = schemas[cm_dialect_of_store(store)->database];
    const char *name = database_of(store), *full;
    cm_settings_t *before = settings_make(pool), *after = settings_make(pool);
    cm_settings_t *last = settings_make(pool);
    apr_array_header_t *leftovers;
    told_t told;

    if (!schema)
        schema = database_value(store, "SELECT DATABASE()", pool);
    full = apr_pstrcat(pool, schema, ".articles", NULL);
    settings_add_model(before, "post", "posts", "id", pool);
    settings_add_model(after, "post", "articles", "id", pool);
    settings_add_model(last, "post", full, "id", pool);
    database_run(store, "CREATE TABLE posts (id int NOT NULL PRIMARY KEY)");
    migrate(store, before, 0, pool);
    database_must(
        cm_migrate_triggers_leftovers(&leftovers, store, before, pool));
    is_int(leftovers->nelts, 0, "%s: no trigger is left over", name);
    database_run(store, "ALTER TABLE posts RENAME TO articles");
    database_must(
        cm_migrate_triggers_leftovers(&leftovers, store, after, pool));
    ok(leftovers->nelts >= 3 &&
           strstr(APR_ARRAY_IDX(leftovers, 0, const char *), "'articles'"),
       "%s: those of a renamed table are found", name);
    told = migrate(store, after, 0, pool);
    ok(strstr(told.words, "removes trigger communicator_posts_insert") != NULL,
       "  and removed");
    database_run(store, "INSERT INTO articles VALUES (1)");
    is_str(
        database_value(store, "SELECT count(*) FROM outbound_messages", pool),
        "1", "  a change is published once");
    told = migrate(store, after, 0, pool);
    is_int(told.steps, 0, "  that is all");
    migrate(store, last, 0, pool);
    database_run(store, "INSERT INTO articles VALUES (2)");
    is_str(
        database_value(store, "SELECT count(*) FROM outbound_messages", pool),
        "2", "%s: nor is it published twice as '%s'", name, full);
    told = migrate(store, last, 0, pool);
    is_int(told.steps, 0, "  that is all");
}

typedef struct runner_t {
    const cm_settings_t *settings;
    apr_thread_t *thread;
    apr_pool_t *pool;
    cm_error_t *err;
} runner_t;

static void silent(void *baton, const char *what, const char *sql)
{
    (void)baton;
    (void)what;
    (void)sql;
}

static void *APR_THREAD_FUNC migrate_there(apr_thread_t *thread, void *data)
{
    runner_t *runner = data;

    (void)thread;
    runner->err = cm_migrate_run(database_again(runner->pool), runner->settings,
                                 0, silent, NULL, runner->pool);
    return NULL;
}

static void several(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    runner_t runners[4];
    apr_status_t status;
    int i;

    for (i = 0; i < 4; i++) {
        runners[i].settings = settings;
        apr_pool_create(&runners[i].pool, NULL);
        apr_thread_create(&runners[i].thread, NULL, migrate_there, &runners[i],
                          runners[i].pool);
    }
    for (i = 0; i < 4; i++)
        apr_thread_join(&status, runners[i].thread);
    for (i = 0; i < 4; i++) {
        ok(!runners[i].err, "%s: one of several at once%s%s",
           database_of(store), runners[i].err ? ": " : "",
           runners[i].err ? cm_error_text(runners[i].err, pool) : "");
        apr_pool_destroy(runners[i].pool);
    }
    is_str(
        database_value(store, "SELECT count(*) FROM communicator_node", pool),
        "1", "%s: made once", database_of(store));
}

int main(void)
{
    if (!database_any())
        return skip_all("no database to test with");
    database_each("a new database", fresh);
    database_each("several at once", several);
    database_each("triggers", triggers);
    database_each("renamed", renamed);
    return done_testing();
}
