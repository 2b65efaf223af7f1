/* SQL about a row of the application's table: its columns in raw form, its
 * body, whether a column differs between two rows. Triggers are made of it. */
#ifndef CM_SCHEMA_EXPRESSION_H
#define CM_SCHEMA_EXPRESSION_H

#include "store/dialect.h"
#include "schema/table.h"

/* Return the SQL of the raw form of COLUMN: on PostgreSQL and SQLite the text
 * of a JSON value, on MariaDB a value for JSON_OBJECT(). BASE as above. */
const char *cm_expression_raw(const cm_column_t *column, const char *base,
                              cm_database_e database, apr_pool_t *pool);

/* Return the SQL of the raw body of TABLE, a JSON object. */
const char *cm_expression_body(const cm_table_t *table, const cm_store_t *store,
                               apr_pool_t *pool);

/* Return SQL that is true when COLUMN differs, to the bit, between the rows
 * BEFORE and AFTER (OLD, NEW). */
const char *cm_expression_differs(const cm_column_t *column, const char *before,
                                  const char *after, cm_database_e database,
                                  apr_pool_t *pool);

/* Return NAME as a JSON string behind BEFORE, as an SQL literal ready for SQL
 * with parameters. */
const char *cm_expression_name(const cm_store_t *store, const char *before,
                               const char *name, const char *after,
                               apr_pool_t *pool);

/* Return SQL with every "%%" made "%": for SQL without parameters. */
const char *cm_expression_without_doubling(const char *sql, apr_pool_t *pool);

/* Return EXPRESSION of the catalog (capture) with ALIAS for "t": NEW, OLD. */
const char *cm_expression_with_alias(const char *expression, const char *alias,
                                     apr_pool_t *pool);

#endif
