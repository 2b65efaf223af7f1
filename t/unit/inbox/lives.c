/* keys=shared: a key that is deleted and given again is a new record, a later
 * life, with the same row. What is parked of an earlier life must not be
 * overtaken, and must not touch the row of a later one. */
#include "../inbox.h"

#include <apr_general.h>

#include "node/node.h"
#include "operate/parked.h"
#include "outbox/stamp.h"
#include "store/dialect.h"

#define AHEAD "8000000000000000" /* two centuries ahead */

static cm_settings_t *make_settings(int deletes, apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    cm_model_t *model;

    settings_add_peer(settings, "there", pool);
    settings_add_peer(settings, "elsewhere", pool);
    model = settings_add_model(settings, "code", "codes", "id", pool);
    model->shared_keys = 1;
    model->deletes = deletes;
    model = settings_add_model(settings, "item", "items", "id", pool);
    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "code_id", .model = "code"};
    return settings;
}

static cm_node_t *open_node(cm_store_t *store, int deletes, apr_pool_t *pool)
{
    cm_node_t *node;

    database_must(
        cm_node_open(&node, make_settings(deletes, pool), store, pool));
    return node;
}

static cm_node_t *make_node(cm_store_t *store, int deletes, apr_pool_t *pool)
{
    database_run(store,
                 "CREATE TABLE codes (id varchar(40) NOT NULL PRIMARY KEY,"
                 " name varchar(40))");
    database_run(store, "CREATE TABLE items (id integer NOT NULL PRIMARY KEY,"
                        " code_id varchar(40))");
    settings_migrate(store, make_settings(deletes, pool), pool);
    return open_node(store, deletes, pool);
}

/* A message about the record ID ("k", "k\u001f2") with these attributes. */
static const char *message(int number, const char *id, const char *action,
                           const char *clock, const char *name,
                           apr_pool_t *pool)
{
    return apr_psprintf(
        pool,
        "[{\"id\":%d,\"origin\":\"*\",\"original_id\":\"%s\","
        "\"action\":\"%s\",\"clock\":%s,\"body\":\"{\\\"code\\\":{"
        "\\\"id\\\":\\\"k\\\"%s%s%s}}\"}]",
        number, id, action, clock, name ? ",\\\"name\\\":\\\"" : "",
        name ? name : "", name ? "\\\"" : "");
}

/* Let PEER send one message; returns how many took effect. */
static int take(cm_node_t *node, const char *peer, int number, const char *id,
                const char *action, const char *clock, const char *name,
                apr_pool_t *pool)
{
    cm_receipt_t *receipt;

    database_must(inbox_send(&receipt, node, peer, number - 1,
                             message(number, id, action, clock, name, pool), 0,
                             pool));
    return receipt->applied;
}

static const char *name_of(cm_node_t *node, apr_pool_t *pool)
{
    return database_value(node->store, "SELECT name FROM codes WHERE id = 'k'",
                          pool);
}

/* A person lets the parked messages IDS take effect. */
static int retry(cm_node_t *node, int count, const apr_int64_t *ids,
                 apr_pool_t *pool)
{
    apr_array_header_t *list = apr_array_make(pool, 4, sizeof(apr_int64_t));
    cm_receipt_t *receipt;
    int i;

    for (i = 0; i < count; i++)
        APR_ARRAY_PUSH(list, apr_int64_t) = ids[i];
    database_must(cm_inbox_retry_decided(&receipt, node, "there", list,
                                         CM_DECIDE_THEIRS, pool));
    return receipt->applied;
}

static void test_delete_parked(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, 1, pool);
    const apr_int64_t delete[] = {2}, create[] = {3};

    is_int(take(node, "there", 1, "k", "create", "1000", "one", pool), 1,
           "%s: the first life is created", database_of(store));
    is_int(take(node, "there", 2, "k", "delete", AHEAD, NULL, pool), 0,
           "%s: its delete is parked", database_of(store));
    is_int(take(node, "there", 3, "k\\u001f2", "create", "2000", "two", pool),
           0, "%s: the next life waits for it", database_of(store));
    is_str(name_of(node, pool), "one", "%s: the row is still the first one's",
           database_of(store));
    is_int(retry(node, 1, create, pool), 0,
           "%s: nor does a person's retry overtake it", database_of(store));
    is_int(retry(node, 1, delete, pool), 2,
           "%s: the delete takes effect, and the next life",
           database_of(store));
    is_str(name_of(node, pool), "two", "%s: which has the row",
           database_of(store));
    is_str(database_value(node->store,
                          "SELECT local_record_id FROM communicator_missing",
                          pool),
           "k", "%s: and what refers to the key will be published",
           database_of(store));
}

