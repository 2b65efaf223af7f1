/* Which row here keeps a parked message from being applied. */
#ifndef CM_OPERATE_HOLDER_H
#define CM_OPERATE_HOLDER_H

#include "schema/catalog.h"
#include "operate/parked.h"

/* Find a row that refers to the record which the parked delete ROW is about, by
 * a foreign key of CATALOG that refuses the delete: *HOLDER is "TABLE KEY", or
 * NULL. Fails as cm_statement_select(). */
cm_error_t *cm_holder_find(const char **holder, cm_node_t *node,
                           const cm_catalog_t *catalog,
                           const cm_parked_row_t *row,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
