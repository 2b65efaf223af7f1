/* Values in their columns: what a trigger makes of them, canonical, and back
 * into the table, on the real databases. */
#include "../database.h"

#include <stdlib.h>

#include <apr_strings.h>

#include "schema/table.h"
#include "record/message.h"
#include "../settings.h"
#include "../tap.h"
#include "store/bulk.h"
#include "store/dialect.h"
#include "record/canonical.h"
#include "record/captured.h"
#include "record/fit.h"

/* Databases, as bits. */
enum {
    LITE = 1 << CM_SQLITE3,
    PG = 1 << CM_PGSQL,
    MY = 1 << CM_MYSQL
};

/* A value that the application wrote, as SQL, and what goes over the wire. */
static const struct {
    int databases;
    const char *type, *sql, *wire;
} written[] = {
    {LITE | PG | MY, "integer", "-5", "-5"},
    {PG | MY, "bigint", "9007199254740993", "9007199254740993"},
    {LITE, "integer", "9223372036854775807", "9223372036854775807"},
    {MY, "bigint unsigned", "18446744073709551615", "18446744073709551615"},
    {MY, "bit(5)", "b'10101'", "21"},
    {MY, "bit(1)", "b'1'", "true"},
    {MY, "bit(64)", "b'1'", "1"},
    {MY, "bit(64)", "18446744073709551615", "18446744073709551615"},
    {PG, "bit(5)", "B'00101'", "5"},
    {PG, "bit(1)", "B'1'", "true"},
    {PG, "bit(64)", "(-1)::bit(64)", "18446744073709551615"},
    {PG, "bit(66)", "5::bit(66)",
     "'000000000000000000000000000000000000000000000000000000000000000101"},
    {PG, "varbit(9)", "B'0101'", "'0101"},
    {MY, "year", "2011", "2011"},
    {LITE | PG | MY, "decimal(10,2)", "12.3", "'12.30"},
    {LITE | PG | MY, "decimal(10,2)", "-0.05", "'-0.05"},
    {PG | MY, "decimal(30,10)", "12345678901234567890.0123456789",
     "'12345678901234567890.0123456789"},
    {PG, "numeric", "1.10", "'1.10"},
    {PG, "numeric", "'NaN'", "'NaN"},
    {LITE, "decimal", "1.1", "'1.1"},
    {LITE | PG | MY, "double precision", "0.1", "0.1"},
    {LITE | PG | MY, "double precision", "0.30000000000000004",
     "0.30000000000000004"},
    {LITE | PG | MY, "double precision", "1e20", "1e+20"},
    {PG, "double precision", "'NaN'", "'NaN"},
    {PG, "double precision", "'-Infinity'", "'-Infinity"},
    {LITE, "double precision", "9e999", "'Infinity"},
    {PG | MY, "float(20)", "0.1", "0.1"},
    {PG, "real", "16777217", "16777216"},
    {LITE | PG, "boolean", "true", "true"},
    {MY, "boolean", "true", "true"},
    {MY, "tinyint(1)", "7", "7"},
    {LITE, "boolean", "'f'", "false"},
    {LITE | PG | MY, "date", "'2011-06-22'", "'2011-06-22"},
    {PG, "date", "'infinity'", "'infinity"},
    {PG, "date", "'0044-03-15 BC'", "'0044-03-15 BC"},
    {PG, "date", "'0001-02-29 BC'", "'0001-02-29 BC"},
    {PG, "date", "'4714-11-24 BC'", "'4714-11-24 BC"},
    {PG, "date", "'5874897-12-31'", "'5874897-12-31"},
    {PG, "timestamp", "'0044-03-15 10:11:12.5 BC'",
     "'0044-03-15T10:11:12.5Z BC"},
    {PG, "timestamptz", "'0001-12-31 22:11:12.5-02 BC'",
     "'0001-01-01T00:11:12.5Z"},
    {PG, "timestamptz", "'0001-01-01 00:11:12+02'", "'0001-12-31T22:11:12Z BC"},
    {LITE | PG, "time", "'10:11:12.50'", "'10:11:12.5"},
    {MY, "time(6)", "'-100:11:12.50'", "'-100:11:12.5"},
    {LITE | PG, "timestamp", "'2011-06-22 10:11:12.123456'",
     "'2011-06-22T10:11:12.123456Z"},
    {MY, "datetime(6)", "'2011-06-22 10:11:12.123456'",
     "'2011-06-22T10:11:12.123456Z"},
    {LITE | MY, "datetime", "'2011-06-22 10:11:12'", "'2011-06-22T10:11:12Z"},
    {LITE, "datetime", "'2011-06-22T10:11:12+02:00'", "'2011-06-22T08:11:12Z"},
    {LITE, "datetime", "'soon'", "'soon"},
    {LITE, "datetime", "1308737472", "1308737472"},
    {MY, "timestamp(3) NULL", "'2011-06-22 10:11:12.500'",
     "'2011-06-22T10:11:12.5Z"},
    {PG, "timestamptz", "'2011-06-22 10:11:12.25+05:30'",
     "'2011-06-22T04:41:12.25Z"},
    {PG, "timestamptz", "'infinity'", "'infinity"},
    {LITE | PG | MY, "text", "''", "'"},
    {LITE | PG | MY, "varchar(20)", "'q\"uo''te \xF0\x9F\x90\x98'",
     "'q\"uo'te \xF0\x9F\x90\x98"},
    {LITE | PG | MY, "text", "'a\nb\tc'", "'a\nb\tc"},
    {PG, "char(5)", "'ab'", "'ab"},
    {MY, "char(5)", "'ab'", "'ab"},
    {MY, "varchar(9) CHARACTER SET latin1", "'\xC3\xA9'", "'\xC3\xA9"},
    {PG, "bytea", "'\\x00ff5c'", "'00ff5c"},
    {MY, "blob", "X'00ff5c'", "'00ff5c"},
    {LITE, "blob", "X'00ff5c'", "'00ff5c"},
    {LITE, "text", "X'61c3a9'", "'a\xC3\xA9"},
    {LITE, "text", "X'ff'", "{\"hex\":\"ff\"}"},
    {LITE, "integer", "'abc'", "'abc"},
    {PG | LITE, "json", "'{\"a\": [1, 2.50]}'", "'{\"a\": [1, 2.50]}"},
    {PG, "jsonb", "'{\"a\":1}'", "'{\"a\": 1}"},
    {MY, "json", "'{\"a\": 1}'", "'{\"a\": 1}"},
    {PG, "uuid", "'123E4567-E89B-12D3-A456-426614174000'",
     "'123e4567-e89b-12d3-a456-426614174000"},
    {PG, "integer[]", "'{1,2,NULL}'", "'{1,2,NULL}"},
    {PG, "text[]", "'{a,\"b c\"}'", "'{a,\"b c\"}"},
    {PG, "interval", "'1 day 2 hours'", "'P1DT2H"},
    {PG, "inet", "'10.0.0.1/8'", "'10.0.0.1/8"},
    {PG, "inet", "'10.0.0.1'", "'10.0.0.1"},
    {PG, "inet", "'fe80::1'", "'fe80::1"},
    {PG, "inet", "'fe80::1/32'", "'fe80::1/32"},
    {PG, "cidr", "'10.0.0.1/32'", "'10.0.0.1/32"},
    {PG, "cidr", "'10.0.0.0/8'", "'10.0.0.0/8"},
    {PG, "macaddr", "'08-00-2B-01-02-03'", "'08:00:2b:01:02:03"},
    {PG, "money", "1234.5", "'1234.50"},
    {PG, "money", "-0.01", "'-0.01"},
    {PG, "money[]", "'{$1.50,NULL}'", "'{1.50,NULL}"},
    {PG, "timetz", "'10:11:12+05:30'", "'10:11:12+05:30"},
    {PG, "interval", "'-1 year 2 days -3.5 seconds'", "'P-1Y2DT-3.5S"},
    {PG, "tsvector", "'a:1 b'", "'\'a\':1 \'b\'"},
    {PG, "xml", "'a <b>c</b>'", "'a <b>c</b>"},
    {PG, "int4range", "'[1,5]'", "'[1,6)"},
    {PG, "timestamptz[]", "'{2011-06-22 12:11:12+02}'",
     "'{\"2011-06-22 10:11:12+00\"}"},
    {PG, "text[]", "array['NULL', NULL]", "'{\"NULL\",NULL}"},
    {MY, "inet6", "'FE80::1'", "'fe80::1"},
    {MY, "inet4", "'10.0.0.1'", "'10.0.0.1"},
    {MY, "uuid", "'123E4567-E89B-12D3-A456-426614174000'",
     "'123e4567-e89b-12d3-a456-426614174000"},
    {MY, "time(6)", "'838:59:59'", "'838:59:59"},
    {MY, "enum('a','B')", "'B'", "'B"},
    {MY, "set('x','y')", "'x,y'", "'x,y"},
    {MY, "datetime", "'0000-00-00 00:00:00'", "'0000-00-00T00:00:00Z"},
    {MY, "timestamp NULL", "'0000-00-00 00:00:00'", "'0000-00-00T00:00:00Z"},
    {MY, "date", "'0000-00-00'", "'0000-00-00"},
    {LITE, "", "1", "1"},
    {LITE, "", "'1'", "'1"},
    {LITE, "", "X'00'", "{\"hex\":\"00\"}"},
    {LITE | PG | MY, "text", "NULL", NULL},
};

