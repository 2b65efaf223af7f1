/* What the login may do: see rights.h. */
#include "operate/rights.h"

#include <apr_strings.h>

/* Statements that touch no row still need the right to. They are rolled back
 * even when they succeed. */
static cm_error_t *try_rights(cm_store_t *store, const char *table,
                              const char *column, apr_pool_t *pool)
{
    const char *const statements[] = {
        apr_pstrcat(pool, "UPDATE ", table, " SET ", column, " = ", column,
                    " WHERE 1 = 0", NULL),
        apr_pstrcat(pool, "DELETE FROM ", table, " WHERE 1 = 0", NULL)};
    cm_error_t *err;
    size_t i;

    CM_TRY(cm_transaction_begin(store, pool));
    for (i = 0, err = NULL;
         !err && i < sizeof(statements) / sizeof(*statements); i++)
        err = cm_statement_run(NULL, store, statements[i], NULL, 0, pool);
    cm_transaction_rollback(store);
    return err;
}

/* All of them, so that a person has to grant rights only once. */
static cm_error_t *try_own(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const tables[][2] = {
        {"outbound_messages", "body"},     {"inbound_messages", "body"},
        {"communicator_mappings", "id"},   {"communicator_peers", "status"},
        {"communicator_node", "id"},       {"communicator_conflicts", "id"},
        {"communicator_missing", "model"}, {"communicator_withheld", "reason"},
        {"communicator_altered", "model"}, {"communicator_graves", "origin"},
        {"communicator_problems", "kind"}, {"communicator_received", "wire"}};
    const char *names = NULL;
    cm_error_t *err, *first = NULL;
    size_t i;

    for (i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
        err = try_rights(store, tables[i][0], tables[i][1], pool);
        if (!err)
            continue;
        if (err->code == CM_UNAVAILABLE)
            return err;
        first = first ? first : err;
        names = names ? apr_pstrcat(pool, names, ", ", tables[i][0], NULL)
                      : tables[i][0];
    }
    CM_TRY_FOR(first, pool, "%s", names);
    return NULL;
}

cm_error_t *cm_rights_check(cm_store_t *store, const cm_table_t *table,
                            apr_pool_t *scratch_pool)
{
    cm_error_t *err = table ? try_rights(store, table->quoted,
                                         table->keys[0]->quoted, scratch_pool)
                            : try_own(store, scratch_pool);

    if (!err || err->code == CM_UNAVAILABLE || err->code == CM_BUSY)
        return err;
    return cm_error_hint(err, scratch_pool,
                         "grant SELECT, INSERT, UPDATE and DELETE to the user "
                         "in DBDParams");
}
