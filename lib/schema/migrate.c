/* Communicator's own tables: the run of migrate. See migrate.h. */
#include "base/clock.h"
#include "schema/migrate.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_time.h>

#include "base/number.h"
#include "store/dialect.h"
#include "store/sql.h"
#include "schema/migrate_internal.h"

/* Return STATEMENTS (const char *) as one text. */
static const char *joined(const apr_array_header_t *statements,
                          apr_pool_t *pool)
{
    const char *text = "";
    int i;

    for (i = 0; i < statements->nelts; i++)
        text = apr_pstrcat(pool, text, i ? ";\n" : "",
                           APR_ARRAY_IDX(statements, i, const char *), NULL);
    return text;
}

cm_error_t *cm_migrate_step(cm_migration_t *migration, const char *what,
                            const apr_array_header_t *statements,
                            apr_pool_t *scratch_pool)
{
    int i;

    what = cm_sql_fill(what, migration->values, scratch_pool);
    migration->report(migration->baton, what, joined(statements, scratch_pool));
    for (i = 0; i < statements->nelts && !migration->dry_run; i++)
        CM_TRY_FOR(
            cm_statement_execute(migration->store,
                                 APR_ARRAY_IDX(statements, i, const char *),
                                 scratch_pool),
            migration->pool, "step '%s' failed", what);
    return NULL;
}

/* Do the step WHAT: the statements of SQL, with its values filled in. */
static cm_error_t *do_section(cm_migration_t *migration, const char *what,
                              const char *sql, apr_pool_t *scratch_pool)
{
    sql = cm_sql_fill(sql, migration->values, scratch_pool);
    return cm_migrate_step(migration, what,
                           cm_sql_statements(sql, scratch_pool), scratch_pool);
}

static void set_value(cm_migration_t *migration, const char *name,
                      const char *value)
{
    apr_hash_set(migration->values, name, APR_HASH_KEY_STRING, value);
}

/* Record that FILE was run. */
static cm_error_t *record(cm_migration_t *migration, const char *file)
{
    apr_pool_t *pool = migration->pool;

    set_value(migration, "version",
              apr_psprintf(pool, "%d", cm_migrate_plan_version_of(file)));
    set_value(migration, "name",
              cm_store_literal(migration->store, file, pool));
    set_value(
        migration, "now",
        apr_psprintf(pool, "%" APR_INT64_T_FMT, (apr_int64_t)cm_clock_now()));
    return do_section(migration, "notes that the tables have version {version}",
                      cm_migrate_plan_sql(migration->store, "record", pool),
                      pool);
}

static cm_error_t *run_file(cm_migration_t *migration, const char *file)
{
    apr_array_header_t *steps;
    apr_pool_t *iterpool;
    int i;

    CM_TRY(cm_migrate_plan(&steps, migration->store, file, migration->pool));
    apr_pool_create(&iterpool, migration->pool);
    for (i = 0; i < steps->nelts; i++) {
        const cm_sql_section_t *section =
            &APR_ARRAY_IDX(steps, i, cm_sql_section_t);

        apr_pool_clear(iterpool);
        CM_TRY(do_section(migration, section->what, section->text, iterpool));
    }
    apr_pool_destroy(iterpool);
    return record(migration, file);
}

/* Refuse to rebuild a table of a gem that has columns of somebody else: they
 * would be lost. */
static cm_error_t *check_strangers(cm_migration_t *migration)
{
    apr_pool_t *pool = migration->pool;
    const char *sql = cm_migrate_plan_sql(migration->store, "strangers", pool);
    cm_rows_t *rows;

    if (!sql)
        return NULL;
    CM_TRY(cm_statement_select(&rows, migration->store, sql, NULL, 0, pool));
    if (!rows->count)
        return NULL;
    return cm_error_hint(
        CM_FAIL(pool, CM_SCHEMA, "column '%s' is not one of the gem's",
                cm_cell_text(rows, 0, 0)),
        pool, "move it to a table of its own: upgrading would lose it");
}

/* Give the messages of the gem's time to the only peer, if it was not known
 * when the gem's tables were upgraded. */
