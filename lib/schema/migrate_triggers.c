/* The triggers of published tables, as migrate installs and removes them. */
#include "schema/migrate_internal.h"

#include <string.h>

#include <apr_strings.h>

#include "schema/capture.h"
#include "schema/judge.h"

/* Give *KEY, which identifies the table of MODEL in the list of triggers; NULL:
 * there is no such table. */
static cm_error_t *key_of_table(const char **key, cm_store_t *store,
                                const cm_model_t *model, apr_pool_t *pool)
{
    cm_rows_t *rows;

    CM_TRY(cm_table_ask(&rows, store, "schema.sql", "table_key", model, pool));
    *key = cm_cell_text(rows, 0, 0);
    return NULL;
}

/* Refuse a table that cannot be synchronised; report what is only a warning. */
static cm_error_t *judge(cm_migration_t *migration, const cm_table_t *table)
{
    apr_pool_t *pool = migration->pool;
    apr_array_header_t *findings;
    int i;

    CM_TRY(cm_judge_table(&findings, migration->store, table, pool));
    CM_TRY(cm_judge_rows(findings, migration->store, table, pool));
    CM_TRY(cm_judge_error(findings, 0, pool));
    CM_TRY(cm_judge_filter(migration->store, table, pool));
    for (i = 0; i < findings->nelts; i++)
        cm_migrate_report(
            migration,
            apr_pstrcat(pool, "warning: ",
                        APR_ARRAY_IDX(findings, i, cm_finding_t).text,
                        APR_ARRAY_IDX(findings, i, cm_finding_t).used
                            ? "; `communicator-sync check` says what to do"
                            : "",
                        NULL),
            NULL);
    return NULL;
}

/* Read and judge the table of MODEL. That of a model that is only received may
 * be created later: then *TABLE is NULL. */
static cm_error_t *read_and_judge(cm_table_t **table, cm_migration_t *migration,
                                  const cm_model_t *model)
{
    apr_pool_t *pool = migration->pool;
    cm_error_t *err = cm_table_read(table, migration->store, model, pool, pool);

    if (err && err->code == CM_SCHEMA && !model->publishes) {
        *table = NULL;
        return NULL;
    }
    CM_TRY(err);
    return judge(migration, *table);
}

cm_error_t *cm_migrate_triggers_tables(cm_migration_t *migration)
{
    const apr_array_header_t *models = migration->settings->models;
    apr_pool_t *pool = migration->pool;
    cm_table_t *table;
    int i;

    migration->all =
        apr_array_make(pool, models->nelts, sizeof(const cm_table_t *));
    migration->tables =
        apr_array_make(pool, models->nelts, sizeof(const cm_table_t *));
    for (i = 0; i < models->nelts; i++) {
        const cm_model_t *model = APR_ARRAY_IDX(models, i, cm_model_t *);

        CM_TRY_FOR(read_and_judge(&table, migration, model), pool,
                   "cannot use model '%s'", model->name);
        APR_ARRAY_PUSH(migration->all, const cm_table_t *) = table;
        if (cm_settings_model_captures(model))
            APR_ARRAY_PUSH(migration->tables, const cm_table_t *) = table;
    }
    return NULL;
}

/* The triggers of TABLE are renewed, perhaps because where= has changed: say
 * what that leaves to do. */
static cm_error_t *report_filter(cm_migration_t *migration,
                                 const cm_table_t *table)
{
    const cm_model_t *model = table->model;
    apr_pool_t *pool = migration->pool;
    apr_int64_t unsent, outside;

    CM_TRY(
        cm_judge_filter_rows(&unsent, &outside, migration->store, table, pool));
    if (unsent)
        cm_migrate_report(
            migration,
            apr_psprintf(pool,
                         "warning: %" APR_INT64_T_FMT
                         " rows of table '%s' were "
                         "never sent; `communicator-sync publish %s --all` "
                         "sends them",
                         unsent, model->table, model->name),
            NULL);
    if (outside)
        cm_migrate_report(
            migration,
            apr_psprintf(pool,
                         "warning: %" APR_INT64_T_FMT " records of model '%s' "
                         "are known to peers and do not match where=: %s",
                         outside, model->name,
                         model->leave_deletes
                             ? "peers delete each with its next change"
                             : "they stay there as they are"),
            NULL);
    return NULL;
}

