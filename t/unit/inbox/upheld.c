/* The inbox: a value here that stays by a decision, and what the peer did after
 * the one that lost. */
#include "../inbox.h"

#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>
#include "node/node.h"
#include "outbox/stamp.h"

/* A change of the peer that conflicts with the one here, and what follows it.
 */
#define DISPUTED                                                               \
    MESSAGE(2, "post", 7, "update", 9000000000000000, TEXT("title", "there"),  \
            BASE(1000))

/* That, and a further change of the peer, which knew only its own. */
#define TWICE                                                                  \
    "[" DISPUTED                                                               \
    "," MESSAGE(3, "post", 7, "update", 9000000000000001,                      \
                TEXT("title", "again"), BASE(9000000000000000)) "]"

/* Return a node with conflict=hold that has received BATCH; *RECEIPT says what
 * became of it. */
static cm_node_t *hold(cm_receipt_t **receipt, cm_store_t *store,
                       const char *batch, apr_pool_t *pool)
{
    cm_node_t *node =
        inbox_disputed(store, inbox_settings(pool), CM_CONFLICT_HOLD, pool);

    database_must(inbox_send(receipt, node, "there", 1, batch, 0, pool));
    return node;
}

/* Who decides for ours does not decide about what the peer did after that. */
static void test_kept_followed(cm_store_t *store, apr_pool_t *pool)
{
    cm_receipt_t *receipt;
    cm_node_t *node = hold(&receipt, store, TWICE, pool);

    is_int(receipt->applied, 0, "%s: a conflict, and a change of its value",
           database_of(store));
    is_int(inbox_decide(node, 2, CM_DECIDE_OURS, pool), 1,
           "  ours: it alone is done");
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "here",
           "  what is here stays");
    is_int(inbox_decide(node, 3, CM_DECIDE_OURS, pool), 1,
           "  the other one, too");
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "here",
           "  again by a decision");
    is_str(inbox_last_said(node, "9000000000000001", pool), "update",
           "  and is said again, as newer");
}

/* Whoever decides says which value of the peer was known. */
static void test_kept_known(cm_store_t *store, apr_pool_t *pool)
{
    cm_receipt_t *receipt;
    cm_node_t *node = hold(&receipt, store, "[" DISPUTED "]", pool);
    const char *base, *known;

    (void)inbox_decide(node, 2, CM_DECIDE_OURS, pool);
    base = inbox_value(node,
                       "SELECT base FROM outbound_messages ORDER BY seq DESC"
                       " LIMIT 1",
                       pool);
    known = apr_pstrcat(
        pool, "\"title\\u001f\":",
        inbox_value(node, "SELECT lost_clock FROM communicator_conflicts",
                    pool),
        NULL);
    ok(base && strstr(base, known),
       "%s: ours: the decision says which value has lost", database_of(store));
}

/* So it is with conflict=NODE, and with a delete. */
static void test_node_followed(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node = inbox_disputed(store, settings, CM_CONFLICT_NODE, pool);

    inbox_model(settings, "post")->conflict_node = "here";
    is_int(inbox_take(node, 1, TWICE, pool), 2,
           "%s: conflict=here: two changes of the peer", database_of(store));
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "here",
           "  do not win");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM communicator_conflicts WHERE"
                       " lost_value IN ('\"there\"', '\"again\"')",
                       pool),
           "2", "  both are remembered");
}

static void test_kept_deleted(cm_store_t *store, apr_pool_t *pool)
{
    cm_receipt_t *receipt;
    cm_node_t *node =
        hold(&receipt, store,
             "[" DISPUTED "," MESSAGE(3, "post", 7, "delete", 9000000000000001,
                                      , BASE(9000000000000000)) "]",
             pool);

    is_int(inbox_decide(node, 2, CM_DECIDE_OURS, pool), 1,
           "%s: ours, and a delete behind it: that waits", database_of(store));
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "here",
           "  what is here stays");
}

