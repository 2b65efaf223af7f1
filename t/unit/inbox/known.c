/* The inbox, and what is sent after it: what a delete says that its node knew,
 * of columns that are here, and of those that only the peer has. */
#include "../inbox.h"

#include <apr_general.h>
#include <apr_strings.h>

#include "outbox/publish.h"
#include "outbox/stamp.h"
#include "outbox/withheld.h"

#define HELD "SELECT count(*) FROM posts"
#define LOST "SELECT count(*) FROM communicator_conflicts"

/* A post with a column that only the peer has; and a change of that one. */
#define CREATE(id, post)                                                       \
    MESSAGE(id, "post", post, "create", 1000,                                  \
            TEXT("title", "a" #post) "," TEXT("extra", "e"), )
#define EXTRA(id, post)                                                        \
    MESSAGE(id, "post", post, "update", 2000,                                  \
            TEXT("title", "a" #post) "," TEXT("extra", "f"),                   \
            BASE(1000) ",\"clocks\":{\"title\":1000}")

/* Where the key was changed: the other record. */
#define KEY_OF(tag) ",\"refs\":{\"\":[\"tag\",\"" tag "\"]}"

/* Run SQL as the application, and give its changes their numbers. */
static void change(cm_node_t *node, const char *sql, apr_pool_t *pool)
{
    database_run(node->store, sql);
    database_must(cm_stamp_all(&(apr_int64_t){0}, node, pool));
}

/* Return what the last message says that was known of columns elsewhere. */
static apr_int64_t known_elsewhere(cm_node_t *node, apr_pool_t *pool)
{
    const apr_array_header_t *messages =
        inbox_outgoing(node, "there", pool)->messages;

    return cm_clocks_elsewhere(
        &APR_ARRAY_IDX(messages, messages->nelts - 1, cm_message_t *)->base);
}

/* Posts 7 to 10 are changed here, or what is only there is, or both. */
static void test_elsewhere(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);

    (void)inbox_take(node, 0,
                     "[" CREATE(1, 7) "," CREATE(2, 8) "," CREATE(
                         3, 9) "," CREATE(4, 10) "]",
                     pool);
    change(node, "UPDATE posts SET text = 'b' WHERE title IN ('a7', 'a9')",
           pool);
    (void)inbox_take(
        node, 4, "[" EXTRA(5, 8) "," EXTRA(6, 9) "," EXTRA(7, 10) "]", pool);
    change(node, "UPDATE posts SET text = 'c' WHERE title = 'a10'", pool);
    change(node, "DELETE FROM posts WHERE title = 'a7'", pool);
    is_int(known_elsewhere(node, pool), 1000,
           "%s: a delete after a change here: nothing elsewhere is known",
           database_of(store));
    change(node, "DELETE FROM posts WHERE title = 'a8'", pool);
    is_int(known_elsewhere(node, pool), 2000, "  but what was received");
    change(node, "DELETE FROM posts WHERE title = 'a9'", pool);
    is_int(known_elsewhere(node, pool), 2000, "  behind a change here");
    change(node, "DELETE FROM posts WHERE title = 'a10'", pool);
    is_int(known_elsewhere(node, pool), 2000, "  or before it");
}

/* Return a node whose tags are records of the node that made them. */
static cm_node_t *tag_node(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);

    inbox_model(settings, "tag")->shared_keys = 0;
    return inbox_node(store, settings, pool);
}

/* All columns that are here are changed at once. */
static void test_all(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = tag_node(store, pool);

    (void)inbox_take(
        node, 0,
        "[" MESSAGE(1, "tag", "x", "create", 1000,
                    TEXT("name", "x") "," TEXT("color", "a") "," TEXT(
                        "extra", "e"), ) "]",
        pool);
    change(node, "UPDATE tags SET color = 'b'", pool);
    change(node, "DELETE FROM tags", pool);
    is_int(known_elsewhere(node, pool), 1000,
           "%s: all that is here was changed: nothing elsewhere is known",
           database_of(store));
}

/* Another node may have made the same record. */
static void test_made_twice(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);

    change(node, "INSERT INTO tags (name) VALUES ('x')", pool);
    change(node, "DELETE FROM tags", pool);
    is_int(known_elsewhere(node, pool), CM_CLOCK_OLDEST,
           "%s: a shared key is deleted where it was made: nothing elsewhere is"
           " known",
           database_of(store));
    change(node, "INSERT INTO posts (title) VALUES ('x')", pool);
    change(node, "DELETE FROM posts", pool);
    ok(known_elsewhere(node, pool) > CM_CLOCK_OLDEST,
       "  a record of this node alone has nothing elsewhere");
}

