/* The inbox: what cannot be applied is isolated, parked, and released. */
#include "../inbox.h"

#include <apr_general.h>

#include "base/clock.h"
#include "node/epoch.h"
#include "operate/health.h"

/* COUNT new authors from message ID on; each BAD-th has no name. */
static const char *authors(int id, int count, int bad, apr_pool_t *pool)
{
    cm_buffer_t *buffer = cm_buffer_create(count * 120, pool);
    int i;

    for (i = 0; i < count; i++) {
        cm_buffer_raw(
            buffer,
            apr_psprintf(pool,
                         "%s{\"id\":%d,\"origin\":\"there\",\"original_id\":%d,"
                         "\"action\":\"create\",\"clock\":1000,\"body\":"
                         "\"{\\\"author\\\":{\\\"name\\\":",
                         i ? "," : "[", id + i, id + i));
        cm_buffer_raw(buffer, bad && i % bad == 0
                                  ? "null"
                                  : apr_psprintf(pool, "\\\"n%d\\\"", id + i));
        cm_buffer_raw(buffer, "}}\"}");
    }
    cm_buffer_append(buffer, "]", 2);
    return buffer->data;
}

static void test_isolated(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);
    cm_receipt_t *receipt;

    database_must(inbox_send(&receipt, node, "there", 0,
                             authors(1, 1200, 100, pool), 0, pool));
    is_int(receipt->accepted, 1200, "%s: all are kept", database_of(store));
    is_int(receipt->applied, 1188, "  the good ones are applied");
    is_int(receipt->parked->nelts, 12, "  exactly the bad ones are parked");
    is_str(inbox_value(node, "SELECT count(*) FROM authors", pool), "1188",
           "  as the table says");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM inbound_messages WHERE error LIKE"
                       " '%%name%%' AND processed_at IS NULL AND transient = 0",
                       pool),
           "12", "  with the database's words");
    is_int(inbox_take(node, 1200,
                      "[" MESSAGE(1201, "author", 101, "update", 1500,
                                  TEXT("name", "good"), BASE(1000)) "]",
                      pool),
           2, "a later message mends one of them");
    is_str(
        inbox_value(node, "SELECT name FROM authors WHERE name = 'good'", pool),
        "good", "  and it is there");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM inbound_messages"
                       " WHERE processed_at IS NULL",
                       pool),
           "11", "  with both of its messages done");
    database_must(cm_inbox_retry(&receipt, node, "there", pool));
    is_int(receipt->applied, 0, "trying again helps the others not");
    is_int(receipt->parked->nelts, 11, "  and says so");
    is_str(
        inbox_value(node, "SELECT max(attempts) FROM inbound_messages", pool),
        "2", "  but is counted");
}

#define NEW(id, original, name)                                                \
    MESSAGE(id, "author", original, "create", 1000, TEXT("name", name), )
#define RENAME(id, original, clock, name, base)                                \
    MESSAGE(id, "author", original, "update", clock, TEXT("name", name),       \
            BASE(base))

/* Take TEXT, in which nothing need work; returns how many did. */
static int try_take(cm_node_t *node, apr_int64_t after, const char *text,
                    apr_pool_t *pool)
{
    cm_receipt_t *receipt;

    database_must(inbox_send(&receipt, node, "there", after, text, 0, pool));
    return receipt->applied;
}

static void test_unique(cm_store_t *store, apr_pool_t *pool)
{
    static const char exchange[] =
        "[" NEW(1, 1, "one") "," NEW(2, 2, "two") "," RENAME(
            3, 1, 2000, "swap",
            1000) "," RENAME(4, 2, 2000, "one",
                             1000) "," RENAME(5, 1, 3000, "two", 2000) "]";
    static const char back[] = "[" RENAME(6, 1, 4000, "swap", 3000) "," RENAME(
        7, 2, 4000, "two", 2000) "," RENAME(8, 1, 5000, "one", 4000) "]";
    static const char freed[] = "[" NEW(9, 3, "one") "," MESSAGE(
        10, "author", 1, "delete", 6000, , BASE(5000)) "]";
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);

    is_int(try_take(node, 0, exchange, pool), 5,
           "%s: two records exchange a unique value", database_of(store));
    is_int(try_take(node, 5, back, pool), 3,
           "  and back, when they are here already");
    is_int(try_take(node, 8, freed, pool), 2,
           "a value is free once its record is deleted");
}

