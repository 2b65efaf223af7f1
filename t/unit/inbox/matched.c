/* match=: rows here that a peer's records are found to be, and their names. */
#include "../inbox.h"

#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "base/buffer.h"
#include "outbox/publish.h"
#include "outbox/read.h"
#include "outbox/stamp.h"
#include "outbox/withheld.h"

static cm_node_t *matching(cm_store_t *store, cm_settings_t *settings,
                           apr_pool_t *pool)
{
    APR_ARRAY_PUSH(inbox_model(settings, "author")->columns.match,
                   const char *) = "name";
    return inbox_node(store, settings, pool);
}

static cm_node_t *matching_node(cm_store_t *store, apr_pool_t *pool)
{
    return matching(store, inbox_settings(pool), pool);
}

static cm_node_t *matching_hub(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);

    settings_add_peer(settings, "third", pool);
    return matching(store, settings, pool);
}

/* The author that the peer knows by NAME is called otherwise, and a new one is
 * called as it was. */
#define RENAMED(id, name)                                                      \
    "{\"id\":" #id "," name ",\"action\":\"update\",\"clock\":"                \
    "9000000000000009,\"base\":9000000000000005,\"body\":"                     \
    "\"{\\\"author\\\":{\\\"name\\\":\\\"two\\\"}}\"}"
#define MOVES(id, name, next)                                                  \
    "[" RENAMED(id, name) "," AUTHOR(next, 4, "one") "]"
#define OURS   "\"origin\":\"here\",\"original_id\":1"
#define THEIRS "\"origin\":\"there\",\"original_id\":3"

/* MOVES says that of the author that is here. */
static void test_name_moves(cm_store_t *store, const char *first,
                            const char *moves, apr_pool_t *pool)
{
    cm_node_t *node = matching_node(store, pool);

    database_run(store, "INSERT INTO authors (name) VALUES ('one')");
    if (first)
        (void)inbox_take(node, 0, first, pool);
    (void)inbox_take(node, first != NULL, moves, pool);
    is_str(inbox_value(node, "SELECT count(*) FROM authors", pool), "2",
           "%s: two records of a peer are two", database_of(store));
    is_str(inbox_value(node,
                       "SELECT original_id FROM communicator_mappings WHERE"
                       " local_record_type = 'Author' AND local_record_id ="
                       " (SELECT CAST(id AS char(1)) FROM authors WHERE name ="
                       " 'one')",
                       pool),
           "4", "  the new one has the name");
}

static void test_ours(cm_store_t *store, apr_pool_t *pool)
{
    test_name_moves(store, NULL, MOVES(1, OURS, 2), pool);
}

static void test_ours_named(cm_store_t *store, apr_pool_t *pool)
{
    test_name_moves(store, "[" AUTHOR(1, 3, "one") "]", MOVES(2, OURS, 3),
                    pool);
}

static void test_theirs(cm_store_t *store, apr_pool_t *pool)
{
    test_name_moves(store, "[" AUTHOR(1, 3, "one") "]", MOVES(2, THEIRS, 3),
                    pool);
}

/* A hub forwards a change of another column, which was made without knowing
 * the name that it has sent before: that message still has the former one. */
#define FORWARDED(id, clock, named, name)                                      \
    "{\"id\":" #id "," OURS ",\"action\":\"update\",\"clock\":" #clock         \
    ",\"clocks\":{\"name\":" #named                                            \
    "},\"base\":{\"best_id\":9000000000000005},\"body\":"                      \
    "\"{\\\"author\\\":{\\\"best_id\\\":null,\\\"name\\\":\\\"" name           \
    "\\\"}}\"}"

static void test_stale(cm_store_t *store, apr_pool_t *pool)
{
    test_name_moves(store, NULL,
                    "[" RENAMED(1, OURS) "," FORWARDED(
                        2, 9000000000000010, 9000000000000005, "one") //
                    "," AUTHOR(3, 4, "one") "]",
                    pool);
}

/* Both names are of one microsecond: the greater one is there. */
static void test_stale_equal(cm_store_t *store, apr_pool_t *pool)
{
    test_name_moves(store, NULL,
                    "[" RENAMED(1, OURS) "," FORWARDED(
                        2, 9000000000000010, 9000000000000009, "one") //
                    "," AUTHOR(3, 4, "one") "]",
                    pool);
}

/* So it is with a record that has not come before. What it was called first is
 * the name of another one here. */
