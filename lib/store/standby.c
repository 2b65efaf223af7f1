/* Does this database take writes? See store.h. */
#include "store/internal.h"

#include "store/sql.h"

cm_error_t *cm_standby_check(const char **why, cm_store_t *store,
                             apr_pool_t *pool)
{
    int (*read_only)(const cm_store_t *store) = store->dialect->ops->read_only;
    const char *sql =
        cm_sql_section(store->dialect->driver, "schema.sql", "standby", pool);
    cm_rows_t *rows;

    *why = NULL;
    if (read_only && store->handle && read_only(store))
        *why = "this user may not write its file";
    if (!sql)
        return NULL;
    CM_TRY_FOR(cm_statement_select(&rows, store, sql, NULL, 0, pool), pool,
               "cannot see whether the database takes writes");
    if (rows->count)
        *why = cm_cell_text(rows, 0, 0);
    return NULL;
}
