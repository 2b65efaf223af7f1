/* A key that was changed at the peer, where that is a new record and a delete:
 * the row here is given the new key, or what refers to it is. No child is
 * deleted with the old record, wherever the border between batches lies. */
#include "../inbox.h"

#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "store/dialect.h"
#include "node/node.h"

#define CODE(id, key, action, clock, name, more)                               \
    "{\"id\":" #id ",\"origin\":\"*\",\"original_id\":\"" key                  \
    "\",\"action\":\"" action "\",\"clock\":" #clock                           \
    ",\"body\":\"{\\\"code\\\":{\\\"code\\\":\\\"" name                        \
    "\\\"," TEXT("name", name) "}}\"" more "}"
#define ITEM(id) ITEM_OF(id, 1)
#define ITEM_OF(id, original)                                                  \
    MESSAGE(id, "item", original, "create", 1000,                              \
            TEXT("body", "child") "," TEXT("code", "a"),                       \
            ",\"refs\":{\"code\":{\"model\":\"code\",\"origin\":\"*\","        \
            "\"original_id\":\"a\"}}")
#define TO(key) ",\"refs\":{\"\":[\"code\",\"" key "\"]}"
#define NEW(id, key)                                                           \
    CODE(id, key, "create", 3000, "b", ",\"base\":1000" TO("a"))
#define END(id, key)                                                           \
    "{\"id\":" #id ",\"origin\":\"*\",\"original_id\":\"a\",\"action\":"       \
    "\"delete\",\"clock\":3001,\"base\":1000,"                                 \
    "\"body\":\"{\\\"code\\\":{}}\"" TO(key) "}"

static cm_settings_t *make_settings(cm_conflict_e conflict, apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    cm_model_t *model;

    settings_add_peer(settings, "there", pool);
    model = settings_add_model(settings, "code", "codes", "code", pool);
    model->shared_keys = 1;
    model->conflict = conflict;
    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "item", .model = "item"};
    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "next", .model = "code"};
    model = settings_add_model(settings, "item", "items", "id", pool);
    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "code", .model = "code"};
    return settings;
}

/* Let the peer send TEXT behind AFTER; where keys are not shared, its records
 * are its own. */
static int take(cm_node_t *node, apr_int64_t after, const char *text,
                apr_pool_t *pool)
{
    const char *at;

    while (!cm_settings_model(node->settings, "code")->shared_keys &&
           (at = strstr(text, "\"*\"")))
        text = apr_pstrcat(pool, apr_pstrmemdup(pool, text, at - text),
                           "\"there\"", at + 3, NULL);
    return inbox_take(node, after, text, pool);
}

