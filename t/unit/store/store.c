/* Statements and values on the real databases. */
#include "../database.h"

#include <stdlib.h>

#include <apr_strings.h>

#include "../tap.h"
#include "base/error.h"
#include "store/datum.h"
#include "store/store.h"

/* Store VALUE in a row of its own and return what comes back. */
static cm_datum_t round_trip(cm_store_t *store, cm_datum_t value,
                             apr_pool_t *pool)
{
    cm_datum_t none = {NULL, 0, 0};
    apr_int64_t count = 0;
    cm_rows_t *rows;
    cm_error_t *err;

    database_run(store, "DELETE FROM texts");
    err = cm_statement_run(&count, store, "INSERT INTO texts (t) VALUES (%s)",
                           &value, 1, pool);
    if (err || count != 1) {
        diag_text("insert", err ? err->message : "no row");
        return none;
    }
    database_must(cm_statement_select(&rows, store, "SELECT t FROM texts", NULL,
                                      0, pool));
    return *cm_cell(rows, 0, 0);
}

static void same(cm_store_t *store, cm_datum_t value, const char *name,
                 apr_pool_t *pool)
{
    cm_datum_t got = round_trip(store, value, pool);

    ok(got.data && got.size == value.size &&
           !memcmp(got.data, value.data, got.size) && !got.data[got.size],
       "%s: %s comes back as it was", database_of(store), name);
}

static cm_datum_t long_text(apr_size_t size, apr_pool_t *pool)
{
    char *data = apr_palloc(pool, size + 1);
    cm_datum_t datum = {data, size, 0};

    memset(data, 'x', size);
    memcpy(data + size - 4, "\xf0\x9f\x90\x98", 4);
    data[size] = '\0';
    return datum;
}

/* More than MySQL takes at once is the message's fault, not a failure that
 * passes; the connection is not lost by it. */
static void packet_limit(cm_store_t *store, apr_pool_t *pool)
{
    apr_int64_t limit =
        apr_atoi64(database_value(store, "SELECT @@max_allowed_packet", pool));
    cm_datum_t value;

    if (limit > 64 * 1024 * 1024)
        limit = 64 * 1024 * 1024;
    value = long_text(limit - 100000, pool);
    same(store, value, "a value just below max_allowed_packet", pool);
    value = long_text(limit + 10, pool);
    if (limit < 64 * 1024 * 1024)
        ok(database_fails(cm_statement_run(NULL, store,
                                           "INSERT INTO texts (t) VALUES (%s)",
                                           &value, 1, pool),
                          CM_REJECTED, "too large"),
           "mysql: a value above it is refused");
}

static void values(cm_store_t *store, apr_pool_t *pool)
{
    int mysql = cm_dialect_of_store(store)->database == CM_MYSQL;
    int pgsql = cm_dialect_of_store(store)->database == CM_PGSQL;
    cm_datum_t nul = {"a\0b'\\", 5, 0}, none = {NULL, 0, 0};
    cm_datum_t wrong = cm_datum_text("caf\xe9 au lait");
    apr_int64_t count;

    database_run(store, mysql ? "CREATE TABLE texts (t longtext)"
                              : "CREATE TABLE texts (t text)");
    same(store, cm_datum_text(""), "the empty string", pool);
    same(store, cm_datum_text("it's \"q\" `b` $1 ? :a \\ \\' \\0 /*"),
         "quotes and backslashes", pool);
    same(store, cm_datum_text("100% %s %% %d"), "percent signs", pool);
    same(store, cm_datum_text("a\r\nb\tc\x1a\x01"), "control characters", pool);
    same(store, cm_datum_text("\xf0\x9f\x90\x98 caf\xc3\xa9"), "UTF-8", pool);
    same(store, long_text(3000000, pool), "3 MB", pool);
    if (!mysql)
        same(store, long_text(20000000, pool), "20 MB", pool);
    else
        packet_limit(store, pool);
    ok(!round_trip(store, none, pool).data, "%s: NULL comes back as NULL",
       database_of(store));
    if (!pgsql)
        same(store, nul, "U+0000", pool);
    else
        ok(database_fails(cm_statement_run(&count, store,
                                           "INSERT INTO texts (t) VALUES (%s)",
                                           &nul, 1, pool),
                          CM_REJECTED, "U+0000"),
           "pgsql: U+0000 is refused");
    ok(database_fails(cm_statement_run(&count, store,
                                       "INSERT INTO texts (t) VALUES (%s)",
                                       &wrong, 1, pool),
                      CM_REJECTED, "invalid UTF-8"),
       "%s: invalid UTF-8 is refused", database_of(store));
    is_str(database_value(store, "SELECT 'a%%b'", pool), "a%b",
           "%s: a doubled percent sign is one", database_of(store));
}

static void bytes(cm_store_t *store, apr_pool_t *pool)
{
    cm_datum_t all = {"\0\1'\\\xff\xfe%s", 8, 1};
    cm_rows_t *rows;
    cm_datum_t got;

    database_run(store, cm_dialect_of_store(store)->database == CM_PGSQL
                            ? "CREATE TABLE bytes (b bytea)"
                            : "CREATE TABLE bytes (b blob)");
    database_must(cm_statement_run(NULL, store, "INSERT INTO bytes VALUES (%s)",
                                   &all, 1, pool));
    database_must(cm_statement_select(
        &rows, store, "SELECT b FROM bytes WHERE b = %s", &all, 1, pool));
    is_int(rows->count, 1, "%s: bytes are found", database_of(store));
    got = *cm_cell(rows, 0, 0);
    if (cm_dialect_of_store(store)->database == CM_PGSQL)
        is_str(got.data, "\\x0001275cfffe2573", "pgsql: bytes");
    else
        ok(got.size == 8 && !memcmp(got.data, all.data, 8), "%s: bytes",
           database_of(store));
}

