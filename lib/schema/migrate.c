/* Communicator's own tables and triggers, part by part: see migrate.h. */
#include "schema/migrate.h"

#include <string.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "base/number.h"
#include "store/dialect.h"
#include "store/sql.h"
#include "schema/migrate_internal.h"
#include "schema/records.h"

/* So often a part is tried while the application holds a lock that it needs. It
 * waits for a second only ("patience" in schema.sql): whatever else the
 * application does with that table waits behind it. */
#define TRIES       10
#define TRIES_PAUSE apr_time_from_msec(500)

cm_error_t *cm_migrate_version(int *present, int *known, cm_store_t *store,
                               apr_pool_t *scratch_pool)
{
    const cm_datum_t table = cm_datum_text("communicator_schema");
    cm_rows_t *rows;

    *known = cm_migrate_files_known(store);
    *present = 0;
    CM_TRY(cm_statement_section(&rows, store, "schema.sql", "table", &table, 1,
                                scratch_pool));
    if (!rows->count)
        return NULL;
    CM_TRY(cm_statement_select(&rows, store,
                               "SELECT max(version) FROM communicator_schema",
                               NULL, 0, scratch_pool));
    *present = (int)cm_cell_number(rows, 0, 0);
    return NULL;
}

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

void cm_migrate_report(cm_migration_t *migration, const char *what,
                       const char *sql)
{
    if (migration->steps++ < migration->reported)
        return;
    migration->report(migration->baton, what, sql);
    migration->reported = migration->steps;
}

/* Return whether what failed with ERR is to be tried again, after a pause. */
static int is_next_try(const cm_migration_t *migration, const cm_error_t *err,
                       int *tries)
{
    if (!err || err->code != CM_BUSY || !migration->may_wait ||
        ++*tries == TRIES)
        return 0;
    cm_clock_sleep(TRIES_PAUSE);
    return 1;
}

/* Run SQL. In a transaction it cannot be tried again alone. */
static cm_error_t *execute(cm_migration_t *migration, const char *sql)
{
    const int alone = cm_dialect_of_store(migration->store)->ddl_commits;
    cm_error_t *err;
    int tries = 0;

    do {
        err = cm_statement_execute(migration->store, sql, migration->pool);
    } while (alone && is_next_try(migration, err, &tries));
    return err;
}

cm_error_t *cm_migrate_step(cm_migration_t *migration, const char *what,
                            const apr_array_header_t *statements)
{
    apr_pool_t *pool = migration->pool;
    int i;

    what = cm_sql_fill(what, migration->values, pool);
    cm_migrate_report(migration, what, joined(statements, pool));
    for (i = 0; i < statements->nelts && !migration->dry_run; i++)
        CM_TRY_FOR(
            execute(migration, APR_ARRAY_IDX(statements, i, const char *)),
            pool, "step '%s' failed", what);
    return NULL;
}

cm_error_t *cm_migrate_sql(cm_migration_t *migration, const char *what,
                           const char *sql)
{
    sql = cm_sql_fill(sql, migration->values, migration->pool);
    return cm_migrate_step(migration, what,
                           cm_sql_statements(sql, migration->pool));
}

/* Return section NAME of schema.sql, or NULL. */
static const char *section(const cm_migration_t *migration, const char *name)
{
    return cm_sql_section(cm_dialect_of_store(migration->store)->driver,
                          "schema.sql", name, migration->pool);
}

cm_error_t *cm_migrate_section(cm_migration_t *migration, const char *what,
                               const char *name)
{
    const char *sql = section(migration, name);

    return sql ? cm_migrate_sql(migration, what, sql) : NULL;
}

/* Run the query NAME of schema.sql with ARGUMENT (may be NULL). Where this
 * database has no such query, *ROWS is empty. */
static cm_error_t *ask(cm_rows_t **rows, cm_migration_t *migration,
                       const char *name, const char *argument)
{
    const cm_datum_t datum = cm_datum_text(argument);

    return cm_statement_section(rows, migration->store, "schema.sql", name,
                                &datum, argument != NULL, migration->pool);
}

void cm_migrate_set(cm_migration_t *migration, const char *name,
                    const char *value)
{
    apr_hash_set(migration->values, name, APR_HASH_KEY_STRING, value);
}

/* Refuse to rebuild a table of a gem that has columns of somebody else: they
 * would be lost. */
