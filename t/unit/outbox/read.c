/* What a peer gets of the outbox, and when: limits, cursors, and the rules of
 * a gem (outbox/outbox.h). */
#include "../outbox.h"

#include "store/dialect.h"
#include "node/node.h"
#include "outbox/outbox.h"
#include "outbox/read.h"
#include "outbox/stamp.h"
#include "gem/gem.h"

/* Ten messages of a thousand bytes, the first one from the peer itself. */
static void say_ten(cm_node_t *node, apr_pool_t *pool)
{
    cm_store_t *store = node->store;
    char text[1001];
    int i;

    memset(text, 'x', 1000);
    text[1000] = '\0';
    for (i = 0; i < 10; i++)
        outbox_capture(node, "post", apr_psprintf(pool, "%d", i), "update",
                       apr_psprintf(pool, POST("\"text\":\"%s\""), text), NULL,
                       100 + i, pool);
    database_run(store, "UPDATE outbound_messages SET source = 'there',"
                        " seq = 1 WHERE id = 1");
    database_run(store, "UPDATE communicator_node SET last_seq = 1");
}

static void test_limits(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = outbox_node(store, pool);
    cm_limits_t few = {3, 1 << 20}, small = {100, 2000};
    cm_pending_t pending;
    cm_batch_t *batch;

    say_ten(node, pool);
    database_must(
        cm_outbox_pending(&pending, node, "there", CM_EXACT_FOR_PEOPLE, pool));
    ok(pending.count == 9 && pending.oldest_clock == 101,
       "%s: nine wait before they are stamped", database_of(store));
    outbox_stamp(node, pool);
    database_must(
        cm_outbox_pending(&pending, node, "there", CM_EXACT_FOR_PEOPLE, pool));
    ok(pending.count == 9 && pending.oldest_clock == 101, "and after");
    database_must(cm_outbox_read(
        &batch, node, &(cm_reading_t){.peer = "there", .limits = few}, pool,
        pool));
    ok(batch->messages->nelts == 3 && batch->more && batch->last == 4,
       "three messages, not the peer's own");
    database_must(cm_outbox_read(
        &batch, node,
        &(cm_reading_t){.peer = "there", .after = 4, .limits = small}, pool,
        pool));
    ok(batch->messages->nelts == 1 && batch->more && batch->last == 5,
       "two thousand bytes");
    small.bytes = 5;
    database_must(cm_outbox_read(
        &batch, node,
        &(cm_reading_t){.peer = "there", .after = 4, .limits = small}, pool,
        pool));
    ok(batch->messages->nelts == 1, "one message is sent, however large");
    batch = outbox_read_after(node, 9, pool);
    ok(batch->messages->nelts == 1 && !batch->more && batch->last == 10,
       "the last one");
    batch = outbox_read_after(node, 10, pool);
    ok(!batch->messages->nelts && !batch->more && batch->last == 10,
       "and no more");
}

/* Put post ID into the outbox under that id, and commit it. */
static void say_as(cm_node_t *node, int id, apr_pool_t *pool)
{
    database_run(node->store,
                 apr_psprintf(pool,
                              "INSERT INTO outbound_messages (id, model,"
                              " local_record_id, action, body, clock) VALUES"
                              " (%d, 'post', '%d', 'create', '%s', 1)",
                              id, id, POST("\"title\":\"a\"")));
}

static void test_chunks(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = outbox_node(store, pool);
    cm_stamping_t stamping = {.limit = 2, .peer = "there"};
    int stamped, all = 0, id;

    for (id = 11; id <= 15; id++)
        say_as(node, id, pool);
    database_must(cm_stamp_chunk(&stamped, node, &stamping, pool));
    is_int(stamped, 2, "%s: as many as were asked for", database_of(store));
    is_str(
        database_value(store,
                       "SELECT count(*) FROM outbound_messages WHERE seq <= 2"
                       " AND id <= 12 AND delivered_at IS NOT NULL",
                       pool),
        "2", "the first ones, and noted as handed over");
    do {
        database_must(cm_stamp_chunk(&stamped, node, &stamping, pool));
        all += stamped;
    } while (stamped);
    is_int(all, 3, "the rest");
    say_as(node, 5, pool);
    say_as(node, 16, pool);
    node->outbox.searched_at = 0;
    database_must(cm_stamp_chunk(&stamped, node, &stamping, pool));
    is_str(database_value(store,
                          "SELECT count(*) FROM outbound_messages"
                          " WHERE seq = id - CASE id WHEN 5 THEN -1 ELSE 9 END"
                          " AND id IN (5, 16)",
                          pool),
           "2", "an id that the application chose comes in order, in time");
    say_as(node, 1, pool);
    say_as(node, 2, pool);
    node->outbox.searched_at = 0;
    database_must(cm_stamp_chunk(&stamped, node, &stamping, pool));
    say_as(node, 3, pool);
    database_must(cm_stamp_chunk(&stamped, node, &stamping, pool));
    is_int(stamped, 1, "ids that begin anew");
}

