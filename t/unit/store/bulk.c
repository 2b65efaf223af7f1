/* Many rows per statement on the real databases. */
#include "../database.h"

#include <dlfcn.h>
#include <stdlib.h>

#include <apr_dbd.h>
#include <apr_strings.h>

#include "store/bulk.h"
#include "../tap.h"

#define ROWS 1234 /* several statements, the last one odd */

static const cm_bulk_column_t columns[] = {{"peer", "character varying(20)"},
                                           {"id", "bigint"},
                                           {"body", NULL},
                                           {"n", "integer"}};

static void make_table(cm_store_t *store)
{
    int mysql = cm_dialect_of_store(store)->database == CM_MYSQL;

    database_run(store,
                 mysql ? "CREATE TABLE m (peer varchar(20) NOT NULL, "
                         "id bigint NOT NULL, body longtext NOT NULL, n int, "
                         "PRIMARY KEY (peer, id)) COLLATE /*M! "
                         "utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */"
                       : "CREATE TABLE m (peer varchar(20) NOT NULL, "
                         "id bigint NOT NULL, body text NOT NULL, n int, "
                         "PRIMARY KEY (peer, id))");
}

/* Rows FIRST to LAST of one peer; every third n is NULL. */
static cm_bulk_t *messages(int first, int last, const char *text, int count,
                           apr_pool_t *pool)
{
    cm_bulk_t *bulk = cm_bulk_create("m", columns, count, 2, pool);
    int i;

    for (i = first; i <= last; i++) {
        cm_bulk_row(bulk, "tn", "peer \"a\\'", (apr_int64_t)i);
        if (count == 2)
            continue;
        cm_bulk_row(bulk, "tz", apr_psprintf(pool, text, i),
                    (apr_int64_t)(i % 3 ? i : 0));
    }
    return bulk;
}

static void one_life(cm_store_t *store, apr_pool_t *pool)
{
    const char *of = database_of(store);
    const char *text = "{\"t\":\"%d \\\" ' \\\\ \xf0\x9f\x90\x98 , {}\"}";
    cm_bulk_t *all = messages(1, ROWS, text, 4, pool);
    apr_int64_t count = 0;
    cm_rows_t *rows;

    make_table(store);
    database_must(cm_bulk_insert(&count, store, all, CM_PRESENT_FAIL, pool));
    is_int(count, ROWS, "%s: rows inserted", of);
    is_str(database_value(store, "SELECT body FROM m WHERE id = 777", pool),
           apr_psprintf(pool, text, 777), "%s: text as it was", of);
    is_str(
        database_value(store, "SELECT count(*) FROM m WHERE n IS NULL", pool),
        apr_psprintf(pool, "%d", ROWS / 3), "%s: NULL as it was", of);
    database_must(cm_bulk_insert(&count, store,
                                 messages(ROWS - 9, ROWS + 5, "new", 4, pool),
                                 CM_PRESENT_KEEP, pool));
    is_int(count, 5, "%s: only new rows are counted", of);
    is_str(database_value(
               store,
               apr_psprintf(pool, "SELECT body FROM m WHERE id = %d", ROWS),
               pool),
           apr_psprintf(pool, text, ROWS), "%s: old rows are kept", of);
    ok(database_fails(cm_bulk_insert(&count, store,
                                     messages(5, 5, "x", 4, pool),
                                     CM_PRESENT_FAIL, pool),
                      CM_REJECTED, "present"),
       "%s: a row that is present fails", of);

    database_must(cm_bulk_update(
        &count, store, messages(10, ROWS + 50, "it's %d", 4, pool), pool));
    is_int(count, ROWS + 5 - 9, "%s: rows found by an update", of);
    database_must(cm_bulk_update(&count, store,
                                 messages(10, 20, "it's %d", 4, pool), pool));
    is_int(count, 11, "%s: rows that an update does not change count", of);
    is_str(database_value(store, "SELECT body FROM m WHERE id = 800", pool),
           "it's 800", "%s: updated", of);
    is_str(database_value(store, "SELECT n FROM m WHERE id = 801", pool), NULL,
           "%s: updated to NULL", of);

    database_must(cm_bulk_select(&rows, store, "t.id, t.body, t.n",
                                 messages(-5, 2000, "", 2, pool),
                                 "t.n > 9 AND t.body <> '$t 100%%'", 1, pool));
    is_int(rows->count, (ROWS + 5) - (ROWS + 5) / 3 - 6,
           "%s: rows selected, across statements", of);
    is_int(rows->columns, 3, "%s: columns selected", of);

    database_must(cm_bulk_delete(&count, store,
                                 messages(100, 100000, "", 2, pool), pool));
    is_int(count, ROWS + 5 - 99, "%s: rows deleted", of);
    is_str(database_value(store, "SELECT count(*) FROM m", pool), "99",
           "%s: the others stay", of);
}