/* The value that lost comes once more, as what another change of its record
 * left as it was. */
static void test_kept_repeated(cm_store_t *store, apr_pool_t *pool)
{
    cm_receipt_t *receipt;
    cm_node_t *node = hold(
        &receipt, store,
        "[" DISPUTED "," MESSAGE(3, "post", 7, "update", 9000000000000001,
                                 TEXT("title", "there") "," TEXT("text", "new"),
                                 ",\"clocks\":[\"text\","
                                 "9000000000000000]" BASE(1000)) "]",
        pool);

    is_int(receipt->applied, 0,
           "%s: a conflict, and a change of something else",
           database_of(store));
    (void)inbox_decide(node, 2, CM_DECIDE_OURS, pool);
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "here",
           "  ours: what is here stays");
    is_str(inbox_value(node, "SELECT text FROM posts", pool), "new",
           "  and takes the other change");
}

/* A third value of the same clock, of another node that made the record, is one
 * that nobody has decided about. */
static void test_kept_third(cm_store_t *store, apr_pool_t *pool)
{
    cm_receipt_t *receipt;
    cm_node_t *node =
        hold(&receipt, store,
             "[" DISPUTED "," MESSAGE(3, "post", 7, "create", 9000000000000000,
                                      TEXT("title", "third"), ) "]",
             pool);

    is_int(receipt->applied, 0, "%s: a conflict, and a third value",
           database_of(store));
    is_int(inbox_decide(node, 2, CM_DECIDE_OURS, pool), 1,
           "  ours: the third one waits");
}

/* A person takes an older value, and what two others made of the one here comes
 * behind it, the later change first: nobody has decided about these two. */
static void test_theirs_replaced(cm_store_t *store, apr_pool_t *pool)
{
    cm_receipt_t *receipt;
    cm_node_t *node =
        hold(&receipt, store,
             "[" MESSAGE(2, "post", 7, "update", 2000, TEXT("title", "there"),
                         BASE(1000)) //
             "," MESSAGE(3, "post", 7, "update", 9000000000000005,
                         TEXT("title", "later"), BASE(9000000000000000)) //
             "," MESSAGE(4, "post", 7, "update", 9000000000000003,
                         TEXT("title", "earlier"), BASE(9000000000000000)) "]",
             pool);

    is_int(receipt->applied, 0, "%s: a conflict, and two changes behind it",
           database_of(store));
    is_int(inbox_decide(node, 2, CM_DECIDE_THEIRS, pool), 2,
           "  theirs: it and the first change are done");
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "later",
           "  the later one is here");
    is_int(inbox_decide(node, 4, CM_DECIDE_OURS, pool), 1,
           "  and the other one waits for a decision");
}

/* Return the clock of our post, whose changes are all stamped. */
static const char *clock_here(cm_node_t *node, apr_pool_t *pool)
{
    database_must(cm_stamp_all(&(apr_int64_t){0}, node, pool));
    return inbox_value(node,
                       "SELECT clock FROM communicator_mappings WHERE"
                       " original_id = '7'",
                       pool);
}

/* The peer brings back the value here, and has received it meanwhile: it sends
 * it with the clock from here, as what another change left as it was. */
static void test_returned(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node =
        inbox_disputed(store, inbox_settings(pool), CM_CONFLICT_HOLD, pool);
    const char *text = apr_psprintf(
        pool,
        "[" MESSAGE(2, "post", 7, "update", 2000, TEXT("title", "there"),
                    BASE(1000)) //
        "," MESSAGE(3, "post", 7, "update", 3000, TEXT("title", "here"),
                    BASE(2000)) //
        "," MESSAGE(4, "post", 7, "update", 9000000000000000,
                    TEXT("title", "here") "," TEXT("text", "new"),
                    ",\"clocks\":[\"text\",%s]" BASE(1000)) "]",
        clock_here(node, pool));

    is_int(inbox_take(node, 1, text, pool), 3,
           "%s: a value that the peer has brought back, and received: nobody "
           "is asked",
           database_of(store));
    is_str(inbox_value(node, "SELECT text FROM posts", pool), "new",
           "  what is changed besides is here");
}