static cm_error_t *check_strangers(cm_migration_t *migration)
{
    apr_pool_t *pool = migration->pool;
    cm_rows_t *rows;

    CM_TRY(ask(&rows, migration, "strangers", NULL));
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
    cm_rows_t *rows;

    if (peers->nelts != 1)
        return NULL;
    CM_TRY(ask(&rows, migration, "adoptable",
               APR_ARRAY_IDX(peers, 0, cm_peer_settings_t *)->name));
    if (!rows->count)
        return NULL;
    return cm_migrate_section(
        migration, "gives the gem's messages to {peer_words}", "adopt");
}

static cm_error_t *migrate_tables(cm_migration_t *migration)
{
    int present, known;

    CM_TRY(cm_migrate_version(&present, &known, migration->store,
                              migration->pool));
    migration->noted = present;
    if (present > known)
        return cm_error_hint(
            CM_FAIL(migration->pool, CM_SCHEMA,
                    "the tables have version %d, this program knows only up to "
                    "%d",
                    present, known),
            migration->pool, "install the newer program here too");
    if (!present)
        CM_TRY(check_strangers(migration));
    CM_TRY(cm_migrate_files_run(migration, &migration->noted));
    if (present >= CM_RECORDS_VERSION)
        CM_TRY(cm_migrate_records(migration));
    return present ? adopt(migration) : NULL;
}

/* SQLite: switch to the write-ahead log, which is not possible in a
 * transaction. */
static cm_error_t *set_journal(cm_migration_t *migration)
{
    cm_rows_t *rows;

    CM_TRY(ask(&rows, migration, "journal", NULL));
    if (!rows->count || !strcmp(cm_cell_text(rows, 0, 0), "wal"))
        return NULL;
    cm_migrate_report(migration,
                      "lets readers and a writer work at the same time (WAL)",
                      section(migration, "journal.set"));
    return migration->dry_run ? NULL
                              : ask(&rows, migration, "journal.set", NULL);
}

/* Forget which sequences stayed behind: those that still are will be warned
 * of. */
static cm_error_t *forget_sequences(cm_migration_t *migration)
{
    cm_rows_t *rows;

    CM_TRY(ask(&rows, migration, "table", "communicator_problems"));
    if (rows->count)
        CM_TRY(ask(&rows, migration, "sequence", NULL));
    if (!rows->count)
        return NULL;
    return cm_migrate_section(
        migration, "forgets which sequences stayed behind", "sequence.forget");
}

/* Each time, create the function that triggers of the application may call,
 * which a dump can lose, and forget which columns did not keep their value, as
 * somebody may have mended that. */
static cm_error_t *migrate_each_time(cm_migration_t *migration)
{
    cm_rows_t *rows;

    CM_TRY(ask(&rows, migration, "applying", NULL));
    if (!rows->count)
        CM_TRY(cm_migrate_section(
            migration,
            "makes the function communicator_applying(), which "
            "triggers of the application may ask",
            "applying.create"));

    /* A dry run has not created the table. */
    CM_TRY(ask(&rows, migration, "table", "communicator_altered"));
    if (rows->count)
        CM_TRY(ask(&rows, migration, "altered", NULL));
    if (rows->count)
        CM_TRY(cm_migrate_section(
            migration, "forgets which columns did not keep what was written",
            "altered.forget"));
    return forget_sequences(migration);
}

/* Communicator's tables, and what is known of the application's before. */
static cm_error_t *do_tables(cm_migration_t *migration, int i)
{
    (void)i;
    CM_TRY(cm_migrate_triggers_tables(migration));
    CM_TRY(migrate_tables(migration));
    CM_TRY(migrate_each_time(migration));
    return cm_capture_open(&migration->capture, migration->store,
                           migration->pool);
}

/* What waits for the triggers of all models to be renewed. Another run may have
 * done it; a dry one has only said what comes before. */
static cm_error_t *do_late_steps(cm_migration_t *migration, int i)
{
    int present, known;

    (void)i;
    migration->renewed = 1;
    CM_TRY(cm_migrate_version(&present, &known, migration->store,
                              migration->pool));
    if (present < migration->noted)
        present = migration->noted;
    return cm_migrate_files_run(migration, &present);
}

/* A part of a migration, and of its kind the one with number I. */
typedef cm_error_t *part_t(cm_migration_t *migration, int i);

/* Keep other migrations out, until the transaction ends or, where there is
 * none, PART is done. */
