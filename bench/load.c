/* The load of the benchmark, through the drivers that Communicator uses:
 *
 *   load DRIVER PARAMS insert TABLE COUNT EACH   COUNT new posts, EACH a commit
 *   load DRIVER PARAMS update TABLE COUNT EACH   change posts 1 to COUNT
 *   load DRIVER PARAMS upsert TABLE COUNT EACH   both in one statement of EACH
 *   load DRIVER PARAMS trickle TABLE COUNT EACH  insert, with pauses, until
 *                                                SIGTERM
 *
 * EACH rows per commit; if it is negative, commits are not waited for. Prints
 * how many seconds it took, and how many the longest transaction took. upsert
 * is the floor: the same rows by the same driver, and nothing else. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_dbd.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <apr_tables.h>
#include <apr_time.h>

#define COLUMNS 8

typedef struct load_t {
    const apr_dbd_driver_t *driver;
    apr_dbd_t *handle;
    const char *name; /* of the driver */
    const char *table;
    int count, each, lazy;
    int round;                 /* the state that an update gives the rows */
    apr_interval_time_t pause; /* after each transaction */
    apr_time_t longest;
    apr_pool_t *pool;
} load_t;

static volatile sig_atomic_t stopped;

static void stop(int number)
{
    stopped = number;
}

static void fail(const load_t *load, int rc, const char *what)
{
    const char *words =
        load->handle ? apr_dbd_error(load->driver, load->handle, rc) : "";

    fprintf(stderr, "load: %s: %s\n", what, words);
    exit(1);
}

static void run(const load_t *load, const char *sql)
{
    int rows, rc = apr_dbd_query(load->driver, load->handle, &rows, sql);

    if (rc && !(rc == 100 && !strcmp(load->name, "sqlite3")))
        fail(load, rc, sql);
}

static void open_database(load_t *load, const char *params)
{
    const char *words = NULL;

    if (!strcmp(load->name, "mysql"))
        params =
            apr_pstrcat(load->pool, "flags=CLIENT_FOUND_ROWS ", params, NULL);
    if (apr_dbd_init(load->pool) ||
        apr_dbd_get_driver(load->pool, load->name, &load->driver))
        fail(load, 0, "no such driver");
    if (apr_dbd_open_ex(load->driver, load->pool, params, &load->handle,
                        &words)) {
        fprintf(stderr, "load: %s\n", words ? words : "cannot open");
        exit(1);
    }
    if (!strcmp(load->name, "sqlite3")) {
        run(load, "PRAGMA foreign_keys = ON");
        run(load, "PRAGMA busy_timeout = 20000");
    }
    if (!load->lazy)
        return;
    if (!strcmp(load->name, "sqlite3"))
        run(load, "PRAGMA synchronous = OFF");
    else if (!strcmp(load->name, "pgsql"))
        run(load, "SET synchronous_commit = off");
    else
        run(load, "SET GLOBAL innodb_flush_log_at_trx_commit = 0");
}

static apr_dbd_prepared_t *prepare(const load_t *load, const char *sql)
{
    apr_dbd_prepared_t *statement = NULL;
    int rc = apr_dbd_prepare(load->driver, load->pool, load->handle, sql,
                             "load", &statement);

    if (rc)
        fail(load, rc, sql);
    return statement;
}

/* Return text of SIZE bytes: common words, and a few random ones. */
static const char *words(unsigned long seed, apr_size_t size, apr_pool_t *pool)
{
    static const char *const some[] = {
        "the",   "river",  "of",      "message", "and",    "letter", "house",
        "green", "summer", "between", "window",  "a",      "people", "answer",
        "under", "night",  "to",      "journey", "garden", "is"};
    char *text = apr_palloc(pool, size + 24);
    apr_size_t length = 0;

    while (length < size) {
        const char *word = some[(seed >> 33) % 20];
        apr_size_t part = strlen(word);

        if ((seed >> 40) % 7 == 0) {
            part = 1 + apr_snprintf(text + length, 20, "%lx", seed >> 44);
            part--;
        }
        else {
            memcpy(text + length, word, part);
        }
        length += part;
        text[length++] = ' ';
        seed = seed * 6364136223846793005UL + 1442695040888963407UL;
    }
    text[size] = '\0';
    return text;
}