/* What came over the wire, and what the column then holds, canonical; no
 * result: it is refused. */
static const struct {
    int databases;
    const char *type, *wire, *result, *why;
} received[] = {
    {LITE | PG | MY, "integer", "'12", "12", ""},
    {LITE | PG | MY, "integer", "12.0", "12", ""},
    {LITE | PG | MY, "integer", "true", "1", ""},
    {LITE | PG | MY, "integer", "'abc", NULL, "whole numbers"},
    {LITE | PG | MY, "integer", "1.5", NULL, "whole numbers"},
    {PG | MY, "integer", "2147483648", NULL, "too small"},
    {PG | MY, "integer", "-2147483648", "-2147483648", ""},
    {LITE, "integer", "9223372036854775808", NULL, "too small"},
    {MY, "integer unsigned", "-1", NULL, "too small"},
    {MY, "integer unsigned", "4294967295", "4294967295", ""},
    {MY, "bit(5)", "31", "31", ""},
    {MY, "bit(5)", "32", NULL, "too small"},
    {MY, "bit(12)", "2748", "2748", ""},
    {MY, "bit(64)", "9223372036854775808", "9223372036854775808", ""},
    {MY, "bit(64)", "18446744073709551615", "18446744073709551615", ""},
    {MY, "bit(64)", "18446744073709551616", NULL, "too small"},
    {MY, "bit(64)", "-1", NULL, "too small"},
    {PG | MY, "bit(5)", "'00101", "5", ""},
    {PG | MY, "bit(5)", "'21", "21", ""},
    {PG | MY, "bit(5)", "10", "10", ""},
    {PG | MY, "bit(5)", "'101", NULL, "5 bits"},
    {PG | MY, "bit(5)", "'010101", NULL, "5 bits"},
    {PG, "bit(5)", "32", NULL, "too small"},
    {PG, "bit(1)", "true", "true", ""},
    {PG, "bit(1)", "2", NULL, "true and false"},
    {PG, "varbit(9)", "'0101", "'0101", ""},
    {PG, "varbit(9)", "10", NULL, "digits 0 and 1"},
    {PG, "varbit(9)", "true", NULL, "digits 0 and 1"},
    {MY, "year", "1901", "1901", ""},
    {MY, "year", "2155", "2155", ""},
    {MY, "year", "5", NULL, "years from 1901 to 2155"},
    {MY, "year", "70", NULL, "years from 1901 to 2155"},
    {MY, "year", "2156", NULL, "years from 1901 to 2155"},
    {MY, "year", "-2000", NULL, "years from 1901 to 2155"},
    {MY, "bit(1)", "true", "true", ""},
    {LITE | PG | MY, "decimal(10,2)", "12.3", "'12.30", ""},
    {LITE | PG | MY, "decimal(10,2)", "'12.300", "'12.30", ""},
    {LITE | PG | MY, "decimal(10,2)", "1e3", "'1000.00", ""},
    {PG | MY, "decimal(10,2)", "'12.345", NULL, "keeps 2 digits after"},
    {PG | MY, "decimal(5,2)", "'1234.5", NULL, "keeps 3 digits before"},
    {PG | MY, "decimal(5,2)", "'abc", NULL, "decimal numbers"},
    {LITE, "decimal(30,2)", "'12345678901234567890.12", NULL, "not exact"},
    {MY, "decimal(5,2)", "'NaN", NULL, "decimal numbers"},
    {LITE | PG | MY, "double precision", "'0.1", "0.1", ""},
    {LITE | PG | MY, "double precision", "0.30000000000000004",
     "0.30000000000000004", ""},
    {LITE | PG | MY, "double precision", "1e999", NULL, "too small"},
    {LITE | PG, "double precision", "'Infinity", "'Infinity", ""},
    {PG, "real", "3.4028235e+38", "3.4028235e+38", ""},
    {MY, "float", "3.4028235e+38", "3.4028235e+38", ""},
    {MY, "float", "-3.4028235e+38", "-3.4028235e+38", ""},
    {LITE | MY, "double precision", "'NaN", NULL, ""},
    {PG | MY, "float(20)", "0.1", "0.1", ""},
    {PG | MY, "float(20)", "0.1234567890123", NULL, "4 bytes"},
    {LITE | PG | MY, "boolean", "true", "true", ""},
    {LITE | PG | MY, "boolean", "'t", "true", ""},
    {LITE | PG | MY, "boolean", "0", "false", ""},
    {PG, "boolean", "2", NULL, "true and false"},
    {MY, "boolean", "2", "2", ""},
    {LITE | PG | MY, "date", "'2011/06/22", "'2011-06-22", ""},
    {LITE | PG | MY, "date", "'2011-06-22T00:00:00Z", "'2011-06-22", ""},
    {LITE | PG | MY, "date", "'2011-06-22T00:00:01Z", NULL, "only a date"},
    {LITE | PG | MY, "date", "'2011-06-31", NULL, "does not exist"},
    {PG, "date", "'0000-00-00", NULL, "does not exist"},
    {LITE | MY, "date", "'0000-00-00", "'0000-00-00", ""},
    {LITE | MY, "date", "'infinity", NULL, "only a date"},
    {PG, "date", "'infinity", "'infinity", ""},
    {PG, "date", "'0044-03-15 BC", "'0044-03-15 BC", ""},
    {PG, "timestamp", "'0044-03-15T00:00:00Z BC", "'0044-03-15T00:00:00Z BC",
     ""},
    {PG, "date", "'0002-02-29 BC", NULL, "does not exist"},
    {LITE | MY, "date", "'0044-03-15 BC", NULL, "does not exist"},
    {LITE | MY, "datetime", "'0044-03-15T10:11:12Z BC", NULL, "does not exist"},
    {LITE | PG | MY, "time", "'2000-01-01T10:11:12Z", "'10:11:12", ""},
    {LITE | PG | MY, "time", "'10:11:12", "'10:11:12", ""},
    {PG, "time", "'25:00:00", NULL, "so many hours"},
    {MY, "time", "'25:00:00", "'25:00:00", ""},
    {MY, "time", "'10:11:12.5", NULL, "keeps 0 digits"},
    {LITE | PG, "timestamp", "'2011/06/22 10:11:12 +0000",
     "'2011-06-22T10:11:12Z", ""},
    {LITE | PG, "timestamp", "'2011-06-22T00:11:12.345+05:30",
     "'2011-06-21T18:41:12.345Z", ""},
    {MY, "datetime(3)", "'2011-06-22T10:11:12.345Z",
     "'2011-06-22T10:11:12.345Z", ""},
    {MY, "datetime", "'2011-06-22T10:11:12.345Z", NULL, "keeps 0 digits"},
    {PG, "timestamp(0)", "'2011-06-22T10:11:12.345Z", NULL, "keeps 0 digits"},
    {MY, "timestamp(6) NULL", "'2011-06-22T10:11:12.000001Z",
     "'2011-06-22T10:11:12.000001Z", ""},
    {PG, "timestamptz", "'2011-06-22T10:11:12Z", "'2011-06-22T10:11:12Z", ""},
    {LITE | PG, "timestamp", "'2011-06-22", "'2011-06-22T00:00:00Z", ""},
    {LITE | PG | MY, "text", "12.50", "'12.50", ""},
    {LITE | PG | MY, "text", "true", "'true", ""},
    {LITE | PG | MY, "text", "'007", "'007", ""},
    {LITE, "string", "'007", NULL, "into a number"},
    {LITE, "string", "'x07", "'x07", ""},
    {PG | MY, "varchar(3)", "'\xC3\xA9\xC3\xA9\xC3\xA9",
     "'\xC3\xA9\xC3\xA9\xC3\xA9", ""},
    {PG | MY, "varchar(3)", "'abc ", NULL, "holds 3 characters"},
    {PG | MY, "char(5)", "'ab ", NULL, "fixed length"},
    {PG, "bytea", "'00FF", "'00ff", ""},
    {LITE | MY, "blob", "'00ff", "'00ff", ""},
    {LITE | MY, "blob", "'plain text", "'706c61696e2074657874", ""},
    {MY, "varbinary(2)", "'00ff00", NULL, "holds 2 bytes"},
    {MY, "binary(3)", "'00ff", NULL, "pad the"},
    {LITE | PG | MY, "json", "'{\"a\": 1}", "'{\"a\": 1}", ""},
    {LITE | PG | MY, "json", "[1]", "'[1]", ""},
    {MY, "enum('a','B')", "'b", NULL, "enum"},
    {MY, "enum('a','B')", "'B", "'B", ""},
    {MY, "enum('a','B')", "'", NULL, "enum"},
    {MY, "enum('it''s','B')", "'", NULL, "enum"},
    {MY, "enum('it''s','B')", "'it's", "'it's", ""},
    {MY, "enum('a,b','')", "'", "'", ""},
    {MY, "enum('a,b','')", "'a,b", "'a,b", ""},
    {MY, "enum('a,b','')", "'b", NULL, "enum"},
    {MY, "set('x','y','it''s')", "'x,it's", "'x,it's", ""},
    {MY, "set('x','y')", "'", "'", ""},
    {MY, "set('x','y')", "'y,x", NULL, "set"},
    {MY, "set('x','y')", "'x,x", NULL, "set"},
    {MY, "set('x','y')", "'X", NULL, "set"},
    {MY, "set('x','y')", "'x,z", NULL, "set"},
    {MY, "set('x','y')", "'x,", NULL, "set"},
    {PG, "inet", "'10.0.0.1/32", "'10.0.0.1", ""},
    {PG, "inet", "'fe80::1/128", "'fe80::1", ""},
    {PG, "money", "'1234.5", "'1234.50", ""},
    {PG, "money", "'1234.505", NULL, "keeps 2 digits after"},
    {PG, "uuid", "'123E4567-E89B-12D3-A456-426614174000",
     "'123e4567-e89b-12d3-a456-426614174000", ""},
    {PG | MY, "uuid", "'1", NULL, "holds UUIDs"},
    {PG | MY, "uuid", "'123e4567-e89b-12d3-a456-42661417400g", NULL,
     "holds UUIDs"},
    {PG, "integer[]", "'{1,2}", "'{1,2}", ""},
    {LITE, "", "{\"hex\":\"00ff\"}", "{\"hex\":\"00ff\"}", ""},
    {LITE | PG | MY, "integer NOT NULL", NULL, NULL, "may not be NULL"},
};