static cm_error_t *lock_and_do(cm_migration_t *migration, part_t *part, int i)
{
    const char *patience = section(migration, "patience");
    cm_error_t *err, *unlock_err;
    cm_rows_t *rows;

    CM_TRY(ask(&rows, migration, "lock", NULL));
    if (rows->count && !cm_cell_number(rows, 0, 0))
        return CM_FAIL(migration->pool, CM_BUSY,
                       "another migration of this database is running");
    migration->may_wait = patience != NULL;
    if (patience)
        CM_TRY(
            cm_statement_execute(migration->store, patience, migration->pool));
    err = part(migration, i);
    unlock_err = ask(&rows, migration, "unlock", NULL);
    return err ? err : unlock_err;
}

static cm_error_t *do_in_transaction(cm_migration_t *migration, part_t *part,
                                     int i)
{
    migration->may_wait = 0;
    migration->steps = 0;
    CM_TRY(cm_transaction_begin(migration->store, migration->pool));
    return cm_transaction_end(migration->store, lock_and_do(migration, part, i),
                              migration->pool);
}

/* Where DDL commits, each step stands alone and is safe to repeat. */
static cm_error_t *do_part(cm_migration_t *migration, part_t *part, int i)
{
    cm_error_t *err;
    int tries = 0;

    migration->steps = migration->reported = 0;
    if (migration->dry_run)
        return part(migration, i);
    if (cm_dialect_of_store(migration->store)->ddl_commits)
        return lock_and_do(migration, part, i);
    do {
        err = do_in_transaction(migration, part, i);
    } while (is_next_try(migration, err, &tries));
    return err;
}

/* No transaction holds a lock on the outbox and waits for one on a table of the
 * application, or has locks on two of these: a transaction of the application
 * that took them the other way round would be a deadlock. */
static cm_error_t *migrate_all(cm_migration_t *migration)
{
    int i;

    if (migration->removed) {
        for (i = 0; i < migration->removed->nelts; i++)
            CM_TRY(do_part(migration, cm_migrate_triggers_remove, i));
        return NULL;
    }
    CM_TRY(do_part(migration, do_tables, 0));
    for (i = 0; i < migration->tables->nelts; i++)
        CM_TRY(do_part(migration, cm_migrate_triggers_renew, i));
    if (cm_dialect_of_store(migration->store)->has_sequences)
        for (i = 0; i < migration->settings->models->nelts; i++)
            CM_TRY(do_part(migration, cm_migrate_sequences, i));
    CM_TRY(do_part(migration, cm_migrate_triggers_clean, 0));
    return do_part(migration, do_late_steps, 0);
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
    cm_migrate_set(migration, "peer",
                   cm_store_literal(migration->store, peer, pool));
    cm_migrate_set(migration, "peer_words", words);
    cm_migrate_set(migration, "epoch",
                   cm_store_literal(migration->store, epoch, pool));
    return NULL;
}

static cm_error_t *migrate(cm_migration_t *migration)
{
    cm_rows_t *rows;

    CM_TRY(set_values(migration));
    CM_TRY(set_journal(migration));
    CM_TRY(ask(&rows, migration, "roomy", NULL));
    return migrate_all(migration);
}

/* Migrate, or only drop the triggers of the models REMOVED, if not NULL. */
static cm_error_t *run(cm_store_t *store, const cm_settings_t *settings,
                       apr_array_header_t *removed, int dry_run,
                       cm_migrate_report_t report, void *baton,
                       apr_pool_t *pool)
{
    cm_migration_t migration = {.store = store,
                                .settings = settings,
                                .removed = removed,
                                .dry_run = dry_run,
                                .report = report,
                                .baton = baton,
                                .pool = pool};
    cm_error_t *err = migrate(&migration);

    cm_store_forget(store);
    return err;
}

cm_error_t *cm_migrate_run(cm_store_t *store, const cm_settings_t *settings,
                           int dry_run, cm_migrate_report_t report, void *baton,
                           apr_pool_t *scratch_pool)
{
    return run(store, settings, NULL, dry_run, report, baton, scratch_pool);
}

cm_error_t *cm_migrate_drop_triggers(cm_store_t *store,
                                     const cm_settings_t *settings,
                                     const cm_model_t *model, int dry_run,
                                     cm_migrate_report_t report, void *baton,
                                     apr_pool_t *scratch_pool)
{
    apr_array_header_t *removed =
        apr_array_make(scratch_pool, 8, sizeof(const cm_model_t *));
    int i;

    for (i = 0; i < settings->models->nelts; i++) {
        const cm_model_t *one =
            APR_ARRAY_IDX(settings->models, i, cm_model_t *);

        if (model ? one == model : cm_settings_model_captures(one))
            APR_ARRAY_PUSH(removed, const cm_model_t *) = one;
    }
    return run(store, settings, removed, dry_run, report, baton, scratch_pool);
}
