/* The inbox holds what is not applied yet; the history, what was received. */
#include "../inbox.h"

#include <apr_general.h>

#include "base/clock.h"
#include "base/gzip.h"
#include "operate/history.h"
#include "operate/parked.h"
#include "operate/purge.h"

#define COUNT_ROWS "SELECT count(*) FROM inbound_messages"
#define BATCHES                                                                \
    "SELECT count(*) FROM communicator_received WHERE wire IS NOT NULL"

static const char first[] = "[" MESSAGE(
    1, "author", 7, "create", 1000,
    TEXT("name",
         "Ada"), ) "," MESSAGE(2, "author", 8, "create", 1000,
                               NONE("name"), ) "," MESSAGE(3, "post", 7,
                                                           "create", 1000,
                                                           TEXT("title",
                                                                "p"), ) "]";
static const char second[] = "[" MESSAGE(4, "author", 8, "update", 2000,
                                         TEXT("name", "Bob"), BASE(1000)) "]";

static cm_node_t *node_with(cm_history_e history, cm_store_t *store,
                            apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);

    settings->history = history;
    return inbox_node(store, settings, pool);
}

/* Send FIRST, of which one message is parked. */
static void send_first(cm_node_t *node, apr_pool_t *pool)
{
    cm_receipt_t *receipt;

    database_must(inbox_send(&receipt, node, "there", 0, first, 0, pool));
    is_int(receipt->applied, 2, "%s: two of three are applied",
           database_of(node->store));
}

/* Return what QUERY finds: "4 update applied; 2 create discarded; ". */
static const char *found(cm_node_t *node, cm_history_query_t query,
                         apr_pool_t *pool)
{
    apr_array_header_t *events;
    const char *text = "";
    int i;

    query.limit = query.limit ? query.limit : 20;
    database_must(cm_history_received(&events, node, &query, pool));
    for (i = 0; i < events->nelts; i++) {
        const cm_event_t *event = &APR_ARRAY_IDX(events, i, cm_event_t);

        text = apr_psprintf(pool, "%s%d %s %s; ", text, (int)event->id,
                            event->action,
                            !event->done                    ? "parked"
                            : event->error && *event->error ? event->error
                                                            : "applied");
    }
    return text;
}

static void test_packed(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = node_with(CM_HISTORY_UNSET, store, pool);

    send_first(node, pool);
    is_str(inbox_value(node, COUNT_ROWS, pool), "1",
           "  only the one that is parked has a row");
    is_str(found(node, (cm_history_query_t){0}, pool),
           "3 create applied; 2 create parked; 1 create applied; ",
           "  all are in the history");
    is_int(inbox_take(node, 3, second, pool), 2, "  a later one mends it");
    is_str(inbox_value(node, COUNT_ROWS, pool), "0", "  its row is gone");
    is_str(inbox_value(node, BATCHES, pool), "2", "  each batch has one row");
    is_str(inbox_value(node,
                       "SELECT first_seq * 1000 + last_seq * 100 + messages"
                       " FROM communicator_received ORDER BY first_seq LIMIT 1",
                       pool),
           "1303", "  which says what is in it");
    is_str(found(node, (cm_history_query_t){0}, pool),
           "4 update applied; 3 create applied; 2 create applied; 1 create"
           " applied; ",
           "  the history has all");
    is_str(found(node,
                 (cm_history_query_t){.model = "author",
                                      .identity = {"there", "8"}},
                 pool),
           "4 update applied; 2 create applied; ", "  that of one record");
    is_str(found(node, (cm_history_query_t){.limit = 2}, pool),
           "4 update applied; 3 create applied; ", "  the newest of it");
    is_str(found(node, (cm_history_query_t){.peer = "else"}, pool), "",
           "  another peer has none");
    is_str(found(node,
                 (cm_history_query_t){.since = cm_clock_now() +
                                               apr_time_from_sec(1)},
                 pool),
           "", "  nor has the future");
}

static void test_discarded(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = node_with(CM_HISTORY_PACKED, store, pool);

    send_first(node, pool);
    database_must(cm_parked_discard(node, "there", 2, pool));
    is_str(inbox_value(node, COUNT_ROWS, pool), "0",
           "what is discarded has no row");
    is_str(found(node, (cm_history_query_t){0}, pool),
           "3 create applied; 2 create discarded; 1 create applied; ",
           "  and the history says so");
}

static void test_rows(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = node_with(CM_HISTORY_ROWS, store, pool);

    send_first(node, pool);
    is_str(inbox_value(node, COUNT_ROWS, pool), "3", "  rows: each has a row");
    is_int(inbox_take(node, 3, second, pool), 2, "  also when it is mended");
    is_str(
        inbox_value(node, COUNT_ROWS " WHERE processed_at IS NOT NULL", pool),
        "4", "  with its mark");
    is_str(inbox_value(node, BATCHES, pool), "0", "  nothing is packed");
    is_str(found(node, (cm_history_query_t){.model = "author"}, pool),
           "4 update applied; 2 create applied; 1 create applied; ",
           "  the history is the same");
}

static void test_none(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = node_with(CM_HISTORY_NONE, store, pool);

    send_first(node, pool);
    is_str(found(node, (cm_history_query_t){0}, pool), "2 create parked; ",
           "  none: only what is parked is known");
    is_str(inbox_value(node, "SELECT sum(messages) FROM communicator_received",
                       pool),
           "3", "  but how many there were is counted");
}

