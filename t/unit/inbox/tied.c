/* The inbox: records that must refer to each other, so that none can come
 * first. */
#include "../inbox.h"

#include <apr_general.h>
#include <apr_strings.h>

#include "store/dialect.h"
#include "schema/migrate.h"

#define HEAD(id, original, name, body)                                         \
    MESSAGE(id, "head", original, "create", 1000,                              \
            TEXT("name", name) ",\\\"body_id\\\":99",                          \
            REF("body_id", "body", body))
#define BODY(id, original, name, head)                                         \
    MESSAGE(id, "body", original, "create", 1000,                              \
            TEXT("name", name) ",\\\"head_id\\\":99",                          \
            REF("head_id", "head", head))

/* A page that must be on a shelf page, and may have a next one. */
#define PAGE(id, original, shelf, next)                                        \
    MESSAGE(id, "page", original, "create", 1000,                              \
            "\\\"shelf_id\\\":99,\\\"next_id\\\":99",                          \
            ",\"refs\":{\"shelf_id\":" PAGE_REF(                               \
                shelf) ",\"next_id\":" PAGE_REF(next) "}")
/* The same, and it must be of a book. */
#define BOOK(id, original, shelf, book, next)                                  \
    MESSAGE(                                                                   \
        id, "page", original, "create", 1000,                                  \
        "\\\"shelf_id\\\":99,\\\"book_id\\\":99,\\\"next_id\\\":99",           \
        ",\"refs\":{\"shelf_id\":" PAGE_REF(shelf) ",\"book_id\":" PAGE_REF(   \
            book) ",\"next_id\":" PAGE_REF(next) "}")
#define PAGE_REF(original)                                                     \
    "{\"model\":\"page\",\"origin\":\"there\",\"original_id\":" #original "}"

static void add_model(cm_settings_t *settings, const char *name,
                      const char *table, const char *column, const char *parent,
                      apr_pool_t *pool)
{
    cm_model_t *model = settings_add_model(settings, name, table, "id", pool);

    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = column, .model = parent};
}

static const char *key_type(cm_database_e database)
{
    return database == CM_PGSQL   ? "serial PRIMARY KEY"
           : database == CM_MYSQL ? "integer PRIMARY KEY AUTO_INCREMENT"
                                  : "integer PRIMARY KEY AUTOINCREMENT";
}

/* When a foreign key is checked; "": at once. */
#define AT_END " DEFERRABLE INITIALLY DEFERRED"

/* Let COLUMN of TABLE refer to PARENT. */
static void add_foreign(cm_store_t *store, const char *table,
                        const char *column, const char *parent,
                        const char *checked, apr_pool_t *pool)
{
    if (cm_dialect_of_store(store)->database == CM_PGSQL)
        database_run(store, apr_psprintf(pool,
                                         "ALTER TABLE %s ADD FOREIGN KEY (%s)"
                                         " REFERENCES %s (id)%s",
                                         table, column, parent, checked));
}

/* Make two tables that refer to each other. Foreign keys are checked as HEAD
 * and BODY say; MariaDB cannot have any here. The rows have other numbers than
 * at the peer. */
