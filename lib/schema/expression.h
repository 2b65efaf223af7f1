/* SQL about a row of the application's table, for triggers: its raw body, and
 * the changes that such SQL needs in some places. */
#ifndef CM_SCHEMA_EXPRESSION_H
#define CM_SCHEMA_EXPRESSION_H

#include "schema/types.h"

/* Return the SQL of the raw body of TABLE, a JSON object. */
const char *cm_expression_body(const cm_table_t *table, const cm_store_t *store,
                               apr_pool_t *pool);

/* Return the SQL of the key of TABLE as one text: table->key_text. BEFORE its
 * columns stands an alias with a dot, or "". */
const char *cm_expression_key(const cm_table_t *table, const cm_store_t *store,
                              const char *before, apr_pool_t *pool);

/* Return the list of the columns of that key, each after BEFORE. */
const char *cm_expression_keys(const cm_table_t *table, const char *before,
                               apr_pool_t *pool);

/* Return an SQL literal, for SQL with parameters, of BEFORE, NAME as a JSON
 * string, and AFTER. */
const char *cm_expression_name(const cm_store_t *store, const char *before,
                               const char *name, const char *after,
                               apr_pool_t *pool);

/* Return SQL with "%" for each "%%", to be run without parameters. */
const char *cm_expression_without_doubling(const char *sql, apr_pool_t *pool);

/* Return EXPRESSION, about the row "t", with ALIAS (NEW, OLD) in place of "t".
 */
const char *cm_expression_with_alias(const char *expression, const char *alias,
                                     apr_pool_t *pool);

#endif
