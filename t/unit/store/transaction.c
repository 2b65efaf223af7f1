/* Transactions, writers at once and lost connections on the real databases. */
#include "../database.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_strings.h>

#include "../tap.h"
#include "base/clock.h"
#include "store/bulk.h"
#include "store/store.h"

static void transactions(cm_store_t *store, apr_pool_t *pool)
{
    const char *of = database_of(store);
    apr_pool_t *lost;
    apr_int64_t count;

    database_run(store, "CREATE TABLE x (id int PRIMARY KEY, n int)");
    database_must(cm_transaction_begin(store, pool));
    database_must(cm_statement_run(NULL, store, "INSERT INTO x VALUES (1, 1)",
                                   NULL, 0, pool));
    database_must(cm_transaction_savepoint(store, "a", pool));
    ok(cm_statement_run(NULL, store, "INSERT INTO x VALUES (1, 1)", NULL, 0,
                        pool) != NULL,
       "%s: a statement fails in a transaction", of);
    database_must(cm_transaction_rollback_to(store, "a", pool));
    database_must(cm_statement_run(NULL, store, "INSERT INTO x VALUES (2, 1)",
                                   NULL, 0, pool));
    database_must(cm_transaction_release(store, "a", pool));
    database_must(cm_transaction_commit(store, pool));
    is_str(database_value(store, "SELECT count(*) FROM x", pool), "2",
           "%s: after the savepoint all the rest is committed", of);

    database_must(cm_transaction_begin(store, pool));
    ok(cm_statement_run(NULL, store, "INSERT INTO x VALUES (1, 1)", NULL, 0,
                        pool) != NULL,
       "%s: a statement fails", of);
    ok(cm_transaction_commit(store, pool) != NULL,
       "%s: the transaction cannot be committed then", of);

    apr_pool_create(&lost, pool);
    database_must(cm_transaction_begin(store, lost));
    database_must(
        cm_statement_run(NULL, store, "DELETE FROM x", NULL, 0, lost));
    apr_pool_destroy(lost);
    is_str(database_value(store, "SELECT count(*) FROM x", pool), "2",
           "%s: a transaction whose pool goes is rolled back", of);
    database_must(cm_transaction_begin(store, pool));
    database_must(
        cm_statement_run(&count, store, "UPDATE x SET n = 1", NULL, 0, pool));
    is_int(count, 2, "%s: rows are counted that did not change", of);
    cm_transaction_rollback(store);
    cm_transaction_rollback(store);
}

/* The store of another connection sees nothing before the commit, and two
 * writers of one row in the wrong order end with CM_BUSY. */
static void two_writers(cm_store_t *store, apr_pool_t *pool)
{
    cm_store_t *other = database_again(pool);
    const char *of = database_of(store);
    cm_rows_t *rows;

    database_run(store, "CREATE TABLE w (id int PRIMARY KEY, n int)");
    database_must(cm_transaction_begin(store, pool));
    database_must(cm_statement_run(NULL, store, "INSERT INTO w VALUES (1, 1)",
                                   NULL, 0, pool));
    is_str(database_value(other, "SELECT count(*) FROM w", pool), "0",
           "%s: a row in flight is not seen", of);
    database_must(cm_transaction_commit(store, pool));
    is_str(database_value(other, "SELECT count(*) FROM w", pool), "1",
           "%s: a committed row is", of);
    database_must(cm_transaction_begin(store, pool));
    database_must(
        cm_statement_run(NULL, store, "UPDATE w SET n = 2", NULL, 0, pool));
    if (cm_dialect_of_store(store)->database == CM_PGSQL)
        database_run(other, "SET lock_timeout = '100ms'");
    if (cm_dialect_of_store(store)->database == CM_MYSQL)
        database_run(other, "SET innodb_lock_wait_timeout = 1");
    if (cm_dialect_of_store(store)->database != CM_SQLITE3) {
        database_must(cm_transaction_begin(other, pool));
        ok(database_fails(cm_statement_run(NULL, other, "UPDATE w SET n = 3",
                                           NULL, 0, pool),
                          CM_BUSY, "a locked row"),
           "%s: a row locked too long", of);
        ok(cm_statement_run(NULL, other, "SELECT 1", NULL, 0, pool) != NULL,
           "%s: only a rollback is left then", of);
        cm_transaction_rollback(other);
        database_must(cm_transaction_begin(other, pool));
        ok(database_fails(cm_statement_select(&rows, other,
                                              "SELECT n FROM w FOR UPDATE",
                                              NULL, 0, pool),
                          CM_BUSY, "a locked row, selected"),
           "%s: a row locked too long for a select", of);
        cm_transaction_rollback(other);
    }
    database_must(cm_transaction_commit(store, pool));
    is_str(database_value(other, "SELECT n FROM w", pool), "2",
           "%s: the first writer's value is there", of);
}