static cm_node_t *make_node(cm_store_t *store, const char *head,
                            const char *body, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    const cm_database_e database = cm_dialect_of_store(store)->database;
    const char *table = "CREATE TABLE %s (id %s, name varchar(40),"
                        " %s integer NOT NULL%s%s)";
    const int here = database == CM_SQLITE3;
    cm_node_t *node;

    settings->models->nelts = 0;
    add_model(settings, "head", "heads", "body_id", "body", pool);
    add_model(settings, "body", "bodies", "head_id", "head", pool);
    database_run(store,
                 apr_psprintf(pool, table, "heads", key_type(database),
                              "body_id", here ? " REFERENCES bodies (id)" : "",
                              here ? head : ""));
    database_run(store,
                 apr_psprintf(pool, table, "bodies", key_type(database),
                              "head_id", here ? " REFERENCES heads (id)" : "",
                              here ? body : ""));
    if (here)
        database_run(store, "PRAGMA foreign_keys = OFF");
    database_run(store, "INSERT INTO bodies (name, head_id) VALUES ('x', 1)");
    database_run(store, "INSERT INTO heads (name, body_id) VALUES ('x', 1)");
    if (here)
        database_run(store, "PRAGMA foreign_keys = ON");
    add_foreign(store, "heads", "body_id", "bodies", head, pool);
    add_foreign(store, "bodies", "head_id", "heads", body, pool);
    settings_migrate(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    return node;
}

static const char *pairs(cm_node_t *node, apr_pool_t *pool)
{
    return inbox_value(node,
                       "SELECT count(*) FROM heads h JOIN bodies b ON b.id ="
                       " h.body_id AND h.id = b.head_id AND h.name = b.name",
                       pool);
}

/* Make a table whose rows must refer to one of them, with BOOKS to a second
 * one, and may refer to another. */
static cm_node_t *make_pages(cm_store_t *store, int books, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    const cm_database_e database = cm_dialect_of_store(store)->database;
    cm_model_t *model;
    cm_node_t *node;

    settings->models->nelts = 0;
    add_model(settings, "page", "pages", "shelf_id", "page", pool);
    model = APR_ARRAY_IDX(settings->models, 0, cm_model_t *);
    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "next_id", .model = "page"};
    if (books)
        APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
            (cm_reference_t){.column = "book_id", .model = "page"};
    database_run(
        store,
        apr_psprintf(pool,
                     "CREATE TABLE pages (id %s, shelf_id integer NOT"
                     " NULL%s%s, next_id integer%s)",
                     key_type(database),
                     database == CM_MYSQL ? "" : " REFERENCES pages (id)",
                     database == CM_MYSQL ? "" : AT_END,
                     books ? ", book_id integer NOT NULL" : ""));
    if (!books)
        database_run(store, "INSERT INTO pages (shelf_id) VALUES (1)");
    settings_migrate(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    return node;
}

static void test_itself(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_pages(store, 0, pool);

    is_int(inbox_take(node, 0, "[" PAGE(1, 7, 7, 7) "]", pool), 1,
           "%s: a record that must refer to itself comes", database_of(store));
    is_str(inbox_value(node,
                       "SELECT count(*) FROM pages WHERE id > 1 AND id ="
                       " shelf_id AND id = next_id",
                       pool),
           "1", "  and does");
}

/* The first must refer to itself only, but may refer to the second one, which
 * must refer to the first. */
static void test_with_others(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_pages(store, 0, pool);

    is_int(inbox_take(node, 0, "[" PAGE(1, 7, 7, 8) "," PAGE(2, 8, 7, 8) "]",
                      pool),
           2, "%s: records that must or may refer to each other come",
           database_of(store));
    is_str(
        inbox_value(node,
                    "SELECT count(*) FROM pages a JOIN pages b ON a.next_id ="
                    " b.id AND b.next_id = b.id AND b.shelf_id = a.id WHERE"
                    " a.shelf_id = a.id AND a.id > 1 AND a.id <> b.id",
                    pool),
        "1", "  and do");
}

static void test_deferred(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, AT_END, AT_END, pool);
    cm_receipt_t *receipt;

    is_int(inbox_take(node, 0,
                      "[" HEAD(1, 1, "one", 1) "," BODY(2, 1, "one", 1) "]",
                      pool),
           2, "%s: two that must refer to each other come", database_of(store));
    is_str(pairs(node, pool), "2", "  and do");
    database_must(inbox_send(&receipt, node, "there", 2,
                             "[" HEAD(3, 2, "two", 2) "]", 0, pool));
    is_int(receipt->applied, 0, "one alone waits");
    database_must(inbox_send(
        &receipt, node, "there", 3,
        "[" BODY(4, 2, "two", 2) "," HEAD(5, 3, "three", 2) "]", 0, pool));
    database_must(cm_inbox_retry(&receipt, node, "there", pool));
    is_int(
        receipt->applied, 3,
        "  until the other is here; and so does a third one that needs them");
    is_str(pairs(node, pool), "3", "  they refer to each other, too");
    is_str(inbox_value(node,
                       "SELECT b.name FROM heads h JOIN bodies b ON b.id ="
                       " h.body_id WHERE h.name = 'three'",
                       pool),
           "two", "  and the third one to one of them");
}

