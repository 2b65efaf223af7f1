/* What a table of the application looks like. The database is asked once per
 * connection, and again after a statement failed with CM_SCHEMA. */
#ifndef CM_SCHEMA_CATALOG_H
#define CM_SCHEMA_CATALOG_H

#include "store/store.h"
#include "schema/table.h"

/* Read the table of MODEL. Fails with CM_SCHEMA when there is no such table, it
 * has no key column, or it is a view or the like. */
cm_error_t *cm_catalog_read(cm_table_t **table, cm_store_t *store,
                            const cm_model_t *model, apr_pool_t *result_pool,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Give the schema (or NULL) and the name of the table of MODEL. */
void cm_catalog_names(cm_datum_t names[2], const cm_model_t *model,
                      apr_pool_t *pool);

/* Run the query in section NAME of sql/DRIVER/FILE about the table of MODEL:
 * each two "%s" in it stand for the table's schema (or NULL) and name. Where
 * this database has no such section, *ROWS is empty. Fails as
 * cm_statement_select(). */
cm_error_t *cm_catalog_ask(cm_rows_t **rows, cm_store_t *store,
                           const char *file, const char *name,
                           const cm_model_t *model,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