/* Have the server end the connection of STORE. */
static void kill_connection(cm_store_t *store, apr_pool_t *pool)
{
    int pgsql = cm_dialect_of_store(store)->database == CM_PGSQL;
    const char *id = database_value(
        store, pgsql ? "SELECT pg_backend_pid()" : "SELECT connection_id()",
        pool);

    database_value(database_again(pool),
                   apr_psprintf(pool,
                                pgsql ? "SELECT pg_terminate_backend(%s)"
                                      : "SELECT 1 FROM (SELECT %s) AS t",
                                id),
                   pool);
    if (!pgsql)
        database_run(database_again(pool),
                     apr_pstrcat(pool, "KILL ", id, NULL));
    apr_sleep(apr_time_from_msec(100));
}

static void lost_connection(cm_store_t *store, apr_pool_t *pool)
{
    const char *of = database_of(store);
    const char *zone = "SELECT @@time_zone";

    if (cm_dialect_of_store(store)->database == CM_SQLITE3)
        return;
    if (cm_dialect_of_store(store)->database == CM_PGSQL)
        zone = "SHOW timezone";
    database_run(store, "CREATE TABLE l (id int)");
    kill_connection(store, pool);
    ok(!cm_transaction_begin(store, pool),
       "%s: a connection lost at rest is renewed", of);
    ok(strstr("+00:00 UTC", database_value(store, zone, pool)) != NULL,
       "%s: with its settings", of);
    database_must(cm_statement_run(NULL, store, "INSERT INTO l VALUES (1)",
                                   NULL, 0, pool));
    kill_connection(store, pool);
    ok(database_fails(cm_statement_run(NULL, store, "INSERT INTO l VALUES (2)",
                                       NULL, 0, pool),
                      CM_UNAVAILABLE, "lost in a transaction"),
       "%s: a connection lost in a transaction", of);
    ok(cm_statement_run(NULL, store, "INSERT INTO l VALUES (3)", NULL, 0,
                        pool) != NULL,
       "%s: nothing goes on by itself", of);
    ok(cm_transaction_commit(store, pool) != NULL,
       "%s: nor can it be committed", of);
    is_str(database_value(store, "SELECT count(*) FROM l", pool), "0",
           "%s: nothing of it is there", of);
}

/* What an administrator has set for all sessions of a role or a database. */
static void pgsql_settings_of_others(cm_store_t *store, apr_pool_t *pool)
{
    const char *name = database_value(store, "SELECT current_database()", pool);
    const char *version =
        database_value(store, "SHOW server_version_num", pool);
    const char *const settings[] = {"array_nulls = off",
                                    "xmloption = document",
                                    "transform_null_equals = on",
                                    "bytea_output = escape",
                                    "statement_timeout = '7s'",
                                    strtol(version, NULL, 10) < 170000
                                        ? NULL
                                        : "transaction_timeout = '7s'",
                                    NULL};
    int i;

    for (i = 0; settings[i]; i++)
        database_run(store, apr_psprintf(pool, "ALTER DATABASE %s SET %s", name,
                                         settings[i]));
    is_str(database_value(database_again(pool),
                          "SELECT concat_ws(' ', '{NULL}'::text[] ="
                          " array[NULL]::text[], 'a <b/>'::xml,"
                          " '\\x00'::bytea,"
                          " current_setting('statement_timeout'),"
                          " coalesce(current_setting("
                          "'transaction_timeout', true), '0'))",
                          pool),
           "t a <b/> \\x00 0 0", "pgsql: nobody else's settings");
}