/* What one of them says later cannot be applied: that keeps back none. */
static void test_followed(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, AT_END, AT_END, pool);

    is_int(inbox_take(
               node, 0,
               "[" HEAD(1, 1, "one", 1) "," BODY(2, 1, "one", 1) "," MESSAGE(
                   3, "head", 1, "update", 2000,
                   TEXT("name", "two") "," NONE("body_id"), BASE(1000)) "]",
               pool),
           2, "%s: two come, though a later change of one cannot",
           database_of(store));
    is_str(pairs(node, pool), "2", "  they refer to each other");
}

/* The same as HEAD, with a hat that is nobody's. */
#define HATTED(id, original, name, body)                                       \
    MESSAGE(id, "head", original, "create", 1000,                              \
            TEXT("name", name) ",\\\"body_id\\\":99,\\\"hat\\\":12345",        \
            REF("body_id", "body", body))

/* Let heads refer to hats, which are heads, too: but the peer's number is taken
 * as it is, and looked for when the transaction ends. */
static cm_node_t *make_hats(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, AT_END, AT_END, pool);

    database_run(store, "ALTER TABLE heads ADD COLUMN hat integer"
                        " REFERENCES heads (id)" AT_END);
    settings_migrate(store, (cm_settings_t *)node->settings, pool);
    cm_node_forget(node);
    return node;
}

/* Two records come, and with them REST, that is WHAT, which breaks a
 * constraint: PARKED messages are left, and none of the two. */
static void test_bad(cm_store_t *store, const char *rest, const char *what,
                     const char *parked, apr_pool_t *pool)
{
    cm_node_t *node;

    if (cm_dialect_of_store(store)->database == CM_MYSQL)
        return;
    node = make_hats(store, pool);
    is_int(inbox_take(node, 0,
                      apr_pstrcat(
                          pool,
                          "[" HEAD(1, 1, "one", 1) "," BODY(2, 1, "one", 1) ",",
                          rest, "]", NULL),
                      pool),
           2, "%s: two come, though %s cannot", database_of(store), what);
    is_str(pairs(node, pool), "2", "  they refer to each other");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM inbound_messages"
                       " WHERE processed_at IS NULL AND id > 2",
                       pool),
           parked, "  and only what is wrong is parked");
}

static void test_with_bad(cm_store_t *store, apr_pool_t *pool)
{
    test_bad(store, HATTED(3, 2, "bad", 1), "one that needs them", "1", pool);
}

static void test_bad_couple(cm_store_t *store, apr_pool_t *pool)
{
    test_bad(store, HATTED(3, 2, "bad", 2) "," BODY(4, 2, "bad", 2),
             "another couple", "2", pool);
}

static void test_bad_later(cm_store_t *store, apr_pool_t *pool)
{
    test_bad(
        store,
        MESSAGE(3, "head", 1, "update", 2000, "\\\"hat\\\":12345", BASE(1000)),
        "a later change of one", "1", pool);
}

/* Another couple, which the same batch deletes, has a unique value of one of
 * them. */