/* Ids that were passed over: what commits late, what never will. */
static void test_gaps(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = outbox_node(store, pool);
    cm_stamping_t stamping = {.limit = 100};
    int stamped, id;

    if (cm_dialect_of_store(store)->database != CM_MYSQL)
        return;
    for (id = 3; id <= 9; id += 3)
        say_as(node, id, pool);
    database_must(cm_stamp_chunk(&stamped, node, &stamping, pool));
    is_str(database_value(store,
                          "SELECT regexp_replace(passed, '@[0-9]+', '')"
                          " FROM communicator_node WHERE stamped_id = 9",
                          pool),
           "1-2 4-5 7-8", "gaps are remembered");
    say_as(node, 5, pool);
    database_must(cm_stamp_chunk(&stamped, node, &stamping, pool));
    is_int(stamped, 1, "and looked into");
    database_run(store, "UPDATE communicator_node SET passed ="
                        " '1-2@1 4-4@1 7-8@1'");
    say_as(node, 2, pool);
    database_must(cm_stamp_chunk(&stamped, node, &stamping, pool));
    is_int(stamped, 1, "an old one, too");
    database_run(store, "UPDATE communicator_node SET passed = '4-4@1 7-8@1'");
    database_must(cm_stamp_chunk(&stamped, node, &stamping, pool));
    is_str(database_value(store,
                          "SELECT coalesce(passed, 'none')"
                          " FROM communicator_node",
                          pool),
           "none", "what nobody has is forgotten");
}

/* Stamp the next messages for "there", and compare what is read behind AFTER
 * with what a reader without them gets. */
static void compare_stamped(cm_node_t *node, cm_stamping_t *stamping,
                            apr_int64_t after, int kept, const char *what,
                            apr_pool_t *pool)
{
    cm_batch_t *batch, *plain;
    int stamped, i;

    database_must(cm_stamp_chunk(&stamped, node, stamping, pool));
    ok((stamping->stamped != NULL) == kept, "%s: %s", what,
       kept ? "a batch" : "rows");
    database_must(cm_outbox_read(&batch, node,
                                 &(cm_reading_t){.peer = "there",
                                                 .after = after,
                                                 .limits = outbox_plenty,
                                                 .stamped = stamping->stamped},
                                 pool, pool));
    plain = outbox_read_after(node, after, pool);
    ok(batch->messages->nelts == plain->messages->nelts &&
           batch->last == plain->last,
       "as many messages, up to the same number");
    for (i = 0; i < plain->messages->nelts; i++)
        is_str(outbox_wire(batch, i, 0, pool), outbox_wire(plain, i, 0, pool),
               "message %d is the same", i);
}

static void test_stamped(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = outbox_node(store, pool);
    cm_stamping_t stamping = {.limit = 10, .peer = "there"};
    char *large = apr_pcalloc(pool, 9000);

    node->history = CM_HISTORY_PACKED;
    database_run(store, "INSERT INTO authors VALUES (4, 'Anna')");
    outbox_capture(node, "author", "4", "create",
                   "{\"author\":{\"name\":\"A\"}}", NULL, 1, pool);
    outbox_capture(node, "post", "7", "create",
                   POST("\"author_id\":4,\"title\":\"a\",\"text\":\"t\""), NULL,
                   5, pool);
    outbox_capture(node, "post", "7", "update",
                   POST("\"author_id\":4,\"title\":\"b\",\"text\":\"t\""),
                   "[\"title\"]", 9, pool);
    outbox_capture(node, "post", "7", "delete", POST(""), NULL, 10, pool);
    compare_stamped(node, &stamping, 0, 1, database_of(store), pool);
    database_run(store, "INSERT INTO communicator_peers (name, epoch) VALUES"
                        " ('there', 'e')");
    outbox_capture(node, "post", "8", "create", POST("\"title\":\"a\""), NULL,
                   5, pool);
    stamping.holds = 4;
    compare_stamped(node, &stamping, 2, 1, "another place", pool);
    ok(!stamping.holds, "what the peer holds");
    is_str(database_value(store,
                          "SELECT confirmed FROM communicator_peers"
                          " WHERE name = 'there'",
                          pool),
           "4", "was confirmed with it");
    outbox_say(node, POST("\"title\":\"b\""), "here", "8", pool);
    compare_stamped(node, &stamping, 5, 0, "what the application wrote", pool);
    memset(large, 'x', 8999);
    outbox_capture(node, "post", "9", "create",
                   apr_psprintf(pool, POST("\"text\":\"%s\""), large), NULL, 5,
                   pool);
    compare_stamped(node, &stamping, 6, 0, "a large one", pool);
}

