/* What leaves the outbox, on real databases: clocks, lives, identities and
 * references (outbox/outbox.h), and the mappings under them. */
#include "../outbox.h"

#include <string.h>

#include <apr_strings.h>
#include "store/store.h"
#include "record/message.h"
#include "node/graves.h"
#include "node/node.h"
#include "outbox/read.h"

/* The life of post 7, and a state of post 8. */
static void live(cm_node_t *node, apr_pool_t *pool)
{
    outbox_capture(
        node, "post", "7", "create",
        POST("\"title\":\"a\",\"text\":\"t\",\"secret\":\"s\",\"gone\":1"),
        NULL, 1000, pool);
    outbox_capture(node, "post", "7", "update",
                   POST("\"title\":\"b\",\"text\":\"t\""), "[\"title\"]", 900,
                   pool);
    outbox_capture(node, "post", "7", "update",
                   POST("\"title\":\"b\",\"text\":\"u\""), "[\"text\"]", 5000,
                   pool);
    outbox_capture(node, "post", "7", "update",
                   POST("\"title\":\"c\",\"text\":\"v\""),
                   "[\"text\",\"title\"]", 6000, pool);
    outbox_capture(node, "post", "7", "update", POST("\"title\":\"c\""), "[]",
                   0, pool);
    outbox_capture(node, "post", "8", "update", POST("\"title\":\"old\""), "[]",
                   0, pool);
    outbox_capture(node, "post", "7", "delete", POST(""), NULL, 10, pool);
}

static void test_clocks(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = outbox_node(store, pool);
    cm_batch_t *batch;

    is_int(outbox_stamp(node, pool), 0, "%s: nothing to stamp",
           database_of(store));
    live(node, pool);
    is_int(outbox_stamp(node, pool), 7, "seven are stamped");
    batch = outbox_read_after(node, 0, pool);
    is_int(batch->messages->nelts, 7, "and read");
    ok(batch->last == 7 && !batch->more && !batch->held_back, "all of them");
    is_str(outbox_wire(batch, 0, 0, pool),
           "{\"id\":1," WIRE_POST("\\\"title\\\":\\\"a\\\",\\\"text\\\":"
                                  "\\\"t\\\"") "," HERE("7") ",\"clock\":1000}",
           "a new record: its columns that are carried");
    is_str(outbox_wire(batch, 1, 0, pool),
           "{\"id\":2," WIRE_POST(
               "\\\"title\\\":\\\"b\\\",\\\"text\\\":"
               "\\\"t\\\"") "," HERE("7") ",\"clock\":"
                                          "1001,\"clocks\":{\"author_id\":"
                                          "1000,\"created_at\":1000,\"text\":"
                                          "1000},\"base\":1000}",
           "a clock never runs backwards, the other columns keep theirs");
    is_str(strstr(outbox_wire(batch, 2, 0, pool), "\"clock\":"),
           "\"clock\":5000,\"clocks\":{\"author_id\":1000,\"created_at\":"
           "1000,\"title\":1001},\"base\":1000}",
           "base is what the changed column had");
    is_str(strstr(outbox_wire(batch, 3, 0, pool), "\"clock\":"),
           "\"clock\":6000,\"clocks\":{\"author_id\":1000,\"created_at\":"
           "1000},\"base\":{\"text\":5000,\"title\":1001}}",
           "or each of them");
    is_str(strstr(outbox_wire(batch, 4, 0, pool), "\"clock\":"),
           "\"clock\":6000,\"clocks\":{\"author_id\":1000,\"created_at\":"
           "1000}}",
           "the state again: nothing moves");
    is_str(strstr(outbox_wire(batch, 5, 0, pool), "\"clock\":"), "\"clock\":1}",
           "a state that never had a clock gets the oldest");
    is_str(outbox_wire(batch, 6, 0, pool),
           "{\"id\":7," WIRE_POST("") "," HERE(
               "7") ",\"action\":\"delete\",\"clock\":6001,\"base\":"
                    "{\"\\u001f\":1000,\"author_id\":1000,\"created_at\":1000,"
                    "\"text\":6000,\"title\":6000}}",
           "a delete: its base is what each column had");
    is_str(database_value(store,
                          "SELECT deleted_at FROM communicator_mappings"
                          " WHERE original_id = '7' AND local_record_id IS"
                          " NULL",
                          pool),
           "6001", "leaves a tombstone");
    is_str(
        database_value(store, "SELECT last_seq FROM communicator_node", pool),
        "7", "the node knows its last number");
    is_int(outbox_stamp(node, pool), 0, "and nothing is stamped twice");
}

