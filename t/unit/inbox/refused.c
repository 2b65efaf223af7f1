/* The inbox: what the database refuses only at the end of a transaction, or
 * each time with an error that usually passes. Only the bad message is parked,
 * whatever the others depend on. */
#include "../inbox.h"

#include <string.h>

#include <apr_general.h>

#include "schema/migrate.h"
#include "operate/parked.h"

#define COUNT_PARKED                                                           \
    "SELECT count(*) FROM inbound_messages WHERE processed_at IS NULL"

/* A batch that grows: messages of models with shared keys. */
typedef struct letters_t {
    cm_buffer_t *buffer;
    apr_int64_t after, next;
    apr_pool_t *pool;
} letters_t;

static void begin(letters_t *letters, apr_int64_t after, apr_pool_t *pool)
{
    *letters =
        (letters_t){cm_buffer_create(4096, pool), after, after + 1, pool};
}

/* Add the record KEY of MODEL, with VALUE in COLUMN. */
static void add(letters_t *letters, const char *model, const char *key,
                const char *column, const char *text)
{
    cm_buffer_raw(
        letters->buffer,
        apr_psprintf(letters->pool,
                     "%s{\"id\":%" APR_INT64_T_FMT ",\"origin\":\"there\","
                     "\"original_id\":\"%s\",\"action\":\"create\","
                     "\"clock\":1000,\"body\":\"{\\\"%s\\\":{\\\"%s\\\":"
                     "\\\"%s\\\"}}\"}",
                     letters->next == letters->after + 1 ? "[" : ",",
                     letters->next, key, model, column, text));
    letters->next++;
}

static cm_error_t *deliver(cm_receipt_t **receipt, letters_t *letters,
                           cm_node_t *node)
{
    cm_buffer_append(letters->buffer, "]", 2);
    return inbox_send(receipt, node, "there", letters->after,
                      letters->buffer->data, 0, letters->pool);
}

/* A family whose keys are looked at when the transaction ends; the members of
 * a couple refer to each other. */
static void make_family(cm_store_t *store, apr_pool_t *pool)
{
    static const char late[] = " DEFERRABLE INITIALLY DEFERRED";
    int pgsql = cm_dialect_of_store(store)->database == CM_PGSQL;

    database_run(store, "CREATE TABLE parents (code varchar(40) NOT NULL"
                        " PRIMARY KEY, name varchar(40))");
    database_run(store,
                 apr_pstrcat(pool,
                             "CREATE TABLE children (code varchar(40) NOT NULL"
                             " PRIMARY KEY, parent varchar(40) NOT NULL"
                             " REFERENCES parents (code)",
                             late, ")", NULL));
    database_run(store,
                 apr_pstrcat(pool,
                             "CREATE TABLE husbands (code varchar(40) NOT NULL"
                             " PRIMARY KEY, wife varchar(40) NOT NULL",
                             pgsql ? ""
                                   : " REFERENCES wives (code) DEFERRABLE"
                                     " INITIALLY DEFERRED",
                             ")", NULL));
    database_run(store,
                 apr_pstrcat(pool,
                             "CREATE TABLE wives (code varchar(40) NOT NULL"
                             " PRIMARY KEY, husband varchar(40) NOT NULL"
                             " REFERENCES husbands (code)",
                             late, ")", NULL));
    if (pgsql)
        database_run(store, apr_pstrcat(pool,
                                        "ALTER TABLE husbands ADD FOREIGN KEY"
                                        " (wife) REFERENCES wives (code)",
                                        late, NULL));
}

