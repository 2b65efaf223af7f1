/* Messages of the gem's time that wait: outbox/inherit.h. */
#include "../outbox.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <apr_strings.h>

#include "outbox/inherit.h"

/* Put message SEQ of the gem's time into the outbox, made MINUTE minutes
 * after the beginning of 2012: 1325376000 seconds. */
static void gem_said(cm_node_t *node, int seq, const char *body,
                     const char *origin, const char *id, int minute,
                     apr_pool_t *pool)
{
    const cm_datum_t arguments[] = {cm_datum_text(body), cm_datum_text(origin),
                                    cm_datum_text(id)};

    database_must(cm_statement_run(
        NULL, node->store,
        apr_psprintf(pool,
                     "INSERT INTO outbound_messages (seq, body, origin,"
                     " original_id, created_at) VALUES (%d, %%s, %%s, %%s,"
                     " '2012-01-01 00:%02d:00')",
                     seq, minute),
        arguments, 3, pool));
}

/* A node whose numbers of the gem's time go up to 20, of which "there" has
 * confirmed 10; both have post 7, of which "there" has sent something later. */
static cm_node_t *make(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = outbox_node(store, pool);

    database_run(store, "UPDATE communicator_node SET last_seq = 20,"
                        " migrated_seq = 20");
    database_run(store, "INSERT INTO communicator_peers (name, confirmed,"
                        " confirmed_id, sent) VALUES ('there', 10, 10, 10)");
    database_run(store, "INSERT INTO inbound_messages (peer, id, body,"
                        " received_at, processed_at) VALUES ('there', 3, 'x',"
                        " 1325376600000000, '2012-01-01 00:10:00')");
    database_run(store, "INSERT INTO communicator_records_2 (origin,"
                        " original_id, local_id) VALUES ('here', '7', 7)");
    database_run(store, "INSERT INTO communicator_records_2 (origin,"
                        " original_id, local_id, clock)"
                        " VALUES ('there', '1', 8, 1325377800000000)");
    return node;
}

static apr_int64_t inherit(cm_node_t *node, apr_pool_t *pool)
{
    apr_int64_t count;

    database_must(cm_inherit_clocks(&count, node, pool));
    return count;
}

/* The column WHAT of message SEQ. */
static const char *of(cm_node_t *node, const char *what, int seq,
                      apr_pool_t *pool)
{
    return database_value(
        node->store,
        apr_psprintf(pool, "SELECT %s FROM outbound_messages WHERE seq = %d",
                     what, seq),
        pool);
}

static const char *clock_of(cm_node_t *node, const char *id, apr_pool_t *pool)
{
    return database_value(
        node->store,
        apr_psprintf(pool,
                     "SELECT clock FROM communicator_records_2"
                     " WHERE local_id = %s",
                     id),
        pool);
}

static void test_clocks(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make(store, pool);

    gem_said(node, 10, POST("\"title\":\"old\""), "here", "7", 1, pool);
    gem_said(node, 11, POST("\"title\":\"a\""), "here", "7", 20, pool);
    gem_said(node, 13, POST("\"title\":\"b\""), "here", "7", 20, pool);
    gem_said(node, 14, POST("\"title\":\"c\""), "there", "1", 21, pool);
    gem_said(node, 15, POST("\"title\":\"d\""), NULL, NULL, 21, pool);
    gem_said(node, 16, "?", "here", "7", 21, pool);
    is_int(inherit(node, pool), 3, "%s: those that wait get clocks",
           database_of(store));
    ok(!of(node, "clock", 10, pool), "  what was confirmed does not");
    is_str(of(node, "clock", 11, pool), "1325377200999999",
           "  a creation, at the end of its second");
    is_str(of(node, "base", 11, pool), "1325376660000000",
           "  after both sides met last");
    is_str(of(node, "clock", 13, pool), "1325377201000000",
           "  the next of its second is newer");
    is_str(of(node, "base", 13, pool), "1325377200999999", "  and knows it");
    is_str(clock_of(node, "7", pool), "1325377201000000",
           "  and so has the record");
    is_str(of(node, "clock", 14, pool), "1325377260999999",
           "a record that has changed since is newer");
    is_str(clock_of(node, "8", pool), "1325377800000000", "  and stays so");
    ok(!of(node, "clock", 15, pool), "what names no record stays as it is");
    ok(!of(node, "clock", 16, pool), "  so does what cannot be read");
    is_int(inherit(node, pool), 0, "again: nothing to do");
}

