/* Deletes and changes of keys that a foreign key here refuses, since rows refer
 * to the record. */
#include "../inbox.h"

#include <string.h>

#include <apr_general.h>

#include "node/node.h"
#include "outbox/stamp.h"

#define DELETE(id, original)                                                   \
    "[" MESSAGE(id, "author", original, "delete", 2000, , BASE(1000)) "]"

/* The author 3, known to the peer, and a post of it here; WHEN the foreign key
 * is checked. */
static cm_node_t *begin_with(cm_store_t *store, cm_settings_t *settings,
                             const char *column, const char *when,
                             apr_pool_t *pool)
{
    apr_int64_t stamped;
    cm_node_t *node;

    inbox_tables(store, pool);
    database_run(store, "DROP TABLE posts");
    database_run(store,
                 apr_psprintf(pool,
                              "CREATE TABLE posts (id integer NOT NULL PRIMARY"
                              " KEY, author_id integer %s, title varchar(40),"
                              " FOREIGN KEY (author_id) REFERENCES"
                              " authors (id)%s)",
                              column, when));
    settings_migrate(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    (void)inbox_take(node, 0, "[" AUTHOR(1, 3, "one") "]", pool);
    database_run(store, "INSERT INTO posts (id, author_id, title)"
                        " SELECT 1, id, 'mine' FROM authors");
    database_must(cm_stamp_all(&stamped, node, pool));
    return node;
}

/* The same, checked at once. */
static cm_node_t *begin(cm_store_t *store, cm_settings_t *settings,
                        const char *column, apr_pool_t *pool)
{
    return begin_with(store, settings, column, "", pool);
}

/* Return what is sent of posts: "action action". */
static const char *sent(cm_node_t *node, apr_pool_t *pool)
{
    const apr_array_header_t *all =
        inbox_outgoing(node, "there", pool)->messages;
    const char *text = "";
    int i;

    for (i = 0; i < all->nelts; i++) {
        const cm_message_t *message = APR_ARRAY_IDX(all, i, cm_message_t *);

        if (!strcmp(message->model, "post"))
            text = apr_pstrcat(pool, text, *text ? " " : "",
                               cm_message_action_name(message->action), NULL);
    }
    return text;
}

static void test_nullable(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = begin(store, inbox_settings(pool), "", pool);

    is_int(inbox_take(node, 1, DELETE(2, 3), pool), 1,
           "%s: a record is deleted that a row may do without",
           database_of(store));
    is_str(inbox_value(node, "SELECT count(*) FROM authors", pool), "0",
           "  its row is gone");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM posts WHERE author_id IS NULL",
                       pool),
           "1", "  the other row stays, and refers to nothing");
    is_str(sent(node, pool), "create", "  that is no change made here");
}

/* Only the commit fails where the foreign key is checked there. That is no
 * reason to stop before it is known which message is at fault, if any. */
static void test_late(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_receipt_t *receipt;
    cm_node_t *node;

    if (cm_dialect_of_store(store)->database == CM_MYSQL)
        return;
    settings->on_error = CM_ON_ERROR_STOP;
    node =
        begin_with(store, settings, "", " DEFERRABLE INITIALLY DEFERRED", pool);
    ok(!inbox_send(&receipt, node, "there", 1, DELETE(2, 3), 0, pool),
       "%s: a delete that the commit refuses stops nothing",
       database_of(store));
    is_str(inbox_value(node, "SELECT count(*) FROM authors", pool), "0",
           "  the record is deleted");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM posts WHERE author_id IS"
                       " NULL",
                       pool),
           "1", "  what referred to it has let go");
}

/* What is deleted was changed before, to a value that another row has here. */
static void test_changed(cm_store_t *store, apr_pool_t *pool)
{
    static const char changed[] =
        "[" MESSAGE(2, "author", 3, "update", 1500, TEXT("name", "taken"),
                    BASE(1000)) "," MESSAGE(3, "author", 3, "delete", 2000, ,
                                            BASE(1500)) "]";
    cm_node_t *node = begin(store, inbox_settings(pool), "", pool);

    database_run(store, "CREATE UNIQUE INDEX one_name ON authors (name)");
    database_run(store, "INSERT INTO authors (name) VALUES ('taken')");
    is_int(inbox_take(node, 1, changed, pool), 2,
           "%s: also where a change before it is refused", database_of(store));
    is_str(inbox_value(node, "SELECT count(*) FROM authors", pool), "1",
           "  its row is gone");
}

