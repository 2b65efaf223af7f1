/* The triggers of published tables, as migrate installs and removes them. */
#include "cm_schema_internal.h"

#include <string.h>

#include <apr_strings.h>

#include "cm_capture.h"
#include "cm_catalog_internal.h"
#include "cm_dialect.h"
#include "cm_judge.h"
#include "cm_sql.h"

/* Give what tells TABLE from others in the list of triggers. */
static cm_error_t *key_of_table(const char **key, cm_migration_t *migration,
                                const cm_table_t *table)
{
    apr_pool_t *pool = migration->pool;
    const char *name = table->model->table;
    cm_datum_t argument;
    cm_rows_t *rows;

    /* PostgreSQL reads it as an identifier: it must be quoted. */
    if (cm_store_dialect(migration->store)->database == CM_PGSQL)
        name = cm_catalog_without_doubling(table->quoted, pool);
    argument = cm_datum_text(name);
    CM_TRY(cm_store_select(&rows, migration->store,
                           cm_schema_sql(migration->store, "table_key", pool),
                           &argument, 1, pool));
    *key = cm_cell_text(rows, 0, 0);
    return NULL;
}

/* Refuse a table that cannot take part; report what is only a warning. The
 * table of a model that is only received may be created later. */
static cm_error_t *judge(cm_migration_t *migration, const cm_model_t *model)
{
    apr_pool_t *pool = migration->pool;
    apr_array_header_t *findings;
    cm_error_t *err;
    int i;

    err = cm_judge_table(&findings, migration->store, model, pool);
    if (err && err->code == CM_SCHEMA && !model->publishes)
        return NULL;
    CM_TRY(err);
    CM_TRY(cm_judge_new_error(findings, pool));
    for (i = 0; i < findings->nelts; i++)
        migration->report(
            migration->baton,
            apr_pstrcat(pool, "warning: ",
                        APR_ARRAY_IDX(findings, i, cm_finding_t).text,
                        APR_ARRAY_IDX(findings, i, cm_finding_t).used
                            ? "; `communicator-sync check` says what to do"
                            : "",
                        NULL),
            NULL);
    return NULL;
}

cm_error_t *cm_schema_read_tables(cm_migration_t *migration)
{
    const apr_array_header_t *models = migration->settings->models;
    apr_pool_t *pool = migration->pool;
    cm_table_t *table;
    int i;

    migration->tables =
        apr_array_make(pool, models->nelts, sizeof(const cm_table_t *));
    for (i = 0; i < models->nelts; i++) {
        const cm_model_t *model = APR_ARRAY_IDX(models, i, cm_model_t *);

        CM_TRY_FOR(judge(migration, model), pool, "cannot use model '%s'",
                   model->name);
        if (!model->publishes)
            continue;
        CM_TRY_FOR(cm_catalog_read(&table, migration->store, model, pool, pool),
                   pool, "cannot publish model '%s'", model->name);
        APR_ARRAY_PUSH(migration->tables, const cm_table_t *) = table;
    }
    return NULL;
}

static cm_error_t *install(cm_migration_t *migration, const cm_table_t *table)
{
    const cm_model_t *model = table->model;
    apr_pool_t *pool = migration->pool;
    apr_array_header_t *statements;
    cm_capture_e state;

    CM_TRY(cm_capture_state(&state, migration->store, table, pool));
    if (state == CM_CAPTURE_CURRENT)
        return NULL;
    CM_TRY(cm_capture_statements(&statements, migration->store, table, pool));
    return cm_schema_step(
        migration,
        apr_psprintf(pool, "%s the triggers of table %s (model %s)",
                     state == CM_CAPTURE_STALE ? "renews" : "installs",
                     model->table, model->name),
        statements, pool);
}

/* Drop those of our triggers whose table's key is not in KEYS. */
static cm_error_t *drop_others(int *dropped, cm_migration_t *migration,
                               apr_hash_t *keys)
{
    apr_pool_t *pool = migration->pool;
    const char *sql = cm_schema_sql(migration->store, "triggers", pool);
    apr_array_header_t *statement;
    cm_rows_t *rows;
    int i;

    *dropped = 0;
    CM_TRY(cm_store_select(&rows, migration->store, sql, NULL, 0, pool));
    statement = apr_array_make(pool, 1, sizeof(const char *));
    for (i = 0; i < rows->count; i++) {
        if (apr_hash_get(keys, cm_cell_text(rows, i, 0), APR_HASH_KEY_STRING))
            continue;
        apr_array_clear(statement);
        APR_ARRAY_PUSH(statement, const char *) = cm_cell_text(rows, i, 2);
        CM_TRY(cm_schema_step(
            migration,
            apr_psprintf(pool,
                         "removes a trigger of table %s, published no longer",
                         cm_cell_text(rows, i, 1)),
            statement, pool));
        ++*dropped;
    }
    return NULL;
}

/* Drop the functions that no trigger is left for, where triggers have some. */
static cm_error_t *drop_functions(cm_migration_t *migration)
{
    apr_pool_t *pool = migration->pool;
    const char *sql = cm_schema_sql(migration->store, "functions", pool);
    apr_array_header_t *statements;
    cm_rows_t *rows;
    int i;

    if (!sql)
        return NULL;
    CM_TRY(cm_store_select(&rows, migration->store, sql, NULL, 0, pool));
    statements = apr_array_make(pool, rows->count + 1, sizeof(const char *));
    for (i = 0; i < rows->count; i++)
        APR_ARRAY_PUSH(statements, const char *) = cm_cell_text(rows, i, 0);
    if (!rows->count)
        return NULL;
    return cm_schema_step(migration, "removes the functions of these triggers",
                          statements, pool);
}

cm_error_t *cm_schema_triggers(cm_migration_t *migration)
{
    apr_hash_t *keys = apr_hash_make(migration->pool);
    int i, dropped;

    for (i = 0; i < migration->tables->nelts; i++) {
        const cm_table_t *table =
            APR_ARRAY_IDX(migration->tables, i, const cm_table_t *);
        const char *key;

        CM_TRY_FOR(install(migration, table), migration->pool,
                   "cannot publish model '%s'", table->model->name);
        CM_TRY(key_of_table(&key, migration, table));
        if (key)
            apr_hash_set(keys, key, APR_HASH_KEY_STRING, table);
    }
    CM_TRY(drop_others(&dropped, migration, keys));
    return dropped ? drop_functions(migration) : NULL;
}
