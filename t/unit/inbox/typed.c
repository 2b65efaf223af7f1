/* The inbox: references to what another column names,
 * references=COLUMN:{COLUMN}. */
#include "../inbox.h"

#include <string.h>

#include <apr_general.h>

#include "store/dialect.h"
#include "outbox/publish.h"
#include "outbox/stamp.h"

/* A note on record PARENT of MODEL, as KIND says; and a change of note 1. */
#define NOTE(id, original, kind, model, parent)                                \
    MESSAGE(id, "note", original, "create", 1000,                              \
            TEXT("kind", kind) ",\\\"about_id\\\":99",                         \
            REF("about_id", model, parent))
#define CHANGE(id, clock, kind, model, parent)                                 \
    MESSAGE(id, "note", 1, "update", clock,                                    \
            TEXT("kind", kind) ",\\\"about_id\\\":99",                         \
            BASE(1000) REF("about_id", model, parent))

static cm_node_t *make_node(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_database_e database = cm_dialect_of_store(store)->database;
    cm_model_t *model =
        settings_add_model(settings, "note", "notes", "id", pool);
    cm_node_t *node;

    model->type = "Note";
    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "about_id", .type = "kind"};
    (void)settings_add_model(settings, "page", "pages", "id", pool);
    inbox_tables(store, pool);
    database_run(store, "CREATE TABLE pages (id integer NOT NULL PRIMARY KEY,"
                        " text varchar(40), about_id integer)");
    database_run(
        store,
        apr_psprintf(pool,
                     "CREATE TABLE notes (id %s, kind varchar(40), about_id "
                     "integer, text varchar(40))",
                     database == CM_PGSQL ? "serial PRIMARY KEY"
                     : database == CM_MYSQL
                         ? "integer PRIMARY KEY AUTO_INCREMENT"
                         : "integer PRIMARY KEY AUTOINCREMENT"));
    /* other numbers than at the peer, and of posts others than of authors */
    database_run(store, "INSERT INTO authors (name) VALUES ('x'), ('y')");
    database_run(store, "INSERT INTO posts (title) VALUES ('x')");
    settings_migrate(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    (void)inbox_take(
        node, 0,
        "[" AUTHOR(1, 7, "ann") "," MESSAGE(2, "post", 7, "create", 1000,
                                            TEXT("title", "p"), ) "]",
        pool);
    return node;
}

/* Return what the only note is about. */
static const char *about(cm_node_t *node, apr_pool_t *pool)
{
    return inbox_value(
        node,
        "SELECT CASE kind WHEN 'Author' THEN (SELECT name FROM authors a"
        " WHERE a.id = about_id) WHEN 'Post' THEN (SELECT title FROM posts p"
        " WHERE p.id = about_id) ELSE kind END FROM notes",
        pool);
}

static void test_names(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, pool);

    is_int(inbox_take(node, 2, "[" NOTE(3, 1, "Post", "post", 7) "]", pool), 1,
           "%s: a note on a post", database_of(store));
    is_str(about(node, pool), "p", "  is about that");
    is_int(inbox_take(node, 3, "[" CHANGE(4, 2000, "Author", "author", 7) "]",
                      pool),
           1, "it is about something else with the same number");
    is_str(about(node, pool), "ann", "  here, too");
    is_int(inbox_take(node, 4, "[" NOTE(5, 2, "Film", "film", 7) "]", pool), 0,
           "a kind that is no model here is parked");
    is_int(inbox_take(
               node, 5,
               "[" MESSAGE(6, "note", 3, "create", 1000,
                           TEXT("kind", "Film") ",\\\"about_id\\\":7", ) "]",
               pool),
           1, "but not if it is none there either");
    is_str(inbox_value(node, "SELECT about_id FROM notes WHERE kind = 'Film'",
                       pool),
           "7", "  its number is data");
}