static void test_order(cm_store_t *store, apr_pool_t *pool)
{
    static const char bad[] =
        "[" MESSAGE(1, "author", 4, "create", 1000, NONE("name"), ) "," MESSAGE(
            2, "author", 4, "update", 2000, NONE("name"),
            BASE(1000)) "," NEW(3, 5, "five") "]";
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);

    is_int(try_take(node, 0, bad, pool), 1,
           "%s: a bad message holds up its record alone", database_of(store));
    is_str(inbox_value(node,
                       "SELECT transient FROM inbound_messages WHERE id = 2",
                       pool),
           "1", "  whose later ones wait behind it");
}

/* Its first message fails by itself; the second corrects it, but needs a value
 * that the third makes free. */
static const char corrected[] = "[" MESSAGE(
    3, "author", 1, "update", 2000, NONE("name"),
    BASE(1000)) "," RENAME(4, 1, 3000, "two",
                           2000) "," RENAME(5, 2, 2000, "three", 1000) "]";

/* With CommunicatorOnError stop it would never come else: nothing of the batch
 * would be kept for the next run. */
static void test_together(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node = inbox_node(store, settings, pool);
    cm_receipt_t *receipt;
    cm_error_t *err;

    is_int(
        try_take(node, 0, "[" NEW(1, 1, "one") "," NEW(2, 2, "two") "]", pool),
        2, "%s: two authors", database_of(store));
    settings->on_error = CM_ON_ERROR_STOP;
    err = inbox_send(&receipt, node, "there", 2, corrected, 0, pool);
    ok(!err, "  messages that fail alone are tried together");
    is_str(inbox_value(node, "SELECT max(name) FROM authors", pool), "two",
           "    once what was in their way is gone");
}

/* Apply the parked message ID of the peer now. */
static void apply_now(cm_node_t *node, apr_int64_t id, apr_pool_t *pool)
{
    apr_array_header_t *ids = apr_array_make(pool, 1, sizeof(apr_int64_t));
    cm_receipt_t *receipt;

    APR_ARRAY_PUSH(ids, apr_int64_t) = id;
    database_must(cm_inbox_retry_decided(&receipt, node, "there", ids,
                                         CM_DECIDE_THEIRS, pool));
    is_int(receipt->applied, 1, "  message %d is applied later", (int)id);
}

/* The first two can be applied together; the last one needs a value that is
 * taken. */
static void test_some(cm_store_t *store, apr_pool_t *pool)
{
    static const char three[] = "[" MESSAGE(
        3, "author", 1, "update", 2000, NONE("name"),
        BASE(1000)) "," RENAME(4, 1, 3000, "three",
                               2000) "," RENAME(5, 1, 4000, "two", 3000) "]";
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);

    is_int(
        try_take(node, 0, "[" NEW(1, 1, "one") "," NEW(2, 2, "two") "]", pool),
        2, "%s: two authors", database_of(store));
    is_int(try_take(node, 2, three, pool), 2,
           "  messages are applied together up to one that is refused");
    is_str(inbox_value(node, "SELECT min(name) FROM authors", pool), "three",
           "    as the last of them says");
    is_str(inbox_value(node, "SELECT id FROM inbound_messages", pool), "5",
           "    and that one alone is parked");
}

/* A post whose title was changed on both sides: conflict=hold has parked
 * message 2. */
static cm_node_t *hold(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node;

    inbox_model(settings, "post")->conflict = CM_CONFLICT_HOLD;
    node = inbox_node(store, settings, pool);
    (void)inbox_take(
        node, 0,
        "[" MESSAGE(1, "post", 7, "create", 1000,
                    TEXT("title", "a") "," TEXT("text", "t"), ) "]",
        pool);
    database_run(store, "UPDATE posts SET title = 'here'");
    is_int(try_take(node, 1,
                    "[" MESSAGE(2, "post", 7, "update", 9000000000000000,
                                TEXT("title", "there") "," TEXT("text", "t"),
                                BASE(1000) ",\"clocks\":{\"text\":1000}") "]",
                    pool),
           0, "%s: a conflict waits for a person", database_of(store));
    return node;
}

