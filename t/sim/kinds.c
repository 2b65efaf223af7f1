/* See kinds.h. */
#include "kinds.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#define ALL        7u
#define PGSQL      (1u << SIM_PGSQL)
#define NOT_SQLITE (1u << SIM_PGSQL | 1u << SIM_MYSQL)
#define NOT_PGSQL  (1u << SIM_SQLITE | 1u << SIM_MYSQL)

#define TEN_LETTERS                                                            \
    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9" \
    "\xc3\xa9"
#define FIFTY_LETTERS                                                          \
    TEN_LETTERS TEN_LETTERS TEN_LETTERS TEN_LETTERS TEN_LETTERS

/* A value as SQL of all databases, but for SIM_BINARY: its digits, and for
 * SIM_ZONED: without its zone, which is UTC. */
typedef struct edge_t {
    const char *sql;
    unsigned holders; /* bits: databases that can hold it (docs/values.md) */
} edge_t;

#define EDGES 16

/* Of timestamps, with a zone and without. */
#define MOMENTS                                                                \
    {"'0001-01-01 00:00:00'", ALL}, {"'1969-12-31 23:59:59.999999'", ALL},     \
        {"'2024-03-31 02:30:00'", ALL}, {"'2024-10-27 00:30:00.5'", ALL},      \
        {"'2038-01-19 03:14:08'", ALL},                                        \
    {                                                                          \
        "'9999-12-31 23:59:59.999999'", ALL                                    \
    }

/* By kind. */
static const edge_t edges[][EDGES] = {
    {{"0", ALL},
     {"-1", ALL},
     {"9007199254740993", ALL},
     {"9223372036854775000", ALL},
     {"-9223372036854775000", ALL},
     {"-9223372036854775807", ALL},
     {"-9223372036854775808", ALL}},
    {{"''", ALL},
     {"'it''s'", ALL},
     {"'a \"word\"'", ALL},
     {"'two\nlines'", ALL},
     {"'100%s'", ALL},
     {"'\xc3\xa9\xe2\x82\xac'", ALL},
     {"'\xf0\x9f\x90\x98'", ALL},
     {"'\xf4\x8f\xbf\xbf'", ALL},
     {"'\x01\x1f\x7f'", ALL},
     {"'\t \r'", ALL},
     {"'{\"a\":[null]}'", ALL},
     {"'" FIFTY_LETTERS FIFTY_LETTERS "'", ALL},
     {"' '", ALL}},
    {{"TRUE", ALL}, {"FALSE", ALL}},
    {{"0", ALL},
     {"0.0001", ALL},
     {"-0.1000", ALL},
     {"12.30", ALL},
     {"99999999999.9999", ALL},
     {"-99999999999.9999", ALL},
     {"9999999999999999.9999", NOT_SQLITE},
     {"-9007199254740993.0001", NOT_SQLITE}},
    {{"0", ALL},
     {"0.1", ALL},
     {"-1e-7", ALL},
     {"1e20", ALL},
     {"1e50", ALL},
     {"5e-50", ALL},
     {"0.3333333333333333", ALL},
     {"9007199254740992", ALL},
     {"1.7976931348623157e308", NOT_SQLITE},
     {"2.2250738585072014e-308", NOT_SQLITE},
     {"'NaN'", PGSQL},
     {"'-Infinity'", PGSQL}},
    {{"'0001-01-01'", ALL},
     {"'1582-10-10'", ALL},
     {"'1970-01-01'", ALL},
     {"'2024-02-29'", ALL},
     {"'9999-12-31'", ALL},
     {"'infinity'", PGSQL},
     {"'0044-03-15 BC'", PGSQL}},
    {MOMENTS},
    {MOMENTS},
    {{"'00:00:00'", ALL},
     {"'00:00:00.000001'", ALL},
     {"'10:11:12.5'", ALL},
     {"'23:59:59.999999'", ALL},
     {"'-00:00:01'", NOT_PGSQL},
     {"'-100:00:00'", NOT_PGSQL},
     {"'838:59:59'", NOT_PGSQL}},
    {{"", ALL},
     {"00", ALL},
     {"ff00ff", ALL},
     {"5c78303027225c5c", ALL},
     {"c3a9", ALL},
     {"30316666", ALL}},
    {{"'00000000-0000-0000-0000-000000000000'", ALL},
     {"'ffffffff-ffff-ffff-ffff-ffffffffffff'", ALL}},
    {{"'{}'", ALL},
     {"'[]'", ALL},
     {"'null'", ALL},
     {"'\"\"'", ALL},
     {"'[1, 2.50, 1e3, 9007199254740993]'", ALL},
     {"'{\"b\": 1,  \"a\": {\"b\": [null, true]}}'", ALL},
     {"'{\"a\": \"\xc3\xa9\xf0\x9f\x90\x98 it''s\"}'", ALL},
     {"' {\"a\" :\n1} '", ALL}},
    {{"'it''s'", ALL}, {"'a, b'", ALL}, {"'\xc3\xa9'", ALL}},
};

