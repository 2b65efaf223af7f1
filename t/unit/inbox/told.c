/* match=: a hub tells a node which records are one (match.c, adopt.c), and what
 * they were called then. */
#include "../inbox.h"

#include <apr_general.h>
#include <apr_strings.h>

#include "outbox/stamp.h"

static cm_node_t *matching(cm_store_t *store, cm_settings_t *settings,
                           apr_pool_t *pool)
{
    APR_ARRAY_PUSH(inbox_model(settings, "author")->columns.match,
                   const char *) = "name";
    return inbox_node(store, settings, pool);
}

/* A hub tells us of author ORIGINAL of ORIGIN, and what it was called then. */
#define TOLD(id, origin, original, name)                                       \
    "{\"id\":" #id ",\"origin\":\"" origin "\",\"original_id\":" #original     \
    ",\"action\":\"create\",\"clock\":1000,\"body\":\"{\\\"author\\\":{" TEXT( \
        "name", name) "}}\"}"
#define RECALLED(id, origin, original, name)                                   \
    "{\"id\":" #id ",\"origin\":\"" origin "\",\"original_id\":" #original     \
    ",\"action\":\"update\",\"clock\":2000,\"base\":1000"                      \
    ",\"body\":\"{\\\"author\\\":{" TEXT("name", name) "}}\"}"

/* What a hub says that has found the authors b 3 and ORIGIN 5 to be the same:
 * the name of that becomes another one, and a new author gets the first one. */
#define FOUND(id, next, last, origin)                                          \
    TOLD(id, origin, 5, "one")                                                 \
    "," RECALLED(next, origin, 5, "two") "," TOLD(last, origin, 6, "one")

/* Who is called NAME: origin, the id there, and how many other names it has. */
static const char *called(cm_node_t *node, const char *name, apr_pool_t *pool)
{
    const char *id = inbox_value(
        node,
        apr_psprintf(pool,
                     "SELECT original_id FROM communicator_mappings WHERE"
                     " local_record_type = 'Author' AND local_record_id ="
                     " (SELECT CAST(id AS char(1)) FROM authors WHERE name ="
                     " '%s')",
                     name),
        pool);

    return apr_psprintf(
        pool, "%s and %s", id ? id : "nobody",
        inbox_value(node,
                    apr_psprintf(pool,
                                 "SELECT count(*) FROM communicator_mappings"
                                 " WHERE local_record_type = 'Author' AND"
                                 " same_id = '%s'",
                                 id ? id : ""),
                    pool));
}

/* BEFORE is what came from the hub in an earlier batch, one message. Who is
 * called TWO and ONE then? */
static void test_told(cm_store_t *store, const char *before, const char *batch,
                      const char *two, const char *one, apr_pool_t *pool)
{
    cm_node_t *node = matching(store, inbox_settings(pool), pool);

    if (before)
        (void)inbox_take(node, 0, before, pool);
    (void)inbox_take(node, before != NULL, batch, pool);
    database_must(cm_inbox_retry(&(cm_receipt_t *){NULL}, node, "there", pool));
    is_str(called(node, "two", pool), two,
           "%s: what was called otherwise when its name came",
           database_of(store));
    is_str(called(node, "one", pool), one, "  what is called so now");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM inbound_messages WHERE"
                       " processed_at IS NULL",
                       pool),
           "0", "  nothing waits");
}

static void test_told_at_once(cm_store_t *store, apr_pool_t *pool)
{
    test_told(store, NULL,
              "[" TOLD(1, "b", 3, "one") "," FOUND(2, 3, 4, "a") "]", "5 and 1",
              "6 and 0", pool);
}

static void test_told_later(cm_store_t *store, apr_pool_t *pool)
{
    test_told(store, "[" TOLD(1, "b", 3, "one") "]",
              "[" FOUND(2, 3, 4, "a") "]", "5 and 1", "6 and 0", pool);
}

