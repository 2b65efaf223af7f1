/* Communicator's own tables: numbered migrations from sql/DRIVER/NNN-*.sql,
 * built into the program. */
#ifndef CM_SCHEMA_H
#define CM_SCHEMA_H

#include "cm_settings.h"
#include "cm_store.h"

/* Told of each step: WHAT in words ("creates table communicator_peers"), SQL
 * its statement, or several with a ";" between them; NULL: a warning. */
typedef void (*cm_schema_report_t)(void *baton, const char *what,
                                   const char *sql);

/* Create or upgrade the tables, then install or renew the triggers of every
 * published model (cm_capture.h). With DRY_RUN nothing is changed, REPORT
 * gets what would be. A gem's tables are upgraded in place. May be stopped
 * and run again at any point. Fails with CM_SCHEMA, CM_DATABASE. */
cm_error_t *cm_schema_migrate(cm_store_t *store, const cm_settings_t *settings,
                              int dry_run, cm_schema_report_t report,
                              void *baton,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Give the version that the database has (0: none) and the one known. */
cm_error_t *cm_schema_version(int *present, int *known, cm_store_t *store,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return the version that this program knows for the database of STORE. */
int cm_schema_known(const cm_store_t *store);

#endif
