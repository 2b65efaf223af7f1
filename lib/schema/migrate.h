/* Communicator's own tables: numbered migrations from sql/DRIVER/NNN-*.sql,
 * built into the program. */
#ifndef CM_SCHEMA_MIGRATE_H
#define CM_SCHEMA_MIGRATE_H

#include "store/store.h"
#include "config/settings.h"

/* Called for each step: WHAT says what it does ("creates table
 * communicator_peers"), SQL holds its statements with ";" between them; NULL:
 * WHAT is a warning. */
typedef void (*cm_migrate_report_t)(void *baton, const char *what,
                                    const char *sql);

/* Create or upgrade the tables (a gem's in place), then install or renew the
 * triggers of every published model (capture.h). With DRY_RUN nothing is
 * changed: REPORT is told what would be. It may be stopped at any point and run
 * again; where DDL can be rolled back, the tables are one transaction, and each
 * model's triggers are another. Fails with CM_SCHEMA, CM_DATABASE. */
cm_error_t *cm_migrate_run(cm_store_t *store, const cm_settings_t *settings,
                           int dry_run, cm_migrate_report_t report, void *baton,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Drop the triggers of all published models, or of MODEL only (if not NULL), so
 * that the application can alter their tables. cm_migrate_run() installs them
 * again. Changes made in between are not published. DRY_RUN and REPORT as
 * above. */
cm_error_t *cm_migrate_drop_triggers(cm_store_t *store,
                                     const cm_settings_t *settings,
                                     const cm_model_t *model, int dry_run,
                                     cm_migrate_report_t report, void *baton,
                                     apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Find triggers of ours that no model uses: on a table that is not published,
 * or made when the table had another name. Those publish each change twice.
 * *LEFTOVERS: const char *, a sentence for each. cm_migrate_run() removes
 * them. */
cm_error_t *cm_migrate_triggers_leftovers(apr_array_header_t **leftovers,
                                          cm_store_t *store,
                                          const cm_settings_t *settings,
                                          apr_pool_t *pool) CM_UNUSED_RESULT;

/* Give the version of the tables (0: there are none) and the newest one that
 * this program knows. */
cm_error_t *cm_migrate_version(int *present, int *known, cm_store_t *store,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return the newest version that this program knows for STORE. */
int cm_migrate_files_known(const cm_store_t *store);

#endif
