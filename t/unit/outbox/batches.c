/* Messages in batches: node/batches.h, outbox/unpack.h. */
#include "../outbox.h"

#include <string.h>

#include <apr_strings.h>

#include "node/batches.h"
#include "node/epoch.h"
#include "outbox/body.h"
#include "outbox/outbox.h"
#include "outbox/unpack.h"
#include "outbox/withheld.h"
#include "operate/history.h"
#include "operate/purge.h"

static void contains(const char *text, const char *part, const char *name)
{
    if (!ok(strstr(text, part) != NULL, "%s", name))
        diag_text("got", text);
}

/* Number what waits, for "there": as a batch, if that is possible. */
static void hand_over(cm_node_t *node, apr_pool_t *pool)
{
    cm_stamping_t stamping = {.limit = 10, .peer = "there"};
    int stamped;

    database_must(cm_stamp_chunk(&stamped, node, &stamping, pool));
}

/* A node that has sent author 4, posts 7 and 8, a change of post 7. */
static cm_node_t *make_four(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = outbox_node(store, pool);

    node->history = CM_HISTORY_PACKED;
    database_run(store, "INSERT INTO authors VALUES (4, 'Anna')");
    database_run(store, "INSERT INTO communicator_peers (name, epoch) VALUES"
                        " ('there', 'e')");
    outbox_capture(node, "author", "4", "create",
                   "{\"author\":{\"name\":\"A\"}}", NULL, 1, pool);
    outbox_capture(node, "post", "7", "create",
                   POST("\"author_id\":4,\"title\":\"a\",\"text\":\"t\""), NULL,
                   5, pool);
    outbox_capture(node, "post", "8", "create", POST("\"title\":\"a\""), NULL,
                   6, pool);
    outbox_capture(node, "post", "7", "update",
                   POST("\"author_id\":4,\"title\":\"b\",\"text\":\"t\""),
                   "[\"title\"]", 9, pool);
    hand_over(node, pool);
    return node;
}

/* Rows of the outbox, batches, and the numbers of the last one. */
static void is_kept(cm_node_t *node, const char *want, const char *name,
                    apr_pool_t *pool)
{
    cm_rows_t *rows;

    database_must(cm_statement_select(
        &rows, node->store,
        "SELECT (SELECT count(*) FROM outbound_messages),"
        " (SELECT count(*) FROM communicator_batches),"
        " coalesce((SELECT max(first_seq) FROM communicator_batches), 0),"
        " coalesce((SELECT max(last_seq) FROM communicator_batches), 0)",
        NULL, 0, pool));
    is_str(apr_psprintf(pool, "%s rows, %s batches, %s-%s",
                        cm_cell_text(rows, 0, 0), cm_cell_text(rows, 0, 1),
                        cm_cell_text(rows, 0, 2), cm_cell_text(rows, 0, 3)),
           want, "%s", name);
}

/* Return all messages above AFTER as one text. */
static const char *all_after(cm_node_t *node, apr_int64_t after,
                             apr_pool_t *pool)
{
    cm_buffer_t *buffer = cm_buffer_create(1024, pool);

    cm_body_write(buffer, outbox_read_after(node, after, pool), 0);
    cm_buffer_append(buffer, "", 1);
    return buffer->data;
}

static void test_unpacked(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_four(store, pool);
    const char *packed = all_after(node, 0, pool);

    is_kept(node, "0 rows, 1 batches, 1-4", database_of(store), pool);
    database_must(cm_unpack_each(node, 4, pool));
    is_kept(node, "0 rows, 1 batches, 1-4", "a batch that ends there stays",
            pool);
    database_must(cm_unpack_each(node, 3, pool));
    is_kept(node, "4 rows, 0 batches, 0-0", "its rows are back", pool);
    is_str(all_after(node, 0, pool), packed, "as the messages they were");
}

/* What becomes one batch also goes into one request: the bytes that it takes
 * are not only those of the bodies. */
static void test_sizes(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_four(store, pool);
    cm_stamping_t stamping = {.limit = 40, .bytes = 20000, .peer = "there"};
    cm_reading_t reading = {.peer = "there", .after = 4, .limits = {40, 20000}};
    char *title = memset(apr_pcalloc(pool, 901), 'x', 900);
    int i, stamped, sent = 0, whole = 0, requests = 0;
    cm_batch_t *batch;

    for (i = 0; i < 40; i++)
        outbox_capture(node, "post", apr_psprintf(pool, "%d", 100 + i),
                       "create",
                       apr_psprintf(pool, POST("\"title\":\"%s\""), title),
                       NULL, 20 + i, pool);
    for (;; requests++) {
        database_must(cm_stamp_chunk(&stamped, node, &stamping, pool));
        if (!stamped)
            break;
        reading.stamped = stamping.stamped;
        database_must(cm_outbox_read(&batch, node, &reading, pool, pool));
        whole += batch->packed && batch->messages->nelts == stamped;
        sent += batch->messages->nelts;
        reading.after = batch->last;
    }
    is_int(sent, 40, "%s: sent in several requests", database_of(store));
    ok(requests > 2, "%s:   which are as small as they must be",
       database_of(store));
    is_int(whole, requests, "%s:   and each is a batch as it was numbered",
           database_of(store));
}