/* A database that was used by the gem, or by a version that kept rows. */
static void test_upgraded(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_purge_t purge = {.before = cm_clock_now() + apr_time_from_sec(86400)};
    cm_node_t *node = inbox_node(store, settings, pool);

    database_run(store, "UPDATE communicator_node SET history = 'rows'");
    database_must(cm_node_open(&node, settings, store, pool));
    ok(node->history == CM_HISTORY_ROWS, "%s: the gem's way goes on",
       database_of(store));
    send_first(node, pool);
    settings->history = CM_HISTORY_PACKED;
    database_must(cm_node_open(&node, settings, store, pool));
    is_int(inbox_take(node, 3, second, pool), 2, "  until it is configured");
    is_str(inbox_value(node, COUNT_ROWS, pool), "2", "  old rows stay");
    is_str(found(node, (cm_history_query_t){.model = "author"}, pool),
           "4 update applied; 1 create applied; ", "  and are history");
    database_must(cm_purge_run(&purge, node, pool));
    is_str(inbox_value(node, COUNT_ROWS, pool), "0", "  until they are purged");
    is_str(
        inbox_value(node, "SELECT count(*) FROM communicator_received", pool),
        "0", "  as is what is packed");
}

static void test_purge(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = node_with(CM_HISTORY_PACKED, store, pool);
    cm_purge_t purge = {.before = cm_clock_now() - apr_time_from_sec(60)};

    send_first(node, pool);
    database_run(store, "UPDATE communicator_received SET received_at = 1000");
    is_int(inbox_take(node, 3,
                      "[" MESSAGE(4, "post", 9, "create", 1000,
                                  TEXT("title", "q"), ) "]",
                      pool),
           1, "%s: a later batch", database_of(store));
    database_must(cm_purge_run(&purge, node, pool));
    is_int(purge.inbound, 3, "  the old one is purged");
    is_str(inbox_value(node, COUNT_ROWS, pool), "1",
           "  but not what is parked of it");
    is_str(found(node, (cm_history_query_t){0}, pool),
           "4 create applied; 2 create parked; ", "  and not the new one");
}

/* COUNT posts from message ID on, each of SIZE bytes and more. */
static const char *posts(int id, int count, int size, apr_pool_t *pool)
{
    cm_buffer_t *buffer =
        cm_buffer_create((apr_size_t)count * (size + 200), pool);
    char *text = apr_palloc(pool, size + 1);
    int i;

    memset(text, 'x', size);
    text[size] = '\0';
    for (i = 0; i < count; i++)
        cm_buffer_raw(
            buffer,
            apr_psprintf(pool,
                         "%s{\"id\":%d,\"origin\":\"there\",\"original_id\":%d,"
                         "\"action\":\"create\",\"clock\":1000,\"body\":"
                         "\"{\\\"post\\\":{\\\"title\\\":\\\"p%d\\\","
                         "\\\"text\\\":\\\"%s\\\"}}\"}",
                         i ? "," : "[", id + i, id + i, id + i, text));
    cm_buffer_append(buffer, "]", 2);
    return buffer->data;
}

/* A batch of several megabytes has several rows, so that reading it takes
 * little memory. */
static void test_large(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = node_with(CM_HISTORY_PACKED, store, pool);

    is_int(inbox_take(node, 0, posts(1, 300, 10000, pool), pool), 300,
           "%s: a large batch", database_of(store));
    is_str(
        inbox_value(node, "SELECT count(*) FROM communicator_received", pool),
        "3", "  has three rows");
    is_str(found(node,
                 (cm_history_query_t){.model = "post",
                                      .identity = {"there", "150"}},
                 pool),
           "150 create applied; ", "  of which one has this record");
}

/* What came packed is kept as it came, unless a part of it is not new. */
static void test_as_it_came(cm_store_t *store, apr_pool_t *pool)
{
    const char *text =
        apr_pstrcat(pool, " ", posts(1, 30, 100, pool), "\n", NULL);
    const cm_buffer_t *packed = cm_gzip_pack(text, strlen(text), pool);
    cm_batch_t batch = {.packed = packed};
    cm_node_t *node = node_with(CM_HISTORY_PACKED, store, pool);
    cm_receipt_t *receipt;
    apr_int64_t wanted;

    database_must(
        cm_message_read_batch(&batch.messages, text, strlen(text), 0, pool));
    database_must(
        cm_inbox_receive(&receipt, &wanted, node, "there", &batch, 0, pool));
    is_str(inbox_value(node, "SELECT length(wire) FROM communicator_received",
                       pool),
           apr_psprintf(pool, "%d", (int)packed->size),
           "%s: the bytes that came are kept", database_of(store));
    is_str(found(node, (cm_history_query_t){.limit = 2}, pool),
           "30 create applied; 29 create applied; ", "  and can be read");
    text = posts(21, 20, 100, pool);
    batch.packed = cm_gzip_pack(text, strlen(text), pool);
    batch.after = 20;
    database_must(
        cm_message_read_batch(&batch.messages, text, strlen(text), 0, pool));
    database_must(
        cm_inbox_receive(&receipt, &wanted, node, "there", &batch, 0, pool));
    is_int(receipt->repeated, 10, "  ten of the next ones are not new");
    is_str(inbox_value(node, "SELECT sum(messages) FROM communicator_received",
                       pool),
           "40", "  and stand in the history once");
    is_str(found(node,
                 (cm_history_query_t){.model = "post",
                                      .identity = {"there", "25"}},
                 pool),
           "25 create applied; ", "  also when it is unpacked");
}

int main(void)
{
    apr_initialize();
    database_each("packed", test_packed);
    database_each("discarded", test_discarded);
    database_each("rows", test_rows);
    database_each("none", test_none);
    database_each("upgraded", test_upgraded);
    database_each("purge", test_purge);
    database_each("large", test_large);
    database_each("as it came", test_as_it_came);
    apr_terminate();
    return done_testing();
}
