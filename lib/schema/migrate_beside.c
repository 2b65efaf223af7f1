/* What migrate does each time, besides the numbered steps: it creates the
 * function that triggers of the application may call, which a dump can lose,
 * and forgets which columns did not keep their value, as somebody may have
 * mended that. */
#include "schema/migrate_internal.h"

#include "store/sql.h"

/* Run the section CREATE when the query NAME finds rows (WANTED), or finds none
 * (not WANTED). */
static cm_error_t *do_if(cm_migration_t *migration, const char *name,
                         int wanted, const char *create, const char *what)
{
    apr_pool_t *pool = migration->pool;
    const char *sql = cm_migrate_plan_sql(migration->store, name, pool);
    cm_rows_t *rows;

    if (!sql)
        return NULL;
    CM_TRY(cm_statement_select(&rows, migration->store, sql, NULL, 0, pool));
    if ((rows->count > 0) != wanted)
        return NULL;
    sql = cm_migrate_plan_sql(migration->store, create, pool);
    return cm_migrate_step(migration, what, cm_sql_statements(sql, pool), pool);
}

cm_error_t *cm_migrate_beside(cm_migration_t *migration)
{
    const cm_datum_t table = cm_datum_text("communicator_altered");
    apr_pool_t *pool = migration->pool;
    cm_rows_t *rows;

    CM_TRY(do_if(migration, "applying", 0, "applying.create",
                 "makes the function communicator_applying(), which triggers "
                 "of the application may ask"));
    /* A dry run has not created it. */
    CM_TRY(cm_statement_select(
        &rows, migration->store,
        cm_migrate_plan_sql(migration->store, "table", pool), &table, 1, pool));
    if (!rows->count)
        return NULL;
    return do_if(migration, "altered", 1, "altered.forget",
                 "forgets which columns did not keep what was written");
}