/* A code 'a' with an item, which go together; RULE: when the key changes. */
static cm_node_t *make_node_of(cm_store_t *store, cm_settings_t *settings,
                               const char *rule, apr_pool_t *pool)
{
    cm_database_e database = cm_dialect_of_store(store)->database;
    cm_node_t *node;

    database_run(store,
                 "CREATE TABLE codes (code varchar(40) NOT NULL PRIMARY KEY,"
                 " name varchar(40), own varchar(40), item integer,"
                 " next varchar(40),"
                 " must varchar(40) NOT NULL DEFAULT 'must')");
    database_run(store,
                 apr_pstrcat(pool, "CREATE TABLE items (id ",
                             database == CM_PGSQL ? "serial PRIMARY KEY"
                             : database == CM_MYSQL
                                 ? "integer PRIMARY KEY AUTO_INCREMENT"
                                 : "integer PRIMARY KEY",
                             ", body varchar(40), code varchar(40) NOT NULL,"
                             " FOREIGN KEY (code) REFERENCES codes (code)"
                             " ON DELETE CASCADE",
                             rule, ")", NULL));
    settings_migrate(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    (void)take(node, 0,
               "[" CODE(1, "a", "create", 1000, "a", "") "," ITEM(2) "]", pool);
    database_run(store, "UPDATE codes SET own = 'own'");
    return node;
}

static cm_node_t *make_node(cm_store_t *store, cm_conflict_e conflict,
                            const char *rule, apr_pool_t *pool)
{
    return make_node_of(store, make_settings(conflict, pool), rule, pool);
}

/* What is here: the items with their codes, and the codes. */
static void expect(cm_node_t *node, const char *code, const char *what,
                   apr_pool_t *pool)
{
    is_str(inbox_value(node, "SELECT min(code) FROM items", pool), code,
           "%s: %s: the child refers to the new record",
           database_of(node->store), what);
    is_str(inbox_value(node, "SELECT min(id) FROM items", pool), "1",
           "  and is the same row");
    is_str(inbox_value(node, "SELECT max(code) FROM codes", pool), code,
           "  which is here");
    is_str(inbox_value(node, "SELECT count(*) FROM codes", pool), "1",
           "  alone");
}

static void test_renamed(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node =
        make_node(store, CM_CONFLICT_NEWEST, " ON UPDATE CASCADE", pool);

    /* own is not the peer's to know: as if it had seen that change */
    database_run(store, "DELETE FROM outbound_messages");
    is_int(inbox_take(node, 2, "[" NEW(3, "b") "]", pool), 1,
           "%s: a record that continues another one comes", database_of(store));
    expect(node, "b", "in its row", pool);
    is_str(inbox_value(node, "SELECT own FROM codes", pool), "own",
           "  with what is only here");
    (void)inbox_take(node, 3, "[" END(4, "b") "]", pool);
    expect(node, "b", "and the delete of the old one", pool);
}

/* A row that has changed here cannot be renamed; or one that is referred to. */
static void test_refused(cm_store_t *store, const char *rule, int changes,
                         apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, CM_CONFLICT_NEWEST, rule, pool);

    database_run(store, changes ? "UPDATE codes SET name = 'mine'"
                                : "DELETE FROM outbound_messages");
    is_int(inbox_take(node, 2, "[" NEW(3, "b") "]", pool), 1,
           "%s: a record comes beside the one that it continues",
           database_of(store));
    is_str(inbox_value(node, "SELECT count(*) FROM codes", pool), "2",
           "  which is still here");
    (void)inbox_take(node, 3, "[" END(4, "b") "]", pool);
    expect(node, "b", "when the old one is deleted", pool);
    is_str(inbox_value(node, "SELECT local_record_id FROM communicator_missing",
                       pool),
           "b", "  and is to be sent again");
}

static void test_changed(cm_store_t *store, apr_pool_t *pool)
{
    test_refused(store, " ON UPDATE CASCADE", 1, pool);
}

/* What only this node has was known to the peer, which could not bring it. */
static void test_left_behind(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node =
        make_node(store, CM_CONFLICT_NEWEST, " ON UPDATE CASCADE", pool);

    database_run(store, "UPDATE codes SET name = 'mine'");
    (void)inbox_take(node, 2, "[" NEW(3, "b") "]", pool);
    (void)inbox_take(
        node, 3,
        "[{\"id\":4,\"origin\":\"*\",\"original_id\":\"a\",\"action\":"
        "\"delete\",\"clock\":9000000000000001,\"base\":{\"code\":1000,"
        "\"name\":1000,\"\\u001f\":9000000000000000},"
        "\"body\":\"{\\\"code\\\":{}}\"" TO("b") "}]",
        pool);
    expect(node, "b", "a record that cannot have the row", pool);
    is_str(inbox_value(node,
                       "SELECT count(*) FROM communicator_conflicts"
                       " WHERE lost_value = '\"own\"'",
                       pool),
           "1", "  what only the old one has is in communicator_conflicts");
}

static void test_restricted(cm_store_t *store, apr_pool_t *pool)
{
    test_refused(store, "", 0, pool);
}