/* Values in the tables above: text behind an apostrophe, NULL, or JSON. */
static cm_value_t value_of(const char *text)
{
    cm_value_t value = {CM_NUMBER, text, 0};

    if (!text)
        return (cm_value_t){CM_NULL, NULL, 0};
    if (*text == '\'') {
        value.kind = CM_TEXT;
        value.data++;
    }
    else if (*text == '{' || *text == '[') {
        value.kind = CM_JSON;
    }
    else if (*text == 't' || *text == 'f') {
        value.kind = CM_BOOLEAN;
    }
    value.size = strlen(value.data);
    return value;
}

static const char *shown(cm_value_t value, apr_pool_t *pool)
{
    if (value.kind <= CM_NULL)
        return NULL;
    return apr_pstrcat(pool, value.kind == CM_TEXT ? "'" : "", value.data,
                       NULL);
}

static cm_table_t *make_table(cm_store_t *store, const char *type,
                              apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    cm_table_t *table;

    database_run(store, "DROP TABLE IF EXISTS things");
    database_run(store, apr_psprintf(pool,
                                     "CREATE TABLE things "
                                     "(id integer PRIMARY KEY, v %s)",
                                     type));
    cm_store_forget(store);
    database_must(cm_table_read(
        &table, store,
        settings_add_model(settings, "thing", "things", "id", pool), pool,
        pool));
    return table;
}

