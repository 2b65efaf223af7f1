/* A value that loses is kept once in communicator_conflicts; one that was
 * replaced knowingly is not. */
#include "../inbox.h"

#include <apr_general.h>

#include "node/node.h"
#include "inbox/inbox.h"

#define BORN(value) TEXT("born", value)

/* A row that a peer's record adopts was changed here: one value loses, once. */
static void test_adopted_once(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node = inbox_node(store, settings, pool);

    APR_ARRAY_PUSH(inbox_model(settings, "author")->columns.match,
                   const char *) = "name";
    database_run(store, "INSERT INTO authors (name, born)"
                        " VALUES ('one', '1990-01-01')");
    is_int(inbox_take(
               node, 0,
               "[" MESSAGE(1, "author", 3, "create", 9000000000000000,
                           TEXT("name", "one") "," BORN("1999-09-09"), ) "]",
               pool),
           1, "%s: a record that is here, with another value",
           database_of(store));
    is_str(inbox_value(node,
                       "SELECT count(*) FROM communicator_conflicts WHERE"
                       " lost_value = '\"1990-01-01\"'",
                       pool),
           "1", "  that one is kept, once");
}

/* An author is written before the post that it refers to can be: what it loses
 * is kept once, too. */
static void test_partial_once(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);

    (void)inbox_take(node, 0, "[" AUTHOR(1, 3, "one") "]", pool);
    database_run(store, "UPDATE authors SET name = 'ours'");
    is_int(inbox_take(node, 1,
                      "[" MESSAGE(2, "author", 3, "update", 1500,
                                  TEXT("name", "theirs") ",\\\"best_id\\\":99",
                                  REF("best_id", "post", 9) BASE(1000)) //
                      "," MESSAGE(3, "author", 8, "create", 1500,
                                  TEXT("name", "other") ",\\\"best_id\\\":99",
                                  REF("best_id", "post", 9)) //
                      "," POST(4, 9, "a", 8) "]",
                      pool),
           3, "%s: records that refer to each other", database_of(store));
    is_str(inbox_value(node,
                       "SELECT count(*) FROM communicator_conflicts WHERE"
                       " lost_value = '\"theirs\"'",
                       pool),
           "1", "  what loses is kept, once");
}

/* A hub sends what two of its peers had made and found to be the same. The one
 * whose messages come first refers to what the batch brings, too; whoever
 * changed the other one knew it. */
static void test_twins(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node = inbox_node(store, settings, pool);

    APR_ARRAY_PUSH(inbox_model(settings, "author")->columns.match,
                   const char *) = "name";
    (void)inbox_take(
        node, 0,
        "[" POST(1, 4, "a", 9) "," AUTHOR(2, 9, "other") //
        "," MESSAGE(
            3, "author", 3, "create", 1000,
            TEXT("name", "one") "," BORN("1999-09-09") ",\\\"best_id\\\":99",
            REF("best_id", "post", 4)) //
        "," MESSAGE(
            4, "author", 3, "update", 2000,
            TEXT("name", "one") "," BORN("2000-01-01") ",\\\"best_id\\\":99",
            REF("best_id", "post", 4)
                BASE(1000) ",\"clocks\":{\"name\":1000,\"best_id\":1000}") //
        ",{\"id\":5,\"origin\":\"third\",\"original_id\":8,\"action\":"
        "\"create\",\"clock\":1000,\"body\":\"{\\\"author\\\":{" TEXT(
            "name", "one") "}}\"}"
                           ",{\"id\":6,\"origin\":\"third\",\"original_id\":8,"
                           "\"clock\":3000,"
                           "\"clocks\":{\"name\":1000},\"base\":{\"born\":2000}"
                           ",\"body\":"
                           "\"{\\\"author\\\":{" TEXT("name", "one") "," BORN(
                               "2001-01-01") //
        "}}\"}]",
        pool);
    database_must(cm_inbox_retry(&(cm_receipt_t *){NULL}, node, "there", pool));
    is_str(inbox_value(node,
                       "SELECT CAST(born AS char(10)) FROM authors"
                       " WHERE name = 'one'",
                       pool),
           "2001-01-01", "%s: two records of a batch are one",
           database_of(store));
    is_str(inbox_value(node,
                       "SELECT count(*) FROM communicator_conflicts WHERE"
                       " column_name = 'born'",
                       pool),
           "0", "  what was replaced knowingly is in no conflict");
}

int main(void)
{
    apr_initialize();
    database_each("a row that is adopted", test_adopted_once);
    database_each("a cycle", test_partial_once);
    database_each("two of a batch", test_twins);
    apr_terminate();
    return done_testing();
}