static cm_error_t *adopt(cm_migration_t *migration)
{
    const apr_array_header_t *peers = migration->settings->peers;
    apr_pool_t *pool = migration->pool;
    cm_datum_t argument;
    cm_rows_t *rows;

    if (peers->nelts != 1)
        return NULL;
    argument =
        cm_datum_text(APR_ARRAY_IDX(peers, 0, cm_peer_settings_t *)->name);
    CM_TRY(cm_statement_select(
        &rows, migration->store,
        cm_migrate_plan_sql(migration->store, "adoptable", pool), &argument, 1,
        pool));
    if (!rows->count)
        return NULL;
    return do_section(migration, "gives the gem's messages to {peer_words}",
                      cm_migrate_plan_sql(migration->store, "adopt", pool),
                      pool);
}

static cm_error_t *migrate_tables(cm_migration_t *migration)
{
    const char *driver = cm_dialect_of_store(migration->store)->driver;
    const cm_sql_file_t *file;
    int present, known;

    CM_TRY(cm_migrate_plan_version(&present, &known, migration->store,
                                   migration->pool));
    if (present > known)
        return cm_error_hint(
            CM_FAIL(migration->pool, CM_SCHEMA,
                    "the tables have version %d, this program knows only up to "
                    "%d",
                    present, known),
            migration->pool, "install the newer program here too");
    if (!present)
        CM_TRY(check_strangers(migration));
    for (file = cm_sql_files; file->driver; file++)
        if (!strcmp(file->driver, driver) &&
            cm_migrate_plan_version_of(file->name) > present)
            CM_TRY(run_file(migration, file->name));
    return present ? adopt(migration) : NULL;
}

/* SQLite: switch to the write-ahead log, which is not possible in a
 * transaction. */
static cm_error_t *set_journal(cm_migration_t *migration)
{
    apr_pool_t *pool = migration->pool;
    const char *sql = cm_migrate_plan_sql(migration->store, "journal", pool);
    cm_rows_t *rows;

    if (!sql)
        return NULL;
    CM_TRY(cm_statement_select(&rows, migration->store, sql, NULL, 0, pool));
    if (!strcmp(cm_cell_text(rows, 0, 0), "wal"))
        return NULL;
    sql = cm_migrate_plan_sql(migration->store, "journal.set", pool);
    migration->report(migration->baton,
                      "lets readers and a writer work at the same time (WAL)",
                      sql);
    if (migration->dry_run)
        return NULL;
    return cm_statement_select(&rows, migration->store, sql, NULL, 0, pool);
}

/* Run the section NAME of schema.sql, if there is one, that takes or releases
 * the lock; *RESULT gets what it returns. */
static cm_error_t *run_lock(apr_int64_t *result, cm_migration_t *migration,
                            const char *name)
{
    const char *sql =
        cm_migrate_plan_sql(migration->store, name, migration->pool);
    cm_rows_t *rows;

    *result = 1;
    if (!sql)
        return NULL;
    CM_TRY(cm_statement_select(&rows, migration->store, sql, NULL, 0,
                               migration->pool));
    *result = cm_cell_number(rows, 0, 0);
    return NULL;
}

static cm_error_t *migrate_all(cm_migration_t *migration)
{
    if (migration->removed)
        return cm_migrate_triggers_remove(migration, migration->removed);
    CM_TRY(cm_migrate_triggers_tables(migration));
    CM_TRY(migrate_tables(migration));
    CM_TRY(cm_migrate_beside(migration));
    return cm_migrate_triggers_renew(migration);
}

/* Where DDL commits, each step stands alone and is safe to repeat. A lock of
 * the session keeps others out. */
static cm_error_t *migrate_step_by_step(cm_migration_t *migration)
{
    const char *sql =
        cm_migrate_plan_sql(migration->store, "patience", migration->pool);
    apr_int64_t locked, ignored;
    cm_error_t *err, *unlock_err;

    CM_TRY(run_lock(&locked, migration, "lock"));
    if (!locked)
        return CM_FAIL(migration->pool, CM_BUSY,
                       "another migration of this database is running");
    CM_TRY(cm_statement_execute(migration->store, sql, migration->pool));
    err = migrate_all(migration);
    unlock_err = run_lock(&ignored, migration, "unlock");
    return err ? err : unlock_err;
}

