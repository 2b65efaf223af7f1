/* Which row here has a unique value that a parked message brings. */
#ifndef CM_OPERATE_TAKEN_H
#define CM_OPERATE_TAKEN_H

#include "schema/catalog.h"
#include "operate/parked.h"

/* Find another row that has the values of a unique index of CATALOG which the
 * parked message ROW brings: *HOLDER is "TABLE KEY", or NULL. Fails as
 * cm_statement_select(). */
cm_error_t *cm_taken_find(const char **holder, cm_node_t *node,
                          const cm_catalog_t *catalog,
                          const cm_parked_row_t *row,
                          apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
