/* What the files of migrate share. */
#ifndef CM_SCHEMA_MIGRATE_INTERNAL_H
#define CM_SCHEMA_MIGRATE_INTERNAL_H

#include <apr_hash.h>

#include "schema/capture.h"
#include "schema/migrate.h"

typedef struct cm_migration_t {
    cm_store_t *store;
    const cm_settings_t *settings;
    int dry_run;
    cm_migrate_report_t report;
    void *baton;
    apr_array_header_t *removed; /* const cm_model_t *: only drop their
                                    triggers; or NULL */
    apr_array_header_t *all;     /* const cm_table_t *: of each model; NULL: it
                                    only receives, and has no table yet */
    apr_array_header_t *tables;  /* const cm_table_t *: published */
    cm_capture_t *capture;
    apr_hash_t *values;  /* name -> const char *: cm_sql_fill() */
    int noted;           /* the version of the tables, so far */
    int renewed;         /* all triggers are */
    int steps, reported; /* of this part: in this try, in all tries */
    int may_wait;        /* a lock of the application is in the way,
                            if this part fails with CM_BUSY */
    apr_pool_t *pool;    /* lives as long as the run */
} cm_migration_t;

/* Report WHAT is done by SQL (NULL: only said), once: a part may be tried
 * again. */
void cm_migrate_report(cm_migration_t *migration, const char *what,
                       const char *sql);

/* Report the step WHAT and run its STATEMENTS (const char *), unless this is
 * a dry run. Fails as cm_statement_execute(). */
cm_error_t *
cm_migrate_step(cm_migration_t *migration, const char *what,
                const apr_array_header_t *statements) CM_UNUSED_RESULT;

/* The same for the statements of SQL, with the values of MIGRATION filled in,
 * or for those of section NAME of schema.sql, if there is one. */
cm_error_t *cm_migrate_sql(cm_migration_t *migration, const char *what,
                           const char *sql) CM_UNUSED_RESULT;
cm_error_t *cm_migrate_section(cm_migration_t *migration, const char *what,
                               const char *name) CM_UNUSED_RESULT;

/* Let {NAME} in SQL and reports stand for VALUE. */
void cm_migrate_set(cm_migration_t *migration, const char *name,
                    const char *value);

/* Run the files that this database, of version *PRESENT, has not had. From the
 * first on of which a step waits for the triggers, they are done only when
 * those are renewed. The version until then, *PRESENT, is one that neither an
 * earlier program nor this one accepts. Fails as cm_statement_execute(). */
cm_error_t *cm_migrate_files_run(cm_migration_t *migration,
                                 int *present) CM_UNUSED_RESULT;

/* Read and judge the tables of all models, before anything is changed. Fails
 * as cm_table_read(). */
cm_error_t *
cm_migrate_triggers_tables(cm_migration_t *migration) CM_UNUSED_RESULT;

/* Make the tables of the records of all models, and let communicator_mappings
 * show them. What an earlier version knew of records is moved there. Fails as
 * cm_statement_execute(). */
cm_error_t *cm_migrate_records(cm_migration_t *migration) CM_UNUSED_RESULT;

/* Install the triggers of table I of the published ones, if they are missing or
 * stale. Fails as cm_statement_execute(). */
cm_error_t *cm_migrate_triggers_renew(cm_migration_t *migration,
                                      int i) CM_UNUSED_RESULT;

/* Remove triggers that no model uses; I has no meaning. Fails as
 * cm_statement_execute(). */
cm_error_t *cm_migrate_triggers_clean(cm_migration_t *migration,
                                      int i) CM_UNUSED_RESULT;

/* Let the sequences of the table of model I follow what is in it, or warn.
 * Fails as cm_sequence_behind(). */
cm_error_t *cm_migrate_sequences(cm_migration_t *migration,
                                 int i) CM_UNUSED_RESULT;

/* Drop all triggers of the table of removed model I. Fails as
 * cm_statement_execute(). */
cm_error_t *cm_migrate_triggers_remove(cm_migration_t *migration,
                                       int i) CM_UNUSED_RESULT;

#endif
