/* One database connection: opening, renewing, names; see store.h.
 * Statements are in statement.c, transactions in transaction.c. */
#include "store/internal.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_time.h>

#define USERDATA "communicator-store"

static apr_status_t handle_close(void *baton)
{
    cm_store_t *store = baton;

    if (store->handle && store->params)
        apr_dbd_close(store->driver, store->handle);
    store->handle = NULL;
    return APR_SUCCESS;
}

static cm_store_t *store_create(const cm_dialect_t *dialect,
                                const apr_dbd_driver_t *driver,
                                const char *params, apr_pool_t *pool)
{
    cm_store_t *store = apr_pcalloc(pool, sizeof(*store));

    store->dialect = dialect;
    store->driver = driver;
    store->params = params;
    store->pool = pool;
    store->symbols = apr_hash_make(pool);
    store->brigade = apr_brigade_create(pool, apr_bucket_alloc_create(pool));

    /* Roll back while the pools below still exist: a transaction's pool may
     * live longer than its connection. */
    apr_pool_pre_cleanup_register(pool, store, cm_transaction_lost);
    return store;
}

/* What the server is capable of. MySQL closes the connection when a statement
 * exceeds its limit, which would look like a failure that passes by itself. */
static cm_error_t *read_abilities(cm_store_t *store, apr_pool_t *pool)
{
    const char *sql = store->dialect->ops->abilities, *why;
    cm_rows_t *rows;

    store->returns_keys = 1;
    if (!sql)
        return NULL;
    CM_TRY(cm_statement_select(&rows, store, sql, NULL, 0, pool));
    store->packet_limit = cm_cell_number(rows, 0, 0);
    store->returns_keys = cm_cell_number(rows, 0, 1) != 0;
    store->cuts_parameters = !store->returns_keys;
    why = cm_cell_text(rows, 0, 2);
    return why ? CM_FAIL(pool, CM_CONFIG, "%s", why) : NULL;
}

/* A byte is two digits in the statement; the rest of it is short. */
apr_size_t cm_store_most_bytes(const cm_store_t *store)
{
    const apr_size_t rest = 4096;

    return store->packet_limit < rest
               ? (store->packet_limit ? 0 : APR_INT32_MAX / 4)
               : (store->packet_limit - rest) / 2;
}

/* An UPDATE counts the rows that it found only with a flag given when the
 * connection is opened. Nothing tells whether it was given, so an UPDATE tries
 * it, of a table that nobody waits for. */
static cm_error_t *check_found_rows(cm_store_t *store, apr_pool_t *pool)
{
    apr_int64_t found = 0;
    cm_error_t *err;

    if (store->found_rows || store->params ||
        !store->dialect->ops->counts_changes)
        return NULL;
    err = cm_statement_run(&found, store,
                           "UPDATE communicator_schema SET version = version",
                           NULL, 0, pool);
    if (err)
        return err->code == CM_SCHEMA ? NULL : err;
    if (!found)
        return cm_error_hint(
            CM_FAIL(pool, CM_CONFIG,
                    "the MySQL connection does not count the rows found"),
            pool, "add 'flags=CLIENT_FOUND_ROWS reconnect=0' to DBDParams");
    store->found_rows = 1;
    return NULL;
}

/* A pooler gives each client a number of its own, and its transactions any
 * session of the server (PgBouncer; also if it would keep the session). */
static cm_error_t *find_pooler(cm_store_t *store, unsigned long session,
                               apr_pool_t *pool)
{
    const char *const *sql = store->dialect->ops->server_session;
    int pooled = 0;

    store->pooled = 0;
    for (; sql && *sql && session && !pooled; sql++) {
        apr_int64_t number = 0;

        CM_TRY(cm_statement_number(&number, store, *sql, NULL, 0, pool));
        pooled = (unsigned long)number != session;
    }
    store->pooled = pooled;
    return NULL;
}

int cm_store_is_pooled(const cm_store_t *store)
{
    return store->pooled;
}

/* Set up the session as the rest relies on it, again whenever we or mod_dbd
 * have reconnected. Behind a pooler each transaction does that. */