static apr_int64_t statements(cm_store_t *store, apr_pool_t *pool)
{
    cm_rows_t *rows;

    database_must(cm_statement_select(
        &rows, store, "SHOW SESSION STATUS LIKE 'Questions'", NULL, 0, pool));
    return cm_cell_number(rows, 0, 1);
}

/* What the server does not keep may have any number of rows. */
static void one_statement(cm_store_t *store, apr_pool_t *pool)
{
    const char *of = database_of(store);
    apr_int64_t before;
    cm_rows_t *rows;

    if (cm_dialect_of_store(store)->database != CM_MYSQL)
        return;
    make_table(store);
    before = statements(store, pool);
    database_must(cm_bulk_select(&rows, store, "t.id",
                                 messages(1, 499, "", 2, pool), NULL, 0, pool));
    is_int(statements(store, pool) - before, 2, "%s: one look-up", of);
}

/* Keys above 2^53, also where no index finds them; quoted names; the same key
 * twice. */
static void keys(cm_store_t *store, apr_pool_t *pool)
{
    const char *of = database_of(store);
    const char *table = cm_store_quote_table(store, "or$d%er", pool);
    const char *key = cm_store_quote(store, "se lect", pool);
    cm_bulk_column_t by[] = {{key, "bigint"}, {"t", "text"}};
    cm_bulk_t *bulk = cm_bulk_create(table, by, 1, 1, pool);
    cm_rows_t *rows;
    apr_int64_t count;

    database_must(cm_statement_run(
        NULL, store,
        apr_psprintf(pool, "CREATE TABLE %s (%s bigint, t text)", table, key),
        NULL, 0, pool));
    database_must(cm_statement_run(
        NULL, store,
        apr_psprintf(pool,
                     "INSERT INTO %s VALUES (9007199254740992, 'a'), "
                     "(9007199254740993, 'b'), (-5, 'c'), (0, 'd')",
                     table),
        NULL, 0, pool));
    cm_bulk_add(bulk, cm_datum_text("9007199254740993"));
    cm_bulk_add(bulk, cm_datum_text("-5"));
    cm_bulk_add(bulk, cm_datum_text("9007199254740993"));
    cm_bulk_add(bulk, cm_datum_text(NULL));
    database_must(cm_bulk_select(&rows, store, "t.t", bulk, NULL, 0, pool));
    is_int(rows->count, 2, "%s: a key given twice is found once", of);
    bulk->cells->nelts = 1;
    database_must(cm_bulk_select(&rows, store, "t.t", bulk, NULL, 1, pool));
    is_int(rows->count, 1, "%s: neighbours above 2^53 are told apart", of);
    is_str(rows->count ? cm_cell_text(rows, 0, 0) : NULL, "b",
           "%s: and the right one is found", of);
    bulk = cm_bulk_create(table, by, 2, 1, pool);
    cm_bulk_add(bulk, cm_datum_text("9007199254740992"));
    cm_bulk_add(bulk, cm_datum_text("new"));
    database_must(cm_bulk_update(&count, store, bulk, pool));
    is_int(count, 1, "%s: one of them is updated", of);
    bulk->column_count = bulk->cells->nelts = 1;
    database_must(cm_bulk_delete(&count, store, bulk, pool));
    is_int(count, 1, "%s: one of them is deleted", of);
    bulk->cells->nelts = 0;
    cm_bulk_row(bulk, "tttt", "-5", NULL, "0", "-5");
    database_must(cm_bulk_delete(&count, store, bulk, pool));
    is_int(count, 2, "%s: a key given twice is deleted once", of);
}

