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
    if (value->binary)
        return CM_FORM_BYTES;
    return memchr(value->data, 0, value->size) ? CM_FORM_NUL : CM_FORM_TEXT;
}

/* Return how many of ARGUMENTS are not plain text. */
static int count_special(const cm_datum_t *arguments, int count)
{
    int i, special = 0;

    for (i = 0; i < count; i++)
        special += cm_prepared_form(&arguments[i]) != CM_FORM_TEXT;
    return special;
}

/* Return SQL with the parameters in the forms that ARGUMENTS need. */
static const char *with_forms(const cm_dialect_t *dialect, const char *sql,
                              const cm_datum_t *arguments, int count,
                              apr_pool_t *pool)
{
    const char *const *cell = dialect->ops->cell;
    apr_size_t room = strlen(sql) + 1;
    char *text, *end;
    int i;

    for (i = 0; i < count; i++)
        room += strlen(cell[cm_prepared_form(&arguments[i])]);
    text = end = apr_palloc(pool, room);
    for (i = 0; *sql; sql++) {
        if (sql[0] == '%' && sql[1] == 's' && i < count) {
            end = stpcpy(end, cell[cm_prepared_form(&arguments[i++])]);
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

/* Return ARGUMENTS as the driver wants them. Each of the SPECIAL ones is four
 * values: data, size and two unused. */
static const char **bound(const cm_datum_t *arguments, int count, int special,
                          apr_pool_t *pool)
{
    const char **values =
        apr_pcalloc(pool, sizeof(*values) * (count + 3 * special + 1));
    int i, next = 0;

    for (i = 0; i < count; i++) {
        values[next++] = arguments[i].data;
        if (!special || cm_prepared_form(&arguments[i]) == CM_FORM_TEXT)
            continue;
        values[next++] =
            apr_psprintf(pool, "%" APR_SIZE_T_FMT, arguments[i].size);
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
                                 const char *sql, const cm_datum_t *arguments,
                                 int count, int keep, apr_pool_t *pool)
{
    int special = count_special(arguments, count), i;
    apr_size_t size = strlen(sql);

    CM_TRY(cm_statement_check(store, arguments, count, pool));
    for (i = 0; i < count; i++)
        size += arguments[i].size + 9;
    CM_TRY(cm_statement_check_size(store, size, pool));
    prepared->sql = sql;
    if (special)
        prepared->sql = with_forms(store->dialect, sql, arguments, count, pool);
    prepared->values = bound(arguments, count, special, pool);
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

cm_error_t *cm_prepared_run(apr_int64_t *affected, cm_store_t *store,
                            const char *sql, const cm_datum_t *arguments,
                            int count, int keep, apr_pool_t *scratch_pool)
{
    prepared_t prepared;
    int rows = 0, tries = 0, rc;

    CM_TRY(cm_statement_ready(store, scratch_pool));
    if (keep && is_full(store, sql))
        return cm_statement_run(affected, store, sql, arguments, count,
                                scratch_pool);
    CM_TRY(prepared_make(&prepared, store, sql, arguments, count, keep,
                         scratch_pool));
    do
        rc = apr_dbd_pquery(store->driver, scratch_pool, store->handle, &rows,
                            prepared.statement, count, prepared.values);
    while (!tries++ && renewed(rc, &prepared, store, scratch_pool));
    if (rc)
        return cm_statement_failure(store, rc, scratch_pool);
    if (affected)
        *affected = rows;
    return NULL;
}

cm_error_t *cm_prepared_select(cm_rows_t **rows, cm_store_t *store,
                               const char *sql, const cm_datum_t *arguments,
                               int count, int keep, apr_pool_t *result_pool)
{
    const int random = store->dialect->ops->buffered;
    apr_dbd_results_t *results;
    prepared_t prepared;
    int tries = 0, rc;

    CM_TRY(cm_statement_ready(store, result_pool));
    if (keep && is_full(store, sql))
        return cm_statement_select(rows, store, sql, arguments, count,
                                   result_pool);
    CM_TRY(prepared_make(&prepared, store, sql, arguments, count, keep,
                         result_pool));
    do {
        results = NULL;
        rc =
            apr_dbd_pselect(store->driver, result_pool, store->handle, &results,
                            prepared.statement, random, count, prepared.values);
    } while (!tries++ && renewed(rc, &prepared, store, result_pool));
    if (rc)
        return cm_statement_failure(store, rc, result_pool);
    return cm_statement_read(rows, store, results, result_pool);
}

/* Return SQL with $1, $2 ... where its arguments go. */
static const char *numbered(const char *sql, apr_pool_t *pool)
{
    const char *text = "", *place;
    int number = 1;

    for (; (place = strstr(sql, "%s")); sql = place + 2)
        text = apr_psprintf(pool, "%s%.*s$%d", text, (int)(place - sql), sql,
                            number++);
    return apr_pstrcat(pool, text, sql, NULL);
}

cm_error_t *cm_prepared_select_often(cm_rows_t **rows, cm_store_t *store,
                                     const char *sql,
                                     const cm_datum_t *arguments, int count,
                                     apr_pool_t *result_pool)
{
    const char *name;

    if (!store->dialect->ops->names_statements)
        return cm_statement_select(rows, store, sql, arguments, count,
                                   result_pool);
    CM_TRY(cm_statement_ready(store, result_pool));
    name = apr_hash_get(store->names, sql, APR_HASH_KEY_STRING);
    if (!name) {
        name = apr_psprintf(store->statement_pool, "communicator_%d",
                            ++store->named);
        CM_TRY(cm_statement_command(
            store,
            apr_pstrcat(result_pool, "PREPARE ", name, " AS ",
                        numbered(sql, result_pool), NULL),
            result_pool));
        apr_hash_set(store->names, apr_pstrdup(store->statement_pool, sql),
                     APR_HASH_KEY_STRING, name);
    }
    return cm_statement_select(
        rows, store,
        apr_pstrcat(result_pool, "EXECUTE ", name, " (",
                    cm_dialect_repeat("%s", ", ", count, result_pool), ")",
                    NULL),
        arguments, count, result_pool);
}