static cm_error_t *lock_and_migrate(cm_migration_t *migration)
{
    const char *sql =
        cm_migrate_plan_sql(migration->store, "patience", migration->pool);
    apr_int64_t ignored;

    CM_TRY(run_lock(&ignored, migration, "lock"));
    if (sql)
        CM_TRY(cm_statement_execute(migration->store, sql, migration->pool));
    return migrate_all(migration);
}

static cm_error_t *migrate_in_transaction(cm_migration_t *migration)
{
    CM_TRY(set_journal(migration));
    CM_TRY(cm_transaction_begin(migration->store, migration->pool));
    return cm_transaction_end(migration->store, lock_and_migrate(migration),
                              migration->pool);
}

static cm_error_t *dry_run_all(cm_migration_t *migration)
{
    CM_TRY(set_journal(migration));
    return migrate_all(migration);
}

/* Set the values that the steps may name. */
static cm_error_t *set_values(cm_migration_t *migration)
{
    const apr_array_header_t *peers = migration->settings->peers;
    apr_pool_t *pool = migration->pool;
    const char *peer = "", *words, *epoch;

    if (peers->nelts == 1) {
        peer = APR_ARRAY_IDX(peers, 0, cm_peer_settings_t *)->name;
        words = apr_psprintf(pool, "peer '%s'", peer);
    }
    else {
        words = apr_psprintf(pool,
                             "no peer (%d are configured: migrate again with "
                             "just the gem's)",
                             peers->nelts);
    }
    CM_TRY(cm_number_random(&epoch, pool));
    migration->values = apr_hash_make(pool);
    set_value(migration, "peer",
              cm_store_literal(migration->store, peer, pool));
    set_value(migration, "peer_words", words);
    set_value(migration, "epoch",
              cm_store_literal(migration->store, epoch, pool));
    return NULL;
}

static cm_error_t *run(cm_migration_t *migration)
{
    cm_store_t *store = migration->store;
    cm_error_t *err = set_values(migration);

    if (!err && migration->dry_run)
        err = dry_run_all(migration);
    else if (!err && cm_dialect_of_store(store)->ddl_commits)
        err = migrate_step_by_step(migration);
    else if (!err)
        err = migrate_in_transaction(migration);
    cm_store_forget(store);
    if (err)
        return cm_error_make(migration->pool, err->code, err, __FILE__,
                             __LINE__, "cannot migrate");
    return NULL;
}

cm_error_t *cm_migrate_run(cm_store_t *store, const cm_settings_t *settings,
                           int dry_run, cm_schema_report_t report, void *baton,
                           apr_pool_t *scratch_pool)
{
    cm_migration_t migration = {.store = store,
                                .settings = settings,
                                .dry_run = dry_run,
                                .report = report,
                                .baton = baton,
                                .pool = scratch_pool};

    return run(&migration);
}

cm_error_t *cm_migrate_drop_triggers(cm_store_t *store,
                                     const cm_settings_t *settings,
                                     const cm_model_t *model, int dry_run,
                                     cm_schema_report_t report, void *baton,
                                     apr_pool_t *scratch_pool)
{
    cm_migration_t migration = {.store = store,
                                .settings = settings,
                                .dry_run = dry_run,
                                .report = report,
                                .baton = baton,
                                .pool = scratch_pool};
    int i;

    migration.removed =
        apr_array_make(scratch_pool, 8, sizeof(const cm_model_t *));
    for (i = 0; i < settings->models->nelts; i++) {
        const cm_model_t *one =
            APR_ARRAY_IDX(settings->models, i, cm_model_t *);

        if (model ? one == model : one->publishes)
            APR_ARRAY_PUSH(migration.removed, const cm_model_t *) = one;
    }
    return run(&migration);
}