static void literals(cm_store_t *store, apr_pool_t *pool)
{
    /* MariaDB 10.5 cannot keep characters of four bytes in a DEFAULT. */
    const char *text = "it's a \\ \"test\" 100% \xe2\x82\xac";
    const char *literal = cm_store_literal(store, text, pool);
    const char *name = cm_store_quote(store, "se`l\"ect % x", pool);

    database_run(store, apr_pstrcat(pool, "CREATE TABLE q (t text DEFAULT (",
                                    literal, "), i int)", NULL));
    database_run(store, "INSERT INTO q (i) VALUES (1)");
    is_str(database_value(store, "SELECT t FROM q", pool), text,
           "%s: a literal in DDL", database_of(store));
    is_str(database_value(store,
                          apr_psprintf(pool,
                                       "SELECT v.%s FROM (SELECT 7 AS %s)"
                                       " AS v",
                                       name, name),
                          pool),
           "7", "%s: a quoted identifier", database_of(store));
}

/* What each kind of failure is taken for. */
static void classes(cm_store_t *store, apr_pool_t *pool)
{
    static const struct {
        const char *name, *sql;
        cm_code_e code;
    } cases[] = {
        {"a duplicate key", "INSERT INTO c VALUES (1, 'b', 5)", CM_REJECTED},
        {"NULL", "INSERT INTO c VALUES (2, NULL, 5)", CM_REJECTED},
        {"a check", "INSERT INTO c VALUES (2, 'b', 0)", CM_REJECTED},
        {"a foreign key", "INSERT INTO d VALUES (1, 77)", CM_REJECTED},
        {"children left", "DELETE FROM c WHERE id = 1", CM_REJECTED},
        {"no table", "INSERT INTO nowhere VALUES (1)", CM_SCHEMA},
        {"no column", "UPDATE c SET nowhere = 1", CM_SCHEMA},
        {"bad syntax", "UPDATE c SETT", CM_DATABASE},
    };
    apr_size_t i;

    database_run(store, "CREATE TABLE c (id int PRIMARY KEY, "
                        "t varchar(5) NOT NULL, n int CHECK (n > 0))");
    database_run(store, "CREATE TABLE d (id int PRIMARY KEY, c_id int, "
                        "FOREIGN KEY (c_id) REFERENCES c (id))");
    database_run(store, "INSERT INTO c VALUES (1, 'a', 5)");
    database_run(store, "INSERT INTO d VALUES (5, 1)");
    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        ok(database_fails(
               cm_statement_run(NULL, store, cases[i].sql, NULL, 0, pool),
               cases[i].code, cases[i].name),
           "%s: %s", database_of(store), cases[i].name);
    if (cm_dialect_of_store(store)->database == CM_SQLITE3)
        return;
    ok(database_fails(cm_statement_run(NULL, store,
                                       "INSERT INTO c VALUES (9, 'toolong', 5)",
                                       NULL, 0, pool),
                      CM_REJECTED, "too long"),
       "%s: too long a value is not cut", database_of(store));
    ok(database_fails(cm_statement_run(NULL, store,
                                       "INSERT INTO c VALUES ('x', 'a', 5)",
                                       NULL, 0, pool),
                      CM_REJECTED, "no number"),
       "%s: text for a number is not taken", database_of(store));
}

/* In httpd, whose connections live long, what is asked often would pile up in
 * the server each time that tables are looked at again. */
static void often(cm_store_t *store, apr_pool_t *pool)
{
    const cm_datum_t two = cm_datum_text("2");
    const char *of = database_of(store);
    cm_rows_t *rows = NULL;
    int i, right = 0;

    for (i = 0; i < 20; i++) {
        database_must(cm_prepared_select(&rows, store, "SELECT 1 + %s", &two, 1,
                                         1, pool));
        right += cm_cell_number(rows, 0, 0) == 3;
        cm_store_forget(store);
    }
    is_int(right, 20, "%s: asked twenty times", of);
    if (cm_dialect_of_store(store)->database == CM_PGSQL)
        is_str(database_value(store,
                              "SELECT count(*) FROM pg_prepared_statements"
                              " WHERE name LIKE 'communicator%'",
                              pool),
               "1", "%s: the server keeps one statement", of);
    if (!database_is_mariadb(store, pool))
        return;
    is_str(database_value(store,
                          "SELECT variable_value FROM"
                          " information_schema.session_status WHERE"
                          " variable_name = 'com_prepare_sql'",
                          pool),
           "1", "%s: it parses one statement once", of);
    database_must(cm_prepared_select(
        &rows, store, "EXECUTE IMMEDIATE 'SELECT 5'", NULL, 0, 1, pool));
    is_int(cm_cell_number(rows, 0, 0), 5,
           "%s: what it does not prepare is asked as it is", of);
}

int main(void)
{
    if (!database_any())
        return skip_all("no CM_TEST_SQLITE3, _PGSQL, _MYSQL is set");
    database_each("values", values);
    database_each("bytes", bytes);
    database_each("literals", literals);
    database_each("classes", classes);
    database_each("often", often);
    return done_testing();
}