/* Return what the row of the table holds, canonical. */
static cm_value_t held(cm_store_t *store, const cm_table_t *table,
                       apr_pool_t *pool)
{
    apr_array_header_t *attributes;
    cm_rows_t *rows;

    database_must(cm_statement_select(
        &rows, store,
        apr_pstrcat(pool, "SELECT ", table->capture, " FROM things t", NULL),
        NULL, 0, pool));
    database_must(cm_captured_read(&attributes, table, *cm_cell(rows, 0, 0),
                                   cm_dialect_of_store(store), pool));
    return APR_ARRAY_IDX(attributes, 0, cm_attribute_t).value;
}

/* Store VALUE in the table's one row. */
static cm_error_t *put(cm_store_t *store, const cm_table_t *table,
                       cm_value_t value, apr_pool_t *pool)
{
    const cm_column_t *column = cm_table_column(table, "v");
    const cm_bulk_column_t columns[] = {{"id", "integer"},
                                        {column->quoted, column->type}};
    cm_bulk_t *bulk = cm_bulk_create("things", columns, 2, 1, pool);
    apr_int64_t count;
    cm_datum_t datum;

    CM_TRY(
        cm_fit_value(&datum, column, value, cm_dialect_of_store(store), pool));
    database_run(store, "DELETE FROM things");
    cm_bulk_add(bulk, cm_datum_text("1"));
    cm_bulk_add(bulk, datum);
    return cm_bulk_insert(&count, store, bulk, CM_PRESENT_FAIL, pool);
}