static cm_node_t *family_node(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const models[][2] = {{"parent", "parents"},
                                            {"child", "children"},
                                            {"husband", "husbands"},
                                            {"wife", "wives"}};
    cm_settings_t *settings = settings_make(pool);
    cm_node_t *node;
    int i;

    settings_add_peer(settings, "there", pool);
    for (i = 0; i < 4; i++)
        settings_add_model(settings, models[i][0], models[i][1], "code", pool)
            ->shared_keys = 1;
    make_family(store, pool);
    settings_migrate(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    return node;
}

static void test_deferred(cm_store_t *store, apr_pool_t *pool)
{
    cm_receipt_t *receipt;
    letters_t letters;
    cm_node_t *node;
    int i;

    if (cm_dialect_of_store(store)->database == CM_MYSQL)
        return;
    node = family_node(store, pool);
    begin(&letters, 0, pool);
    add(&letters, "child", "early", "parent", "p");
    for (i = 0; i < 10; i++)
        add(&letters, "child", apr_psprintf(pool, "c%d", i), "parent",
            i == 5 ? "nobody" : "p");
    add(&letters, "parent", "p", "name", "P");
    database_must(deliver(&receipt, &letters, node));
    is_int(receipt->applied, 11, "%s: a key that is looked at late",
           database_of(store));
    is_int(receipt->parked->nelts, 1, "  parks its message alone");
    is_str(inbox_value(node,
                       "SELECT original_id FROM inbound_messages WHERE"
                       " processed_at IS NULL AND transient = 0 AND error LIKE"
                       " '%%oreign key%%'",
                       pool),
           "c5", "  with the database's words");
    is_str(inbox_value(node, "SELECT count(*) FROM children", pool), "10",
           "  the others are there");

    database_must(cm_inbox_retry(&receipt, node, "there", pool));
    is_int(receipt->parked->nelts, 1, "it stays parked when tried again");
    begin(&letters, 12, pool);
    add(&letters, "child", "c10", "parent", "no one");
    add(&letters, "parent", "nobody", "name", "N");
    database_must(deliver(&receipt, &letters, node));
    database_must(cm_inbox_retry(&receipt, node, "there", pool));
    is_int(receipt->applied, 1, "  until its parent is there");
    is_int(receipt->parked->nelts, 1, "  beside one that still cannot be");
    database_must(cm_parked_discard(node, "there", 13, pool));
    is_str(inbox_value(node, COUNT_PARKED, pool), "0", "  and is given up");
}

/* Records that need each other, in tables of their own, with bad ones between
 * and behind them. */
static void test_couples(cm_store_t *store, apr_pool_t *pool)
{
    cm_receipt_t *receipt;
    letters_t letters;
    cm_node_t *node;

    if (cm_dialect_of_store(store)->database == CM_MYSQL)
        return;
    node = family_node(store, pool);
    begin(&letters, 0, pool);
    add(&letters, "husband", "h1", "wife", "w1");
    add(&letters, "child", "c1", "parent", "nobody");
    add(&letters, "wife", "w1", "husband", "h1");
    add(&letters, "husband", "h2", "wife", "w2");
    add(&letters, "husband", "h3", "wife", "nobody");
    add(&letters, "wife", "w2", "husband", "h2");
    add(&letters, "child", "c2", "parent", "nobody");
    database_must(deliver(&receipt, &letters, node));
    is_int(receipt->applied, 4, "%s: couples are applied together",
           database_of(store));
    is_int(receipt->parked->nelts, 3, "  without those who have nobody");
    is_str(inbox_value(node, "SELECT count(*) FROM wives", pool), "2",
           "  as the table says");
    is_str(
        inbox_value(node, "SELECT count(*) FROM communicator_mappings", pool),
        "4", "  each under its name");
}

/* A later message of one of them is refused for good: it is parked alone. */
static void test_couple_later(cm_store_t *store, apr_pool_t *pool)
{
    cm_receipt_t *receipt;
    letters_t letters;
    cm_node_t *node;

    if (cm_dialect_of_store(store)->database == CM_MYSQL)
        return;
    node = family_node(store, pool);
    begin(&letters, 0, pool);
    add(&letters, "husband", "h1", "wife", "w1");
    add(&letters, "wife", "w1", "husband", "h1");
    /* of two values with one clock the greater one wins */
    add(&letters, "husband", "h1", "wife", "who?");
    database_must(deliver(&receipt, &letters, node));
    is_int(receipt->applied, 2,
           "%s: a couple is applied without what one of them says later",
           database_of(store));
    is_str(inbox_value(node, "SELECT wife FROM husbands", pool), "w1",
           "  as they were then");
    is_str(inbox_value(node,
                       "SELECT min(id) FROM inbound_messages"
                       " WHERE processed_at IS NULL",
                       pool),
           "3", "  and only that is parked");
}

/* Authors whose name is "bad NUMBER" are refused with this error, as if it
 * would pass: "once" only the first time. */
static int make_trigger(cm_store_t *store)
{
    switch (cm_dialect_of_store(store)->database) {
    case CM_PGSQL:
        database_run(store, "CREATE SEQUENCE tries");
        database_run(
            store,
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$"
            " BEGIN IF NEW.name LIKE 'bad %%' THEN RAISE EXCEPTION USING"
            " ERRCODE = substr(NEW.name, 5), MESSAGE = 'not this one'; END IF;"
            " IF NEW.name = 'once' AND nextval('tries') = 1 THEN"
            " RAISE EXCEPTION USING ERRCODE = '40001'; END IF;"
            " IF NEW.name = 'lost' THEN"
            " PERFORM pg_terminate_backend(pg_backend_pid()); END IF;"
            " RETURN NEW; END $$");
        database_run(store, "CREATE TRIGGER refuse BEFORE INSERT ON authors"
                            " FOR EACH ROW EXECUTE FUNCTION refuse()");
        return 1;
    case CM_MYSQL:
        database_run(
            store,
            "CREATE TRIGGER refuse BEFORE INSERT ON authors FOR EACH ROW"
            " BEGIN DECLARE number integer;"
            " IF NEW.name LIKE 'bad %%' THEN"
            " SET number = CAST(substr(NEW.name, 5) AS unsigned); SIGNAL "
            "SQLSTATE '45000' SET"
            " MYSQL_ERRNO = number, MESSAGE_TEXT = 'not this one'; END IF;"
            " IF NEW.name = 'once' THEN"
            " SET @tries = COALESCE(@tries, 0) + 1; IF @tries = 1 THEN"
            " SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213; END IF; END IF;"
            " END");
        return 1;
    default:
        return 0;
    }
}

static void add_author(letters_t *letters, const char *name)
{
    add(letters, "author", name, "name", name);
}

static void test_each_time(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const codes[][5] = {
        {NULL},
        {"40001", "57014", "53000", "08006", "40P01"},
        {"1020", "1205", "1213", "01205", "01020"}};
    int database = cm_dialect_of_store(store)->database, i;
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);
    cm_receipt_t *receipt;
    letters_t letters;

    if (!make_trigger(store))
        return;
    begin(&letters, 0, pool);
    for (i = 0; i < 30; i++)
        add_author(&letters,
                   i % 6 == 2
                       ? apr_pstrcat(pool, "bad ", codes[database][i / 6], NULL)
                       : apr_psprintf(pool, "n%d", i));
    database_must(deliver(&receipt, &letters, node));
    is_int(receipt->applied, 25, "%s: an error that comes each time",
           database_of(store));
    is_int(receipt->parked->nelts, 5, "  parks its messages alone");
    is_str(
        inbox_value(node,
                    "SELECT count(*) FROM inbound_messages WHERE transient = 0"
                    " AND attempts = 1 AND error LIKE '%%not this one%%'",
                    pool),
        "5", "  for a person, with the database's words");
    is_int(receipt->received, 30, "  and nothing waits");
    database_must(cm_inbox_retry(&receipt, node, "there", pool));
    is_int(receipt->parked->nelts, 5, "they stay when tried again");
    is_str(
        inbox_value(node, "SELECT max(attempts) FROM inbound_messages", pool),
        "2", "  which is counted");
    database_run(store, database == CM_PGSQL ? "DROP TRIGGER refuse ON authors"
                                             : "DROP TRIGGER refuse");
    database_must(cm_inbox_retry(&receipt, node, "there", pool));
    is_int(receipt->applied, 5, "  until the trigger is gone");
}

