/* What is reported as "does not keep what is written": columns that a trigger
 * of the application changes while messages are applied. Not those that
 * something else changes in the same batch, before the row is written. */
#include "../inbox.h"

#include <apr_general.h>

#include "store/dialect.h"
#include "node/node.h"
#include "outbox/stamp.h"

/* Posts with an editor, and hits, which messages seldom write. RULE: what their
 * foreign keys do. */
static cm_node_t *begin(cm_store_t *store, const char *rule, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node;

    APR_ARRAY_PUSH(inbox_model(settings, "post")->columns.references,
                   cm_reference_t) =
        (cm_reference_t){.column = "editor_id", .model = "author"};
    inbox_tables(store, pool);
    database_run(store, "DROP TABLE posts");
    database_run(
        store,
        apr_psprintf(pool,
                     "CREATE TABLE posts (id integer NOT NULL PRIMARY KEY,"
                     " author_id integer, editor_id integer,"
                     " title varchar(40) UNIQUE, hits integer,"
                     " FOREIGN KEY (author_id) REFERENCES authors (id)%s,"
                     " FOREIGN KEY (editor_id) REFERENCES authors (id)%s)",
                     rule, rule));
    settings_migrate(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    return node;
}

/* Let the application have a trigger on updates of TABLE that does BODY. */
static void add_trigger(cm_store_t *store, const char *table, const char *body,
                        apr_pool_t *pool)
{
    const int is_pgsql = cm_dialect_of_store(store)->database == CM_PGSQL;

    if (is_pgsql)
        database_run(store,
                     apr_psprintf(pool,
                                  "CREATE FUNCTION of_%s() RETURNS trigger"
                                  " LANGUAGE plpgsql AS $$ BEGIN %s;"
                                  " RETURN NULL; END $$",
                                  table, body));
    database_run(
        store,
        is_pgsql
            ? apr_psprintf(pool,
                           "CREATE TRIGGER z_%s AFTER UPDATE ON %s FOR EACH"
                           " ROW EXECUTE FUNCTION of_%s()",
                           table, table, table)
            : apr_psprintf(pool,
                           "CREATE TRIGGER z_%s AFTER UPDATE ON %s FOR EACH"
                           " ROW BEGIN %s; END",
                           table, table, body));
}

/* A trigger on posts that changes nothing: their rows are read back. */
static void add_idle_trigger(cm_store_t *store, apr_pool_t *pool)
{
    add_trigger(store, "posts",
                cm_dialect_of_store(store)->database == CM_SQLITE3
                    ? "SELECT 1"
                    : "UPDATE tags SET color = NULL WHERE name = 'none'",
                pool);
}

/* Return the first column that was reported. */
static const char *reported(cm_node_t *node, apr_pool_t *pool)
{
    return inbox_value(
        node, "SELECT min(column_name) FROM communicator_altered", pool);
}

/* The post 1 of two authors, known to the peer. */
static void take_post(cm_node_t *node, apr_pool_t *pool)
{
    (void)inbox_take(
        node, 0,
        "[" AUTHOR(1, 3, "one") "," AUTHOR(2, 4, "two") "," MESSAGE(
            3, "post", 1, "create", 1000,
            TEXT("title", "t") ",\\\"hits\\\":1,\\\"author_id\\\":3,"
                               "\\\"editor_id\\\":3",
            ",\"refs\":{\"author_id\":{\"model\":\"author\",\"origin\":"
            "\"there\",\"original_id\":3},\"editor_id\":{\"model\":"
            "\"author\",\"origin\":\"there\",\"original_id\":4}}") "]",
        pool);
}

#define RETITLED(id, title)                                                    \
    MESSAGE(id, "post", 1, "update", 2000, TEXT("title", title), BASE(1000))

/* A column that the message does not write. MariaDB's triggers set it before
 * the row is written. */
static void test_trigger(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = begin(store, "", pool);
    const char *sets = "UPDATE posts SET hits = 7 WHERE hits = 1";

    if (cm_dialect_of_store(store)->database == CM_MYSQL)
        database_run(store, "CREATE TRIGGER z_posts BEFORE UPDATE ON posts"
                            " FOR EACH ROW SET NEW.hits = 7");
    else
        add_trigger(store, "posts", sets, pool);
    take_post(node, pool);
    is_int(inbox_take(node, 3, "[" RETITLED(4, "u") "]", pool), 1,
           "%s: a trigger changes a column of a row that is updated",
           database_of(store));
    is_str(reported(node, pool), "hits", "  that is reported");
}

/* A change of the same batch has let a trigger of another table count. */
static void test_counter(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = begin(store, "", pool);

    add_idle_trigger(store, pool);
    add_trigger(store, "authors",
                "UPDATE posts SET hits = hits + 1 WHERE author_id = NEW.id",
                pool);
    take_post(node, pool);
    is_int(inbox_take(node, 3,
                      "[" MESSAGE(4, "author", 3, "update", 2000,
                                  TEXT("name", "new"),
                                  BASE(1000)) "," RETITLED(5, "u") "]",
                      pool),
           2, "%s: a trigger of another table has changed the row before",
           database_of(store));
    is_str(inbox_value(node, "SELECT hits FROM posts", pool), "2",
           "  it counts");
    is_str(reported(node, pool), NULL, "  nothing is reported");
}

/* The author of the post is deleted, and it gets an editor of the same name,
 * who can come only then. */
static void take_namesake(cm_node_t *node, const char *what, apr_pool_t *pool)
{
    static const char batch[] =
        "[" MESSAGE(4, "author", 3, "delete", 2000, , BASE(1000)) "," MESSAGE(
            5, "author", 5, "create", 2000,
            TEXT("name", "one"), ) "," MESSAGE(6, "post", 1, "update", 2000,
                                               "\\\"editor_id\\\":9",
                                               REF("editor_id", "author", 5)
                                                   BASE(1000)) "]";

    is_int(inbox_take(node, 3, batch, pool), 3,
           "%s: a row is updated after it has let go of a deleted one%s",
           database_of(node->store), what);
    is_str(inbox_value(node,
                       "SELECT count(*) FROM posts p JOIN authors a"
                       " ON a.id = p.editor_id WHERE a.name = 'one'"
                       " AND p.author_id IS NULL",
                       pool),
           "1", "  it refers to the new one");
    is_str(reported(node, pool), NULL, "  nothing is reported");
}

static void test_released(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = begin(store, "", pool);

    add_idle_trigger(store, pool);
    take_post(node, pool);
    take_namesake(node, "", pool);
}

static void test_set_null(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = begin(store, " ON DELETE SET NULL", pool);

    add_idle_trigger(store, pool);
    take_post(node, pool);
    take_namesake(node, " (ON DELETE SET NULL)", pool);
}

/* Profiles, whose key is their author, and which have a parent among
 * themselves. RULE: what becomes of that when the key changes. */
static cm_node_t *begin_profiles(cm_store_t *store, const char *rule,
                                 apr_pool_t *pool)
{
    static const char *const references[][2] = {{"author_id", "author"},
                                                {"boss_id", "profile"}};
    cm_settings_t *settings = inbox_settings(pool);
    cm_model_t *model =
        settings_add_model(settings, "profile", "profiles", "author_id", pool);
    cm_node_t *node;
    int i;

    for (i = 0; i < 2; i++)
        APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
            (cm_reference_t){.column = references[i][0],
                             .model = references[i][1]};
    inbox_tables(store, pool);
    database_run(store,
                 apr_psprintf(pool,
                              "CREATE TABLE profiles (author_id integer NOT"
                              " NULL PRIMARY KEY, name varchar(40), boss_id"
                              " integer, FOREIGN KEY (author_id) REFERENCES"
                              " authors (id), FOREIGN KEY (boss_id) REFERENCES"
                              " profiles (author_id)%s)",
                              rule));
    settings_migrate(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    return node;
}

#define PROFILE(id, original, action, clock, author, more)                     \
    MESSAGE(id, "profile", original, action, clock, "\\\"author_id\\\":9",     \
            ",\"refs\":{\"author_id\":{\"model\":\"author\",\"origin\":"       \
            "\"there\",\"original_id\":" #author "}}" more)

/* At the peer another author has got the key of the first one. */
static void move_profile(cm_store_t *store, const char *rule, apr_pool_t *pool)
{
    cm_node_t *node = begin_profiles(store, rule, pool);

    add_trigger(store, "profiles",
                cm_dialect_of_store(store)->database == CM_SQLITE3
                    ? "SELECT 1"
                    : "UPDATE tags SET color = NULL WHERE name = 'none'",
                pool);
    (void)inbox_take(
        node, 0,
        "[" AUTHOR(1, 3, "one") "," AUTHOR(2, 4, "two") "," PROFILE(
            3, 3, "create", 1000, 3, ) "]",
        pool);
    database_run(store, "UPDATE profiles SET boss_id = author_id");
    is_int(inbox_take(node, 3,
                      "[" PROFILE(4, 3, "update", 2000, 4, BASE(1000)) "]",
                      pool),
           1, "%s: the key of a record changes that refers to itself%s",
           database_of(store), rule);
    is_str(inbox_value(node,
                       "SELECT a.name FROM profiles p JOIN authors a ON a.id ="
                       " p.author_id AND a.id = p.boss_id",
                       pool),
           "two", "  it does so again");
    is_str(reported(node, pool), NULL, "  nothing is reported");
}

static void test_moved(cm_store_t *store, apr_pool_t *pool)
{
    move_profile(store, "", pool);
}

static void test_cascade(cm_store_t *store, apr_pool_t *pool)
{
    move_profile(store, " ON UPDATE CASCADE", pool);
}

int main(void)
{
    apr_initialize();
    database_each("a trigger", test_trigger);
    database_each("a trigger of another table", test_counter);
    database_each("released", test_released);
    database_each("SET NULL", test_set_null);
    database_each("a key changes", test_moved);
    database_each("a key cascades", test_cascade);
    apr_terminate();
    return done_testing();
}
