/* The tables of records: made by migrate, filled from the one table of earlier
 * versions, following what the application does to its keys. */
#include "schema/migrate.h"
#include "schema/records.h"
#include "../gem.h"

static void count_step(void *baton, const char *what, const char *sql)
{
    (void)what;
    (void)sql;
    ++*(int *)baton;
}

/* Return the number of steps of migrate. */
static int migrate(cm_store_t *store, const cm_settings_t *settings,
                   apr_pool_t *pool)
{
    int steps = 0;

    database_must(cm_migrate_run(store, settings, 0, count_step, &steps, pool));
    return steps;
}

static cm_settings_t *make_settings(apr_pool_t *pool)
{
    cm_settings_t *settings = gem_settings(pool);

    cm_model_t *post =
        settings_add_model(settings, "post", "posts", "id", pool);
    cm_model_t *tag = settings_add_model(settings, "tag", "tags", "name", pool);

    post->type = "Post";
    tag->type = "Tag";
    post->publishes = tag->publishes = 0; /* no triggers in the way */
    return settings;
}

static void make_tables(cm_store_t *store)
{
    database_run(store, "CREATE TABLE posts (id integer NOT NULL PRIMARY KEY,"
                        " title varchar(40), text varchar(40))");
    database_run(store, "CREATE TABLE tags (name varchar(40) NOT NULL"
                        " PRIMARY KEY)");
}

static const cm_records_t *records_of(cm_store_t *store, const char *type,
                                      apr_pool_t *pool)
{
    apr_hash_t *all;

    database_must(cm_records_read(&all, store, pool));
    return apr_hash_get(all, type, APR_HASH_KEY_STRING);
}

static void test_made(cm_store_t *store, apr_pool_t *pool)
{
    const int sqlite = cm_dialect_of_store(store)->database == CM_SQLITE3;
    cm_settings_t *settings = make_settings(pool);
    const cm_records_t *posts;

    make_tables(store);
    ok(migrate(store, settings, pool) > 0, "%s: migrate", database_of(store));
    posts = records_of(store, "Post", pool);
    is_int(posts->keys_are_integers, 1, "  knows integer keys");
    is_int(posts->integer, !sqlite, "  which only SQLite does not insist on");
    is_int(records_of(store, "Tag", pool)->integer, 0, "  and others");
    is_str(APR_ARRAY_IDX(posts->names, 2, const char *), "title",
           "  columns have numbers");
    is_int(migrate(store, settings, pool), 0, "  once");
    database_run(store, "ALTER TABLE posts ADD COLUMN more varchar(40)");
    database_run(store, "ALTER TABLE posts DROP COLUMN title");
    migrate(store, settings, pool);
    posts = records_of(store, "Post", pool);
    is_int(*(int *)apr_hash_get(posts->numbers, "more", APR_HASH_KEY_STRING), 4,
           "  a new column gets the next one");
    is_int(*(int *)apr_hash_get(posts->numbers, "title", APR_HASH_KEY_STRING),
           2, "  one that is gone keeps its own");
}

/* What 0.9 knew: a record made here, one of a peer with a second name, one that
 * is deleted, one that is no id, and one of a class that is not configured. */
static void fill_old(cm_store_t *store)
{
    database_run(
        store,
        "INSERT INTO communicator_mappings (id, origin, original_id,"
        " local_record_type, local_record_id, clock, clocks, deleted_at,"
        " same_as) VALUES"
        " (1, 'here', '1', 'Post', '1', 70, '[50,\"title\"]', 0, NULL),"
        " (2, 'facade', '9', 'Post', '2', 80, NULL, 0, NULL),"
        " (3, 'here', '2', 'Post', NULL, 80, NULL, 0, 2),"
        " (4, 'here', '3', 'Post', NULL, 90, NULL, 90, NULL),"
        " (5, 'here', 'x', 'Post', 'x', 1, NULL, 0, NULL),"
        " (6, 'here', '9223372036854775807', 'Post', '9223372036854775807', 1,"
        " NULL, 0, NULL),"
        " (7, 'here', '9223372036854775808', 'Post', '9223372036854775808', 1,"
        " NULL, 0, NULL),"
        " (8, '*', 'red', 'Tag', 'red', 1, NULL, 0, NULL),"
        " (9, 'here', '7', 'Gone', '7', 1, NULL, 0, NULL)");
}

static const char *count_of(cm_store_t *store, const char *where,
                            apr_pool_t *pool)
{
    return database_value(
        store,
        apr_pstrcat(pool, "SELECT count(*) FROM communicator_mappings WHERE ",
                    where, NULL),
        pool);
}

