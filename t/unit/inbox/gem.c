/* The inbox: messages of a gem, which know no clocks, deletes, references. */
#include "../inbox.h"

#include <string.h>

#include <apr_general.h>
#include "config/settings.h"
#include "record/message.h"
#include "node/node.h"
#include "outbox/stamp.h"
#include "inbox/inbox.h"

static cm_receipt_t *take(cm_node_t *node, apr_int64_t after, const char *text,
                          apr_pool_t *pool)
{
    cm_receipt_t *receipt;

    database_must(inbox_send(&receipt, node, "there", after, text, 1, pool));
    return receipt;
}

#define GEM(id, origin, original, model, attributes)                           \
    "{\"id\":" id ",\"origin\":" origin ",\"original_id\":" original           \
    ",\"body\":\"{\\\"" model "\\\":{\\\"id\\\":4711," attributes "}}\"}"
#define THERE "\"there\""

static void test_records(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);

    is_int(take(node, 49,
                "[" GEM("50", THERE, "7", "post",
                        TEXT("title", "a") "," TEXT("text", "t")) "]",
                pool)
               ->applied,
           1, "%s: a gem may begin anywhere", database_of(store));
    is_str(inbox_value(node,
                       "SELECT count(*) FROM posts"
                       " WHERE title = 'a' AND id <> 4711",
                       pool),
           "1", "  its id is not taken for ours");
    database_run(store, "UPDATE posts SET text = 'mine'");
    is_int(take(node, 50,
                "[" GEM("51", THERE, "\"7\"", "post", TEXT("title", "b")) "]",
                pool)
               ->applied,
           1, "an update of one attribute comes");
    is_str(inbox_value(
               node, "SELECT text FROM posts WHERE title = 'b' AND id <> 4711",
               pool),
           "mine", "  and leaves the others");
    is_int(
        take(node, 51,
             "[" GEM("52", "null", "null", "post", TEXT("title", "x")) "," GEM(
                 "53", "null", "null", "post",
                 TEXT("title", "x")) "," GEM("55", "\"\"", "7", "post",
                                             TEXT("title", "x")) "]",
             pool)
            ->applied,
        3, "messages without identity, and a gap");
    is_str(
        inbox_value(node, "SELECT count(*) FROM posts WHERE title = 'x'", pool),
        "3", "  each makes a record");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM communicator_mappings WHERE"
                       " origin = 'here' AND original_id = local_record_id"
                       " AND local_record_type = 'Post'",
                       pool),
           "3", "  of our own name");
    is_int(take(node, 55,
                "[" GEM("58", THERE, "8", "post", TEXT("title", "y")) "," GEM(
                    "57", THERE, "9", "post",
                    TEXT("title", "z")) "," GEM("57", THERE, "9", "post",
                                                TEXT("title", "z")) "]",
                pool)
               ->applied,
           2, "disorder is taken, what comes twice is not");
    is_str(inbox_value(node, "SELECT received FROM communicator_peers", pool),
           "58", "  the highest counts");
}

static void test_shared(cm_store_t *store, apr_pool_t *pool)
{
    static const char tag[] = "[" GEM(
        "1", THERE, "7", "tag", TEXT("name", "a") "," TEXT("color", "red")) "]";
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);

    is_int(take(node, 0, tag, pool)->applied, 1,
           "%s: a gem's record of a model with shared keys",
           database_of(store));
    is_str(inbox_value(node, "SELECT color FROM tags WHERE name = 'a'", pool),
           "red", "  goes by its key");
    is_str(inbox_value(node, "SELECT origin FROM communicator_mappings", pool),
           "*", "  as on all nodes");
}