/* What is changed of a record of the gem's time. */
static void test_base(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make(store, pool);

    inherit(node, pool);
    outbox_capture(node, "post", "7", "update", POST("\"title\":\"a\""),
                   "[\"title\"]", 1325379600000000, pool);
    outbox_stamp(node, pool);
    is_str(of(node, "base", 21, pool), "1325376660000000",
           "%s: what the peer had changed until then was known",
           database_of(store));
    outbox_capture(node, "post", "7", "update",
                   POST("\"title\":\"b\",\"text\":\"t\""),
                   "[\"title\",\"text\"]", 1325379700000000, pool);
    outbox_stamp(node, pool);
    is_str(of(node, "base", 22, pool),
           "{\"text\":1325376660000000,\"title\":1325379600000000}",
           "  of each column that is as old");
    database_run(store, "UPDATE communicator_node SET met_at = 0");
    outbox_capture(node, "post", "9", "update", POST("\"title\":\"a\""),
                   "[\"title\"]", 1325379800000000, pool);
    outbox_stamp(node, pool);
    is_str(of(node, "base", 23, pool), "0", "without a gem nothing was");
}

static void test_wire(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make(store, pool);
    cm_batch_t *batch;

    database_run(store, "INSERT INTO authors VALUES (4, 'Anna')");
    gem_said(node, 12, POST("\"title\":\"a\",\"author_id\":4"), "here", "7", 20,
             pool);
    inherit(node, pool);
    outbox_capture(node, "post", "7", "update", POST("\"title\":\"b\""),
                   "[\"title\"]", 5, pool);
    outbox_stamp(node, pool);
    batch = outbox_read_after(node, 10, pool);
    is_int(batch->messages->nelts, 2, "%s: it is sent, and the next change",
           database_of(store));
    ok(NULL !=
           strstr(outbox_wire(batch, 0, 0, pool), "\"clock\":1325377200999999"),
       "  with its clock");
    ok(NULL != strstr(outbox_wire(batch, 0, 0, pool),
                      "\"refs\":{\"author_id\":\"author\"}"),
       "  and the name of its parent");
    is_str(of(node, "clock", 21, pool), "1325377201000000",
           "  what is changed since is newer, whatever its clock says");
}

/* A gem that wrote local time. */
static void test_ahead(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make(store, pool);

    gem_said(node, 11, POST("\"title\":\"a\""), "here", "7", 20, pool);
    database_run(store, "UPDATE outbound_messages SET created_at ="
                        " '2222-01-01 00:00:00'");
    inherit(node, pool);
    ok(strcmp(of(node, "clock", 11, pool), "4000000000000000") < 0,
       "%s: a time that has not come yet is now", database_of(store));
}

static void test_local(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make(store, pool);
    cm_peer_settings_t *peer =
        APR_ARRAY_IDX(node->settings->peers, 0, cm_peer_settings_t *);

    setenv("TZ", "XST-9", 1);
    tzset();
    peer->local_times = 1;
    gem_said(node, 11, POST("\"title\":\"a\""), "here", "7", 20, pool);
    inherit(node, pool);
    is_str(of(node, "clock", 11, pool), "1325344800999999",
           "%s: nine hours before UTC", database_of(store));
    is_str(of(node, "base", 11, pool), "1325344260000000",
           "  when both met, too");
    unsetenv("TZ");
    tzset();
}

int main(void)
{
    if (!database_any())
        return skip_all("no database to test with");
    database_each("clocks", test_clocks);
    database_each("base", test_base);
    database_each("on the wire", test_wire);
    database_each("ahead", test_ahead);
    database_each("local time", test_local);
    return done_testing();
}