/* Both sides change one of the two columns: no mix of both. */
static void test_merge(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, pool);
    const apr_array_header_t *sent;
    const cm_message_t *message;
    apr_int64_t stamped;

    (void)inbox_take(node, 2, "[" NOTE(3, 1, "Post", "post", 7) "]", pool);
    database_run(store, "UPDATE notes SET kind = 'Author', text = 'mine'");
    database_must(cm_stamp_all(&stamped, node, pool));
    sent = inbox_outgoing(node, "there", pool)->messages;
    message = APR_ARRAY_IDX(sent, sent->nelts - 1, cm_message_t *);
    is_str(message->clocks.clock > 1000 ? cm_message_write_refs(message, pool)
                                        : NULL,
           "{\"about_id\":{\"model\":\"author\",\"origin\":\"here\","
           "\"original_id\":2}}",
           "%s: one column changes: it refers to another record",
           database_of(store));
    ok(cm_clocks_of(&message->clocks, "about_id") == message->clocks.clock,
       "  and both columns have changed");
    is_int(inbox_take(node, 3, "[" CHANGE(4, 2000, "Author", "author", 7) "]",
                      pool),
           1, "an older change of both");
    is_str(about(node, pool), "y", "  loses as a whole");
    is_int(inbox_take(node, 4,
                      "[" CHANGE(5, 9000000000000009, "Post", "post", 7) "]",
                      pool),
           1, "a newer one");
    is_str(about(node, pool), "p", "  wins as a whole");
    is_str(inbox_value(node, "SELECT text FROM notes", pool), "mine",
           "  the other columns are merged as ever");
}

/* Two tables have a column of that name, which refers to any model in one of
 * them only. Both are changed in one chunk. */
static void test_namesake(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, pool);
    const apr_array_header_t *sent;
    const cm_message_t *message;
    apr_int64_t stamped;

    (void)inbox_take(node, 2, "[" NOTE(3, 1, "Post", "post", 7) "]", pool);
    database_run(store, "INSERT INTO pages VALUES (1, 'a', 1)");
    database_must(cm_stamp_all(&stamped, node, pool));
    database_run(store, "UPDATE notes SET about_id = 1");
    database_run(store, "UPDATE pages SET about_id = 2");
    database_must(cm_stamp_all(&stamped, node, pool));
    sent = inbox_outgoing(node, "there", pool)->messages;
    message = APR_ARRAY_IDX(sent, sent->nelts - 1, cm_message_t *);
    is_str(message->model, "page", "%s: a change of the other table",
           database_of(store));
    ok(cm_clocks_of(&message->clocks, "about_id") == message->clocks.clock,
       "  changes its column");
    ok(cm_clocks_of(&message->clocks, "text") < message->clocks.clock,
       "  and no other one");
}

/* A gem sends its own numbers. */
static void test_gem(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, pool);
    cm_receipt_t *receipt;

    database_must(inbox_send(
        &receipt, node, "there", 2,
        "[{\"id\":3,\"origin\":\"there\",\"original_id\":\"1\",\"body\":"
        "\"{\\\"note\\\":{\\\"id\\\":1," TEXT(
            "kind", "Author") ",\\\"about_id\\\":7}}\"}]",
        1, pool));
    is_int(receipt->applied, 1, "%s: a gem's note", database_of(store));
    is_str(about(node, pool), "ann", "  is about its own record");
}

/* A record with another kind of key may be referred to, too: what refers to it
 * is sent again when it comes late. */
static void test_keys(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, pool);
    const cm_model_t *model = cm_settings_model(node->settings, "note");
    apr_array_header_t *ids = apr_array_make(pool, 2, sizeof(const char *));
    apr_int64_t published;
    cm_error_t *err;

    (void)inbox_take(node, 2, "[" NOTE(3, 1, "Post", "post", 7) "]", pool);
    APR_ARRAY_PUSH(ids, const char *) = "k4";
    APR_ARRAY_PUSH(ids, const char *) =
        inbox_value(node, "SELECT about_id FROM notes", pool);
    err = cm_publish_referring(&published, node, model, "about_id", ids, pool);
    is_str(err ? cm_error_text(err, pool) : NULL, NULL,
           "%s: what refers to 'k4' is sent again", database_of(store));
    is_int(published, 1, "  no integer does; what refers to 2 is sent");
}