/* Return the rows with ids FIRST to LAST of "it's \\me", each twice, and one
 * that has none. */
static cm_bulk_t *owned(int first, int last, apr_pool_t *pool)
{
    static const cm_bulk_column_t by[] = {{"id", NULL}, {"owner", NULL}};
    cm_bulk_t *bulk = cm_bulk_create("o", by, 2, 2, pool);
    int i;

    for (i = first; i <= last; i++) {
        const char *id = apr_psprintf(pool, "%d \"\\,{}", i);

        cm_bulk_row(bulk, "tttt", id, "it's \\me", id, "it's \\me");
    }
    cm_bulk_row(bulk, "tt", NULL, "it's \\me");
    return bulk;
}

/* Rows that are searched for by one column, where another one is the same. */
static void one_owner(cm_store_t *store, apr_pool_t *pool)
{
    const char *of = database_of(store);
    cm_bulk_t *bulk = owned(1, ROWS, pool);
    cm_rows_t *rows;
    apr_int64_t count;

    database_run(store, "CREATE TABLE o (id varchar(30), owner varchar(30))");
    database_must(cm_bulk_insert(&count, store, bulk, CM_PRESENT_FAIL, pool));
    database_run(store, "INSERT INTO o SELECT id, 'other' FROM o");
    database_must(cm_bulk_select(&rows, store, "t.id, t.owner",
                                 owned(11, ROWS + 50, pool), NULL, 0, pool));
    is_int(rows->count, 2 * (ROWS - 10), "%s: rows of one owner", of);
    is_str(rows->count ? cm_cell_text(rows, 0, 1) : NULL, "it's \\me",
           "%s:   and no others", of);
    database_must(cm_bulk_select(&rows, store, "t.id", owned(1, ROWS, pool),
                                 "t.id LIKE '1%%' OR t.id LIKE '2%%'", 0,
                                 pool));
    is_int(rows->count, 2 * (346 + 111), "%s:   under a condition", of);
    database_must(
        cm_bulk_delete(&count, store, owned(3, ROWS + 50, pool), pool));
    is_int(count, 2 * (ROWS - 2), "%s:   deleted", of);
    is_str(database_value(store, "SELECT count(*) FROM o", pool),
           apr_psprintf(pool, "%d", 2 * ROWS + 1 + 4 + 1),
           "%s:   the others stay", of);
}

/* New keys come in the order of the rows. */
static void new_keys(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const tables[] = {
        "CREATE TABLE g (id integer PRIMARY KEY, t text)",
        "CREATE TABLE g (id serial PRIMARY KEY, t text)",
        "CREATE TABLE g (id int PRIMARY KEY AUTO_INCREMENT, t text)"};
    const char *of = database_of(store);
    cm_bulk_column_t t = {"t", "text"}, by_id = {"id", "integer"};
    const cm_bulk_column_t both[] = {t, by_id};
    const cm_bulk_key_t key = {"id", "t.id", &by_id, 1};
    cm_bulk_t *bulk = cm_bulk_create("g", &t, 1, 0, pool);
    apr_array_header_t *made;
    int i, right = 0;

    database_run(store, tables[cm_dialect_of_store(store)->database]);
    for (i = 0; i < ROWS; i++)
        cm_bulk_add(bulk, cm_datum_number((i * 7919) % ROWS, pool));
    database_must(cm_bulk_insert_keys(&made, store, bulk, &key, pool));
    is_int(made->nelts, ROWS, "%s: a key for every row", of);
    for (i = 0; i < made->nelts; i++) {
        const char *id = APR_ARRAY_IDX(made, i, const char *);
        const char *text = database_value(
            store, apr_pstrcat(pool, "SELECT t FROM g WHERE id = ", id, NULL),
            pool);

        right += text &&
                 !strcmp(text, APR_ARRAY_IDX(bulk->cells, i, cm_datum_t).data);
    }
    is_int(right, ROWS, "%s: in the order of the rows", of);
    database_must(cm_bulk_insert_keys(
        &made, store, cm_bulk_create_defaults("g", &by_id, 3, pool), &key,
        pool));
    is_int(made->nelts, 3, "%s: rows of defaults", of);
    bulk = cm_bulk_create("g", both, 2, 0, pool);
    cm_bulk_row(bulk, "tt", "a", "900200");
    cm_bulk_row(bulk, "tt", "b", "900100");
    database_must(cm_bulk_insert_keys(&made, store, bulk, &key, pool));
    is_str(APR_ARRAY_IDX(made, 0, const char *), "900200",
           "%s: keys that were given", of);
    is_str(APR_ARRAY_IDX(made, 1, const char *), "900100", "%s: the second",
           of);
}

