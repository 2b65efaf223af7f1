/* Statements and their results: see store.h.
 *
 * Arguments are written into the SQL as literals: that takes one round trip,
 * types are inferred in the same way everywhere, and nothing stays prepared.
 * Only statements that run again and again, or are too long for the database's
 * parser, are prepared with parameters: prepared.c. */
#include "base/clock.h"
#include "store/internal.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_time.h>

#include "base/utf8.h"
#include "store/sql.h"

/* This session takes no writes, but another one may. */
static void leave_session(cm_store_t *store)
{
    const cm_dialect_ops_t *ops = store->dialect->ops;

    if (!store->params && ops->cannot_reopen)
        return;
    store->read_only = store->broken = 1;
    if (!store->params && ops->reopened_by_pool)
        ops->cut(store);
}

cm_error_t *cm_statement_failure(cm_store_t *store, int rc, apr_pool_t *pool)
{
    const cm_dialect_ops_t *ops = store->dialect->ops;
    const char *text = apr_dbd_error(store->driver, store->handle, rc);
    int number = cm_native_number(store, ops->error_number);
    cm_error_t *err;
    cm_code_e code;

    text = apr_pstrdup(pool, text ? text : "");
    code = ops->classify(number ? number : rc, text);
    store->outside = ops->outside(number ? number : rc, text);
    if (store->outside == CM_OUTSIDE_READ_ONLY)
        leave_session(store);
    if (code == CM_UNAVAILABLE)
        store->broken = 1;
    if (store->transaction_pool) {
        store->failed = 1;
        store->doomed |= code == CM_UNAVAILABLE || code == CM_BUSY;
    }
    text = ops->words(text, pool);
    err =
        CM_FAIL(pool, code, "%s", *text ? text : "the database gave no reason");
    if (store->outside != CM_OUTSIDE_READ_ONLY)
        return err;
    return cm_error_hint(err, pool,
                         "is it a standby, or set read-only? "
                         "`communicator-sync check` says which");
}

int cm_statement_outdated(const cm_store_t *store, int rc)
{
    const cm_dialect_ops_t *ops = store->dialect->ops;

    return rc && ops->is_outdated &&
           ops->is_outdated(rc,
                            apr_dbd_error(store->driver, store->handle, rc));
}

int cm_statement_is_locked(const cm_store_t *store, int rc)
{
    const cm_dialect_ops_t *ops = store->dialect->ops;
    const char *text;
    int number;

    if (!rc || !store->dialect->one_writer)
        return 0;
    number = cm_native_number(store, ops->error_number);
    text = apr_dbd_error(store->driver, store->handle, rc);
    return ops->classify(number ? number : rc, text ? text : "") == CM_BUSY;
}

int cm_statement_again(const cm_store_t *store, int rc, cm_tries_t *tries)
{
    if (cm_statement_outdated(store, rc))
        return !tries->count++;
    if (store->transaction_pool || !cm_statement_is_locked(store, rc))
        return 0;
    if (!tries->deadline)
        tries->deadline = cm_clock_now() + apr_time_from_sec(CM_BUSY_SECONDS);
    if (cm_clock_now() >= tries->deadline)
        return 0;
    cm_clock_sleep(CM_BUSY_PAUSE);
    return 1;
}

/* Where rows that nobody reads block the next statement, every command is run
 * as if it had some. */
static int command_as_select(cm_store_t *store, const char *sql,
                             apr_pool_t *pool)
{
    apr_dbd_results_t *results = NULL;
    apr_dbd_row_t *row = NULL;
    int rc =
        apr_dbd_select(store->driver, pool, store->handle, &results, sql, 0);

    while (!rc && results &&
           !apr_dbd_get_row(store->driver, pool, results, &row, -1))
        continue;
    return rc;
}

cm_error_t *cm_statement_command(cm_store_t *store, const char *sql,
                                 apr_pool_t *pool)
{
    const cm_dialect_ops_t *ops = store->dialect->ops;
    cm_tries_t tries = {0};
    int rows, rc;

    do {
        if (ops->reads_every_result)
            rc = command_as_select(store, sql, pool);
        else
            rc = apr_dbd_query(store->driver, store->handle, &rows, sql);
        if (rc == ops->answered)
            rc = 0;
    } while (cm_statement_again(store, rc, &tries));
    return rc ? cm_statement_failure(store, rc, pool) : NULL;
}

int cm_statement_is_lost(const cm_store_t *store)
{
    const char *(*replaced)(const cm_store_t *) = store->dialect->ops->replaced;

    return store->broken || !store->handle || (replaced && replaced(store));
}

cm_error_t *cm_statement_ready(cm_store_t *store, apr_pool_t *pool)
{
    if (store->doomed)
        return CM_FAIL(pool, CM_BUSY,
                       "a statement has failed, and ended the transaction");
    if (!store->transaction_pool && cm_statement_is_lost(store))
        return cm_store_renew(store, pool);
    return NULL;
}