/* Both messages of the first life are parked, and retried after it is over. */
static void test_life_parked(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, 1, pool);
    const apr_int64_t first[] = {1, 2};

    take(node, "there", 1, "k", "create", AHEAD, "one", pool);
    take(node, "there", 2, "k", "delete", AHEAD, NULL, pool);
    is_int(take(node, "there", 3, "k\\u001f2", "create", "2000", "two", pool),
           0, "%s: a life waits for one that was never here",
           database_of(store));
    is_int(retry(node, 2, first, pool), 3,
           "%s: that one comes and goes, and brings the later life along",
           database_of(store));
    is_int(take(node, "there", 4, "k\\u001f2", "update", "3000", "new", pool),
           1, "%s: whose next message takes effect", database_of(store));
    is_str(name_of(node, pool), "new", "%s: the row is the later life's",
           database_of(store));
}

/* deletes=no: the row of the first life stays, and the next one has it. */
static void test_taken_over(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, 0, pool);

    take(node, "there", 1, "k", "create", "1000", "one", pool);
    take(node, "there", 2, "k", "delete", "1500", NULL, pool);
    is_str(name_of(node, pool), "one", "%s: a delete is ignored",
           database_of(store));
    is_int(take(node, "there", 3, "k\\u001f2", "create", "2000", "two", pool),
           1, "%s: the next life takes the row over", database_of(store));
    is_str(name_of(node, pool), "two", "%s: with its values",
           database_of(store));
    node = open_node(store, 1, pool);
    take(node, "elsewhere", 1, "k", "delete", "1500", NULL, pool);
    is_str(name_of(node, pool), "two",
           "%s: a late delete of the first life does not touch it",
           database_of(store));
    take(node, "there", 4, "k\\u001f2", "update", "3000", "new", pool);
    is_str(name_of(node, pool), "new", "%s: updates of the later life do",
           database_of(store));
    take(node, "there", 5, "k\\u001f2", "delete", "4000", NULL, pool);
    is_str(database_value(node->store, "SELECT count(*) FROM codes", pool), "0",
           "%s: and so does its delete", database_of(store));
}

/* A person gives up one message of a later life while another one stays
 * parked. */
static void test_decided(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, 1, pool);

    take(node, "there", 1, "k", "create", "1000", "one", pool);
    take(node, "there", 2, "k", "delete", "1500", NULL, pool);
    take(node, "there", 3, "k\\u001f2", "create", "2000", "two", pool);
    inbox_model((cm_settings_t *)node->settings, "code")->conflict =
        CM_CONFLICT_HOLD;
    database_run(store, "UPDATE codes SET name = 'here'");
    is_int(take(node, "there", 4, "k\\u001f2", "update", "3000,\"base\":2000",
                "there", pool),
           0, "%s: a conflict is held", database_of(store));
    take(node, "there", 5, "k\\u001f2", "update", AHEAD, "ahead", pool);
    database_must(cm_parked_discard(node, "there", 4, pool));
    is_str(name_of(node, pool), "here", "%s: a person keeps ours",
           database_of(store));
    is_str(database_value(node->store,
                          "SELECT id FROM inbound_messages"
                          " WHERE processed_at IS NULL",
                          pool),
           "5", "%s: the other message stays", database_of(store));
}

/* An item of the code, as the peer has it. */
static const char *item(int number, const char *code, const char *clock,
                        apr_pool_t *pool)
{
    return apr_psprintf(
        pool,
        "[{\"id\":%d,\"origin\":\"there\",\"original_id\":\"5\","
        "\"action\":\"%s\",\"clock\":%s,\"body\":\"{\\\"item\\\":{"
        "\\\"code_id\\\":\\\"x\\\"}}\",\"refs\":{\"code_id\":"
        "{\"model\":\"code\",\"origin\":\"*\",\"original_id\":\"%s\"}}}]",
        number, number % 2 ? "update" : "create", clock, code);
}

/* Return the message in a list of one. */
static const char *inside(const char *list, apr_pool_t *pool)
{
    return apr_pstrndup(pool, list + 1, strlen(list) - 2);
}

/* A key is used again at once (REPLACE), and a foreign key here refuses the
 * delete: the row stays, and is the new record's. */