/* The new key is that of a record which the same batch deletes. */
static void test_in_the_way(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node =
        make_node(store, CM_CONFLICT_NEWEST, " ON UPDATE CASCADE", pool);

    database_run(store, "DELETE FROM outbound_messages");
    (void)inbox_take(node, 2, "[" CODE(3, "b", "create", 1000, "b", "") "]",
                     pool);
    is_int(inbox_take(node, 3,
                      "[{\"id\":4,\"origin\":\"*\",\"original_id\":\"b\","
                      "\"action\":\"delete\",\"clock\":2000,\"base\":1000,"
                      "\"body\":\"{\\\"code\\\":{}}\"}," NEW(
                          5, "b\\u001f2") "," END(6, "b\\u001f2") "]",
                      pool),
           3, "%s: a key is free when its record is deleted",
           database_of(store));
    expect(node, "b", "then", pool);
    is_str(inbox_value(node, "SELECT own FROM codes", pool), "own",
           "  with what is only here");
}

/* A conflict that waits for a person is not passed over. */
static void test_held(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node =
        make_node(store, CM_CONFLICT_HOLD, " ON UPDATE CASCADE", pool);

    database_run(store, "UPDATE codes SET name = 'mine'");
    is_int(inbox_take(node, 2,
                      "[" CODE(3, "a", "update", 9000000000000000, "a",
                               ",\"base\":1000") "]",
                      pool),
           0, "%s: conflict=hold: a change is parked", database_of(store));
    (void)inbox_take(node, 3,
                     "[" CODE(4, "b", "create", 9000000000000002, "b",
                              ",\"base\":9000000000000000" TO("a")) "]",
                     pool);
    is_str(inbox_value(node, "SELECT name FROM codes WHERE code = 'a'", pool),
           "mine", "  its record stays, though another one continues it");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM inbound_messages"
                       " WHERE processed_at IS NULL AND id = 3",
                       pool),
           "1", "  and it is still parked");
}

/* The row was changed here, too, so it cannot be given the new key; and it has
 * the unique value of the record that continues it. RULE: when the key changes.
 */
static void test_unique_by(cm_store_t *store, const char *rule,
                           apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, CM_CONFLICT_NEWEST, rule, pool);

    database_run(store, "CREATE UNIQUE INDEX codes_name ON codes (name)");
    database_run(store, "UPDATE codes SET name = 'b'");
    is_int(
        inbox_take(node, 2, "[" NEW(3, "b") "," END(4, "b") "]", pool), 2,
        "%s: a record gives up its unique value to the one that continues it",
        database_of(store));
    expect(node, "b", "unique", pool);
    is_str(inbox_value(node, "SELECT name FROM codes", pool), "b",
           "  with that value");
}

static void test_unique(cm_store_t *store, apr_pool_t *pool)
{
    test_unique_by(store, " ON UPDATE CASCADE", pool);
}

static void test_unique_restricted(cm_store_t *store, apr_pool_t *pool)
{
    test_unique_by(store, "", pool);
}

/* The same, and LATER, what a later message of the new record says, cannot be
 * applied: only that one is parked. RULE: when the key changes. */
static void test_unique_later_by(cm_store_t *store, const char *rule,
                                 const char *later, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, CM_CONFLICT_NEWEST, rule, pool);
    const char *messages = apr_pstrcat(
        pool, "[" NEW(3, "b") "," END(4, "b") ",{\"id\":5,\"origin\":\"*\"",
        ",\"original_id\":\"b\",\"action\":\"update\",\"clock\":4000,"
        "\"base\":3000,\"body\":\"{\\\"code\\\":{",
        later, "}]", NULL);

    database_run(store, "CREATE UNIQUE INDEX codes_name ON codes (name)");
    database_run(store, "UPDATE codes SET name = 'b'");
    is_int(inbox_take(node, 2, messages, pool), 2,
           "%s: a record gives up its unique value to the one that continues "
           "it, whose last message cannot be applied",
           database_of(store));
    expect(node, "b", "unique, without the last message", pool);
    is_str(inbox_value(node, "SELECT name FROM codes", pool), "b",
           "  with that value");
    is_str(inbox_value(node,
                       "SELECT min(id) FROM inbound_messages"
                       " WHERE processed_at IS NULL",
                       pool),
           "5", "  and only the last message is parked");
}