/* Fill VALUES with post ID in its state ROUND. */
static void make_row(const char **values, int id, int round, apr_pool_t *pool)
{
    values[0] = apr_psprintf(pool, "%d", id);
    values[1] = apr_psprintf(pool, "Post %d as of round %d", id, round);
    values[2] = words(id * 2654435761UL + round, 200, pool);
    values[3] = apr_psprintf(pool, "%d", id % 100 + 1);
    values[4] = apr_psprintf(pool, "%d.%02d", id % 1000, id % 90 + 10);
    values[5] = round % 2 ? "0" : "1";
    values[6] = "2026-01-02 03:04:05";
    values[7] =
        apr_psprintf(pool, "2026-01-02 03:%02d:%02d", id / 60 % 60, id % 60);
}

/* Call STEP for each row, in transactions. */
static void each_row(load_t *load, void (*step)(load_t *, int, void *),
                     void *baton)
{
    apr_pool_t *pool = load->pool;
    apr_time_t began, took;
    int id = 0;

    apr_pool_create(&load->pool, pool);
    while (id < load->count && !stopped) {
        apr_pool_clear(load->pool);
        began = apr_time_now();
        run(load, "BEGIN");
        do
            step(load, ++id, baton);
        while (id % load->each && id < load->count);
        run(load, "COMMIT");
        took = apr_time_now() - began;
        if (took > load->longest)
            load->longest = took;
        if (load->pause)
            apr_sleep(load->pause);
    }
    apr_pool_destroy(load->pool);
    load->pool = pool;
}

static void insert_row(load_t *load, int id, void *statement)
{
    const char *values[COLUMNS];
    int rows, rc;

    make_row(values, id, 0, load->pool);
    rc = apr_dbd_pquery(load->driver, load->pool, load->handle, &rows,
                        statement, COLUMNS - 1, values + 1);
    if (rc)
        fail(load, rc, "insert");
}

static void update_row(load_t *load, int id, void *statement)
{
    const char *values[COLUMNS], *bound[3];
    int rows, rc;

    make_row(values, id, load->round, load->pool);
    bound[0] = values[1];
    bound[1] = values[7];
    bound[2] = values[0];
    rc = apr_dbd_pquery(load->driver, load->pool, load->handle, &rows,
                        statement, 3, bound);
    if (rc || rows != 1)
        fail(load, rc, "update");
}

static void insert(load_t *load)
{
    int pgsql = !strcmp(load->name, "pgsql");

    each_row(load, insert_row,
             prepare(load, apr_psprintf(
                               load->pool,
                               "INSERT INTO %s (title, body, user_id, score,"
                               " published, created_at, updated_at) VALUES"
                               " (%s)",
                               load->table,
                               pgsql ? "%s, %s, %d, %s::numeric, %s::boolean,"
                                       " %s::timestamp, %s::timestamp"
                                     : "%s, %s, %s, %s, %s, %s, %s")));
}

static void update(load_t *load)
{
    int pgsql = !strcmp(load->name, "pgsql");

    each_row(load, update_row,
             prepare(load, apr_psprintf(load->pool,
                                        "UPDATE %s SET title = %%s,"
                                        " updated_at = %%s%s"
                                        " WHERE id = %s",
                                        load->table, pgsql ? "::timestamp" : "",
                                        pgsql ? "%lld" : "%s")));
}

static const char columns[] =
    "id, title, body, user_id, score, published, created_at, updated_at";

static const char *upsert_sql(const load_t *load, int rows)
{
    int mysql = !strcmp(load->name, "mysql"), i;
    const char *sql =
        apr_psprintf(load->pool, "INSERT INTO %s (%s) ", load->table, columns);
    apr_array_header_t *parts = apr_array_make(load->pool, rows, sizeof(sql));

    if (!strcmp(load->name, "pgsql"))
        return apr_psprintf(load->pool,
                            "%s SELECT %s FROM jsonb_populate_recordset("
                            "NULL::%s, %%s::jsonb) ON CONFLICT (id) DO UPDATE"
                            " SET title = excluded.title, body = excluded.body,"
                            " user_id = excluded.user_id,"
                            " score = excluded.score,"
                            " published = excluded.published,"
                            " created_at = excluded.created_at,"
                            " updated_at = excluded.updated_at",
                            sql, columns, load->table);
    for (i = 0; i < rows; i++)
        APR_ARRAY_PUSH(parts, const char *) =
            "(%s, %s, %s, %s, %s, %s, %s, %s)";
    sql = apr_pstrcat(load->pool, sql, "VALUES ",
                      apr_array_pstrcat(load->pool, parts, ','), NULL);
    if (mysql)
        return apr_pstrcat(
            load->pool, sql,
            " ON DUPLICATE KEY UPDATE title = VALUES(title),"
            " body = VALUES(body), user_id = VALUES(user_id),"
            " score = VALUES(score), published = VALUES(published),"
            " created_at = VALUES(created_at), updated_at = VALUES(updated_at)",
            NULL);
    return apr_pstrcat(
        load->pool, sql,
        " ON CONFLICT (id) DO UPDATE SET title = excluded.title,"
        " body = excluded.body, user_id = excluded.user_id,"
        " score = excluded.score, published = excluded.published,"
        " created_at = excluded.created_at, updated_at = excluded.updated_at",
        NULL);
}

