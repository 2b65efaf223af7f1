/* The outbox on real databases: stamping, reading, confirming
 * (lib/cm_outbox.h), and the mappings under it (lib/cm_mapping.h). */
#include "database.h"
#include "settings.h"
#include "tap.h"

#include <apr_general.h>

#include "cm_outbox.h"
#include "cm_schema.h"

static const cm_limits_t plenty = {1000, 1 << 20};

/* An author, and a post that refers to one, its other columns text. */
static void make_tables(cm_store_t *store)
{
    database_run(store, "CREATE TABLE authors (id integer PRIMARY KEY,"
                        " name varchar(40))");
    database_run(store, "CREATE TABLE posts (id integer PRIMARY KEY,"
                        " author_id integer, title varchar(40), text text,"
                        " secret varchar(40), created_at timestamp NULL)");
}

static void ignore(void *baton, const char *what, const char *sql)
{
    (void)baton;
    (void)what;
    (void)sql;
}

static cm_node_t *make_node(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    cm_reference_t reference = {"author_id", "author"};
    cm_model_t *model;
    cm_node_t *node;

    make_tables(store);
    settings_add_peer(settings, "there", pool);
    database_must(cm_schema_migrate(store, settings, 0, ignore, NULL, pool));
    settings_add_model(settings, "author", "authors", "id", pool);
    model = settings_add_model(settings, "post", "posts", "id", pool);
    APR_ARRAY_PUSH(model->references, cm_reference_t) = reference;
    APR_ARRAY_PUSH(model->except, const char *) = "secret";
    database_must(cm_node_open(&node, settings, store, pool));
    return node;
}

/* Put a row into the outbox as a trigger does; CHANGED may be NULL. */
static void capture(cm_node_t *node, const char *model, const char *id,
                    const char *action, const char *body, const char *changed,
                    apr_int64_t clock, apr_pool_t *pool)
{
    cm_datum_t arguments[] = {
        cm_datum_text(model),   cm_datum_text(id),
        cm_datum_text(action),  cm_datum_text(body),
        cm_datum_text(changed), cm_datum_number(clock, pool)};

    database_must(cm_store_run(
        NULL, node->store,
        "INSERT INTO outbound_messages (model, local_record_id, action, body,"
        " changed, clock) VALUES (%s, %s, %s, %s, %s, %s)",
        arguments, 6, pool));
}

/* Put a row into the outbox as an application does. */
static void say(cm_node_t *node, const char *body, const char *origin,
                const char *original_id, apr_pool_t *pool)
{
    cm_datum_t arguments[] = {cm_datum_text(body), cm_datum_text(origin),
                              cm_datum_text(original_id)};

    database_must(
        cm_store_run(NULL, node->store,
                     "INSERT INTO outbound_messages (body, origin, original_id)"
                     " VALUES (%s, %s, %s)",
                     arguments, 3, pool));
}

static apr_int64_t stamp(cm_node_t *node, apr_pool_t *pool)
{
    apr_int64_t stamped;

    database_must(cm_outbox_stamp(&stamped, node, pool));
    return stamped;
}

static cm_batch_t *read_after(cm_node_t *node, apr_int64_t after,
                              apr_pool_t *pool)
{
    cm_batch_t *batch;

    database_must(cm_outbox_read(&batch, node, "there", after, &plenty, 0, 0,
                                 pool, pool));
    return batch;
}

/* Return message NUMBER of BATCH as it goes over the wire, without "[". */
static const char *wire(const cm_batch_t *batch, int number, int gem,
                        apr_pool_t *pool)
{
    cm_buffer_t *buffer = cm_buffer_create(0, pool);

    if (number >= batch->messages->nelts)
        return "none";
    cm_message_write(
        buffer, APR_ARRAY_IDX(batch->messages, number, cm_message_t *), gem);
    cm_buffer_append(buffer, "", 1);
    return buffer->data + 1;
}

#define POST(x)      "{\"post\":{" x "}}"
#define WIRE_POST(x) "\"body\":\"{\\\"post\\\":{" x "}}\""
#define HERE(id)     "\"origin\":\"here\",\"original_id\":" id