static cm_error_t *session_setup(cm_store_t *store, apr_pool_t *pool)
{
    const cm_dialect_ops_t *ops = store->dialect->ops;
    const char *const *sql = ops->session;
    unsigned long session =
        ops->session_number ? ops->session_number(store) : 1;

    if (session && session == store->session)
        return NULL;
    ops->setup(store);
    cm_store_forget(store);
    store->names = apr_hash_make(store->connection_pool);
    CM_TRY_FOR(find_pooler(store, session, pool), pool,
               "cannot see whether the database is behind a pooler");
    for (; *sql && !store->pooled; sql++)
        CM_TRY_FOR(cm_statement_command(store, *sql, pool), pool,
                   "cannot set up the database session");
    CM_TRY(read_abilities(store, pool));
    CM_TRY(check_found_rows(store, pool));
    store->session = session;
    return NULL;
}

/* Connect with store->params. */
static cm_error_t *handle_open(cm_store_t *store, apr_pool_t *pool)
{
    const char *words = NULL, *params = store->params;

    if (store->connection_pool)
        apr_pool_destroy(store->connection_pool);
    apr_pool_create(&store->connection_pool, store->pool);
    store->statement_pool = NULL;
    store->session = 0;
    if (apr_dbd_open_ex(store->driver, store->connection_pool, params,
                        &store->handle, &words) != APR_SUCCESS) {
        store->handle = NULL;
        words = words ? store->dialect->ops->words(words, pool)
                      : "no reason was given";
        return CM_FAIL(pool, CM_UNAVAILABLE, "cannot open the database: %s",
                       words);
    }
    apr_pool_cleanup_register(store->connection_pool, store, handle_close,
                              apr_pool_cleanup_null);
    store->broken = 0;
    store->read_only = 0;
    return session_setup(store, pool);
}

/* End the session of an attached connection that takes no writes: nobody must
 * get it again as it is. */
static void cut(cm_store_t *store)
{
    if (store->read_only && store->dialect->ops->cut)
        store->dialect->ops->cut(store);
    store->read_only = 0;
}

/* The connection leads to a file that has been replaced: open the one that has
 * its NAME now. One of mod_dbd's is left to mod_dbd, which does not open it
 * again. A file that is gone is not made. */
static cm_error_t *open_replaced(cm_store_t *store, const char *name,
                                 apr_pool_t *pool)
{
    apr_finfo_t info;

    if (apr_stat(&info, name, APR_FINFO_MIN, pool) != APR_SUCCESS)
        return CM_FAIL(pool, CM_UNAVAILABLE,
                       "the file of the database, '%s', is gone", name);
    if (!store->params) {
        store->params = apr_pstrdup(store->pool, name);
        store->connection_pool = NULL;
    }
    return handle_open(store, pool);
}

cm_error_t *cm_store_renew(cm_store_t *store, apr_pool_t *pool)
{
    const char *(*replaced)(const cm_store_t *) = store->dialect->ops->replaced;
    const char *name = replaced && store->handle ? replaced(store) : NULL;

    if (name)
        return open_replaced(store, name, pool);
    if (store->params)
        return handle_open(store, pool);
    cut(store);
    if (store->dialect->ops->reopened_by_pool ||
        apr_dbd_check_conn(store->driver, pool, store->handle) != APR_SUCCESS)
        return CM_FAIL(pool, CM_UNAVAILABLE,
                       "the connection to the database is lost");
    store->broken = 0;
    store->session = 0;
    return session_setup(store, pool);
}

/* Give the dialect of DRIVER. */
static cm_error_t *find_dialect(const cm_dialect_t **dialect,
                                const char *driver, apr_pool_t *pool)
{
    *dialect = cm_dialect_of_driver(driver);
    if (*dialect)
        return NULL;
    return cm_error_hint(
        CM_FAIL(pool, CM_CONFIG, "unknown database driver '%s'", driver), pool,
        "DBDriver is sqlite3, pgsql or mysql");
}