static void test_unique_refused(cm_store_t *store, apr_pool_t *pool)
{
    test_unique_later_by(store, " ON UPDATE CASCADE", NONE("must") "}}\"",
                         pool);
}

static void test_unique_waits(cm_store_t *store, apr_pool_t *pool)
{
    test_unique_later_by(store, "",
                         "\\\"item\\\":77}}\",\"refs\":{\"item\":"
                         "[\"item\",\"77\"]}",
                         pool);
}

/* The delete comes before the record that continues it, which was withheld. */
static void test_away(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node =
        make_node(store, CM_CONFLICT_NEWEST, " ON UPDATE CASCADE", pool);

    is_int(inbox_take(node, 2, "[" END(3, "b") "]", pool), 0,
           "%s: the delete waits for the record that continues its own",
           database_of(store));
    expect(node, "a", "meanwhile", pool);
    is_str(inbox_value(node,
                       "SELECT transient FROM inbound_messages"
                       " WHERE processed_at IS NULL AND id = 3",
                       pool),
           "1", "  it needs no person");
    is_int(inbox_take(node, 3, "[" NEW(4, "b") "]", pool), 2,
           "%s: which comes later", database_of(store));
    expect(node, "b", "later", pool);
}

/* Nothing refers to the record: nothing waits. */
static void test_away_alone(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node =
        make_node(store, CM_CONFLICT_NEWEST, " ON UPDATE CASCADE", pool);

    database_run(store, "DELETE FROM items");
    is_int(inbox_take(node, 2, "[" END(3, "b") "]", pool), 1,
           "%s: nothing waits for it where nothing refers to its record",
           database_of(store));
}

/* The same, if only the row itself refers to it: that goes, too. */
static void test_away_itself(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node =
        make_node(store, CM_CONFLICT_NEWEST, " ON UPDATE CASCADE", pool);

    database_run(store, "DELETE FROM items");
    database_run(store, "UPDATE codes SET next = code");
    is_int(inbox_take(node, 2, "[" END(3, "b") "]", pool), 1,
           "%s: nor where only its own row refers to it", database_of(store));
    is_str(inbox_value(node, "SELECT count(*) FROM codes", pool), "0",
           "  which is deleted");
}

/* A change whose clock is far ahead is parked. The same batch changes the key:
 * the record does not end with that clock. */
static void test_ahead(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node =
        make_node(store, CM_CONFLICT_NEWEST, " ON UPDATE CASCADE", pool);

    database_run(store, "DELETE FROM outbound_messages");
    (void)inbox_take(
        node, 2,
        "[" CODE(3, "a", "update", 8000000000000000, "a",
                 ",\"base\":1000") "," NEW(4, "b") "," END(5, "b") "]",
        pool);
    is_str(inbox_value(node,
                       "SELECT count(*) FROM communicator_mappings"
                       " WHERE clock > 4000",
                       pool),
           "0", "%s: no record has a clock that is far ahead",
           database_of(store));
    is_str(inbox_value(node,
                       "SELECT count(*) FROM inbound_messages"
                       " WHERE processed_at IS NULL AND id = 3",
                       pool),
           "1", "  whose message is parked");
    is_str(inbox_value(node, "SELECT max(code) FROM codes", pool), "b",
           "  and the record that continues it has come");
}

/* Expect two items, both of the code CODE. The one that came late is sent
 * again: another node may have deleted its code before it hears of the new one.
 */
static void expect_both(cm_node_t *node, const char *code, const char *what,
                        apr_pool_t *pool)
{
    is_str(inbox_value(node,
                       apr_psprintf(pool,
                                    "SELECT count(*) FROM items"
                                    " WHERE code = '%s'",
                                    code),
                       pool),
           "2", "%s: %s: both refer to the new record",
           database_of(node->store), what);
    is_str(
        inbox_value(node, "SELECT count(*) FROM communicator_conflicts", pool),
        "0", "  and no value is lost");
    is_str(inbox_value(node,
                       "SELECT max(changed_columns) FROM outbound_messages"
                       " WHERE model = 'item' AND clock = 0",
                       pool),
           "[\"code\"]", "  and the late one is sent again");
}

