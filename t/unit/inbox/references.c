/* The inbox: records that refer to one another, in every order. */
#include "../inbox.h"

#include <apr_general.h>
#include "base/buffer.h"
#include "store/dialect.h"
#include "store/store.h"
#include "config/settings.h"
#include "schema/migrate.h"
#include "node/node.h"
#include "outbox/stamp.h"
#include "inbox/inbox.h"

static const char *author_of(cm_node_t *node, const char *title,
                             apr_pool_t *pool)
{
    return inbox_value(
        node,
        apr_psprintf(pool,
                     "SELECT a.name FROM posts p JOIN authors a"
                     " ON a.id = p.author_id WHERE p.title = '%s'",
                     title),
        pool);
}

static void test_order(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);
    cm_receipt_t *receipt;
    apr_int64_t parked;

    database_run(store, "INSERT INTO authors (name) VALUES ('other')");
    is_int(inbox_take(node, 0,
                      "[" POST(1, 5, "child", 3) "," AUTHOR(2, 3, "one") "]",
                      pool),
           2, "%s: a child may stand before its parent", database_of(store));
    is_str(author_of(node, "child", pool), "one", "  and finds it");
    database_must(inbox_send(
        &receipt, node, "there", 2,
        "[" POST(3, 6, "early", 4) "," POST(4, 7, "fine", 3) "]", 0, pool));
    is_int(receipt->applied, 1, "without its parent a child waits, alone");
    ok(receipt->parked->nelts == 1 &&
           APR_ARRAY_IDX(receipt->parked, 0, cm_parked_t).transient,
       "  for a passing reason");
    is_int(inbox_take(node, 4, "[" AUTHOR(5, 4, "two") "]", pool), 2,
           "and is released when the parent comes");
    is_str(author_of(node, "early", pool), "two", "  and finds it");
    database_must(cm_inbox_retry_count(&parked, node, NULL, 0, pool));
    is_int(parked, 0, "  and nothing is left");
}

static void test_deleted(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);

    (void)inbox_take(
        node, 0, "[" AUTHOR(1, 3, "one") "," POST(2, 5, "child", 3) "]", pool);
    is_int(
        inbox_take(node, 2,
                   "[" MESSAGE(3, "author", 3, "delete", 2000, ,
                               BASE(1000)) "," MESSAGE(4, "post", 5, "delete",
                                                       2000, , BASE(1000)) "]",
                   pool),
        2, "%s: a parent's delete may stand before its child's",
        database_of(store));
    is_str(inbox_value(node, "SELECT count(*) FROM authors", pool), "0",
           "  both are gone");
    is_int(inbox_take(node, 4, "[" POST(5, 6, "late", 3) "]", pool), 1,
           "a child of a deleted parent comes");
    is_str(inbox_value(node, "SELECT author_id FROM posts", pool), NULL,
           "  without it");
}

/* A blog whose posts must have an author; KEY says what their key does. */
static cm_node_t *strict_node(cm_store_t *store, cm_settings_t *settings,
                              const char *key, apr_pool_t *pool)
{
    cm_database_e database = cm_dialect_of_store(store)->database;
    cm_node_t *node;

    inbox_tables(store, pool);
    database_run(store, "DROP TABLE posts");
    database_run(
        store, apr_psprintf(
                   pool,
                   "CREATE TABLE posts (id %s, author_id integer NOT NULL,"
                   " title varchar(40) NOT NULL, text varchar(40),"
                   " secret varchar(40)%s)",
                   database == CM_PGSQL   ? "serial PRIMARY KEY"
                   : database == CM_MYSQL ? "integer PRIMARY KEY AUTO_INCREMENT"
                                          : "integer PRIMARY KEY AUTOINCREMENT",
                   key));
    settings_migrate(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    (void)inbox_take(
        node, 0, "[" AUTHOR(1, 3, "one") "," POST(2, 5, "child", 3) "]", pool);
    return node;
}

#define CASCADE                                                                \
    ", FOREIGN KEY (author_id) REFERENCES authors (id) ON DELETE CASCADE"

/* A child that must have its deleted parent goes with it. */
static void test_orphans(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = strict_node(store, inbox_settings(pool), CASCADE, pool);

    (void)inbox_take(
        node, 2, "[" MESSAGE(3, "author", 3, "delete", 2000, , BASE(1000)) "]",
        pool);
    is_int(inbox_take(
               node, 3,
               "[" POST(4, 6, "late", 3) "," MESSAGE(
                   5, "post", 6, "update", 3000,
                   TEXT("text", "more") ",\\\"author_id\\\":9," TEXT("title",
                                                                     "late"),
                   ",\"clocks\":{\"title\":1000,\"author_id\":1000}" BASE(1000)
                       REF("author_id", "author", 3)) "]",
               pool),
           2, "%s: a child of a deleted parent is not parked",
           database_of(store));
    is_str(inbox_value(node, "SELECT count(*) FROM posts", pool), "0",
           "  but deleted");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM communicator_conflicts WHERE"
                       " original_id = '6' AND lost_value IN"
                       " ('\"late\"', '\"more\"')",
                       pool),
           "2", "  what each of its messages said is kept");
}

