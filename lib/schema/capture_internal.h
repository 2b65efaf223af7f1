/* What the files of capture share. */
#ifndef CM_SCHEMA_CAPTURE_INTERNAL_H
#define CM_SCHEMA_CAPTURE_INTERNAL_H

#include "schema/capture.h"
#include "schema/types.h"

/* What the templates of capture.sql are filled with. */
typedef struct cm_filling_t {
    cm_store_t *store;
    const cm_table_t *table;
    const cm_types_t *types;
    apr_hash_t *sections; /* of capture.sql: name -> const char * */
    apr_hash_t *values;   /* name -> const char *: cm_sql_fill() */
    apr_pool_t *pool;
} cm_filling_t;

/* Replace {NAME} by VALUE as it is, or by TEXT as a literal. */
void cm_capture_set(cm_filling_t *filling, const char *name, const char *value);
void cm_capture_set_literal(cm_filling_t *filling, const char *name,
                            const char *text);

/* Return the section NAME of capture.sql, or NULL. Names with a dot in it are
 * replaced by the sections that have these names. */
const char *cm_capture_section(const cm_filling_t *filling, const char *name);

/* Return whether a change of COLUMN is captured: it is sent, or where= may ask
 * for it. */
int cm_capture_watches(const cm_model_t *model, const cm_column_t *column);

/* Set what only the templates of PostgreSQL name. MONETARY is the
 * lc_monetary of our sessions. */
void cm_capture_pgsql_fill(cm_filling_t *filling, const char *monetary);

#endif