/* An update that is too large to list its keys. */
static void long_values(cm_store_t *store, apr_pool_t *pool)
{
    cm_bulk_column_t by[] = {{"id", "integer"}, {"t", "text"}};
    cm_bulk_t *bulk = cm_bulk_create("w", by, 2, 1, pool);
    char *text = apr_palloc(pool, 1500001);
    apr_int64_t count;

    memset(text, 'x', 1500000);
    text[1500000] = '\0';
    database_run(store, cm_dialect_of_store(store)->database == CM_MYSQL
                            ? "CREATE TABLE w (id int PRIMARY KEY, t longtext)"
                            : "CREATE TABLE w (id int PRIMARY KEY, t text)");
    database_run(store, "INSERT INTO w VALUES (1, 'a'), (2, 'b')");
    cm_bulk_row(bulk, "tt", "1", text);
    cm_bulk_row(bulk, "tt", "2", "short");
    database_must(cm_bulk_update(&count, store, bulk, pool));
    is_str(database_value(store, "SELECT length(t) FROM w WHERE id = 1", pool),
           "1500000", "%s: a long value is not cut", database_of(store));
}

/* Nothing is cut to a column's length, nor taken for another type. */
static void strictness(cm_store_t *store, apr_pool_t *pool)
{
    const char *of = database_of(store);
    cm_bulk_column_t by[] = {{"id", "integer"}, {"c", "character varying(5)"}};
    cm_bulk_t *bulk = cm_bulk_create("s", by, 2, 1, pool);
    apr_int64_t count;

    database_run(store, "CREATE TABLE s (id int PRIMARY KEY, c varchar(5) "
                        "CHECK (length(c) < 6))");
    database_run(store, "INSERT INTO s VALUES (1, 'a')");
    cm_bulk_add(bulk, cm_datum_text("1"));
    cm_bulk_add(bulk, cm_datum_text("too long"));
    ok(database_fails(cm_bulk_update(&count, store, bulk, pool), CM_REJECTED,
                      "update"),
       "%s: an update does not cut", of);
    APR_ARRAY_IDX(bulk->cells, 0, cm_datum_t) = cm_datum_text("2");
    ok(database_fails(
           cm_bulk_insert(&count, store, bulk, CM_PRESENT_KEEP, pool),
           CM_REJECTED, "insert"),
       "%s: an insert does not cut, not even when it keeps", of);
}