/* Without a foreign key a row may outlive its parent. */
static void test_outlives(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = strict_node(store, inbox_settings(pool), "", pool);

    (void)inbox_take(
        node, 2, "[" MESSAGE(3, "author", 3, "delete", 2000, , BASE(1000)) "]",
        pool);
    is_int(
        inbox_take(node, 3,
                   "[" MESSAGE(4, "post", 5, "update", 3000,
                               TEXT("title", "edited") ",\\\"author_id\\\":9",
                               ",\"clocks\":{\"author_id\":1000}" BASE(1000)
                                   REF("author_id", "author", 3)) "]",
                   pool),
        1, "%s: a row that has outlived its parent is changed",
        database_of(store));
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "edited",
           "  and stays");
    (void)inbox_take(node, 4,
                     "[" MESSAGE(5, "post", 5, "update", 4000,
                                 TEXT("title", "merged") ",\\\"author_id\\\":9",
                                 BASE(1000) REF("author_id", "author", 3)) "]",
                     pool);
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "merged",
           "  and if a message that names its parent must be merged");
}

/* What such a row says comes again, as it is: nothing has changed by that, or
 * nodes would send it to each other for ever. */
static void test_outlives_again(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    const char *before;
    cm_node_t *node;

    settings_add_peer(settings, "other", pool);
    node = strict_node(store, settings, "", pool);
    (void)inbox_take(
        node, 2,
        "[" MESSAGE(3, "author", 3, "delete", 2000, , BASE(1000)) "," MESSAGE(
            4, "post", 5, "update", 3000,
            TEXT("title", "edited") ",\\\"author_id\\\":9",
            ",\"clocks\":{\"author_id\":1000}" BASE(1000)
                REF("author_id", "author", 3)) "]",
        pool);
    before = inbox_value(node, "SELECT last_seq FROM communicator_node", pool);
    (void)inbox_take(node, 4,
                     "[" MESSAGE(5, "post", 5, "update", 3000,
                                 TEXT("title", "edited") ",\\\"author_id\\\":9",
                                 ",\"clocks\":{\"author_id\":1000}" REF(
                                     "author_id", "author", 3)) "]",
                     pool);
    is_str(inbox_value(node, "SELECT last_seq FROM communicator_node", pool),
           before,
           "%s: what a row says that has outlived its parent comes "
           "again, and is not sent on",
           database_of(store));
}

/* A parent that is gone without a trace was not deleted. */
static void test_vanished(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = strict_node(store, inbox_settings(pool), CASCADE, pool);
    cm_receipt_t *receipt;

    if (cm_dialect_of_store(store)->database != CM_MYSQL)
        return;
    database_run(store, "SET foreign_key_checks = 0");
    database_run(store, "TRUNCATE TABLE posts");
    database_run(store, "TRUNCATE TABLE authors");
    database_run(store, "SET foreign_key_checks = 1");
    database_must(
        inbox_send(&receipt, node, "there", 2,
                   "[" MESSAGE(3, "post", 5, "update", 3000,
                               TEXT("title", "edited") ",\\\"author_id\\\":9",
                               ",\"clocks\":{\"author_id\":1000}" BASE(1000)
                                   REF("author_id", "author", 3)) "]",
                   0, pool));
    is_int(receipt->parked->nelts, 1, "%s: a child of a TRUNCATEd parent waits",
           database_of(store));
    is_str(inbox_value(node,
                       "SELECT count(*) FROM communicator_mappings"
                       " WHERE deleted_at > 0",
                       pool),
           "0", "  and is not deleted");
}