static void test_refused(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node;
    cm_receipt_t *receipt;

    database_run(store,
                 "CREATE TABLE codes (id varchar(40) NOT NULL PRIMARY KEY,"
                 " name varchar(40))");
    database_run(store, "CREATE TABLE items (id integer NOT NULL PRIMARY KEY,"
                        " code_id varchar(40) NOT NULL,"
                        " FOREIGN KEY (code_id) REFERENCES codes (id))");
    settings_migrate(store, make_settings(1, pool), pool);
    node = open_node(store, 1, pool);
    is_int(take(node, "there", 1, "k", "create", "1000", "one", pool), 1,
           "%s: a code comes", database_of(store));
    database_must(inbox_send(&receipt, node, "there", 1,
                             item(2, "k", "1001", pool), 0, pool));
    is_int(receipt->applied, 1, "%s: and an item of it", database_of(store));
    is_int(take(node, "there", 3, "k", "delete", "2000", NULL, pool), 0,
           "%s: the item refuses that the code is deleted", database_of(store));
    is_int(take(node, "there", 4, "k\\u001f2", "create", "2001", "two", pool),
           2, "%s: the next life has its row", database_of(store));
    is_str(name_of(node, pool), "two", "%s:   and its own values",
           database_of(store));
    database_must(inbox_send(&receipt, node, "there", 4,
                             item(5, "k\\u001f2", "2002", pool), 0, pool));
    is_int(receipt->applied, 1, "%s: the item finds it", database_of(store));
    is_str(database_value(node->store,
                          "SELECT count(*) FROM communicator_mappings WHERE"
                          " original_id = 'k' AND deleted_at > 0"
                          " AND local_record_id IS NULL",
                          pool),
           "1", "%s: the first life is over", database_of(store));
    is_str(database_value(node->store,
                          "SELECT count(*) FROM inbound_messages WHERE"
                          " processed_at IS NULL",
                          pool),
           "0", "%s: nothing is parked", database_of(store));
}

/* The application counts the items of a code. */
static void add_trigger(cm_store_t *store, apr_pool_t *pool)
{
    const char *update =
        "UPDATE codes SET name = 'counted' WHERE id = NEW.code_id;";
    const char *body = apr_psprintf(pool, "BEGIN %s END", update);

    if (cm_dialect_of_store(store)->database == CM_PGSQL) {
        database_run(
            store, apr_psprintf(
                       pool,
                       "CREATE FUNCTION count_items() RETURNS trigger LANGUAGE"
                       " plpgsql AS $$BEGIN %s RETURN NULL; END$$",
                       update));
        body = "EXECUTE FUNCTION count_items()";
    }
    database_run(store, apr_pstrcat(pool,
                                    "CREATE TRIGGER count_items AFTER INSERT ON"
                                    " items FOR EACH ROW ",
                                    body, NULL));
}

/* A trigger changes the new record in the batch in which its key was used
 * again. */
static void test_counted(cm_store_t *store, apr_pool_t *pool)
{
    const char *again = "{\"id\":2,\"origin\":\"*\",\"original_id\":\"k\","
                        "\"action\":\"delete\",\"clock\":2000,\"body\":"
                        "\"{\\\"code\\\":{}}\"}";
    cm_node_t *node = make_node(store, 1, pool);
    cm_receipt_t *receipt;
    apr_int64_t stamped;

    add_trigger(store, pool);
    (void)take(node, "there", 1, "k", "create", "1000", "one", pool);
    database_must(inbox_send(
        &receipt, node, "there", 1,
        apr_psprintf(
            pool, "[%s,%s,%s]", again,
            inside(message(3, "k\\u001f2", "create", "2001", "two", pool),
                   pool),
            inside(item(4, "k\\u001f2", "2002", pool), pool)),
        0, pool));
    is_int(receipt->applied, 3, "%s: a key is used again, and its row counts",
           database_of(store));
    is_str(name_of(node, pool), "counted", "%s:   what the trigger says",
           database_of(store));
    database_must(cm_stamp_all(&stamped, node, pool));
    is_int((int)stamped, 1, "%s:   which is sent", database_of(store));
}

/* CommunicatorOnError stop: the batch that deletes a code, whose row comes
 * back, uses its key again; and its first message needs a value of that code.
 */