static void settings_of_others(cm_store_t *store, apr_pool_t *pool)
{
    const char *of = database_of(store);
    cm_store_t *other;

    if (cm_dialect_of_store(store)->database == CM_PGSQL)
        pgsql_settings_of_others(store, pool);
    if (cm_dialect_of_store(store)->database == CM_MYSQL) {
        database_run(store, "SET GLOBAL sql_safe_updates = 1,"
                            " sql_select_limit = 1, foreign_key_checks = 0,"
                            " unique_checks = 0, autocommit = 0,"
                            " sql_auto_is_null = 1, completion_type = 2,"
                            " sql_big_selects = 0"
                            "/*M! , max_statement_time = 7 */"
                            "/*!80017 , max_execution_time = 7000 */");
        other = database_again(pool);
        database_run(store, "SET GLOBAL sql_safe_updates = DEFAULT,"
                            " sql_select_limit = DEFAULT,"
                            " foreign_key_checks = DEFAULT,"
                            " unique_checks = DEFAULT, autocommit = DEFAULT,"
                            " sql_auto_is_null = DEFAULT,"
                            " completion_type = DEFAULT,"
                            " sql_big_selects = DEFAULT"
                            "/*M! , max_statement_time = DEFAULT */"
                            "/*!80017 , max_execution_time = DEFAULT */");
        is_str(database_value(other,
                              "SELECT CONCAT_WS(' ', @@sql_safe_updates + 0,"
                              " @@sql_select_limit = 18446744073709551615,"
                              " @@foreign_key_checks + 0,"
                              " @@unique_checks + 0, @@autocommit + 0,"
                              " @@sql_auto_is_null + 0, @@sql_big_selects + 0,"
                              " @@completion_type, 0 ="
                              "/*M! @@max_statement_time */"
                              "/*!80017 @@max_execution_time */)",
                              pool),
               "0 1 1 1 1 0 1 NO_CHAIN 1", "%s: nobody else's settings", of);
    }
}

/* The module's way: the connection is someone else's. */
static void attached(cm_store_t *store, apr_pool_t *pool)
{
    const apr_dbd_driver_t *driver;
    const char *of = database_of(store);
    cm_store_t *first, *again;
    apr_dbd_t *handle;

    apr_dbd_init(pool);
    apr_dbd_get_driver(pool, of, &driver);
    apr_dbd_open(driver, pool, database_params(), &handle);
    database_must(cm_store_attach(&first, driver, handle, pool, pool));
    database_must(cm_store_attach(&again, driver, handle, pool, pool));
    ok(first == again, "%s: a connection has one store", of);
    database_run(first, "CREATE TABLE communicator_schema (version int)");
    database_run(first, "INSERT INTO communicator_schema VALUES (1)");
    database_must(cm_transaction_begin(first, pool));
    database_must(cm_transaction_commit(first, pool));
    if (cm_dialect_of_store(store)->database == CM_SQLITE3)
        return;
    kill_connection(first, pool);
    if (cm_dialect_of_store(store)->database == CM_PGSQL) {
        ok(!cm_transaction_begin(first, pool), "%s: renewed when lost", of);
        is_str(database_value(first, "SHOW bytea_output", pool), "hex",
               "%s: with its settings", of);
        is_str(database_value(first, "SHOW client_min_messages", pool), "error",
               "%s: with all of them", of);
    }
    else
        ok(database_fails(cm_transaction_begin(first, pool), CM_UNAVAILABLE,
                          "lost"),
           "%s: given up when lost, so that another is taken", of);
    cm_transaction_rollback(first);
    if (cm_dialect_of_store(store)->database == CM_PGSQL)
        return;
    apr_pool_create(&pool, pool);
    is_int(apr_dbd_open(driver, pool, database_params(), &handle), 0,
           "%s: opened as mod_dbd does by default", of);
    ok(database_fails(cm_store_attach(&again, driver, handle, pool, pool),
                      CM_CONFIG, "without the flag"),
       "%s: a connection that counts only changed rows is refused", of);
}