static void test_passing(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);
    cm_receipt_t *receipt;
    letters_t letters;

    if (!make_trigger(store))
        return;
    begin(&letters, 0, pool);
    add_author(&letters, "one");
    add_author(&letters, "once");
    database_must(deliver(&receipt, &letters, node));
    is_int(receipt->applied, 2, "%s: an error that passes parks nothing",
           database_of(store));
    if (cm_dialect_of_store(store)->database != CM_PGSQL)
        return;
    begin(&letters, 2, pool);
    add_author(&letters, "two");
    add_author(&letters, "lost");
    ok(database_fails(deliver(&receipt, &letters, node), CM_UNAVAILABLE,
                      "a lost connection"),
       "nor does a connection that is really lost");
    is_str(inbox_value(node, "SELECT sum(messages) FROM communicator_received",
                       pool),
           "2", "  what comes then is not kept");
}

/* A record for which a bad one waits is not to blame for it. */
static void test_released(cm_store_t *store, apr_pool_t *pool)
{
    const char *code =
        cm_dialect_of_store(store)->database == CM_MYSQL ? "1213" : "40001";
    const char *waits = apr_psprintf(
        pool,
        "[" MESSAGE(1, "author", 1, "create", 1000,
                    TEXT("name", "bad %s") "," TEXT("best_id", "9"),
                    REF("best_id", "post", 9)) "]",
        code);
    static const char comes[] = "[" MESSAGE(
        2, "post", 9, "create", 1000,
        TEXT("title", "a"), ) "," MESSAGE(3, "author", 2, "create", 1000,
                                          TEXT("name", "b"), ) "]";
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);

    if (!make_trigger(store))
        return;
    is_int(inbox_take(node, 0, waits, pool), 0, "%s: a bad one waits",
           database_of(store));
    is_int(inbox_take(node, 1, comes, pool), 2,
           "  what it waits for is applied");
    is_str(inbox_value(node,
                       "SELECT id FROM inbound_messages"
                       " WHERE processed_at IS NULL AND transient = 0",
                       pool),
           "1", "  and it is parked for a person");
}