/* A trigger puts a deleted row back, as another record, to which children refer
 * now: they are to be sent again. */
static void test_put_back(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node;

    if (cm_dialect_of_store(store)->database != CM_SQLITE3)
        return;
    node = inbox_node(store, inbox_settings(pool), pool);
    (void)inbox_take(
        node, 0, "[" AUTHOR(1, 3, "one") "," POST(2, 5, "child", 3) "]", pool);
    inbox_put_back(store, "authors", pool);
    is_int(inbox_take(
               node, 2,
               "[" MESSAGE(3, "author", 3, "delete", 2000, , BASE(1000)) "]",
               pool),
           1, "%s: a row is deleted and put back", database_of(store));
    is_str(author_of(node, "child", pool), "back", "  its child stays");
    is_str(inbox_value(node,
                       "SELECT m.model FROM communicator_missing m JOIN posts p"
                       " ON p.author_id = m.local_record_id",
                       pool),
           "author", "  and is sent again");
}

static void test_cycle(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);
    const char *author = MESSAGE(2, "author", 3, "create", 1000,
                                 TEXT("name", "one") ",\\\"best_id\\\":1",
                                 REF("best_id", "post", 5));
    const char *bad =
        MESSAGE(4, "author", 4, "create", 1000,
                NONE("name") ",\\\"best_id\\\":1", REF("best_id", "post", 6));
    cm_receipt_t *receipt;

    is_int(inbox_take(node, 0,
                      apr_pstrcat(pool, "[" POST(1, 5, "best", 3) ",", author,
                                  "]", NULL),
                      pool),
           2, "%s: two that refer to each other come", database_of(store));
    is_str(author_of(node, "best", pool), "one", "  one way");
    is_str(inbox_value(node,
                       "SELECT p.title FROM authors a JOIN posts p"
                       " ON p.id = a.best_id",
                       pool),
           "best", "  and the other");
    database_must(
        inbox_send(&receipt, node, "there", 2,
                   apr_pstrcat(pool, "[" POST(3, 6, "half", 4) ",", bad,
                               "," POST(5, 7, "whole", 3) "]", NULL),
                   0, pool));
    is_int(receipt->applied, 1, "when one of two is bad, neither comes");
    is_str(inbox_value(node, "SELECT count(*) FROM posts WHERE title = 'half'",
                       pool),
           "0", "  not in part either");
    is_str(author_of(node, "whole", pool), "one", "  others do");
}

static void test_shared(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);

    database_run(store, "INSERT INTO tags (name, color) VALUES ('b', 'red')");
    is_int(
        inbox_take(node, 0,
                   "[{\"id\":1,\"origin\":\"*\",\"original_id\":\"a\","
                   "\"action\":\"create\",\"clock\":5,\"body\":"
                   "\"{\\\"tag\\\":{\\\"name\\\":\\\"a\\\",\\\"color\\\":"
                   "\\\"blue\\\"}}\"},"
                   "{\"id\":2,\"origin\":\"*\",\"original_id\":\"b\","
                   "\"action\":\"create\",\"clock\":9000000000000000,\"body\":"
                   "\"{\\\"tag\\\":{\\\"name\\\":\\\"b\\\",\\\"color\\\":"
                   "\\\"green\\\"}}\"}]",
                   pool),
        2, "%s: records with shared keys come", database_of(store));
    is_str(inbox_value(node, "SELECT color FROM tags WHERE name = 'a'", pool),
           "blue", "  one is new");
    is_str(inbox_value(node, "SELECT color FROM tags WHERE name = 'b'", pool),
           "green", "  one was here, and is merged");
    is_str(inbox_value(node, "SELECT lost_value FROM communicator_conflicts",
                       pool),
           "\"red\"", "  what it said is remembered");
    is_str(inbox_value(node,
                       "SELECT original_id FROM communicator_mappings"
                       " WHERE local_record_id = 'b' AND origin = '*'",
                       pool),
           "b", "  and its name is its key");
}