static void test_matched_twice(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node = inbox_node(store, settings, pool);

    APR_ARRAY_PUSH(inbox_model(settings, "author")->columns.match,
                   const char *) = "name";
    change(node, "INSERT INTO authors (name) VALUES ('x')", pool);
    change(node, "DELETE FROM authors", pool);
    is_str(inbox_value(node,
                       "SELECT count(*) FROM outbound_messages"
                       " WHERE action = 'delete' AND base LIKE '{%%:1,%%'",
                       pool),
           "1", "%s: so it is with match=", database_of(store));
}

/* A message whose clock, and base, are given to apr_psprintf(). */
#define AUTHOR_AT(id, action, more, attributes)                                \
    "[{\"id\":" #id                                                            \
    ",\"origin\":\"there\",\"original_id\":3,\"action\":\"" action             \
    "\",\"clock\":%" APR_INT64_T_FMT more                                      \
    ",\"body\":\"{\\\"author\\\":{" attributes "}}\"}]"
#define BASE_AT ",\"base\":%" APR_INT64_T_FMT

/* Both nodes have made the author, the peer one microsecond earlier, and the
 * peer deletes it before it has received the one of this node. Of the same
 * clock that would seem to be known (docs/convergence.md). */
static void test_matched_unseen(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node = inbox_node(store, settings, pool);
    apr_int64_t clock;

    APR_ARRAY_PUSH(inbox_model(settings, "author")->columns.match,
                   const char *) = "name";
    change(node, "INSERT INTO authors (name, born) VALUES ('x', '2000-01-01')",
           pool);
    clock = apr_atoi64(
        inbox_value(node, "SELECT clock FROM communicator_mappings", pool));
    (void)inbox_take(node, 0,
                     apr_psprintf(pool,
                                  AUTHOR_AT(1, "create", ,
                                            TEXT("name", "x") "," TEXT(
                                                "born", "1990-01-01")),
                                  clock - 1),
                     pool);
    (void)inbox_take(
        node, 1,
        apr_psprintf(pool, AUTHOR_AT(2, "delete", BASE_AT, ), clock, clock - 1),
        pool);
    is_str(inbox_value(node, "SELECT count(*) FROM authors", pool), "0",
           "%s: match=: a delete by a node that has not received what stands"
           " here",
           database_of(store));
    is_str(
        inbox_value(node, LOST " WHERE lost_value LIKE '%%2000-01-01%%'", pool),
        "1", "  that is in communicator_conflicts");
}

/* Return a node where an author is, changed or made here, of clock *CLOCK. */
static cm_node_t *born_node(apr_int64_t *clock, cm_store_t *store,
                            const char *first, cm_conflict_e conflict,
                            apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_model_t *author = inbox_model(settings, "author");
    cm_node_t *node = inbox_node(store, settings, pool);

    author->conflict = conflict;
    APR_ARRAY_PUSH(author->columns.match, const char *) = "name";
    if (first)
        (void)inbox_take(node, 0, first, pool);
    change(node,
           first ? "UPDATE authors SET born = '2000-01-01'"
                 : "INSERT INTO authors (name, born) VALUES ('x', "
                   "'2000-01-01')",
           pool);
    *clock = apr_atoi64(inbox_value(
        node, "SELECT max(clock) FROM communicator_mappings", pool));
    return node;
}

/* The peer deletes the author, of which it had another, newer, date of birth.
 */
#define GONE(id)                                                               \
    "[{\"id\":" #id ",\"origin\":\"there\",\"original_id\":3,"                 \
    "\"action\":\"delete\",\"clock\":%" APR_INT64_T_FMT                        \
    ",\"base\":{\"\\u001f\":1,\"name\":1000,\"born\":%" APR_INT64_T_FMT        \
    "},\"body\":\"{\\\"author\\\":{}}\"}]"
#define BORN LOST " WHERE lost_value LIKE '%%2000-01-01%%'"

/* What the peer changed last came under another name, to a record that had been
 * deleted: it did not know the author here, though that is older. */