/* A later change of the same post, of another column. */
#define LATER(id, post)                                                        \
    MESSAGE(id, "post", post, "update", 9000000000000001,                      \
            TEXT("title", "there") "," TEXT("text", "u"),                      \
            BASE(1000) ",\"clocks\":{\"title\":9000000000000000}")

static void test_held(cm_store_t *store, apr_pool_t *pool)
{
    apr_array_header_t *ids = apr_array_make(pool, 1, sizeof(apr_int64_t));
    cm_node_t *node = hold(store, pool);
    cm_receipt_t *receipt;

    is_int(try_take(node, 2, "[" LATER(3, 7) "]", pool), 0,
           "  a later change of the record waits behind it");
    is_int(try_take(node, 3, "[" NEW(4, 1, "one") "]", pool), 1,
           "  another record comes");
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "here",
           "    and the later change does not pass over the conflict");
    APR_ARRAY_PUSH(ids, apr_int64_t) = 2;
    database_must(cm_inbox_retry_decided(&receipt, node, "there", ids,
                                         CM_DECIDE_THEIRS, pool));
    is_int(receipt->applied, 2, "  when a person decides, it comes along");
    is_str(inbox_value(node, "SELECT text FROM posts", pool), "u",
           "    and nothing is parked any more");
}

/* The same, about a record that has two names (match=): the later change comes
 * under the other one. */
static void test_two_names(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = hold(store, pool);

    APR_ARRAY_PUSH(
        APR_ARRAY_IDX(node->settings->models, 1, cm_model_t *)->columns.match,
        const char *) = "title";
    database_run(store,
                 apr_psprintf(pool,
                              "INSERT INTO %s (original_id, origin, clock,"
                              " deleted_at, same_origin, same_id) VALUES"
                              " ('8', 'there', 0, 0, 'there', '7')",
                              database_records(store, "Post", pool)));
    is_int(try_take(node, 2, "[" LATER(3, 8) "]", pool), 0,
           "  a later change under another name waits behind it");
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "here",
           "    and does not pass over the conflict");
}

/* What is parked is retried in pages, each a transaction. */
static void test_pages(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = hold(store, pool);
    cm_receipt_t *receipt;

    is_int(try_take(node, 2, authors(3, 600, 1, pool), pool), 0,
           "  six hundred others are parked");
    is_int(try_take(node, 602, "[" LATER(603, 7) "]", pool), 0,
           "  and a later change of the record");
    database_must(cm_inbox_retry(&receipt, node, "there", pool));
    is_int(receipt->parked->nelts, 602,
           "  all are tried again, and named once");
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "here",
           "    and the later change does not pass over the conflict");
    is_str(inbox_value(node,
                       "SELECT attempts FROM inbound_messages"
                       " WHERE id = 2",
                       pool),
           inbox_value(node,
                       "SELECT attempts FROM inbound_messages"
                       " WHERE id = 3",
                       pool),
           "    and each counts one attempt");
}

#define BORN(id, original, name, born)                                         \
    MESSAGE(id, "author", original, "create", 1000,                            \
            TEXT("name", name) "," TEXT("born", born), )

static void test_refused(cm_store_t *store, apr_pool_t *pool)
{
    static const char mixed[] = "[" MESSAGE(
        1, "gizmo", 1, "create", 1000,
        TEXT("name", "one"), ) "," NEW(2, 1, "one") ",{\"id\":3,\"body\":17}"
                                                    "," BORN(4, 2, "b",
                                                             "soon") "]";
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);
    cm_receipt_t *receipt;

    database_must(inbox_send(&receipt, node, "there", 0, mixed, 0, pool));
    is_int(receipt->applied, 1, "%s: what cannot be read is parked alone",
           database_of(store));
    is_int(receipt->parked->nelts, 3, "  three kinds of it");
    ok(strstr(APR_ARRAY_IDX(receipt->parked, 0, cm_parked_t).reason,
              "'gizmo'") != NULL,
       "  an unknown model is named");
    database_must(cm_inbox_retry(&receipt, node, "there", pool));
    is_int(receipt->parked->nelts, 3, "  and they stay when tried again");
}

