/* The inbox: what was changed on both sides. */
#include "../inbox.h"

#include <apr_general.h>
#include "config/settings.h"
#include "record/message.h"
#include "node/node.h"
#include "outbox/stamp.h"
#include "inbox/inbox.h"

#define OLDER                                                                  \
    "[" MESSAGE(2, "post", 7, "update", 2000,                                  \
                TEXT("title", "there") "," TEXT("text", "t"),                  \
                BASE(1000) ",\"clocks\":{\"text\":1000}") "]"
#define NEWER                                                                  \
    "[" MESSAGE(2, "post", 7, "update", 9000000000000000,                      \
                TEXT("title", "there") "," TEXT("text", "t"),                  \
                BASE(1000) ",\"clocks\":{\"text\":1000}") "]"

static void test_newest(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node =
        inbox_disputed(store, inbox_settings(pool), CM_CONFLICT_NEWEST, pool);

    is_int(inbox_take(node, 1, OLDER, pool), 1, "%s: an older change is taken",
           database_of(store));
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "here",
           "  but loses to one that is not stamped yet");
    is_str(inbox_value(node, "SELECT lost_value FROM communicator_conflicts",
                       pool),
           "\"there\"", "  and is remembered");
    is_int(
        inbox_take(node, 2,
                   "[" MESSAGE(3, "post", 7, "update", 9000000000000000,
                               TEXT("title", "there") "," TEXT("text", "u"),
                               BASE(1000) ",\"clocks\":{\"title\":2000}") "]",
                   pool),
        1, "a newer one of another column is taken");
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "here",
           "  and leaves the one changed here");
    is_str(inbox_value(node, "SELECT text FROM posts", pool), "u", "  alone");
    is_str(
        inbox_value(node, "SELECT count(*) FROM communicator_conflicts", pool),
        "1", "  without a conflict");
    database_run(store, "UPDATE posts SET title = 'again'");
    database_must(cm_stamp_all(&(apr_int64_t){0}, node, pool));
    is_str(inbox_value(node,
                       "SELECT CASE WHEN clock > 9000000000000000 THEN 'newer'"
                       " ELSE 'older' END FROM outbound_messages WHERE body"
                       " LIKE '%%again%%'",
                       pool),
           "newer", "what is changed here later is newer, whatever the hour");
}

static void test_loser(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node =
        inbox_disputed(store, inbox_settings(pool), CM_CONFLICT_NEWEST, pool);

    is_int(inbox_take(node, 1, NEWER, pool), 1, "%s: a newer change is taken",
           database_of(store));
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "there",
           "  and wins");
    is_str(inbox_value(node, "SELECT lost_value FROM communicator_conflicts",
                       pool),
           "\"here\"", "  what was here is remembered");
    is_str(inbox_value(
               node,
               "SELECT won_value FROM communicator_conflicts WHERE won_clock"
               " = 9000000000000000 AND lost_clock > 1000 AND column_name ="
               " 'title' AND peer = 'there' AND message_id = 2",
               pool),
           "\"there\"", "  with all that tells why");
    database_run(store, "UPDATE posts SET text = 'mine'");
    is_int(inbox_take(node, 2,
                      "[" MESSAGE(3, "post", 7, "delete", 9000000000000001, ,
                                  BASE(9000000000000000)) "]",
                      pool),
           1, "a delete is taken");
    is_str(inbox_value(node, "SELECT count(*) FROM posts", pool), "0",
           "  and wins");
    is_str(inbox_value(node,
                       "SELECT lost_value FROM communicator_conflicts"
                       " WHERE message_id = 3",
                       pool),
           "\"mine\"", "  over a change here, which is remembered");
}

static void test_hold(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_receipt_t *receipt;
    cm_node_t *node;

    node = inbox_disputed(store, settings, CM_CONFLICT_HOLD, pool);
    database_must(inbox_send(&receipt, node, "there", 1, NEWER, 0, pool));
    ok(receipt->parked->nelts == 1 &&
           !APR_ARRAY_IDX(receipt->parked, 0, cm_parked_t).transient,
       "%s: conflict=hold: it is parked for a person", database_of(store));
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "here",
           "  and nothing is changed");
    inbox_model(settings, "post")->conflict = CM_CONFLICT_NEWEST;
    database_must(cm_inbox_retry(&receipt, node, "there", pool));
    is_int(receipt->applied, 1, "  until it is tried without");
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "there",
           "  and wins");
}

/* What may follow a message that waits for a person, whose clock this is. Base
 * and clock say %s for the clock of the title here. */