static void test_other_name(cm_store_t *store, const char *first,
                            apr_pool_t *pool)
{
    apr_int64_t clock;
    cm_node_t *node = born_node(&clock, store, first, CM_CONFLICT_NEWEST, pool);

    if (!first)
        (void)inbox_take(node, 0, "[" AUTHOR(1, 3, "x") "]", pool);
    (void)inbox_take(node, 1, apr_psprintf(pool, GONE(2), clock, clock + 9),
                     pool);
    is_str(inbox_value(node, "SELECT count(*) FROM authors", pool), "0",
           "%s: a delete by a node that has changed the record under another"
           " name",
           database_of(store));
    is_str(inbox_value(node, BORN, pool), "1",
           "  what stood here is in communicator_conflicts");
}

static void test_other_name_ours(cm_store_t *store, apr_pool_t *pool)
{
    test_other_name(store, NULL, pool);
}

static void test_other_name_theirs(cm_store_t *store, apr_pool_t *pool)
{
    test_other_name(store, "[" AUTHOR(1, 3, "x") "]", pool);
}

static void test_other_name_held(cm_store_t *store, apr_pool_t *pool)
{
    apr_int64_t clock;
    cm_node_t *node = born_node(&clock, store, "[" AUTHOR(1, 3, "x") "]",
                                CM_CONFLICT_HOLD, pool);

    (void)inbox_take(node, 1, apr_psprintf(pool, GONE(2), clock, clock + 9),
                     pool);
    is_str(inbox_value(node, "SELECT count(*) FROM authors", pool), "1",
           "%s: conflict=hold: a person is asked", database_of(store));
}

/* All columns had been changed at once. */
static void test_other_name_all(cm_store_t *store, apr_pool_t *pool)
{
    apr_int64_t clock;
    cm_node_t *node = born_node(&clock, store, NULL, CM_CONFLICT_NEWEST, pool);

    (void)inbox_take(node, 0, "[" AUTHOR(1, 3, "x") "]", pool);
    (void)inbox_take(
        node, 1,
        apr_psprintf(pool, AUTHOR_AT(2, "delete", BASE_AT, ), clock, clock + 9),
        pool);
    is_str(inbox_value(node, BORN, pool), "1",
           "%s: where all that the peer had was newer", database_of(store));
}

/* The change has come under this name: what stood here was known. */
static void test_same_name(cm_store_t *store, apr_pool_t *pool)
{
    apr_int64_t clock;
    cm_node_t *node = born_node(&clock, store, "[" AUTHOR(1, 3, "x") "]",
                                CM_CONFLICT_HOLD, pool);

    (void)inbox_take(
        node, 1,
        apr_psprintf(
            pool,
            AUTHOR_AT(2, "update", ",\"clocks\":{\"name\":1000}" BASE_AT,
                      TEXT("name", "x") "," TEXT("born", "1990-01-01")),
            clock + 9, clock),
        pool);
    (void)inbox_take(node, 2,
                     apr_psprintf(pool, GONE(3), clock + 10, clock + 9), pool);
    is_str(inbox_value(node, "SELECT count(*) FROM authors", pool), "0",
           "%s: conflict=hold: nobody is asked about what was known",
           database_of(store));
    is_str(inbox_value(node, LOST, pool), "0", "  that has not lost");
}

/* A color is here alone, and the peer, which has received it or not, changes
 * the key. */
static void test_continued(cm_store_t *store, const char *name,
                           const char *elsewhere, apr_pool_t *pool)
{
    cm_node_t *node = tag_node(store, pool);

    (void)inbox_take(
        node, 0,
        "[" MESSAGE(1, "tag", "x", "create", 1000, TEXT("name", "x"), ) "]",
        pool);
    change(node, "UPDATE tags SET color = 'here'", pool);
    (void)inbox_take(
        node, 1,
        apr_psprintf(
            pool,
            "[" MESSAGE(
                2, "tag", "y", "create", 9000000000000001, TEXT("name", "y"),
                BASE(1000)
                    KEY_OF("x")) "," MESSAGE(3, "tag", "x", "delete",
                                             9000000000000002, ,
                                             ",\"base\":{\"name\":1000,"
                                             "\"\\u001f\":%s}" KEY_OF("y")) "]",
            elsewhere),
        pool);
    is_str(inbox_value(node, "SELECT color FROM tags WHERE name = 'y'", pool),
           "here", "%s: a key changed by a node that %s the color: it stays",
           database_of(store), name);
    is_str(inbox_value(node, LOST, pool), "0", "  and nothing has lost");
}

static void test_continued_known(cm_store_t *store, apr_pool_t *pool)
{
    test_continued(store, "knows", "9000000000000000", pool);
}