static void test_lives(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = outbox_node(store, pool);
    int sqlite = cm_dialect_of_store(store)->database == CM_SQLITE3;
    cm_batch_t *batch;
    int i;

    for (i = 0; i < 5; i++) {
        outbox_capture(node, "post", "1", "create", POST(""), NULL, 100 * i,
                       pool);
        outbox_capture(node, "post", "1", "delete", POST(""), NULL, 0, pool);
        if (i % 2)
            outbox_stamp(node, pool);
    }
    outbox_capture(node, "post", "1", "update", POST(""), "[\"title\"]", 0,
                   pool);
    outbox_stamp(node, pool);
    outbox_capture(node, "post", "1", "create", POST(""), NULL, 700, pool);
    outbox_stamp(node, pool);
    batch = outbox_read_after(node, 0, pool);
    is_int(batch->messages->nelts, 12, "%s: twelve messages",
           database_of(store));
    for (i = 0; i < 5; i++) {
        const cm_message_t *made =
            APR_ARRAY_IDX(batch->messages, 2 * i, cm_message_t *);
        const cm_message_t *gone =
            APR_ARRAY_IDX(batch->messages, 2 * i + 1, cm_message_t *);

        is_str(made->identity.original_id,
               i ? apr_psprintf(pool, "1\x1f%d", i + 1) : "1",
               "  life %d has a name of its own", i + 1);
        is_str(gone->identity.original_id, made->identity.original_id,
               "  and ends by it");
    }
    ok(strstr(outbox_wire(batch, 10, 0, pool), "\"1\\u001f6\"") != NULL,
       "a change after the end is of a record not seen before");
    ok(strstr(outbox_wire(batch, 11, 0, pool),
              sqlite ? "\"1\\u001f6\"" : "\"1\\u001f7\"") != NULL,
       "created once more: %s", sqlite ? "replaced" : "after a TRUNCATE");
    is_str(database_value(store,
                          "SELECT count(*) FROM communicator_mappings"
                          " WHERE local_record_id = '1'",
                          pool),
           "1", "one of them is alive");
}

/* deletes=no: nothing captures that the first record is gone. */
static void test_unseen(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = outbox_node(store, pool);
    cm_batch_t *batch;
    int i;

    for (i = 0; i < node->settings->models->nelts; i++)
        APR_ARRAY_IDX(node->settings->models, i, cm_model_t *)->deletes = 0;
    for (i = 0; i < 2; i++) {
        outbox_capture(node, "post", "1", "create", POST(""), NULL, 1000 + i,
                       pool);
        outbox_stamp(node, pool);
    }
    batch = outbox_read_after(node, 0, pool);
    is_int(batch->messages->nelts, 2, "%s: with deletes=no, an id twice",
           database_of(store));
    is_str(
        APR_ARRAY_IDX(batch->messages, 1, cm_message_t *)->identity.original_id,
        "1\x1f"
        "2",
        "  is another record");
}

