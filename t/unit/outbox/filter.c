/* What a row filter keeps here: rows, and those that cannot be without them. */
#include "../inbox.h"

#include <apr_general.h>
#include <apr_strings.h>

#include "config/key.h"
#include "store/dialect.h"
#include "node/node.h"
#include "outbox/missing.h"
#include "outbox/publish.h"
#include "outbox/stamp.h"

/* Articles of which only open ones leave, and marks of anything. */
static cm_node_t *make_node(cm_store_t *store, const char *id_type,
                            apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_model_t *model;

    database_run(store, "CREATE TABLE articles (id integer NOT NULL, title"
                        " varchar(40), UNIQUE (id))");
    database_run(store, apr_psprintf(pool,
                                     "CREATE TABLE marks (id integer NOT NULL,"
                                     " about_id %s NOT NULL, about varchar(40),"
                                     " word varchar(40), UNIQUE (id))",
                                     id_type));
    model = settings_add_model(settings, "article", "articles", "id", pool);
    model->type = "Article";
    model->where = "title LIKE 'open%'";
    model = settings_add_model(settings, "mark", "marks", "id", pool);
    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "about_id", .type = "about"};
    cm_key_complete(settings);
    return inbox_node(store, settings, pool);
}

/* Return the ids of what leaves: "article 1, mark 1". */
static const char *outgoing(cm_node_t *node, apr_pool_t *pool)
{
    const apr_array_header_t *messages =
        inbox_outgoing(node, "there", pool)->messages;
    const char *text = "";
    int i;

    for (i = 0; i < messages->nelts; i++) {
        const cm_message_t *message =
            APR_ARRAY_IDX(messages, i, const cm_message_t *);

        text = apr_psprintf(pool, "%s%s%s %s", text, i ? ", " : "",
                            message->model, message->identity.original_id);
    }
    return text;
}

static void test_kept(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, "integer", pool);
    apr_int64_t count;

    database_run(store, "INSERT INTO articles (id, title) VALUES (1, 'open'),"
                        " (2, 'draft')");
    database_run(store, "INSERT INTO marks (id, about_id, about) VALUES"
                        " (1, 1, 'article'), (2, 2, 'Article'),"
                        " (3, 7, 'something'), (4, 8, 'tag')");
    database_must(cm_stamp_all(&count, node, pool));
    is_str(outgoing(node, pool), "article 1, mark 1, mark 3, mark 4",
           "%s: what cannot be without a row that stays here stays with it",
           database_of(store));
    database_run(store, "UPDATE articles SET title = 'open now' WHERE id = 2");
    database_must(cm_stamp_all(&count, node, pool));
    database_must(cm_missing_publish(&count, node, pool));
    is_int(count, 1, "  it is sent when that row is");
    database_must(cm_stamp_all(&count, node, pool));
    is_str(outgoing(node, pool),
           "article 1, mark 1, mark 3, mark 4, article 2, mark 2",
           "  behind it");
}

/* A column of another type than the key is compared with nothing. */
static void test_text(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, "varchar(40)", pool);
    apr_int64_t count;

    database_run(store, "INSERT INTO marks (id, about_id, about) VALUES"
                        " (1, '2', 'article')");
    database_must(cm_stamp_all(&count, node, pool));
    is_int(inbox_outgoing(node, "there", pool)->messages->nelts, 1,
           "%s: an id of another type", database_of(store));
}

static void must_run(cm_node_t *node, const char *sql, apr_pool_t *pool)
{
    apr_int64_t stamped;

    database_run(node->store, sql);
    database_must(cm_stamp_all(&stamped, node, pool));
}

/* The row that it cannot be without was deleted before it left. */
static void test_gone(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, "integer", pool);
    apr_int64_t count;

    database_run(store, "INSERT INTO articles (id, title) VALUES (1, 'draft'),"
                        " (2, 'open')");
    database_run(store, "INSERT INTO marks (id, about_id, about) VALUES"
                        " (1, 1, 'article'), (2, 2, 'article')");
    must_run(node, "DELETE FROM articles", pool);
    is_str(outgoing(node, pool), "",
           "%s: what refers to a row that was never sent, and is gone, stays",
           database_of(store));
    must_run(node, "INSERT INTO articles (id, title) VALUES (1, 'open')", pool);
    database_must(cm_missing_publish(&count, node, pool));
    is_int(count, 1, "  it is sent when another row has that key");
    database_must(cm_stamp_all(&count, node, pool));
    is_str(outgoing(node, pool), "article 1, mark 1", "  behind it");
}