/* Return two changes of the peer: one of our title in the same microsecond as
 * ours, to a lesser value, and then ACTION, which seems to know our title. */
static const char *at_once(cm_node_t *node, const char *action,
                           apr_pool_t *pool)
{
    const char *clock = clock_here(node, pool);

    return apr_psprintf(
        pool,
        "[{\"id\":2,\"origin\":\"there\",\"original_id\":7,\"action\":"
        "\"update\",\"clock\":%s,\"base\":1000,\"body\":\"{\\\"post\\\":{" TEXT(
            "title", "first") "}}\"}," //
        MESSAGE(3, "post", 7, "%s", 9000000000000000, TEXT("title", "again"),
                ",\"base\":%s") "]",
        clock, action, clock);
}

/* Who lets ours stay is asked about what followed, too. */
static void decide_at_once(cm_store_t *store, const char *action,
                           apr_pool_t *pool)
{
    cm_node_t *node =
        inbox_disputed(store, inbox_settings(pool), CM_CONFLICT_HOLD, pool);

    is_int(inbox_take(node, 1, at_once(node, action, pool), pool), 0,
           "%s: two values of one moment, and %s behind", database_of(store),
           action);
    is_int(inbox_decide(node, 2, CM_DECIDE_OURS, pool), 1,
           "  ours: that waits for a person, too");
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "here",
           "  what is here stays");
    is_int(inbox_decide(node, 3, CM_DECIDE_THEIRS, pool), 1, "  theirs");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM communicator_conflicts WHERE"
                       " lost_value = '\"here\"'",
                       pool),
           "1", "  what was here is remembered");
}

static void test_kept_at_once(cm_store_t *store, apr_pool_t *pool)
{
    decide_at_once(store, "delete", pool);
}

static void test_kept_at_once_changed(cm_store_t *store, apr_pool_t *pool)
{
    decide_at_once(store, "update", pool);
}

/* The peer has changed both columns of our post, at CLOCK. */
#define BOTH(clock)                                                            \
    MESSAGE(2, "post", 7, "update", clock,                                     \
            TEXT("title", "there") "," TEXT("text", "theirs"), BASE(1000))

/* Then somebody there, who knew our title, has decided about that alone, and
 * changed the text once more. */
#define ONE_DECIDED(text, title)                                               \
    "," MESSAGE(3, "post", 7, "update", 9000000000000001,                      \
                TEXT("title", "decided") "," TEXT("text", "again"),            \
                ",\"base\":{\"text\":" #text ",\"title\\u001f\":%s,"           \
                "\"title\":" title "}")

/* Let a node with our title and our text receive TEXT, and a person make
 * DECISION about the first message. */
static cm_node_t *decide_beside(cm_store_t *store, const char *text,
                                cm_decision_e decision, apr_pool_t *pool)
{
    cm_node_t *node =
        inbox_disputed(store, inbox_settings(pool), CM_CONFLICT_HOLD, pool);
    const char *clock = clock_here(node, pool);

    database_run(store, "UPDATE posts SET text = 'mine'");
    is_int(inbox_take(node, 1, apr_psprintf(pool, text, clock, clock), pool), 0,
           "%s: two columns, one of which is decided there",
           database_of(store));
    (void)inbox_decide(node, 2, decision, pool);
    is_str(inbox_value(
               node,
               "SELECT changed_columns FROM outbound_messages ORDER BY seq DESC"
               " LIMIT 1",
               pool),
           "[\"text\"]", "  a person here decides about the other one");
    return node;
}

