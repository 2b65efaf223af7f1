/* Keys that are used again.
 *
 * A message deletes a parent, the foreign key deletes a child that is known
 * here only, and the same batch brings a record that gets the child's key. The
 * child's delete must be sent as that of the child.
 *
 * The application puts a new parent under the key of a deleted one, to which a
 * row refers. The row must be sent again; where that is received together with
 * what was sent before, the new parent counts.
 *
 * A row has outlived its parent when it is sent. It must name the parent: to
 * the peer NULL would be a value that the column does not accept.
 *
 * A parent is deleted here, and a foreign key deletes its child. The peer does
 * not know that yet, and sends what refers to the child. */
#include "../inbox.h"

#include <apr_general.h>

#include "node/node.h"
#include "outbox/missing.h"
#include "outbox/stamp.h"

/* A blog of one author, there, and one post, here, which dies with it. */
static cm_node_t *begin(cm_store_t *store, const char *key,
                        cm_on_error_e on_error, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    apr_int64_t stamped;
    cm_node_t *node;

    settings->on_error = on_error;
    inbox_tables(store, pool);
    database_run(store, "DROP TABLE posts");
    database_run(store,
                 apr_psprintf(pool,
                              "CREATE TABLE posts (id %s PRIMARY KEY,"
                              " author_id integer NOT NULL,"
                              " title varchar(40) NOT NULL UNIQUE,"
                              " FOREIGN KEY (author_id) REFERENCES authors (id)"
                              " ON DELETE CASCADE)",
                              key));
    settings_migrate(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    (void)inbox_take(node, 0, "[" AUTHOR(1, 3, "one") "]", pool);
    database_run(store, "INSERT INTO posts (id, author_id, title)"
                        " SELECT 1, id, 'x' FROM authors");
    database_must(cm_stamp_all(&stamped, node, pool));
    return node;
}

/* The title is free for the new post only after the old one is gone. */
static void replace(cm_node_t *node, const char *what, apr_pool_t *pool)
{
    apr_int64_t stamped;

    is_int(
        inbox_take(
            node, 1,
            "[" MESSAGE(2, "author", 3, "delete", 2000, ,
                        BASE(1000)) "," AUTHOR(3, 4, "two") "," POST(4, 1, "x",
                                                                     4) "]",
            pool),
        3, "%s: a new record gets the key of one that went with its parent%s",
        database_of(node->store), what);
    database_must(cm_stamp_all(&stamped, node, pool));
    is_str(inbox_value(node,
                       "SELECT m.origin FROM communicator_mappings m"
                       " JOIN posts p ON m.local_record_type = 'Post'"
                       " WHERE m.deleted_at = 0 AND m.local_record_id = '1'"
                       " AND p.id = '1' AND p.title = 'x'",
                       pool),
           "there", "  it is alive, and that of the peer");
}

/* Return the action and the identity of the last message of a post. */
static const char *last_sent(cm_node_t *node, apr_pool_t *pool)
{
    const apr_array_header_t *all =
        inbox_outgoing(node, "there", pool)->messages;
    const cm_message_t *message;
    int i;

    for (i = all->nelts - 1; i >= 0; i--) {
        message = APR_ARRAY_IDX(all, i, cm_message_t *);
        if (!strcmp(message->model, "post"))
            return apr_psprintf(
                pool, "%s %s %s", cm_message_action_name(message->action),
                message->identity.origin, message->identity.original_id);
    }
    return NULL;
}

static void try_both(cm_store_t *store, const char *key, cm_on_error_e on_error,
                     const char *what, apr_pool_t *pool)
{
    cm_node_t *node = begin(store, key, on_error, pool);

    replace(node, what, pool);
    /* InnoDB does not say what its foreign keys delete */
    if (!cm_dialect_of_store(store)->cascades_hidden)
        is_str(last_sent(node, pool), "delete here 1",
               "  the delete of the old one is sent");
}

static void test_key(cm_store_t *store, apr_pool_t *pool)
{
    try_both(store, "varchar(40) NOT NULL", CM_ON_ERROR_PARK, "", pool);
}

static void test_stop(cm_store_t *store, apr_pool_t *pool)
{
    try_both(store, "varchar(40) NOT NULL", CM_ON_ERROR_STOP,
             " (CommunicatorOnError stop)", pool);
}

/* SQLite gives the highest key again, unless it is AUTOINCREMENT. */
static void test_given(cm_store_t *store, apr_pool_t *pool)
{
    if (cm_dialect_of_store(store)->database == CM_SQLITE3)
        try_both(store, "integer", CM_ON_ERROR_PARK, " (given again)", pool);
}

/* The parent that goes is the peer's, so that the new one is the first of this
 * node under its key; the two changes are numbered apart. */
static void test_parent(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_stamping_t stamping = {.limit = 1};
    apr_int64_t count;
    cm_node_t *node;
    int stamped;

    inbox_tables(store, pool);
    database_run(store, "DROP TABLE posts");
    database_run(store,
                 "CREATE TABLE posts (id varchar(40) NOT NULL PRIMARY KEY,"
                 " author_id integer, title varchar(40))");
    settings_migrate(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    (void)inbox_take(node, 0, "[" AUTHOR(1, 3, "one") "]", pool);
    database_run(store, "INSERT INTO posts (id, author_id, title)"
                        " SELECT 'p', id, 'child' FROM authors");
    database_must(cm_stamp_all(&count, node, pool));
    database_run(store, "DELETE FROM authors");
    database_run(store, "INSERT INTO authors (id, name) VALUES (1, 'two')");
    for (stamped = 1; stamped;)
        database_must(cm_stamp_chunk(&stamped, node, &stamping, pool));
    database_must(cm_missing_publish(&count, node, pool));
    is_int(count, 1, "%s: what refers to a replaced parent is sent again",
           database_of(store));
    is_str(inbox_value(node, "SELECT count(*) FROM communicator_missing", pool),
           "0", "  once");
}

/* A record moves to the key of one that is deleted; its mapping was touched
 * before that of the deleted one. */
static void test_moved(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);
    apr_int64_t count;

    database_run(store, "INSERT INTO authors (id, name) VALUES (1, 'one')");
    database_run(store, "INSERT INTO authors (id, name) VALUES (5, 'five')");
    database_must(cm_stamp_all(&count, node, pool));
    database_run(store, "UPDATE authors SET name = 'cinq' WHERE id = 5");
    database_run(store, "DELETE FROM authors WHERE id = 1");
    database_run(store, "UPDATE authors SET id = 1 WHERE id = 5");
    database_must(cm_stamp_all(&count, node, pool));
    is_str(inbox_value(node,
                       "SELECT original_id FROM communicator_mappings"
                       " WHERE local_record_id = '1' AND deleted_at = 0",
                       pool),
           "5", "%s: a record moves to the key of a deleted one",
           database_of(store));
}

/* Receive a child of the author 9, and what is sent again of it: that its
 * author is 10. MESSAGES: between the two. */
static const char *author_of_child(cm_node_t *node, apr_int64_t after,
                                   const char *messages, apr_pool_t *pool)
{
    (void)inbox_take(
        node, after,
        apr_pstrcat(pool, "[" POST(3, 5, "child", 9) ",", messages,
                    MESSAGE(6, "post", 5, "update", 1000,
                            TEXT("title", "child") ",\\\"author_id\\\":99",
                            REF("author_id", "author", 10)) "]",
                    NULL),
        pool);
    return inbox_value(node,
                       "SELECT a.name FROM posts p JOIN authors a"
                       " ON a.id = p.author_id",
                       pool);
}

#define GONE MESSAGE(2, "author", 9, "delete", 2000, , BASE(1000))
#define LATE MESSAGE(4, "author", 9, "delete", 2000, , BASE(1000))

static void test_parent_there(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);

    (void)inbox_take(node, 0, "[" AUTHOR(1, 9, "nine") "," GONE "]", pool);
    is_str(author_of_child(node, 2, AUTHOR(5, 10, "ten") ",", pool), "ten",
           "%s: a child whose parent was replaced has the new one",
           database_of(store));
}

