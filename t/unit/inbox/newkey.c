/* newkey=max: a new record whose key is taken here gets another one, and what
 * refers to it follows. */
#include "../inbox.h"

#include <apr_general.h>
#include <apr_strings.h>

#include "store/dialect.h"
#include "config/key.h"
#include "node/node.h"
#include "inbox/inbox.h"

#define INVOICE(id, original, text)                                            \
    MESSAGE(id, "invoice", original, "create", 1000, TEXT("title", text), )
#define LINE(id, original, invoice)                                            \
    MESSAGE(id, "line", original, "create", 1000,                              \
            TEXT("title", "line") ",\\\"invoice_id\\\":99",                    \
            REF("invoice_id", "invoice", invoice))

static cm_node_t *make_node(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_model_t *model;

    database_run(store, "CREATE TABLE invoices (id integer NOT NULL,"
                        " title varchar(40), UNIQUE (id))");
    database_run(store, "CREATE TABLE invoice_lines (id integer NOT NULL,"
                        " title varchar(40), invoice_id integer NOT NULL,"
                        " UNIQUE (id))");
    settings_add_model(settings, "invoice", "invoices", "id", pool)
        ->counts_keys = 1;
    model = settings_add_model(settings, "line", "invoice_lines", "id", pool);
    model->counts_keys = 1;
    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "invoice_id", .model = "invoice"};
    cm_key_complete(settings);
    return inbox_node(store, settings, pool);
}

static const char *key_of(cm_node_t *node, const char *title, apr_pool_t *pool)
{
    const char *key = inbox_value(
        node,
        apr_psprintf(pool, "SELECT id FROM invoices WHERE title = '%s'", title),
        pool);

    return key ? key : "none";
}

static void test_taken(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, pool);

    database_run(store, "INSERT INTO invoices (id, title) VALUES (1, 'own'),"
                        " (2, 'own'), (3, 'own')");
    is_int(inbox_take(node, 0,
                      "[" INVOICE(1, 1, "a") "," INVOICE(2, 2, "b") //
                      "," INVOICE(3, 7, "c") "," INVOICE(4, 3, "d") //
                      "," LINE(5, 1, 2) "," LINE(6, 2, 7) "]",
                      pool),
           6, "%s: records whose keys are taken", database_of(store));
    is_str(key_of(node, "c", pool), "7", "  a free key is taken over");
    is_str(key_of(node, "a", pool), "8", "  the others count on behind it");
    is_str(key_of(node, "d", pool), "10", "  all of them");
    is_str(inbox_value(node,
                       "SELECT i.title FROM invoices i JOIN invoice_lines l"
                       " ON l.invoice_id = i.id WHERE l.id = 1",
                       pool),
           "b", "  and what refers to them follows");
    is_str(inbox_value(
               node, "SELECT count(*) FROM invoices WHERE title = 'own'", pool),
           "3", "  the rows here stay");
    is_int(inbox_take(node, 6,
                      "[" MESSAGE(7, "invoice", 2, "update", 2000,
                                  TEXT("title", "new"), BASE(1000)) //
                      "," INVOICE(8, 8, "e") "," LINE(9, 3, 8) "]",
                      pool),
           3, "  later messages");
    is_str(key_of(node, "new", pool), "9", "  find the row");
    is_str(key_of(node, "e", pool), "11",
           "  also where the key was given here");
    is_str(inbox_value(
               node, "SELECT invoice_id FROM invoice_lines WHERE id = 3", pool),
           "11", "  with what refers to it");
}

/* Keys that are no numbers, or none at all. */
static void test_unfit(cm_store_t *store, apr_pool_t *pool)
{
    static const char gem[] =
        "[{\"id\":2,\"body\":\"{\\\"invoice\\\":{\\\"title\\\":\\\"b\\\"}}\"}]";
    cm_node_t *node = make_node(store, pool);
    cm_receipt_t *receipt;

    is_int(inbox_take(node, 0, "[" INVOICE(1, "x-1", "a") "]", pool), 1,
           "%s: a key that is no number", database_of(store));
    is_str(key_of(node, "a", pool), "1", "  becomes one");
    database_must(inbox_send(&receipt, node, "there", 1, gem, 1, pool));
    is_str(key_of(node, "b", pool), "2", "  so does none");
    database_run(
        store,
        apr_psprintf(pool, "INSERT INTO invoices (id, title) VALUES (%s, 'z')",
                     cm_dialect_of_store(store)->database == CM_SQLITE3
                         ? "9223372036854775807"
                         : "2147483647"));
    is_int(inbox_take(node, 2, "[" INVOICE(3, 1, "c") "]", pool), 0,
           "  where there is no higher number");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM inbound_messages WHERE id = 3 AND"
                       " processed_at IS NULL AND error IS NOT NULL",
                       pool),
           "1", "  it is parked");
}