/* The peer gives a child the record whose key was changed here, or came
 * changed; it does not know that yet. */
static void test_late_child(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node =
        make_node(store, CM_CONFLICT_NEWEST, " ON UPDATE CASCADE", pool);

    database_run(store, "DELETE FROM outbound_messages");
    database_run(store, "UPDATE codes SET code = 'c'");
    database_run(store, "UPDATE codes SET code = 'd'");
    is_int(inbox_take(node, 2, "[" ITEM_OF(3, 8) "]", pool), 1,
           "%s: a child of a record whose key was changed twice comes",
           database_of(store));
    expect_both(node, "d", "changed here", pool);
}

/* A hub: the change comes from one node, the child from another. */
static void test_late_at_hub(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node =
        make_node(store, CM_CONFLICT_NEWEST, " ON UPDATE CASCADE", pool);

    database_run(store, "DELETE FROM outbound_messages");
    (void)inbox_take(node, 2, "[" NEW(3, "b") "," END(4, "b") "]", pool);
    (void)inbox_take(node, 4, "[" ITEM_OF(5, 8) "]", pool);
    expect_both(node, "b", "in its row", pool);
}

/* The same where the row could not be renamed: the delete names the heir. */
static void test_late_by_delete(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, CM_CONFLICT_NEWEST, "", pool);

    database_run(store, "DELETE FROM outbound_messages");
    (void)inbox_take(node, 2, "[" NEW(3, "b") "," END(4, "b") "]", pool);
    (void)inbox_take(node, 4, "[" ITEM_OF(5, 8) "]", pool);
    expect_both(node, "b", "in a row of its own", pool);
    database_run(store, "DELETE FROM items");
    database_run(store, "DELETE FROM codes");
    (void)inbox_take(node, 5, "[" ITEM_OF(6, 9) "]", pool);
    is_str(inbox_value(node, "SELECT count(*) FROM items", pool), "0",
           "  but a child goes with a deleted one");
}

#define BACK(id)                                                               \
    CODE(id, "a\\u001f2", "create", 4000, "a", ",\"base\":3000" TO("b"))
#define BACK_END(id)                                                           \
    "{\"id\":" #id ",\"origin\":\"*\",\"original_id\":\"b\",\"action\":"       \
    "\"delete\",\"clock\":4001,\"base\":3000,"                                 \
    "\"body\":\"{\\\"code\\\":{}}\"" TO("a\\u001f2") "}"

/* Expect COUNT messages that are parked. */
static void expect_parked(cm_node_t *node, const char *count, const char *what,
                          apr_pool_t *pool)
{
    is_str(inbox_value(node,
                       "SELECT count(*) FROM inbound_messages"
                       " WHERE processed_at IS NULL",
                       pool),
           count, "%s: %s: %s are parked", database_of(node->store), what,
           count);
}

/* A node where keys are SHARED, or those of mapped records. */
static cm_node_t *make_back(cm_store_t *store, cm_conflict_e conflict,
                            const char *rule, int shared, apr_pool_t *pool)
{
    cm_settings_t *settings = make_settings(conflict, pool);

    inbox_model(settings, "code")->shared_keys = shared;
    return make_node_of(store, settings, rule, pool);
}

/* The key is changed, and changed back: the record that continues the first one
 * in the end has its key, so it has to wait for the delete of that one. In one
 * batch, or in two, the first of which ends behind message BORDER. */
static void test_back_by(cm_node_t *node, int border, apr_pool_t *pool)
{
    static const char *const messages[] = {NEW(3, "b"), END(4, "b"), BACK(5),
                                           BACK_END(6)};
    const char *batch = "[";
    int i, from = 2;

    database_run(node->store, "UPDATE codes SET name = 'mine'");
    for (i = 3; i <= 6; i++) {
        batch = apr_pstrcat(pool, batch, messages[i - 3],
                            i == border || i == 6 ? "]" : ",", NULL);
        if (i != border && i < 6)
            continue;
        (void)take(node, from, batch, pool);
        batch = "[";
        from = i;
    }
    expect_parked(node, "0", "a key is changed and changed back", pool);
    expect(node, "a", "back", pool);
    is_str(inbox_value(node, "SELECT name FROM codes", pool), "a",
           "  with the newer value");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM communicator_conflicts"
                       " WHERE column_name = 'name'",
                       pool),
           "1", "  and the older one is kept");
}