/* SQL takes the row from a record that peers know, and that needs it since a
 * change which stays with that row. */
static void left_with(cm_store_t *store, const char *sql, const char *how,
                      apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, "integer", pool);
    const cm_message_t *made, *next;
    const apr_array_header_t *messages;
    apr_int64_t count;

    database_run(store, "INSERT INTO articles (id, title) VALUES (1, 'open'),"
                        " (2, 'draft')");
    must_run(node,
             "INSERT INTO marks (id, about_id, about) VALUES (1, 1, 'article')",
             pool);
    must_run(node, "UPDATE marks SET about_id = 2, word = 'new'", pool);
    must_run(node, sql, pool);
    database_must(cm_missing_publish(&count, node, pool));
    database_must(cm_stamp_all(&count, node, pool));
    is_str(outgoing(node, pool), "article 1, mark 1",
           "%s: a change that stays with a row that %s stays",
           database_of(store), how);
    must_run(node, "UPDATE marks SET about_id = 1", pool);
    is_str(outgoing(node, pool), "article 1, mark 1, mark 1",
           "  until the next one of its record");
    messages = inbox_outgoing(node, "there", pool)->messages;
    made = APR_ARRAY_IDX(messages, 1, const cm_message_t *);
    next = APR_ARRAY_IDX(messages, 2, const cm_message_t *);
    ok(cm_clocks_of(&next->clocks, "word") > made->clocks.clock &&
           cm_clocks_of(&next->clocks, "word") < next->clocks.clock,
       "  which says what it changed");
}

static void test_left_with(cm_store_t *store, apr_pool_t *pool)
{
    left_with(store, "DELETE FROM articles WHERE id = 2", "is deleted", pool);
}

static void test_left_behind(cm_store_t *store, apr_pool_t *pool)
{
    left_with(store, "UPDATE articles SET id = 3 WHERE id = 2",
              "gets another key", pool);
}

/* Notes of articles, where the database gives the keys of notes, and perhaps
 * (ARTICLES) of articles: a record stays the same when its key changes. */
static cm_node_t *make_given(cm_store_t *store, int articles, apr_pool_t *pool)
{
    const cm_database_e database = cm_dialect_of_store(store)->database;
    const char *given = database == CM_PGSQL ? "serial PRIMARY KEY"
                        : database == CM_MYSQL
                            ? "integer PRIMARY KEY AUTO_INCREMENT"
                            : "integer PRIMARY KEY AUTOINCREMENT";
    cm_settings_t *settings = inbox_settings(pool);
    cm_model_t *model;

    database_run(store,
                 apr_pstrcat(pool, "CREATE TABLE articles (id ",
                             articles ? given : "integer NOT NULL UNIQUE",
                             ", title varchar(40))", NULL));
    database_run(store, apr_pstrcat(pool, "CREATE TABLE notes (id ", given,
                                    ", article_id integer NOT NULL)", NULL));
    model = settings_add_model(settings, "article", "articles", "id", pool);
    model->where = "title LIKE 'open%'";
    model = settings_add_model(settings, "note", "notes", "id", pool);
    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "article_id", .model = "article"};
    return inbox_node(store, settings, pool);
}

/* Peers know the record, whose key changes while it loses its parent. */
static void test_moved(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_given(store, 0, pool);

    database_run(store, "INSERT INTO articles (id, title) VALUES (1, 'open')");
    must_run(node, "INSERT INTO notes (id, article_id) VALUES (1, 1)", pool);
    must_run(node, "UPDATE notes SET id = 9, article_id = 8", pool);
    is_str(outgoing(node, pool), "article 1, note 1, note 1",
           "%s: a record that peers know, with another key and no parent",
           database_of(store));
}

/* A record that can be without the other one, and one of a shared key that
 * cannot. */
static cm_node_t *make_notes(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_model_t *model;

    database_run(store, "CREATE TABLE articles (id integer NOT NULL, title"
                        " varchar(40), UNIQUE (id))");
    database_run(store, "CREATE TABLE notes (id integer NOT NULL PRIMARY KEY,"
                        " article_id integer)");
    database_run(store, "CREATE TABLE labels (id varchar(40) NOT NULL PRIMARY"
                        " KEY, article_id integer NOT NULL)");
    model = settings_add_model(settings, "article", "articles", "id", pool);
    model->where = "title LIKE 'open%'";
    model = settings_add_model(settings, "note", "notes", "id", pool);
    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "article_id", .model = "article"};
    model = settings_add_model(settings, "label", "labels", "id", pool);
    model->shared_keys = 1;
    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "article_id", .model = "article"};
    cm_key_complete(settings);
    return inbox_node(store, settings, pool);
}