static void test_put_back(cm_store_t *store, apr_pool_t *pool)
{
    static const char three[] =
        "[{\"id\":2,\"origin\":\"*\",\"original_id\":\"n\",\"action\":"
        "\"create\",\"clock\":2000,\"body\":\"{\\\"code\\\":{\\\"id\\\":"
        "\\\"n\\\",\\\"name\\\":\\\"one\\\"}}\"},{\"id\":3,\"origin\":\"*\","
        "\"original_id\":\"k\",\"action\":\"delete\",\"clock\":2000,"
        "\"body\":\"{\\\"code\\\":{}}\"},%s]";
    cm_receipt_t *receipt;
    cm_node_t *node;
    cm_error_t *err;

    if (cm_dialect_of_store(store)->database == CM_MYSQL)
        return;
    node = make_node(store, 1, pool);
    database_run(store, "CREATE UNIQUE INDEX codes_name ON codes (name)");
    inbox_put_back(store, "codes", pool);
    (void)take(node, "there", 1, "k", "create", "1000", "one", pool);
    ((cm_settings_t *)node->settings)->on_error = CM_ON_ERROR_STOP;
    err = inbox_send(&receipt, node, "there", 1,
                     apr_psprintf(pool, three,
                                  inside(message(4, "k\\u001f2", "create",
                                                 "2001", "two", pool),
                                         pool)),
                     0, pool);
    ok(!err, "%s: a row that comes back stops no batch", database_of(store));
    is_int(err ? 0 : receipt->applied, 3, "  each of its messages counts once");
    is_str(inbox_value(node, "SELECT count(*) FROM codes", pool), "2",
           "  and both codes are here");
    is_str(inbox_value(node, "SELECT name FROM codes WHERE id = 'k'", pool),
           "back", "  with the value that was put back");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM outbound_messages o JOIN"
                       " communicator_mappings m ON o.original_id ="
                       " m.original_id AND o.clock = m.clock WHERE"
                       " m.local_record_id = 'k' AND o.clock > 3000",
                       pool),
           "1", "  which is sent");
}

/* Expect the delete of the code 'k' to be the last message for PEER. */
static void expect_handed_on(cm_node_t *node, const char *peer,
                             apr_int64_t clock, apr_pool_t *pool)
{
    const apr_array_header_t *messages =
        inbox_outgoing(node, peer, pool)->messages;
    const cm_message_t *last =
        messages->nelts
            ? APR_ARRAY_IDX(messages, messages->nelts - 1, const cm_message_t *)
            : NULL;

    is_int(last ? (int)last->action : -1, CM_DELETE, "  a delete is handed on");
    is_str(last ? last->identity.original_id : NULL, "k",
           "  of the record before");
    is_int(last ? last->clocks.clock : 0, clock, "  with its clock");
}

/* A hub: a record gets another key, and its delete comes in the next batch. It
 * is older than a column that only the hub and others have. */
static void test_delete_forwarded(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, 1, pool);

    (void)take(node, "there", 1, "k", "create", "1000", NULL, pool);
    database_run(store, "UPDATE codes SET name = 'mine'");
    (void)inbox_take(node, 1,
                     "[{\"id\":2,\"origin\":\"*\",\"original_id\":\"m\","
                     "\"action\":\"create\",\"clock\":3000,\"base\":1000,"
                     "\"body\":\"{\\\"code\\\":{\\\"id\\\":\\\"m\\\"}}\","
                     "\"refs\":{\"\":[\"code\",\"k\"]}}]",
                     pool);
    is_str(inbox_value(node, "SELECT name FROM codes WHERE id = 'm'", pool),
           "mine", "%s: a row gets another key, with what is newer here",
           database_of(store));
    (void)inbox_take(node, 2,
                     "[{\"id\":3,\"origin\":\"*\",\"original_id\":\"k\","
                     "\"action\":\"delete\",\"clock\":3000,\"base\":1000,"
                     "\"body\":\"{\\\"code\\\":{}}\","
                     "\"refs\":{\"\":[\"code\",\"m\"]}}]",
                     pool);
    expect_handed_on(node, "elsewhere", 3000, pool);
}

/* deletes=no, until a later life has the row: then the delete comes, and is
 * older than what was changed here. */
static void test_late_forwarded(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, 0, pool);

    (void)take(node, "there", 1, "k", "create", "1000", "one", pool);
    database_run(store, "UPDATE codes SET name = 'mine'");
    is_int(take(node, "there", 2, "k\\u001f2", "create", "2000", "two", pool),
           1, "%s: the next life takes the row over", database_of(store));
    node = open_node(store, 1, pool);
    (void)take(node, "elsewhere", 1, "k", "delete", "1500", NULL, pool);
    expect_handed_on(node, "there", 1500, pool);
}

int main(void)
{
    apr_initialize();
    database_each("delete parked", test_delete_parked);
    database_each("life parked", test_life_parked);
    database_each("taken over", test_taken_over);
    database_each("decided", test_decided);
    database_each("refused", test_refused);
    database_each("counted", test_counted);
    database_each("put back", test_put_back);
    database_each("delete forwarded", test_delete_forwarded);
    database_each("late delete forwarded", test_late_forwarded);
    apr_terminate();
    return done_testing();
}