/* Clocks by column numbers, one of which this connection does not know yet. */
static void test_numbers(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = outbox_node(store, pool);
    const char *records = database_records(store, "post", pool);
    cm_batch_t *batch;

    outbox_capture(node, "post", "1", "create", POST("\"title\":\"a\""), NULL,
                   1000, pool);
    outbox_stamp(node, pool);
    outbox_capture(node, "post", "1", "update", POST("\"title\":\"b\""),
                   "[\"title\"]", 2000, pool);
    outbox_stamp(node, pool);
    is_str(database_value(
               store, apr_pstrcat(pool, "SELECT clocks FROM ", records, NULL),
               pool),
           "1000:0,2,4,6", "%s: clocks by ranges of numbers",
           database_of(store));
    database_run(store, apr_psprintf(pool,
                                     "INSERT INTO communicator_columns (model,"
                                     " number, name) VALUES (%s, 9, 'later')",
                                     strrchr(records, '_') + 1));
    database_run(store,
                 apr_pstrcat(pool, "UPDATE ", records,
                             " SET clocks = '1000:0,2,4,6 1500:9'", NULL));
    outbox_capture(node, "post", "1", "update", POST("\"title\":\"c\""),
                   "[\"title\"]", 3000, pool);
    outbox_stamp(node, pool);
    batch = outbox_read_after(node, 2, pool);
    is_int(batch->messages->nelts, 1, "  a number that is new is looked up");
}

static void test_written(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = outbox_node(store, pool);
    cm_batch_t *batch;

    outbox_capture(node, "post", "1", "create", POST("\"title\":\"a\""), NULL,
                   1000, pool);
    outbox_stamp(node, pool);
    database_run(store, apr_pstrcat(pool, "INSERT INTO ",
                                    database_records(store, "post", pool),
                                    " (origin, original_id, local_id, clock)"
                                    " VALUES ('there', '44', '2', 500)",
                                    NULL));
    outbox_say(node, POST("\"id\":1,\"title\":\"b\""), "here", "1", pool);
    outbox_say(node, POST("\"title\":\"c\""), "there", "44", pool);
    outbox_say(node, POST("\"title\":\"d\""), "elsewhere", "9", pool);
    outbox_say(node, POST("\"title\":\"e\""), NULL, NULL, pool);
    outbox_say(node, "{\"post\":", "here", "5", pool);
    outbox_say(node, "{\"gizmo\":{}}", "here", "5", pool);
    outbox_say(node, POST("\"n\": 12345678901234567890.10"), "here", "3", pool);
    is_int(outbox_stamp(node, pool), 7, "%s: seven are stamped",
           database_of(store));
    batch = outbox_read_after(node, 1, pool);
    is_int(batch->messages->nelts, 5, "what can be read is sent");
    is_int(batch->held_back, 2, "the others are held back");
    is_str(batch->held_reason, "message 6 cannot be read", "with the reason");
    is_int(batch->last, 8, "and are no obstacle");
    ok(strstr(outbox_wire(batch, 0, 0, pool), HERE("1")) &&
           strstr(outbox_wire(batch, 0, 0, pool), "\"base\":1000"),
       "the mapping is found by our own id");
    ok(strstr(outbox_wire(batch, 1, 0, pool),
              "\"origin\":\"there\",\"original_id\":44") &&
           strstr(outbox_wire(batch, 1, 0, pool), "\"base\":500"),
       "and by the other's");
    ok(strstr(outbox_wire(batch, 2, 0, pool),
              "\"origin\":\"elsewhere\",\"original_id\":9") != NULL,
       "an identity that is not known here goes as it is");
    ok(strstr(outbox_wire(batch, 3, 0, pool),
              "\"origin\":null,\"original_id\":null") != NULL,
       "so does none");
    ok(strstr(outbox_wire(batch, 4, 0, pool), ":12345678901234567890.10}") !=
           NULL,
       "numbers keep their digits");
    is_str(database_value(store, "SELECT count(*) FROM communicator_mappings",
                          pool),
           "3", "a mapping is made for the record that is ours");
}

/* The author (there, ID) has the row LOCAL_ID. */
static void map_author(cm_store_t *store, const char *id, const char *local_id,
                       apr_pool_t *pool)
{
    database_run(store, apr_pstrcat(pool, "INSERT INTO ",
                                    database_records(store, "author", pool),
                                    " (origin, original_id, local_id)"
                                    " VALUES ('there', '",
                                    id, "', '", local_id, "')", NULL));
}

