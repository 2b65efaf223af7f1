/* How many messages wait for a peer (outbox/outbox.h), where some have no
 * number yet: none of them is left out, wherever its id is. */
#include "../outbox.h"

#include <apr_strings.h>

#include "outbox/outbox.h"

#define EXACT 5

/* Put a row with ID into the outbox through STORE. */
static void write_as(cm_store_t *store, int id, apr_pool_t *pool)
{
    database_run(store,
                 apr_psprintf(pool,
                              "INSERT INTO outbound_messages (id, model,"
                              " local_record_id, action, body, clock)"
                              " VALUES (%d, 'post', '%d', 'create',"
                              " '%s', %d)",
                              id, id, POST("\"title\":\"a\""), 100 + id));
}

/* Return a node of its own, which has not searched yet. */
static cm_node_t *open_again(cm_node_t *node, apr_pool_t *pool)
{
    cm_node_t *another;

    database_must(
        cm_node_open(&another, node->settings, database_again(pool), pool));
    return another;
}

/* Expect COUNT messages to wait in NODE, the oldest of which has CLOCK. */
static void waits(cm_node_t *node, int count, int clock, const char *what,
                  apr_pool_t *pool)
{
    cm_pending_t pending;

    database_must(cm_outbox_pending(&pending, node, "there", EXACT, pool));
    is_int(pending.count, count, "%s: %s", database_of(node->store), what);
    is_int(pending.oldest_clock, clock, "  the oldest one");
}

/* Number the messages of NODE, and confirm them all. */
static void send_all(cm_node_t *node, apr_int64_t last, apr_pool_t *pool)
{
    outbox_stamp(node, pool);
    database_must(cm_outbox_confirm(node, "there", last, last, pool));
    waits(node, 0, 0, "nothing waits", pool);
}

/* A transaction has the id 2, and commits after 3 got its number. */
static void test_late(cm_store_t *store, apr_pool_t *pool)
{
    cm_store_t *late;
    cm_node_t *node;
    int id;

    if (cm_dialect_of_store(store)->database == CM_SQLITE3)
        return; /* one transaction writes at a time */
    late = database_again(pool);
    node = outbox_node(store, pool);
    write_as(store, 1, pool);
    database_must(cm_transaction_begin(late, pool));
    write_as(late, 2, pool);
    write_as(store, 3, pool);
    send_all(node, 2, pool);
    write_as(store, 4, pool);
    send_all(node, 3, pool);
    database_must(cm_transaction_commit(late, pool));
    waits(node, 1, 102, "what is committed late", pool);
    waits(open_again(node, pool), 1, 102, "for any connection", pool);
    for (id = 5; id < 25; id++)
        write_as(store, id, pool);
    waits(node, 20, 102, "with many above it", pool);
    send_all(node, 24, pool);
}

/* Ids that an application has chosen, or that began again. */
static void test_chosen(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = outbox_node(store, pool);
    cm_pending_t pending;
    int id;

    write_as(store, 10, pool);
    send_all(node, 1, pool);
    write_as(store, 4, pool);
    waits(open_again(node, pool), 1, 104, "a lower id, for whoever comes",
          pool);
    node->outbox.searched_at = 0;
    waits(node, 1, 104, "and in time for others", pool);
    is_int(outbox_stamp(node, pool), 1, "  then it gets its number");
    for (id = 5; id < 9; id++)
        write_as(store, id, pool);
    for (id = 1; id < 4; id++)
        write_as(store, id, pool);
    database_must(cm_outbox_pending(&pending, open_again(node, pool), "there",
                                    EXACT, pool));
    ok(pending.count > EXACT, "  and many of them are not few");
}

/* From some number on it is an estimate, which is right without gaps. */
static void test_many(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = outbox_node(store, pool);
    int id;

    for (id = 101; id <= 120; id++)
        write_as(store, id, pool);
    waits(node, 20, 201, "more than are counted", pool);
    send_all(node, 20, pool);
    for (id = 121; id <= 127; id++)
        write_as(store, id, pool);
    waits(node, 7, 221, "above those that were sent", pool);
}

int main(void)
{
    if (!database_any())
        return skip_all("no database to test with");
    database_each("committed late", test_late);
    database_each("chosen ids", test_chosen);
    database_each("many", test_many);
    return done_testing();
}
