/* The inbox: what a person has decided about a column (conflict=hold), when
 * later messages of the peer come in another run. */
#include "../inbox.h"

#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>
#include "node/node.h"
#include "outbox/stamp.h"

/* A change of the peer that conflicts with ours, which is newer. */
#define OLDER                                                                  \
    MESSAGE(2, "post", 7, "update", 2000, TEXT("title", "there"), BASE(1000))

/* The same, and newer than ours. */
#define NEWER                                                                  \
    MESSAGE(2, "post", 7, "update", 9000000000000000, TEXT("title", "there"),  \
            BASE(1000))

/* What the peer does with the title after that, knowing BASE. */
#define NEXT(clock, value, base)                                               \
    MESSAGE(3, "post", 7, "update", clock, TEXT("title", value), base)

/* Return a node with conflict=hold, at which a person has made DECISION about
 * MESSAGE. */
static cm_node_t *decided(cm_store_t *store, const char *message,
                          cm_decision_e decision, apr_pool_t *pool)
{
    cm_node_t *node =
        inbox_disputed(store, inbox_settings(pool), CM_CONFLICT_HOLD, pool);

    is_int(
        inbox_take(node, 1, apr_pstrcat(pool, "[", message, "]", NULL), pool),
        0, "%s: a conflict", database_of(store));
    is_int(inbox_decide(node, 2, decision, pool), 1, "  is decided");
    return node;
}

/* Return the base of what this node has said last. */
static const char *base_said(cm_node_t *node, apr_pool_t *pool)
{
    return inbox_value(node,
                       "SELECT base FROM outbound_messages ORDER BY seq DESC"
                       " LIMIT 1",
                       pool);
}

/* The peer changes its value further before it knows that a person has taken
 * it: nobody is asked. */
static void expect_followed(cm_node_t *node, const char *text,
                            const char *known, apr_pool_t *pool)
{
    is_int(inbox_take(node, 2, apr_pstrcat(pool, "[", text, "]", NULL), pool),
           1, "  what the peer makes of its value needs no decision");
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "again",
           "  and is here");
    database_must(cm_stamp_all(&(apr_int64_t){0}, node, pool));
    ok(strstr(base_said(node, pool), database_soon(known, pool)) != NULL,
       "  the peer learns that it was known");
    is_str(
        inbox_value(node, "SELECT count(*) FROM communicator_conflicts", pool),
        "1", "  only ours has lost");
}

static void test_older(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = decided(store, OLDER, CM_DECIDE_THEIRS, pool);

    expect_followed(node, NEXT(3000, "again", BASE(2000)),
                    "\"title\\u001f\":3000", pool);
    is_int(inbox_take(node, 3,
                      "[" MESSAGE(4, "post", 7, "update", 4000,
                                  TEXT("title", "last"), BASE(3000)) "]",
                      pool),
           1, "  so is what comes after that");
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "last",
           "  one after the other");
}

static void test_newer(cm_store_t *store, apr_pool_t *pool)
{
    expect_followed(decided(store, NEWER, CM_DECIDE_THEIRS, pool),
                    NEXT(9000000000000001, "again", BASE(9000000000000000)),
                    "\"title\\u001f\":9000000000000001", pool);
}

/* The model is only received here: the decision is not sent, and counts. */
static void test_received(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node = inbox_disputed(store, settings, CM_CONFLICT_HOLD, pool);

    database_must(cm_stamp_all(&(apr_int64_t){0}, node, pool));
    inbox_model(settings, "post")->publishes = 0;
    is_int(inbox_take(node, 1, "[" OLDER "]", pool), 0,
           "%s: a conflict, where nothing is published", database_of(store));
    is_int(inbox_decide(node, 2, CM_DECIDE_THEIRS, pool), 1, "  is decided");
    is_int(inbox_take(node, 2, "[" NEXT(3000, "again", BASE(2000)) "]", pool),
           1, "  what the peer makes of its value needs no decision");
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "again",
           "  and is here");
}

/* The next message is a conflict in another column, too, so it cannot be
 * applied with the first one. */
static void test_beside(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node =
        inbox_disputed(store, inbox_settings(pool), CM_CONFLICT_HOLD, pool);

    database_must(cm_stamp_all(&(apr_int64_t){0}, node, pool));
    database_run(store, "UPDATE posts SET text = 'mine'");
    is_int(inbox_take(
               node, 1,
               "[" MESSAGE(2, "post", 7, "update", 9000000000000000,
                           TEXT("title", "there") "," TEXT("text", "t"),
                           ",\"clocks\":[\"title\",1000,\"text\"]" //
                           BASE(1000))                             //
               "," MESSAGE(3, "post", 7, "update", 9000000000000001,
                           TEXT("title", "again") "," TEXT("text", "theirs"),
                           ",\"base\":{\"title\":9000000000000000,"
                           "\"text\":1000}") "]",
               pool),
           0, "%s: a conflict of a column, and then one of another",
           database_of(store));
    is_int(inbox_decide(node, 2, CM_DECIDE_THEIRS, pool), 1,
           "  theirs: the first one is done");
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "there",
           "  with its value");
    is_int(inbox_decide(node, 3, CM_DECIDE_OURS, pool), 1,
           "  ours: the other one, too");
    is_str(inbox_value(node, "SELECT text FROM posts", pool), "mine",
           "  that column stays");
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "again",
           "  the one that was decided before is what the peer made of it");
    ok(strstr(base_said(node, pool),
              database_soon("\"title\\u001f\":9000000000000001", pool)) != NULL,
       "  the peer learns that both were known");
}

