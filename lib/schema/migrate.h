/* Communicator's own tables: numbered migrations from sql/DRIVER/NNN-*.sql,
 * built into the program. */
#ifndef CM_SCHEMA_MIGRATE_H
#define CM_SCHEMA_MIGRATE_H

#include "store/store.h"
#include "config/settings.h"

/* Told of each step: WHAT in words ("creates table communicator_peers"), SQL
 * its statement, or several with a ";" between them; NULL: a warning. */
typedef void (*cm_schema_report_t)(void *baton, const char *what,
                                   const char *sql);

/* Create or upgrade the tables, then install or renew the triggers of every
 * published model (capture.h). With DRY_RUN nothing is changed, REPORT
 * gets what would be. A gem's tables are upgraded in place. May be stopped
 * and run again at any point. Fails with CM_SCHEMA, CM_DATABASE. */
cm_error_t *cm_migrate_run(cm_store_t *store, const cm_settings_t *settings,
                           int dry_run, cm_schema_report_t report, void *baton,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Drop the triggers of the published models' tables, or of MODEL's alone (not
 * NULL), so that the application can alter what they name; migrate makes them
 * again. What is changed in between is not published. DRY_RUN and REPORT as
 * above. */
cm_error_t *cm_migrate_drop_triggers(cm_store_t *store,
                                     const cm_settings_t *settings,
                                     const cm_model_t *model, int dry_run,
                                     cm_schema_report_t report, void *baton,
                                     apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Find triggers of ours that no model uses: of a table that is not published,
 * or made when the table had another name, which publish each change twice.
 * *LEFTOVERS: const char *, a sentence for each; migrate removes them. */
cm_error_t *cm_migrate_triggers_leftovers(apr_array_header_t **leftovers,
                                          cm_store_t *store,
                                          const cm_settings_t *settings,
                                          apr_pool_t *pool) CM_UNUSED_RESULT;

/* Give the version that the database has (0: none) and the one known. */
cm_error_t *cm_migrate_plan_version(int *present, int *known, cm_store_t *store,
                                    apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return the version that this program knows for the database of STORE. */
int cm_migrate_plan_known(const cm_store_t *store);

#endif
