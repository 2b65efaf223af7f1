/* See node.h. */
#include "node.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>
#include "config/config_file.h"
#include "schema/migrate.h"
#include "session.h"

static const char *const drivers[] = {"sqlite3", "pgsql", "mysql"};
static const char *const variables[] = {NULL, "CM_TEST_PGSQL", "CM_TEST_MYSQL"};

/* An application does not wait for the node: there is only one thread. The node
 * waits for applications, which go on meanwhile: see session.h. The time for
 * that must not end on a slow server. */
static const char *const impatient[] = {NULL, "SET lock_timeout = '20ms'",
                                        "SET innodb_lock_wait_timeout = 0,"
                                        " tx_isolation = 'READ-COMMITTED'"};
static const char *const patient[] = {NULL, "SET lock_timeout = '20s'",
                                      "SET innodb_lock_wait_timeout = 20"};
static const char *directory;

/* Those whose databases are on servers, by node. */
static sim_schema_t served[SIM_NODES];
static int is_stale[SIM_NODES];

void sim_node_use(const char *path)
{
    directory = path;
}

const char *sim_node_run(sim_session_t *session, const char *sql,
                         apr_pool_t *pool)
{
    const char *words = NULL;
    int rows = 0, rc = 1, tries;

    /* SQLite notices only now that the schema has changed. */
    for (tries = 0; rc && tries < 2; tries++) {
        if (tries && (!words || !strstr(words, "schema has changed")))
            break;
        rc = apr_dbd_query(session->driver, session->handle, &rows, sql);
        words = rc ? apr_dbd_error(session->driver, session->handle, rc) : NULL;
    }
    if (!rc)
        return NULL;
    return apr_pstrdup(pool, words && *words ? words : "failed");
}

/* PostgreSQL's driver says that NULL is an entry of "", but knows better. */
static const char *cell(const sim_session_t *session, apr_dbd_row_t *row,
                        int number, apr_pool_t *pool)
{
    const char *text = NULL;

    if (apr_dbd_datum_get(session->driver, row, number, APR_DBD_TYPE_STRING,
                          &text))
        return NULL;
    return apr_pstrdup(pool, text);
}

apr_array_header_t *sim_node_select(sim_session_t *session, const char *sql,
                                    int count, apr_pool_t *pool)
{
    apr_array_header_t *rows = apr_array_make(pool, 8, sizeof(const char **));
    apr_dbd_results_t *results = NULL;
    apr_dbd_row_t *row = NULL;
    /* PostgreSQL's driver waits for others in steps of a tenth of a second. */
    int buffered = !strcmp(apr_dbd_name(session->driver), drivers[SIM_PGSQL]);
    int i;

    if (apr_dbd_select(session->driver, pool, session->handle, &results, sql,
                       buffered) &&
        apr_dbd_select(session->driver, pool, session->handle, &results, sql,
                       buffered)) {
        /* SERIALIZABLE: a read may fail, too. */
        session->broken = session->open;
        if (session->broken)
            return rows;
        fprintf(stderr, "%s: %s\n", sql,
                apr_dbd_error(session->driver, session->handle, 1));
        abort();
    }
    while (apr_dbd_get_row(session->driver, pool, results, &row, -1) != -1) {
        const char **cells =
            apr_palloc(pool, (apr_size_t)count * sizeof(*cells));

        for (i = 0; i < count; i++)
            cells[i] = cell(session, row, i, pool);
        APR_ARRAY_PUSH(rows, const char **) = cells;
    }
    return rows;
}

const char *sim_node_value(sim_session_t *session, const char *sql,
                           apr_pool_t *pool)
{
    apr_array_header_t *rows = sim_node_select(session, sql, 1, pool);

    return rows->nelts ? APR_ARRAY_IDX(rows, 0, const char **)[0] : NULL;
}

static apr_status_t leave_database(void *data)
{
    sim_session_t *session = data;

    apr_dbd_close(session->driver, session->handle);
    return APR_SUCCESS;
}