static void test_stale_new(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = matching_node(store, pool);

    database_run(store, "INSERT INTO authors (name) VALUES ('one')");
    (void)inbox_take(
        node, 0,
        "[" AUTHOR(1, 3, "one") "," RENAMED(
            2, THEIRS) "," //
                       "{\"id\":3," THEIRS ",\"action\":\"update\",\"clock\":"
                       "9000000000000010,\"clocks\":"
                       "{\"name\":1000},\"base\":{\"best_id\":1000},\"body\":"
                       "\"{\\\"author\\\":{\\\"best_id\\\":null," TEXT(
                           "name", "one") "}}\"}]",
        pool);
    is_str(inbox_value(node,
                       "SELECT count(*) FROM communicator_mappings WHERE"
                       " same_id IS NOT NULL",
                       pool),
           "0", "%s: a name that has been given up", database_of(store));
    is_str(inbox_value(node, "SELECT count(*) FROM authors", pool), "2",
           "  is not looked for");
}

/* The peer had made it, too. Its other name was found to be the same, then what
 * the peer calls it now is less than what it was called here meanwhile. */
static void test_lost(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = matching_node(store, pool);

    database_run(store, "INSERT INTO authors (name) VALUES ('one')");
    (void)inbox_take(node, 0, "[" AUTHOR(1, 3, "one") "]", pool);
    (void)inbox_take(node, 1,
                     "[{\"id\":2," OURS ",\"action\":\"update\",\"clock\":1001,"
                     "\"base\":1000,\"body\":\"{\\\"author\\\":{\\\"name\\\":"
                     "\\\"two\\\"}}\"}]",
                     pool);
    (void)inbox_take(node, 2, "[" AUTHOR(3, 4, "one") "]", pool);
    is_str(inbox_value(node, "SELECT name FROM authors", pool), "one",
           "%s: a name that lost", database_of(store));
    is_str(inbox_value(node,
                       "SELECT count(*) FROM communicator_mappings WHERE"
                       " same_id IS NOT NULL",
                       pool),
           "1", "  a third record of that name is none of the two");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM inbound_messages WHERE"
                       " processed_at IS NULL",
                       pool),
           "1", "  it waits");
}

/* The change of the name is parked, as it names a post that has not come, when
 * the new author comes: by itself, not in the same batch. */
static void test_parked(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = matching_node(store, pool);
    cm_receipt_t *receipt;

    database_run(store, "INSERT INTO authors (name) VALUES ('one')");
    (void)inbox_take(
        node, 0,
        "[{\"id\":1," OURS ",\"action\":\"update\",\"clock\":"
        "9000000000000009,\"base\":9000000000000005" //
        REF("best_id", "post",
            7) ",\"body\":\"{\\\"author\\\":{\\\"name\\\":\\\"two\\\","
               "\\\"best_id\\\":7}}\"}]",
        pool);
    (void)inbox_take(node, 1, "[" AUTHOR(2, 4, "one") "]", pool);
    is_str(inbox_value(node,
                       "SELECT count(*) FROM communicator_mappings WHERE"
                       " same_id IS NOT NULL",
                       pool),
           "0", "%s: the change of a name is parked: the new record is none",
           database_of(store));
    (void)inbox_take(
        node, 2, "[" AUTHOR(3, 9, "nine") "," POST(4, 7, "seven", 9) "]", pool);
    database_must(cm_inbox_retry(&receipt, node, "there", pool));
    is_str(inbox_value(node,
                       "SELECT original_id FROM communicator_mappings WHERE"
                       " local_record_type = 'Author' AND local_record_id ="
                       " (SELECT CAST(id AS char(1)) FROM authors WHERE name ="
                       " 'two')",
                       pool),
           "1", "  each has its name");
    is_str(inbox_value(node,
                       "SELECT original_id FROM communicator_mappings WHERE"
                       " local_record_type = 'Author' AND local_record_id ="
                       " (SELECT CAST(id AS char(1)) FROM authors WHERE name ="
                       " 'one')",
                       pool),
           "4", "  when that has come");
}

/* Run SQL as the application, and give its changes their numbers. */
static void change(cm_node_t *node, const char *sql, apr_pool_t *pool)
{
    database_run(node->store, sql);
    database_must(cm_stamp_all(&(apr_int64_t){0}, node, pool));
}

#define NAMED(id, model, origin, original, attributes, more)                   \
    "{\"id\":" #id ",\"origin\":\"" origin "\",\"original_id\":" #original     \
    ",\"action\":\"create\",\"clock\":1000" more ",\"body\":\"{\\\"" model     \
    "\\\":{" attributes "}}\"}"
#define OF(origin, original)                                                   \
    ",\"refs\":{\"author_id\":{\"model\":\"author\",\"origin\":\"" origin      \
    "\",\"original_id\":" #original "}}"