/* Return the first problem of NODE's health: "severity: text". */
static const char *problem(cm_node_t *node, apr_pool_t *pool)
{
    const cm_problem_t *first;
    cm_health_t *health;

    database_must(cm_health_read(&health, node, NULL, pool));
    if (!health->problems->nelts)
        return "none";
    first = &APR_ARRAY_IDX(health->problems, 0, cm_problem_t);
    return apr_pstrcat(pool, cm_health_severity_name(first->severity), ": ",
                       first->text, NULL);
}

static void test_most(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);
    cm_receipt_t *receipt;

    database_must(inbox_send(&receipt, node, "there", 0,
                             authors(1, 20, 2, pool), 0, pool));
    is_int(cm_inbox_receipt_mostly_parked(receipt), 0,
           "%s: half of a batch is not most of it", database_of(store));
    is_str(problem(node, pool), "warning: 10 messages of 'there' parked",
           "  and parked like any others");
    database_must(inbox_send(&receipt, node, "there", 20,
                             authors(21, 40, 1, pool), 0, pool));
    is_int(receipt->received, 60, "a batch that is bad altogether is taken");
    is_int(receipt->parked->nelts, 40, "  and parked");
    is_int(cm_inbox_receipt_mostly_parked(receipt), 40,
           "  which the receipt says");
    is_str(problem(node, pool),
           "critical: 40 of 40 messages of a batch of 'there' are parked",
           "  and the health, before all else");
    is_int(inbox_take(node, 60, authors(61, 1, 0, pool), pool), 1,
           "what comes behind it is applied");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM inbound_messages"
                       " WHERE processed_at IS NULL",
                       pool),
           "50", "  beside all that is parked");
}

static void test_gone(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);
    cm_receipt_t *receipt;

    database_run(store, "ALTER TABLE authors RENAME TO writers");
    database_must(inbox_send(&receipt, node, "there", 0,
                             authors(1, 30, 0, pool), 0, pool));
    is_int(cm_inbox_receipt_mostly_parked(receipt), 30,
           "%s: what is for a table that is gone is parked",
           database_of(store));
    is_int(inbox_take(node, 30,
                      "[" MESSAGE(31, "post", 1, "create", 1000,
                                  TEXT("title", "a"), ) "]",
                      pool),
           1, "  and holds up no other table");
    database_run(store, "ALTER TABLE writers RENAME TO authors");
    database_must(cm_inbox_retry(&receipt, node, "there", pool));
    is_int(receipt->applied, 30, "  until the table is there again");
    is_str(problem(node, pool), "none", "  and all is well");
}

static void test_continuity(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);
    cm_receipt_t *receipt;

    ok(database_fails(inbox_send(&receipt, node, "there", 1,
                                 authors(2, 1, 0, pool), 0, pool),
                      CM_GAP, "a first batch that is not the first"),
       "%s: a batch must begin at the beginning", database_of(store));
    database_must(inbox_send(&receipt, node, "there", 0, authors(1, 3, 0, pool),
                             0, pool));
    ok(database_fails(inbox_send(&receipt, node, "there", 4,
                                 authors(5, 1, 0, pool), 0, pool),
                      CM_GAP, "a gap"),
       "a gap is refused");
    database_must(inbox_send(&receipt, node, "there", 1, authors(2, 4, 0, pool),
                             0, pool));
    is_int(receipt->repeated, 2, "an overlap is passed over");
    is_int(receipt->accepted, 2, "  and the rest is taken");
    is_int(receipt->received, 5, "  up to its end");
    ok(database_fails(inbox_send(&receipt, node, "there", 4,
                                 "[" MESSAGE(5, "author", 5, "create", 77,
                                             TEXT("name", "x"), ) "]",
                                 0, pool),
                      CM_EPOCH, "another history"),
       "another message under a number that is held is noticed");
    ok(database_fails(
           inbox_send(
               &receipt, node, "there", 5,
               "[" MESSAGE(
                   7, "author", 7, "create", 1000,
                   TEXT("name", "x"), ) "," MESSAGE(6, "author", 6, "create",
                                                    1000,
                                                    TEXT("name", "y"), ) "]",
               0, pool),
           CM_MALFORMED, "disorder"),
       "disorder is refused");
    is_str(inbox_value(node, "SELECT count(*) FROM authors", pool), "5",
           "nothing came twice, nothing is missing");
}

