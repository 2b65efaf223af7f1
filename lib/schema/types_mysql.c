/* The column types of MariaDB and MySQL: see types.h. */
#include "schema/types.h"

#include <string.h>

#include <apr_strings.h>

#include "schema/expression.h"

static const cm_type_t types[] = {
    {"boolean", CM_CLASS_BOOLEAN, 1},
    {"tinyint", CM_CLASS_INTEGER, 1},
    {"smallint", CM_CLASS_INTEGER, 2},
    {"year", CM_CLASS_INTEGER, 2},
    {"mediumint", CM_CLASS_INTEGER, 3},
    {"int", CM_CLASS_INTEGER, 4},
    {"bigint", CM_CLASS_INTEGER, 8},
    {"bit", CM_CLASS_INTEGER, 8},
    {"decimal", CM_CLASS_DECIMAL, 0},
    {"float", CM_CLASS_FLOAT, 4},
    {"double", CM_CLASS_FLOAT, 8},
    {"date", CM_CLASS_DATE, 0},
    {"time", CM_CLASS_TIME, 0},
    {"datetime", CM_CLASS_TIMESTAMP, 0},
    {"timestamp", CM_CLASS_TIMESTAMP_ZONE, 0},
    {"json", CM_CLASS_JSON, 0},
    {"binary", CM_CLASS_BINARY, 0},
    {"varbinary", CM_CLASS_BINARY, 0},
    {"tinyblob", CM_CLASS_BINARY, 0},
    {"blob", CM_CLASS_BINARY, 0},
    {"mediumblob", CM_CLASS_BINARY, 0},
    {"longblob", CM_CLASS_BINARY, 0},
    {"geometry", CM_CLASS_BINARY, 0},
    {"point", CM_CLASS_BINARY, 0},
    {"linestring", CM_CLASS_BINARY, 0},
    {"polygon", CM_CLASS_BINARY, 0},
    {"multipoint", CM_CLASS_BINARY, 0},
    {"multilinestring", CM_CLASS_BINARY, 0},
    {"multipolygon", CM_CLASS_BINARY, 0},
    {"geometrycollection", CM_CLASS_BINARY, 0},
    {NULL, CM_CLASS_TEXT, 0},
};

/* Every value is a text of one character set. JSON_OBJECT() writes a number as
 * it is shown (ZEROFILL, YEAR 0000), which need not be JSON, a FLOAT with six
 * digits, and a JSON column as an object; and a statement with columns of two
 * character sets may fail. A TIMESTAMP depends on the session's zone; a zero
 * one is NULL to UNIX_TIMESTAMP() in a trigger. HEX() of a value that is too
 * long is NULL: CM_CAPTURE_APART says that it must be read in pieces. */
static const char *raw(const cm_column_t *column, const char *base,
                       apr_pool_t *pool)
{
    const char *format = "CAST(t.%s AS CHAR CHARACTER SET utf8mb4)";

    (void)base;
    switch (column->value_class) {
    case CM_CLASS_BOOLEAN:
    case CM_CLASS_INTEGER:
        if (!strncmp(column->type, "bit", 3))
            format = "CAST(t.%s + 0 AS CHAR CHARACTER SET utf8mb4)";
        break;
    case CM_CLASS_FLOAT:
        format = "CAST(CAST(t.%s AS DOUBLE) AS CHAR CHARACTER SET utf8mb4)";
        break;
    case CM_CLASS_TIMESTAMP_ZONE:
        format = "IF(t.%s = 0, '0000-00-00 00:00:00',"
                 " CAST(UNIX_TIMESTAMP(t.%s) AS CHAR CHARACTER SET utf8mb4))";
        break;
    case CM_CLASS_BINARY:
        format = "IF(OCTET_LENGTH(t.%s) * 2 > @@max_allowed_packet,"
                 " '" CM_CAPTURE_APART "', LOWER(HEX(t.%s)))";
        break;
    default:
        break;
    }
    return apr_psprintf(pool, format, column->quoted, column->quoted);
}

/* A TIMESTAMP is shown in the zone of the session. */
static const char *key(const cm_column_t *key, const char *name,
                       apr_pool_t *pool)
{
    const char *format = "CAST(%s AS CHAR CHARACTER SET utf8mb4)";

    if (key->value_class == CM_CLASS_TIMESTAMP_ZONE)
        name = apr_psprintf(pool,
                            "IF(%s = 0, '0000-00-00 00:00:00',"
                            " CAST(TIMESTAMP'1970-01-01 00:00:00' + INTERVAL"
                            " UNIX_TIMESTAMP(%s) SECOND AS DATETIME(%d)))",
                            name, name, key->fraction);
    return apr_psprintf(pool, format, name);
}

/* "<=>" is true for different values, too, where there are collations, -0, or
 * the session's zone. Texts differ by their bytes, in the column's own
 * character set, so there is no need to convert them; numbers and dates need
 * not become text. */
static const char *differs(const cm_column_t *column, const char *before,
                           const char *after, apr_pool_t *pool)
{
    const char *q = column->quoted;

    switch (column->value_class) {
    case CM_CLASS_TEXT:
    case CM_CLASS_JSON:
    case CM_CLASS_BINARY:
        return apr_psprintf(pool, "NOT (BINARY %s.%s <=> BINARY %s.%s)", before,
                            q, after, q);
    case CM_CLASS_FLOAT:
    case CM_CLASS_TIMESTAMP_ZONE:
        return apr_psprintf(
            pool, "NOT (BINARY %s <=> BINARY %s)",
            cm_expression_with_alias(column->capture, before, pool),
            cm_expression_with_alias(column->capture, after, pool));
    default:
        return apr_psprintf(pool, "NOT (%s.%s <=> %s.%s)", before, q, after, q);
    }
}

const cm_types_t cm_types_mysql = {
    .list = types,
    .raw = raw,
    .key = key,
    .differs = differs,
    .names = "CONCAT(",
    .names_plus = ", ",
    .tuple = "CONCAT('[', ",
    .tuple_text = "JSON_QUOTE(%s)",
    .tuple_plus = ", ',', ",
    .tuple_end = ", ']')",
    .not_null = "ALTER TABLE {table} MODIFY {key} {type} NOT NULL",
    .before = "OLD",
    .after = "NEW",
};
