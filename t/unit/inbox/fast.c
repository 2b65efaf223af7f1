/* The fast way of an update, which is written without reading the row: only
 * where the record is here as it was there before the change, and only the
 * columns that changed. t/unit/inbox/race.c lets the application change the
 * record meanwhile. */
#include "../inbox.h"

#include <apr_general.h>

#define OLDER(clocks) ",\"clocks\":" clocks

static const char last_base[] =
    "SELECT base FROM outbound_messages ORDER BY seq DESC LIMIT 1";

static cm_node_t *begin_with(cm_settings_t *settings, cm_store_t *store,
                             apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, settings, pool);

    (void)inbox_take(
        node, 0,
        "[" MESSAGE(1, "post", 7, "create", 1000,
                    TEXT("title", "a") "," TEXT("text", "x"), ) "]",
        pool);
    return node;
}

static cm_node_t *begin(cm_store_t *store, apr_pool_t *pool)
{
    return begin_with(inbox_settings(pool), store, pool);
}

static const char *post(cm_node_t *node, apr_pool_t *pool)
{
    return apr_pstrcat(pool, inbox_value(node, "SELECT title FROM posts", pool),
                       " ", inbox_value(node, "SELECT text FROM posts", pool),
                       NULL);
}

static int clock_is(cm_node_t *node, apr_int64_t clock, apr_pool_t *pool)
{
    return clock == apr_atoi64(inbox_value(
                        node, "SELECT clock FROM communicator_mappings", pool));
}

/* What did not change is not written: at equal clocks a value may be another
 * than here, and the message that brought it has decided which one stays. */
static void test_changed_only(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = begin(store, pool);

    is_int(inbox_take(node, 1,
                      "[" MESSAGE(2, "post", 7, "update", 2000,
                                  TEXT("title", "b") "," TEXT("text", "x"),
                                  BASE(1000) OLDER("{\"text\":1000}")) "]",
                      pool),
           1, "%s: an update of one column", database_of(store));
    is_str(post(node, pool), "b x", "  is written");
    is_int(inbox_take(node, 2,
                      "[" MESSAGE(3, "post", 7, "update", 3000,
                                  TEXT("title", "c") "," TEXT("text", "y"),
                                  BASE(1000) OLDER("{\"title\":2000}")) "]",
                      pool),
           1, "%s: an update of the other", database_of(store));
    is_str(post(node, pool), "b y", "  writes only that");
    is_int(
        inbox_take(node, 3,
                   "[" MESSAGE(4, "post", 7, "update", 4000,
                               TEXT("title", "d") "," TEXT("text", "z"),
                               ",\"base\":{\"title\":2000,\"text\":3000}") "]",
                   pool),
        1, "%s: an update of both, each after its own last one",
        database_of(store));
    is_str(post(node, pool), "d z", "  is written");
    ok(clock_is(node, 4000, pool), "  with its clock");
    is_str(
        inbox_value(node, "SELECT count(*) FROM communicator_conflicts", pool),
        "0", "  and nothing has lost");
}

/* A message before it was discarded: this one brings its value, as it has the
 * whole row. */
static void test_all_clocks(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = begin(store, pool);

    is_int(inbox_take(node, 1,
                      "[" MESSAGE(2, "post", 7, "update", 3000,
                                  TEXT("title", "b") "," TEXT("text", "y"),
                                  BASE(1000) OLDER("{\"title\":2000}")) "]",
                      pool),
           1, "%s: an update after one that did not come", database_of(store));
    is_str(post(node, pool), "b y", "  brings what that had changed");
}

/* At equal clocks nothing shows that: only the missing number does. */
static void test_lacking(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = begin(store, pool);

    is_int(inbox_take(node, 1,
                      "[" MESSAGE(3, "post", 7, "update", 3000,
                                  TEXT("title", "b") "," TEXT("text", "y"),
                                  BASE(1000) OLDER("{\"title\":1000}")) "]",
                      pool),
           1, "%s: an update after one with a clock that is here, too",
           database_of(store));
    is_str(post(node, pool), "b y", "  brings what that had changed");
}

/* A node that had to merge a message lets those behind it do so, too: they see
 * neither what was withheld from it nor that a number is missing. */
static void test_forwarded(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node;

    settings_add_peer(settings, "other", pool);
    node = begin_with(settings, store, pool);
    is_int(inbox_take(node, 1,
                      "[" MESSAGE(2, "post", 7, "update", 2000,
                                  TEXT("title", "b") "," TEXT("text", "x"),
                                  BASE(1000) OLDER("{\"text\":1000}")) "]",
                      pool),
           1, "%s: a hub applies an update the fast way", database_of(store));
    is_str(inbox_value(node, last_base, pool), "1000", "  and forwards it so");
    is_int(inbox_take(node, 2,
                      "[" MESSAGE(3, "post", 7, "update", 3000,
                                  TEXT("title", "c") "," TEXT("text", "y"),
                                  ",\"base\":{\"title\":2000}" OLDER(
                                      "{\"text\":1000}")) "]",
                      pool),
           1, "%s: one whose base names a column", database_of(store));
    is_str(post(node, pool), "c y", "  is merged");
    is_int(inbox_take(node, 3,
                      "[" MESSAGE(5, "post", 7, "update", 4000,
                                  TEXT("title", "d") "," TEXT("text", "y"),
                                  BASE(3000) OLDER("{\"text\":1000}")) "]",
                      pool),
           1, "%s: one after a missing number", database_of(store));
    is_str(inbox_value(node, last_base, pool), "{\"title\":3000}",
           "  asks the other peers to merge it, too");
}

/* A value here that the sender did not know. */
static void test_unknown(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = begin(store, pool);

    is_int(inbox_take(node, 1,
                      "[" MESSAGE(2, "post", 7, "update", 2000,
                                  TEXT("title", "b") "," TEXT("text", "x"),
                                  BASE(900) OLDER("{\"text\":1000}")) "]",
                      pool),
           1, "%s: an update of a value before the one here",
           database_of(store));
    is_str(post(node, pool), "b x", "  is merged");
    is_str(inbox_value(node, "SELECT lost_value FROM communicator_conflicts",
                       pool),
           "\"a\"", "  and what loses is kept");
}

/* One statement writes rows in the order of their keys. Where messages must be
 * applied in another order, the transaction is repeated, one by one. */
static void test_order(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = begin(store, pool);

    (void)inbox_take(
        node, 1,
        "[" MESSAGE(
            2, "author", 1, "create", 1000,
            TEXT("name", "ann"), ) "," MESSAGE(3, "author", 2, "create", 1000,
                                               TEXT("name", "bob"), ) "]",
        pool);
    is_int(inbox_take(
               node, 3,
               "[" MESSAGE(4, "author", 2, "update", 2000, TEXT("name", "carl"),
                           BASE(1000)) "," MESSAGE(5, "author", 1, "update",
                                                   2000, TEXT("name", "bob"),
                                                   BASE(1000)) "]",
               pool),
           2, "%s: a unique value goes from one record to another",
           database_of(store));
    is_str(inbox_value(node, "SELECT name FROM authors ORDER BY id", pool),
           "bob", "  to the first");
    is_str(inbox_value(node, "SELECT name FROM authors ORDER BY id DESC", pool),
           "carl", "  from the second");
}

int main(void)
{
    apr_initialize();
    database_each("changed columns only", test_changed_only);
    database_each("all clocks", test_all_clocks);
    database_each("a message is lacking", test_lacking);
    database_each("forwarded", test_forwarded);
    database_each("an unknown value", test_unknown);
    database_each("order", test_order);
    apr_terminate();
    return done_testing();
}