static void test_references(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = outbox_node(store, pool);
    cm_batch_t *batch;

    database_run(store, "INSERT INTO authors (id) VALUES (4), (5), (6)");
    map_author(store, "70", "5", pool);
    outbox_capture(node, "post", "1", "create", POST("\"author_id\":4"), NULL,
                   1, pool);
    outbox_capture(node, "post", "2", "create", POST("\"author_id\":5"), NULL,
                   2, pool);
    outbox_capture(node, "post", "3", "create", POST("\"author_id\":null"),
                   NULL, 3, pool);
    outbox_capture(node, "post", "4", "create", POST("\"author_id\":99"), NULL,
                   4, pool);
    outbox_say(node, POST("\"author_id\":4"), "here", "5", pool);
    outbox_capture(node, "author", "6", "create", "{\"author\":{}}", NULL, 5,
                   pool);
    outbox_capture(node, "post", "6", "create", POST("\"author_id\":6"), NULL,
                   6, pool);
    outbox_capture(node, "author", "6", "delete", "{\"author\":{}}", NULL, 7,
                   pool);
    outbox_capture(node, "author", "4", "create", "{\"author\":{}}", NULL, 8,
                   pool);
    database_run(store, "DELETE FROM authors WHERE id = 6");
    outbox_stamp(node, pool);
    batch = outbox_read_after(node, 0, pool);
    is_int(batch->messages->nelts, 9, "%s: nine messages", database_of(store));
    ok(strstr(outbox_wire(batch, 0, 0, pool),
              ",\"refs\":{\"author_id\":\"author\"}}") != NULL,
       "a parent that was never sent gets its name");
    ok(strstr(outbox_wire(batch, 1, 0, pool),
              ",\"refs\":{\"author_id\":[\"author\",70,\"there\"]}}") != NULL,
       "a parent of theirs has it");
    ok(!strstr(outbox_wire(batch, 2, 0, pool), "refs"), "NULL is no reference");
    ok(!strstr(outbox_wire(batch, 3, 0, pool), "refs") &&
           strstr(outbox_wire(batch, 3, 0, pool),
                  WIRE_POST("\\\"author_id\\\":null")),
       "what is not there cannot be named: NULL");
    ok(strstr(outbox_wire(batch, 4, 0, pool), "\"author_id\":\"author\"}}") !=
           NULL,
       "a message of the application is translated too");
    ok(strstr(outbox_wire(batch, 6, 0, pool), "\"author_id\":\"author\"}}") !=
           NULL,
       "a parent that is deleted since is found by its delete");
    ok(strstr(outbox_wire(batch, 8, 0, pool), HERE("4") ",\"clock\":8") != NULL,
       "a record that was referred to first keeps its name");
}

/* Return a post of author 5 that is too large for a batch. */
static const char *large_post(apr_pool_t *pool)
{
    char *title = apr_palloc(pool, 9001);

    memset(title, 'x', 9000);
    title[9000] = '\0';
    return apr_pstrcat(pool, "{\"post\":{\"author_id\":5,\"title\":\"", title,
                       "\"}}", NULL);
}

/* What rows refer to is what it was when they got their numbers, although they
 * are read later. */
