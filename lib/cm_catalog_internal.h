/* The inside of the catalog: what the types of each database are to us, and
 * the SQL that makes their raw form. For cm_catalog*.c and cm_capture.c. */
#ifndef CM_CATALOG_INTERNAL_H
#define CM_CATALOG_INTERNAL_H

#include "cm_catalog.h"
#include "cm_dialect.h"

/* Set the class of COLUMN, and the length of its numbers, from BASE, the
 * name of its type without length; SQLite: the declared type as it stands,
 * of which length and scale are read too. */
void cm_catalog_classify(cm_column_t *column, const char *base,
                         cm_database_e database);

/* Ask SQL of sql/DRIVER/catalog.sql about the table of MODEL: each two "%s" in
 * it stand for the table's schema (or NULL) and name. Fails as
 * cm_store_select(). */
cm_error_t *cm_catalog_ask(cm_rows_t **rows, cm_store_t *store, const char *sql,
                           const cm_model_t *model,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return the SQL of the raw form of COLUMN: on PostgreSQL and SQLite the text
 * of a JSON value, on MariaDB a value for JSON_OBJECT(). BASE as above. */
const char *cm_catalog_capture(const cm_column_t *column, const char *base,
                               cm_database_e database, apr_pool_t *pool);

/* Return the SQL of the raw body of TABLE, a JSON object. */
const char *cm_catalog_capture_all(const cm_table_t *table,
                                   const cm_store_t *store, apr_pool_t *pool);

/* Return SQL that is true when COLUMN differs, to the bit, between the rows
 * BEFORE and AFTER (OLD, NEW). */
const char *cm_catalog_differs(const cm_column_t *column, const char *before,
                               const char *after, cm_database_e database,
                               apr_pool_t *pool);

/* Return NAME as a JSON string behind BEFORE, as an SQL literal ready for SQL
 * with parameters. */
const char *cm_catalog_name_literal(const cm_store_t *store, const char *before,
                                    const char *name, const char *after,
                                    apr_pool_t *pool);

/* Return SQL with every "%%" made "%": for SQL without parameters. */
const char *cm_catalog_without_doubling(const char *sql, apr_pool_t *pool);

#endif