static void test_kept_beside(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node =
        decide_beside(store,
                      "[" BOTH(9000000000000000)
                          ONE_DECIDED(9000000000000000, "9000000000000000") "]",
                      CM_DECIDE_OURS, pool);

    is_str(inbox_value(node, "SELECT title FROM posts", pool), "here",
           "  ours: the first one stays until that has come");
    (void)inbox_decide(node, 3, CM_DECIDE_OURS, pool);
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "decided",
           "  and is then what was decided there");
    is_str(inbox_value(node, "SELECT text FROM posts", pool), "mine",
           "  beside ours");
}

static void test_taken_beside(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node =
        decide_beside(store, "[" BOTH(2000) ONE_DECIDED(2000, "%s") "]",
                      CM_DECIDE_THEIRS, pool);

    is_str(inbox_value(node, "SELECT title FROM posts", pool), "decided",
           "  theirs: the first one is what was decided there");
    is_str(inbox_value(node, "SELECT text FROM posts", pool), "again",
           "  beside theirs");
}

/* A person takes a value that the peer has sent once more, as a change: the
 * decision is about both messages, and says so. */
static void test_taken_repeated(cm_store_t *store, apr_pool_t *pool)
{
    cm_receipt_t *receipt;
    cm_node_t *node =
        hold(&receipt, store,
             "[" MESSAGE(2, "post", 7, "update", 2000, TEXT("title", "there"),
                         BASE(1000)) //
             "," MESSAGE(3, "post", 7, "update", 3000, TEXT("title", "there"),
                         BASE(2000)) "]",
             pool);

    is_int(receipt->applied, 0, "%s: a conflict, and the same value again",
           database_of(store));
    is_int(inbox_decide(node, 2, CM_DECIDE_THEIRS, pool), 2,
           "  theirs: both are done");
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "there",
           "  the value is here");
    ok(strstr(inbox_value(node,
                          "SELECT base FROM outbound_messages WHERE"
                          " changed_columns = '[\"title\"]' ORDER BY seq DESC"
                          " LIMIT 1",
                          pool),
              "\"title\\u001f\":3000") != NULL,
       "  the peer learns that its last value was known");
}

/* A delete that says nothing of what its sender knew may follow one about which
 * a person decides. */
static void test_deleted_twice(cm_store_t *store, apr_pool_t *pool)
{
    cm_receipt_t *receipt;
    cm_node_t *node = hold(
        &receipt, store,
        "[" DISPUTED "," MESSAGE(3, "post", 7, "delete", 9000000000000001, ,
                                 BASE(9000000000000000)) //
        "," MESSAGE(4, "post", 7, "delete", 9000000000000001, , ) "]",
        pool);

    is_int(receipt->applied, 0, "%s: a conflict, and two deletes behind it",
           database_of(store));
    (void)inbox_decide(node, 2, CM_DECIDE_OURS, pool);
    (void)inbox_decide(node, 3, CM_DECIDE_OURS, pool);
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "here",
           "  ours, twice: it stays");
}

int main(void)
{
    apr_initialize();
    database_each("ours, and changed again", test_kept_followed);
    database_each("ours, and known", test_kept_known);
    database_each("ours, and deleted", test_kept_deleted);
    database_each("ours of the same moment, and deleted", test_kept_at_once);
    database_each("ours of the same moment, and changed again",
                  test_kept_at_once_changed);
    database_each("ours, and repeated", test_kept_repeated);
    database_each("ours, and a third", test_kept_third);
    database_each("theirs, and replaced", test_theirs_replaced);
    database_each("brought back, and received", test_returned);
    database_each("ours, and decided there", test_kept_beside);
    database_each("theirs, and decided there", test_taken_beside);
    database_each("theirs, and the same again", test_taken_repeated);
    database_each("ours, and deleted twice", test_deleted_twice);
    database_each("conflict=NODE, and changed again", test_node_followed);
    apr_terminate();
    return done_testing();
}