static void test_clocks(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, pool);
    cm_batch_t *batch;

    is_int(stamp(node, pool), 0, "%s: nothing to stamp", database_of(store));
    capture(node, "post", "7", "create",
            POST("\"title\":\"a\",\"text\":\"t\",\"secret\":\"s\",\"gone\":1"),
            NULL, 1000, pool);
    capture(node, "post", "7", "update", POST("\"title\":\"b\",\"text\":\"t\""),
            "[\"title\"]", 900, pool);
    capture(node, "post", "7", "update", POST("\"title\":\"b\",\"text\":\"u\""),
            "[\"text\"]", 5000, pool);
    capture(node, "post", "7", "update", POST("\"title\":\"c\",\"text\":\"v\""),
            "[\"text\",\"title\"]", 6000, pool);
    capture(node, "post", "7", "update", POST("\"title\":\"c\""), "[]", 0,
            pool);
    capture(node, "post", "8", "update", POST("\"title\":\"old\""), "[]", 0,
            pool);
    capture(node, "post", "7", "delete", POST(""), NULL, 10, pool);
    is_int(stamp(node, pool), 7, "seven are stamped");
    batch = read_after(node, 0, pool);
    is_int(batch->messages->nelts, 7, "and read");
    ok(batch->last == 7 && !batch->more && !batch->held_back, "all of them");
    is_str(
        wire(batch, 0, 0, pool),
        "{\"id\":1," WIRE_POST(
            "\\\"title\\\":\\\"a\\\",\\\"text\\\":"
            "\\\"t\\\"") "," HERE("7") ",\"action\":\"create\",\"clock\":1000}",
        "a new record: its columns that are carried");
    is_str(wire(batch, 1, 0, pool),
           "{\"id\":2," WIRE_POST(
               "\\\"title\\\":\\\"b\\\",\\\"text\\\":"
               "\\\"t\\\"") "," HERE("7") ",\"action\":\"update\",\"clock\":"
                                          "1001,\"clocks\":{\"author_id\":"
                                          "1000,\"created_at\":1000,\"text\":"
                                          "1000},\"base\":1000}",
           "a clock never runs backwards, the other columns keep theirs");
    is_str(strstr(wire(batch, 2, 0, pool), "\"clock\":"),
           "\"clock\":5000,\"clocks\":{\"author_id\":1000,\"created_at\":"
           "1000,\"title\":1001},\"base\":1000}",
           "base is what the changed column had");
    is_str(strstr(wire(batch, 3, 0, pool), "\"clock\":"),
           "\"clock\":6000,\"clocks\":{\"author_id\":1000,\"created_at\":"
           "1000},\"base\":{\"text\":5000,\"title\":1001}}",
           "or each of them");
    is_str(strstr(wire(batch, 4, 0, pool), "\"clock\":"),
           "\"clock\":6000,\"clocks\":{\"author_id\":1000,\"created_at\":"
           "1000}}",
           "the state again: nothing moves");
    is_str(strstr(wire(batch, 5, 0, pool), "\"clock\":"), "\"clock\":1}",
           "a state that never had a clock gets the oldest");
    is_str(wire(batch, 6, 0, pool),
           "{\"id\":7," WIRE_POST("") "," HERE(
               "7") ",\"action\":\"delete\",\"clock\":6001,\"base\":6000}",
           "a delete");
    is_str(database_value(store,
                          "SELECT deleted_at FROM communicator_mappings"
                          " WHERE original_id = '7' AND local_record_id IS"
                          " NULL",
                          pool),
           "6001", "leaves a tombstone");
    is_str(
        database_value(store, "SELECT last_seq FROM communicator_node", pool),
        "7", "the node knows its last number");
    is_int(stamp(node, pool), 0, "and nothing is stamped twice");
}

static void test_lives(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, pool);
    int sqlite = cm_store_dialect(store)->database == CM_SQLITE3;
    cm_batch_t *batch;
    int i;

    for (i = 0; i < 5; i++) {
        capture(node, "post", "1", "create", POST(""), NULL, 100 * i, pool);
        capture(node, "post", "1", "delete", POST(""), NULL, 0, pool);
        if (i % 2)
            stamp(node, pool);
    }
    capture(node, "post", "1", "update", POST(""), "[\"title\"]", 0, pool);
    stamp(node, pool);
    capture(node, "post", "1", "create", POST(""), NULL, 700, pool);
    stamp(node, pool);
    batch = read_after(node, 0, pool);
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
    ok(strstr(wire(batch, 10, 0, pool), "\"1\\u001f6\"") != NULL,
       "a change after the end is of a record not seen before");
    ok(strstr(wire(batch, 11, 0, pool),
              sqlite ? "\"1\\u001f6\"" : "\"1\\u001f7\"") != NULL,
       "created once more: %s", sqlite ? "replaced" : "after a TRUNCATE");
    is_str(database_value(store,
                          "SELECT count(*) FROM communicator_mappings"
                          " WHERE local_record_id = '1'",
                          pool),
           "1", "one of them is alive");
}