static void test_back(cm_store_t *store, apr_pool_t *pool)
{
    test_back_by(
        make_back(store, CM_CONFLICT_NEWEST, " ON UPDATE CASCADE", 1, pool), 6,
        pool);
}

static void test_back_border(cm_store_t *store, apr_pool_t *pool)
{
    test_back_by(
        make_back(store, CM_CONFLICT_NEWEST, " ON UPDATE CASCADE", 1, pool), 3,
        pool);
}

static void test_back_later(cm_store_t *store, apr_pool_t *pool)
{
    test_back_by(make_back(store, CM_CONFLICT_NEWEST, "", 1, pool), 4, pool);
}

static void test_back_last(cm_store_t *store, apr_pool_t *pool)
{
    test_back_by(make_back(store, CM_CONFLICT_NEWEST, "", 1, pool), 5, pool);
}

static void test_back_restricted(cm_store_t *store, apr_pool_t *pool)
{
    test_back_by(make_back(store, CM_CONFLICT_NEWEST, "", 1, pool), 6, pool);
}

static void test_back_mapped(cm_store_t *store, apr_pool_t *pool)
{
    test_back_by(
        make_back(store, CM_CONFLICT_NEWEST, " ON UPDATE CASCADE", 0, pool), 6,
        pool);
}

/* The same, and a person decides about the first record. */
static void test_back_held_by(cm_node_t *node, apr_pool_t *pool)
{
    database_run(node->store, "UPDATE codes SET name = 'mine'");
    (void)take(node, 2, "[" NEW(3, "b") "," END(4, "b") "]", pool);
    (void)take(node, 4, "[" BACK(5) "," BACK_END(6) "]", pool);
    expect_parked(node, "2", "a key is changed back, and conflicts", pool);
    (void)inbox_decide(node, 4, CM_DECIDE_THEIRS, pool);
    expect_parked(node, "0", "until a person has decided", pool);
    expect(node, "a", "back, held", pool);
}

static void test_back_held(cm_store_t *store, apr_pool_t *pool)
{
    test_back_held_by(make_back(store, CM_CONFLICT_HOLD, "", 1, pool), pool);
}

static void test_back_held_mapped(cm_store_t *store, apr_pool_t *pool)
{
    test_back_held_by(make_back(store, CM_CONFLICT_HOLD, "", 0, pool), pool);
}

int main(void)
{
    apr_initialize();
    database_each("renamed", test_renamed);
    database_each("changed here", test_changed);
    database_each("left behind", test_left_behind);
    database_each("referred to", test_restricted);
    database_each("in the way", test_in_the_way);
    database_each("held", test_held);
    database_each("unique", test_unique);
    database_each("unique, referred to", test_unique_restricted);
    database_each("unique, the last refused", test_unique_refused);
    database_each("unique, the last waits", test_unique_waits);
    database_each("away", test_away);
    database_each("away, alone", test_away_alone);
    database_each("away, itself", test_away_itself);
    database_each("ahead", test_ahead);
    database_each("late", test_late_child);
    database_each("late at a hub", test_late_at_hub);
    database_each("late, by the delete", test_late_by_delete);
    database_each("back", test_back);
    database_each("back, border", test_back_border);
    database_each("back, later", test_back_later);
    database_each("back, last", test_back_last);
    database_each("back, restricted", test_back_restricted);
    database_each("back, mapped", test_back_mapped);
    database_each("back, held", test_back_held);
    database_each("back, held, mapped", test_back_held_mapped);
    apr_terminate();
    return done_testing();
}
