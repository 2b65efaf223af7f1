/* Changes of a record that become one message (outbox/fold.c). */
#include "../outbox.h"

#include <string.h>

#include <apr_strings.h>

#include "node/mapping.h"

/* The changes of post 7 in this order, one letter each:
 *
 *   t, x, b  an update of title, of text, of both
 *   a        an update of its author; A: of author and title
 *   n        an update of a column that the table does not have
 *   w        an update of all columns
 *   k        its key changes from 6
 *   c, d     it is created, deleted
 *   p        published
 *   s        what the application says itself
 *   o        an update of the title of another post, 8
 *   D        a person decides about the title, against a value of clock 900
 */
static void change(cm_node_t *node, char what, apr_int64_t clock,
                   apr_pool_t *pool)
{
    static const char *const columns[] = {
        "t[\"title\"]",          "x[\"text\"]",
        "b[\"title\",\"text\"]", "a[\"author_id\"]",
        "n[\"former\"]",         "o[\"title\"]",
        "D[\"title\"]",          "A[\"author_id\",\"title\"]",
        "k[\"title\"]",          "p[]"};
    const char *changed = NULL;
    apr_size_t i;

    for (i = 0; i < sizeof(columns) / sizeof(*columns); i++)
        if (columns[i][0] == what)
            changed = columns[i] + 1;
    if (what == 's')
        outbox_say(node, POST("\"title\":\"s\""), "here", "7", pool);
    else
        outbox_capture(node, "post", what == 'o' ? "8" : "7",
                       what == 'c'   ? "create"
                       : what == 'd' ? "delete"
                                     : "update",
                       what == 'd'
                           ? "{\"post\":{}}"
                           : apr_psprintf(pool,
                                          POST("\"title\":\"%" APR_INT64_T_FMT
                                               "\",\"text\":\"t\""),
                                          clock),
                       changed, clock, pool);
    if (what == 'D')
        database_run(node->store, "UPDATE outbound_messages SET"
                                  " base = '{\"title\":900}' WHERE id ="
                                  " (SELECT m FROM (SELECT max(id) AS m FROM"
                                  " outbound_messages) AS last)");
    if (what == 'k')
        database_run(node->store, "UPDATE outbound_messages SET"
                                  " former_record_id = '6' WHERE id ="
                                  " (SELECT m FROM (SELECT max(id) AS m FROM"
                                  " outbound_messages) AS last)");
}

/* A node that has met "there", and keeps batches. */
static cm_node_t *make_node(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = outbox_node(store, pool);

    node->history = CM_HISTORY_PACKED;
    database_run(store, "INSERT INTO authors VALUES (4, 'Anna')");
    database_run(store, "INSERT INTO communicator_peers (name, epoch) VALUES"
                        " ('there', 'e')");
    return node;
}

/* Make the changes of WHAT; the first one has the clock 1001. */
static void change_all(cm_node_t *node, const char *what, apr_pool_t *pool)
{
    int i;

    for (i = 0; what[i]; i++)
        change(node, what[i], 1001 + i, pool);
}

/* Number all, ten messages at a time; return how many there were. */
static int number(cm_node_t *node, apr_pool_t *pool)
{
    cm_stamping_t stamping = {.limit = 10, .peer = "there"};
    int stamped, all = 0;

    do {
        database_must(cm_stamp_chunk(&stamped, node, &stamping, pool));
        all += stamped;
    } while (stamped);
    return all;
}

/* Return the titles of the messages, which say when each was captured, and
 * their bases: "1002 after 1001", "deleted after 1003". */
static const char *sent(cm_node_t *node, apr_pool_t *pool)
{
    cm_batch_t *batch = outbox_read_after(node, 0, pool);
    const char *text = "";
    int i, j;

    for (i = 0; i < batch->messages->nelts; i++) {
        const cm_message_t *message =
            APR_ARRAY_IDX(batch->messages, i, cm_message_t *);
        const char *title = "deleted";

        for (j = 0; message->attributes && j < message->attributes->nelts; j++)
            if (!strcmp(
                    APR_ARRAY_IDX(message->attributes, j, cm_attribute_t).name,
                    "title"))
                title = APR_ARRAY_IDX(message->attributes, j, cm_attribute_t)
                            .value.data;
        text = apr_pstrcat(
            pool, text, *text ? ", " : "", title,
            message->has_base ? " after " : "",
            message->has_base ? cm_message_write_base(message, pool) : "",
            NULL);
    }
    return text;
}