static void bytes_and_nul(cm_store_t *store, apr_pool_t *pool)
{
    int pgsql = cm_dialect_of_store(store)->database == CM_PGSQL;
    const char *of = database_of(store);
    cm_bulk_column_t by[] = {{"id", "integer"}, {"b", "bytea"}, {"t", "text"}};
    cm_bulk_t *bulk = cm_bulk_create("b", by, 3, 1, pool);
    cm_datum_t bytes = {"\0\xff\"\\'", 5, 1}, nul = {"a\0b", 3, 0};
    apr_int64_t count;
    int i;

    database_run(store, pgsql ? "CREATE TABLE b (id int, b bytea, t text)"
                              : "CREATE TABLE b (id int, b blob, t text)");
    for (i = 0; i < 40; i++) {
        cm_bulk_add(bulk, cm_datum_number(i, pool));
        cm_bulk_add(bulk, i % 4 ? bytes : cm_datum_text(NULL));
        cm_bulk_add(bulk, i % 5 || pgsql ? cm_datum_text("x") : nul);
    }
    database_must(cm_bulk_insert(&count, store, bulk, CM_PRESENT_FAIL, pool));
    is_int(count, 40, "%s: rows with bytes", of);
    database_must(cm_bulk_update(&count, store, bulk, pool));
    is_int(count, 40, "%s: updated with bytes", of);
    is_str(database_value(store, "SELECT count(*) FROM b WHERE length(b) = 5",
                          pool),
           "30", "%s: bytes have their length", of);
    if (pgsql)
        return;
    is_str(database_value(
               store, "SELECT count(*) FROM b WHERE hex(t) = '610062'", pool),
           "8", "%s: U+0000 in text", of);
    is_str(database_value(store, "SELECT hex(b) FROM b WHERE id = 1", pool),
           "00FF225C27", "%s: bytes as they were", of);
}

/* Bytes of a row alone take another way than those of many. */
static void bytes_alone(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const digits[] = {"hex(b)", "encode(b, 'hex')",
                                         "hex(b)"};
    const cm_database_e database = cm_dialect_of_store(store)->database;
    const char *of = database_of(store);
    cm_bulk_column_t by[] = {{"id", "integer"}, {"b", "bytea"}, {"t", "text"}};
    const char *expected = "";
    char all[256];
    apr_int64_t count;
    cm_bulk_t *bulk;
    int i;

    for (i = 0; i < 256; i++) {
        all[i] = (char)i;
        expected = apr_psprintf(pool, "%s%02x", expected, i);
    }
    database_run(store, database == CM_PGSQL
                            ? "CREATE TABLE a (id int, b bytea, t text)"
                            : "CREATE TABLE a (id int, b blob, t text)");
    for (i = 0; i < 2; i++) {
        bulk = cm_bulk_create("a", by, 3, 1, pool);
        cm_bulk_row(bulk, "ndt", (apr_int64_t)7,
                    (cm_datum_t){i ? all : "", i ? 256 : 0, CM_DATUM_BYTES},
                    "x");
        database_must(
            i ? cm_bulk_update(&count, store, bulk, pool)
              : cm_bulk_insert(&count, store, bulk, CM_PRESENT_FAIL, pool));
        is_int(count, 1, "%s: a row alone, %s", of, i ? "updated" : "made");
        is_str(database_value(store,
                              apr_psprintf(pool, "SELECT lower(%s) FROM a",
                                           digits[database]),
                              pool),
               i ? expected : "", "%s:   has its bytes", of);
    }
}

/* An update waits for its own rows only: not for those that another
 * transaction has changed, or made next to them. */
static void held_rows(cm_store_t *store, apr_pool_t *pool)
{
    const char *of = database_of(store);
    cm_bulk_column_t by[] = {{"id", "bigint"}, {"t", "text"}};
    cm_bulk_t *bulk = cm_bulk_create("h", by, 2, 1, pool);
    cm_store_t *other;
    cm_error_t *err;
    apr_int64_t count = 0;
    int i;

    if (cm_dialect_of_store(store)->database == CM_SQLITE3)
        return;
    other = database_again(pool);
    database_run(store, "CREATE TABLE h (id bigint PRIMARY KEY, t text)");
    for (i = 2; i <= 40; i += 2) {
        cm_bulk_add(bulk, cm_datum_number(i, pool));
        cm_bulk_add(bulk, cm_datum_number(i * i, pool));
    }
    database_must(cm_bulk_insert(&count, store, bulk, CM_PRESENT_FAIL, pool));
    database_run(other, "BEGIN");
    database_run(other, "UPDATE h SET t = 'held' WHERE id IN (2, 10)");
    database_run(other, "INSERT INTO h VALUES (1, 'new'), (15, 'new'), "
                        "(17, 'new'), (41, 'new')");
    bulk->cells->nelts = 0;
    for (i = 40; i > 10; i -= 2) {
        cm_bulk_add(bulk, cm_datum_number(i, pool));
        cm_bulk_add(bulk, cm_datum_number(-i, pool));
    }
    err = cm_bulk_update(&count, store, bulk, pool);
    ok(!err, "%s: no wait for what others hold: %s", of,
       err ? err->message : "ok");
    is_int(count, 15, "%s:   and all are found", of);
    database_run(other, "COMMIT");
    is_str(database_value(
               store, "SELECT count(*) FROM h WHERE t = CONCAT('-', id)", pool),
           "15", "%s:   and each has its value", of);
}

