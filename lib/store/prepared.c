/* Statements with parameters: see internal.h. */
#include "store/internal.h"

#include <string.h>

#include <apr_strings.h>

/* Statements kept per connection: enough for some dozens of tables. */
#define KEPT_LIMIT 250

cm_form_e cm_prepared_form(const cm_datum_t *value)
{
    if (!value->data)
        return CM_FORM_TEXT;
    if (value->kind == CM_DATUM_BYTES)
        return CM_FORM_BYTES;
    if (value->kind == CM_DATUM_NUMBER)
        return CM_FORM_NUMBER;
    return memchr(value->data, 0, value->size) ? CM_FORM_NUL : CM_FORM_TEXT;
}

/* Return how many arguments of CALL are not plain text. */
static int count_special(const cm_call_t *call)
{
    int i, special = 0;

    for (i = 0; i < call->count; i++)
        special += cm_prepared_form(&call->arguments[i]) != CM_FORM_TEXT;
    return special;
}

/* Return the SQL of CALL with the parameters in the forms that its arguments
 * need. */
static const char *with_forms(const cm_dialect_t *dialect,
                              const cm_call_t *call, apr_pool_t *pool)
{
    const char *const *cell = dialect->ops->cell, *sql = call->sql;
    const cm_datum_t *argument = call->arguments;
    const cm_datum_t *last = argument + call->count;
    apr_size_t room = strlen(sql) + 1;
    char *text, *end;

    for (; argument < last; argument++)
        room += strlen(cell[cm_prepared_form(argument)]);
    text = end = apr_palloc(pool, room);
    for (argument = call->arguments; *sql; sql++) {
        if (sql[0] == '%' && sql[1] == 's' && argument < last) {
            end = stpcpy(end, cell[cm_prepared_form(argument++)]);
            sql++;
            continue;
        }
        *end++ = *sql;
        if (sql[0] == '%' && sql[1])
            *end++ = *++sql;
    }
    *end = '\0';
    return text;
}

/* Return the arguments of CALL as the driver wants them. Each of the SPECIAL
 * ones is four values: data, size and two unused. */
static const char **bound(const cm_call_t *call, int special, apr_pool_t *pool)
{
    const char **values =
        apr_pcalloc(pool, sizeof(*values) * (call->count + 3 * special + 1));
    int i, next = 0;

    for (i = 0; i < call->count; i++) {
        const cm_datum_t *argument = &call->arguments[i];

        values[next++] = argument->data;
        if (!special || cm_prepared_form(argument) == CM_FORM_TEXT)
            continue;
        values[next++] = apr_psprintf(pool, "%" APR_SIZE_T_FMT, argument->size);
        next += 2;
    }
    return values;
}

/* A statement to be run with parameters. */
typedef struct prepared_t {
    const char *sql;
    apr_dbd_prepared_t *statement;
    const char **values;
    int keep;
} prepared_t;

/* When too many statements are kept, all are dropped; where the driver never
 * frees one, further ones are not prepared. */
static int is_full(cm_store_t *store, const char *sql)
{
    if (apr_hash_count(store->statements) < KEPT_LIMIT ||
        apr_hash_get(store->statements, sql, APR_HASH_KEY_STRING))
        return 0;
    if (store->dialect->ops->keeps_statements)
        return 1;
    cm_store_forget(store);
    return 0;
}

static cm_error_t *prepare(prepared_t *prepared, cm_store_t *store,
                           apr_pool_t *scratch_pool)
{
    apr_pool_t *pool = scratch_pool;
    cm_tries_t tries = {0};
    int rc;

    prepared->statement =
        apr_hash_get(store->statements, prepared->sql, APR_HASH_KEY_STRING);
    if (prepared->statement)
        return NULL;

    /* Without a label PostgreSQL infers the types, and keeps nothing. */
    if (prepared->keep)
        apr_pool_create(&pool, store->statement_pool);
    do
        rc = apr_dbd_prepare(store->driver, pool, store->handle, prepared->sql,
                             NULL, &prepared->statement);
    while (cm_statement_again(store, rc, &tries));
    if (rc) {
        cm_error_t *err = cm_statement_failure(store, rc, scratch_pool);

        if (prepared->keep)
            apr_pool_destroy(pool);
        return err;
    }
    if (prepared->keep)
        apr_hash_set(store->statements, apr_pstrdup(pool, prepared->sql),
                     APR_HASH_KEY_STRING, prepared->statement);
    return NULL;
}

static cm_error_t *prepared_make(prepared_t *prepared, cm_store_t *store,
                                 const cm_call_t *call, int keep,
                                 apr_pool_t *pool)
{
    int special = count_special(call), i;
    apr_size_t size = strlen(call->sql);

    CM_TRY(cm_statement_check(store, call, pool));
    for (i = 0; i < call->count; i++)
        size += call->arguments[i].size + 9;
    CM_TRY(cm_statement_check_size(store, size, pool));
    prepared->sql =
        special ? with_forms(store->dialect, call, pool) : call->sql;
    prepared->values = bound(call, special, pool);
    prepared->keep = keep;
    return prepare(prepared, store, pool);
}

/* Prepare again a statement that a change of SQLite's schema has made useless.
 */
static int renewed(int rc, prepared_t *prepared, cm_store_t *store,
                   apr_pool_t *pool)
{
    if (!cm_statement_outdated(store, rc))
        return 0;
    apr_hash_set(store->statements, prepared->sql, APR_HASH_KEY_STRING, NULL);
    return !prepare(prepared, store, pool);
}