/* The base of all columns: the clock of the title, and of the other ones. That
 * of a delete says what is known of columns that are not here, too. */
#define ALL(others, title)                                                     \
    "\"author_id\":" #others ",\"created_at\":" #others ",\"text\":" #others   \
    ",\"title\":" #title "}"
#define CLOCKS(others, title) "{\"\\u001f\":" #others "," ALL(others, title)

/* The changes, and the messages that they become. */
static const struct {
    const char *changes, *sent, *name;
} cases[] = {
    {"ctttt", "1001, 1005 after 1001", "the last of four is sent"},
    {"ctxt", "1001, 1002 after 1001, 1003 after 1001, 1004 after 1002",
     "changes of different columns in turn stay"},
    {"cttxxt", "1001, 1003 after 1001, 1005 after 1001, 1006 after 1003",
     "each of several in a row is one"},
    {"ctb", "1001, 1003 after 1001", "a change of more columns takes it in"},
    {"ctbt", "1001, 1003 after 1001, 1004 after 1003", "but not one of fewer"},
    {"cxttb",
     "1001, 1002 after 1001, 1005 after {\"text\":1002,\"title\":1001}",
     "the base is that of the first, column by column"},
    {"ctw", "1001, 1003 after 1001", "a change of all columns takes it in"},
    {"cww", "1001, 1002 after 1001, 1003 after 1002",
     "which are of the key and of references, too"},
    {"ctotoo", "1001, 1004 after 1001, 1006 after 0",
     "changes of two records, in the order of the last ones"},
    {"ctotott", "1001, 1005 after 0, 1007 after 1001", "the other way round"},
    {"cttd", "1001, 1003 after 1001, deleted after " CLOCKS(1001, 1003),
     "a delete stays apart"},
    {"ctdcttd",
     "1001, 1002 after 1001, deleted after " CLOCKS(
         1001, 1002) ", 1004, 1006 after 1004, deleted after " CLOCKS(1004,
                                                                      1006),
     "and so does what begins a new life"},
    {"ctpt", "1001, 1002 after 1001, 1003, 1004 after 1002",
     "what is published stays apart"},
    {"ctst", "1001, 1002 after 1001, s after 1002, 1004 after ",
     "and what the application says"},
    {"caat", "1001, 1002 after 1001, 1003 after 1002, 1004 after 1001",
     "each change of a reference is sent"},
    {"caA", "1001, 1002 after 1001, 1003 after ", "in any company"},
    {"ctA", "1001, 1003 after 1001", "which may take in others"},
    {"ctnt", "1001, 1002 after 1001, 1003 after 1001, 1004 after 1002",
     "a column that is not there any more counts as those that were not "
     "captured"},
    {"tt", "1002 after 0", "a record that has not been sent before"},
    {"cDt",
     "1001, 1002 after {\"title\":1001,\"title\\u001f\":900}, 1003 after 1002",
     "a decision is sent, and which value it knew"},
};

static void test_cases(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, pool);
    apr_pool_t *iterpool;
    apr_size_t i;

    diag_text("database", database_of(store));
    apr_pool_create(&iterpool, pool);
    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *got;

        apr_pool_clear(iterpool);
        change_all(node, cases[i].changes, iterpool);
        number(node, iterpool);
        got = sent(node, iterpool);
        if (!ok(!strncmp(got, cases[i].sent, strlen(cases[i].sent)), "%s: %s",
                cases[i].changes, cases[i].name)) {
            diag_text("got", got);
            diag_text("wanted", cases[i].sent);
        }
        database_run(store, "DELETE FROM communicator_batches");
        database_run(store, "DELETE FROM outbound_messages");
        database_run(store, "DELETE FROM communicator_records_1");
        database_run(store, "DELETE FROM communicator_records_2");
        database_run(store, "UPDATE communicator_node SET last_seq = 0");
    }
}