/* TRUNCATE tells no trigger that is there, and ids are handed out again. */
static void test_truncated(cm_store_t *store, apr_pool_t *pool)
{
    int pgsql = cm_dialect_of_store(store)->database == CM_PGSQL;
    cm_node_t *node;

    if (cm_dialect_of_store(store)->database == CM_SQLITE3)
        return;
    node = inbox_node(store, inbox_settings(pool), pool);
    (void)inbox_take(
        node, 0,
        "[" MESSAGE(1, "post", 1, "create", 1000, TEXT("title", "a"), ) "]",
        pool);
    if (pgsql)
        database_run(store, "ALTER TABLE posts DISABLE TRIGGER USER");
    database_run(store,
                 pgsql ? "TRUNCATE posts RESTART IDENTITY" : "TRUNCATE posts");
    if (pgsql)
        database_run(store, "ALTER TABLE posts ENABLE TRIGGER USER");
    is_int(inbox_take(
               node, 1,
               "[" MESSAGE(2, "post", 2, "create", 1000,
                           TEXT("title", "b"), ) "," MESSAGE(3, "post", 1,
                                                             "update", 2000,
                                                             TEXT("title", "c"),
                                                             BASE(1000)) "]",
               pool),
           2, "%s: records come after TRUNCATE", database_of(store));
    is_str(inbox_value(node, "SELECT count(*) FROM posts", pool), "2",
           "  new ones and the old one");
    is_str(
        inbox_value(node,
                    "SELECT count(*) FROM communicator_mappings m JOIN posts p"
                    " ON m.local_record_id = CAST(p.id AS char(9))"
                    " WHERE original_id = CASE title WHEN 'b' THEN '2' ELSE '1'"
                    " END",
                    pool),
        "2", "  each under its name");
}

/* A message of the author ORIGINAL whose clock is HOURS ahead of now. */
static const char *ahead(int id, int original, int hours, const char *name,
                         const char *more, apr_pool_t *pool)
{
    return apr_psprintf(
        pool,
        "[{\"id\":%d,\"origin\":\"there\",\"original_id\":%d,"
        "\"action\":\"update\",\"clock\":%" APR_INT64_T_FMT "%s,"
        "\"body\":\"{\\\"author\\\":{\\\"name\\\":\\\"%s\\\"}}\"}]",
        id, original, cm_clock_now() + hours * APR_INT64_C(3600000000), more,
        name);
}

static const char *name_of(cm_node_t *node, int original, apr_pool_t *pool)
{
    return inbox_value(
        node,
        apr_psprintf(pool,
                     "SELECT name FROM authors a JOIN"
                     " communicator_mappings m ON m.local_record_id ="
                     " CAST(a.id AS char(9)) WHERE original_id = '%d'",
                     original),
        pool);
}

static void test_ahead(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);
    apr_array_header_t *ids = apr_array_make(pool, 1, sizeof(apr_int64_t));
    cm_receipt_t *receipt;
    const char *reason;

    is_int(try_take(node, 0, ahead(1, 1, 23, "one", "", pool), pool), 1,
           "%s: a clock is a little ahead", database_of(store));
    is_int(try_take(node, 1, ahead(2, 1, 46, "two", "", pool), pool), 1,
           "  and a little more than the record's");
    database_must(inbox_send(&receipt, node, "there", 2,
                             ahead(3, 1, 72, "far", "", pool), 0, pool));
    is_int(receipt->applied, 0, "one that is days ahead is parked");
    reason = APR_ARRAY_IDX(receipt->parked, 0, cm_parked_t).reason;
    ok(strstr(reason, "3.0 days ahead") && strstr(reason, "retry there 3"),
       "  with the way out: %s", reason);
    is_int(APR_ARRAY_IDX(receipt->parked, 0, cm_parked_t).transient, 0,
           "  for a person to see");
    is_int(try_take(node, 3, ahead(4, 2, 72, "new", "", pool), pool), 0,
           "  that of a record that is new, too");
    is_int(
        try_take(node, 4,
                 ahead(5, 3, 0, "base", ",\"base\":1152921504606846976", pool),
                 pool),
        0, "  and one that says that it has seen what is far ahead");
    is_str(name_of(node, 1, pool), "two", "nothing of it is seen");
    is_str(inbox_value(node, "SELECT received FROM communicator_peers", pool),
           "5", "  though all is held");
    database_must(cm_inbox_retry(&receipt, node, "there", pool));
    is_int(receipt->applied, 0, "trying again is too early");
    database_run(store, apr_psprintf(pool,
                                     "UPDATE inbound_messages SET clock = clock"
                                     " - %" APR_INT64_T_FMT " WHERE id = 3",
                                     2 * CM_CLOCK_AHEAD));
    database_must(cm_inbox_retry(&receipt, node, "there", pool));
    is_int(receipt->applied, 1, "until its time has come");
    APR_ARRAY_PUSH(ids, apr_int64_t) = 4;
    database_must(cm_inbox_retry_decided(&receipt, node, "there", ids,
                                         CM_DECIDE_THEIRS, pool));
    is_int(receipt->applied, 1, "a person may take it now");
    is_str(name_of(node, 2, pool), "new", "  it is here");
    is_int(try_take(node, 5, ahead(6, 2, 73, "next", "", pool), pool), 1,
           "  and so is what follows");
}

