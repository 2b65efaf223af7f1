/* Capture: triggers on the tables of published models write each change that
 * the application makes into outbound_messages. */
#ifndef CM_SCHEMA_CAPTURE_H
#define CM_SCHEMA_CAPTURE_H

#include "schema/table.h"

/* What the triggers of all tables depend on, which is asked once: on MariaDB
 * the server opens every table to answer. */
typedef struct cm_capture_t cm_capture_t;

/* Ask STORE for it. Lives in POOL. Fails as cm_statement_select(). */
cm_error_t *cm_capture_open(cm_capture_t **capture, cm_store_t *store,
                            apr_pool_t *pool) CM_UNUSED_RESULT;

/* Give the statements that install or renew the triggers of TABLE, to be run
 * one by one: const char *. Running them again changes nothing. Fails as
 * cm_statement_select(). */
cm_error_t *cm_capture_statements(apr_array_header_t **statements,
                                  const cm_capture_t *capture,
                                  const cm_table_t *table,
                                  apr_pool_t *pool) CM_UNUSED_RESULT;

/* Give whether TABLE has its triggers, made for its present columns. Fails as
 * cm_statement_select(). */
typedef enum cm_capture_e {
    CM_CAPTURE_MISSING,
    CM_CAPTURE_STALE,
    CM_CAPTURE_PARTIAL, /* a partition of it has none */
    CM_CAPTURE_CURRENT
} cm_capture_e;
cm_error_t *cm_capture_state(cm_capture_e *state, const cm_capture_t *capture,
                             const cm_table_t *table,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return SQL, a subselect, of how many of our triggers on the table of MODEL
 * are enabled. The values for its "%s" are added to ARGUMENTS (cm_datum_t). */
const char *cm_capture_count(apr_array_header_t *arguments, cm_store_t *store,
                             const cm_model_t *model, apr_pool_t *pool);

/* Return how many triggers the table of MODEL should have in STORE. */
int cm_capture_wanted(const cm_store_t *store, const cm_model_t *model);

/* Return whether TRIGGER is the name of a trigger of TABLE in STORE. */
int cm_capture_owns(const cm_store_t *store, const cm_table_t *table,
                    const char *trigger, apr_pool_t *scratch_pool);

#endif
