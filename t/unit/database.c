/* Real databases for the unit tests: see database.h. */
#include "database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <apr_time.h>
#include "base/error.h"
#include "store/store.h"

static const struct {
    const char *driver, *variable, *dropping;
} kinds[] = {
    {"sqlite3", "CM_TEST_SQLITE3", NULL},
    {"pgsql", "CM_TEST_PGSQL", "DROP DATABASE IF EXISTS %s"},
    {"mysql", "CM_TEST_MYSQL", "DROP DATABASE IF EXISTS %s"},
};

static const char *current_driver, *current_params;

int database_any(void)
{
    apr_size_t i;

    for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (getenv(kinds[i].variable))
            return 1;
    return 0;
}

void database_must(cm_error_t *err)
{
    if (!err)
        return;
    printf("Bail out! %s at %s:%d\n", err->message, err->file, err->line);
    for (; err->cause; err = (cm_error_t *)err->cause)
        fprintf(stderr, "#   %s\n", err->cause->message);
    exit(1);
}

void database_run(cm_store_t *store, const char *sql)
{
    apr_pool_t *pool;

    apr_pool_create(&pool, NULL);
    database_must(cm_statement_execute(store, sql, pool));
    apr_pool_destroy(pool);
}

const char *database_soon(const char *text, apr_pool_t *pool)
{
    static const char written[] = "90000000000000";
    static apr_int64_t soon;
    char digits[32], *copy = apr_pstrdup(pool, text), *at;

    if (!soon)
        soon = (apr_time_now() + apr_time_from_sec(3600)) / 100;
    apr_snprintf(digits, sizeof(digits), "%" APR_INT64_T_FMT, soon);
    for (at = copy; (at = strstr(at, written)) != NULL; at++)
        memcpy(at, digits, sizeof(written) - 1);
    return copy;
}

const char *database_value(cm_store_t *store, const char *sql, apr_pool_t *pool)
{
    cm_rows_t *rows;

    database_must(cm_statement_select(&rows, store, database_soon(sql, pool),
                                      NULL, 0, pool));
    return rows->count ? cm_cell_text(rows, 0, 0) : NULL;
}

const char *database_records(cm_store_t *store, const char *type,
                             apr_pool_t *pool)
{
    return apr_pstrcat(
        pool, "communicator_records_",
        database_value(store,
                       apr_psprintf(pool,
                                    "SELECT id FROM communicator_models"
                                    " WHERE type = '%s'",
                                    type),
                       pool),
        NULL);
}

int database_fails(const cm_error_t *err, cm_code_e code, const char *what)
{
    cm_code_e got = err ? err->code : CM_CODE_COUNT;

    printf("# %s: %s%s%s\n", what, err ? cm_error_code_name(got) : "success",
           err ? ": " : "", err ? err->message : "");
    return got == code;
}

/* Drop the database NAME if it is there, whoever is connected to it, by a
 * connection to another one, which is returned. */
static cm_store_t *drop_database(int kind, const char *params, const char *name,
                                 apr_pool_t *pool)
{
    cm_store_t *store;

    database_must(cm_store_open(&store, kinds[kind].driver, params, pool));
    /* PostgreSQL 12 has no WITH (FORCE). */
    if (kind == 1)
        database_value(store,
                       apr_psprintf(pool,
                                    "SELECT pg_terminate_backend(pid) FROM"
                                    " pg_stat_activity WHERE datname = '%s'",
                                    name),
                       pool);
    database_run(store, apr_psprintf(pool, kinds[kind].dropping, name));
    return store;
}

/* Give the parameters of an empty database called NAME. */
static const char *make(int kind, const char *params, const char *name,
                        apr_pool_t *pool)
{
    cm_store_t *store;

    if (!kinds[kind].dropping) {
        params = apr_pstrcat(pool, params, ".", name, NULL);
        unlink(params);
        return params;
    }
    store = drop_database(kind, params, name, pool);
    database_run(store,
                 apr_pstrcat(pool, "CREATE DATABASE ", name,
                             kind == 2 ? " CHARACTER SET utf8mb4" : "", NULL));
    if (kind == 1 && getenv("CM_TEST_POOLER"))
        params = getenv("CM_TEST_POOLER");
    return apr_pstrcat(pool, params, " dbname=", name, NULL);
}

static void drop(int kind, const char *params, const char *name,
                 apr_pool_t *pool)
{
    if (!kinds[kind].dropping) {
        unlink(current_params);
        unlink(apr_pstrcat(pool, current_params, "-wal", NULL));
        unlink(apr_pstrcat(pool, current_params, "-shm", NULL));
        return;
    }
    drop_database(kind, params, name, pool);
}

void database_each(const char *name, database_test_t *test)
{
    apr_size_t i;

    apr_initialize();
    for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        const char *params = getenv(kinds[i].variable), *own;
        apr_pool_t *pool, *test_pool;
        cm_store_t *store;

        printf("# %s on %s%s\n", name, kinds[i].driver,
               params ? "" : ": skipped, no database");
        if (!params)
            continue;
        apr_pool_create(&pool, NULL);
        own = apr_psprintf(pool, "communicator_unit_%ld", (long)getpid());
        current_driver = kinds[i].driver;
        current_params = make(i, params, own, pool);
        apr_pool_create(&test_pool, pool);
        database_must(
            cm_store_open(&store, current_driver, current_params, test_pool));
        test(store, test_pool);
        apr_pool_destroy(test_pool);
        drop(i, params, own, pool);
        apr_pool_destroy(pool);
    }
}

cm_store_t *database_again(apr_pool_t *pool)
{
    cm_store_t *store;

    database_must(cm_store_open(&store, current_driver, current_params, pool));
    return store;
}

const char *database_params(void)
{
    return current_params;
}

const char *database_of(const cm_store_t *store)
{
    return cm_dialect_of_store(store)->driver;
}

int database_is_mariadb(cm_store_t *store, apr_pool_t *pool)
{
    return cm_dialect_of_store(store)->database == CM_MYSQL &&
           strstr(database_value(store, "SELECT version()", pool), "MariaDB");
}