/* A prepared statement outlives a change of the schema. */
static void schema_change(cm_store_t *store, apr_pool_t *pool)
{
    const char *of = database_of(store);
    cm_store_t *other = database_again(pool);
    apr_int64_t count;
    int i;

    make_table(store);
    for (i = 0; i < 3; i++) {
        cm_error_t *err = cm_bulk_insert(
            &count, store, messages(i, i, "a", 4, pool), CM_PRESENT_FAIL, pool);

        ok(!err, "%s: insert %d: %s", of, i, err ? err->message : "ok");
        database_run(
            i == 1 ? store : other,
            apr_psprintf(pool, "ALTER TABLE m ADD COLUMN x%d text", i));
    }
    database_run(other, "DROP TABLE m");
    ok(database_fails(cm_bulk_insert(&count, store,
                                     messages(9, 9, "a", 4, pool),
                                     CM_PRESENT_FAIL, pool),
                      CM_SCHEMA, "table dropped"),
       "%s: a table that is gone", of);
    make_table(other);
    database_must(cm_bulk_insert(&count, store, messages(9, 9, "a", 4, pool),
                                 CM_PRESENT_FAIL, pool));
    is_int(count, 1, "%s: and made again", of);
}

/* How many statements CONNECTION of SQLite has. */
static int count_statements(void *connection)
{
    void *library = dlopen("libsqlite3.so.0", RTLD_LAZY);
    void *(*next)(void *, void *), *statement = NULL;
    int count = 0;

    *(void **)&next = dlsym(library, "sqlite3_next_stmt");
    while ((statement = next(connection, statement)))
        count++;
    return count;
}

/* The driver of SQLite frees no prepared statement: in httpd, whose connections
 * live long, they would pile up each time that tables are looked at again. */
static void forgotten_statements(cm_store_t *other, apr_pool_t *pool)
{
    const apr_dbd_driver_t *driver;
    const char *of = database_of(other);
    apr_dbd_t *handle;
    cm_store_t *store;
    apr_int64_t count;
    int i;

    if (cm_dialect_of_store(other)->database != CM_SQLITE3)
        return;
    apr_dbd_get_driver(pool, of, &driver);
    apr_dbd_open(driver, pool, database_params(), &handle);
    database_must(cm_store_attach(&store, driver, handle, pool, pool));
    make_table(store);
    for (i = 0; i < 20; i++) {
        database_must(cm_bulk_insert(&count, store,
                                     messages(i, i, "a", 4, pool),
                                     CM_PRESENT_FAIL, pool));
        cm_store_forget(store);
    }
    is_int(count_statements(apr_dbd_native_handle(driver, handle)), 1,
           "%s: no more statements when asked to forget", of);
    apr_dbd_close(driver, handle);
}

int main(void)
{
    if (!database_any())
        return skip_all("no CM_TEST_SQLITE3, _PGSQL, _MYSQL is set");
    database_each("one life", one_life);
    database_each("one statement", one_statement);
    database_each("keys", keys);
    database_each("one owner", one_owner);
    database_each("new keys", new_keys);
    database_each("strictness", strictness);
    database_each("long values", long_values);
    database_each("bytes and U+0000", bytes_and_nul);
    database_each("bytes alone", bytes_alone);
    database_each("held rows", held_rows);
    database_each("schema change", schema_change);
    database_each("forgotten statements", forgotten_statements);
    return done_testing();
}
