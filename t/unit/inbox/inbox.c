/* The inbox on real databases: messages are kept once, in order, and merged
 * into the application's tables (inbox/inbox.h, apply/apply.h). */
#include "../inbox.h"

#include <apr_general.h>
#include "gem/former.h"
#include "node/node.h"

static void test_records(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);
    const char *create =
        "[" MESSAGE(1, "post", 7, "create", 1000,
                    TEXT("title", "a") "," TEXT("text", "t") "," TEXT(
                        "secret", "s") "," TEXT("unknown", "u"), ) "]";

    is_int(inbox_take(node, 0, create, pool), 1, "%s: a record is created",
           database_of(store));
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "a",
           "  as it was");
    is_str(inbox_value(node, "SELECT secret FROM posts", pool), NULL,
           "  without what except= names");
    is_str(inbox_value(node, "SELECT original_id FROM communicator_mappings",
                       pool),
           "7", "  and mapped");
    is_int(inbox_take(node, 0, create, pool), 0, "a repetition is passed over");
    is_str(inbox_value(node, "SELECT count(*) FROM posts", pool), "1",
           "  and makes no second one");
    is_int(inbox_take(node, 1,
                      "[" MESSAGE(2, "post", 7, "update", 2000,
                                  TEXT("title", "b") "," TEXT("text", "t"),
                                  BASE(1000)) "]",
                      pool),
           1, "an update is taken");
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "b",
           "  and made");
    is_int(inbox_take(node, 2,
                      "[" MESSAGE(3, "post", 7, "update", 1500,
                                  TEXT("title", "c") "," TEXT("text", "t"),
                                  BASE(1000)) "]",
                      pool),
           1, "an older one is taken");
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "b",
           "  and changes nothing");
    is_str(inbox_value(node, "SELECT lost_value FROM communicator_conflicts",
                       pool),
           "\"c\"", "  but is remembered");
    is_int(
        inbox_take(node, 3,
                   "[" MESSAGE(4, "post", 7, "delete", 3000, , BASE(2000)) "]",
                   pool),
        1, "a delete is taken");
    is_str(inbox_value(node, "SELECT count(*) FROM posts", pool), "0",
           "  and made");
    is_int(inbox_take(node, 4,
                      "[" MESSAGE(5, "post", 7, "update", 9000,
                                  TEXT("title", "d"), BASE(8000)) "]",
                      pool),
           1, "an update of a deleted record is taken");
    is_str(inbox_value(node, "SELECT count(*) FROM posts", pool), "0",
           "  but does not bring it back");
    is_str(inbox_value(node, "SELECT count(*) FROM outbound_messages", pool),
           "0", "nothing of all this is published");
    is_str(inbox_value(node, "SELECT received FROM communicator_peers", pool),
           "5", "and the cursor is where it should be");
}

/* A message with a column that only the peer has. */
#define EXTRA(id, clock)                                                       \
    "[" MESSAGE(id, "author", 7, "update", clock,                              \
                TEXT("name", "a") "," TEXT("extra", "e"), ) "]"

static void test_columns(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);
    apr_int64_t read_at;

    is_int(inbox_take(node, 0, EXTRA(1, 1000), pool), 1,
           "%s: a column that only the peer has is skipped",
           database_of(store));
    read_at = node->tables.read_at;
    is_int(inbox_take(node, 1, EXTRA(2, 2000), pool), 1, "  again");
    ok(read_at && node->tables.read_at == read_at,
       "  and the table is not read again for it");
    database_run(store, "ALTER TABLE authors ADD extra varchar(40)");
    is_int(inbox_take(node, 2, EXTRA(3, 3000), pool), 1,
           "  and once it is here");
    is_str(inbox_value(node, "SELECT extra FROM authors", pool), "e",
           "  its value is taken at once");
}

