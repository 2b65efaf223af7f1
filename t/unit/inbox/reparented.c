/* The key of a record is a reference, and comes to refer to a parent that comes
 * in the same batch: the row here, which has something that only this node has,
 * is given its new key when that parent is here. */
#include "../inbox.h"

#include <apr_general.h>
#include <apr_strings.h>

#include "config/key.h"
#include "schema/migrate.h"
#include "store/dialect.h"

#define PERSON(id, original, name, boss)                                       \
    MESSAGE(id, "person", original, "create", 1000,                            \
            TEXT("name", name) ",\\\"boss_id\\\":99",                          \
            REF("boss_id", "person", boss))

/* The detail of person 3 becomes that of person 4. */
#define MOVED                                                                  \
    MESSAGE(10, "detail", 6, "create", 2000, "\\\"person_id\\\":99",           \
            BASE(1000) ",\"refs\":{\"\":[\"detail\",5],\"person_id\":"         \
                       "[\"person\",4]}")                                      \
    "," MESSAGE(11, "detail", 5, "delete", 2000, ,                             \
                BASE(1000) ",\"refs\":{\"\":[\"detail\",6]}")

static cm_settings_t *make_settings(apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    cm_model_t *model;

    settings_add_peer(settings, "there", pool);
    model = settings_add_model(settings, "person", "people", "id", pool);
    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "boss_id", .model = "person"};
    model =
        settings_add_model(settings, "detail", "details", "person_id", pool);
    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "person_id", .model = "person"};
    cm_key_complete(settings);
    return settings;
}

/* Make tables of people, whose bosses are as BOSS says, and of what is said of
 * them, with one row of each. */
static cm_node_t *make_node(cm_store_t *store, const char *boss,
                            apr_pool_t *pool)
{
    const cm_database_e database = cm_dialect_of_store(store)->database;
    cm_settings_t *settings = make_settings(pool);
    cm_node_t *node;

    database_run(store,
                 apr_psprintf(pool,
                              "CREATE TABLE people (id %s, name varchar(40)"
                              " UNIQUE, boss_id integer %s)",
                              database == CM_PGSQL   ? "serial PRIMARY KEY"
                              : database == CM_MYSQL ? "integer PRIMARY KEY"
                                                       " AUTO_INCREMENT"
                                                     : "integer PRIMARY KEY"
                                                       " AUTOINCREMENT",
                              boss));
    database_run(store, "CREATE TABLE details (person_id integer NOT NULL"
                        " PRIMARY KEY, own varchar(40))");
    settings_migrate(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    (void)inbox_take(node, 0,
                     "[" PERSON(1, 3, "one", 3) "," MESSAGE(
                         2, "detail", 5, "create", 1000, "\\\"person_id\\\":99",
                         REF("person_id", "person", 3)) "]",
                     pool);
    database_run(store, "UPDATE details SET own = 'mine'");
    return node;
}

/* BEFORE and BEHIND come with the detail that comes to be one of the person
 * two. All that is WHAT. */
static void take(cm_node_t *node, apr_int64_t after, const char *before,
                 const char *behind, const char *what, apr_pool_t *pool)
{
    (void)inbox_take(
        node, after,
        apr_pstrcat(pool, "[", before, "," MOVED, behind, "]", NULL), pool);
    is_str(inbox_value(node,
                       "SELECT name FROM people JOIN details ON id ="
                       " person_id WHERE own = 'mine'",
                       pool),
           "two", "%s: %s: then it has its row", database_of(node->store),
           what);
    is_str(inbox_value(node, "SELECT count(*) FROM details", pool), "1",
           "  and no other one");
    is_str(
        inbox_value(node, "SELECT count(*) FROM communicator_conflicts", pool),
        "0", "  and nothing is lost");
}

#define NO_BOSS(id, original, name)                                            \
    MESSAGE(id, "person", original, "create", 1000, TEXT("name", name), )

static void test_new_parent(cm_store_t *store, apr_pool_t *pool)
{
    take(make_node(store, "", pool), 2, NO_BOSS(3, 4, "two"), "",
         "the key of a record refers to a new one", pool);
}

static void test_itself(cm_store_t *store, apr_pool_t *pool)
{
    take(make_node(store, "", pool), 2, PERSON(3, 4, "two", 4), "",
         "the key of a record refers to one that refers to itself", pool);
}

/* Where foreign keys are checked at the end, the database says so only then. */
static const char *must(cm_store_t *store)
{
    return cm_dialect_of_store(store)->database == CM_MYSQL
               ? "NOT NULL"
               : "NOT NULL REFERENCES people (id) DEFERRABLE INITIALLY"
                 " DEFERRED";
}

static void test_must_itself(cm_store_t *store, apr_pool_t *pool)
{
    take(make_node(store, must(store), pool), 2, PERSON(3, 4, "two", 4), "",
         "the key of a record refers to one that must refer to itself", pool);
}

static void test_each_other(cm_store_t *store, apr_pool_t *pool)
{
    take(make_node(store, must(store), pool), 2,
         PERSON(3, 4, "two", 7) "," PERSON(4, 7, "three", 4), "",
         "the key of a record refers to one of two that are tied", pool);
}

/* The name of the new person is free only behind the detail. */
static void test_retried(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, "", pool);

    (void)inbox_take(node, 2, "[" NO_BOSS(3, 8, "two") "]", pool);
    take(node, 3, NO_BOSS(4, 4, "two"),
         "," MESSAGE(12, "person", 8, "update", 2000, TEXT("name", "three"),
                     BASE(1000)),
         "the key of a record refers to one that is refused first", pool);
}

int main(void)
{
    apr_initialize();
    database_each("a new parent", test_new_parent);
    database_each("itself", test_itself);
    database_each("must, itself", test_must_itself);
    database_each("each other", test_each_other);
    database_each("retried", test_retried);
    apr_terminate();
    return done_testing();
}