static void test_cursors(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = outbox_node(store, pool);
    cm_pending_t pending;
    cm_batch_t *batch;

    say_ten(node, pool);
    outbox_stamp(node, pool);
    database_must(cm_outbox_confirm(node, "there", 6, 6, pool));
    database_must(cm_outbox_confirm(node, "there", 4, 4, pool));
    database_must(
        cm_outbox_pending(&pending, node, "there", CM_EXACT_FOR_PEOPLE, pool));
    ok(pending.count == 4 && pending.oldest_clock == 106,
       "confirmed up to 6, and not back again");
    is_str(database_value(store,
                          "SELECT count(*) FROM outbound_messages"
                          " WHERE delivered_at IS NOT NULL",
                          pool),
           "6", "six are delivered");
    ok(database_fails(cm_outbox_confirm(node, "there", 11, 11, pool), CM_EPOCH,
                      "a number that was never used"),
       "cannot be confirmed");
    database_run(store, "DELETE FROM outbound_messages WHERE seq < 5");
    ok(database_fails(cm_outbox_read(&batch, node,
                                     &(cm_reading_t){.peer = "there",
                                                     .after = 2,
                                                     .limits = outbox_plenty},
                                     pool, pool),
                      CM_EPOCH, "going back behind what is purged"),
       "is refused");
    batch = outbox_read_after(node, 4, pool);
    is_int(batch->messages->nelts, 6, "going back before it is not");
}

/* Eight messages: 1, 3 and 6 are for a gem. */
static void say_for_gem(cm_node_t *node, apr_pool_t *pool)
{
    cm_store_t *store = node->store;

    database_run(store, apr_pstrcat(pool, "INSERT INTO ",
                                    database_records(store, "author", pool),
                                    " (origin, original_id, local_id)"
                                    " VALUES ('there', '70', '5')",
                                    NULL));
    database_run(store, "INSERT INTO authors (id) VALUES (4)");
    outbox_capture(
        node, "post", "1", "create",
        POST("\"title\":\"a\",\"created_at\":\"2026-11-23 17:22:59.5\""), NULL,
        1, pool);
    outbox_capture(node, "post", "1", "delete", POST(""), NULL, 2, pool);
    outbox_capture(node, "post", "2", "create", POST("\"author_id\":5"), NULL,
                   3, pool);
    outbox_capture(node, "post", "3", "create", POST("\"author_id\":4"), NULL,
                   4, pool);
    outbox_capture(node, "post", "4", "create", POST("\"title\":\"a\\u0000\""),
                   NULL, 5, pool);
    outbox_say(node, POST("\"id\":9,\"title\":\"z\""), "here", "9", pool);
    outbox_capture(node, "post", "3000000000", "create", POST(""), NULL, 6,
                   pool);
    outbox_capture(node, "post", "x", "create", POST(""), NULL, 7, pool);
    outbox_stamp(node, pool);
}

static void test_gem(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = outbox_node(store, pool);
    cm_batch_t *batch;

    say_for_gem(node, pool);
    database_must(cm_outbox_read(&batch, node,
                                 &(cm_reading_t){.peer = "there",
                                                 .limits = outbox_plenty,
                                                 .fit = cm_gem_fit,
                                                 .first_id = 21},
                                 pool, pool));
    is_int(batch->messages->nelts, 3, "%s: three are for a gem",
           database_of(store));
    is_int(batch->held_back, 5, "five are not");
    is_str(batch->held_reason, "a gem knows no deletes", "and why");
    is_str(outbox_wire(batch, 0, 1, pool),
           "{\"id\":21," WIRE_POST(
               "\\\"title\\\":\\\"a\\\","
               "\\\"created_at\\\":"
               "\\\"2026-11-23T17:22:59Z\\\"") "," HERE("1") "}",
           "whole seconds, nothing but what it knows");
    is_str(outbox_wire(batch, 1, 1, pool),
           "{\"id\":22," WIRE_POST("\\\"author_id\\\":70") "," HERE("2") "}",
           "a reference to its own record, by its own id");
    is_str(outbox_wire(batch, 2, 1, pool),
           "{\"id\":23," WIRE_POST("\\\"title\\\":\\\"z\\\"") "," HERE("9") "}",
           "no id in the record");
    database_must(cm_outbox_read(&batch, node,
                                 &(cm_reading_t){.peer = "there",
                                                 .limits = outbox_plenty,
                                                 .fit = cm_gem_fit},
                                 pool, pool));
    ok(strstr(outbox_wire(batch, 1, 1, pool), "{\"id\":3,") != NULL,
       "one that pulls gets the seqs");
}

