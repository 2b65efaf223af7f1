/* The inbox: references to nothing, references=COLUMN:MODEL?0; and those that
 * only seem to be. */
#include "../inbox.h"

#include <string.h>

#include <apr_general.h>

#include "store/dialect.h"
#include "outbox/missing.h"
#include "outbox/stamp.h"

/* An author, and a post of it; author_id may not be NULL. */
static cm_node_t *make_node(cm_store_t *store, cm_settings_t *settings,
                            apr_pool_t *pool)
{
    const char *key = "integer PRIMARY KEY AUTOINCREMENT";
    cm_node_t *node;

    if (cm_dialect_of_store(store)->database == CM_PGSQL)
        key = "serial PRIMARY KEY";
    else if (cm_dialect_of_store(store)->database == CM_MYSQL)
        key = "integer PRIMARY KEY AUTO_INCREMENT";
    inbox_tables(store, pool);
    database_run(store, "DROP TABLE posts");
    database_run(store,
                 apr_psprintf(pool,
                              "CREATE TABLE posts (id %s, author_id integer "
                              "NOT NULL, title varchar(40) NOT NULL)",
                              key));
    settings_migrate(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    (void)inbox_take(
        node, 0, "[" AUTHOR(1, 3, "one") "," POST(2, 5, "child", 3) "]", pool);
    return node;
}

/* 0 refers to nothing: a child of a deleted parent stays, without it. */
static void test_none(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    const apr_array_header_t *sent;
    apr_int64_t stamped;
    cm_node_t *node;

    APR_ARRAY_IDX(inbox_model(settings, "post")->columns.references, 0,
                  cm_reference_t)
        .none = "0";
    node = make_node(store, settings, pool);
    (void)inbox_take(
        node, 2, "[" MESSAGE(3, "author", 3, "delete", 2000, , BASE(1000)) "]",
        pool);
    is_int(inbox_take(node, 3, "[" POST(4, 6, "late", 3) "]", pool), 1,
           "%s: a child of a deleted parent", database_of(store));
    is_str(inbox_value(node, "SELECT author_id FROM posts WHERE title = 'late'",
                       pool),
           "0", "  refers to nothing");
    is_int(
        inbox_take(
            node, 4,
            "[" MESSAGE(
                5, "post", 7, "create", 1000,
                TEXT("title", "null") "," NONE(
                    "author_id"), ) "," MESSAGE(6, "post", 8, "create", 1000,
                                                TEXT(
                                                    "title",
                                                    "zero") ",\\\"author_id\\\""
                                                            ":0", ) "]",
            pool),
        2, "null comes, and 0 from a peer that does not translate it");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM posts WHERE author_id = 0"
                       " AND title IN ('null', 'zero')",
                       pool),
           "2", "  0 are both");
    database_run(store, "UPDATE posts SET title = 'none', author_id = 0"
                        " WHERE title = 'child'");
    database_must(cm_stamp_all(&stamped, node, pool));
    sent = inbox_outgoing(node, "there", pool)->messages;
    ok(sent->nelts == 1 && strstr(APR_ARRAY_IDX(sent, 0, cm_message_t *)->body,
                                  "\"author_id\":null"),
       "it is sent as null");
    is_str(inbox_value(node, "SELECT count(*) FROM communicator_missing", pool),
           "0", "  and not missed");
}

/* An author gets another key here, and the post still has the former one. What
 * comes, of the same clock, is the lesser author: it loses as at the peers. */
static void test_left_behind(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, inbox_settings(pool), pool);
    const char *author =
        "SELECT a.name FROM posts p JOIN authors a ON a.id = p.author_id"
        " WHERE p.title = 'both'";
    apr_int64_t count;

    (void)inbox_take(
        node, 2, "[" AUTHOR(3, 4, "two") "," POST(4, 6, "both", 4) "]", pool);
    is_str(inbox_value(node, author, pool), "two", "%s: a child of one of two",
           database_of(store));
    database_run(store, "UPDATE authors SET id = 77 WHERE name = 'two'");
    is_int(inbox_take(node, 4, "[" POST(5, 6, "both", 3) "]", pool), 1,
           "  it comes with the other parent, before it has followed its own");
    database_must(cm_missing_publish(&count, node, pool));
    is_str(inbox_value(node, author, pool), "two", "  it has followed");
}

int main(void)
{
    apr_initialize();
    database_each("none", test_none);
    database_each("left behind", test_left_behind);
    apr_terminate();
    return done_testing();
}