/* The row leaves what the filter lets out: the peer has to know. */
static void test_filter(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_model_t *model = inbox_model(settings, "post");
    apr_int64_t stamped;
    cm_node_t *node;

    model->where = "author_id IS NOT NULL";
    model->leave_deletes = 1;
    node = begin(store, settings, "", pool);
    is_int(inbox_take(node, 1, DELETE(2, 3), pool), 1,
           "%s: also where a row filter asks for it", database_of(store));
    database_must(cm_stamp_all(&stamped, node, pool));
    is_str(sent(node, pool), "create delete", "  and the filter is asked");
}

static void test_needed(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = begin(store, inbox_settings(pool), "NOT NULL", pool);

    is_int(inbox_take(node, 1, DELETE(2, 3), pool), 0,
           "%s: a record that a row needs is not deleted", database_of(store));
    is_str(inbox_value(node,
                       "SELECT count(*) FROM posts p JOIN authors a"
                       " ON a.id = p.author_id",
                       pool),
           "1", "  both stay as they are");
}

/* The same batch puts another record under the key, and lets the post refer to
 * that. */
static void reuse_key(cm_store_t *store, const char *rule, apr_pool_t *pool)
{
    static const char reborn[] = "[" MESSAGE(
        3, "author", 3, "delete", 2000, ,
        BASE(1000)) ",{\"id\":4,\"origin\":\"there\",\"original_id\":"
                    "\"3\\u001f2\","
                    "\"action\":\"create\",\"clock\":2001,"
                    "\"body\":\"{\\\"author\\\":{" TEXT(
                        "name",
                        "two") "}}\"},"
                               "{\"id\":5,\"origin\":\"there\",\"original_id\":"
                               "\"5\","
                               "\"action\":\"update\",\"clock\":2002,\"base\":"
                               "1000,"
                               "\"body\":\"{\\\"post\\\":{\\\"author_id\\\":9}}"
                               "\","
                               "\"refs\":{\"author_id\":{\"model\":\"author\","
                               "\"origin\":\"there\",\"original_id\":"
                               "\"3\\u001f2\"}}}]";
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node;

    inbox_tables(store, pool);
    database_run(store, "DROP TABLE posts");
    database_run(store, "DROP TABLE authors");
    database_run(store, "CREATE TABLE authors (id varchar(40) NOT NULL PRIMARY"
                        " KEY, name varchar(40))");
    database_run(store,
                 apr_pstrcat(pool,
                             "CREATE TABLE posts (id integer NOT NULL PRIMARY"
                             " KEY, author_id varchar(40), title varchar(40),"
                             " FOREIGN KEY (author_id) REFERENCES authors (id)",
                             rule, ")", NULL));
    settings_migrate(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    (void)inbox_take(
        node, 0, "[" AUTHOR(1, 3, "one") "," POST(2, 5, "child", 3) "]", pool);
    is_int(inbox_take(node, 2, reborn, pool), 3,
           "%s: its key is used again in the same batch%s", database_of(store),
           rule);
    is_str(inbox_value(node,
                       "SELECT a.name FROM posts p JOIN authors a"
                       " ON a.id = p.author_id",
                       pool),
           "two", "  and the row refers to the new record");
}

static void test_key(cm_store_t *store, apr_pool_t *pool)
{
    reuse_key(store, "", pool);
}

static void test_key_set_null(cm_store_t *store, apr_pool_t *pool)
{
    reuse_key(store, " ON DELETE SET NULL", pool);
}

/* Return how many messages to the peer name a record of a second life. */
static int name_second(cm_node_t *node, apr_pool_t *pool)
{
    const apr_array_header_t *all =
        inbox_outgoing(node, "there", pool)->messages;
    int i, count = 0;

    for (i = 0; i < all->nelts; i++) {
        const char *refs =
            cm_message_write_refs(APR_ARRAY_IDX(all, i, cm_message_t *), pool);

        count += refs && strstr(refs, "001f2");
    }
    return count;
}

/* The row is changed by a foreign key, too, before it lets go of the record
 * whose key another one gets. */
static void test_changed_by_key(cm_store_t *store, apr_pool_t *pool)
{
    static const char both[] =
        "[" MESSAGE(3, "author", 4, "delete", 2000, , BASE(1000)) "," MESSAGE(
            4, "author", 3, "delete", 2000, ,
            BASE(1000)) ",{\"id\":5,\"origin\":\"there\","
                        "\"original_id\":\"3\\u001f2\","
                        "\"action\":\"create\",\"clock\":"
                        "2001,\"body\":"
                        "\"{\\\"author\\\":{" TEXT("name", "two") "}}\"}]";
    cm_settings_t *settings = inbox_settings(pool);
    cm_model_t *model = inbox_model(settings, "post");
    apr_int64_t stamped;
    cm_node_t *node;

    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "editor_id", .model = "author"};
    inbox_tables(store, pool);
    database_run(store, "DROP TABLE posts");
    database_run(store, "DROP TABLE authors");
    database_run(store, "CREATE TABLE authors (id varchar(40) NOT NULL PRIMARY"
                        " KEY, name varchar(40))");
    database_run(store,
                 "CREATE TABLE posts (id integer NOT NULL PRIMARY KEY,"
                 " author_id varchar(40), editor_id varchar(40), title"
                 " varchar(40), FOREIGN KEY (author_id) REFERENCES authors"
                 " (id), FOREIGN KEY (editor_id) REFERENCES authors (id) ON"
                 " DELETE SET NULL)");
    settings_migrate(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    (void)inbox_take(node, 0, "[" AUTHOR(1, 3, "one") "," AUTHOR(2, 4, "x") "]",
                     pool);
    database_run(store, "INSERT INTO posts VALUES (1, '3', '4', 'mine')");
    database_must(cm_stamp_all(&stamped, node, pool));
    is_int(inbox_take(node, 2, both, pool), 3,
           "%s: a foreign key changes the row, too", database_of(store));
    database_must(cm_stamp_all(&stamped, node, pool));
    is_str(inbox_value(node, "SELECT author_id FROM posts", pool), NULL,
           "  it refers to nothing");
    is_int(name_second(node, pool), 0, "  and nobody is told anything else");
}

/* A profile, whose key is its author, and a photo of it, which is no message.
 */
static cm_node_t *begin_profile(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    const char *names[][3] = {{"profile", "author_id", "author"},
                              {"photo", "profile_id", "profile"}};
    cm_node_t *node;
    int i;

    inbox_tables(store, pool);
    database_run(store, "CREATE TABLE profiles (author_id integer NOT NULL"
                        " PRIMARY KEY, name varchar(40), FOREIGN KEY"
                        " (author_id) REFERENCES authors (id))");
    database_run(store, "CREATE TABLE photos (id integer NOT NULL PRIMARY KEY,"
                        " profile_id integer, FOREIGN KEY (profile_id)"
                        " REFERENCES profiles (author_id))");
    for (i = 0; i < 2; i++) {
        cm_model_t *model = settings_add_model(
            settings, names[i][0], apr_pstrcat(pool, names[i][0], "s", NULL),
            i ? "id" : "author_id", pool);

        APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
            (cm_reference_t){.column = names[i][1], .model = names[i][2]};
    }
    settings_migrate(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    (void)inbox_take(
        node, 0,
        "[" AUTHOR(1, 3, "one") "," AUTHOR(2, 4, "two") "," MESSAGE(
            3, "profile", 3, "create", 1000,
            TEXT("name", "p") ",\\\"author_id\\\":3",
            REF("author_id", "author", 3)) "]",
        pool);
    database_run(store, "INSERT INTO photos (id, profile_id)"
                        " SELECT 1, author_id FROM profiles");
    return node;
}

/* At the peer another author has got the key 3. */
static void test_moved(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = begin_profile(store, pool);
    const char *moved =
        "[" MESSAGE(4, "profile", 3, "update", 2000, "\\\"author_id\\\":3",
                    REF("author_id", "author", 4) BASE(1000)) "]";

    is_int(inbox_take(node, 3, moved, pool), 1,
           "%s: the key of a record changes that a row may do without",
           database_of(store));
    is_str(inbox_value(node,
                       "SELECT a.name FROM photos f JOIN authors a"
                       " ON a.id = f.profile_id",
                       pool),
           "two", "  and the row refers to it again");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM outbound_messages"
                       " WHERE model = 'photo' AND action <> 'create'",
                       pool),
           "0", "  that is no change made here");
}

int main(void)
{
    apr_initialize();
    database_each("may be NULL", test_nullable);
    database_each("checked at the end", test_late);
    database_each("changed before", test_changed);
    database_each("a row filter", test_filter);
    database_each("NOT NULL", test_needed);
    database_each("a key", test_key);
    database_each("a key, SET NULL", test_key_set_null);
    database_each("a key changes", test_moved);
    database_each("changed by a key", test_changed_by_key);
    apr_terminate();
    return done_testing();
}