static void test_gem_numbers(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = outbox_node(store, pool);
    apr_int64_t after, first_id;
    cm_batch_t *batch;
    int i;

    say_for_gem(node, pool);
    for (i = 10; i < 20; i++)
        outbox_say(node, POST("\"title\":\"z\""), "here",
                   apr_psprintf(pool, "%d", i), pool);
    outbox_stamp(node, pool);
    database_must(cm_outbox_confirm(node, "there", 0, 20, pool));
    database_run(store, "UPDATE communicator_peers SET confirmed_id = 20");
    for (i = 0; i < 2; i++) {
        static const struct {
            apr_int64_t id, after, first_id;
        } places[] = {{21, 0, 21}, {22, 1, 22},  {23, 3, 23},  {24, 6, 24},
                      {25, 9, 25}, {34, 18, 34}, {99, 18, 34}, {1, 0, 21}};
        apr_size_t j;

        for (j = 0; j < sizeof(places) / sizeof(*places); j++) {
            database_must(cm_gem_seek(&after, &first_id, node, "there",
                                      places[j].id, pool));
            database_must(
                cm_outbox_read(&batch, node,
                               &(cm_reading_t){.peer = "there",
                                               .after = after,
                                               .limits = outbox_plenty,
                                               .fit = cm_gem_fit,
                                               .first_id = first_id},
                               pool, pool));
            is_int(first_id, places[j].first_id, "number %d",
                   (int)places[j].id);
            ok(first_id == 34
                   ? !batch->messages->nelts
                   : strstr(outbox_wire(batch, 0, 1, pool),
                            apr_psprintf(pool, "{\"id\":%d,", (int)first_id)) &&
                         batch->messages->nelts == 34 - first_id,
               "  begins there");
        }
        database_must(cm_outbox_confirm(node, "there", i ? 18 : 10, 25, pool));
    }
}

/* Messages that a gem here has sent had its ids for numbers, with gaps. */
static void test_gem_gaps(cm_store_t *store, apr_pool_t *pool)
{
    static const struct {
        apr_int64_t id, after, first_id;
    } places[] = {{2, 1, 2}, {6, 5, 6}, {9, 8, 9}, {12, 10, 8}};
    cm_node_t *node = outbox_node(store, pool);
    apr_int64_t after, first_id;
    int i;

    for (i = 1; i <= 10; i++)
        outbox_say(node, POST("\"title\":\"z\""), "here",
                   apr_psprintf(pool, "%d", i), pool);
    outbox_stamp(node, pool);
    database_run(store, "DELETE FROM outbound_messages WHERE seq IN (3, 4, 7)");
    database_run(store, "UPDATE communicator_node SET migrated_seq = 10");
    database_must(cm_outbox_confirm(node, "there", 1, 1, pool));
    for (i = 0; i < 4; i++) {
        database_must(
            cm_gem_seek(&after, &first_id, node, "there", places[i].id, pool));
        ok(after == places[i].after && first_id == places[i].first_id,
           "%s: from %d on", database_of(store), (int)places[i].id);
        if (after != places[i].after || first_id != places[i].first_id)
            diag_text("got",
                      apr_psprintf(pool, "%d %d", (int)after, (int)first_id));
    }
}

/* A gem that has counted the messages of another node. */
static void test_gem_begins(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = outbox_node(store, pool);
    apr_int64_t after = 0, first_id = 1;

    database_must(cm_gem_begin(&after, &first_id, node, "there", 50, pool));
    is_int(first_id, 1, "%s: without messages nothing is noted",
           database_of(store));
    say_for_gem(node, pool);
    database_must(cm_gem_seek(&after, &first_id, node, "there", 50, pool));
    database_must(cm_gem_begin(&after, &first_id, node, "there", 50, pool));
    ok(after == 0 && first_id == 50, "ours follow these");
    database_must(cm_gem_seek(&after, &first_id, node, "there", 52, pool));
    ok(after == 3 && first_id == 52, "  and are counted from there");
    database_must(cm_gem_note_sent(node, "there", 3, pool));
    database_run(store, "UPDATE communicator_peers SET confirmed_id = 0");
    database_must(cm_gem_note_sent(node, "there", 2, pool));
    is_str(database_value(store, "SELECT sent FROM communicator_peers", pool),
           "3", "what it was sent is noted");
    first_id = 4;
    database_must(cm_gem_begin(&after, &first_id, node, "there", 50, pool));
    is_int(first_id, 4, "  then it counts ours");
}