cm_error_t *cm_statement_check(const cm_store_t *store, const cm_call_t *call,
                               apr_pool_t *pool)
{
    const cm_dialect_t *dialect = store->dialect;
    int i;

    for (i = 0; i < call->count; i++) {
        const cm_datum_t *value = &call->arguments[i];

        if (!value->data || value->kind == CM_DATUM_BYTES)
            continue;
        if (!dialect->holds_nul && memchr(value->data, 0, value->size))
            return CM_FAIL(pool, CM_REJECTED,
                           "text in this database cannot hold U+0000");
        if (!dialect->checks_utf8 &&
            !cm_utf8_is_valid(value->data, value->size))
            return CM_FAIL(pool, CM_REJECTED, "the text is not valid UTF-8");
    }
    return NULL;
}

cm_error_t *cm_statement_check_size(const cm_store_t *store, apr_size_t size,
                                    apr_pool_t *pool)
{
    if (!store->packet_limit || size + 1024 < store->packet_limit)
        return NULL;
    return cm_error_hint(
        CM_FAIL(pool, CM_REJECTED,
                "a statement of %" APR_SIZE_T_FMT " bytes is larger than the "
                "database accepts (%" APR_SIZE_T_FMT ")",
                size, store->packet_limit),
        pool, "raise max_allowed_packet of the database server");
}

/* Write the SQL of CALL with its arguments in place to OUT and return where
 * that ends. *USED gets the number of arguments that it takes. */
static char *render(char *out, int *used, const cm_dialect_t *dialect,
                    const cm_call_t *call)
{
    const char *sql = call->sql;

    for (*used = 0; *sql; sql++) {
        if (sql[0] == '%' && sql[1] == 's') {
            if (*used < call->count)
                out = cm_dialect_literal(dialect, out, &call->arguments[*used]);
            ++*used;
            sql++;
            continue;
        }
        sql += sql[0] == '%' && sql[1] == '%';
        *out++ = *sql;
    }
    *out = '\0';
    return out;
}

/* Give *TEXT, the SQL of CALL with its arguments in place; NULL: it is too long
 * for the database's parser. */
static cm_error_t *rendered(const char **text, const cm_store_t *store,
                            const cm_call_t *call, apr_pool_t *pool)
{
    const cm_dialect_t *dialect = store->dialect;
    apr_size_t room = strlen(call->sql) + 1, length;
    int i, used;
    char *out;

    CM_TRY(cm_statement_check(store, call, pool));
    for (i = 0; i < call->count; i++)
        room += CM_LITERAL_ROOM(call->arguments[i].size);
    out = apr_palloc(pool, room);
    length = render(out, &used, dialect, call) - out;
    if (used != call->count)
        return CM_FAIL(pool, CM_DATABASE,
                       "%d arguments given for %d places in '%.40s'",
                       call->count, used, call->sql);
    CM_TRY(cm_statement_check_size(store, length, pool));
    *text = dialect->ops->sql_limit && length > dialect->ops->sql_limit ? NULL
                                                                        : out;
    return NULL;
}

/* One value with its true size. Where the driver holds strings they stay as
 * long as POOL. Others must be asked for a bucket, which alone has the size. */
static cm_datum_t cell_read(cm_store_t *store, apr_dbd_row_t *row, int column,
                            apr_pool_t *pool)
{
    const cm_dialect_ops_t *ops = store->dialect->ops;
    cm_datum_t cell = {NULL, 0, 0};
    const char *data = NULL;

    if (ops->buffered) {
        if (!apr_dbd_datum_get(store->driver, row, column, APR_DBD_TYPE_STRING,
                               &data))
            cell = cm_datum_text(data);
        return cell;
    }
    if (apr_dbd_datum_get(store->driver, row, column, APR_DBD_TYPE_CLOB,
                          store->brigade))
        return cell;
    apr_bucket_read(APR_BRIGADE_FIRST(store->brigade), &data, &cell.size,
                    APR_BLOCK_READ);
    if (!data)
        cell.data = "";
    else if (ops->moves_values)
        cell.data = apr_pstrmemdup(pool, data, cell.size);
    else
        cell.data = data;
    apr_brigade_cleanup(store->brigade);
    return cell;
}