static void test_key_changed(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_notes(store, pool);

    database_run(store, "INSERT INTO articles (id, title) VALUES (1, 'open')");
    must_run(node, "INSERT INTO labels (id, article_id) VALUES ('a', 1)", pool);
    must_run(node, "UPDATE labels SET id = 'b'", pool);
    is_str(outgoing(node, pool), "article 1, label a, label b, label a",
           "%s: a record that continues another one is sent",
           database_of(store));
}

static void test_published(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_notes(store, pool);
    const cm_model_t *model = cm_settings_model(node->settings, "article");
    apr_int64_t count;

    must_run(node, "INSERT INTO articles (id, title) VALUES (1, 'open')", pool);
    must_run(node, "DELETE FROM articles", pool);
    database_must(cm_publish_all(&count, node, model, NULL, NULL, pool));
    database_must(cm_stamp_all(&count, node, pool));
    is_str(outgoing(node, pool), "article 1, article 1, article 1",
           "%s: publish sends the deletes, too", database_of(store));
}

#define ARTICLE(id)                                                            \
    MESSAGE(id, "article", 3, "create", 1000, TEXT("title", "open"), )

/* The peer's article 3 is gone, and its key has a row that stays here. */
static void open_again(cm_node_t *node, const char *what, apr_pool_t *pool)
{
    apr_int64_t count;

    must_run(node, "UPDATE articles SET title = 'open' WHERE id = 3", pool);
    database_must(cm_missing_publish(&count, node, pool));
    is_int(count, 1, "%s: %s", database_of(node->store), what);
}

static void test_key_again(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_notes(store, pool);

    (void)inbox_take(node, 0, "[" ARTICLE(1) "]", pool);
    must_run(node, "INSERT INTO notes (id, article_id) VALUES (1, 3)", pool);
    database_run(store, "DELETE FROM articles");
    must_run(node, "INSERT INTO articles (id, title) VALUES (3, 'draft')",
             pool);
    open_again(node, "a key is used again by a row that only later leaves",
               pool);
}

/* What needs the record that has a key now, of which the peers knew another
 * one, or under another key, when SQL, and all before it, got no number yet. */
static void test_replaced(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_notes(store, pool);
    apr_int64_t count;

    must_run(node,
             "INSERT INTO articles (id, title) VALUES (1, 'open'),"
             " (2, 'open')",
             pool);
    (void)outgoing(node, pool);
    database_run(store, "DELETE FROM articles WHERE id = 1");
    database_run(store, "INSERT INTO articles (id, title) VALUES (1, 'draft')");
    database_run(store, "INSERT INTO labels (id, article_id) VALUES ('a', 1)");
    database_run(store, "UPDATE articles SET id = 5 WHERE id = 2");
    database_run(store, "INSERT INTO articles (id, title) VALUES (2, 'draft')");
    must_run(node, "INSERT INTO labels (id, article_id) VALUES ('b', 2)", pool);
    is_str(outgoing(node, pool),
           "article 1, article 2, article 1, article 5, article 2",
           "%s: what needs a row that stays, and has another one's key, stays",
           database_of(store));
    must_run(node, "UPDATE articles SET title = 'open' WHERE id < 3", pool);
    database_must(cm_missing_publish(&count, node, pool));
    is_int(count, 2, "  and leaves with it");
}

/* The same, where peers know it under another key. */
static void test_taken_over(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_given(store, 1, pool);

    must_run(node,
             "INSERT INTO articles (id, title) VALUES (1, 'open'),"
             " (2, 'open')",
             pool);
    must_run(node, "UPDATE articles SET title = 'draft'", pool);
    (void)outgoing(node, pool);
    database_run(store, "UPDATE articles SET id = 3 WHERE id = 1");
    must_run(node, "INSERT INTO notes (id, article_id) VALUES (1, 3)", pool);
    is_str(outgoing(node, pool), "article 1, article 2, note 1",
           "%s: what needs a row that peers know under another key leaves",
           database_of(store));
    database_run(store, "DELETE FROM articles WHERE id = 3");
    database_run(store, "UPDATE articles SET id = 3 WHERE id = 2");
    must_run(node, "INSERT INTO notes (id, article_id) VALUES (2, 3)", pool);
    is_str(outgoing(node, pool),
           "article 1, article 2, note 1, article 1, note 2",
           "  which another one had before");
}

/* The peer's article 3 was deleted here, which nobody notes (deletes=no), and a
 * row that stays here has its key. */