static cm_error_t *install(cm_migration_t *migration, const cm_table_t *table)
{
    const cm_model_t *model = table->model;
    apr_pool_t *pool = migration->pool;
    apr_array_header_t *statements;
    cm_capture_e state;

    CM_TRY(cm_capture_state(&state, migration->capture, table, pool));
    if (state == CM_CAPTURE_CURRENT)
        return NULL;
    if (state == CM_CAPTURE_STALE && model->where)
        CM_TRY(report_filter(migration, table));
    CM_TRY(cm_capture_statements(&statements, migration->capture, table, pool));
    return cm_migrate_step(
        migration,
        apr_psprintf(pool, "%s the triggers of table %s (model %s)",
                     state == CM_CAPTURE_MISSING ? "installs" : "renews",
                     model->table, model->name),
        statements);
}

/* The columns of section "triggers" of schema.sql. */
enum {
    TABLE_KEY,
    TABLE_NAME,
    DROPPING,
    TRIGGER
};

/* Find our triggers that belong to none of TABLES (const cm_table_t *): on a
 * table that is not published, or named as before the table was renamed.
 * *OTHERS: int, their places in *ROWS. The tables of BROKEN (const cm_model_t
 * *), which cannot be read, are left alone. */
static cm_error_t *find_others(apr_array_header_t **others, cm_rows_t **rows,
                               cm_store_t *store,
                               const apr_array_header_t *tables,
                               const apr_array_header_t *broken,
                               apr_pool_t *pool)
{
    apr_hash_t *keys = apr_hash_make(pool), *kept = apr_hash_make(pool);
    const char *key;
    int i;

    *others = apr_array_make(pool, 4, sizeof(int));
    for (i = 0; i < tables->nelts; i++) {
        const cm_table_t *table = APR_ARRAY_IDX(tables, i, const cm_table_t *);

        CM_TRY(key_of_table(&key, store, table->model, pool));
        if (key)
            apr_hash_set(keys, key, APR_HASH_KEY_STRING, table);
    }
    for (i = 0; i < broken->nelts; i++) {
        CM_TRY(key_of_table(
            &key, store, APR_ARRAY_IDX(broken, i, const cm_model_t *), pool));
        if (key)
            apr_hash_set(kept, key, APR_HASH_KEY_STRING, "");
    }
    CM_TRY(cm_statement_section(rows, store, "schema.sql", "triggers", NULL, 0,
                                pool));
    for (i = 0; i < (*rows)->count; i++) {
        const cm_table_t *table;

        key = cm_cell_text(*rows, i, TABLE_KEY);
        table = apr_hash_get(keys, key, APR_HASH_KEY_STRING);
        if (!apr_hash_get(kept, key, APR_HASH_KEY_STRING) &&
            !(table && cm_capture_owns(store, table,
                                       cm_cell_text(*rows, i, TRIGGER), pool)))
            APR_ARRAY_PUSH(*others, int) = i;
    }
    return NULL;
}

cm_error_t *cm_migrate_triggers_leftovers(apr_array_header_t **leftovers,
                                          cm_store_t *store,
                                          const cm_settings_t *settings,
                                          apr_pool_t *pool)
{
    const apr_array_header_t *models = settings->models;
    apr_array_header_t *tables, *broken, *others;
    cm_table_t *table;
    cm_rows_t *rows;
    int i;

    *leftovers = apr_array_make(pool, 4, sizeof(const char *));
    tables = apr_array_make(pool, models->nelts + 1, sizeof(cm_table_t *));
    broken = apr_array_make(pool, 4, sizeof(cm_model_t *));
    for (i = 0; i < models->nelts; i++) {
        const cm_model_t *model = APR_ARRAY_IDX(models, i, cm_model_t *);
        cm_error_t *err;

        if (!cm_settings_model_captures(model))
            continue;
        err = cm_table_read(&table, store, model, pool, pool);
        if (err && err->code != CM_SCHEMA)
            return err;
        if (err)
            APR_ARRAY_PUSH(broken, const cm_model_t *) = model;
        else
            APR_ARRAY_PUSH(tables, const cm_table_t *) = table;
    }
    CM_TRY(find_others(&others, &rows, store, tables, broken, pool));
    for (i = 0; i < others->nelts; i++) {
        int row = APR_ARRAY_IDX(others, i, int);

        APR_ARRAY_PUSH(*leftovers, const char *) =
            apr_psprintf(pool, "no model uses trigger '%s' of table '%s'",
                         cm_cell_text(rows, row, TRIGGER),
                         cm_cell_text(rows, row, TABLE_NAME));
    }
    return NULL;
}