static cm_error_t *prepared_call(cm_rows_t **rows, apr_int64_t *affected,
                                 cm_store_t *store, const cm_call_t *call,
                                 int keep, apr_pool_t *pool)
{
    const int random = store->dialect->ops->buffered;
    apr_dbd_results_t *results;
    prepared_t prepared;
    int matched = 0, tries = 0, rc;

    CM_TRY(cm_statement_ready(store, pool));
    if (keep && is_full(store, call->sql))
        return cm_statement_call(rows, affected, store, call, pool);
    CM_TRY(prepared_make(&prepared, store, call, keep, pool));
    do {
        results = NULL;
        if (rows)
            rc = apr_dbd_pselect(store->driver, pool, store->handle, &results,
                                 prepared.statement, random, call->count,
                                 prepared.values);
        else
            rc = apr_dbd_pquery(store->driver, pool, store->handle, &matched,
                                prepared.statement, call->count,
                                prepared.values);
    } while (!tries++ && renewed(rc, &prepared, store, pool));
    if (rc)
        return cm_statement_failure(store, rc, pool);
    if (affected)
        *affected = matched;
    return rows ? cm_statement_read(rows, store, results, pool) : NULL;
}

cm_error_t *cm_prepared_call(cm_rows_t **rows, apr_int64_t *affected,
                             cm_store_t *store, const cm_call_t *call, int keep,
                             apr_pool_t *pool)
{
    cm_error_t *err;

    if (!store->pooled || store->transaction_pool)
        return prepared_call(rows, affected, store, call, keep, pool);
    CM_TRY(cm_transaction_begin(store, pool));
    err = prepared_call(rows, affected, store, call, keep, pool);
    return cm_transaction_end(store, err, pool);
}

/* Return SQL with ?, or $1, $2 ... (PostgreSQL), where its arguments go. */
static const char *with_places(const cm_store_t *store, const char *sql,
                               apr_pool_t *pool)
{
    const char *text = "", *place, *mark = "?";
    int number = 1;

    for (; (place = strstr(sql, "%s")); sql = place + 2) {
        if (store->dialect->ops->plans_statements)
            mark = apr_psprintf(pool, "$%d", number++);
        text =
            apr_psprintf(pool, "%s%.*s%s", text, (int)(place - sql), sql, mark);
    }
    return apr_pstrcat(pool, text, sql, NULL);
}

static cm_error_t *prepare_as(const char *name, cm_store_t *store,
                              const char *sql, apr_pool_t *pool)
{
    const cm_datum_t text = cm_datum_text(with_places(store, sql, pool));

    if (store->dialect->ops->plans_statements)
        return cm_statement_command(
            store, apr_pstrcat(pool, "PREPARE ", name, " AS ", text.data, NULL),
            pool);
    return cm_statement_run(
        NULL, store, apr_pstrcat(pool, "PREPARE ", name, " FROM %s", NULL),
        &text, 1, pool);
}

/* Find the NAME by which the session knows SQL, and let it know it; "" where
 * MariaDB's server knows too many already (max_prepared_stmt_count). */
static cm_error_t *name_of(const char **name, cm_store_t *store,
                           const char *sql, apr_pool_t *pool)
{
    cm_error_t *err;

    *name = apr_hash_get(store->names, sql, APR_HASH_KEY_STRING);
    if (*name)
        return NULL;
    *name = apr_psprintf(pool, "communicator_%d", ++store->named);
    err = prepare_as(*name, store, sql, pool);
    if (err && (err->code != CM_DATABASE || store->transaction_pool ||
                store->dialect->ops->plans_statements))
        return err;
    *name = err ? "" : apr_pstrdup(store->connection_pool, *name);
    apr_hash_set(store->names, apr_pstrdup(store->connection_pool, sql),
                 APR_HASH_KEY_STRING, *name);
    return NULL;
}

static cm_error_t *select_named(cm_rows_t **rows, cm_store_t *store,
                                const char *sql, const cm_datum_t *arguments,
                                int count, apr_pool_t *result_pool)
{
    const int plans = store->dialect->ops->plans_statements;
    const char *name;

    CM_TRY(name_of(&name, store, sql, result_pool));
    if (*name)
        sql = apr_pstrcat(result_pool, "EXECUTE ", name,
                          !count  ? ""
                          : plans ? " ("
                                  : " USING ",
                          cm_dialect_repeat("%s", ", ", count, result_pool),
                          count && plans ? ")" : "", NULL);
    return cm_statement_select(rows, store, sql, arguments, count, result_pool);
}

/* Return whether the session is to know a statement by a name. */
static int is_named(const cm_store_t *store, int often)
{
    const cm_dialect_ops_t *ops = store->dialect->ops;

    if (store->pooled)
        return 0;
    return ops->plans_statements ||
           (often && ops->names_statements && !store->cuts_parameters);
}

cm_error_t *cm_prepared_select(cm_rows_t **rows, cm_store_t *store,
                               const char *sql, const cm_datum_t *arguments,
                               int count, int often, apr_pool_t *result_pool)
{
    CM_TRY(cm_statement_ready(store, result_pool));
    if (is_named(store, often))
        return select_named(rows, store, sql, arguments, count, result_pool);
    return cm_statement_select(rows, store, sql, arguments, count, result_pool);
}