static const char *const members[] = {"open", "closed", "Open..."};

static const char *zoned(const char *sql, sim_database_e database,
                         apr_pool_t *pool)
{
    return database == SIM_PGSQL
               ? apr_pstrcat(pool, "timestamptz(", sql, " || '+00')", NULL)
               : sql;
}

static const char *binary(const char *digits, sim_database_e database,
                          apr_pool_t *pool)
{
    return apr_pstrcat(pool, database == SIM_PGSQL ? "'\\x" : "X'", digits, "'",
                       NULL);
}

const char *sim_kind_type(sim_kind_e kind, sim_database_e database)
{
    static const char *const types[][3] = {
        {"bigint", "bigint", "bigint"},
        {"varchar(100)", "varchar(100)", "varchar(100)"},
        {"boolean", "boolean", "boolean"},
        {"decimal(20,4)", "numeric(20,4)", "decimal(20,4)"},
        {"double", "double precision", "double"},
        {"date", "date", "date"},
        {"timestamp", "timestamp", "datetime(6)"},
        {"timestamp", "timestamptz", "datetime(6)"},
        {"time", "time", "time(6)"},
        {"blob", "bytea", "blob"},
        {"char(36)", "uuid", "uuid"},
        {"json", "json", "json"},
        {"varchar(20)", "varchar(20)",
         "enum('open','closed','Open...','it''s','a, b','\xc3\xa9')"},
    };

    return types[kind][database];
}

const char *sim_kind_edge(sim_random_t *random, sim_kind_e kind,
                          unsigned databases, sim_database_e database,
                          apr_pool_t *pool)
{
    const edge_t *held[EDGES];
    const char *sql;
    int i, count = 0;

    for (i = 0; i < EDGES && edges[kind][i].sql; i++)
        if (!(databases & ~edges[kind][i].holders))
            held[count++] = &edges[kind][i];
    sql = held[sim_random_below(random, count)]->sql;
    return kind == SIM_BINARY  ? binary(sql, database, pool)
           : kind == SIM_ZONED ? zoned(sql, database, pool)
                               : sql;
}

static const char *plain_moment(int number, apr_pool_t *pool)
{
    return apr_psprintf(pool, "'2024-05-%02d %02d:%02d:00.%d'",
                        1 + number / 1440 % 28, number / 60 % 24, number % 60,
                        number % 10);
}

