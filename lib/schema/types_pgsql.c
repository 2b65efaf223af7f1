/* PostgreSQL's column types: see types.h. */
#include "schema/types.h"

#include <string.h>

#include <apr_strings.h>

#include "schema/capture_internal.h"

static const cm_type_t types[] = {
    {"int2", CM_CLASS_INTEGER, 2},
    {"int4", CM_CLASS_INTEGER, 4},
    {"int8", CM_CLASS_INTEGER, 8},
    {"numeric", CM_CLASS_DECIMAL, 0},
    {"float4", CM_CLASS_FLOAT, 4},
    {"float8", CM_CLASS_FLOAT, 8},
    {"bool", CM_CLASS_BOOLEAN, 0},
    {"date", CM_CLASS_DATE, 0},
    {"time", CM_CLASS_TIME, 0},
    {"timestamp", CM_CLASS_TIMESTAMP, 0},
    {"timestamptz", CM_CLASS_TIMESTAMP_ZONE, 0},
    {"bytea", CM_CLASS_BINARY, 0},
    {"money", CM_CLASS_DECIMAL, 0},
    {"bit", CM_CLASS_INTEGER, 8},
    {"json", CM_CLASS_JSON, 0},
    {"jsonb", CM_CLASS_JSON, 0},
    {NULL, CM_CLASS_TEXT, 0},
};

static int is_one_of(const char *base, const char *const *list)
{
    for (; *list; list++)
        if (!strcmp(base, *list))
            return 1;
    return 0;
}

/* Whether text may come back in another form: an interval, an array, an
 * address. */
static int is_rewritten(const cm_column_t *column, const char *base)
{
    static const char *const exact[] = {"text", "varchar", "bpchar", "uuid",
                                        "name", "char",    "bit",    "varbit",
                                        "",     NULL};

    return column->value_class == CM_CLASS_TEXT && !is_one_of(base, exact);
}

/* Whether the type reads not every text that cm_fit_value() lets pass: an enum,
 * an address. */
static int may_refuse(const cm_column_t *column, const char *base)
{
    static const char *const any[] = {"text", "varchar", "bpchar", "uuid",
                                      "name", "bit",     "varbit", NULL};

    return column->value_class == CM_CLASS_TEXT && !is_one_of(base, any) &&
           !strstr(column->type, "citext");
}

/* to_json() knows the value's type. What it does not know, and what it would
 * make an object of, goes as text. */
static const char *raw(const cm_column_t *column, const char *base,
                       apr_pool_t *pool)
{
    const char *format = "coalesce(to_json(t.%s::text)::text, 'null')";

    switch (column->value_class) {
    case CM_CLASS_INTEGER:
    case CM_CLASS_BOOLEAN:
        if (!column->is_bits)
            format = "coalesce(t.%s::text, 'null')";
        break;
    case CM_CLASS_BINARY:
        format = "coalesce('\"' || encode(t.%s, 'hex') || '\"', 'null')";
        break;
    case CM_CLASS_TEXT:
        if (!strcmp(base, "_money"))
            format = "coalesce(to_json(t.%s::numeric[]::text)::text, 'null')";
        if (strcmp(base, "text") && strcmp(base, "varchar"))
            break;
        /* fall through */
    case CM_CLASS_DECIMAL:
        if (!strcmp(base, "money"))
            format = "coalesce(to_json(t.%s::numeric)::text, 'null')";
        else
            format = "coalesce(to_json(t.%s)::text, 'null')";
        break;
    case CM_CLASS_FLOAT:
    case CM_CLASS_DATE:
    case CM_CLASS_TIME:
    case CM_CLASS_TIMESTAMP:
    case CM_CLASS_TIMESTAMP_ZONE:
        format = "coalesce(to_json(t.%s)::text, 'null')";
        break;
    case CM_CLASS_JSON:
    case CM_CLASS_ANY:
        break;
    }
    return apr_psprintf(pool, format, column->quoted);
}

/* A cast of inet to text shows a prefix that the value does not have. */
static const char *key(const cm_column_t *key, const char *name,
                       apr_pool_t *pool)
{
    return apr_psprintf(
        pool, strcmp(key->type, "inet") ? "%s::text" : "concat(%s)", name);
}

/* Whether "=" is true for the same value only. Text has collations, json no
 * "=", numerics may differ in scale, and -0 equals 0. */
static int is_exact(const cm_column_t *column)
{
    return column->value_class != CM_CLASS_TEXT &&
           column->value_class != CM_CLASS_JSON &&
           column->value_class != CM_CLASS_DECIMAL &&
           column->value_class != CM_CLASS_FLOAT;
}

static const char *differs(const cm_column_t *column, const char *before,
                           const char *after, apr_pool_t *pool)
{
    const char *q = column->quoted;

    return apr_psprintf(pool,
                        is_exact(column) ? "%s.%s IS DISTINCT FROM %s.%s"
                                         : "%s.%s::text COLLATE \"C\""
                                           " IS DISTINCT FROM %s.%s::text",
                        before, q, after, q);
}

const cm_types_t cm_types_pgsql = {
    .list = types,
    .is_rewritten = is_rewritten,
    .may_refuse = may_refuse,
    .raw = raw,
    .key = key,
    .differs = differs,
    /* concat() copies its arguments once, "||" once per piece. */
    .object = "concat(",
    .object_plus = ", ",
    .names = "(",
    .names_plus = " || ",
    .tuple = "('[' || ",
    .tuple_text = "to_json(%s)::text",
    .tuple_plus = " || ',' || ",
    .tuple_end = " || ']')",
    .not_null = "ALTER TABLE {table} ALTER COLUMN {key} SET NOT NULL",
    .before = "o",
    .after = "n",
    .fill = cm_capture_pgsql_fill,
};
