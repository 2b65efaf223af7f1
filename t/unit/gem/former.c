/* A peer that was a gem: gem/former.h. */
#include "../outbox.h"

#include <string.h>

#include <apr_strings.h>

#include "node/peer.h"
#include "outbox/withheld.h"
#include "gem/former.h"

static void capture(cm_node_t *node, int id, const char *action,
                    const char *columns, apr_pool_t *pool)
{
    outbox_capture(node, "post", apr_itoa(pool, id), action,
                   apr_pstrcat(pool, "{\"post\":{", columns, "}}", NULL), NULL,
                   1, pool);
}

/* A node of which a gem got messages 1 to 5 and 8, which it counts as 1 to 6:
 * message 6 is a delete, 7 refers to a record of our own. */
static cm_node_t *make(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = outbox_node(store, pool);
    int i;

    database_run(store, "INSERT INTO authors (id, name) VALUES (4, 'Anna')");
    database_run(store, "INSERT INTO posts (id, title, author_id) VALUES"
                        " (1, 'b', NULL), (3, 'a', NULL), (4, 'a', NULL),"
                        " (5, 'a', NULL), (6, NULL, 4)");
    for (i = 1; i <= 5; i++)
        capture(node, i, "create", "\"title\":\"a\"", pool);
    capture(node, 2, "delete", "", pool);
    capture(node, 6, "create", "\"author_id\":4", pool);
    capture(node, 1, "update", "\"title\":\"b\"", pool);
    outbox_stamp(node, pool);
    database_run(store, "INSERT INTO communicator_peers (name, confirmed,"
                        " confirmed_id, sent) VALUES ('there', 8, 6, 8)");
    return node;
}

/* Set the columns of the peer's row, and read it. */
static cm_peer_t *peer_with(cm_node_t *node, const char *columns,
                            apr_pool_t *pool)
{
    cm_peer_t *peer;

    if (columns)
        database_run(
            node->store,
            apr_pstrcat(pool, "UPDATE communicator_peers SET ", columns, NULL));
    database_must(cm_peer_load(&peer, node, "there", 0, pool));
    return peer;
}

/* The claim of one that was a gem and has counted RECEIVED. */
static cm_claim_t counting(apr_int64_t received)
{
    return (cm_claim_t){
        .epoch = "e", .received = received, .newest = -1, .counts = 1};
}

/* Meet a peer that has counted ID: what it holds, and what is published. */
static void is_met(cm_node_t *node, const char *columns, apr_int64_t id,
                   const char *want, const char *name, apr_pool_t *pool)
{
    cm_peer_t *peer = peer_with(node, columns, pool);
    const cm_claim_t claim = counting(id);
    cm_former_t former;

    database_must(cm_former_meet(&former, node, &peer, &claim, pool, pool));
    is_str(apr_psprintf(pool,
                        "%" APR_INT64_T_FMT " %" APR_INT64_T_FMT
                        " %" APR_INT64_T_FMT "%s",
                        former.id, former.seq, former.published,
                        former.all ? " all" : ""),
           want, "%s: %s", database_of(node->store), name);
    peer = peer_with(node, NULL, pool);
    is_str(peer->epoch, "e", "  it is met");
    is_int(peer->confirmed, former.seq, "  what it holds is noted");
    is_int(cm_former_has_to_tell(peer), former.seq > former.id,
           "  and told, if that is another number");
}

static void test_same(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make(store, pool);

    is_met(node, "confirmed = 5, confirmed_id = 5", 5, "5 5 0",
           "nothing was held back", pool);
    is_met(node, "epoch = NULL, confirmed = 5, confirmed_id = 5", 4, "4 4 0",
           "  but it was restored", pool);
    database_run(store, "UPDATE communicator_node SET migrated_seq = 5");
    database_run(store, "DELETE FROM outbound_messages WHERE seq = 4");
    is_met(node, "epoch = NULL, confirmed = 3, confirmed_id = 3", 5, "5 5 0",
           "the gem's own numbers have gaps", pool);
}

static void test_held_back(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make(store, pool);
    const cm_claim_t claim = counting(6);
    cm_former_t former;
    cm_peer_t *peer;

    is_met(node, NULL, 6, "6 8 2", "a delete and a reference", pool);
    is_int(outbox_stamp(node, pool), 2, "  are queued");
    peer = peer_with(node, NULL, pool);
    database_must(cm_former_meet(&former, node, &peer, &claim, pool, pool));
    ok(!former.is_new && former.seq == 8 && !cm_former_text(&former, pool),
       "  it may be told again");
    is_met(node, "epoch = NULL, confirmed = 3, confirmed_id = 3", 6, "6 8 2",
           "  a reply was lost", pool);
    is_met(node, "epoch = NULL, confirmed = 8, confirmed_id = 6", 5, "5 7 2",
           "  or it was restored", pool);
}