static void test_later(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = outbox_node(store, pool);
    cm_batch_t *batch;

    node->history = CM_HISTORY_ROWS;
    database_run(store, "INSERT INTO authors (id) VALUES (5)");
    map_author(store, "70", "5", pool);
    outbox_capture(node, "post", "2", "create", POST("\"author_id\":5"), NULL,
                   2, pool);
    outbox_capture(node, "post", "4", "create", POST("\"author_id\":99"), NULL,
                   4, pool);
    outbox_capture(node, "post", "6", "create", large_post(pool), NULL, 5,
                   pool);
    outbox_stamp(node, pool);
    database_run(store, apr_pstrcat(pool, "UPDATE ",
                                    database_records(store, "author", pool),
                                    " SET original_id = '71'"
                                    " WHERE original_id = '70'",
                                    NULL));
    database_run(store, "INSERT INTO authors (id) VALUES (99)");
    map_author(store, "72", "99", pool);
    batch = outbox_read_after(node, 0, pool);
    ok(strstr(outbox_wire(batch, 0, 0, pool),
              ",\"refs\":{\"author_id\":[\"author\",70,\"there\"]}}") != NULL,
       "%s: another record has got the key since", database_of(store));
    ok(!strstr(outbox_wire(batch, 1, 0, pool), "refs") &&
           strstr(outbox_wire(batch, 1, 0, pool),
                  WIRE_POST("\\\"author_id\\\":null")),
       "what it refers to has come since");
    ok(strstr(outbox_wire(batch, 2, 0, pool),
              ",\"refs\":{\"author_id\":[\"author\",70,\"there\"]}}") != NULL,
       "the same of a large row");
}

/* A peer deletes author (there, ID), who has the row LOCAL_ID. */
static void bury_author(cm_node_t *node, const char *id, const char *local_id,
                        apr_pool_t *pool)
{
    apr_array_header_t *graves = apr_array_make(pool, 1, sizeof(cm_grave_t));

    APR_ARRAY_PUSH(graves, cm_grave_t) = (cm_grave_t){
        cm_settings_model(node->settings, "author"), local_id, {"there", id}};
    database_must(cm_transaction_begin(node->store, pool));
    database_must(cm_transaction_end(node->store,
                                     cm_graves_add(node, graves, pool), pool));
    database_run(node->store,
                 apr_pstrcat(pool, "UPDATE ",
                             database_records(node->store, "author", pool),
                             " SET local_id = NULL, deleted_at = 9"
                             " WHERE original_id = '",
                             id, "'", NULL));
}

/* A state has no body before it is sent. By then the parent may be gone, and
 * the row has outlived it; but what it refers to is that parent. */
static void test_gone(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = outbox_node(store, pool);
    cm_batch_t *batch;
    int i;

    database_run(store, "INSERT INTO authors (id) VALUES (5), (6), (7)");
    database_run(store, "INSERT INTO posts (id, author_id)"
                        " VALUES (1, 5), (2, 6), (3, 7)");
    map_author(store, "70", "5", pool);
    outbox_capture(node, "author", "6", "create", "{\"author\":{}}", NULL, 1,
                   pool);
    outbox_capture(node, "author", "7", "create", "{\"author\":{}}", NULL, 1,
                   pool);
    for (i = 1; i <= 3; i++)
        outbox_capture(node, "post", apr_itoa(pool, i), "update",
                       "{\"post\":true}", "[]", 0, pool);
    outbox_stamp(node, pool);
    bury_author(node, "70", "5", pool);
    outbox_capture(node, "author", "6", "delete", "{\"author\":{}}", NULL, 2,
                   pool);
    outbox_capture(node, "author", "9", "update", "{\"author\":{}}", "[]", 2,
                   pool);
    database_run(store, "UPDATE outbound_messages SET former_record_id = '7'"
                        " WHERE local_record_id = '9'");
    database_run(store, "DELETE FROM authors");
    outbox_stamp(node, pool);
    batch = outbox_read_after(node, 0, pool);
    ok(strstr(outbox_wire(batch, 2, 0, pool),
              ",\"refs\":{\"author_id\":[\"author\",70,\"there\"]}}") != NULL,
       "%s: a parent that a peer has deleted since", database_of(store));
    ok(strstr(outbox_wire(batch, 3, 0, pool),
              ",\"refs\":{\"author_id\":\"author\"}}") != NULL,
       "one that was deleted here since");
    ok(strstr(outbox_wire(batch, 4, 0, pool),
              ",\"refs\":{\"author_id\":\"author\"}}") != NULL,
       "one that has another key since");
}