static void test_references(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);
    cm_receipt_t *receipt;

    database_run(store, "INSERT INTO authors (name) VALUES ('other')");
    receipt = take(
        node, 0,
        "[" GEM("1", THERE, "5", "post",
                TEXT("title",
                     "child") ",\\\"author_id\\\":1") "," GEM("2", THERE, "1",
                                                              "author",
                                                              TEXT("name",
                                                                   "one")) "]",
        pool);
    is_int(receipt->applied, 2, "%s: a gem's reference is its own id",
           database_of(store));
    is_str(inbox_value(node,
                       "SELECT a.name FROM authors a JOIN posts p"
                       " ON p.author_id = a.id",
                       pool),
           "one", "  and finds the record that has it there");
}

static void test_merge(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);
    cm_receipt_t *receipt;

    (void)inbox_take(
        node, 0,
        "[" MESSAGE(1, "post", 7, "create", 9000000000000000,
                    TEXT("title", "a") "," TEXT("text", "t"), ) "]",
        pool);
    (void)take(node, 1,
               "[" GEM("2", THERE, "7", "post",
                       TEXT("title", "b") "," TEXT("text", "t")) "]",
               pool);
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "b",
           "%s: what a gem says is newer than what is here",
           database_of(store));
    is_str(inbox_value(node,
                       "SELECT clocks FROM communicator_mappings"
                       " WHERE clock = 9000000000000001",
                       pool),
           database_soon("1:4 9000000000000001:2", pool),
           "  where it says otherwise");
    receipt = take(node, 2, "[" GEM("3", THERE, "8", "post", NONE("title")) "]",
                   pool);
    is_int(receipt->parked->nelts, 1, "a bad one is parked");
    (void)inbox_take(
        node, 3,
        "[" MESSAGE(4, "post", 7, "delete", 9000000000000009, , BASE(1)) "]",
        pool);
    receipt = take(node, 4,
                   "[" GEM("5", THERE, "7", "post", TEXT("title", "c")) "," GEM(
                       "6", THERE, "8", "post", TEXT("title", "d")) "]",
                   pool);
    is_int(receipt->applied, 3, "a later one mends it");
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "d",
           "  as it says");
    is_str(inbox_value(node, "SELECT count(*) FROM posts", pool), "1",
           "and a deleted record stays deleted");
}

static void test_stop(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node = inbox_node(store, settings, pool);
    const char *batch =
        "[" GEM("1", THERE, "1", "post", TEXT("title", "a")) "," GEM(
            "2", THERE, "2", "post",
            NONE("title")) "," GEM("3", THERE, "3", "post",
                                   TEXT("title", "c")) "]";
    cm_receipt_t *receipt;
    cm_error_t *err;

    settings->on_error = CM_ON_ERROR_STOP;
    err = inbox_send(&receipt, node, "there", 0, batch, 1, pool);
    ok(database_fails(err, CM_REJECTED, "the second of three"),
       "%s: CommunicatorOnError stop: a bad message ends the batch",
       database_of(store));
    ok(receipt && receipt->received == 1, "  what came before is kept");
    is_str(inbox_value(node, "SELECT count(*) FROM posts", pool), "1",
           "  and applied");
    is_str(inbox_value(node, "SELECT sum(messages) FROM communicator_received",
                       pool),
           "1", "  nothing else is");
    database_must(inbox_send(
        &receipt, node, "there", 1,
        "[" GEM("2", THERE, "2", "post", TEXT("title", "b")) "]", 1, pool));
    is_int(receipt->applied, 1, "  until a good one comes in its place");
    ok(database_fails(
           inbox_send(&receipt, node, "there", 7,
                      "[" GEM("8", THERE, "8", "post", TEXT("title", "h")) "]",
                      1, pool),
           CM_GAP, "a gap"),
       "a batch that begins behind a gap is refused");
}

/* A row of a gem's outbox is gone. The gem gets the number to begin with, and
 * sends all later rows that it has. */