/* A record that must refer to something refers to itself. */
static void test_itself(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    cm_model_t *model;
    cm_node_t *node;

    settings_add_peer(settings, "there", pool);
    model = settings_add_model(settings, "place", "places", "id", pool);
    model->shared_keys = 1;
    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "within", .model = "place"};
    database_run(store,
                 "CREATE TABLE places (id varchar(40) NOT NULL PRIMARY KEY,"
                 " within varchar(40) NOT NULL,"
                 " FOREIGN KEY (within) REFERENCES places (id))");
    settings_migrate(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    is_int(inbox_take(node, 0,
                      "[{\"id\":1,\"origin\":\"*\",\"original_id\":\"world\","
                      "\"action\":\"create\",\"clock\":5,\"body\":"
                      "\"{\\\"place\\\":{\\\"id\\\":\\\"world\\\","
                      "\\\"within\\\":\\\"world\\\"}}\",\"refs\":{"
                      "\"within\":{\"model\":\"place\",\"origin\":\"*\","
                      "\"original_id\":\"world\"}}}]",
                      pool),
           1, "%s: a record that refers to itself comes", database_of(store));
    is_str(inbox_value(node, "SELECT within FROM places", pool), "world",
           "  and does so here, too");
}

static void test_match(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node = inbox_node(store, settings, pool);
    cm_model_t *model = inbox_model(settings, "author");

    APR_ARRAY_PUSH(model->columns.match, const char *) = "name";
    database_run(store, "INSERT INTO authors (name) VALUES ('one')");
    is_int(
        inbox_take(node, 0,
                   "[" MESSAGE(
                       1, "author", 3, "create", 9000000000000000,
                       TEXT("name", "one") "," TEXT(
                           "born", "1999-09-09"), ) "," AUTHOR(2, 4, "two") "]",
                   pool),
        2, "%s: records with match= come", database_of(store));
    is_str(inbox_value(node, "SELECT count(*) FROM authors", pool), "2",
           "  one of them was here");
    is_str(inbox_value(node,
                       "SELECT CAST(born AS char(10)) FROM authors"
                       " WHERE name = 'one'",
                       pool),
           "1999-09-09", "  and takes what it lacked");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM communicator_mappings"
                       " WHERE local_record_id IS NULL"
                       " AND same_id IS NOT NULL",
                       pool),
           "1", "  the other name is an alias");
    is_int(
        inbox_take(node, 2,
                   "[" MESSAGE(3, "author", 3, "update", 9000000000000009,
                               TEXT("name", "uno"), BASE(9000000000000000)) "]",
                   pool),
        1, "it is found by the alias");
    is_str(inbox_value(node, "SELECT name FROM authors WHERE born IS NOT NULL",
                       pool),
           "uno", "  and changed");
}

/* A hub's record of its own gets a smaller name, of a peer; then that peer
 * deletes it, by both names. A third peer may know either. */
static void test_match_hub(cm_store_t *store, apr_pool_t *pool)
{
    static const char create[] =
        "[{\"id\":1,\"origin\":\"central\",\"original_id\":7,"
        "\"action\":\"create\",\"clock\":9000000000000000,"
        "\"body\":\"{\\\"author\\\":{\\\"name\\\":\\\"one\\\"}}\"}]";
    static const char deletes[] =
        "[{\"id\":2,\"origin\":\"central\",\"original_id\":7,"
        "\"action\":\"delete\",\"clock\":9000000000000009,"
        "\"body\":\"{\\\"author\\\":{}}\"},"
        "{\"id\":3,\"origin\":\"here\",\"original_id\":1,"
        "\"action\":\"delete\",\"clock\":9000000000000009,"
        "\"body\":\"{\\\"author\\\":{}}\"}]";
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node = inbox_node(store, settings, pool);
    cm_receipt_t *receipt;

    settings_add_peer(settings, "central", pool);
    settings_add_peer(settings, "third", pool);
    APR_ARRAY_PUSH(inbox_model(settings, "author")->columns.match,
                   const char *) = "name";
    database_run(store, "INSERT INTO authors (name) VALUES ('one')");
    database_must(inbox_send(&receipt, node, "central", 0, create, 0, pool));
    database_must(inbox_send(&receipt, node, "central", 1, deletes, 0, pool));
    is_str(inbox_value(node, "SELECT count(*) FROM authors", pool), "0",
           "%s: a record with two names is deleted", database_of(store));
    is_str(inbox_value(node,
                       "SELECT count(DISTINCT origin) FROM outbound_messages"
                       " WHERE action = 'delete' AND (source IS NULL OR"
                       " source <> 'third') AND seq > 0",
                       pool),
           "2", "  for the third peer by both names, too");
}