/* A gem's list may stand in disorder, and is applied in parts anyway. */
static void test_gem(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const names[] = {"e", "bad 40001", "c", "d"};
    static const int ids[] = {5, 2, 3, 4};
    cm_buffer_t *buffer = cm_buffer_create(1024, pool);
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);
    cm_receipt_t *receipt;
    int i;

    if (!make_trigger(store))
        return;
    for (i = 0; i < 4; i++)
        cm_buffer_raw(buffer,
                      apr_psprintf(pool,
                                   "%s{\"id\":%d,\"origin\":\"gem\","
                                   "\"original_id\":%d,\"body\":"
                                   "\"{\\\"author\\\":{\\\"name\\\":"
                                   "\\\"%s\\\"}}\"}",
                                   i ? "," : "[", ids[i], ids[i], names[i]));
    cm_buffer_append(buffer, "]", 2);
    database_must(
        inbox_send(&receipt, node, "there", 4, buffer->data, 1, pool));
    is_int(receipt->applied, 3, "%s: a gem's list in disorder",
           database_of(store));
    is_int(receipt->parked->nelts, 1, "  of which one is parked");
    is_int(receipt->received, 5, "  is held up to its end");
}

/* The row of one record cannot be read: as a trigger of ours that wrote what
 * is no JSON would leave it. */