static void test_gone(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);
    static const char behind[] =
        "[" GEM("8", THERE, "8", "post", TEXT("title", "h")) "]";
    cm_receipt_t *receipt;
    cm_error_t *err;

    database_must(inbox_send(
        &receipt, node, "there", 0,
        "[" GEM("1", THERE, "1", "post", TEXT("title", "a")) "]", 1, pool));
    err = inbox_send(&receipt, node, "there", 7, behind, 1, pool);
    ok(database_fails(err, CM_GAP, "a gap"), "%s: a gem is told where to begin",
       database_of(store));
    database_run(store, "UPDATE communicator_peers"
                        " SET told_at = told_at - 60000000");
    err = inbox_send(&receipt, node, "there", 7, behind, 1, pool);
    ok(database_fails(err, CM_GAP, "a gap"),
       "  a later run of it begins with what is not delivered, and is told so");
    database_must(inbox_send(&receipt, node, "there", 7, behind, 1, pool));
    is_int(receipt->missing, 6, "  what it sends then is all that it has");
    is_int(receipt->applied, 1, "  and applied");
    err = inbox_send(&receipt, node, "there", 10,
                     "[" GEM("11", THERE, "11", "post", TEXT("title", "k")) "]",
                     1, pool);
    ok(database_fails(err, CM_GAP, "a gap"),
       "  which proves nothing of others");
}

static void test_hub(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node = inbox_node(store, settings, pool);
    cm_batch_t *batch;
    cm_message_t *message;

    settings_add_peer(settings, "third", pool);
    (void)take(
        node, 0,
        "[" GEM("1", "null", "null", "author", TEXT("name", "one")) "," GEM(
            "2", THERE, "3", "author",
            TEXT("name", "two")) "," GEM("3", THERE, "5", "post",
                                         TEXT("title",
                                              "a") ",\\\"author_id\\\":3") "]",
        pool);
    batch = inbox_outgoing(node, "third", pool);
    is_int(batch->messages->nelts, 3, "%s: a hub hands on a gem's messages",
           database_of(store));
    if (batch->messages->nelts != 3)
        return;
    message = APR_ARRAY_IDX(batch->messages, 0, cm_message_t *);
    is_str(message->identity.origin, "here", "  with a name");
    ok(message->clocks.clock > 0, "  with a clock");
    message = APR_ARRAY_IDX(batch->messages, 2, cm_message_t *);
    is_str(cm_message_write_refs(message, pool),
           "{\"author_id\":{\"model\":\"author\",\"origin\":\"there\","
           "\"original_id\":3}}",
           "  with references");
}

/* What a gem's message says is not what is here: the others get what is. */
static void test_hub_recast(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node = inbox_node(store, settings, pool);
    apr_int64_t stamped;
    cm_batch_t *batch;

    settings_add_peer(settings, "third", pool);
    database_run(store, "ALTER TABLE posts ADD COLUMN score integer");
    (void)take(node, 0,
               "[" GEM("1", THERE, "5", "post",
                       TEXT("title", "a") ",\\\"score\\\":\\\"42abc\\\"") "]",
               pool);
    is_str(inbox_value(node, "SELECT score FROM posts", pool), "42",
           "%s: a value that is cast", database_of(store));
    database_must(cm_stamp_all(&stamped, node, pool));
    batch = inbox_outgoing(node, "third", pool);
    is_int(batch->messages->nelts, 1, "  is handed on");
    if (batch->messages->nelts == 1)
        ok(strstr(APR_ARRAY_IDX(batch->messages, 0, cm_message_t *)->body,
                  "\"score\":42") != NULL,
           "  as it is here");
}

int main(void)
{
    apr_initialize();
    database_each("records", test_records);
    database_each("shared keys", test_shared);
    database_each("references", test_references);
    database_each("merge", test_merge);
    database_each("CommunicatorOnError stop", test_stop);
    database_each("numbers that are gone", test_gone);
    database_each("hub", test_hub);
    database_each("hub, values that are cast", test_hub_recast);
    apr_terminate();
    return done_testing();
}