/* Whether this is MySQL, which has no such TYPE. */
static int lacks(cm_store_t *store, const char *type, apr_pool_t *pool)
{
    return cm_dialect_of_store(store)->database == CM_MYSQL &&
           (!strncmp(type, "inet", 4) || !strcmp(type, "uuid")) &&
           !database_is_mariadb(store, pool);
}

/* From the table to the wire, and back into the same table. */
static void round_trips(cm_store_t *store, apr_pool_t *pool)
{
    cm_database_e database = cm_dialect_of_store(store)->database;
    apr_size_t i;

    if (database == CM_MYSQL)
        database_run(store, "SET sql_mode = ''");
    for (i = 0; i < sizeof(written) / sizeof(*written); i++) {
        const char *name =
            apr_psprintf(pool, "%s: %s %s", database_of(store), written[i].type,
                         apr_pstrmemdup(pool, written[i].sql,
                                        strcspn(written[i].sql, "\n")));
        cm_table_t *table;
        cm_value_t value;
        cm_error_t *err;

        if (!(written[i].databases & 1 << database) ||
            lacks(store, written[i].type, pool))
            continue;
        table = make_table(store, written[i].type, pool);
        database_run(store, apr_pstrcat(pool, "INSERT INTO things VALUES (1, ",
                                        written[i].sql, ")", NULL));
        value = held(store, table, pool);
        is_str(shown(value, pool), written[i].wire, "%s", name);
        /* what SQLite held against the column's type is refused, and a
         * number without a type comes as text: docs/values.md */
        if (database == CM_SQLITE3 && written[i].wire &&
            strstr("'abc 'soon {\"hex\":\"ff\"} 1", written[i].wire) &&
            strcmp(written[i].wire, "'"))
            continue;
        err = put(store, table, value, pool);
        ok(!err, "%s is taken back%s", name,
           err ? cm_error_text(err, pool) : "");
        if (!err)
            is_str(shown(held(store, table, pool), pool), written[i].wire,
                   "%s is the same then", name);
    }
}

