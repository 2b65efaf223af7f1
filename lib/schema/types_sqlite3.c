/* SQLite's column types: see types.h. */
#include "schema/types.h"

#include <apr_strings.h>

/* Part of the declared type. */
static const cm_type_t types[] = {
    {"bool", CM_CLASS_BOOLEAN, 8},        {"blob", CM_CLASS_BINARY, 0},
    {"binary", CM_CLASS_BINARY, 0},       {"datetime", CM_CLASS_TIMESTAMP, 0},
    {"timestamp", CM_CLASS_TIMESTAMP, 0}, {"date", CM_CLASS_DATE, 0},
    {"time", CM_CLASS_TIME, 0},           {"json", CM_CLASS_JSON, 0},
    {"char", CM_CLASS_TEXT, 0},           {"clob", CM_CLASS_TEXT, 0},
    {"text", CM_CLASS_TEXT, 0},           {"int", CM_CLASS_INTEGER, 8},
    {"real", CM_CLASS_FLOAT, 8},          {"floa", CM_CLASS_FLOAT, 8},
    {"doub", CM_CLASS_FLOAT, 8},          {"dec", CM_CLASS_DECIMAL, 0},
    {"numeric", CM_CLASS_DECIMAL, 0},     {"number", CM_CLASS_DECIMAL, 0},
    {"money", CM_CLASS_DECIMAL, 0},       {NULL, CM_CLASS_TEXT, 0},
};

/* The value's own type decides, whatever the column's is. */
static const char *raw(const cm_column_t *column, const char *base,
                       apr_pool_t *pool)
{
    const char *q = column->quoted;

    (void)base;
    if (column->value_class == CM_CLASS_BINARY)
        return apr_psprintf(pool,
                            "CASE WHEN t.%s IS NULL THEN 'null'"
                            " ELSE '\"' || lower(hex(t.%s)) || '\"' END",
                            q, q);
    return apr_psprintf(
        pool,
        "CASE typeof(t.%s) WHEN 'text' THEN json_quote(t.%s)"
        " WHEN 'integer' THEN t.%s"
        " WHEN 'real' THEN CASE t.%s WHEN 9e999 THEN '\"Infinity\"'"
        " WHEN -9e999 THEN '\"-Infinity\"'"
        " ELSE printf('%%%%!.26g', t.%s) END"
        " WHEN 'blob' THEN '{\"hex\":\"' || lower(hex(t.%s)) || '\"}'"
        " ELSE 'null' END",
        q, q, q, q, q, q);
}

static const char *key(const cm_column_t *key, const char *name,
                       apr_pool_t *pool)
{
    (void)key;
    return apr_psprintf(pool, "CAST(%s AS TEXT)", name);
}

static const char *differs(const cm_column_t *column, const char *before,
                           const char *after, apr_pool_t *pool)
{
    const char *q = column->quoted;

    return apr_psprintf(pool,
                        "(typeof(%s.%s) <> typeof(%s.%s)"
                        " OR %s.%s COLLATE BINARY IS NOT %s.%s)",
                        before, q, after, q, before, q, after, q);
}

const cm_types_t cm_types_sqlite3 = {
    .list = types,
    .loose = 1,
    .raw = raw,
    .key = key,
    .differs = differs,
    .object = "(",
    .object_plus = " || ",
    .names = "(",
    .names_plus = " || ",
    .tuple = "('[' || ",
    .tuple_text = "nullif(json_quote(%s), 'null')",
    .tuple_plus = " || ',' || ",
    .tuple_end = " || ']')",
    .not_null =
        "SQLite lets NULL into a primary key unless it is INTEGER"
        " PRIMARY KEY or says NOT NULL: create the table again with"
        " \"{key} {type} NOT NULL PRIMARY KEY\" and copy its rows, as in"
        " https://sqlite.org/lang_altertable.html#otheralter, then"
        " `communicator-sync migrate`",
    .before = "OLD",
    .after = "NEW",
};