/* Drop our triggers that no model uses. */
static cm_error_t *drop_others(int *dropped, cm_migration_t *migration)
{
    apr_pool_t *pool = migration->pool;
    apr_array_header_t *others, *statement, *broken;
    cm_rows_t *rows;
    int i;

    broken = apr_array_make(pool, 1, sizeof(cm_model_t *));
    CM_TRY(find_others(&others, &rows, migration->store, migration->tables,
                       broken, pool));
    statement = apr_array_make(pool, 1, sizeof(const char *));
    for (i = 0; i < others->nelts; i++) {
        int row = APR_ARRAY_IDX(others, i, int);

        apr_array_clear(statement);
        APR_ARRAY_PUSH(statement, const char *) =
            cm_cell_text(rows, row, DROPPING);
        CM_TRY(cm_migrate_step(
            migration,
            apr_psprintf(pool,
                         "removes trigger %s of table %s: no model uses it",
                         cm_cell_text(rows, row, TRIGGER),
                         cm_cell_text(rows, row, TABLE_NAME)),
            statement));
    }
    *dropped = others->nelts;
    return NULL;
}

/* Drop the functions that no trigger calls any more (PostgreSQL). */
static cm_error_t *drop_functions(cm_migration_t *migration)
{
    apr_pool_t *pool = migration->pool;
    apr_array_header_t *statements;
    cm_rows_t *rows;
    int i;

    CM_TRY(cm_statement_section(&rows, migration->store, "schema.sql",
                                "functions", NULL, 0, pool));
    statements = apr_array_make(pool, rows->count + 1, sizeof(const char *));
    for (i = 0; i < rows->count; i++)
        APR_ARRAY_PUSH(statements, const char *) = cm_cell_text(rows, i, 0);
    if (!rows->count)
        return NULL;
    return cm_migrate_step(migration, "removes the functions of these triggers",
                           statements);
}

cm_error_t *cm_migrate_triggers_renew(cm_migration_t *migration, int i)
{
    const cm_table_t *table =
        APR_ARRAY_IDX(migration->tables, i, const cm_table_t *);

    CM_TRY_FOR(install(migration, table), migration->pool,
               "cannot publish model '%s'", table->model->name);
    return NULL;
}

cm_error_t *cm_migrate_triggers_clean(cm_migration_t *migration, int i)
{
    int dropped;

    (void)i;
    CM_TRY(drop_others(&dropped, migration));
    return dropped ? drop_functions(migration) : NULL;
}

cm_error_t *cm_migrate_triggers_remove(cm_migration_t *migration, int i)
{
    const cm_model_t *model =
        APR_ARRAY_IDX(migration->removed, i, const cm_model_t *);
    cm_store_t *store = migration->store;
    apr_pool_t *pool = migration->pool;
    apr_array_header_t *statements;
    const char *key;
    cm_rows_t *rows;
    int row;

    CM_TRY(cm_statement_section(&rows, store, "schema.sql", "triggers", NULL, 0,
                                pool));
    CM_TRY(key_of_table(&key, store, model, pool));
    statements = apr_array_make(pool, 4, sizeof(const char *));
    for (row = 0; key && row < rows->count; row++)
        if (!strcmp(key, cm_cell_text(rows, row, TABLE_KEY)))
            APR_ARRAY_PUSH(statements, const char *) =
                cm_cell_text(rows, row, DROPPING);
    if (!statements->nelts)
        return NULL;
    return cm_migrate_step(
        migration,
        apr_psprintf(pool, "drops the triggers of table %s (model %s)",
                     model->table, model->name),
        statements);
}