const char *sim_kind_plain(sim_kind_e kind, int number, sim_database_e database,
                           apr_pool_t *pool)
{
    switch (kind) {
    case SIM_TEXT:
        return apr_psprintf(pool, "'v%d'", number);
    case SIM_BOOLEAN:
        return number % 2 ? "TRUE" : "FALSE";
    case SIM_DECIMAL:
        return apr_psprintf(pool, "%d.%02d", number, number % 100);
    case SIM_DOUBLE:
        return apr_psprintf(pool, "%d.%d", number, number % 10);
    case SIM_DATE:
        return apr_psprintf(pool, "'%d-%02d-%02d'", 2000 + number / 336,
                            1 + number / 28 % 12, 1 + number % 28);
    case SIM_TIMESTAMP:
        return plain_moment(number, pool);
    case SIM_ZONED:
        return zoned(plain_moment(number, pool), database, pool);
    case SIM_TIME:
        return apr_psprintf(pool, "'%02d:%02d:00.%d'", number / 60 % 24,
                            number % 60, number % 10);
    case SIM_BINARY:
        return binary(apr_psprintf(pool, "%06x", (unsigned)number), database,
                      pool);
    case SIM_UUID:
        return apr_psprintf(pool, "'00000000-0000-4000-9000-%012d'", number);
    case SIM_JSON:
        return apr_psprintf(pool, "'{\"n\": [%d, \"v\"]}'", number);
    case SIM_ENUM:
        return apr_psprintf(pool, "'%s'", members[number % 3]);
    default:
        return apr_psprintf(pool, "%d", 1000 + number);
    }
}

/* The columns of SQLite hold a moment as text, now with the letters of ISO 8601
 * and now without. */
static const char *moment(sim_database_e database, apr_pool_t *pool,
                          const char *column)
{
    static const char *const forms[] = {
        "rtrim(replace(replace(%s, ' ', 'T'), 'Z', ''))",
        "to_char(%s, 'YYYY-MM-DD\"T\"HH24:MI:SS.US')",
        "date_format(%s, '%%Y-%%m-%%dT%%H:%%i:%%s.%%f')"};

    return apr_psprintf(pool, forms[database], column);
}

const char *sim_kind_shown(sim_kind_e kind, sim_database_e database,
                           const char *column, apr_pool_t *pool)
{
    static const char *const binaries[] = {
        "lower(hex(%s))", "encode(%s, 'hex')", "lower(hex(%s))"};
    const char *sql = NULL;

    if (kind == SIM_BOOLEAN)
        return apr_psprintf(
            pool, "CASE WHEN %s THEN 'true' WHEN NOT %s THEN 'false' END",
            column, column);
    if (kind == SIM_ZONED && database == SIM_PGSQL)
        column = apr_psprintf(pool, "(%s AT TIME ZONE 'UTC')", column);
    if (kind == SIM_TIMESTAMP || kind == SIM_ZONED)
        return moment(database, pool, column);
    if (kind == SIM_BINARY)
        sql = apr_psprintf(pool, binaries[database], column);
    else if (kind == SIM_DECIMAL && database == SIM_SQLITE)
        sql = apr_psprintf(pool, "printf('%%.4f', %s)", column);
    else if (kind == SIM_DOUBLE && database == SIM_SQLITE)
        sql = apr_psprintf(pool, "printf('%%!.17g', %s)", column);
    /* SQLite's functions show NULL as '' or 0. */
    return sql ? apr_psprintf(pool, "CASE WHEN %s IS NOT NULL THEN %s END",
                              column, sql)
               : column;
}

/* The shortest text that reads back the same. */
static const char *shortest(const char *text, apr_pool_t *pool)
{
    double number = strtod(text, NULL);
    char form[40]; /* apr_psprintf() has zeros of its own */
    int digits = 15;

    if (!isfinite(number))
        return text;
    do {
        snprintf(form, sizeof(form), "%.*g", digits, number);
    } while (strtod(form, NULL) != number && ++digits <= 17);
    return apr_pstrdup(pool, form);
}

/* TEXT without the zeros at the end of its fraction. */
static const char *trimmed(const char *text, apr_pool_t *pool)
{
    apr_size_t size = strlen(text);

    if (!strchr(text, '.'))
        return text;
    while (text[size - 1] == '0')
        size--;
    return apr_pstrmemdup(pool, text, size - (text[size - 1] == '.'));
}

const char *sim_kind_canonical(sim_kind_e kind, const char *text,
                               apr_pool_t *pool)
{
    if (!text)
        return NULL;
    switch (kind) {
    case SIM_DOUBLE:
        return shortest(text, pool);
    case SIM_TIME:
        return trimmed(text, pool);
    case SIM_TIMESTAMP:
    case SIM_ZONED:
        return apr_pstrcat(pool, trimmed(text, pool), "Z", NULL);
    default:
        return text;
    }
}