static void test_not_theirs(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_notes(store, pool);

    ((cm_model_t *)cm_settings_model(node->settings, "article"))->deletes = 0;
    settings_migrate(store, node->settings, pool);
    (void)inbox_take(node, 0, "[" ARTICLE(1) "]", pool);
    database_run(store, "DELETE FROM articles");
    database_run(store, "INSERT INTO articles (id, title) VALUES (3, 'draft')");
    (void)inbox_take(node, 1,
                     "[" MESSAGE(2, "article", 3, "update", 9000000000000001,
                                 TEXT("title", "theirs"), BASE(1000)) "]",
                     pool);
    is_str(inbox_value(node, "SELECT title FROM articles WHERE id = 3", pool),
           "draft",
           "%s: a row that stays here is not the one of its key before",
           database_of(store));
}

static void test_grave(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_notes(store, pool);

    (void)inbox_take(node, 0,
                     "[" ARTICLE(1) "," MESSAGE(2, "article", 3, "delete", 2000,
                                                , BASE(1000)) "]",
                     pool);
    database_run(store, "INSERT INTO articles (id, title) VALUES (3, 'draft')");
    must_run(node, "INSERT INTO notes (id, article_id) VALUES (1, 3)", pool);
    (void)outgoing(node, pool);
    open_again(node, "also where a peer deleted the record that had it", pool);
}

/* Number all that waits, a message at a time. */
static void stamp_one_by_one(cm_node_t *node, apr_pool_t *pool)
{
    cm_stamping_t stamping = {.limit = 1};
    int stamped;

    do
        database_must(cm_stamp_chunk(&stamped, node, &stamping, pool));
    while (stamped);
}

/* The row that has the key when the first message is numbered is another one's:
 * a later message says so, which is not read yet. */
static void test_later(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_notes(store, pool);

    database_run(store, "INSERT INTO articles (id, title) VALUES (1, 'draft')");
    database_run(store, "DELETE FROM articles");
    database_run(store, "INSERT INTO articles (id, title) VALUES (1, 'open')");
    stamp_one_by_one(node, pool);
    is_str(outgoing(node, pool), "article 1",
           "%s: a row that stayed is not sent as the one that has its key now",
           database_of(store));
    database_run(store, "INSERT INTO articles (id, title) VALUES (4, 'draft'),"
                        " (5, 'open')");
    database_run(store, "UPDATE articles SET id = 6 WHERE id = 4");
    database_run(store, "UPDATE articles SET id = 4 WHERE id = 5");
    stamp_one_by_one(node, pool);
    is_str(outgoing(node, pool), "article 1, article 4",
           "  nor as one that has taken it");
}

/* Pages that two nodes may make under one key, or with one name. */
static cm_node_t *make_pages(cm_store_t *store, int matches, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_model_t *model;

    database_run(store, "CREATE TABLE pages (id varchar(40) NOT NULL PRIMARY"
                        " KEY, name varchar(40), title varchar(40))");
    model = settings_add_model(settings, "page", "pages", "id", pool);
    model->where = "title LIKE 'open%'";
    model->shared_keys = !matches;
    if (matches)
        APR_ARRAY_PUSH(model->columns.match, const char *) = "name";
    cm_key_complete(settings);
    return inbox_node(store, settings, pool);
}

/* Let a peer make a page that is the one here. */
static void make_theirs(cm_node_t *node, const char *origin, const char *what,
                        apr_pool_t *pool)
{
    const char *message = apr_psprintf(
        pool,
        "[{\"id\":1,\"origin\":\"%s\",\"original_id\":\"a\",\"action\":"
        "\"create\",\"clock\":1000,\"body\":\"{\\\"page\\\":{" TEXT(
            "id", "a") "," TEXT("name", "home") "," TEXT("title",
                                                         "theirs") "}}\"}]",
        origin);

    must_run(node,
             "INSERT INTO pages (id, name, title) VALUES ('a', 'home',"
             " 'draft')",
             pool);
    is_int(inbox_take(node, 0, message, pool), 1, "%s: %s",
           database_of(node->store), what);
    is_str(inbox_value(node, "SELECT title FROM pages", pool), "theirs",
           "  it has the peer's values");
    is_str(inbox_value(node, "SELECT lost_value FROM communicator_conflicts",
                       pool),
           "\"draft\"", "  its own is noted");
    is_str(
        inbox_value(node, "SELECT count(*) FROM communicator_conflicts", pool),
        "1", "  and no other");
}