static void test_freed(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, AT_END, AT_END, pool);

    database_run(store, "CREATE UNIQUE INDEX heads_name ON heads (name)");
    (void)inbox_take(
        node, 0, "[" HEAD(1, 1, "one", 1) "," BODY(2, 1, "one", 1) "]", pool);
    is_int(inbox_take(
               node, 2,
               "[" HEAD(3, 2, "one", 2) "," BODY(4, 2, "one", 2) "," MESSAGE(
                   5, "head", 1, "delete", 2000, ,
                   BASE(1000)) "," MESSAGE(6, "body", 1, "delete", 2000, ,
                                           BASE(1000)) "]",
               pool),
           4, "%s: two come in place of two that are deleted",
           database_of(store));
    is_str(pairs(node, pool), "2", "  and refer to each other");
}

/* A foreign key that is checked at once refuses the first of them, whichever
 * that is. */
static void test_at_once(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node;
    cm_receipt_t *receipt;

    if (cm_dialect_of_store(store)->database == CM_MYSQL)
        return;
    node = make_node(store, "", "", pool);
    database_must(inbox_send(
        &receipt, node, "there", 0,
        "[" HEAD(1, 41, "one", 42) "," BODY(2, 42, "one", 41) "]", 0, pool));
    is_int(receipt->applied, 0, "%s: a foreign key forbids both",
           database_of(store));
    is_str(inbox_value(node,
                       "SELECT count(*) FROM inbound_messages WHERE"
                       " processed_at IS NULL AND error LIKE '%%each other%%'",
                       pool),
           "2", "  which both say");
    is_str(inbox_value(node, "SELECT count(*) FROM heads", pool), "1",
           "  and neither is here in part");
}

/* One foreign key is checked at once, whichever that is: then its table comes
 * second. */
static void test_one_at_once(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, "", AT_END, pool);

    is_int(inbox_take(node, 0,
                      "[" HEAD(1, 41, "one", 42) "," BODY(2, 42, "one", 41) "]",
                      pool),
           2, "%s: one foreign key forbids no pair", database_of(store));
    is_str(pairs(node, pool), "2", "  they refer to each other");
}

static void test_other_at_once(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, AT_END, "", pool);

    is_int(inbox_take(node, 0,
                      "[" HEAD(1, 41, "one", 42) "," BODY(2, 42, "one", 41) "]",
                      pool),
           2, "%s: nor does the other one", database_of(store));
    is_str(pairs(node, pool), "2", "  they refer to each other");
}

/* Let COLUMN of authors refer to MODEL. */
static void refer(cm_settings_t *settings, const char *column,
                  const char *model)
{
    APR_ARRAY_PUSH(inbox_model(settings, "author")->columns.references,
                   cm_reference_t) =
        (cm_reference_t){.column = column, .model = model};
}