/* A hub's numbers that are for other peers are not asked for again. */
static void test_numbers(cm_store_t *store, apr_pool_t *pool)
{
    static const char one[] = "[" AUTHOR(3, 1, "one") "]";
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);
    cm_batch_t batch = {.last = 9};
    cm_receipt_t *receipt;
    apr_int64_t wanted = 0;

    database_must(
        cm_message_read_batch(&batch.messages, one, sizeof(one) - 1, 0, pool));
    database_must(
        cm_inbox_receive(&receipt, &wanted, node, "there", &batch, 0, pool));
    is_int(receipt->received, 9,
           "%s: numbers that are not for this peer are skipped",
           database_of(store));
    batch.messages = apr_array_make(pool, 1, sizeof(cm_message_t *));
    batch.after = 9;
    batch.last = 1000;
    database_must(
        cm_inbox_receive(&receipt, &wanted, node, "there", &batch, 0, pool));
    is_int(receipt->received, 1000, "  also if there are no others");
}

/* Return whether NODE says that it counts the messages of "there" as a gem. */
static int counts(cm_node_t *node, apr_pool_t *pool)
{
    cm_peer_t *peer;

    database_must(cm_peer_load(&peer, node, "there", 0, pool));
    return cm_former_counts(peer);
}

/* Numbers that come by our protocol are the peer's own, also while there is no
 * message that has one: only what a gem has received is counted otherwise. */
static void test_counted(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);
    cm_batch_t batch = {.last = 4};
    cm_receipt_t *receipt;
    apr_int64_t wanted = 0;

    ok(!counts(node, pool), "%s: nothing is received", database_of(store));
    batch.messages = apr_array_make(pool, 1, sizeof(cm_message_t *));
    database_must(
        cm_inbox_receive(&receipt, &wanted, node, "there", &batch, 0, pool));
    is_int(receipt->received, 4, "all numbers are passed over");
    ok(!counts(node, pool), "  and are the peer's own");
    (void)inbox_take(node, 4, "[" AUTHOR(5, 1, "one") "]", pool);
    is_str(inbox_value(node, "SELECT held FROM communicator_peers", pool), "5",
           "then a message comes, and proves the history");
    is_str(inbox_value(node, "SELECT received_clock FROM communicator_peers",
                       pool),
           "1000", "  by its clock");
}

static void test_counted_unread(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);

    (void)inbox_take(node, 0, "[{\"id\":1,\"body\":7,\"clock\":1000}]", pool);
    is_str(inbox_value(node, "SELECT received FROM communicator_peers", pool),
           "1", "%s: the first message cannot be read", database_of(store));
    ok(!counts(node, pool), "  but has the peer's own number");
}

static void test_counted_by_gem(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);
    cm_receipt_t *receipt;

    database_must(inbox_send(&receipt, node, "there", 0,
                             "[{\"id\":1,\"origin\":\"there\","
                             "\"original_id\":1,\"body\":"
                             "\"{\\\"author\\\":{" TEXT("name", "a") "}}\"}]",
                             1, pool));
    ok(counts(node, pool), "%s: of a gem, it counts", database_of(store));
    database_must(inbox_send(&receipt, node, "there", 1, "[]", 0, pool));
    ok(counts(node, pool), "  also when one of ours has called");
}

/* CommunicatorOnError stop: what the very first message says must not get lost.
 * A peer is told which message is held last, and sends what follows it. */
static void test_stopped(cm_store_t *store, apr_pool_t *pool)
{
    static const char two[] = "[" AUTHOR(1, 1, "one") "," MESSAGE(
        2, "author", 1, "update", 2000, NONE("name"), BASE(1000)) "]";
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node = inbox_node(store, settings, pool);
    cm_receipt_t *receipt;

    settings->on_error = CM_ON_ERROR_STOP;
    ok(inbox_send(
           &receipt, node, "there", 0,
           "[" MESSAGE(1, "author", 1, "create", 1000, NONE("name"), ) "]", 0,
           pool) != NULL,
       "%s: the first message of all stops", database_of(store));
    is_str(inbox_value(node, "SELECT held FROM communicator_peers", pool), "0",
           "  and is not held");
    ok(inbox_send(&receipt, node, "there", 0, two, 0, pool) != NULL,
       "the second one stops");
    is_str(inbox_value(node, "SELECT held FROM communicator_peers", pool), "1",
           "  the first is held");
}

int main(void)
{
    apr_initialize();
    database_each("records", test_records);
    database_each("columns", test_columns);
    database_each("numbers", test_numbers);
    database_each("counted", test_counted);
    database_each("counted, not read", test_counted_unread);
    database_each("counted, of a gem", test_counted_by_gem);
    database_each("stopped", test_stopped);
    apr_terminate();
    return done_testing();
}
