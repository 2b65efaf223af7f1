/* Records as messages, on demand: all, some, one by one; keys of any type. */
#include "outbox/publish.h"

#include <apr_strings.h>

#include "outbox/publication.h"
#include "schema/migrate.h"
#include "../database.h"
#include "../settings.h"
#include "../tap.h"

/* Make Communicator's tables and no triggers, and open the node with
 * SETTINGS. */
static cm_node_t *make_node(cm_store_t *store, cm_settings_t *settings,
                            apr_pool_t *pool)
{
    cm_node_t *node;

    settings_migrate_quietly(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    node->history = CM_HISTORY_ROWS;
    return node;
}

static const char *count_of(cm_store_t *store, const char *condition,
                            apr_pool_t *pool)
{
    return database_value(
        store,
        apr_pstrcat(pool, "SELECT count(*) FROM outbound_messages WHERE ",
                    condition, NULL),
        pool);
}

/* Publish all of MODEL; return how many messages that makes. */
static int publish(cm_node_t *node, const cm_model_t *model, apr_pool_t *pool)
{
    apr_int64_t count;

    database_must(cm_publish_all(&count, node, model, NULL, NULL, pool));
    database_must(cm_publication_finish(node, pool));
    return (int)count;
}

/* Make COUNT posts with ids from FIRST on. */
static void make_posts(cm_store_t *store, apr_int64_t first, int count,
                       apr_pool_t *pool)
{
    const char *rows = "";
    int i;

    database_run(store, "CREATE TABLE posts (id bigint NOT NULL PRIMARY KEY,"
                        " title varchar(40))");
    for (i = 0; i < count; i++)
        rows =
            apr_psprintf(pool, "%s%s(%" APR_INT64_T_FMT ", '%s%d \"x\"')", rows,
                         i ? "," : "", first + i, i % 2 ? "a" : "b", i);
    database_run(store,
                 apr_pstrcat(pool, "INSERT INTO posts VALUES ", rows, NULL));
}

typedef struct seen_t {
    int calls;
    apr_int64_t done, total;
} seen_t;

static void see(void *baton, apr_int64_t done, apr_int64_t total)
{
    seen_t *seen = baton;

    seen->calls++;
    seen->done = done;
    seen->total = total;
}

static void all(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    cm_model_t *post =
        settings_add_model(settings, "post", "posts", "id", pool);
    cm_node_t *node = make_node(store, settings, pool);
    const char *name = database_of(store);
    seen_t seen = {0, 0, 0};
    cm_publish_progress_t progress = {see, &seen, 0, 0};
    const cm_publish_which_t every = {NULL, 0};
    apr_int64_t count = 0;

    make_posts(store, APR_INT64_C(9007199254740900), 1203, pool);
    database_must(cm_publish_count(&progress.total, node, post, &every, pool));
    database_must(cm_publish_all(&count, node, post, &every, &progress, pool));
    is_int(count, 1203, "%s: all records, beyond 2^53", name);
    ok(seen.done == 1203 && seen.total == 1203, "  progress is reported");
    database_must(cm_publication_finish(node, pool));
    is_str(database_value(store,
                          "SELECT count(DISTINCT local_record_id)"
                          " FROM outbound_messages",
                          pool),
           "1203", "  each once");
    is_str(count_of(
               store,
               "model = 'post' AND action = 'update' AND changed_columns = '[]'"
               " AND clock = 1 AND origin = 'here'"
               " AND created_at IS NOT NULL",
               pool),
           "1203", "  as the state again");
    is_str(database_value(store,
                          "SELECT replace(body, ' ', '') FROM"
                          " outbound_messages WHERE local_record_id ="
                          " '9007199254740901'",
                          pool),
           "{\"post\":{\"title\":\"a1\\\"x\\\"\"}}", "  with its body");
}

static void some(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    cm_model_t *post =
        settings_add_model(settings, "post", "posts", "id", pool);
    cm_node_t *node = make_node(store, settings, pool);
    apr_array_header_t *ids = apr_array_make(pool, 4, sizeof(const char *));
    const cm_publish_which_t odd = {"title LIKE 'a%' OR id = 1 -- odd", 0};
    const cm_publish_which_t nonsense = {"nonsense = 1", 0};
    const char *name = database_of(store);
    apr_int64_t count = 0;
    cm_error_t *err;
    int i;

    make_posts(store, 1, 20, pool);
    database_must(cm_publish_all(&count, node, post, &odd, NULL, pool));
    is_int(count, 11, "%s: those that the operator's SQL names", name);
    err = cm_publish_all(&count, node, post, &nonsense, NULL, pool);
    ok(database_fails(err, CM_SCHEMA, "no such column"), "%s: or not", name);
    for (i = 0; i < 600; i++)
        APR_ARRAY_PUSH(ids, const char *) =
            apr_psprintf(pool, "%d", i % 2 ? i : 3);
    database_must(cm_publish_records(&count, node, post, ids, pool));
    is_int(count, 11, "%s: those of some ids, that are there", name);
    APR_ARRAY_IDX(ids, 599, const char *) = "12abc";
    err = cm_publish_records(&count, node, post, ids, pool);
    ok(database_fails(err, CM_REJECTED, "no number"),
       "%s: what is not an id is refused", name);
    post->publishes = 0;
    err = cm_publish_records(&count, node, post, ids, pool);
    ok(database_fails(err, CM_CONFIG, "receive"),
       "%s: a model that is only received", name);
}

/* Publish a table whose key, of TYPE, takes VALUES. */
static void keys_of(cm_store_t *store, cm_node_t *node, cm_model_t *model,
                    const char *type, const char *const *values,
                    apr_pool_t *pool)
{
    const char *name = database_of(store);
    apr_array_header_t *ids = apr_array_make(pool, 4, sizeof(const char *));
    const char *quoted = cm_store_quote_table(store, model->table, pool);
    const char *key = cm_store_quote(store, model->key, pool);
    apr_int64_t count = 0;
    int size;

    database_must(
        cm_statement_run(NULL, store,
                         apr_pstrcat(pool, "CREATE TABLE ", quoted, " (", key,
                                     " ", type, " NOT NULL PRIMARY KEY)", NULL),
                         NULL, 0, pool));
    for (size = 0; values[size]; size++) {
        cm_datum_t value = cm_datum_text(values[size]);

        database_must(cm_statement_run(
            NULL, store,
            apr_pstrcat(pool, "INSERT INTO ", quoted, " VALUES (%s)", NULL),
            &value, 1, pool));
        APR_ARRAY_PUSH(ids, const char *) = values[size];
    }
    database_must(cm_publish_records(&count, node, model, ids, pool));
    is_int(count, size, "%s: keys of type %s", name, type);
    is_int(publish(node, model, pool), size, "  also all of them");
    is_str(count_of(store,
                    apr_pstrcat(pool, "model = '", model->name,
                                "' AND local_record_id = ",
                                cm_store_literal(store, values[0], pool), NULL),
                    pool),
           "2", "  with the key as text");
}

static void keys(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const texts[] = {
        "o'h 100% \xf0\x9f\x90\x98", "\\", "a", "%s", "{key}", NULL};
    static const char *const uuids[] = {"0b0e7ac0-0000-4000-8000-000000000001",
                                        "0b0e7ac0-0000-4000-8000-00000000000f",
                                        NULL};
    cm_settings_t *settings = settings_make(pool);
    cm_model_t *tag =
        settings_add_model(settings, "tag", "ta gs", "or\"de%r", pool);
    cm_model_t *thing =
        settings_add_model(settings, "thing", "things", "id", pool);
    int pgsql = cm_dialect_of_store(store)->database == CM_PGSQL;
    cm_node_t *node = make_node(store, settings, pool);

    keys_of(store, node, tag, "varchar(60)", texts, pool);
    keys_of(store, node, thing, pgsql ? "uuid" : "char(36)", uuids, pool);
}

/* More than one chunk of a text key whose order is the database's. */
static void pages(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    cm_model_t *model =
        settings_add_model(settings, "thing", "things", "name", pool);
    cm_node_t *node = make_node(store, settings, pool);
    const char *rows = "";
    int i;

    database_run(store, "CREATE TABLE things"
                        " (name varchar(40) NOT NULL PRIMARY KEY)");
    for (i = 0; i < 1500; i++)
        rows = apr_psprintf(pool, "%s%s('%c%%'' %d')", rows, i ? "," : "",
                            i % 3 ? 'a' + i % 26 : 'A' + i % 26, i);
    database_run(store,
                 apr_pstrcat(pool, "INSERT INTO things VALUES ", rows, NULL));
    is_int(publish(node, model, pool), 1500,
           "%s: three full chunks of text keys", database_of(store));
    is_str(database_value(store,
                          "SELECT count(DISTINCT local_record_id)"
                          " FROM outbound_messages",
                          pool),
           "1500", "  each once");
}

int main(void)
{
    if (!database_any())
        return skip_all("no database to test with");
    database_each("all", all);
    database_each("some", some);
    database_each("keys", keys);
    database_each("pages", pages);
    return done_testing();
}