static void test_moved(cm_store_t *store, apr_pool_t *pool)
{
    const int sqlite = cm_dialect_of_store(store)->database == CM_SQLITE3;
    cm_settings_t *settings = make_settings(pool);

    make_tables(store);
    migrate(store, settings, pool);
    gem_old_mappings(store, pool);
    fill_old(store);
    migrate(store, settings, pool);
    is_str(count_of(store, "1 = 1", pool), "9", "%s: all mappings are moved",
           database_of(store));
    is_str(count_of(store,
                    "local_record_id = '1' AND origin = 'here' AND clock = 70"
                    " AND clocks = '[50,\"title\"]' AND deleted_at = 0",
                    pool),
           "1", "  as they were");
    is_str(count_of(store,
                    "original_id = '2' AND local_record_id IS NULL AND"
                    " same_origin = 'facade' AND same_id = '9'",
                    pool),
           "1", "  second names");
    is_str(count_of(store, "original_id = '3' AND deleted_at = 90", pool), "1",
           "  deleted ones");
    is_str(count_of(store, "local_record_id = '9223372036854775807'", pool),
           "1", "  great ids");
    is_str(count_of(store, "local_record_id IN ('x', '9223372036854775808')",
                    pool),
           sqlite ? "1" : "0", "  what is no id of that table");
    is_str(count_of(store, "local_record_type = 'Gone' AND clock = 1", pool),
           "1", "  and those of other classes");
    is_int(migrate(store, settings, pool), 0, "  once");
}

/* A key that gets another type. */
static void test_retyped(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = make_settings(pool);

    make_tables(store);
    migrate(store, settings, pool);
    database_run(store, apr_pstrcat(pool, "INSERT INTO ",
                                    database_records(store, "Post", pool),
                                    " (origin, original_id, local_id, clock)"
                                    " VALUES ('here', '1', '1', 7)",
                                    NULL));
    database_run(store, "DROP TABLE posts");
    database_run(store, "CREATE TABLE posts (id varchar(40) NOT NULL"
                        " PRIMARY KEY, title varchar(40))");
    migrate(store, settings, pool);
    is_int(records_of(store, "Post", pool)->keys_are_integers, 0,
           "%s: integers become text", database_of(store));
    is_str(count_of(store, "local_record_id = '1' AND clock = 7", pool), "1",
           "  with all that is known");
    database_run(store, "DROP TABLE posts");
    database_run(store, "DROP TABLE tags");
    make_tables(store);
    migrate(store, settings, pool);
    is_str(count_of(store, "local_record_id = '1' AND clock = 7", pool), "1",
           "  and integers again");
    is_int(migrate(store, settings, pool), 0, "  once");
}

/* Return the number of indexes that find other names. */
static const char *indexes_of(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const sql[] = {
        [CM_SQLITE3] = "SELECT count(*) FROM sqlite_master WHERE type = 'index'"
                       " AND name LIKE 'communicator_records_%_same'",
        [CM_PGSQL] = "SELECT count(*) FROM pg_indexes WHERE"
                     " indexname LIKE 'communicator_records_%_same'",
        [CM_MYSQL] = "SELECT count(*) FROM information_schema.statistics WHERE"
                     " table_schema = DATABASE() AND"
                     " index_name LIKE 'communicator_records_%_same'"};

    return database_value(store, sql[cm_dialect_of_store(store)->database],
                          pool);
}

/* Records of a model with match= may have other names. */
static void test_named(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = make_settings(pool);
    cm_model_t *post = APR_ARRAY_IDX(settings->models, 0, cm_model_t *);

    make_tables(store);
    migrate(store, settings, pool);
    is_str(indexes_of(store, pool), "0", "%s: no index for other names",
           database_of(store));
    APR_ARRAY_PUSH(post->columns.match, const char *) = "title";
    is_int(migrate(store, settings, pool), 1, "  it is made for match=");
    is_str(indexes_of(store, pool), "1", "  in the table of that class alone");
    is_int(migrate(store, settings, pool), 0, "  once");
    database_run(store, "DROP TABLE posts");
    database_run(store, "CREATE TABLE posts (id varchar(40) NOT NULL"
                        " PRIMARY KEY, title varchar(40))");
    migrate(store, settings, pool);
    is_str(indexes_of(store, pool), "1", "  it stays when ids become text");
    is_int(migrate(store, settings, pool), 0, "  once, too");
}

static void test_ids(void)
{
    static const char *const good[] = {"0", "7", "-7", "9223372036854775807",
                                       "-9223372036854775807"};
    static const char *const bad[] = {"",
                                      "-",
                                      "x",
                                      "007",
                                      "-0",
                                      "1.0",
                                      " 1",
                                      "1 ",
                                      "9223372036854775808",
                                      "10000000000000000000"};
    const cm_records_t integers = {.integer = 1};
    const cm_records_t texts = {.integer = 0};
    apr_size_t i;

    for (i = 0; i < sizeof(good) / sizeof(*good); i++)
        ok(cm_records_holds(&integers, good[i]), "'%s' is an id", good[i]);
    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        ok(!cm_records_holds(&integers, bad[i]) &&
               cm_records_holds(&texts, bad[i]),
           "'%s' is one only where ids are texts", bad[i]);
}

int main(void)
{
    if (!database_any())
        return skip_all("no database to test with");
    database_each("made", test_made);
    database_each("moved", test_moved);
    database_each("retyped", test_retyped);
    database_each("named", test_named);
    test_ids();
    return done_testing();
}