static void test_many(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);
    cm_buffer_t *buffer = cm_buffer_create(1 << 20, pool);
    int i;

    for (i = 1; i <= 3000; i++)
        cm_buffer_raw(
            buffer,
            apr_psprintf(pool,
                         "%s{\"id\":%d,\"origin\":\"there\",\"original_id\":1,"
                         "\"action\":\"%s\",\"clock\":%d%s,\"body\":"
                         "\"{\\\"author\\\":{\\\"name\\\":\\\"n%d\\\"}}\"}",
                         i > 1 ? "," : "[", i, i > 1 ? "update" : "create", i,
                         i > 1 ? apr_psprintf(pool, ",\"base\":%d", i - 1) : "",
                         i));
    cm_buffer_append(buffer, "]", 2);
    is_int(inbox_take(node, 0, buffer->data, pool), 3000,
           "%s: thousands of changes of one record are one",
           database_of(store));
    is_str(inbox_value(node, "SELECT name FROM authors", pool), "n3000",
           "  the last one");
    is_str(
        inbox_value(node, "SELECT count(*) FROM communicator_conflicts", pool),
        "0", "  without a conflict");
}

/* The peer was restored: it does not know any more what is parked here. */
static void test_lost(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);
    const cm_message_t *message;
    cm_batch_t *batch;

    is_int(try_take(node, 0, ahead(1, 1, 72, "one", "", pool), pool) +
               try_take(node, 1, ahead(2, 2, 72, "two", "", pool), pool),
           0, "%s: two messages are parked", database_of(store));
    apply_now(node, 1, pool);
    is_int(inbox_outgoing(node, "there", pool)->messages->nelts, 0,
           "  what comes from a peer is not sent back to it");
    database_must(cm_epoch_accept(node, "there", pool));
    apply_now(node, 2, pool);
    batch = inbox_outgoing(node, "there", pool);
    is_int(batch->messages->nelts, 1, "  unless it has lost it");
    message = batch->messages->nelts
                  ? APR_ARRAY_IDX(batch->messages, 0, cm_message_t *)
                  : NULL;
    is_str(message ? message->identity.original_id : NULL, "2",
           "    under its own identity");
    ok(message && message->clocks.clock > cm_clock_now(),
       "    and with its own clock");
    is_int(try_take(node, 2, ahead(3, 3, 0, "three", "", pool), pool), 1,
           "  what it sends from now on");
    is_int(inbox_outgoing(node, "there", pool)->messages->nelts, 1,
           "    is not sent back either");
}

int main(void)
{
    apr_initialize();
    database_each("isolated", test_isolated);
    database_each("unique values", test_unique);
    database_each("order", test_order);
    database_each("together", test_together);
    database_each("some together", test_some);
    database_each("held", test_held);
    database_each("two names", test_two_names);
    database_each("pages", test_pages);
    database_each("refused", test_refused);
    database_each("most", test_most);
    database_each("gone", test_gone);
    database_each("continuity", test_continuity);
    database_each("TRUNCATE", test_truncated);
    database_each("clocks ahead", test_ahead);
    database_each("many changes", test_many);
    database_each("a lost history", test_lost);
    apr_terminate();
    return done_testing();
}