static const struct {
    const char *clock, *action, *title, *base;
    int applied;
    const char *name;
} followers[] = {
    {"9000000000000000", "update", "again", "9000000000000000", 0,
     "a further change there decides nothing"},
    {"9000000000000000", "delete", NULL, "9000000000000000", 0,
     "nor does a delete"},
    {"9000000000000000", "delete", NULL, NULL, 2,
     "but for one that nobody is asked about"},
    {"9000000000000000", "update", "mine",
     "{\"title\":9000000000000000,\"title\\u001f\":%s}", 2,
     "a decision that knows the value here does"},
    {"9000000000000000", "update", "mine",
     "{\"title\":9000000000000000,\"title\\u001f\":999}", 0,
     "one about an earlier value does not"},
    {"2000", "update", "mine", "%s", 2,
     "what replaces the very value here does"},
    {"%s", "update", "mine", "%s", 0,
     "but not if that is its own one with the same clock"},
    {"9000000000000000", "update", "here", "9000000000000000", 2,
     "one that brings the value here leaves nothing to decide"},
    {"9000000000000000", "update", "here", "1000", 0,
     "unless its author did not know the first one"},
};

/* Return a list with the message ID of `there' about the post ORIGINAL; TITLE
 * is NULL for a delete. */
static const char *message(int id, int original, const char *action,
                           const char *clock, const char *base,
                           const char *title, apr_pool_t *pool)
{
    const char *body =
        title ? apr_psprintf(pool, "\\\"title\\\":\\\"%s\\\"", title) : "";

    return apr_psprintf(
        pool,
        "[{\"id\":%d,\"origin\":\"there\",\"original_id\":%d,\"action\":\"%s\","
        "\"clock\":%s%s%s,\"body\":\"{\\\"post\\\":{%s}}\"}]",
        id, original, action, clock, base ? ",\"base\":" : "", base ? base : "",
        body);
}

/* Return the clock of post NUMBER when all its changes are stamped. */
static const char *clock_of(cm_node_t *node, int number, apr_pool_t *pool)
{
    database_must(cm_stamp_all(&(apr_int64_t){0}, node, pool));
    return inbox_value(node,
                       apr_psprintf(pool,
                                    "SELECT clock FROM communicator_mappings"
                                    " WHERE original_id = '%d'",
                                    number),
                       pool);
}

/* The title of a post is changed on both sides; then comes one FOLLOWER. */
static void test_follower(cm_node_t *node, int follower, apr_pool_t *pool)
{
    int id = 3 * follower, post = 7 + follower;
    const char *base = followers[follower].base, *here;

    (void)inbox_take(node, id,
                     message(id + 1, post, "create", "1000", NULL, "a", pool),
                     pool);
    database_run(node->store,
                 "UPDATE posts SET title = 'here' WHERE title = 'a'");
    here = clock_of(node, post, pool);
    is_int(
        inbox_take(node, id + 1,
                   message(id + 2, post, "update",
                           apr_psprintf(pool, followers[follower].clock, here),
                           "1000", "there", pool),
                   pool),
        0, "a change on both sides");
    is_int(inbox_take(node, id + 2,
                      message(id + 3, post, followers[follower].action,
                              "9000000000000001",
                              base ? apr_psprintf(pool, base, here) : NULL,
                              followers[follower].title, pool),
                      pool),
           followers[follower].applied, "  %s", followers[follower].name);
}

static void test_followed(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node = inbox_node(store, settings, pool);
    int i;

    diag_text("database", database_of(store));
    inbox_model(settings, "post")->conflict = CM_CONFLICT_HOLD;
    for (i = 0; i < (int)(sizeof(followers) / sizeof(*followers)); i++)
        test_follower(node, i, pool);
    is_str(inbox_value(node, "SELECT count(*) FROM posts WHERE title = 'here'",
                       pool),
           "6", "what is not decided stays");
    is_str(inbox_value(node, "SELECT count(*) FROM posts WHERE title = 'mine'",
                       pool),
           "2", "  and what is decided changes");
}

/* A delete by someone who had changed another column, later than we ours. */
static void test_unknown(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node = inbox_disputed(store, settings, CM_CONFLICT_HOLD, pool);

    is_int(
        inbox_take(node, 1,
                   "[" MESSAGE(2, "post", 7, "update", 9000000000000000,
                               TEXT("title", "a") "," TEXT("text", "u"),
                               BASE(1000) ",\"clocks\":{\"title\":1000}") "]",
                   pool),
        1, "%s: conflict=hold: a change of another column is taken",
        database_of(store));
    is_int(
        inbox_take(node, 2,
                   "[" MESSAGE(3, "post", 7, "delete", 9000000000000001, ,
                               ",\"base\":{\"text\":9000000000000000,\"title\":"
                               "1000}") "]",
                   pool),
        0, "  a delete that did not know the title here waits");
}