static void test_continued_unknown(cm_store_t *store, apr_pool_t *pool)
{
    test_continued(store, "does not know", "1000", pool);
}

/* The key of a record was changed, and its delete is sent once more. */
static void test_continued_again(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = tag_node(store, pool);
    apr_array_header_t *identities =
        apr_array_make(pool, 1, sizeof(cm_identity_t));
    const apr_array_header_t *messages;
    const cm_message_t *message;
    apr_int64_t count;

    APR_ARRAY_PUSH(identities, cm_identity_t) = (cm_identity_t){"here", "x"};
    change(node, "INSERT INTO tags (name) VALUES ('x')", pool);
    change(node, "UPDATE tags SET name = 'y'", pool);
    database_must(cm_publish_identities(
        &count, node, cm_settings_model(node->settings, "tag"), identities,
        pool));
    database_must(cm_stamp_all(&count, node, pool));
    messages = inbox_outgoing(node, "there", pool)->messages;
    message = APR_ARRAY_IDX(messages, messages->nelts - 1, cm_message_t *);
    is_int(message->action, CM_DELETE, "%s: a delete is sent once more",
           database_of(store));
    is_str(message->counterpart.original_id, "y",
           "  and names the record that continues the deleted one");
    ok(message->base.older &&
           apr_hash_get(message->base.older, "color", APR_HASH_KEY_STRING),
       "  and which columns there were");
    is_int(message->base.clock, message->clocks.clock,
           "  of which it knew nothing that is later");
}

/* The peer has not received that a post was deleted, and changes it. */
static void test_withheld(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);
    apr_array_header_t *seqs = apr_array_make(pool, 1, sizeof(apr_int64_t));
    const apr_array_header_t *messages;
    const cm_message_t *first, *again;
    apr_int64_t count;

    (void)inbox_take(node, 0, "[" CREATE(1, 7) "]", pool);
    change(node, "DELETE FROM posts", pool);
    messages = inbox_outgoing(node, "there", pool)->messages;
    first = APR_ARRAY_IDX(messages, messages->nelts - 1, cm_message_t *);
    APR_ARRAY_PUSH(seqs, apr_int64_t) = first->id;
    database_must(cm_withheld_add(node, "there", seqs, CM_REFUSER_PEER,
                                  "too large", pool));
    (void)inbox_take(node, 1,
                     "[" MESSAGE(2, "post", 7, "update", 9000000000000000,
                                 TEXT("title", "a7") "," TEXT("extra", "f"),
                                 BASE(1000) ",\"clocks\":{\"title\":1000}") "]",
                     pool);
    database_must(cm_withheld_retry(&count, node, "there", first->id, pool));
    database_must(cm_stamp_all(&count, node, pool));
    messages = inbox_outgoing(node, "there", pool)->messages;
    again = APR_ARRAY_IDX(messages, messages->nelts - 1, cm_message_t *);
    is_int(again->action, CM_DELETE, "%s: a withheld delete is sent again",
           database_of(store));
    ok(again->has_base, "  and says what was known");
    is_int(cm_clocks_elsewhere(&again->base), 1000, "  by who deleted it");
    is_int(again->clocks.clock, first->clocks.clock, "  when that was");
}

/* Return a node where the text of post 7, which the peer does not have, has
 * been changed here. */
static cm_node_t *changed(cm_store_t *store, cm_conflict_e conflict,
                          apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node;

    inbox_model(settings, "post")->conflict = conflict;
    node = inbox_node(store, settings, pool);
    (void)inbox_take(node, 0, "[" CREATE(1, 7) "]", pool);
    change(node, "UPDATE posts SET text = 'here'", pool);
    return node;
}

#define DELETE(elsewhere)                                                      \
    "[" MESSAGE(2, "post", 7, "delete", 9000000000000001, ,                    \
                ",\"base\":{\"title\":9000000000000000" elsewhere "}") "]"
#define NOT_RECEIVED ",\"\\u001f\":1000"

static void test_lost(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = changed(store, CM_CONFLICT_NEWEST, pool);

    is_int(inbox_take(node, 1, DELETE(NOT_RECEIVED), pool), 1,
           "%s: a delete by a node that has changed another column since",
           database_of(store));
    is_str(inbox_value(node, LOST " WHERE lost_value = '\"here\"'", pool), "1",
           "  what it had not received is in communicator_conflicts");
}

