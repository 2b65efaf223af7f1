/* SQL that makes the raw form of rows: see expression.h. */
#include "schema/expression.h"

#include <string.h>

#include <apr_strings.h>

#include "base/buffer.h"

/* Return TEXT as a literal for SQL with parameters. Quotation marks are
 * doubled, never escaped, so that cm_expression_with_alias() finds its end. */
static const char *literal(const cm_store_t *store, const char *text,
                           apr_pool_t *pool)
{
    text = cm_dialect_doubled(text, '\'', pool);
    text = cm_dialect_doubled(text, '%', pool);
    if (cm_dialect_of_store(store)->escapes)
        text = cm_dialect_doubled(text, '\\', pool);
    return apr_pstrcat(pool, "'", text, "'", NULL);
}

const char *cm_expression_name(const cm_store_t *store, const char *before,
                               const char *name, const char *after,
                               apr_pool_t *pool)
{
    cm_buffer_t *json = cm_buffer_create(64, pool);

    cm_buffer_raw(json, before);
    cm_buffer_string(json, name, strlen(name));
    cm_buffer_append(json, after, strlen(after) + 1);
    return literal(store, json->data, pool);
}

/* In groups of 40 pieces: concat() takes a hundred arguments, and an expression
 * of SQLite is at most a thousand deep. In a table of 300 columns the
 * application's own INSERT would fail. */
static const char *object_of_pieces(const cm_table_t *table,
                                    const cm_store_t *store, apr_pool_t *pool)
{
    const cm_types_t *types = cm_types_of(cm_dialect_of_store(store));
    apr_array_header_t *pieces = apr_array_make(pool, 16, sizeof(char *));
    int i;

    for (i = 0; i < table->column_count; i++) {
        const cm_column_t *column = &table->columns[i];

        if (!column->carried)
            continue;
        if (pieces->nelts && pieces->nelts % 40 == 0)
            APR_ARRAY_PUSH(pieces, const char *) =
                apr_pstrcat(pool, "'') || ", types->object, NULL);
        APR_ARRAY_PUSH(pieces, const char *) = apr_pstrcat(
            pool,
            cm_expression_name(store, pieces->nelts ? "," : "{", column->name,
                               ":", pool),
            types->object_plus, column->capture, types->object_plus, NULL);
    }
    APR_ARRAY_PUSH(pieces, const char *) = pieces->nelts ? "'}'" : "'{}'";
    return apr_pstrcat(pool, "(", types->object,
                       apr_array_pstrcat(pool, pieces, 0), "))", NULL);
}

static const char *object_by_function(const cm_table_t *table,
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
    if (cm_types_of(cm_dialect_of_store(store))->object)
        return object_of_pieces(table, store, pool);
    return object_by_function(table, store, pool);
}

const char *cm_expression_key(const cm_table_t *table, const cm_store_t *store,
                              const char *before, apr_pool_t *pool)
{
    const cm_types_t *types = cm_types_of(cm_dialect_of_store(store));
    apr_array_header_t *pieces = apr_array_make(pool, 8, sizeof(char *));
    int i;

    for (i = 0; i < table->key_count; i++) {
        const cm_column_t *column = table->keys[i];
        const char *text = types->key(
            column, apr_pstrcat(pool, before, column->quoted, NULL), pool);

        if (table->key_count == 1)
            return text;
        APR_ARRAY_PUSH(pieces, const char *) =
            i ? types->tuple_plus : types->tuple;
        APR_ARRAY_PUSH(pieces, const char *) =
            apr_psprintf(pool, types->tuple_text, text);
    }
    APR_ARRAY_PUSH(pieces, const char *) = types->tuple_end;
    return apr_array_pstrcat(pool, pieces, 0);
}

const char *cm_expression_keys(const cm_table_t *table, const char *before,
                               apr_pool_t *pool)
{
    const char *list = "";
    int i;

    for (i = 0; i < table->key_count; i++)
        list = apr_pstrcat(pool, list, i ? ", " : "", before,
                           table->keys[i]->quoted, NULL);
    return list;
}

/* Quoted names and texts may contain anything, even "t.". */
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
