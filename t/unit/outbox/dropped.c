/* The outbox: what is known of a change once a column of its table is gone. */
#include "../inbox.h"

#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>
#include "node/node.h"
#include "outbox/stamp.h"
#include "store/dialect.h"

/* SQLite drops no column that a trigger names. */
static void drop_triggers(cm_store_t *store, apr_pool_t *pool)
{
    cm_rows_t *rows;
    int i;

    if (cm_dialect_of_store(store)->database != CM_SQLITE3)
        return;
    database_must(cm_statement_select(
        &rows, store,
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name ="
        " 'posts'",
        NULL, 0, pool));
    for (i = 0; i < rows->count; i++)
        database_run(store, apr_pstrcat(pool, "DROP TRIGGER ",
                                        cm_cell_text(rows, i, 0), NULL));
}

/* Return the clocks with which a change of SETTING is sent if the table is
 * altered by SQL before it has a number. */
static const char *clocks_after(cm_store_t *store, const char *setting,
                                const char *sql, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);

    (void)inbox_take(
        node, 0,
        "[" MESSAGE(1, "post", 7, "create", 1000,
                    TEXT("title", "a") "," TEXT("text", "t"), ) "]",
        pool);
    database_run(store, apr_pstrcat(pool, "UPDATE posts SET ", setting, NULL));
    drop_triggers(store, pool);
    database_run(store, apr_pstrcat(pool, "ALTER TABLE posts ", sql, NULL));
    cm_node_forget(node);
    database_must(cm_stamp_all(&(apr_int64_t){0}, node, pool));
    return inbox_value(node,
                       "SELECT clocks FROM outbound_messages WHERE action ="
                       " 'update' ORDER BY seq DESC LIMIT 1",
                       pool);
}

/* A column that is gone says nothing about the others. */
static void test_dropped(cm_store_t *store, apr_pool_t *pool)
{
    const char *clocks = clocks_after(store, "title = 'here', text = 'mine'",
                                      "DROP COLUMN text", pool);

    ok(clocks && strstr(clocks, "author_id"),
       "%s: one of two columns is dropped: what had not changed is older",
       database_of(store));
    ok(clocks && !strstr(clocks, "title"), "  what had is not");
}

static void test_only(cm_store_t *store, apr_pool_t *pool)
{
    const char *clocks =
        clocks_after(store, "text = 'mine'", "DROP COLUMN text", pool);

    ok(clocks && strstr(clocks, "author_id") && strstr(clocks, "title"),
       "%s: the column is dropped that had changed: all are older",
       database_of(store));
}

/* Nobody knows what the column was called. */
static void test_renamed(cm_store_t *store, apr_pool_t *pool)
{
    const char *clocks = clocks_after(store, "title = 'here'",
                                      "RENAME COLUMN title TO headline", pool);

    ok(clocks && strstr(clocks, "author_id") && strstr(clocks, "text"),
       "%s: the column is renamed: the others are older", database_of(store));
    ok(clocks && !strstr(clocks, "headline"), "  it is not");
}

int main(void)
{
    apr_initialize();
    database_each("one of two is dropped", test_dropped);
    database_each("the only one is dropped", test_only);
    database_each("renamed", test_renamed);
    apr_terminate();
    return done_testing();
}
