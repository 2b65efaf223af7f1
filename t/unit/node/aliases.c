/* Looking for the other names of records: what it reads does not grow with what
 * the table of records holds. */
#include "../inbox.h"

#include <apr_general.h>

#include "node/mapping.h"
#include "node/node.h"
#include "outbox/aliases.h"
#include "store/internal.h"

#define RECORDS 3000
#define DELETED 20
#define MOST    2500

/* What a statement of SQLite has done so far. */
static int steps;

static int step(void *baton)
{
    (void)baton;
    steps++;
    return 0;
}

/* Count the steps of all statements of SQLite. */
static void count_steps(cm_store_t *store)
{
    void (*handler)(void *, int, int (*)(void *), void *);

    *(void **)&handler = cm_native_symbol(store, "sqlite3_progress_handler");
    handler(cm_native_connection(store), 1, step, NULL);
}

/* Return how much this session has read so far: rows, or steps on SQLite. */
static apr_int64_t read_so_far(cm_store_t *store, apr_pool_t *pool)
{
    switch (cm_dialect_of_store(store)->database) {
    case CM_SQLITE3:
        return steps;
    case CM_PGSQL:
        return apr_atoi64(database_value(
            store,
            "SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)"
            " FROM pg_stat_xact_user_tables"
            " WHERE relname LIKE 'communicator_records_%'",
            pool));
    case CM_MYSQL:
        return apr_atoi64(
            database_value(store,
                           "SELECT CAST(sum(variable_value) AS unsigned) FROM"
                           " /*M! information_schema.session_status */"
                           " /*!80017 performance_schema.session_status */"
                           " WHERE variable_name LIKE 'Handler_read%'",
                           pool));
    }
    return 0;
}

static cm_mapping_t *record(const char *type, const char *id, apr_pool_t *pool)
{
    cm_mapping_t *mapping = apr_pcalloc(pool, sizeof(*mapping));

    mapping->type = type;
    mapping->identity = (cm_identity_t){"here", id};
    mapping->local_id = id;
    mapping->clocks.clock = 1000;
    return mapping;
}

/* Many records of TYPE; the first one has another name, and continues a deleted
 * one. */
static void fill(cm_node_t *node, const char *type, apr_pool_t *pool)
{
    apr_array_header_t *list =
        apr_array_make(pool, RECORDS + 2, sizeof(cm_mapping_t *));
    cm_mapping_t *alias = record(type, "other", pool);
    cm_mapping_t *former = record(type, "x", pool);
    int i;

    for (i = 1; i <= RECORDS; i++)
        APR_ARRAY_PUSH(list, cm_mapping_t *) =
            record(type, apr_itoa(pool, i), pool);
    alias->identity.origin = "there";
    alias->same_as = (cm_identity_t){"here", "1"};
    former->heir = alias->same_as;
    former->deleted_at = 2000;
    alias->local_id = former->local_id = NULL;
    APR_ARRAY_PUSH(list, cm_mapping_t *) = alias;
    APR_ARRAY_PUSH(list, cm_mapping_t *) = former;
    database_must(cm_mapping_save(node, list, pool));
}

/* Begin a transaction in which authors are found by their names. */
static cm_node_t *begin(cm_store_t *store, const char *type, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node;

    APR_ARRAY_PUSH(inbox_model(settings, "author")->columns.match,
                   const char *) = "name";
    node = inbox_node(store, settings, pool);
    if (cm_dialect_of_store(store)->database == CM_SQLITE3)
        count_steps(store);
    database_must(cm_transaction_begin(store, pool));
    fill(node, type, pool);
    return node;
}

static void test_few_are_read(cm_store_t *store, apr_pool_t *pool)
{
    apr_array_header_t *names =
        apr_array_make(pool, DELETED, sizeof(cm_identity_t));
    cm_node_t *node = begin(store, "Author", pool);
    apr_array_header_t *found;
    apr_int64_t before, reads;
    int i;

    for (i = 1; i <= DELETED; i++)
        APR_ARRAY_PUSH(names, cm_identity_t) =
            (cm_identity_t){"here", apr_itoa(pool, i)};
    before = read_so_far(store, pool);
    database_must(cm_mapping_aliases(&found, node, "Author", names, pool));
    reads = read_so_far(store, pool) - before;
    database_must(cm_transaction_commit(store, pool));
    ok(found->nelts == 1 &&
           !strcmp(APR_ARRAY_IDX(found, 0, cm_mapping_t *)->identity.origin,
                   "there"),
       "%s: the other name of a record is found", database_of(store));
    ok(reads < MOST, "  and not all records are read: %d", (int)reads);
}

/* Of other models the delete of a record is sometimes written, too. */
static void test_no_names(cm_store_t *store, apr_pool_t *pool)
{
    apr_array_header_t *burials = apr_array_make(pool, 1, sizeof(cm_burial_t));
    cm_node_t *node = begin(store, "Post", pool);
    apr_int64_t before, reads, seq = 0;

    APR_ARRAY_PUSH(burials, cm_burial_t) = (cm_burial_t){
        .model = inbox_model((cm_settings_t *)node->settings, "post"),
        .mapping = *record("Post", "2", pool),
        .clock = 2000,
        .unsent = 1};
    before = read_so_far(store, pool);
    database_must(cm_aliases_bury(&seq, node, burials, pool));
    reads = read_so_far(store, pool) - before;
    database_must(cm_transaction_commit(store, pool));
    is_int((int)seq, 1, "%s: without match= the delete of a record is one",
           database_of(store));
    ok(reads < MOST, "  and other names are not looked for: %d", (int)reads);
}

int main(void)
{
    if (!database_any())
        return skip_all("no database to test with");
    database_each("few are read", test_few_are_read);
    database_each("no names", test_no_names);
    return done_testing();
}
