/* What the login may do: see rights.h. */
#include "operate/rights.h"

#include <apr_strings.h>

#include "schema/records.h"

/* Statements that touch no row still need the right to. They are rolled back
 * even when they succeed. A row can be inserted only where all columns can be
 * written: IS_OWN says that TABLE is Communicator's. COLUMN: one that can be
 * written, or NULL. */
static cm_error_t *try_rights(cm_store_t *store, const char *table,
                              const char *column, int is_own, apr_pool_t *pool)
{
    const char *const statements[] = {
        column ? apr_pstrcat(pool, "UPDATE ", table, " SET ", column, " = ",
                             column, " WHERE 1 = 0", NULL)
               : NULL,
        apr_pstrcat(pool, "DELETE FROM ", table, " WHERE 1 = 0", NULL),
        apr_pstrcat(pool, "INSERT INTO ", table, " SELECT * FROM ", table,
                    " WHERE 1 = 0", NULL)};
    const int count = is_own ? 3 : 2;
    cm_error_t *err = NULL;
    int i;

    CM_TRY(cm_transaction_begin(store, pool));
    for (i = column ? 0 : 1; !err && i < count; i++)
        err = cm_statement_run(NULL, store, statements[i], NULL, 0, pool);
    cm_transaction_rollback(store);
    return err;
}

/* What was refused. */
typedef struct refused_t {
    cm_error_t *first;
    const char *names;
} refused_t;

/* Try the rights on TABLE, one of Communicator's; if they are missing, note it
 * in REFUSED. */
static cm_error_t *try_table(refused_t *refused, cm_store_t *store,
                             const char *table, const char *column,
                             apr_pool_t *pool)
{
    cm_error_t *err = try_rights(store, table, column, 1, pool);

    if (!err || err->code == CM_UNAVAILABLE)
        return err;
    if (!refused->first)
        refused->first = err;
    refused->names = refused->names
                         ? apr_pstrcat(pool, refused->names, ", ", table, NULL)
                         : table;
    return NULL;
}

static cm_error_t *try_records(refused_t *refused, cm_store_t *store,
                               apr_pool_t *pool)
{
    apr_hash_index_t *index;
    apr_hash_t *all;
    cm_error_t *err = cm_records_read(&all, store, pool);

    if (err && err->code == CM_UNAVAILABLE)
        return err;
    if (err) {
        refused->first = refused->first ? refused->first : err;
        return NULL;
    }
    for (index = apr_hash_first(pool, all); index; index = apr_hash_next(index))
        CM_TRY(try_table(refused, store,
                         ((cm_records_t *)apr_hash_this_val(index))->table,
                         "clock", pool));
    return NULL;
}

/* All that change while nobody migrates, so that a person has to grant rights
 * only once. */
static cm_error_t *try_own(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const tables[][2] = {
        {"outbound_messages", "body"},
        {"inbound_messages", "body"},
        {"communicator_peers", "status"},
        {"communicator_node", "id"},
        {"communicator_conflicts", "id"},
        {"communicator_decisions", "peer"},
        {"communicator_missing", "model"},
        {"communicator_withheld", "reason"},
        {"communicator_altered", "model"},
        {"communicator_graves", "origin"},
        {"communicator_problems", "kind"},
        {"communicator_received", "wire"},
        {"communicator_batches", "wire"},
        {"communicator_after", "models"},
        {"communicator_publications", "records"},
        {"communicator_journal", "id"}};
    refused_t refused = {NULL, NULL};
    size_t i;

    for (i = 0; i < sizeof(tables) / sizeof(*tables); i++)
        CM_TRY(try_table(&refused, store, tables[i][0], tables[i][1], pool));
    CM_TRY(try_records(&refused, store, pool));
    CM_TRY_FOR(refused.first, pool, "%s",
               refused.names ? refused.names : "communicator_models");
    return NULL;
}

/* Return a column of TABLE that can be written, the key if possible; NULL: the
 * database gives all values. */
static const char *written_column(const cm_table_t *table)
{
    int i;

    if (!table->keys[0]->generated)
        return table->keys[0]->quoted;
    for (i = 0; i < table->column_count; i++)
        if (!table->columns[i].generated)
            return table->columns[i].quoted;
    return NULL;
}

cm_error_t *cm_rights_check(cm_store_t *store, const cm_table_t *table,
                            apr_pool_t *scratch_pool)
{
    cm_error_t *err = table ? try_rights(store, table->quoted,
                                         written_column(table), 0, scratch_pool)
                            : try_own(store, scratch_pool);

    if (!err || err->code == CM_UNAVAILABLE || err->code == CM_BUSY)
        return err;
    return cm_error_hint(err, scratch_pool,
                         "grant SELECT, INSERT, UPDATE and DELETE to the user "
                         "in DBDParams");
}