/* The key of a record names another one afterwards. */
static void test_keys(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, pool);

    change_all(node, "ctktt", pool);
    number(node, pool);
    is_str(
        database_value(store, "SELECT last_seq FROM communicator_node", pool),
        "4", "%s: nothing is folded across a change of key",
        database_of(store));
}

/* Wherever the rows of a chunk end, a thousand changes are one message. */
static void test_thousand(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, pool);
    int i;

    change(node, 'c', 1000, pool);
    for (i = 1; i <= 1000; i++)
        change(node, 't', 1000 + i, pool);
    is_int(number(node, pool), 2, "%s: two messages, the create and one change",
           database_of(store));
    is_str(sent(node, pool), "1000, 2000 after 1000", "the last one");
    is_str(
        database_value(store, "SELECT count(*) FROM outbound_messages", pool),
        "0", "no row is left");
    for (i = 1; i <= 300; i++)
        change(node, i % 3 ? 't' : 'o', 2000 + i, pool);
    change_all(node, "dcdcdcdcdcdcdc", pool);
    is_int(number(node, pool), 16, "two records, and more than one chunk");
}

/* Nobody who reads the rows misses one. */
static void test_history(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, pool);

    node->history = CM_HISTORY_ROWS;
    change_all(node, "ctttt", pool);
    is_int(number(node, pool), 5,
           "%s: with CommunicatorHistory rows each change is a message",
           database_of(store));
}

/* A peer that is not met yet: messages stay rows. */
static void test_rows(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, pool);

    database_run(store, "UPDATE communicator_peers SET epoch = NULL");
    change_all(node, "cttott", pool);
    is_int(number(node, pool), 3, "%s: where messages stay rows",
           database_of(store));
    is_str(database_value(store,
                          "SELECT count(*) FROM outbound_messages"
                          " WHERE seq BETWEEN 1 AND 3",
                          pool),
           "3", "the others are deleted");
    is_str(
        database_value(store, "SELECT count(*) FROM outbound_messages", pool),
        "3", "all of them");
}

/* What other rows depend on keeps its place. */
static void test_tied(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, pool);

    database_run(store, "CREATE UNIQUE INDEX by_title ON posts (title)");
    change_all(node, "cttxx", pool);
    is_int(number(node, pool), 4, "%s: changes of a unique column are all sent",
           database_of(store));
}

/* What is numbered together shares its clocks as long as nobody changes them:
 * the reference of a record that is published again gets a newer one. */
static void renewed(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const clocks[] = {
        NULL, "[1001,\"author_id\",\"created_at\",\"text\"]",
        "[1001,\"created_at\",\"text\"]"};
    cm_node_t *node = make_node(store, pool);
    cm_batch_t *batch;
    int i;

    change_all(node, "ct", pool);
    outbox_capture(node, "post", "7", "update",
                   POST("\"title\":\"1002\",\"text\":\"t\""), "[\"author_id\"]",
                   0, pool);
    is_int(number(node, pool), 3, "%s: a record published again",
           database_of(store));
    batch = outbox_read_after(node, 0, pool);
    for (i = 0; i < 3 && i < batch->messages->nelts; i++) {
        const cm_message_t *message =
            APR_ARRAY_IDX(batch->messages, i, cm_message_t *);

        is_str(cm_clocks_list(&message->clocks, pool), clocks[i],
               "%s:   message %d has its own clocks", database_of(store),
               i + 1);
    }
}

int main(void)
{
    if (!database_any())
        return skip_all("no database to test with");
    database_each("cases", test_cases);
    database_each("keys", test_keys);
    database_each("thousand", test_thousand);
    database_each("history", test_history);
    database_each("rows", test_rows);
    database_each("tied", test_tied);
    database_each("renewed", renewed);
    return done_testing();
}