/* The next message waits for another record. */
static void test_waiting(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node =
        inbox_disputed(store, inbox_settings(pool), CM_CONFLICT_HOLD, pool);

    is_int(inbox_take(node, 1,
                      "[" OLDER "," MESSAGE(
                          3, "post", 7, "update", 3000,
                          TEXT("title", "again") ",\\\"author_id\\\":99",
                          BASE(2000) REF("author_id", "author", 5)) "]",
                      pool),
           0, "%s: a conflict, and a message that waits", database_of(store));
    is_int(inbox_decide(node, 2, CM_DECIDE_THEIRS, pool), 1,
           "  theirs: the first one is done");
    is_int(inbox_take(node, 3, "[" AUTHOR(4, 5, "one") "]", pool), 2,
           "  the other one comes with its record");
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "again",
           "  and nobody is asked");
}

/* The peer deletes its record before it knows of the decision. */
static void test_deleted(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = decided(store, OLDER, CM_DECIDE_THEIRS, pool);

    is_int(
        inbox_take(node, 2,
                   "[" MESSAGE(3, "post", 7, "delete", 3000, , BASE(2000)) "]",
                   pool),
        1, "  that the peer deletes what was taken needs no decision");
    is_str(inbox_value(node, "SELECT count(*) FROM posts", pool), "0",
           "  it is gone");
}

/* Somebody here has changed the column since. */
static void test_changed_here(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = decided(store, OLDER, CM_DECIDE_THEIRS, pool);

    database_run(store, "UPDATE posts SET title = 'mine'");
    is_int(inbox_take(node, 2, "[" NEXT(3000, "again", BASE(2000)) "]", pool),
           0, "  what was changed here since is in conflict");
}

/* A message that did not know the value that was taken. */
static void test_unknown(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = decided(store, OLDER, CM_DECIDE_THEIRS, pool);

    is_int(inbox_take(node, 2, "[" NEXT(3000, "again", BASE(1500)) "]", pool),
           0, "  who did not know the value that was taken is in conflict");
}

/* A person at the peer has decided, too, and did not know of this decision. */
static void test_decided_there(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = decided(store, OLDER, CM_DECIDE_THEIRS, pool);

    is_int(inbox_take(node, 2,
                      "[" NEXT(3000, "again",
                               ",\"base\":{\"title\":2000,"
                               "\"title\\u001f\":1500}") "]",
                      pool),
           0, "  another decision is in conflict with this one");
}

/* A person keeps ours, and the peer goes on with another value. */
static void test_kept(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = decided(store, OLDER, CM_DECIDE_OURS, pool);

    is_int(inbox_take(node, 2, "[" NEXT(3000, "again", BASE(2000)) "]", pool),
           0, "  ours: what the peer makes of its value is in conflict");
}

/* A person keeps ours. The peer had brought the same value, and changes that:
 * both agreed in between. */
static void expect_agreed(cm_node_t *node, const char *same, const char *next,
                          apr_pool_t *pool)
{
    is_int(inbox_take(node, 2, apr_pstrcat(pool, "[", same, "]", NULL), pool),
           1, "  ours: the peer brings the same value");
    is_int(inbox_take(node, 3, apr_pstrcat(pool, "[", next, "]", NULL), pool),
           1, "  what it makes of that needs no decision");
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "again",
           "  and is here");
}

static void test_agreed_older(cm_store_t *store, apr_pool_t *pool)
{
    expect_agreed(decided(store, OLDER, CM_DECIDE_OURS, pool),
                  NEXT(3000, "here", BASE(2000)),
                  MESSAGE(4, "post", 7, "update", 4000, TEXT("title", "again"),
                          BASE(3000)),
                  pool);
}

static void test_agreed_newer(cm_store_t *store, apr_pool_t *pool)
{
    expect_agreed(decided(store, NEWER, CM_DECIDE_OURS, pool),
                  NEXT(9000000000000001, "here", BASE(9000000000000000)),
                  MESSAGE(4, "post", 7, "update", 9000000000000002,
                          TEXT("title", "again"), BASE(9000000000000001)),
                  pool);
}

/* A person keeps ours, and takes the same value of the peer when it is sent
 * once more. */
static void test_taken_later(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = decided(store, OLDER, CM_DECIDE_OURS, pool);

    is_int(inbox_take(node, 2, "[" NEXT(3000, "there", BASE(2000)) "]", pool),
           0, "  ours: the peer sends its value again");
    is_int(inbox_decide(node, 3, CM_DECIDE_THEIRS, pool), 1,
           "  theirs: it is done");
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "there",
           "  the value is here");
    is_int(inbox_take(node, 3,
                      "[" MESSAGE(4, "post", 7, "update", 4000,
                                  TEXT("title", "again"), BASE(3000)) "]",
                      pool),
           1, "  what the peer makes of it needs no decision");
}

int main(void)
{
    apr_initialize();
    database_each("theirs, older, and changed again", test_older);
    database_each("theirs, newer, and changed again", test_newer);
    database_each("theirs, and nothing is published", test_received);
    database_each("theirs, beside another column", test_beside);
    database_each("theirs, and what waits", test_waiting);
    database_each("theirs, and deleted", test_deleted);
    database_each("theirs, and changed here", test_changed_here);
    database_each("theirs, and changed by somebody else", test_unknown);
    database_each("theirs, and decided there", test_decided_there);
    database_each("ours, and changed again", test_kept);
    database_each("ours, older, and brought there", test_agreed_older);
    database_each("ours, newer, and brought there", test_agreed_newer);
    database_each("ours, then theirs", test_taken_later);
    apr_terminate();
    return done_testing();
}