/* The first one was called otherwise before. */
static void test_told_between(cm_store_t *store, apr_pool_t *pool)
{
    test_told(store, "[" TOLD(1, "b", 3, "none") "]",
              "[" RECALLED(2, "b", 3, "one") "," FOUND(3, 4, 5, "a") "]",
              "5 and 1", "6 and 0", pool);
}

/* The hub would send the record as b 3 if it were that one. */
static void test_told_other(cm_store_t *store, apr_pool_t *pool)
{
    test_told(store, "[" TOLD(1, "b", 3, "one") "]",
              "[" FOUND(2, 3, 4, "c") "]", "5 and 0", "3 and 1", pool);
}

/* The author that a hub tells of was parked, as it names a post that had not
 * come, and the hub made another one of its first name since. */
static void test_told_since(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = matching(store, inbox_settings(pool), pool);

    (void)inbox_take(
        node, 0,
        "[{\"id\":1,\"origin\":\"a\",\"original_id\":5,\"action\":\"create\""
        ",\"clock\":1000" REF("best_id", "post", 7)           //
        ",\"body\":\"{\\\"author\\\":{" TEXT("name", "one")   //
        ",\\\"best_id\\\":7}}\"}," RECALLED(2, "a", 5, "two") //
        "," TOLD(3, "b", 6, "one") "]",
        pool);
    (void)inbox_take(
        node, 3, "[" AUTHOR(4, 9, "nine") "," POST(5, 7, "seven", 9) "]", pool);
    database_must(cm_inbox_retry(&(cm_receipt_t *){NULL}, node, "there", pool));
    is_str(called(node, "two", pool), "5 and 0",
           "%s: what was called so before another one was made",
           database_of(store));
    is_str(called(node, "one", pool), "6 and 0", "  is not that one");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM inbound_messages WHERE"
                       " processed_at IS NULL",
                       pool),
           "0", "  nothing waits");
}

/* The hub cannot know of what was made here that it is the one. */
static void test_told_of_ours(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = matching(store, inbox_settings(pool), pool);

    database_run(store, "INSERT INTO authors (name) VALUES ('one')");
    (void)inbox_take(
        node, 0, "[" TOLD(1, "a", 5, "one") "," RECALLED(2, "a", 5, "two") "]",
        pool);
    is_str(called(node, "two", pool), "5 and 0",
           "%s: what was called as a row of ours", database_of(store));
    is_str(called(node, "one", pool), "1 and 0", "  is another one");
}

/* A hub has a row that is called as the author of a peer was at first, when it
 * had not come yet: for the third node they must not be one, either. */
static void test_passed(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node;

    settings_add_peer(settings, "third", pool);
    node = matching(store, settings, pool);
    database_run(store, "INSERT INTO authors (name) VALUES ('one')");
    database_must(cm_stamp_all(&(apr_int64_t){0}, node, pool));
    (void)inbox_take(
        node, 0, "[" TOLD(1, "a", 5, "one") "," RECALLED(2, "a", 5, "two") "]",
        pool);
    is_str(called(node, "two", pool), "5 and 0",
           "%s: a name that was given up before it came", database_of(store));
    is_str(inbox_value(node,
                       "SELECT count(*) FROM outbound_messages WHERE origin ="
                       " 'a' AND body LIKE '%%one%%'",
                       pool),
           "0", "  no other node gets it");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM outbound_messages WHERE origin ="
                       " 'a' AND body LIKE '%%two%%'",
                       pool),
           "1", "  but the present one");
}

int main(void)
{
    apr_initialize();
    database_each("a hub tells, at once", test_told_at_once);
    database_each("a hub tells, in two batches", test_told_later);
    database_each("a hub tells, between", test_told_between);
    database_each("a hub tells of another one", test_told_other);
    database_each("a hub tells, of one that it made since", test_told_since);
    database_each("a hub tells of ours", test_told_of_ours);
    database_each("a hub does not tell", test_passed);
    apr_terminate();
    return done_testing();
}