/* Child and parent are both here already, and match= of the child names the
 * parent: which of them comes first makes no difference. */
static void test_match_parent(cm_store_t *store, apr_pool_t *pool)
{
    static const char post[] =
        MESSAGE(1, "post", 8, "create", 1000,
                TEXT("title", "a") "," TEXT("author_id", "3"),
                REF("author_id", "author", 3));
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node = inbox_node(store, settings, pool);

    APR_ARRAY_PUSH(inbox_model(settings, "author")->columns.match,
                   const char *) = "name";
    APR_ARRAY_PUSH(inbox_model(settings, "post")->columns.match, const char *) =
        "author_id";
    APR_ARRAY_PUSH(inbox_model(settings, "post")->columns.match, const char *) =
        "title";
    database_run(store, "INSERT INTO authors (name) VALUES ('zero'), ('one')");
    database_run(store, "INSERT INTO posts (author_id, title) SELECT id, 'a'"
                        " FROM authors");
    is_int(inbox_take(node, 0,
                      apr_pstrcat(pool, "[", post, ",", AUTHOR(2, 3, "one"),
                                  "]", NULL),
                      pool),
           2, "%s: a child with match= comes before its parent",
           database_of(store));
    is_str(inbox_value(node, "SELECT count(*) FROM authors", pool), "2",
           "  the parent was here");
    is_str(inbox_value(node, "SELECT count(*) FROM posts", pool), "2",
           "  and so was the child");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM communicator_mappings m JOIN"
                       " communicator_mappings a ON a.same_id ="
                       " m.original_id AND a.same_origin = m.origin AND"
                       " a.local_record_type = m.local_record_type WHERE"
                       " a.origin = 'there' AND a.local_record_id IS NULL",
                       pool),
           "2", "  both have a second name");
    is_str(inbox_value(
               node,
               "SELECT name FROM authors JOIN posts ON authors.id = author_id"
               " JOIN communicator_mappings m ON m.local_record_id ="
               " CAST(posts.id AS char(9)) AND m.local_record_type = 'Post'"
               " JOIN communicator_mappings a ON a.same_id = m.original_id"
               " AND a.same_origin = m.origin"
               " AND a.local_record_type = m.local_record_type",
               pool),
           "one", "  that of this author");
}

/* The deletes in the outbox, as origin and id there, in order. */
static const char *buried(cm_node_t *node, apr_pool_t *pool)
{
    const char *text = "";
    cm_rows_t *rows;
    int i;

    database_must(cm_stamp_all(&(apr_int64_t){0}, node, pool));
    database_must(
        cm_statement_select(&rows, node->store,
                            "SELECT origin, original_id FROM"
                            " outbound_messages WHERE action = 'delete'"
                            " ORDER BY seq",
                            NULL, 0, pool));
    for (i = 0; i < rows->count; i++)
        text = apr_pstrcat(pool, text, i ? " " : "", cm_cell_text(rows, i, 0),
                           "/", cm_cell_text(rows, i, 1), NULL);
    return text;
}