/* Numbers 1 to 4 and 9 to 10 are batches, 5 to 8 rows: 6 is written by the
 * application, and 7 and 8 are made while it is under way. */
static cm_node_t *make_mixture(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_four(store, pool);

    outbox_capture(node, "post", "9", "create", POST("\"title\":\"c\""), NULL,
                   11, pool);
    outbox_say(node, POST("\"title\":\"d\""), "here", "9", pool);
    hand_over(node, pool);
    outbox_capture(node, "post", "8", "update", POST("\"title\":\"d\""), NULL,
                   11, pool);
    outbox_capture(node, "post", "8", "update", POST("\"title\":\"e\""), NULL,
                   12, pool);
    hand_over(node, pool);
    database_must(cm_outbox_confirm(node, "there", 8, 8, pool));
    outbox_capture(node, "post", "10", "create", POST("\"title\":\"e\""), NULL,
                   12, pool);
    outbox_capture(node, "post", "11", "create", POST("\"title\":\"f\""), NULL,
                   13, pool);
    hand_over(node, pool);
    return node;
}

static void test_reading(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_mixture(store, pool);
    apr_int64_t after = 0, expected = 1;
    int step, in_order = 1, more = 1;

    is_kept(node, "4 rows, 2 batches, 9-10", database_of(store), pool);
    for (step = 0; more && step < 10; step++) {
        cm_reading_t reading = {
            .peer = "there", .after = after, .limits = {3, 1 << 20}};
        cm_batch_t *batch;
        int i;

        database_must(cm_outbox_read(&batch, node, &reading, pool, pool));
        for (i = 0; i < batch->messages->nelts; i++)
            in_order &= APR_ARRAY_IDX(batch->messages, i, cm_message_t *)->id ==
                        expected++;
        after = batch->last;
        more = batch->more;
    }
    ok(in_order && expected == 11 && !more,
       "batches and rows are read in the order of their numbers");
}

static void test_pending(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_four(store, pool);
    cm_pending_t pending;

    outbox_say(node, POST("\"title\":\"d\""), "here", "8", pool);
    hand_over(node, pool);
    database_must(
        cm_outbox_pending(&pending, node, "there", CM_EXACT_FOR_PEOPLE, pool));
    ok(pending.count == 5 && pending.oldest_clock == 1, "%s: five wait",
       database_of(store));
    database_must(cm_outbox_confirm(node, "there", 3, 3, pool));
    database_must(
        cm_outbox_pending(&pending, node, "there", CM_EXACT_FOR_PEOPLE, pool));
    is_int(pending.count, 2, "a batch counts from its middle");
    database_must(cm_outbox_confirm(node, "there", 5, 5, pool));
    database_must(
        cm_outbox_pending(&pending, node, "there", CM_EXACT_FOR_PEOPLE, pool));
    is_int(pending.count, 0, "nothing waits when all are confirmed");
}

/* Say that the peer holds message SEQ, made at CLOCK. */
static cm_error_t *claim(cm_node_t *node, apr_int64_t seq, apr_int64_t clock,
                         apr_pool_t *pool)
{
    cm_claim_t claim = cm_epoch_claim_none();
    cm_peer_t *peer;

    database_must(cm_peer_load(&peer, node, "there", 0, pool));
    claim.epoch = "e";
    claim.held = seq;
    claim.held_clock = clock;
    return cm_epoch_check(&claim, node, &peer, pool, pool);
}

static void test_history(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_four(store, pool);

    database_must(claim(node, 4, 9, pool));
    database_must(claim(node, 2, 5, pool));
    ok(database_fails(claim(node, 2, 6, pool), CM_EPOCH, database_of(store)),
       "a message of another history is noticed in the middle of a batch");
    database_must(cm_epoch_renew(node, pool));
    is_kept(node, "0 rows, 1 batches, 1000001-1000004",
            "a new history moves the numbers", pool);
    contains(all_after(node, 0, pool), "[{\"id\":1000001,",
             "and the messages have them");
}