/* The rows FIRST to FIRST + COUNT - 1 as one JSON text. */
static const char *json_of(int first, int count, int round, apr_pool_t *pool)
{
    apr_array_header_t *parts = apr_array_make(pool, count, sizeof(char *));
    const char *values[COLUMNS];
    int i;

    for (i = 0; i < count; i++) {
        make_row(values, first + i, round, pool);
        APR_ARRAY_PUSH(parts, const char *) = apr_psprintf(
            pool,
            "{\"id\":%s,\"title\":\"%s\",\"body\":\"%s\",\"user_id\":%s,"
            "\"score\":%s,\"published\":%s,\"created_at\":\"%s\","
            "\"updated_at\":\"%s\"}",
            values[0], values[1], values[2], values[3], values[4],
            *values[5] == '1' ? "true" : "false", values[6], values[7]);
    }
    return apr_pstrcat(pool, "[", apr_array_pstrcat(pool, parts, ','), "]",
                       NULL);
}

/* Upsert COUNT rows, EACH a statement and a commit. */
static void upsert(load_t *load, int round)
{
    int pgsql = !strcmp(load->name, "pgsql"), first, i, rows, rc;
    apr_dbd_prepared_t *statement = prepare(load, upsert_sql(load, load->each));
    apr_pool_t *pool;
    const char **values;

    apr_pool_create(&pool, load->pool);
    for (first = 1; first <= load->count; first += load->each) {
        apr_pool_clear(pool);
        values = apr_palloc(pool, COLUMNS * load->each * sizeof(*values));
        if (pgsql)
            values[0] = json_of(first, load->each, round, pool);
        else
            for (i = 0; i < load->each; i++)
                make_row(values + i * COLUMNS, first + i, round, pool);
        rc = apr_dbd_pquery(load->driver, pool, load->handle, &rows, statement,
                            pgsql ? 1 : COLUMNS * load->each, values);
        if (rc)
            fail(load, rc, "upsert");
    }
    apr_pool_destroy(pool);
}

int main(int argc, char **argv)
{
    load_t load = {0};
    apr_time_t began;

    if (argc != 7) {
        fprintf(stderr, "load DRIVER PARAMS insert|update|trickle|upsert|"
                        "upsert-again TABLE COUNT EACH\n");
        return 64;
    }
    signal(SIGTERM, stop);
    apr_initialize();
    apr_pool_create(&load.pool, NULL);
    load.name = argv[1];
    load.table = argv[4];
    load.count = (int)strtol(argv[5], NULL, 10);
    load.each = (int)strtol(argv[6], NULL, 10);
    load.lazy = load.each < 0;
    load.each = abs(load.each);
    open_database(&load, argv[2]);
    began = apr_time_now();
    /* A new round each time: otherwise nothing would change. */
    load.round = (int)(apr_time_as_msec(began) % 1000000);
    if (!strcmp(argv[3], "trickle"))
        load.pause = apr_time_from_msec(2);
    if (!strcmp(argv[3], "insert") || load.pause)
        insert(&load);
    else if (!strcmp(argv[3], "update"))
        update(&load);
    else
        upsert(&load, !strcmp(argv[3], "upsert-again"));
    if (load.lazy && !strcmp(load.name, "mysql"))
        run(&load, "SET GLOBAL innodb_flush_log_at_trx_commit = 1");
    printf("%.6f %.6f\n", (double)(apr_time_now() - began) / APR_USEC_PER_SEC,
           (double)load.longest / APR_USEC_PER_SEC);
    return 0;
}
