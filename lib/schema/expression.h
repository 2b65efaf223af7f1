/* SQL about a row of the application's table, of which triggers are made: its
 * raw body, and what makes such SQL fit where it stands. */
#ifndef CM_SCHEMA_EXPRESSION_H
#define CM_SCHEMA_EXPRESSION_H

#include "schema/types.h"

/* Return the SQL of the raw body of TABLE, a JSON object. */
const char *cm_expression_body(const cm_table_t *table, const cm_store_t *store,
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