/* A person decides what conflict=hold has parked. */
static void test_decided(cm_store_t *store, apr_pool_t *pool)
{
    static const char gone[] =
        "[" MESSAGE(3, "post", 7, "delete", 9000000000000001, , BASE(2000)) "]";
    cm_settings_t *settings = inbox_settings(pool);
    cm_receipt_t *receipt;
    cm_node_t *node;

    node = inbox_disputed(store, settings, CM_CONFLICT_HOLD, pool);
    database_must(inbox_send(&receipt, node, "there", 1, OLDER, 0, pool));
    is_int(inbox_decide(node, 2, CM_DECIDE_THEIRS, pool), 1,
           "%s: theirs: the message is taken", database_of(store));
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "there",
           "  although ours was newer");
    is_str(inbox_value(node, "SELECT lost_value FROM communicator_conflicts",
                       pool),
           "\"here\"", "  which is remembered");
    is_str(inbox_value(
               node,
               "SELECT changed_columns FROM outbound_messages ORDER BY seq DESC"
               " LIMIT 1",
               pool),
           "[\"title\"]", "  and it is said again, as newer");
    database_run(store, "UPDATE posts SET title = 'here'");
    database_must(inbox_send(&receipt, node, "there", 2, gone, 0, pool));
    is_int(inbox_decide(node, 3, CM_DECIDE_OURS, pool), 1,
           "ours, against a delete: it is done");
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "here",
           "  the record stays");
    is_str(inbox_last_said(node, "1000", pool), "create",
           "  and is another one from now on");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM communicator_mappings WHERE"
                       " original_id = '7' AND deleted_at > 0",
                       pool),
           "1", "  the old one being deleted");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM communicator_missing WHERE"
                       " model = 'post'",
                       pool),
           "1", "  and what refers to it will be sent again");
}

static void test_kept(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_receipt_t *receipt;
    cm_node_t *node;

    node = inbox_disputed(store, settings, CM_CONFLICT_HOLD, pool);
    database_must(inbox_send(&receipt, node, "there", 1, NEWER, 0, pool));
    is_int(inbox_decide(node, 2, CM_DECIDE_OURS, pool), 1,
           "%s: ours: the message is done", database_of(store));
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "here",
           "  what is here stays");
    is_str(inbox_last_said(node, "9000000000000000", pool), "update",
           "  and is said again, as newer");
    is_str(inbox_value(node, "SELECT lost_value FROM communicator_conflicts",
                       pool),
           "\"there\"", "  theirs is remembered");
}

/* A record comes, is in conflict with itself, and is deleted, in one batch:
 * there is no row to publish. */
static void test_gone(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node = inbox_node(store, settings, pool);

    inbox_model(settings, "post")->conflict = CM_CONFLICT_NODE;
    inbox_model(settings, "post")->conflict_node = "here";
    is_int(
        inbox_take(
            node, 0,
            "[" MESSAGE(
                1, "post", 7, "create", 1000,
                TEXT("title",
                     "a"), ) "," MESSAGE(2, "post", 7, "update", 3000,
                                         TEXT("title", "b"),
                                         BASE(500)) "," MESSAGE(3, "post", 7,
                                                                "delete", 4000,
                                                                ,
                                                                BASE(3000)) "]",
            pool),
        3, "%s: conflict=here: what is gone again is done", database_of(store));
    is_str(inbox_value(node, "SELECT count(*) FROM outbound_messages", pool),
           "0", "  and nothing is published");
}

/* A message that cannot be applied alone has no value that is this node's. */
static void test_parked(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node = inbox_node(store, settings, pool);

    inbox_model(settings, "post")->conflict = CM_CONFLICT_NODE;
    inbox_model(settings, "post")->conflict_node = "here";
    (void)inbox_take(node, 0,
                     "[" AUTHOR(1, 3, "one") "," POST(2, 7, "t", 9) "]", pool);
    is_int(inbox_take(node, 2,
                      "[" MESSAGE(3, "post", 7, "create", 3000,
                                  TEXT("title", "u") ",\\\"author_id\\\":99",
                                  REF("author_id", "author", 3)) "]",
                      pool),
           2, "%s: conflict=here: what is parked does not win",
           database_of(store));
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "u",
           "  over what the peer says later");
}

/* Theirs has a unique value that another row has here: a later delete, which is
 * parked behind it, makes room for that row. */