static void test_asked(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = changed(store, CM_CONFLICT_HOLD, pool);

    is_int(inbox_take(node, 1, DELETE(NOT_RECEIVED), pool), 0,
           "%s: conflict=hold: the delete waits for a person",
           database_of(store));
    is_str(inbox_value(node, HELD, pool), "1", "  and the post stays");
}

/* The title is older at the node that deletes than what it has received. */
static void test_received(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = changed(store, CM_CONFLICT_HOLD, pool);

    is_int(inbox_take(node, 1,
                      "[" MESSAGE(2, "post", 7, "delete", 9000000000000001, ,
                                  ",\"base\":{\"title\":1000,\"\\u001f\":"
                                  "9000000000000000}") "]",
                      pool),
           1, "%s: a delete by a node that had received it",
           database_of(store));
    is_str(inbox_value(node, HELD, pool), "0", "  asks nobody");
}

/* Earlier versions do not say it. */
static void test_not_said(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = changed(store, CM_CONFLICT_HOLD, pool);

    is_int(inbox_take(node, 1, DELETE(""), pool), 1,
           "%s: a delete that does not say: the newest is known",
           database_of(store));
}

/* A hub does not have what others change, and what it has is newer. */
static void test_hub(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node;

    settings_add_peer(settings, "third", pool);
    node = inbox_node(store, settings, pool);
    (void)inbox_take(node, 0, "[" CREATE(1, 7) "]", pool);
    change(node, "UPDATE posts SET text = 'here'", pool);
    (void)inbox_take(node, 1, "[" EXTRA(2, 7) "]", pool);
    is_int(inbox_outgoing(node, "third", pool)->messages->nelts, 3,
           "%s: a hub hands on an older change of what it does not have",
           database_of(store));
    is_str(inbox_value(node, "SELECT text FROM posts", pool), "here",
           "  and keeps what it has");
}

/* Make an author that both nodes have made, and match= has found to be one. */
static cm_node_t *two_names(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node = inbox_node(store, settings, pool);

    APR_ARRAY_PUSH(inbox_model(settings, "author")->columns.match,
                   const char *) = "name";
    change(node, "INSERT INTO authors (name) VALUES ('one')", pool);
    (void)inbox_take(node, 0, "[" AUTHOR(1, 3, "one") "]", pool);
    return node;
}

/* A record that has two names is deleted under both. */
static void test_names(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = two_names(store, pool);

    change(node, "UPDATE authors SET born = '2000-01-01'", pool);
    change(node, "DELETE FROM authors", pool);
    is_str(inbox_value(node,
                       "SELECT count(*) FROM outbound_messages"
                       " WHERE action = 'delete' AND base LIKE '{%%'",
                       pool),
           "2",
           "%s: the delete of each name says what was known of each column",
           database_of(store));
}

/* The newest change of that record is of a column that is not here. */
static void test_names_elsewhere(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = two_names(store, pool);

    (void)inbox_take(node, 1,
                     "[" MESSAGE(2, "author", 3, "update", 9000000000000000,
                                 TEXT("name", "one") "," TEXT("extra", "e"),
                                 BASE(1000) ",\"clocks\":{\"name\":1000}") "]",
                     pool);
    change(node, "DELETE FROM authors", pool);
    is_str(inbox_value(node,
                       "SELECT count(*) FROM outbound_messages WHERE"
                       " action = 'delete' AND base LIKE '%%u001f%%'",
                       pool),
           "2", "%s: the delete of each name says what is known elsewhere",
           database_of(store));
}

int main(void)
{
    apr_initialize();
    database_each("elsewhere", test_elsewhere);
    database_each("all columns", test_all);
    database_each("made twice", test_made_twice);
    database_each("made twice, matched", test_matched_twice);
    database_each("made twice, unseen", test_matched_unseen);
    database_each("another name", test_other_name_ours);
    database_each("another name, theirs", test_other_name_theirs);
    database_each("another name, all", test_other_name_all);
    database_each("another name, held", test_other_name_held);
    database_each("the same name", test_same_name);
    database_each("continued, known", test_continued_known);
    database_each("continued, not known", test_continued_unknown);
    database_each("continued, again", test_continued_again);
    database_each("withheld", test_withheld);
    database_each("lost", test_lost);
    database_each("asked", test_asked);
    database_each("received", test_received);
    database_each("not said", test_not_said);
    database_each("a hub", test_hub);
    database_each("two names", test_names);
    database_each("two names, elsewhere", test_names_elsewhere);
    apr_terminate();
    return done_testing();
}