cm_error_t *cm_statement_read(cm_rows_t **rows, cm_store_t *store,
                              apr_dbd_results_t *results, apr_pool_t *pool)
{
    const cm_dialect_ops_t *ops = store->dialect->ops;
    const apr_dbd_driver_t *driver = store->driver;
    int columns = results ? apr_dbd_num_cols(driver, results) : 0;
    int known = -1, count, i;
    apr_array_header_t *cells;
    apr_dbd_row_t *row = NULL;

    if (!results)
        known = 0;
    else if (ops->buffered)
        known = apr_dbd_num_tuples(driver, results);
    cells = apr_array_make(pool, known > 0 ? known * columns : 16,
                           sizeof(cm_datum_t));
    for (count = 0; count != known; count++) {
        if (apr_dbd_get_row(driver, pool, results, &row, -1))
            break;
        for (i = 0; i < columns; i++)
            APR_ARRAY_PUSH(cells, cm_datum_t) = cell_read(store, row, i, pool);
    }
    if (ops->late_errors && *apr_dbd_error(driver, store->handle, 0))
        return cm_statement_failure(store, 0, pool);
    *rows = apr_palloc(pool, sizeof(**rows));
    (*rows)->count = count;
    (*rows)->columns = columns;
    (*rows)->cells = (const cm_datum_t *)cells->elts;
    return NULL;
}

/* Return SQL with what sets up the session for it, where that is needed:
 * several statements in one string are one transaction. */
static const char *with_session(const cm_store_t *store, const char *sql,
                                apr_pool_t *pool)
{
    if (!store->pooled || store->transaction_pool)
        return sql;
    return apr_pstrcat(pool, store->dialect->ops->local_session, "; ", sql,
                       NULL);
}

cm_error_t *cm_statement_call(cm_rows_t **rows, apr_int64_t *affected,
                              cm_store_t *store, const cm_call_t *call,
                              apr_pool_t *pool)
{
    const int random = store->dialect->ops->buffered;
    apr_dbd_results_t *results;
    cm_tries_t tries = {0};
    const char *text = NULL;
    int matched = 0, rc;

    CM_TRY(cm_statement_ready(store, pool));
    CM_TRY(rendered(&text, store, call, pool));
    if (!text)
        return cm_prepared_call(rows, affected, store, call, 0, pool);
    text = with_session(store, text, pool);
    do {
        results = NULL;
        if (rows)
            rc = apr_dbd_select(store->driver, pool, store->handle, &results,
                                text, random);
        else
            rc = apr_dbd_query(store->driver, store->handle, &matched, text);
    } while (cm_statement_again(store, rc, &tries));
    if (rc)
        return cm_statement_failure(store, rc, pool);
    if (affected)
        *affected = matched;
    return rows ? cm_statement_read(rows, store, results, pool) : NULL;
}

cm_error_t *cm_statement_run(apr_int64_t *affected, cm_store_t *store,
                             const char *sql, const cm_datum_t *arguments,
                             int count, apr_pool_t *scratch_pool)
{
    const cm_call_t call = {sql, arguments, count};
    int begun;

    CM_TRY(cm_transaction_begin_alone(&begun, store, scratch_pool));
    return cm_transaction_end_alone(
        begun, store,
        cm_statement_call(NULL, affected, store, &call, scratch_pool),
        scratch_pool);
}

cm_error_t *cm_statement_select(cm_rows_t **rows, cm_store_t *store,
                                const char *sql, const cm_datum_t *arguments,
                                int count, apr_pool_t *result_pool)
{
    const cm_call_t call = {sql, arguments, count};

    return cm_statement_call(rows, NULL, store, &call, result_pool);
}

cm_error_t *cm_statement_number(apr_int64_t *number, cm_store_t *store,
                                const char *sql, const cm_datum_t *arguments,
                                int count, apr_pool_t *scratch_pool)
{
    cm_rows_t *rows;

    CM_TRY(
        cm_statement_select(&rows, store, sql, arguments, count, scratch_pool));
    *number = rows->count ? cm_cell_number(rows, 0, 0) : 0;
    return NULL;
}

cm_error_t *cm_statement_section(cm_rows_t **rows, cm_store_t *store,
                                 const char *file, const char *name,
                                 const cm_datum_t *arguments, int count,
                                 apr_pool_t *result_pool)
{
    const char *sql =
        cm_sql_section(store->dialect->driver, file, name, result_pool);

    if (sql)
        return cm_statement_select(rows, store, sql, arguments, count,
                                   result_pool);
    *rows = apr_pcalloc(result_pool, sizeof(**rows));
    return NULL;
}

cm_error_t *cm_statement_execute(cm_store_t *store, const char *sql,
                                 apr_pool_t *scratch_pool)
{
    apr_size_t length = strlen(sql);

    CM_TRY(cm_statement_ready(store, scratch_pool));

    /* To SQLite what follows a semicolon is another statement. */
    while (length && strchr(" \t\r\n;", sql[length - 1]))
        length--;
    return cm_statement_command(
        store,
        with_session(store, apr_pstrmemdup(scratch_pool, sql, length),
                     scratch_pool),
        scratch_pool);
}