static void test_written(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, pool);
    cm_batch_t *batch;

    capture(node, "post", "1", "create", POST("\"title\":\"a\""), NULL, 1000,
            pool);
    stamp(node, pool);
    database_run(store,
                 "INSERT INTO communicator_mappings (origin, original_id,"
                 " local_record_type, local_record_id, clock)"
                 " VALUES ('there', '44', 'post', '2', 500)");
    say(node, POST("\"id\":1,\"title\":\"b\""), "here", "1", pool);
    say(node, POST("\"title\":\"c\""), "there", "44", pool);
    say(node, POST("\"title\":\"d\""), "elsewhere", "9", pool);
    say(node, POST("\"title\":\"e\""), NULL, NULL, pool);
    say(node, "{\"post\":", "here", "5", pool);
    say(node, "{\"gizmo\":{}}", "here", "5", pool);
    say(node, POST("\"n\": 12345678901234567890.10"), "here", "3", pool);
    is_int(stamp(node, pool), 7, "%s: seven are stamped", database_of(store));
    batch = read_after(node, 1, pool);
    is_int(batch->messages->nelts, 5, "what can be read is sent");
    is_int(batch->held_back, 2, "the others are held back");
    is_str(batch->held_reason, "message 6 cannot be read", "with the reason");
    is_int(batch->last, 8, "and are no obstacle");
    ok(strstr(wire(batch, 0, 0, pool), HERE("1")) &&
           strstr(wire(batch, 0, 0, pool), "\"base\":1000"),
       "the mapping is found by our own id");
    ok(strstr(wire(batch, 1, 0, pool),
              "\"origin\":\"there\",\"original_id\":44") &&
           strstr(wire(batch, 1, 0, pool), "\"base\":500"),
       "and by the other's");
    ok(strstr(wire(batch, 2, 0, pool),
              "\"origin\":\"elsewhere\",\"original_id\":9") != NULL,
       "an identity that is not known here goes as it is");
    ok(strstr(wire(batch, 3, 0, pool),
              "\"origin\":null,\"original_id\":null") != NULL,
       "so does none");
    ok(strstr(wire(batch, 4, 0, pool), ":12345678901234567890.10}") != NULL,
       "numbers keep their digits");
    is_str(database_value(store, "SELECT count(*) FROM communicator_mappings",
                          pool),
           "3", "a mapping is made for the record that is ours");
}

static void test_references(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, pool);
    cm_batch_t *batch;

    database_run(store, "INSERT INTO authors (id) VALUES (4), (5), (6)");
    database_run(store,
                 "INSERT INTO communicator_mappings (origin, original_id,"
                 " local_record_type, local_record_id)"
                 " VALUES ('there', '70', 'author', '5')");
    capture(node, "post", "1", "create", POST("\"author_id\":4"), NULL, 1,
            pool);
    capture(node, "post", "2", "create", POST("\"author_id\":5"), NULL, 2,
            pool);
    capture(node, "post", "3", "create", POST("\"author_id\":null"), NULL, 3,
            pool);
    capture(node, "post", "4", "create", POST("\"author_id\":99"), NULL, 4,
            pool);
    say(node, POST("\"author_id\":4"), "here", "5", pool);
    capture(node, "author", "6", "create", "{\"author\":{}}", NULL, 5, pool);
    capture(node, "post", "6", "create", POST("\"author_id\":6"), NULL, 6,
            pool);
    capture(node, "author", "6", "delete", "{\"author\":{}}", NULL, 7, pool);
    capture(node, "author", "4", "create", "{\"author\":{}}", NULL, 8, pool);
    database_run(store, "DELETE FROM authors WHERE id = 6");
    stamp(node, pool);
    batch = read_after(node, 0, pool);
    is_int(batch->messages->nelts, 9, "%s: nine messages", database_of(store));
    ok(strstr(wire(batch, 0, 0, pool),
              ",\"refs\":{\"author_id\":{\"model\":\"author\"," HERE(
                  "4") "}}}") != NULL,
       "a parent that was never sent gets its name");
    ok(strstr(wire(batch, 1, 0, pool),
              ",\"refs\":{\"author_id\":{\"model\":\"author\",\"origin\":"
              "\"there\",\"original_id\":70}}}") != NULL,
       "a parent of theirs has it");
    ok(!strstr(wire(batch, 2, 0, pool), "refs"), "NULL is no reference");
    ok(!strstr(wire(batch, 3, 0, pool), "refs") &&
           strstr(wire(batch, 3, 0, pool), WIRE_POST("\\\"author_id\\\":null")),
       "what is not there cannot be named: NULL");
    ok(strstr(wire(batch, 4, 0, pool), HERE("4") "}}}") != NULL,
       "a message of the application is translated too");
    ok(strstr(wire(batch, 6, 0, pool), HERE("6") "}}}") != NULL,
       "a parent that is deleted since is found by its delete");
    ok(strstr(wire(batch, 8, 0, pool), HERE("4") ",\"action\":\"create\"") !=
           NULL,
       "a record that was referred to first keeps its name");
}