/* Post FORMER gets the key ID. */
static void move_post(cm_node_t *node, const char *former, const char *id,
                      apr_pool_t *pool)
{
    database_run(node->store, apr_pstrcat(pool, "UPDATE posts SET id = ", id,
                                          " WHERE id = ", former, NULL));
    outbox_capture(node, "post", id, "update", "{\"post\":true}", "[\"id\"]", 2,
                   pool);
    database_run(node->store, apr_pstrcat(pool,
                                          "UPDATE outbound_messages SET"
                                          " former_record_id = '",
                                          former,
                                          "' WHERE former_record_id IS NULL AND"
                                          " action = 'update' AND"
                                          " local_record_id = '",
                                          id, "'", NULL));
}

/* A new row that is read when it is sent may have another key by then, even one
 * that no message with a number has given it. */
static void test_moved(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = outbox_node(store, pool);
    cm_batch_t *batch;
    int i;

    database_run(store, "INSERT INTO authors (id) VALUES (5)");
    database_run(store,
                 "INSERT INTO posts (id, author_id, title)"
                 " VALUES (1, 5, 'one'), (2, 5, 'two'), (3, 5, 'three')");
    outbox_capture(node, "author", "5", "create", "{\"author\":{}}", NULL, 1,
                   pool);
    for (i = 1; i <= 3; i++)
        outbox_capture(node, "post", apr_itoa(pool, i), "create",
                       "{\"post\":true}", NULL, 1, pool);
    outbox_capture(node, "author", "5", "delete", "{\"author\":{}}", NULL, 2,
                   pool);
    database_run(store, "DELETE FROM authors");
    move_post(node, "1", "11", pool);
    move_post(node, "2", "12", pool);
    outbox_stamp(node, pool);
    move_post(node, "12", "22", pool);
    move_post(node, "22", "32", pool);
    move_post(node, "3", "13", pool);
    batch = outbox_read_after(node, 0, pool);
    is_int(batch->messages->nelts, 7, "%s: seven messages", database_of(store));
    for (i = 1; i <= 3; i++) {
        static const char *const titles[] = {"one", "two", "three"};
        const char *wire = outbox_wire(batch, i, 0, pool);

        ok(strstr(wire, apr_pstrcat(pool, "\\\"title\\\":\\\"", titles[i - 1],
                                    "\\\"", NULL)) != NULL,
           "  post %d, which has another key by now, is sent whole", i);
        ok(strstr(wire, ",\"refs\":{\"author_id\":\"author\"}}") != NULL,
           "  and with its parent, which is gone");
    }
    ok(strstr(outbox_wire(batch, 6, 0, pool), "two") != NULL,
       "  a change before another change of the key, too");
}

/* Another record may have the key that the row had. */
static void test_key_taken(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = outbox_node(store, pool);
    cm_batch_t *batch;

    database_run(store, "INSERT INTO posts (id, title) VALUES (1, 'one')");
    outbox_capture(node, "post", "1", "create", "{\"post\":true}", NULL, 1,
                   pool);
    move_post(node, "1", "11", pool);
    database_run(store, "INSERT INTO posts (id, title) VALUES (1, 'other')");
    outbox_capture(node, "post", "1", "create", "{\"post\":true}", NULL, 3,
                   pool);
    outbox_stamp(node, pool);
    batch = outbox_read_after(node, 0, pool);
    ok(strstr(outbox_wire(batch, 0, 0, pool), "one") != NULL &&
           !strstr(outbox_wire(batch, 0, 0, pool), "other"),
       "%s: a new row that another one has followed under its key is itself",
       database_of(store));
    ok(strstr(outbox_wire(batch, 2, 0, pool), "other") != NULL,
       "  and so is the other one");
}

int main(void)
{
    if (!database_any())
        return skip_all("no database to test with");
    database_each("chunks", test_chunks);
    database_each("gaps", test_gaps);
    database_each("just stamped", test_stamped);
    database_each("limits", test_limits);
    database_each("cursors", test_cursors);
    database_each("what a gem takes", test_gem);
    database_each("how a gem counts", test_gem_numbers);
    database_each("gaps of a gem's own time", test_gem_gaps);
    database_each("where a gem begins", test_gem_begins);
    database_each("another key", test_moved);
    database_each("a key that is taken", test_key_taken);
    return done_testing();
}