const char *sim_node_join(sim_session_t *session, sim_database_e database,
                          const char *params, apr_pool_t *pool)
{
    static const char *const pragmas[] = {
        "PRAGMA foreign_keys = ON", "PRAGMA recursive_triggers = ON", NULL};
    const char *error = NULL;
    int i;

    memset(session, 0, sizeof(*session));
    if (apr_dbd_get_driver(pool, drivers[database], &session->driver))
        return "no driver";
    if (apr_dbd_open_ex(session->driver, pool, params, &session->handle,
                        &error))
        return apr_psprintf(pool, "cannot open %s: %s", params,
                            error ? error : "");
    apr_pool_cleanup_register(pool,
                              apr_pmemdup(pool, session, sizeof(*session)),
                              leave_database, apr_pool_cleanup_null);
    for (i = 0; database == SIM_SQLITE && pragmas[i] && !error; i++)
        error = sim_node_run(session, pragmas[i], pool);
    if (database != SIM_SQLITE)
        error = sim_node_run(session, impatient[database], pool);
    return error;
}

const char *sim_node_path(const char *kind, int number, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%s/%s%d", directory, kind, number);
}

/* Write the configuration and read it. */
const char *sim_node_configure(sim_node_t *node)
{
    apr_pool_t *pool = node->pool;
    const char *path = sim_node_path("conf", node->number, pool);
    FILE *file = fopen(path, "w");
    cm_error_t *err;

    if (!file)
        return "cannot write the configuration";
    fprintf(file, "DBDriver %s\nDBDParams \"%s\"\n%s", drivers[node->database],
            node->params,
            sim_schema_configuration(node->schema, node->number, pool));
    fclose(file);
    err = cm_config_file_read(&node->settings, path, pool);
    return err ? cm_error_text(err, pool) : NULL;
}

static void forget(void *baton, const char *what, const char *sql)
{
    (void)baton;
    (void)what;
    (void)sql;
}

/* Migrate, or drop the triggers of MODEL if it is not NULL. */
static const char *migrate(sim_node_t *node, const cm_model_t *model)
{
    apr_pool_t *pool;
    cm_store_t *store;
    cm_error_t *err;
    const char *text;

    sim_clock_at(node->number);
    apr_pool_create(&pool, node->pool);
    err = cm_store_open(&store, drivers[node->database], node->params, pool);
    if (!err)
        err = model ? cm_migrate_drop_triggers(store, node->settings, model, 0,
                                               forget, NULL, pool)
                    : cm_migrate_run(store, node->settings, 0, forget, NULL,
                                     pool);
    text = err ? cm_error_text(err, node->pool) : NULL;
    apr_pool_destroy(pool);
    return text;
}

const char *sim_node_migrate(sim_node_t *node)
{
    return migrate(node, NULL);
}

const char *sim_node_drop_triggers(sim_node_t *node, const char *name)
{
    const cm_model_t *model = cm_settings_model(node->settings, name);

    return model ? migrate(node, model) : NULL;
}

void sim_node_forget(int number)
{
    is_stale[number] = 1;
    sim_file_forget(number);
}

static const char *create_tables(sim_node_t *node, apr_pool_t *pool)
{
    apr_array_header_t *ddl = sim_schema_ddl(node->schema, node->number, pool);
    sim_session_t session;
    const char *error =
        sim_node_join(&session, node->database, node->params, pool);
    int i;

    for (i = 0; !error && i < ddl->nelts; i++) {
        error =
            sim_node_run(&session, APR_ARRAY_IDX(ddl, i, const char *), pool);
        if (error)
            error = apr_psprintf(pool, "%s: %s", error,
                                 APR_ARRAY_IDX(ddl, i, const char *));
    }
    return apr_pstrdup(node->pool, error);
}

/* The tables of the application, and Communicator's. */
const char *sim_node_install(sim_node_t *node)
{
    apr_pool_t *pool;
    const char *error;

    apr_pool_create(&pool, node->pool);
    error = create_tables(node, pool);
    apr_pool_destroy(pool);
    return error ? error : sim_node_migrate(node);
}