cm_error_t *cm_store_open(cm_store_t **store, const char *driver,
                          const char *params, apr_pool_t *pool)
{
    const cm_dialect_t *dialect;
    const apr_dbd_driver_t *found;

    CM_TRY(find_dialect(&dialect, driver, pool));
    if (apr_dbd_init(pool) != APR_SUCCESS ||
        apr_dbd_get_driver(pool, driver, &found) != APR_SUCCESS)
        return cm_error_hint(
            CM_FAIL(pool, CM_CONFIG,
                    "the driver for '%s' databases is not installed", driver),
            pool, "install the package libaprutil1-dbd-%s", driver);
    if (dialect->ops->params)
        params = apr_pstrcat(pool, dialect->ops->params, params, NULL);
    *store = store_create(dialect, found, apr_pstrdup(pool, params), pool);
    return handle_open(*store, pool);
}

cm_error_t *cm_store_attach(cm_store_t **store, const apr_dbd_driver_t *driver,
                            apr_dbd_t *handle, apr_pool_t *connection_pool,
                            apr_pool_t *scratch_pool)
{
    const cm_dialect_t *dialect;
    void *kept = NULL;
    cm_error_t *err;

    CM_TRY(find_dialect(&dialect, apr_dbd_name(driver), scratch_pool));
    apr_pool_userdata_get(&kept, USERDATA, connection_pool);
    *store = kept;
    if (!*store) {
        *store = store_create(dialect, driver, NULL, connection_pool);
        (*store)->connection_pool = connection_pool;
        (*store)->handle = handle;
        (*store)->attached = 1;
        apr_pool_userdata_setn(*store, USERDATA, NULL, connection_pool);
    }
    if ((*store)->read_only)
        return cm_store_renew(*store, scratch_pool);
    err = session_setup(*store, scratch_pool);

    /* Reconnect now, not at the next request. */
    if (err && err->code == CM_UNAVAILABLE)
        return cm_store_renew(*store, scratch_pool);
    return err;
}

cm_error_t *cm_store_standby(const char **why, cm_store_t *store,
                             apr_pool_t *pool)
{
    int (*read_only)(const cm_store_t *store) = store->dialect->ops->read_only;
    cm_rows_t *rows;

    *why = NULL;
    if (read_only && store->handle && read_only(store))
        *why = "this user may not write its file";
    CM_TRY_FOR(cm_statement_section(&rows, store, "schema.sql", "standby", NULL,
                                    0, pool),
               pool, "cannot see whether the database takes writes");
    if (rows->count)
        *why = cm_cell_text(rows, 0, 0);
    return NULL;
}

void cm_store_forget(cm_store_t *store)
{
    /* They would pile up. Those that no longer fit are prepared again. */
    if (store->statement_pool && store->dialect->ops->keeps_statements)
        return;
    if (store->statement_pool)
        apr_pool_destroy(store->statement_pool);
    apr_pool_create(&store->statement_pool, store->connection_pool);
    store->statements = apr_hash_make(store->statement_pool);
}

/* Quote the SIZE bytes of NAME, percent signs doubled. */
static const char *quote(char mark, const char *name, apr_size_t size,
                         apr_pool_t *pool)
{
    char *quoted = apr_palloc(pool, 2 * size + 3), *end = quoted;

    *end++ = mark;
    end = cm_dialect_double(end, name, size, mark, '%');
    *end++ = mark;
    *end = '\0';
    return quoted;
}

const char *cm_store_quote(const cm_store_t *store, const char *name,
                           apr_pool_t *pool)
{
    return quote(store->dialect->ops->quote, name, strlen(name), pool);
}

const char *cm_store_quote_table(const cm_store_t *store, const char *name,
                                 apr_pool_t *pool)
{
    const char *dot = strchr(name, '.');
    char mark = store->dialect->ops->quote;

    if (!dot)
        return cm_store_quote(store, name, pool);
    return apr_pstrcat(pool, quote(mark, name, dot - name, pool), ".",
                       cm_store_quote(store, dot + 1, pool), NULL);
}

const char *cm_store_literal(const cm_store_t *store, const char *text,
                             apr_pool_t *pool)
{
    cm_datum_t value = cm_datum_text(text);
    char *literal = apr_palloc(pool, CM_LITERAL_ROOM(value.size));

    *cm_dialect_literal(store->dialect, literal, &value) = '\0';
    return literal;
}