/* Of two posts of one batch the first is found by an author that is known; the
 * second by one that is only found in that batch to be the same. */
static void test_one_row(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = matching_node(store, pool);

    APR_ARRAY_PUSH(cm_settings_model(node->settings, "post")->columns.match,
                   const char *) = "author_id";
    database_run(store, "INSERT INTO authors (name) VALUES ('one')");
    database_run(store, "INSERT INTO posts (author_id, title)"
                        " SELECT id, 'a' FROM authors");
    (void)inbox_take(node, 0,
                     "[" NAMED(1, "author", "b", 3, TEXT("name", "one"), ) "]",
                     pool);
    is_int(inbox_take(node, 1,
                      "[" NAMED(2, "post", "b", 5,
                                TEXT("title", "a") ",\\\"author_id\\\":99",
                                OF("b", 3))                                 //
                      "," NAMED(3, "author", "a", 4, TEXT("name", "one"), ) //
                      "," NAMED(4, "post", "a", 6,
                                TEXT("title", "a") ",\\\"author_id\\\":99",
                                OF("a", 4)) "]",
                      pool),
           3, "%s: one row is found for two records of a batch",
           database_of(store));
    is_str(inbox_value(node, "SELECT count(*) FROM posts", pool), "1",
           "  there is one");
    is_str(inbox_value(node,
                       "SELECT origin FROM communicator_mappings WHERE"
                       " local_record_type = 'Post' AND local_record_id IS NOT"
                       " NULL",
                       pool),
           "a", "  the smallest of its names stays");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM communicator_mappings WHERE"
                       " local_record_type = 'Post'",
                       pool),
           "3", "  and it has all three");
}

/* A first load of what both sides have. */
static void test_many(cm_store_t *store, const char *origin, apr_pool_t *pool)
{
    cm_node_t *node = matching_node(store, pool);
    cm_buffer_t *buffer = cm_buffer_create(64 * 1024, pool);
    int i;

    for (i = 1; i <= 300; i++)
        database_run(store, apr_psprintf(pool,
                                         "INSERT INTO authors (name)"
                                         " VALUES ('%d')",
                                         i));
    for (i = 1; i <= 300; i++)
        cm_buffer_raw(buffer,
                      apr_psprintf(pool,
                                   "%s{\"id\":%d,\"origin\":\"%s\","
                                   "\"original_id\":%d,\"action\":\"create\","
                                   "\"clock\":1000,\"body\":\"{\\\"author\\\":"
                                   "{" TEXT("name", "%d") "}}\"}",
                                   i > 1 ? "," : "[", i, origin, 1000 - i, i));
    cm_buffer_append(buffer, "]", 2);
    is_int(inbox_take(node, 0, buffer->data, pool), 300,
           "%s: 300 records of '%s' that are here", database_of(store), origin);
    is_str(inbox_value(node, "SELECT count(*) FROM authors", pool), "300",
           "  there are no more of them");
    is_str(inbox_value(node,
                       "SELECT min(origin) FROM communicator_mappings WHERE"
                       " local_record_id IS NOT NULL HAVING count(*) = 300 AND"
                       " min(origin) = max(origin)",
                       pool),
           strcmp(origin, "here") < 0 ? origin : "here",
           "  the smaller one of the two names of each stays");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM communicator_mappings WHERE"
                       " same_id IS NOT NULL",
                       pool),
           "300", "  and the other is its alias");
}

static void test_many_theirs(cm_store_t *store, apr_pool_t *pool)
{
    test_many(store, "there", pool);
}

static void test_many_smaller(cm_store_t *store, apr_pool_t *pool)
{
    test_many(store, "away", pool);
}

/* Withhold from the peer the delete of the record's name of node ORIGIN. */
static apr_int64_t withhold(cm_node_t *node, const char *origin,
                            apr_pool_t *pool)
{
    apr_array_header_t *seqs = apr_array_make(pool, 1, sizeof(apr_int64_t));
    const char *seq =
        inbox_value(node,
                    apr_psprintf(pool,
                                 "SELECT max(seq) FROM outbound_messages"
                                 " WHERE action = 'delete' AND origin = '%s'",
                                 origin),
                    pool);

    APR_ARRAY_PUSH(seqs, apr_int64_t) = seq ? apr_atoi64(seq) : 0;
    database_must(cm_withheld_add(node, "there", seqs, CM_REFUSER_PEER,
                                  "too large", pool));
    return APR_ARRAY_IDX(seqs, 0, apr_int64_t);
}