/* A node with pairs, whose key has no unique index. */
static cm_node_t *make_pairs(cm_store_t *store, int shared, apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    cm_node_t *node;

    database_run(store, "CREATE TABLE pairs (part varchar(10) NOT NULL,"
                        " id varchar(10) NOT NULL, title varchar(10))");
    settings_add_peer(settings, "there", pool);
    settings_add_model(settings, "pair", "pairs", "part,id", pool)
        ->shared_keys = shared;
    settings_migrate(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    node->history = CM_HISTORY_ROWS;
    return node;
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

/* Return what happened to the first pair in each life, behind message AFTER:
 * "create delete / create". */
static const char *happened(cm_node_t *node, apr_int64_t after,
                            apr_pool_t *pool)
{
    const cm_batch_t *batch = outbox_read_after(node, after, pool);
    const char *text = "", *last = NULL;
    int i;

    for (i = 0; i < batch->messages->nelts; i++) {
        const cm_message_t *message =
            APR_ARRAY_IDX(batch->messages, i, cm_message_t *);
        const char *id = message->identity.original_id;

        text = apr_pstrcat(pool, text,
                           !last              ? ""
                           : strcmp(last, id) ? " / "
                                              : " ",
                           cm_message_action_name(message->action), NULL);
        last = id;
    }
    return text;
}

/* A row is deleted, and another one gets its key, which no index keeps from
 * being there twice. That there is a row with this key when the delete gets its
 * number says nothing, if the insert of that gets its own one later. */
static void test_again(cm_store_t *store, int shared, apr_pool_t *pool)
{
    cm_node_t *node = make_pairs(store, shared, pool);

    database_run(store, "INSERT INTO pairs VALUES ('p', 'k', 'first')");
    database_run(store, "DELETE FROM pairs");
    database_run(store, "INSERT INTO pairs VALUES ('p', 'k', 'second')");
    database_run(store, "UPDATE pairs SET title = 'third'");
    stamp_one_by_one(node, pool);
    is_str(happened(node, 0, pool), "create delete / create update",
           "%s: a key again, stamped later: another record",
           database_of(store));
    database_run(store, "INSERT INTO pairs VALUES ('p', 'k', 'fourth')");
    stamp_one_by_one(node, pool);
    is_str(happened(node, 4, pool), "", "  a second row with it is withheld");
    database_run(store, "DELETE FROM pairs WHERE title = 'third'");
    database_run(store, "INSERT INTO pairs VALUES ('p', 'l', 'fifth')");
    stamp_one_by_one(node, pool);
    is_str(happened(node, 5, pool), "update / create",
           "  the record goes on with it, whatever comes later");
    ok(strstr(outbox_wire(outbox_read_after(node, 5, pool), 0, 0, pool),
              "fourth") != NULL,
       "  and has its values");
    database_run(store, "DELETE FROM pairs WHERE id = 'k'");
    stamp_one_by_one(node, pool);
    database_run(store, "UPDATE pairs SET id = 'k'");
    stamp_one_by_one(node, pool);
    is_str(happened(node, 7, pool), "delete / delete / create",
           "  until that is deleted, too, and another row gets its key");
}

static void test_mapped_again(cm_store_t *store, apr_pool_t *pool)
{
    test_again(store, 0, pool);
}

static void test_shared_again(cm_store_t *store, apr_pool_t *pool)
{
    test_again(store, 1, pool);
}

int main(void)
{
    if (!database_any())
        return skip_all("no database to test with");
    database_each("clocks", test_clocks);
    database_each("lives", test_lives);
    database_each("deletes=no", test_unseen);
    database_each("numbers", test_numbers);
    database_each("written by the application", test_written);
    database_each("references", test_references);
    database_each("later", test_later);
    database_each("gone", test_gone);
    database_each("a key again", test_mapped_again);
    database_each("a shared key again", test_shared_again);
    return done_testing();
}