static void test_taken(cm_store_t *store, apr_pool_t *pool)
{
    make_theirs(make_pages(store, 0, pool), "*",
                "a row that stays here becomes the peer's record of its key",
                pool);
}

/* A delete of a record that was never here. */
static void test_ended(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_pages(store, 0, pool);

    must_run(node,
             "INSERT INTO pages (id, name, title) VALUES ('a', 'home',"
             " 'draft')",
             pool);
    is_int(inbox_take(node, 0,
                      "[{\"id\":1,\"origin\":\"*\",\"original_id\":\"a\","
                      "\"action\":\"delete\",\"clock\":2000,\"base\":1000,"
                      "\"body\":\"{\\\"page\\\":{}}\"}]",
                      pool),
           1, "%s: a delete of a record whose key a row has that stays here",
           database_of(store));
    is_str(inbox_value(node,
                       "SELECT lost_value FROM communicator_conflicts WHERE"
                       " column_name = 'title'",
                       pool),
           "\"draft\"", "  what it takes away is noted");
}

static void test_matched(cm_store_t *store, apr_pool_t *pool)
{
    make_theirs(make_pages(store, 1, pool), "there",
                "a row that stays here becomes the one that it matches", pool);
}

/* A row matches for the first time by a change of one column. */
static void test_let_in(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    const cm_message_t *message;
    cm_model_t *model;
    cm_node_t *node;

    database_run(store, "CREATE TABLE articles (id integer NOT NULL, title"
                        " varchar(40), author varchar(40), UNIQUE (id))");
    model = settings_add_model(settings, "article", "articles", "id", pool);
    model->where = "title LIKE 'open%'";
    cm_key_complete(settings);
    node = inbox_node(store, settings, pool);
    must_run(node, "INSERT INTO articles VALUES (1, 'draft', 'ann')", pool);
    must_run(node, "UPDATE articles SET title = 'open'", pool);
    is_str(outgoing(node, pool), "article 1", "%s: a row matches at last",
           database_of(store));
    message = APR_ARRAY_IDX(inbox_outgoing(node, "there", pool)->messages, 0,
                            const cm_message_t *);
    ok(message->action == CM_CREATE, "  its record is new");
    ok(cm_clocks_of(&message->clocks, "author") == message->clocks.clock,
       "  in all columns");
}

/* A record that may be without one that stays is never kept by that. What
 * cannot be without it is sent though it is gone, as where there is no filter.
 */
static void test_never_kept(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_model_t *model;
    cm_node_t *node;

    database_run(store, "CREATE TABLE articles (id integer NOT NULL PRIMARY"
                        " KEY, title varchar(40))");
    database_run(store, "CREATE TABLE notes (id integer NOT NULL PRIMARY KEY,"
                        " article_id integer)");
    database_run(store, "CREATE TABLE pins (id integer NOT NULL PRIMARY KEY,"
                        " note_id integer NOT NULL)");
    model = settings_add_model(settings, "article", "articles", "id", pool);
    model->where = "title LIKE 'open%'";
    model = settings_add_model(settings, "note", "notes", "id", pool);
    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "article_id", .model = "article"};
    model = settings_add_model(settings, "pin", "pins", "id", pool);
    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "note_id", .model = "note"};
    cm_key_complete(settings);
    node = inbox_node(store, settings, pool);
    database_run(store, "INSERT INTO articles VALUES (1, 'draft')");
    database_run(store, "INSERT INTO notes VALUES (2, 1), (3, 1)");
    database_run(store, "INSERT INTO pins VALUES (4, 2), (5, 3)");
    must_run(node, "DELETE FROM notes WHERE id = 3", pool);
    is_str(outgoing(node, pool), "note 2, note 3, pin 4, pin 5, note 3",
           "%s: what needs a record that no filter keeps leaves",
           database_of(store));
}

int main(void)
{
    apr_initialize();
    database_each("kept", test_kept);
    database_each("gone", test_gone);
    database_each("left with", test_left_with);
    database_each("left behind", test_left_behind);
    database_each("moved", test_moved);
    database_each("key changed", test_key_changed);
    database_each("key again", test_key_again);
    database_each("replaced", test_replaced);
    database_each("taken over", test_taken_over);
    database_each("not theirs", test_not_theirs);
    database_each("grave", test_grave);
    database_each("published", test_published);
    database_each("later", test_later);
    database_each("taken", test_taken);
    database_each("ended", test_ended);
    database_each("matched", test_matched);
    database_each("text", test_text);
    database_each("let in", test_let_in);
    database_each("never kept", test_never_kept);
    apr_terminate();
    return done_testing();
}