static void takes(cm_store_t *store, apr_pool_t *pool)
{
    cm_database_e database = cm_dialect_of_store(store)->database;
    apr_size_t i;

    for (i = 0; i < sizeof(received) / sizeof(*received); i++) {
        const char *name = apr_psprintf(
            pool, "%s: %s takes %.40s", database_of(store), received[i].type,
            received[i].wire ? received[i].wire : "NULL");
        cm_table_t *table;
        cm_error_t *err;

        if (!(received[i].databases & 1 << database) ||
            lacks(store, received[i].type, pool))
            continue;
        table = make_table(store, received[i].type, pool);
        err = put(store, table, value_of(received[i].wire), pool);
        if (!received[i].result) {
            ok(err && err->code == CM_REJECTED &&
                   strstr(cm_error_text(err, pool), "column 'v'") &&
                   strstr(cm_error_text(err, pool), received[i].why),
               "%s: not, says why", name);
            continue;
        }
        ok(!err, "%s%s", name, err ? cm_error_text(err, pool) : "");
        if (err)
            continue;
        is_str(shown(held(store, table, pool), pool), received[i].result,
               "%s: holds it", name);
        is_str(shown(cm_canonical_normalise(cm_table_column(table, "v"),
                                            value_of(received[i].wire), pool),
                     pool),
               received[i].result, "%s: compares as the same", name);
    }
}