/* Of an earlier version: it counts, and does not say so. */
static void test_silent(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make(store, pool);
    cm_claim_t claim = {.epoch = "e", .received = 6, .newest = -1};
    cm_former_t former;
    cm_peer_t *peer = peer_with(node, NULL, pool);

    database_must(cm_former_meet(&former, node, &peer, &claim, pool, pool));
    ok(former.is_new && former.seq == 8 && former.published == 2,
       "%s: one that does not say how it counts", database_of(store));
    claim.known_epoch = node->epoch;
    database_must(cm_former_meet(&former, node, &peer, &claim, pool, pool));
    ok(!former.is_new && former.seq == 8, "  is not taken at its word");
    claim.held = 6;
    database_must(cm_former_meet(&former, node, &peer, &claim, pool, pool));
    is_int(former.seq, 6, "  before it holds a message of ours");
}

/* What the gem refused is tried once more. */
static void test_withheld(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make(store, pool);
    apr_array_header_t *seqs = apr_array_make(pool, 1, sizeof(apr_int64_t));

    APR_ARRAY_PUSH(seqs, apr_int64_t) = 3;
    database_must(cm_withheld_add(node, "there", seqs, CM_REFUSER_PROXY,
                                  "500 again and again", pool));
    is_met(node, "confirmed_id = 5", 5, "5 8 3", "one that it refused", pool);
}

static void test_unknown(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make(store, pool);
    const cm_claim_t claim = counting(7);
    cm_claim_t other = counting(6);
    cm_former_t former = {0};
    cm_peer_t *peer;

    other.known_epoch = "f";
    peer = peer_with(node, NULL, pool);
    database_must(cm_former_meet(&former, node, &peer, &other, pool, pool));
    ok(!former.is_new, "%s: one that knows another database is not met",
       database_of(store));
    ok(database_fails(cm_former_meet(&former, node, &peer, &claim, pool, pool),
                      CM_EPOCH, "more than was sent"),
       "%s: what was never sent is refused", database_of(store));
    database_run(store, "DELETE FROM outbound_messages WHERE seq < 4");
    is_met(node, NULL, 6, "6 8 6 all", "some are purged", pool);
    is_int(outbox_stamp(node, pool) > 0, 1, "  all records are queued");
    is_met(node, "epoch = NULL, confirmed = 0, confirmed_id = 0, sent = 0", 500,
           "500 500 6 all", "nothing was ever sent from here", pool);
    capture(node, 9, "create", "", pool);
    outbox_stamp(node, pool);
    is_str(database_value(store,
                          "SELECT CASE WHEN seq > 500 THEN 'above' END FROM"
                          " outbound_messages WHERE local_record_id = '9'",
                          pool),
           "above", "  our numbers go on above");
}

static void test_text(cm_store_t *store, apr_pool_t *pool)
{
    const cm_former_t same = {.is_new = 1, .id = 5, .seq = 5},
                      other = {.is_new = 1, .id = 5, .seq = 7, .published = 3},
                      all = {.is_new = 1,
                             .id = 5,
                             .seq = 5,
                             .published = 3,
                             .all = 1};

    (void)store;
    ok(!cm_former_text(&same, pool), "nothing is said where nothing was done");
    is_str(cm_former_text(&other, pool),
           "it was a gem, which counts differently: its number 5 is our "
           "message 7; what was held back from it is sent now: 3 records",
           "one line says it");
    ok(NULL != strstr(cm_former_text(&all, pool), "sent again"),
       "  or that all is sent");
}

/* The other side. */
static void test_recount(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make(store, pool);
    cm_claim_t claim = {.epoch = "e", .counted = 8, .counted_id = 6};
    cm_peer_t *peer = peer_with(node, "received = 5, has_received = 1", pool);
    int recounted;

    ok(cm_former_counts(peer), "%s: a gem's count", database_of(store));
    database_must(
        cm_former_recount(&recounted, node, &peer, &claim, pool, pool));
    ok(!recounted && peer->received == 5, "  another one is meant");
    peer = peer_with(node, "received = 6", pool);
    database_must(
        cm_former_recount(&recounted, node, &peer, &claim, pool, pool));
    ok(recounted && peer->received == 8, "  becomes that of the peer");
    ok(!cm_former_counts(peer_with(node, NULL, pool)), "  for good");
    database_must(
        cm_former_recount(&recounted, node, &peer, &claim, pool, pool));
    ok(!recounted, "  once");
    ok(!cm_former_counts(peer_with(node, "held = 0, lost = 8", pool)),
       "a lost history is none of a gem");
    claim.counted_id = 9;
    peer = peer_with(node, "lost = 0, received = 9", pool);
    ok(database_fails(
           cm_former_recount(&recounted, node, &peer, &claim, pool, pool),
           CM_MALFORMED, "a lower number"),
       "a number cannot become lower");
}

int main(void)
{
    if (!database_any())
        return skip_all("no database to test with");
    database_each("the same numbers", test_same);
    database_each("held back", test_held_back);
    database_each("silent", test_silent);
    database_each("withheld", test_withheld);
    database_each("not known", test_unknown);
    database_each("text", test_text);
    database_each("recount", test_recount);
    return done_testing();
}