static void test_parent_with(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);

    (void)inbox_take(node, 0, "[" AUTHOR(1, 9, "nine") "]", pool);
    is_str(author_of_child(node, 1, LATE "," AUTHOR(5, 10, "ten") ",", pool),
           "ten", "%s: also if the same batch deletes the old one",
           database_of(store));
}

/* Return the original id of the record that the first message of BATCH refers
 * to, or NULL. */
static const char *parent_in(const cm_batch_t *batch)
{
    const apr_array_header_t *attributes =
        APR_ARRAY_IDX(batch->messages, 0, cm_message_t *)->attributes;
    int i;

    for (i = 0; i < attributes->nelts; i++) {
        const cm_attribute_t *attribute =
            &APR_ARRAY_IDX(attributes, i, cm_attribute_t);

        if (attribute->reference_model)
            return attribute->reference.original_id;
    }
    return NULL;
}

/* A row that is here only, and has no foreign key, is sent when the peer has
 * deleted its parent, whose message came in between. */
static void test_buried(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node;
    cm_batch_t *batch;
    apr_int64_t stamped;

    inbox_tables(store, pool);
    database_run(store, "DROP TABLE posts");
    database_run(store, "CREATE TABLE posts (id integer NOT NULL PRIMARY KEY,"
                        " author_id integer NOT NULL, title varchar(40))");
    settings_migrate(store, inbox_settings(pool), pool);
    database_must(cm_node_open(&node, inbox_settings(pool), store, pool));
    node->history = CM_HISTORY_ROWS; /* references are translated late */
    (void)inbox_take(node, 0, "[" AUTHOR(1, 3, "one") "]", pool);
    database_run(store, "INSERT INTO posts (id, author_id, title)"
                        " SELECT 1, id, 'x' FROM authors");
    database_must(cm_stamp_all(&stamped, node, pool));
    (void)inbox_take(
        node, 1, "[" MESSAGE(2, "author", 3, "delete", 2000, , BASE(1000)) "]",
        pool);
    batch = inbox_outgoing(node, "there", pool);
    is_str(parent_in(batch), "3",
           "%s: a parent that the peer has deleted since is named",
           database_of(store));
}

