/* Messages that are held back from a peer (outbox/withheld.h). */
#include "../outbox.h"

#include <apr_strings.h>

#include "outbox/withheld.h"
#include "operate/parked.h"

static const apr_array_header_t *seqs_of(apr_int64_t one, apr_int64_t other,
                                         apr_pool_t *pool)
{
    apr_array_header_t *seqs = apr_array_make(pool, 2, sizeof(apr_int64_t));

    APR_ARRAY_PUSH(seqs, apr_int64_t) = one;
    if (other)
        APR_ARRAY_PUSH(seqs, apr_int64_t) = other;
    return seqs;
}

/* A node whose outbox has a message of post 7, two of post 8, one of 9. */
static cm_node_t *make_four(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const ids[] = {"7", "8", "8", "9"};
    cm_node_t *node = outbox_node(store, pool);
    int i;

    for (i = 0; i < 4; i++)
        outbox_capture(node, "post", ids[i], i == 2 ? "update" : "create",
                       POST("\"title\":\"a\""), NULL, 1000 + i, pool);
    is_int(outbox_stamp(node, pool), 4, "%s: four messages",
           database_of(store));
    return node;
}

static void is_count(cm_node_t *node, const char *peer, int want,
                     const char *name, apr_pool_t *pool)
{
    cm_withheld_sum_t sum;

    database_must(cm_withheld_count(&sum, node, peer, pool));
    is_int(sum.count, want, "%s", name);
}

static const cm_withheld_t *listed(cm_node_t *node, int which, int want,
                                   apr_pool_t *pool)
{
    static const cm_withheld_t none = {.peer = "?", .reason = "?"};
    apr_array_header_t *rows;

    database_must(cm_withheld_list(&rows, node, "there", 10, pool));
    is_int(rows->nelts, want, "%d are listed", want);
    return which < rows->nelts ? &APR_ARRAY_IDX(rows, which, cm_withheld_t)
                               : &none;
}

static void test_list(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_four(store, pool);
    const cm_withheld_t *row;

    is_count(node, NULL, 0, "at first none is held back", pool);
    database_must(cm_withheld_add(node, "there", seqs_of(2, 4, pool),
                                  CM_REFUSER_PROXY, "413", pool));
    row = listed(node, 0, 2, pool);
    is_int(row->seq, 2, "the first with its number");
    is_str(row->peer, "there", "its peer");
    is_str(row->model, "post", "its model");
    is_str(row->action, "create", "what it does");
    is_str(row->local_id, "8", "its record");
    is_str(row->identity.original_id, "8", "the record's name everywhere");
    is_str(cm_withheld_refuser_name(row->refuser), "proxy", "who refuses it");
    is_str(row->reason, "413", "why");
    ok(row->withheld_at > 0, "and since when");
    database_must(cm_withheld_add(node, "there", seqs_of(2, 0, pool),
                                  CM_REFUSER_PEER, "again", pool));
    row = listed(node, 0, 2, pool);
    is_str(row->reason, "413", "the first reason stays");
    is_count(node, "there", 2, "of this peer", pool);
    is_count(node, "other", 0, "of another one none", pool);
    database_must(cm_withheld_add(node, "there", seqs_of(3, 0, pool),
                                  CM_REFUSER_HERE, "unreadable", pool));
    row = listed(node, 0, 2, pool);
    is_int(row->seq, 3, "a newer one of the same record takes its place");
    is_str(cm_withheld_refuser_name(row->refuser), "here",
           "for a reason of its own");
}

static void test_discard(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_four(store, pool);
    const char *whole;

    database_must(cm_withheld_add(node, "there", seqs_of(1, 0, pool),
                                  CM_REFUSER_PEER, "too large", pool));
    database_fails(cm_withheld_discard(node, "there", 2, pool), CM_USAGE,
                   "one that is not held back cannot be discarded");
    database_must(cm_withheld_discard(node, "there", 1, pool));
    is_count(node, NULL, 0, "a discarded one is not listed", pool);
    whole = database_value(
        store, "SELECT lost_value FROM communicator_conflicts", pool);
    ok(whole && strstr(whole, "\"body\":") && strstr(whole, "too large"),
       "it is kept whole, with the reason");
    database_fails(cm_withheld_discard(node, "there", 1, pool), CM_USAGE,
                   "once");
}