static void test_replaced(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node = inbox_disputed(store, settings, CM_CONFLICT_HOLD, pool);
    cm_receipt_t *receipt;

    database_run(store, "CREATE UNIQUE INDEX only_one ON posts (title)");
    database_run(store, "INSERT INTO posts (title) VALUES ('there')");
    database_must(inbox_send(
        &receipt, node, "there", 1,
        "[" MESSAGE(
            2, "post", 7, "update", 9000000000000000, TEXT("title", "there"),
            BASE(1000)) "," MESSAGE(3, "post", 7, "delete", 9000000000000001, ,
                                    BASE(9000000000000000)) "]",
        0, pool));
    is_int(receipt->applied, 0, "%s: a conflict, and a delete behind it",
           database_of(store));
    is_int(inbox_decide(node, 2, CM_DECIDE_THEIRS, pool), 2,
           "  theirs: both are applied, which the first alone cannot be");
    is_str(inbox_value(node, "SELECT count(*) FROM posts", pool), "1",
           "  and the other row stays");
}

/* A person takes a value that is older than the one here, and the peer has
 * changed it once more, or has deleted its record: that follows. */
static void test_older_followed(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node = inbox_disputed(store, settings, CM_CONFLICT_HOLD, pool);
    cm_receipt_t *receipt;

    database_run(store, "CREATE UNIQUE INDEX only_one ON posts (title)");
    database_run(store, "INSERT INTO posts (title) VALUES ('there')");
    database_must(inbox_send(
        &receipt, node, "there", 1,
        "[" MESSAGE(2, "post", 7, "update", 2000, TEXT("title", "there"),
                    BASE(1000)) "," MESSAGE(3, "post", 7, "update", 3000,
                                            TEXT("title", "then"),
                                            BASE(2000)) "]",
        0, pool));
    is_int(receipt->applied, 0, "%s: a conflict, and a change of its value",
           database_of(store));
    is_int(inbox_decide(node, 2, CM_DECIDE_THEIRS, pool), 2, "  theirs: both");
    is_str(inbox_value(node, "SELECT title FROM posts WHERE title <> 'there'",
                       pool),
           "then", "  the later value is here");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM outbound_messages WHERE body LIKE"
                       " '%%then%%'",
                       pool),
           "1", "  and is said again, as newer");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM communicator_conflicts WHERE"
                       " lost_value <> '\"here\"'",
                       pool),
           "0", "  only our value has lost");
}

static void test_older_deleted(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node = inbox_disputed(store, settings, CM_CONFLICT_HOLD, pool);
    cm_receipt_t *receipt;

    database_run(store, "CREATE UNIQUE INDEX only_one ON posts (title)");
    database_run(store, "INSERT INTO posts (title) VALUES ('there')");
    database_must(inbox_send(
        &receipt, node, "there", 1,
        "[" MESSAGE(2, "post", 7, "update", 2000, TEXT("title", "there"),
                    BASE(1000)) "," MESSAGE(3, "post", 7, "delete", 3000, ,
                                            BASE(2000)) "]",
        0, pool));
    is_int(receipt->applied, 0, "%s: a conflict, and a delete behind it",
           database_of(store));
    is_int(inbox_decide(node, 2, CM_DECIDE_THEIRS, pool), 2,
           "  theirs, though it is older: both are applied");
    is_str(inbox_value(node, "SELECT count(*) FROM posts", pool), "1",
           "  and the other row stays");
}

/* What is not published from here stays here, decided or not. */
static void test_received_only(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node = inbox_disputed(store, settings, CM_CONFLICT_HOLD, pool);
    const char *count = "SELECT count(*) FROM outbound_messages";
    const char *before = inbox_value(node, count, pool);
    cm_receipt_t *receipt;

    inbox_model(settings, "post")->publishes = 0;
    database_must(inbox_send(&receipt, node, "there", 1, OLDER, 0, pool));
    is_int(receipt->applied, 0, "%s: direction=receive: a conflict is held",
           database_of(store));
    is_int(inbox_decide(node, 2, CM_DECIDE_THEIRS, pool), 1,
           "  theirs is applied");
    is_str(inbox_value(node, count, pool), before,
           "  and nothing is published");
}

/* The peer has made an author that is here, too, and then changed it under the
 * name that stays: both messages are about one record, in their order. */