static const char *administer(sim_node_t *node, const char *sql,
                              apr_pool_t *pool)
{
    sim_session_t session;
    const char *error = sim_node_join(&session, node->database,
                                      getenv(variables[node->database]), pool);

    return error ? error : sim_node_run(&session, sql, pool);
}

static const char *name_of(int number, apr_pool_t *pool)
{
    return apr_psprintf(pool, "communicator_sim_%ld_%d", (long)getpid(),
                        number);
}

static const char *drop(sim_node_t *node)
{
    const char *words = node->database == SIM_PGSQL ? " WITH (FORCE)" : "";
    apr_pool_t *pool = node->pool;

    return administer(node,
                      apr_pstrcat(pool, "DROP DATABASE IF EXISTS ",
                                  name_of(node->number, pool), words, NULL),
                      pool);
}

/* The time that triggers write can be moved. */
static const char *install_skew(sim_node_t *node, apr_pool_t *pool)
{
    static const char *const pgsql[] = {
        "CREATE TABLE sim_skew (offset_us bigint)",
        "INSERT INTO sim_skew VALUES (0)",
        "CREATE FUNCTION sim_skew() RETURNS trigger LANGUAGE plpgsql AS $$"
        " BEGIN IF new.clock > 0 AND new.seq IS NULL THEN"
        " new.clock := new.clock + (SELECT offset_us FROM public.sim_skew);"
        " END IF; RETURN new; END $$",
        "CREATE TRIGGER sim_skew BEFORE INSERT ON outbound_messages"
        " FOR EACH ROW EXECUTE FUNCTION sim_skew()",
        NULL};
    static const char *const mysql[] = {
        "CREATE TABLE sim_skew (offset_us bigint)",
        "INSERT INTO sim_skew VALUES (0)",
        "CREATE TRIGGER sim_skew BEFORE INSERT ON outbound_messages"
        " FOR EACH ROW SET new.clock = if(new.clock > 0 AND new.seq IS NULL,"
        " new.clock + (SELECT offset_us FROM sim_skew), new.clock)",
        NULL};
    const char *const *sql = node->database == SIM_PGSQL ? pgsql : mysql;
    sim_session_t session;
    const char *error =
        sim_node_join(&session, node->database, node->params, pool);

    for (; *sql && !error; sql++)
        error = sim_node_run(&session, *sql, pool);
    return error;
}

void sim_node_skew(sim_node_t *node, apr_int64_t offset)
{
    if (node->database == SIM_SQLITE)
        return;
    (void)sim_node_run(
        node->beside,
        apr_psprintf(node->pool,
                     "UPDATE sim_skew SET offset_us = %" APR_INT64_T_FMT,
                     offset),
        node->pool);
    /* Triggers write this time, which the simulated clock has to know. */
    (void)apr_time_now();
}

#define KEPT                                                                   \
    "('communicator_schema', 'communicator_node', 'sim_skew',"                 \
    " 'communicator_models', 'communicator_columns')"

/* TRUNCATE makes each table and index a new file, which takes PostgreSQL ten
 * times as long. */
static const char *empty_pgsql(sim_session_t *session, apr_pool_t *pool)
{
    const char *error = sim_node_run(
        session,
        "DO $$ DECLARE t regclass; BEGIN"
        " SET LOCAL session_replication_role = replica;"
        " FOR t IN SELECT oid FROM pg_class WHERE relkind = 'r'"
        " AND relnamespace = 'public'::regnamespace AND relname NOT IN " KEPT
        " LOOP EXECUTE 'DELETE FROM ' || t; END LOOP; END $$",
        pool);

    if (!error)
        (void)sim_node_select(session,
                              "SELECT count(setval(seqrelid, seqstart, false))"
                              " FROM pg_sequence",
                              1, pool);
    return error;
}

static const char *empty_mysql(sim_session_t *session, apr_pool_t *pool)
{
    apr_array_header_t *tables =
        sim_node_select(session,
                        "SELECT table_name FROM information_schema.tables WHERE"
                        " table_type = 'BASE TABLE' AND table_name NOT IN " KEPT
                        " AND table_schema = database() ORDER BY table_name",
                        1, pool);
    const char *error =
        sim_node_run(session, "SET foreign_key_checks = 0", pool);
    int i;

    for (i = 0; i < tables->nelts && !error; i++)
        error = sim_node_run(
            session,
            apr_pstrcat(pool, "TRUNCATE TABLE ",
                        APR_ARRAY_IDX(tables, i, const char **)[0], NULL),
            pool);
    return error;
}