/* Return how many messages PEER gets above AFTER; *LAST is the last one. */
static int outgoing(const cm_message_t **last, cm_node_t *node,
                    const char *peer, apr_int64_t after, apr_pool_t *pool)
{
    const cm_reading_t reading = {
        .peer = peer, .after = after, .limits = {100, 1 << 20}};
    cm_batch_t *batch;

    database_must(cm_outbox_read(&batch, node, &reading, pool, pool));
    *last = batch->messages->nelts
                ? APR_ARRAY_IDX(batch->messages, batch->messages->nelts - 1,
                                cm_message_t *)
                : NULL;
    return batch->messages->nelts;
}

static void test_retry(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_four(store, pool);
    const cm_message_t *last;
    apr_int64_t count;

    database_must(cm_withheld_add(node, "there", seqs_of(3, 0, pool),
                                  CM_REFUSER_PEER, "too large", pool));
    database_must(cm_withheld_retry(&count, node, "there", 3, pool));
    is_int(count, 1, "one is sent again");
    is_int(outgoing(&last, node, "there", 4, pool), 1, "  under a new number");
    ok(last && last->id == 5 && last->has_base && last->base.clock == 1001 &&
           last->clocks.clock == 1002,
       "  with what it was based on");
    database_must(cm_withheld_end_replaced(node, "there", 4, 5, pool));
    is_count(node, "there", 0, "  which ends the withheld one", pool);
    ok(database_fails(cm_withheld_retry(&count, node, "there", 3, pool),
                      CM_USAGE, "not withheld"),
       "one that is not withheld is not sent");
}

/* A message must not be sent behind those that came after it. */
static void test_retry_older(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_four(store, pool);
    apr_int64_t count;

    database_run(store, "INSERT INTO posts (id, title) VALUES (8, 'c')");
    outbox_stamp(node, pool);
    database_must(cm_withheld_add(node, "there", seqs_of(2, 0, pool),
                                  CM_REFUSER_PEER, "too large", pool));
    database_must(cm_withheld_retry(&count, node, "there", 2, pool));
    is_int(count, 1, "an older one is published");
    is_str(database_value(store,
                          "SELECT changed_columns FROM outbound_messages"
                          " WHERE seq IS NULL",
                          pool),
           "[]", "  as the present state of its record");
}

/* A message that a hub forwards does not say what was changed here. */
static void test_forwarded(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_four(store, pool);

    database_run(store, "UPDATE outbound_messages SET source = 'other'"
                        " WHERE seq = 3");
    database_must(cm_withheld_add(node, "there", seqs_of(2, 0, pool),
                                  CM_REFUSER_PEER, "too large", pool));
    database_must(cm_withheld_end_replaced(node, "there", 2, 3, pool));
    is_count(node, "there", 1, "one of another peer replaces nothing", pool);
    database_must(cm_withheld_add(node, "there", seqs_of(3, 0, pool),
                                  CM_REFUSER_PEER, "too large", pool));
    is_count(node, "there", 2, "  nor when it is withheld itself", pool);
    database_run(store, "UPDATE outbound_messages SET action = 'delete'"
                        " WHERE seq = 3");
    database_run(store, "DELETE FROM communicator_withheld WHERE seq = 3");
    database_must(cm_withheld_end_replaced(node, "there", 2, 3, pool));
    is_count(node, "there", 0, "  a delete does", pool);
}

/* What a peer sends may be anything. */
static void test_sums(void)
{
    static const struct {
        const char *text;
        apr_int64_t count, first;
    } cases[] = {{"0", 0, 0},
                 {"3 17", 3, 17},
                 {NULL, -1, 0},
                 {"", -1, 0},
                 {"-1", -1, 0},
                 {"3 ", -1, 0},
                 {"3 x", -1, 0},
                 {"3 17 1", -1, 0},
                 {"3 9007199254740993", -1, 0},
                 {"9007199254740993 1", -1, 0},
                 {"99999999999999999999", -1, 0}};
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const cm_withheld_sum_t sum = cm_withheld_sum_read(cases[i].text);

        is_int(sum.count, cases[i].count, "the count in '%s'",
               cases[i].text ? cases[i].text : "(none)");
        is_int(sum.first, cases[i].first, "  and the first number");
    }
}

int main(void)
{
    test_sums();
    if (!database_any())
        return skip_all("no database to test with");
    database_each("listed", test_list);
    database_each("discarded", test_discard);
    database_each("sent again", test_retry);
    database_each("an older one", test_retry_older);
    database_each("forwarded", test_forwarded);
    return done_testing();
}