#define THREADS 4
#define TURNS   25

static void *writer(void *params)
{
    apr_pool_t *pool;
    cm_store_t *store;
    int i;

    apr_pool_create(&pool, NULL);
    database_must(cm_store_open(&store, "sqlite3", params, pool));
    for (i = 0; i < TURNS; i++) {
        database_must(cm_transaction_begin(store, pool));
        database_must(cm_statement_run(NULL, store, "UPDATE w SET n = n + 1",
                                       NULL, 0, pool));
        database_must(cm_transaction_commit(store, pool));
    }
    apr_pool_destroy(pool);
    return NULL;
}

/* Another process holds the lock longer than the driver itself waits. */
static void hold_the_lock(int ready, const char *params)
{
    apr_pool_t *pool;
    cm_store_t *store;

    apr_pool_create(&pool, NULL);
    database_must(cm_store_open(&store, "sqlite3", params, pool));
    database_must(cm_transaction_begin(store, pool));
    database_must(
        cm_statement_run(NULL, store, "UPDATE w SET n = n + 1", NULL, 0, pool));
    if (write(ready, "r", 1) == 1)
        apr_sleep(apr_time_from_msec(2500));
    database_must(cm_transaction_commit(store, pool));
}

static void sqlite_writers(cm_store_t *store, apr_pool_t *pool)
{
    char *params = (char *)database_params(), byte;
    pthread_t threads[THREADS];
    int i, ready[2];
    pid_t child;

    if (cm_dialect_of_store(store)->database != CM_SQLITE3)
        return;
    database_run(store, "CREATE TABLE w (n int)");
    database_run(store, "INSERT INTO w VALUES (0)");
    for (i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, writer, params);
    for (i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    is_str(database_value(store, "SELECT n FROM w", pool),
           apr_psprintf(pool, "%d", THREADS * TURNS),
           "sqlite3: threads take turns");
    if (pipe(ready) || (child = fork()) < 0)
        return;
    if (!child) {
        hold_the_lock(ready[1], params);
        _exit(0);
    }
    ok(read(ready[0], &byte, 1) == 1, "sqlite3: another process writes");
    ok(!cm_transaction_begin(store, pool), "sqlite3: it is waited for");
    is_str(database_value(store, "SELECT n FROM w", pool),
           apr_psprintf(pool, "%d", THREADS * TURNS + 1),
           "sqlite3: and its change is seen");
    cm_transaction_rollback(store);
    waitpid(child, NULL, 0);
}

/* Another process has the whole file for itself, so that not even the schema
 * can be read: as while a journal is recovered. */
static void hold_the_file(int ready, const char *params)
{
    apr_pool_t *pool;
    cm_store_t *store;

    apr_pool_create(&pool, NULL);
    database_must(cm_store_open(&store, "sqlite3", params, pool));
    database_run(store, "BEGIN EXCLUSIVE");
    if (write(ready, "r", 1) == 1)
        apr_sleep(apr_time_from_msec(500));
    database_run(store, "COMMIT");
}

static void sqlite_file_held(cm_store_t *store, apr_pool_t *pool)
{
    char *params = (char *)database_params(), byte;
    cm_rows_t *rows;
    cm_error_t *err;
    int ready[2];
    pid_t child;

    if (cm_dialect_of_store(store)->database != CM_SQLITE3)
        return;
    database_run(store, "PRAGMA journal_mode = DELETE");
    database_run(store, "CREATE TABLE w (n int)");
    if (pipe(ready) || (child = fork()) < 0)
        return;
    if (!child) {
        hold_the_file(ready[1], params);
        _exit(0);
    }
    ok(read(ready[0], &byte, 1) == 1, "sqlite3: another process has the file");
    err = cm_statement_select(&rows, database_again(pool), "SELECT n FROM w",
                              NULL, 0, pool);
    ok(!err, "sqlite3: the first read of a connection waits for it: %s",
       err ? err->message : "ok");
    waitpid(child, NULL, 0);
}

/* A backup is put in place of the file while connections have it open: one of
 * our own, and one of mod_dbd's. */
static void sqlite_file_replaced(cm_store_t *store, apr_pool_t *pool)
{
    const char *file = apr_pstrcat(pool, database_params(), "-live", NULL);
    const char *backup = apr_pstrcat(pool, file, "-backup", NULL);
    const apr_dbd_driver_t *driver;
    cm_store_t *stores[2];
    apr_dbd_t *handle;
    int i;

    if (cm_dialect_of_store(store)->database != CM_SQLITE3)
        return;
    database_must(cm_store_open(&stores[0], "sqlite3", file, pool));
    database_run(stores[0], "CREATE TABLE w (n int)");
    apr_dbd_get_driver(pool, "sqlite3", &driver);
    apr_dbd_open(driver, pool, file, &handle);
    database_must(cm_store_attach(&stores[1], driver, handle, pool, pool));
    database_run(stores[0], apr_psprintf(pool, "VACUUM INTO '%s'", backup));
    for (i = 0; i < 2; i++)
        database_run(stores[i], "INSERT INTO w VALUES (1)");
    ok(!rename(backup, file), "sqlite3: the file is replaced");
    for (i = 0; i < 2; i++)
        database_run(stores[i], "INSERT INTO w VALUES (2)");
    for (i = 0; i < 2; i++)
        is_str(database_value(stores[i], "SELECT group_concat(n) FROM w", pool),
               "2,2", "sqlite3: connection %d goes on in the new one", i);
    ok(!unlink(file), "sqlite3: the file is gone");
    ok(database_fails(cm_transaction_begin(stores[1], pool), CM_UNAVAILABLE,
                      "is gone"),
       "sqlite3: which is reported");
    ok(access(file, F_OK), "sqlite3: and makes no other one");
}

/* The transaction that holds SQLite's lock ends while somebody waits for it. */
static struct {
    cm_store_t *store;
    int pauses;
} held;

static void release(apr_interval_time_t span)
{
    (void)span;
    held.pauses++;
    cm_transaction_rollback(held.store);
}

/* What is written outside of a transaction waits as a transaction does, and not
 * in the driver, which would not let go of what other writers need. */
static void sqlite_outside(cm_store_t *store, apr_pool_t *pool)
{
    static const cm_clock_t clock = {apr_time_now, release, NULL};
    const cm_bulk_column_t column = {.name = "n"};
    cm_bulk_t *bulk = cm_bulk_create("w", &column, 1, 0, pool);
    apr_time_t began;

    if (cm_dialect_of_store(store)->database != CM_SQLITE3)
        return;
    held.store = database_again(pool);
    database_run(store, "CREATE TABLE w (n int)");
    cm_bulk_add(bulk, cm_datum_text("1"));
    cm_clock_replace(&clock);
    alarm(30); /* waiting in the driver would never end */
    database_must(cm_transaction_begin(held.store, pool));
    began = apr_time_now();
    ok(!cm_statement_run(NULL, store, "INSERT INTO w VALUES (1)", NULL, 0,
                         pool) &&
           held.pauses == 1 && apr_time_now() - began < apr_time_from_sec(1),
       "sqlite3: a statement waits for the lock outside of the driver");
    database_must(cm_transaction_begin(held.store, pool));
    began = apr_time_now();
    ok(!cm_bulk_insert(NULL, store, bulk, CM_PRESENT_FAIL, pool) &&
           held.pauses == 2 && apr_time_now() - began < apr_time_from_sec(1),
       "sqlite3: and so do rows");
    alarm(0);
}

int main(void)
{
    if (!database_any())
        return skip_all("no CM_TEST_SQLITE3, _PGSQL, _MYSQL is set");
    database_each("transactions", transactions);
    database_each("two writers", two_writers);
    database_each("settings_of_others", settings_of_others);
    database_each("lost connection", lost_connection);
    database_each("attached", attached);
    database_each("writers of SQLite", sqlite_writers);
    database_each("a held file of SQLite", sqlite_file_held);
    database_each("a replaced file of SQLite", sqlite_file_replaced);
    database_each("outside of a transaction", sqlite_outside);
    return done_testing();
}