/* U+0000, which one database cannot hold, and bytes that count. */
static void text_limits(cm_store_t *store, apr_pool_t *pool)
{
    cm_database_e database = cm_dialect_of_store(store)->database;
    const char *name = database_of(store);
    cm_value_t nul = {CM_TEXT, "a\0b", 3}, got, long_text;
    cm_table_t *table = make_table(store, "text", pool);
    cm_error_t *err = put(store, table, nul, pool);

    if (database == CM_PGSQL) {
        ok(err && err->code == CM_REJECTED &&
               strstr(cm_error_text(err, pool), "U+0000"),
           "%s: text with U+0000 is refused", name);
        return;
    }
    database_must(err);
    got = held(store, table, pool);
    ok(got.size == 3 && !memcmp(got.data, "a\0b", 3),
       "%s: text with U+0000 is held", name);
    if (database != CM_MYSQL)
        return;
    long_text = (cm_value_t){CM_TEXT, apr_pcalloc(pool, 257), 256};
    memset((char *)long_text.data, 'x', 256);
    table = make_table(store, "tinytext", pool);
    ok(database_fails(put(store, table, long_text, pool), CM_REJECTED,
                      "holds 255 bytes"),
       "%s: bytes are counted", name);
}

int main(void)
{
    if (!database_any())
        return skip_all("there is no database to test with");
    database_each("round_trips", round_trips);
    database_each("takes", takes);
    database_each("text_limits", text_limits);
    return done_testing();
}