static void test_unreadable(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);
    const cm_table_t *table;
    cm_receipt_t *receipt;
    cm_table_t *broken;
    letters_t letters;
    const char *name;
    int i;

    begin(&letters, 0, pool);
    for (i = 0; i < 6; i++)
        add_author(&letters, apr_psprintf(pool, "n%d", i));
    database_must(deliver(&receipt, &letters, node));
    database_must(cm_node_table(
        &table, node, cm_settings_model(node->settings, "author"), pool));
    broken = (cm_table_t *)table;
    broken->capture = apr_pstrcat(pool, "CASE t.name WHEN 'n3' THEN '{' ELSE ",
                                  table->capture, " END", NULL);
    begin(&letters, 6, pool);
    for (i = 0; i < 6; i++) {
        name = apr_psprintf(pool, "n%d", i);
        add(&letters, "author", name, "born", "2001-02-03");
    }
    database_must(deliver(&receipt, &letters, node));
    is_int(receipt->applied, 5, "%s: a row that cannot be read",
           database_of(store));
    is_str(inbox_value(node,
                       "SELECT original_id FROM inbound_messages"
                       " WHERE processed_at IS NULL AND transient = 0",
                       pool),
           "n3", "  parks the message for it alone");
}

/* The first message of a record is refused, and all of them together wait for
 * a parent: neither reason may get lost. */
static void test_waits_behind(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);
    cm_receipt_t *receipt;

    database_must(inbox_send(
        &receipt, node, "there", 0,
        "[" MESSAGE(1, "post", 5, "create", 1000, NONE("title"), ) "," MESSAGE(
            2, "post", 5, "update", 2000,
            TEXT("title", "a") ",\\\"author_id\\\":9",
            BASE(1000) REF("author_id", "author", 3)) "]",
        0, pool));
    is_int(receipt->parked->nelts, 2,
           "%s: a refused message waits with the one that mends it",
           database_of(store));
    ok(strstr(APR_ARRAY_IDX(receipt->parked, 0, cm_parked_t).reason,
              "author") != NULL,
       "  and says for what");
    database_must(cm_inbox_retry(&receipt, node, "there", pool));
    is_int(receipt->parked->nelts, 2, "  also when it is retried");
    is_int(inbox_take(node, 2, "[" AUTHOR(3, 3, "one") "]", pool), 3,
           "both come with the parent");
}

/* A message that cannot be read is kept as it was received. */
static void test_as_received(cm_store_t *store, apr_pool_t *pool)
{
    static const char why[] = "SELECT error FROM inbound_messages";
    cm_settings_t *settings = inbox_settings(pool);
    cm_receipt_t *receipt;
    const char *reason;
    cm_node_t *node;

    inbox_tables(store, pool);
    settings_migrate(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    (void)inbox_take(
        node, 0,
        "[" MESSAGE(1, "author", 3, "creete", 1000, TEXT("name", "a"), ) "]",
        pool);
    reason = inbox_value(node, why, pool);
    is_str(reason, "the action is unknown", "%s: a message that cannot be read",
           database_of(store));
    database_must(cm_inbox_retry(&receipt, node, "there", pool));
    is_str(inbox_value(node, why, pool), reason,
           "  is parked for the same reason when it is retried");
    database_run(store, "UPDATE inbound_messages SET body ="
                        " replace(body, 'creete', 'create')");
    database_must(cm_inbox_retry(&receipt, node, "there", pool));
    is_str(inbox_value(node, "SELECT name FROM authors", pool), "a",
           "  and applied once it can be read");
}

int main(void)
{
    apr_initialize();
    database_each("deferred", test_deferred);
    database_each("couples", test_couples);
    database_each("couple, refused later", test_couple_later);
    database_each("each time", test_each_time);
    database_each("passing", test_passing);
    database_each("released", test_released);
    database_each("gem", test_gem);
    database_each("waits behind", test_waits_behind);
    database_each("unreadable", test_unreadable);
    database_each("as received", test_as_received);
    apr_terminate();
    return done_testing();
}