#define NOTE(id, original, action, clock, post, base)                          \
    MESSAGE(id, "note", original, action, clock, "\\\"post_id\\\":99",         \
            base REF("post_id", "post", post))

/* Authors 3 and 4 have the posts 5 and 6, which go with them; the note 1 is of
 * the post 6. Notes go with their posts, hints stay. */
static cm_node_t *begin_notes(cm_store_t *store, apr_pool_t *pool)
{
    static const char create[] =
        "CREATE TABLE %s (id integer NOT NULL PRIMARY KEY, post_id integer %s,"
        " FOREIGN KEY (post_id) REFERENCES posts (id) ON DELETE %s)";
    static const char *const names[][2] = {{"note", "notes"},
                                           {"hint", "hints"}};
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node;
    int i;

    inbox_tables(store, pool);
    database_run(store, "DROP TABLE posts");
    database_run(store, "CREATE TABLE posts (id integer NOT NULL PRIMARY KEY,"
                        " author_id integer NOT NULL, title varchar(40),"
                        " FOREIGN KEY (author_id) REFERENCES authors (id)"
                        " ON DELETE CASCADE)");
    database_run(store,
                 apr_psprintf(pool, create, "notes", "NOT NULL", "CASCADE"));
    database_run(store, apr_psprintf(pool, create, "hints", "", "SET NULL"));
    for (i = 0; i < 2; i++) {
        cm_model_t *model =
            settings_add_model(settings, names[i][0], names[i][1], "id", pool);

        model->type = names[i][0];
        APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
            (cm_reference_t){.column = "post_id", .model = "post"};
    }
    settings_migrate(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    (void)inbox_take(
        node, 0,
        "[" AUTHOR(1, 3, "one") "," AUTHOR(2, 4, "two") "," POST(
            3, 5, "x", 3) "," POST(4, 6, "y", 4) "," NOTE(5, 1, "create", 1000,
                                                          6, ) "]",
        pool);
    return node;
}

static void test_unseen(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = begin_notes(store, pool);
    apr_int64_t stamped;

    database_run(store, "DELETE FROM authors WHERE name = 'one'");
    database_must(cm_stamp_all(&stamped, node, pool));
    is_int(
        inbox_take(node, 5,
                   "[" NOTE(6, 2, "create", 2000, 5, ) "," NOTE(
                       7, 1, "update", 3000, 5,
                       BASE(1000)) "," MESSAGE(8, "hint", 1, "create", 2000,
                                               "\\\"post_id\\\":99",
                                               REF("post_id", "post", 5)) "]",
                   pool),
        3, "%s: what refers to a row that a foreign key has deleted comes",
        database_of(store));
    is_str(inbox_value(node, "SELECT count(*) FROM notes", pool), "0",
           "  what needs that row is deleted, new or not");
    is_str(inbox_value(node, "SELECT count(*) FROM hints WHERE post_id IS NULL",
                       pool),
           "1", "  what does not need it refers to nothing");
    is_str(last_sent(node, pool), "delete there 5",
           "  and the delete of that row is sent");
}

int main(void)
{
    apr_initialize();
    database_each("a key", test_key);
    database_each("a key, CommunicatorOnError stop", test_stop);
    database_each("a given key", test_given);
    database_each("a parent's key", test_parent);
    database_each("a record moves", test_moved);
    database_each("a parent's key there", test_parent_there);
    database_each("a parent's key there, at once", test_parent_with);
    database_each("a parent that is gone", test_buried);
    database_each("a parent that is gone unseen", test_unseen);
    apr_terminate();
    return done_testing();
}