/* Let everything in SESSION's database begin anew. */
static const char *empty(sim_node_t *node, sim_session_t *session,
                         apr_pool_t *pool)
{
    const char *error = node->database == SIM_PGSQL
                            ? empty_pgsql(session, pool)
                            : empty_mysql(session, pool);

    if (!error)
        error = sim_node_run(
            session,
            "UPDATE communicator_node SET last_seq = 0, migrated_seq = 0,"
            " life = 1, paused_at = 0, stamped_id = 0, passed = NULL",
            pool);
    return error ? error
                 : sim_node_run(session, "UPDATE sim_skew SET offset_us = 0",
                                pool);
}

/* The statement that says how transactions of NODE's database are isolated, of
 * the application and of others that do not say it themselves. */
static const char *isolation(const sim_node_t *node)
{
    static const char *const levels[] = {"read committed", "read committed",
                                         "repeatable read", "serializable"};

    return apr_psprintf(
        node->pool,
        "ALTER DATABASE %s SET default_transaction_isolation = '%s'",
        name_of(node->number, node->pool),
        levels[(node->schema->seed + (apr_uint64_t)node->number) % 4]);
}

static const char *create_on_server(sim_node_t *node)
{
    const char *error = drop(node);

    if (!error)
        error = administer(node,
                           apr_pstrcat(node->pool, "CREATE DATABASE ",
                                       name_of(node->number, node->pool),
                                       node->database == SIM_MYSQL
                                           ? " CHARACTER SET utf8mb4"
                                           : "",
                                       NULL),
                           node->pool);
    if (!error && node->database == SIM_PGSQL)
        error = administer(node, isolation(node), node->pool);
    if (!error)
        error = sim_node_install(node);
    return error ? error : install_skew(node, node->pool);
}

/* A database on a server: made once for the histories of a schema. */
static const char *make_on_server(sim_node_t *node)
{
    const char *params = getenv(variables[node->database]), *error;
    sim_schema_t *made = &served[node->number];
    sim_session_t session;

    if (!params)
        return apr_psprintf(node->pool, "%s is not set",
                            variables[node->database]);
    node->params =
        apr_pstrcat(node->pool, params,
                    " dbname=", name_of(node->number, node->pool), NULL);
    error = sim_node_configure(node);
    if (error)
        return error;
    if (!is_stale[node->number] && !memcmp(made, node->schema, sizeof(*made))) {
        error =
            sim_node_join(&session, node->database, node->params, node->pool);
        /* The server may still be at the end of the history before. */
        if (!error)
            error = sim_node_run(&session, patient[node->database], node->pool);
        return error ? error : empty(node, &session, node->pool);
    }
    is_stale[node->number] = 0;
    memset(made, 0, sizeof(*made));
    error = create_on_server(node);
    if (!error)
        *made = *node->schema;
    return error;
}

void sim_node_drop_all(void)
{
    sim_node_t node = {0};

    for (node.number = 0; node.number < SIM_NODES; node.number++) {
        node.database = served[node.number].databases[node.number];
        if (!served[node.number].nodes || node.database == SIM_SQLITE)
            continue;
        apr_pool_create(&node.pool, NULL);
        (void)drop(&node);
        apr_pool_destroy(node.pool);
    }
}

/* Return how many connections there are at NODE. */
static int count_connections(sim_node_t *node)
{
    static const char *const sql[] = {
        NULL,
        "SELECT count(*) FROM pg_stat_activity WHERE"
        " datname = current_database() AND backend_type = 'client backend'",
        "SELECT count(*) FROM information_schema.processlist WHERE"
        " db = database()"};

    return (int)strtol(
        sim_node_value(node->beside, sql[node->database], node->pool), NULL,
        10);
}