static void test_withheld(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_mixture(store, pool);
    apr_array_header_t *seqs = apr_array_make(pool, 1, sizeof(apr_int64_t));

    APR_ARRAY_PUSH(seqs, apr_int64_t) = 9;
    database_must(
        cm_withheld_add(node, "there", seqs, CM_REFUSER_PEER, "no", pool));
    is_kept(node, "6 rows, 1 batches, 1-4", "withheld, and what follows: rows",
            pool);
    outbox_capture(node, "post", "12", "create", POST("\"title\":\"g\""), NULL,
                   20, pool);
    hand_over(node, pool);
    is_kept(node, "7 rows, 1 batches, 1-4", "what may replace it, too", pool);
}

/* A peer that is not configured any more, once a gem, confirms nothing: no
 * message is kept as a row for it. */
static void test_gone(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_mixture(store, pool);
    apr_array_header_t *seqs = apr_array_make(pool, 1, sizeof(apr_int64_t));

    database_run(store, "INSERT INTO communicator_peers (name) VALUES"
                        " ('gone')");
    outbox_capture(node, "post", "12", "create", POST("\"title\":\"g\""), NULL,
                   20, pool);
    hand_over(node, pool);
    is_kept(node, "4 rows, 3 batches, 11-11", "not configured: a batch", pool);
    APR_ARRAY_PUSH(seqs, apr_int64_t) = 5;
    database_must(
        cm_withheld_add(node, "gone", seqs, CM_REFUSER_PEER, "no", pool));
    database_must(cm_outbox_confirm(node, "there", 11, 11, pool));
    outbox_capture(node, "post", "13", "create", POST("\"title\":\"h\""), NULL,
                   21, pool);
    hand_over(node, pool);
    is_kept(node, "7 rows, 2 batches, 12-12", "the same for what it refused",
            pool);
}

static void test_purge(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_four(store, pool);
    cm_purge_t purge = {.before = apr_time_now() + apr_time_from_sec(60)};

    database_must(cm_purge_run(&purge, node, pool));
    is_kept(node, "0 rows, 1 batches, 1-4",
            "a batch that is not confirmed stays", pool);
    outbox_capture(node, "post", "12", "create", POST("\"title\":\"g\""), NULL,
                   20, pool);
    hand_over(node, pool);
    database_must(cm_outbox_confirm(node, "there", 5, 5, pool));
    database_must(cm_purge_run(&purge, node, pool));
    is_kept(node, "0 rows, 1 batches, 5-5",
            "the one with the last message confirmed, too", pool);
    is_int(purge.outbound, 4, "four messages were purged");
}

/* A post refers to an author who is deleted in the same chunk, and whose id
 * another one gets. */
static void test_parents(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_four(store, pool);
    cm_batch_t *batch;

    outbox_capture(node, "post", "9", "create", POST("\"author_id\":4"), NULL,
                   20, pool);
    outbox_capture(node, "author", "4", "delete", "{\"author\":{}}", NULL, 21,
                   pool);
    outbox_capture(node, "author", "4", "create",
                   "{\"author\":{\"name\":\"B\"}}", NULL, 22, pool);
    outbox_capture(node, "post", "10", "create", POST("\"author_id\":4"), NULL,
                   23, pool);
    hand_over(node, pool);
    batch = outbox_read_after(node, 4, pool);
    contains(outbox_wire(batch, 0, 0, pool),
             "\"refs\":{\"author_id\":\"author\"}",
             "the first post refers to the author it had");
    contains(outbox_wire(batch, 3, 0, pool),
             "\"refs\":{\"author_id\":[\"author\",\"4\\u001f",
             "the second one to the new author");
}

static void test_events(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_mixture(store, pool);
    const cm_history_query_t query = {.model = "post",
                                      .identity = {"here", "7"},
                                      .local_id = "7",
                                      .limit = 10};
    apr_array_header_t *events;

    database_must(cm_history_sent(&events, node, &query, pool));
    ok(events->nelts == 2 && APR_ARRAY_IDX(events, 0, cm_event_t).id == 4 &&
           APR_ARRAY_IDX(events, 1, cm_event_t).id == 2,
       "the history has what was sent in batches, the newest first");
}

int main(void)
{
    if (!database_any())
        return skip_all("no database to test with");
    database_each("unpacked", test_unpacked);
    database_each("sizes", test_sizes);
    database_each("reading", test_reading);
    database_each("pending", test_pending);
    database_each("history", test_history);
    database_each("withheld", test_withheld);
    database_each("a peer that is gone", test_gone);
    database_each("purge", test_purge);
    database_each("parents", test_parents);
    database_each("events", test_events);
    return done_testing();
}