static void test_limits(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, pool);
    cm_limits_t few = {3, 1 << 20}, small = {100, 2000};
    char text[1001];
    cm_pending_t pending;
    cm_batch_t *batch;
    int i;

    memset(text, 'x', 1000);
    text[1000] = '\0';
    for (i = 0; i < 10; i++)
        capture(node, "post", apr_psprintf(pool, "%d", i), "update",
                apr_psprintf(pool, POST("\"text\":\"%s\""), text), NULL,
                100 + i, pool);
    database_run(store, "UPDATE outbound_messages SET source = 'there',"
                        " seq = 1 WHERE id = 1");
    database_run(store, "UPDATE communicator_node SET last_seq = 1");
    database_must(cm_outbox_pending(&pending, node, "there", pool));
    ok(pending.count == 9 && pending.oldest_clock == 101,
       "%s: nine wait before they are stamped", database_of(store));
    stamp(node, pool);
    database_must(cm_outbox_pending(&pending, node, "there", pool));
    ok(pending.count == 9 && pending.oldest_clock == 101, "and after");
    database_must(
        cm_outbox_read(&batch, node, "there", 0, &few, 0, 0, pool, pool));
    ok(batch->messages->nelts == 3 && batch->more && batch->last == 4,
       "three messages, not the peer's own");
    database_must(
        cm_outbox_read(&batch, node, "there", 4, &small, 0, 0, pool, pool));
    ok(batch->messages->nelts == 1 && batch->more && batch->last == 5,
       "two thousand bytes");
    small.bytes = 5;
    database_must(
        cm_outbox_read(&batch, node, "there", 4, &small, 0, 0, pool, pool));
    ok(batch->messages->nelts == 1, "one message is sent, however large");
    batch = read_after(node, 9, pool);
    ok(batch->messages->nelts == 1 && !batch->more && batch->last == 10,
       "the last one");
    batch = read_after(node, 10, pool);
    ok(!batch->messages->nelts && !batch->more && batch->last == 10,
       "and no more");
    database_must(cm_outbox_confirm(node, "there", 6, pool));
    database_must(cm_outbox_confirm(node, "there", 4, pool));
    database_must(cm_outbox_pending(&pending, node, "there", pool));
    ok(pending.count == 4 && pending.oldest_clock == 106,
       "confirmed up to 6, and not back again");
    is_str(database_value(store,
                          "SELECT count(*) FROM outbound_messages"
                          " WHERE delivered_at IS NOT NULL",
                          pool),
           "6", "six are delivered");
    ok(database_fails(cm_outbox_confirm(node, "there", 11, pool), CM_EPOCH,
                      "a number that was never used"),
       "cannot be confirmed");
    database_run(store, "DELETE FROM outbound_messages WHERE seq < 5");
    ok(database_fails(
           cm_outbox_read(&batch, node, "there", 2, &plenty, 0, 0, pool, pool),
           CM_EPOCH, "going back behind what is purged"),
       "is refused");
    batch = read_after(node, 4, pool);
    is_int(batch->messages->nelts, 6, "going back before it is not");
}