/* A node that has not heard that two records are one knows both. */
static void test_names(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node = inbox_node(store, settings, pool);
    cm_model_t *model = inbox_model(settings, "author");

    APR_ARRAY_PUSH(model->columns.match, const char *) = "name";
    database_run(store, "INSERT INTO authors (name) VALUES ('one')");
    (void)inbox_take(node, 0,
                     "[" AUTHOR(1, 3, "one") "," MESSAGE(
                         2, "author", 3, "delete", 2000, , BASE(1000)) "]",
                     pool);
    is_str(inbox_value(node, "SELECT count(*) FROM authors", pool), "1",
           "%s: what comes deleted takes nothing along", database_of(store));
    (void)inbox_take(node, 2, "[" AUTHOR(3, 4, "one") "]", pool);
    (void)inbox_take(node, 3,
                     "[" MESSAGE(4, "author", 4, "delete", 9000000000000001, ,
                                 BASE(9000000000000000)) "]",
                     pool);
    is_str(inbox_value(node, "SELECT count(*) FROM authors", pool), "0",
           "a record that was adopted is deleted by its other name");
    is_str(buried(node, pool), "here/1",
           "  and by ours, for those who know it");
    database_run(store, "INSERT INTO authors (name) VALUES ('two')");
    (void)inbox_take(node, 4, "[" AUTHOR(5, 5, "two") "]", pool);
    database_run(store, "DELETE FROM authors");
    is_str(buried(node, pool), "here/1 here/2 there/5",
           "what is deleted here is deleted by all its names");
}

/* COUNT messages from ID on: authors, or a post of each. */
static const char *many(int id, int count, int posts, apr_pool_t *pool)
{
    cm_buffer_t *buffer = cm_buffer_create(count * 160, pool);
    int i;

    for (i = 1; i <= count; i++)
        cm_buffer_raw(
            buffer,
            apr_psprintf(pool,
                         "%s{\"id\":%d,\"origin\":\"there\",\"original_id\":%d,"
                         "\"action\":\"create\",\"clock\":1000,%s\"body\":"
                         "\"{\\\"%s\\\":{\\\"%s\\\":\\\"n%d\\\"%s}}\"}",
                         i > 1 ? "," : "[", id + i - 1, i,
                         posts ? "\"refs\":{\"author_id\":\"author\"}," : "",
                         posts ? "post" : "author", posts ? "title" : "name", i,
                         posts ? apr_psprintf(pool, ",\\\"author_id\\\":%d", i)
                               : ""));
    cm_buffer_append(buffer, "]", 2);
    return buffer->data;
}

/* A first load that begins with the children: what waits is not gone through
 * after each batch, but once, at the end of the run. */
static void test_many(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);
    cm_receipt_t *receipt;

    is_int(inbox_take(node, 0, many(1, 300, 1, pool), pool), 0,
           "%s: a few children come first", database_of(store));
    is_int(inbox_take(node, 300, many(301, 300, 0, pool), pool), 600,
           "  and are there with their parents");
    node = NULL;
    database_run(store, "DELETE FROM posts");
    database_run(store, "DELETE FROM authors");
    database_run(store, "DELETE FROM inbound_messages");
    database_run(store, "DELETE FROM outbound_messages");
    database_run(store,
                 apr_pstrcat(pool, "DELETE FROM ",
                             database_records(store, "Post", pool), NULL));
    database_run(store,
                 apr_pstrcat(pool, "DELETE FROM ",
                             database_records(store, "Author", pool), NULL));
    database_run(store, "DELETE FROM communicator_peers");
    database_must(cm_node_open(&node, inbox_settings(pool), store, pool));
    database_must(
        inbox_send(&receipt, node, "there", 0, many(1, 600, 1, pool), 0, pool));
    is_int(receipt->applied, 0, "many children come first");
    is_int(inbox_take(node, 600, many(601, 600, 0, pool), pool), 600,
           "  and wait when their parents are there");
    database_must(cm_inbox_retry(&receipt, node, "there", pool));
    is_int(receipt->applied, 600, "  for the end of the run");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM inbound_messages"
                       " WHERE processed_at IS NULL",
                       pool),
           "0", "  after which none waits");
}

int main(void)
{
    apr_initialize();
    database_each("order", test_order);
    database_each("deleted parents", test_deleted);
    database_each("orphans", test_orphans);
    database_each("rows that outlive", test_outlives);
    database_each("rows that outlive, again", test_outlives_again);
    database_each("vanished parents", test_vanished);
    database_each("rows put back", test_put_back);
    database_each("cycles", test_cycle);
    database_each("shared keys", test_shared);
    database_each("itself", test_itself);
    database_each("match", test_match);
    database_each("match= at a hub", test_match_hub);
    database_each("match= with a parent", test_match_parent);
    database_each("names", test_names);
    database_each("many", test_many);
    apr_terminate();
    return done_testing();
}