void sim_node_wait(sim_node_t *node)
{
    int tries;

    for (tries = 0; tries < 1000; tries++) {
        if (count_connections(node) <= node->others)
            return;
        usleep(1000);
    }
}

/* Return whether somebody at NODE, on MariaDB, waits for a row. */
static int waits_for_row(const sim_node_t *node)
{
    const apr_array_header_t *rows = sim_node_select(
        node->beside, "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'",
        2, node->pool);

    return rows->nelts && strcmp(APR_ARRAY_IDX(rows, 0, const char **)[1], "0");
}

int sim_node_is_waiting(sim_node_t *node)
{
    static const char *const sql[] = {
        NULL,
        "SELECT count(*) FROM pg_stat_activity WHERE"
        " datname = current_database() AND wait_event_type = 'Lock'",
        "SELECT count(*) FROM information_schema.processlist WHERE"
        " db = database() AND (state LIKE 'Waiting for%'"
        " OR state = 'User lock')"};

    return (node->database == SIM_MYSQL && waits_for_row(node)) ||
           strcmp(sim_node_value(node->beside, sql[node->database], node->pool),
                  "0");
}

const char *sim_node_open(sim_node_t *node)
{
    cm_store_t *store;
    cm_error_t *err;

    sim_clock_at(node->number);
    if (node->database == SIM_SQLITE)
        return sim_file_open(node);
    if (node->open_pool)
        apr_pool_destroy(node->open_pool);
    sim_session_forget(node->number);
    apr_pool_create(&node->open_pool, node->pool);
    err = cm_store_open(&store, drivers[node->database], node->params,
                        node->open_pool);
    if (!err) {
        sim_session_learn(node->number);
        err = cm_statement_execute(store, patient[node->database],
                                   node->open_pool);
    }
    if (!err)
        err = cm_node_open(&node->node, node->settings, store, node->open_pool);
    return err ? cm_error_text(err, node->pool) : NULL;
}

const char *sim_node_join_second(cm_node_t **second, sim_node_t *node,
                                 apr_pool_t *pool)
{
    int at = sim_clock_node();
    sim_session_t session;
    cm_store_t *store;
    cm_error_t *err;
    const char *error;

    /* A pool belongs to one connection. */
    apr_pool_create(&pool, pool);
    sim_clock_at(node->number);
    error = sim_node_join(
        &session, node->database,
        node->database == SIM_MYSQL
            ? apr_pstrcat(pool, node->params, " flags=CLIENT_FOUND_ROWS", NULL)
            : node->params,
        pool);
    if (!error && node->database == SIM_SQLITE)
        error = sim_node_run(&session, "PRAGMA recursive_triggers = OFF", pool);
    if (error)
        return error;
    err = cm_store_attach(&store, session.driver, session.handle, pool, pool);
    /* It has set up the session as it wants it. */
    if (!err && impatient[node->database]) {
        sim_session_learn_second(node->number);
        err = cm_statement_execute(store, impatient[node->database], pool);
    }
    if (!err)
        err = cm_node_open(second, node->settings, store, pool);
    sim_clock_at(at);
    return err ? cm_error_text(err, node->pool) : NULL;
}

const char *sim_node_make(sim_node_t *node, const sim_schema_t *schema,
                          int number, apr_pool_t *pool)
{
    const char *error;
    int i;

    memset(node, 0, sizeof(*node));
    node->number = number;
    node->schema = schema;
    node->database = schema->databases[number];
    node->pool = pool;
    sim_clock_at(number);
    sim_session_forget(number);
    if (node->database == SIM_SQLITE)
        return sim_file_make(node);
    error = make_on_server(node);
    node->session_count = SIM_SESSIONS;
    for (i = 0; !error && i < node->session_count; i++)
        error = sim_node_join(&node->sessions[i], node->database, node->params,
                              pool);
    node->beside = apr_palloc(pool, sizeof(*node->beside));
    if (!error)
        error = sim_node_join(node->beside, node->database, node->params, pool);
    if (!error)
        node->others = count_connections(node);
    return error ? error : sim_node_open(node);
}
