/* Whether the login of DBDParams may do what Communicator has to. */
#ifndef CM_OPERATE_RIGHTS_H
#define CM_OPERATE_RIGHTS_H

#include "store/store.h"
#include "schema/table.h"

/* Try whether this login may do what it has to, without doing it: with
 * Communicator's tables, or (TABLE not NULL) with that one. Fails with the
 * names of all tables that it may not change, and the database's words. */
cm_error_t *cm_rights_check(cm_store_t *store, const cm_table_t *table,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