static void test_adopted(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node = inbox_node(store, settings, pool);
    static const char text[] = "[" MESSAGE(
        1, "author", 3, "create", 9000000000000000,
        TEXT("name", "one") "," TEXT(
            "born",
            "1999-09-09"), ) ","
                             "{\"id\":2,\"origin\":\"here\",\"original_id\":1,"
                             "\"clock\":9000000000000001,\"base\":"
                             "9000000000000000,"
                             "\"clocks\":[\"name\",9000000000000000],\"body\":"
                             "\"{\\\"author\\\":{" TEXT("name", "one") "," TEXT(
                                 "born", "2000-01-01") "}}\"}]";

    APR_ARRAY_PUSH(inbox_model(settings, "author")->columns.match,
                   const char *) = "name";
    database_run(store, "INSERT INTO authors (name) VALUES ('one')");
    is_int(inbox_take(node, 0, text, pool), 2,
           "%s: a record comes under two names", database_of(store));
    is_str(
        inbox_value(node, "SELECT CAST(born AS char(10)) FROM authors", pool),
        "2000-01-01", "  the later message counts");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM communicator_conflicts WHERE"
                       " lost_value = '\"1999-09-09\"'",
                       pool),
           "0", "  and the earlier one is in no conflict with it");
}

/* The peer has learnt of an author here before it changes it under its own name
 * for it, which comes only now. */
static void test_adopted_known(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node = inbox_node(store, settings, pool);
    const char *clock;

    APR_ARRAY_PUSH(inbox_model(settings, "author")->columns.match,
                   const char *) = "name";
    database_run(store, "INSERT INTO authors (name, born) VALUES"
                        " ('one', '1999-09-09')");
    clock = clock_of(node, 1, pool);
    (void)inbox_take(
        node, 0,
        apr_psprintf(
            pool,
            "[" MESSAGE(
                1, "author", 3, "create", 1000,
                TEXT("name", "one") "," TEXT(
                    "born",
                    "1990-01-01"), ) "," MESSAGE(2, "author", 3, "update",
                                                 9000000000000000,
                                                 TEXT("name", "one") "," TEXT(
                                                     "born", "2000-01-01"),
                                                 ",\"clocks\":[\"born\",1000],"
                                                 "\"base\":%s") "]",
            clock),
        pool);
    is_str(
        inbox_value(node, "SELECT CAST(born AS char(10)) FROM authors", pool),
        "2000-01-01", "%s: a record comes under another name",
        database_of(store));
    is_str(inbox_value(node,
                       "SELECT count(*) FROM communicator_conflicts WHERE"
                       " lost_value = '\"1999-09-09\"'",
                       pool),
           "0", "  and what replaces a value knowingly is in no conflict");
}

static void test_hub(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node = inbox_node(store, settings, pool);
    cm_batch_t *batch;
    cm_message_t *message;

    settings_add_peer(settings, "third", pool);
    (void)inbox_take(
        node, 0,
        "[" MESSAGE(
            1, "author", 3, "create", 1000,
            TEXT("name", "one"), ) "," MESSAGE(2, "post", 7, "create", 1000,
                                               TEXT("title",
                                                    "a") ",\\\"author_id\\\":9",
                                               REF("author_id", "author",
                                                   3)) "]",
        pool);
    (void)inbox_take(node, 2,
                     "[" MESSAGE(3, "post", 7, "update", 900,
                                 TEXT("title", "old"), BASE(800)) "]",
                     pool);
    batch = inbox_outgoing(node, "third", pool);
    is_int(batch->messages->nelts, 2,
           "%s: a hub hands on what told something new", database_of(store));
    if (batch->messages->nelts == 2) {
        message = APR_ARRAY_IDX(batch->messages, 1, cm_message_t *);
        is_int(message->clocks.clock, 1000, "  with its clock");
        is_str(message->identity.origin, "there", "  and its name");
        is_str(cm_message_write_refs(message, pool),
               "{\"author_id\":{\"model\":\"author\",\"origin\":\"there\","
               "\"original_id\":3}}",
               "  and its references");
    }
    batch = inbox_outgoing(node, "there", pool);
    is_int(batch->messages->nelts, 0, "  and never back");
}

int main(void)
{
    apr_initialize();
    database_each("conflict=newest", test_newest);
    database_each("who loses", test_loser);
    database_each("conflict=hold", test_hold);
    database_each("what follows", test_followed);
    database_each("a delete that knew less", test_unknown);
    database_each("a person decides", test_decided);
    database_each("ours", test_kept);
    database_each("gone", test_gone);
    database_each("parked", test_parked);
    database_each("replaced", test_replaced);
    database_each("older, and changed again", test_older_followed);
    database_each("older, and deleted", test_older_deleted);
    database_each("direction=receive", test_received_only);
    database_each("two names", test_adopted);
    database_each("another name, and known", test_adopted_known);
    database_each("hub", test_hub);
    apr_terminate();
    return done_testing();
}
