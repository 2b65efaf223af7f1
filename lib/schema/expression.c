/* SQL that makes the raw form of rows: see expression.h. */
#include "schema/expression.h"

#include <string.h>

#include <apr_strings.h>

/* PostgreSQL: to_json() knows the value's type; what it does not know, and
 * what it would make an object of, goes as text. */
static const char *capture_pgsql(const cm_column_t *column, const char *base,
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

/* MariaDB: every value is a text of one character set. JSON_OBJECT() writes a
 * number as it is shown (ZEROFILL, YEAR 0000), which need not be JSON, a FLOAT
 * with six digits and a JSON column as an object; and a statement with columns
 * of two character sets may fail. A TIMESTAMP depends on the session's zone; a
 * zero one is NULL to UNIX_TIMESTAMP() in a trigger. HEX() of what is too long
 * is NULL: CM_CAPTURE_APART says that it must be read in pieces. */
static const char *capture_mysql(const cm_column_t *column, apr_pool_t *pool)
{
    const char *format = "CAST(t.%s AS CHAR CHARACTER SET utf8mb4)";

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

/* SQLite: the value's own type decides, whatever the column's is. */
static const char *capture_sqlite(const cm_column_t *column, apr_pool_t *pool)
{
    const char *q = column->quoted;

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

const char *cm_expression_raw(const cm_column_t *column, const char *base,
                              cm_database_e database, apr_pool_t *pool)
{
    switch (database) {
    case CM_PGSQL:
        return capture_pgsql(column, base, pool);
    case CM_MYSQL:
        return capture_mysql(column, pool);
    case CM_SQLITE3:
        break;
    }
    return capture_sqlite(column, pool);
}

/* Return TEXT as a literal for SQL with parameters. Marks are doubled, never
 * escaped, so that cm_expression_with_alias() sees where it ends. */
static const char *literal(const cm_store_t *store, const char *text,
                           apr_pool_t *pool)
{
    text = cm_dialect_doubled(text, '\'', pool);
    text = cm_dialect_doubled(text, '%', pool);
    if (cm_dialect_of_store(store)->database == CM_MYSQL)
        text = cm_dialect_doubled(text, '\\', pool);
    return apr_pstrcat(pool, "'", text, "'", NULL);
}

/* Return NAME as a JSON string. */
static const char *json_name(const char *name, apr_pool_t *pool)
{
    char *json = apr_palloc(pool, 6 * strlen(name) + 3), *to = json;

    *to++ = '"';
    for (; *name; name++) {
        if ((unsigned char)*name < ' ') {
            to += apr_snprintf(to, 7, "\\u%04x", *name);
            continue;
        }
        if (*name == '"' || *name == '\\')
            *to++ = '\\';
        *to++ = *name;
    }
    *to++ = '"';
    *to = '\0';
    return json;
}

const char *cm_expression_name(const cm_store_t *store, const char *before,
                               const char *name, const char *after,
                               apr_pool_t *pool)
{
    return literal(
        store, apr_pstrcat(pool, before, json_name(name, pool), after, NULL),
        pool);
}

/* PostgreSQL: concat() copies what is there once, "||" once per piece; it takes
 * a hundred arguments. SQLite: an expression is at most a thousand deep, which
 * a table of 300 columns would be, and so the application's own INSERT would
 * fail. So both have it in groups. */
static const char *capture_object(const cm_table_t *table,
                                  const cm_store_t *store, apr_pool_t *pool)
{
    apr_array_header_t *pieces = apr_array_make(pool, 16, sizeof(char *));
    int by_function = cm_dialect_of_store(store)->database == CM_PGSQL, i;
    const char *plus = by_function ? ", " : " || ";

    for (i = 0; i < table->column_count; i++) {
        const cm_column_t *column = &table->columns[i];

        if (!column->carried)
            continue;
        if (pieces->nelts && pieces->nelts % 40 == 0)
            APR_ARRAY_PUSH(pieces, const char *) =
                by_function ? "'') || concat(" : "'') || (";
        APR_ARRAY_PUSH(pieces, const char *) =
            apr_pstrcat(pool,
                        cm_expression_name(store, pieces->nelts ? "," : "{",
                                           column->name, ":", pool),
                        plus, column->capture, plus, NULL);
    }
    APR_ARRAY_PUSH(pieces, const char *) = pieces->nelts ? "'}'" : "'{}'";
    return apr_pstrcat(pool, by_function ? "(concat(" : "((",
                       apr_array_pstrcat(pool, pieces, 0), "))", NULL);
}

static const char *capture_function(const cm_table_t *table,
                                    const cm_store_t *store, apr_pool_t *pool)
{
    apr_array_header_t *pieces = apr_array_make(pool, 16, sizeof(char *));
    int i;

    for (i = 0; i < table->column_count; i++) {
        const cm_column_t *column = &table->columns[i];

        if (column->carried)
            APR_ARRAY_PUSH(pieces, const char *) =
                apr_pstrcat(pool, literal(store, column->name, pool), ", ",
                            column->capture, NULL);
    }
    return apr_pstrcat(pool, "JSON_OBJECT(",
                       apr_array_pstrcat(pool, pieces, ','), ")", NULL);
}

const char *cm_expression_body(const cm_table_t *table, const cm_store_t *store,
                               apr_pool_t *pool)
{
    if (cm_dialect_of_store(store)->database == CM_MYSQL)
        return capture_function(table, store, pool);
    return capture_object(table, store, pool);
}

/* Whether "=" of DATABASE is true for the same value of COLUMN only; text has
 * collations. */
static int is_exact(const cm_column_t *column, cm_database_e database)
{
    switch (column->value_class) {
    case CM_CLASS_TEXT:
    case CM_CLASS_JSON: /* PostgreSQL has no "=" */
    case CM_CLASS_ANY:
        return 0;
    case CM_CLASS_DECIMAL: /* PostgreSQL: scale */
        return database == CM_MYSQL;
    case CM_CLASS_FLOAT:          /* MariaDB: -0 */
    case CM_CLASS_TIMESTAMP_ZONE: /* MariaDB: the session's zone */
    case CM_CLASS_BINARY:
        return database == CM_PGSQL;
    default:
        return 1;
    }
}

/* MariaDB: texts differ by their bytes, in the column's own character set, so
 * there is no need to convert them; numbers and dates need not become text. */
static const char *differs_mysql(const cm_column_t *column, const char *before,
                                 const char *after, apr_pool_t *pool)
{
    const char *format = "NOT (BINARY %s.%s <=> BINARY %s.%s)";
    const char *q = column->quoted;

    if (is_exact(column, CM_MYSQL))
        format = "NOT (%s.%s <=> %s.%s)";
    else if (column->value_class != CM_CLASS_TEXT &&
             column->value_class != CM_CLASS_BINARY &&
             column->value_class != CM_CLASS_JSON)
        return apr_psprintf(
            pool, "NOT (BINARY %s <=> BINARY %s)",
            cm_expression_with_alias(column->capture, before, pool),
            cm_expression_with_alias(column->capture, after, pool));
    return apr_psprintf(pool, format, before, q, after, q);
}

const char *cm_expression_differs(const cm_column_t *column, const char *before,
                                  const char *after, cm_database_e database,
                                  apr_pool_t *pool)
{
    const char *format, *q = column->quoted;

    switch (database) {
    case CM_PGSQL:
        format = is_exact(column, CM_PGSQL) ? "%s.%s IS DISTINCT FROM %s.%s"
                                            : "%s.%s::text COLLATE \"C\""
                                              " IS DISTINCT FROM %s.%s::text";
        return apr_psprintf(pool, format, before, q, after, q);
    case CM_MYSQL:
        return differs_mysql(column, before, after, pool);
    case CM_SQLITE3:
        break;
    }
    return apr_psprintf(pool,
                        "(typeof(%s.%s) <> typeof(%s.%s)"
                        " OR %s.%s COLLATE BINARY IS NOT %s.%s)",
                        before, q, after, q, before, q, after, q);
}

/* Quoted names and texts may hold anything, a "t." too. */
const char *cm_expression_with_alias(const char *expression, const char *alias,
                                     apr_pool_t *pool)
{
    apr_array_header_t *pieces = apr_array_make(pool, 16, sizeof(char *));
    const char *at, *begin = expression;
    char quote = 0;

    for (at = expression; *at; at++) {
        if (quote) {
            if (*at == quote)
                quote = 0;
        }
        else if (*at == '\'' || *at == '"' || *at == '`') {
            quote = *at;
        }
        else if (at[0] == 't' && at[1] == '.' &&
                 (at == expression || strchr(" (,=", at[-1]))) {
            APR_ARRAY_PUSH(pieces, const char *) =
                apr_pstrmemdup(pool, begin, at - begin);
            APR_ARRAY_PUSH(pieces, const char *) = alias;
            begin = at + 1;
        }
    }
    APR_ARRAY_PUSH(pieces, const char *) = begin;
    return apr_array_pstrcat(pool, pieces, 0);
}

const char *cm_expression_without_doubling(const char *sql, apr_pool_t *pool)
{
    char *copy = apr_palloc(pool, strlen(sql) + 1), *to = copy;

    for (; *sql; sql++) {
        *to++ = *sql;
        if (sql[0] == '%' && sql[1] == '%')
            sql++;
    }
    *to = '\0';
    return copy;
}