/* One that refers to itself comes together with one that refers to it, and is
 * here, of the same time. */
static void test_circle(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, pool);

    (void)inbox_take(
        node, 2,
        "[" MESSAGE(3, "note", 2, "create", 1000,
                    TEXT("kind", "Note") ",\\\"about_id\\\":null", ) "]",
        pool);
    is_int(inbox_take(node, 3,
                      "[" NOTE(4, 1, "Note", "note", 1) "," NOTE(5, 2, "Note",
                                                                 "note", 1) "]",
                      pool),
           2, "%s: a note on itself, and one on that", database_of(store));
    is_str(inbox_value(node,
                       "SELECT count(*) FROM notes a JOIN notes b ON"
                       " a.about_id = b.id WHERE b.about_id = b.id",
                       pool),
           "2", "  both are about it");
}

/* What an application writes may be no key at all, where keys are of TYPE, such
 * as KEY. */
static void test_no_key(cm_store_t *store, const char *type, const char *key,
                        apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    apr_int64_t count;
    cm_model_t *model;
    cm_node_t *node;
    cm_error_t *err;

    settings_add_peer(settings, "there", pool);
    (void)settings_add_model(settings, "thing", "things", "id", pool);
    model = settings_add_model(settings, "use", "uses", "id", pool);
    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "thing_id", .model = "thing"};
    database_run(store, apr_pstrcat(pool, "CREATE TABLE things (id ", type,
                                    " NOT NULL PRIMARY KEY)", NULL));
    database_run(store, "CREATE TABLE uses (id integer NOT NULL PRIMARY KEY,"
                        " thing_id varchar(40))");
    settings_migrate(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    database_run(store, apr_pstrcat(pool, "INSERT INTO things VALUES ('", key,
                                    "')", NULL));
    database_run(store, "INSERT INTO uses VALUES (1, 'whatever')");
    database_run(store, apr_pstrcat(pool, "INSERT INTO uses VALUES (2, '", key,
                                    "')", NULL));
    err = cm_stamp_all(&count, node, pool);
    is_str(err ? cm_error_text(err, pool) : NULL, NULL,
           "%s: a reference to 'whatever' is numbered, keys are of %s",
           database_of(store), type);
    is_int(inbox_outgoing(node, "there", pool)->messages->nelts, 3,
           "  and sent");
}

static void test_no_text(cm_store_t *store, apr_pool_t *pool)
{
    test_no_key(store, "varchar(40)", "k", pool);
}

static void test_no_uuid(cm_store_t *store, apr_pool_t *pool)
{
    if (cm_dialect_of_store(store)->database != CM_MYSQL ||
        database_is_mariadb(store, pool))
        test_no_key(store, "uuid", "123e4567-e89b-12d3-a456-426614174000",
                    pool);
}

static void test_no_address(cm_store_t *store, apr_pool_t *pool)
{
    if (cm_dialect_of_store(store)->database == CM_PGSQL)
        test_no_key(store, "inet", "10.0.0.1", pool);
}

static void test_no_enum(cm_store_t *store, apr_pool_t *pool)
{
    if (cm_dialect_of_store(store)->database != CM_PGSQL)
        return;
    database_run(store, "CREATE TYPE kinds AS ENUM ('k', 'l')");
    test_no_key(store, "kinds", "k", pool);
}

int main(void)
{
    apr_initialize();
    database_each("names", test_names);
    database_each("merge", test_merge);
    database_each("namesake", test_namesake);
    database_each("gem", test_gem);
    database_each("keys", test_keys);
    database_each("circle", test_circle);
    database_each("no text", test_no_text);
    database_each("no uuid", test_no_uuid);
    database_each("no address", test_no_address);
    database_each("no enum", test_no_enum);
    apr_terminate();
    return done_testing();
}