/* Make an author that has a name of each node, and delete it. */
static cm_node_t *deleted_author(cm_store_t *store, int is_hub,
                                 apr_pool_t *pool)
{
    cm_node_t *node =
        is_hub ? matching_hub(store, pool) : matching_node(store, pool);

    change(node, "INSERT INTO authors (name) VALUES ('one')", pool);
    (void)inbox_take(node, 0, "[" AUTHOR(1, 3, "one") "]", pool);
    change(node, "DELETE FROM authors", pool);
    return node;
}

/* The peer may know a deleted record by the name that did not stay only. */
static void test_retried(cm_store_t *store, int is_hub, apr_pool_t *pool)
{
    cm_node_t *node = deleted_author(store, is_hub, pool);
    apr_int64_t seq = withhold(node, "there", pool), last, count;
    const cm_message_t *message;
    const cm_reading_t reading = {
        .peer = "there", .after = seq, .limits = {100, 1 << 20}};
    cm_batch_t *batch;

    database_must(cm_withheld_retry(&count, node, "there", seq, pool));
    is_int(count, 1, "%s: the delete of another name is sent again",
           database_of(store));
    database_must(cm_stamp_all(&last, node, pool));
    database_must(cm_outbox_read(&batch, node, &reading, pool, pool));
    is_int(batch->messages->nelts, 1, "  alone");
    message = APR_ARRAY_IDX(batch->messages, 0, cm_message_t *);
    is_int(message->action, CM_DELETE, "  as a delete");
    is_str(message->identity.origin, "there", "  under that name");
    is_str(message->identity.original_id, "3", "  and no other");
    is_int(message->has_base, !is_hub, "  in a pair as it was");
    database_must(
        cm_withheld_end_replaced(node, "there", seq, message->id, pool));
    is_str(inbox_value(node,
                       "SELECT count(*) FROM communicator_withheld"
                       " WHERE ended_at = 0",
                       pool),
           "0", "  which ends the withheld one");
}

static void test_retried_pair(cm_store_t *store, apr_pool_t *pool)
{
    test_retried(store, 0, pool);
}

static void test_retried_hub(cm_store_t *store, apr_pool_t *pool)
{
    test_retried(store, 1, pool);
}

/* The deletes of both names are withheld, and one is sent again. */
static void test_retried_one(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = deleted_author(store, 1, pool);
    apr_int64_t first = withhold(node, "here", pool), count;

    (void)withhold(node, "there", pool);
    database_must(cm_withheld_retry(&count, node, "there", first, pool));
    database_must(cm_stamp_all(&count, node, pool));
    database_must(
        cm_withheld_end_replaced(node, "there", first, first + 10, pool));
    is_str(inbox_value(node,
                       "SELECT max(origin) FROM communicator_withheld"
                       " WHERE ended_at = 0 HAVING count(*) = 1",
                       pool),
           "there", "%s: the delete of one name does not replace the other's",
           database_of(store));
}

/* All is published again: the peer may know the record by any of its names. */
static void test_published(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = deleted_author(store, 0, pool);
    apr_int64_t published;

    database_run(store, "DELETE FROM outbound_messages");
    database_must(cm_publish_all(&published, node,
                                 cm_settings_model(node->settings, "author"),
                                 NULL, NULL, pool));
    database_must(cm_stamp_all(&published, node, pool));
    is_str(inbox_value(node,
                       "SELECT count(*) FROM outbound_messages WHERE origin ="
                       " 'here' AND action = 'delete'",
                       pool),
           "1", "%s: a deleted record is published again", database_of(store));
    is_str(inbox_value(node,
                       "SELECT original_id FROM outbound_messages WHERE origin"
                       " = 'there' AND action = 'delete'",
                       pool),
           "3", "  under its other name, too");
    is_str(inbox_value(node,
                       "SELECT count(DISTINCT clock) FROM outbound_messages",
                       pool),
           "1", "  with one clock");
}

int main(void)
{
    apr_initialize();
    database_each("a name moves", test_ours);
    database_each("a name moves, two names", test_ours_named);
    database_each("a name moves, the other name", test_theirs);
    database_each("a name moves, an older message follows", test_stale);
    database_each("a name moves, as old", test_stale_equal);
    database_each("a name moves, of a new record", test_stale_new);
    database_each("a name moves, and loses", test_lost);
    database_each("a name moves, parked", test_parked);
    database_each("one row", test_one_row);
    database_each("many", test_many_theirs);
    database_each("many, of smaller names", test_many_smaller);
    database_each("another name, withheld", test_retried_pair);
    database_each("another name, withheld at a hub", test_retried_hub);
    database_each("both names, withheld", test_retried_one);
    database_each("both names, published", test_published);
    apr_terminate();
    return done_testing();
}