static void test_gem(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, pool);
    apr_int64_t after, first_id;
    cm_batch_t *batch;
    int i;

    database_run(store,
                 "INSERT INTO communicator_mappings (origin, original_id,"
                 " local_record_type, local_record_id)"
                 " VALUES ('there', '70', 'author', '5')");
    database_run(store, "INSERT INTO authors (id) VALUES (4)");
    capture(node, "post", "1", "create",
            POST("\"title\":\"a\",\"created_at\":\"2026-11-23 17:22:59.5\""),
            NULL, 1, pool);
    capture(node, "post", "1", "delete", POST(""), NULL, 2, pool);
    capture(node, "post", "2", "create", POST("\"author_id\":5"), NULL, 3,
            pool);
    capture(node, "post", "3", "create", POST("\"author_id\":4"), NULL, 4,
            pool);
    capture(node, "post", "4", "create", POST("\"title\":\"a\\u0000\""), NULL,
            5, pool);
    say(node, POST("\"id\":9,\"title\":\"z\""), "here", "9", pool);
    capture(node, "post", "3000000000", "create", POST(""), NULL, 6, pool);
    capture(node, "post", "x", "create", POST(""), NULL, 7, pool);
    stamp(node, pool);
    database_must(
        cm_outbox_read(&batch, node, "there", 0, &plenty, 1, 21, pool, pool));
    is_int(batch->messages->nelts, 3, "%s: three are for a gem",
           database_of(store));
    is_int(batch->held_back, 5, "five are not");
    is_str(batch->held_reason, "a gem knows no deletes", "and why");
    is_str(wire(batch, 0, 1, pool),
           "{\"id\":21," WIRE_POST(
               "\\\"title\\\":\\\"a\\\","
               "\\\"created_at\\\":"
               "\\\"2026-11-23T17:22:59Z\\\"") "," HERE("1") "}",
           "whole seconds, nothing but what it knows");
    is_str(wire(batch, 1, 1, pool),
           "{\"id\":22," WIRE_POST("\\\"author_id\\\":70") "," HERE("2") "}",
           "a reference to its own record, by its own id");
    is_str(wire(batch, 2, 1, pool),
           "{\"id\":23," WIRE_POST("\\\"title\\\":\\\"z\\\"") "," HERE("9") "}",
           "no id in the record");
    database_must(
        cm_outbox_read(&batch, node, "there", 0, &plenty, 1, 0, pool, pool));
    ok(strstr(wire(batch, 1, 1, pool), "{\"id\":3,") != NULL,
       "one that pulls gets the seqs");

    for (i = 10; i < 20; i++)
        say(node, POST("\"title\":\"z\""), "here", apr_psprintf(pool, "%d", i),
            pool);
    stamp(node, pool);
    database_must(cm_outbox_gem_confirm(node, "there", 0, 20, pool));
    database_run(store, "UPDATE communicator_peers SET confirmed_id = 20");
    for (i = 0; i < 2; i++) {
        static const struct {
            apr_int64_t id, after, first_id;
        } places[] = {{21, 0, 21}, {22, 1, 22},  {23, 3, 23},  {24, 6, 24},
                      {25, 9, 25}, {34, 18, 34}, {99, 18, 34}, {1, 0, 21}};
        apr_size_t j;

        for (j = 0; j < sizeof(places) / sizeof(*places); j++) {
            database_must(cm_outbox_gem_seek(&after, &first_id, node, "there",
                                             places[j].id, pool));
            database_must(cm_outbox_read(&batch, node, "there", after, &plenty,
                                         1, first_id, pool, pool));
            is_int(first_id, places[j].first_id, "number %d",
                   (int)places[j].id);
            ok(first_id == 34
                   ? !batch->messages->nelts
                   : strstr(wire(batch, 0, 1, pool),
                            apr_psprintf(pool, "{\"id\":%d,", (int)first_id)) &&
                         batch->messages->nelts == 34 - first_id,
               "  begins there");
        }
        database_must(
            cm_outbox_gem_confirm(node, "there", i ? 18 : 10, 25, pool));
    }
}

int main(void)
{
    if (!database_any())
        return skip_all("no database to test with");
    database_each("clocks", test_clocks);
    database_each("lives", test_lives);
    database_each("written by the application", test_written);
    database_each("references", test_references);
    database_each("limits", test_limits);
    database_each("a gem", test_gem);
    return done_testing();
}