/* Authors that may refer to each other. */
static cm_node_t *make_bosses(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node;

    refer(settings, "boss_id", "author");
    inbox_tables(store, pool);
    database_run(store, "ALTER TABLE authors ADD COLUMN boss_id integer");
    settings_migrate(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    return node;
}

static void is_own_boss(cm_node_t *node, apr_pool_t *pool)
{
    is_str(inbox_value(node,
                       "SELECT b.name FROM authors a JOIN authors b"
                       " ON b.id = a.boss_id",
                       pool),
           "one", "  and refers to itself");
}

#define BOSS(id, action, clock, boss, more)                                    \
    MESSAGE(id, "author", 3, action, clock,                                    \
            TEXT("name", "one") ",\\\"boss_id\\\":" #boss,                     \
            REF("boss_id", "author", boss) more)

/* A record refers to itself, and its messages cannot be applied together. */
static void test_itself_alone(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_bosses(store, pool);

    is_int(inbox_take(node, 0,
                      "[" BOSS(1, "create", 1000, 3, ) "," MESSAGE(
                          2, "author", 3, "update", 2000, NONE("name"), ) "]",
                      pool),
           1, "%s: a record that refers to itself comes, its update does not",
           database_of(store));
    is_own_boss(node, pool);
}

#define NAMED(column, model, original)                                         \
    "\"" column "\":{\"model\":\"" model                                       \
    "\",\"origin\":\"there\",\"original_id\":" #original "}"
#define FIRST                                                                  \
    MESSAGE(2, "author", 3, "create", 1000,                                    \
            TEXT("name", "one") ",\\\"boss_id\\\":3," NONE("top_id"),          \
            REF("boss_id", "author", 3))
#define LATE                                                                   \
    MESSAGE(3, "author", 3, "update", 1001,                                    \
            TEXT("name", "one") ",\\\"boss_id\\\":3,\\\"top_id\\\":8",         \
            ",\"clocks\":[\"top_id\",1000],\"refs\":{" NAMED(                  \
                "boss_id", "author", 3) "," NAMED("top_id", "post", 8) "}")

/* What it must refer to besides was not there when it was sent first. Where
 * people decide, its own messages are in no conflict with each other. */
static void test_itself_late(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_receipt_t *receipt;
    cm_node_t *node;

    inbox_model(settings, "author")->conflict = CM_CONFLICT_HOLD;
    refer(settings, "top_id", "post");
    refer(settings, "boss_id", "author");
    inbox_tables(store, pool);
    database_run(store, "ALTER TABLE authors ADD COLUMN boss_id integer");
    database_run(store, "ALTER TABLE authors ADD COLUMN top_id integer NOT NULL"
                        " DEFAULT 0");
    settings_migrate(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    database_must(inbox_send(&receipt, node, "there", 0,
                             "[" MESSAGE(1, "post", 8, "create", 1000,
                                         TEXT("title", "best"), ) "," FIRST
                                                                  "," LATE "]",
                             0, pool));
    is_int(receipt->applied, 3,
           "%s: conflict=hold: it comes with a late reference",
           database_of(store));
    is_own_boss(node, pool);
    is_str(inbox_value(node,
                       "SELECT title FROM authors JOIN posts ON posts.id ="
                       " top_id",
                       pool),
           "best", "  and to what came late");
}

/* It refers to another one before and after that, which does not come. */
static void test_itself_between(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_bosses(store, pool);

    is_int(inbox_take(
               node, 0,
               "[" BOSS(1, "create", 1000, 9, ) "," BOSS(
                   2, "update", 2000, 3,
                   BASE(1000)) "," BOSS(3, "update", 3000, 9, BASE(2000)) "]",
               pool),
           2, "%s: a record comes as far as it refers to itself",
           database_of(store));
    is_own_boss(node, pool);
}

#define ROOT(id, body)                                                         \
    MESSAGE(id, "head", 1, "create", 1000,                                     \
            TEXT("name", "one") ",\\\"body_id\\\":99,\\\"own_id\\\":1",        \
            ",\"refs\":{\"body_id\":{\"model\":\"body\",\"origin\":\"there\"," \
            "\"original_id\":" #body "},\"own_id\":{\"model\":\"head\","       \
            "\"origin\":\"there\",\"original_id\":1}}")

/* Two records refer to each other, and one of them to itself; only one of the
 * three must. */
static void test_itself_and_another(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    const cm_database_e database = cm_dialect_of_store(store)->database;
    cm_model_t *model;
    cm_node_t *node;

    settings->models->nelts = 0;
    add_model(settings, "head", "heads", "body_id", "body", pool);
    model = APR_ARRAY_IDX(settings->models, 0, cm_model_t *);
    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "own_id", .model = "head"};
    add_model(settings, "body", "bodies", "head_id", "head", pool);
    database_run(store,
                 apr_psprintf(pool,
                              "CREATE TABLE heads (id %s, name varchar(40),"
                              " body_id integer NOT NULL, own_id integer)",
                              key_type(database)));
    database_run(store,
                 apr_psprintf(pool,
                              "CREATE TABLE bodies (id %s, name varchar(40),"
                              " head_id integer)",
                              key_type(database)));
    database_run(store, "INSERT INTO heads (name, body_id) VALUES ('x', 99)");
    settings_migrate(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    is_int(
        inbox_take(node, 0, "[" ROOT(1, 1) "," BODY(2, 1, "one", 1) "]", pool),
        2, "%s: two that refer to each other come, one to itself, too",
        database_of(store));
    is_str(inbox_value(node,
                       "SELECT count(*) FROM heads h JOIN bodies b ON b.id ="
                       " h.body_id AND h.id = b.head_id WHERE h.own_id = h.id",
                       pool),
           "1", "  and do");
}

/* Two must refer to each other, and one of them to a third, which may refer to
 * that. */
static void test_third(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_pages(store, 1, pool);

    (void)inbox_take(node, 0, "[" BOOK(1, 6, 6, 6, 6) "]", pool);
    is_int(inbox_take(node, 1,
                      "[" BOOK(2, 7, 8, 9, 6) "," BOOK(3, 8, 7, 6, 6) "," BOOK(
                          4, 9, 6, 6, 7) "]",
                      pool),
           3, "%s: two that are tied come with what one needs",
           database_of(store));
}

/* A page leaves a shelf that is deleted, for one that comes later: it is not
 * deleted with the former one. */
static void test_moved_on(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_pages(store, 0, pool);
    cm_receipt_t *receipt;

    database_must(inbox_send(
        &receipt, node, "there", 0,
        "[" PAGE(1, 7, 7, 7) "," PAGE(2, 8, 7, 7) "," PAGE(
            3, 9, 8,
            7) "," MESSAGE(4, "page", 9, "update", 2000, "\\\"shelf_id\\\":99",
                           REF("shelf_id", "page", 10)
                               BASE(1000)) "," MESSAGE(5, "page", 8, "delete",
                                                       2000, , BASE(1000)) "]",
        0, pool));
    database_must(inbox_send(&receipt, node, "there", 5,
                             "[" PAGE(6, 10, 7, 7) "]", 0, pool));
    database_must(cm_inbox_retry(&receipt, node, "there", pool));
    is_str(inbox_value(node,
                       "SELECT count(*) FROM pages a JOIN pages b ON b.id ="
                       " a.shelf_id WHERE a.id > 1 AND a.id <> b.id",
                       pool),
           "2", "%s: a record that has left its parent does not go with it",
           database_of(store));
}

/* A page waits for another one that waits for it, and must be of a deleted
 * book, in the last column: they go with that book. */
static void test_dead_book(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_pages(store, 1, pool);

    (void)inbox_take(
        node, 0,
        "[" BOOK(1, 6, 6, 6, 6) "," BOOK(2, 7, 7, 7, 7) "," MESSAGE(
            3, "page", 7, "delete", 2000, , BASE(1000)) "]",
        pool);
    is_int(inbox_take(node, 3,
                      "[" BOOK(4, 8, 9, 7, 6) "," BOOK(5, 9, 8, 6, 6) "]",
                      pool),
           2, "%s: two that are tied go with a deleted one that one needs",
           database_of(store));
    is_str(inbox_value(node, "SELECT count(*) FROM pages", pool), "1",
           "  and have no rows");
}

int main(void)
{
    apr_initialize();
    database_each("at the end", test_deferred);
    database_each("followed", test_followed);
    database_each("with a bad one", test_with_bad);
    database_each("a bad couple", test_bad_couple);
    database_each("a bad change", test_bad_later);
    database_each("freed", test_freed);
    database_each("at once", test_at_once);
    database_each("one at once", test_one_at_once);
    database_each("other at once", test_other_at_once);
    database_each("itself", test_itself);
    database_each("itself, alone", test_itself_alone);
    database_each("itself, and late", test_itself_late);
    database_each("itself, between", test_itself_between);
    database_each("with others", test_with_others);
    database_each("itself, and another", test_itself_and_another);
    database_each("and a third", test_third);
    database_each("moved on", test_moved_on);
    database_each("a dead book", test_dead_book);
    apr_terminate();
    return done_testing();
}