/* A key that the same batch frees is not taken. */
static void test_freed(cm_store_t *store, apr_pool_t *pool)
{
    static const char again[] =
        "{\"id\":3,\"origin\":\"there\",\"original_id\":\"3\\u001f2\","
        "\"action\":\"create\",\"clock\":3000,"
        "\"body\":\"{\\\"invoice\\\":{\\\"title\\\":\\\"b\\\"}}\"}";
    cm_node_t *node = make_node(store, pool);

    (void)inbox_take(node, 0, "[" INVOICE(1, 3, "a") "]", pool);
    is_int(inbox_take(node, 1,
                      apr_pstrcat(pool,
                                  "[" MESSAGE(2, "invoice", 3, "delete", 2000, ,
                                              BASE(1000)) ",",
                                  again, "]", NULL),
                      pool),
           2, "%s: a key that is used again", database_of(store));
    is_str(key_of(node, "b", pool), "3", "  is the same here");
    is_str(key_of(node, "a", pool), "none", "  the record before it is gone");
}

/* Let each new tag make an invoice, as an application would meanwhile. */
static void make_trigger(cm_store_t *store, apr_pool_t *pool)
{
    static const char insert[] = "INSERT INTO invoices (id, title) SELECT"
                                 " coalesce(max(id), 0) + 1, 'trigger' FROM"
                                 " invoices";
    const cm_database_e database = cm_dialect_of_store(store)->database;

    if (database == CM_PGSQL)
        database_run(store, apr_psprintf(pool,
                                         "CREATE FUNCTION bill() RETURNS"
                                         " trigger LANGUAGE plpgsql AS $$ BEGIN"
                                         " %s; RETURN NEW; END $$",
                                         insert));
    database_run(
        store,
        apr_psprintf(pool, "CREATE TRIGGER bills AFTER INSERT ON tags %s%s%s",
                     database == CM_SQLITE3 ? "BEGIN " : "FOR EACH ROW ",
                     database == CM_PGSQL ? "EXECUTE FUNCTION bill()" : insert,
                     database == CM_SQLITE3 ? "; END" : ""));
}

/* Somebody else takes the next number before the row is written. */
static void test_raced(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, pool);

    database_run(store, "INSERT INTO invoices (id, title) VALUES (1, 'own')");
    make_trigger(store, pool);
    is_int(inbox_take(node, 0,
                      "[" MESSAGE(1, "tag", 1, "create", 1000,
                                  TEXT("name", "red"), ) //
                      "," INVOICE(2, 1, "a") "," INVOICE(3, 2, "b") "]",
                      pool),
           3, "%s: others take the next number", database_of(store));
    is_str(inbox_value(node, "SELECT count(DISTINCT id) FROM invoices", pool),
           "4", "  each row has a number of its own");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM inbound_messages WHERE"
                       " processed_at IS NULL",
                       pool),
           "0", "  nothing is parked");
}

static void test_refused(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_error_t *err;

    database_run(store, "CREATE TABLE codes (id varchar(40) NOT NULL,"
                        " title varchar(40), UNIQUE (id))");
    settings_add_model(settings, "code", "codes", "id", pool)->counts_keys = 1;
    inbox_tables(store, pool);
    err = settings_try_to_migrate(store, settings, pool);
    ok(database_fails(err, CM_SCHEMA, "newkey=max needs a key that is an"),
       "%s: a key that is no number is refused", database_of(store));
    ok(err && err->hint, "  with what to do");
}

int main(void)
{
    apr_initialize();
    database_each("taken", test_taken);
    database_each("unfit", test_unfit);
    database_each("freed", test_freed);
    database_each("raced", test_raced);
    database_each("refused", test_refused);
    apr_terminate();
    return done_testing();
}
