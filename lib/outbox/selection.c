/* Records to be published, as SQL: see internal.h. */
#include "outbox/internal.h"

#include <string.h>

#include <apr_strings.h>

#include "base/json_write.h"
#include "store/dialect.h"
#include "store/sql.h"
#include "schema/expression.h"

int cm_selection_is_integer(const char *text)
{
    text += *text == '-';
    return *text && !text[strspn(text, "0123456789")];
}

/* Integers are not quoted: MariaDB would compare them as floats. */
const char *cm_selection_key_sql(cm_condition_t *condition,
                                 const cm_column_t *column,
                                 const cm_datum_t *key)
{
    cm_datum_t argument = *key;

    if (column->value_class == CM_CLASS_INTEGER &&
        cm_selection_is_integer(key->data))
        return key->data;
    argument.kind =
        column->value_class == CM_CLASS_BINARY ? CM_DATUM_BYTES : CM_DATUM_TEXT;
    APR_ARRAY_PUSH(condition->arguments, cm_datum_t) = argument;
    return "%s";
}

/* Return the SQL for the value of KEY that the section "bound" has found: a
 * literal already, where columns hold values of any type. */
static const char *bound_sql(cm_condition_t *condition, const cm_column_t *key,
                             const cm_datum_t *bound, apr_pool_t *pool)
{
    return key->loose ? cm_dialect_doubled(bound->data, '%', pool)
                      : cm_selection_key_sql(condition, key, bound);
}

/* Return SQL that compares the key, column by column, with BOUND. STRICT is the
 * operator for the columns before the last one. */
static const char *compare_columns(cm_condition_t *condition,
                                   const cm_table_t *table, const char *strict,
                                   const char *operator,
                                   const cm_datum_t * bound, apr_pool_t *pool)
{
    const int last = table->key_count - 1;
    const char *sql = "", *value;
    int i;

    for (i = 0; i < last; i++) {
        const char *name = table->keys[i]->quoted;

        value = bound_sql(condition, table->keys[i], &bound[i], pool);
        sql =
            apr_pstrcat(pool, sql, "(t.", name, " ", strict, " ", value, NULL);
        value = bound_sql(condition, table->keys[i], &bound[i], pool);
        sql = apr_pstrcat(pool, sql, " OR (t.", name, " = ", value, " AND ",
                          NULL);
    }
    value = bound_sql(condition, table->keys[last], &bound[last], pool);
    return apr_pstrcat(pool, sql, "t.", table->keys[last]->quoted,
                       " ", operator, " ", value,
                       cm_dialect_repeat("))", "", last, pool), NULL);
}

/* Return SQL that compares the key with BOUND: keys of several columns at once
 * where the database finds these by an index. */
static const char *compare(cm_condition_t *condition,
                           const cm_selection_t *selection, const char *strict,
                           const char *operator, const cm_datum_t * bound,
                           apr_pool_t *pool)
{
    const cm_table_t *table = selection->table;
    const char *values = "";
    int i;

    if (table->key_count == 1 ||
        !cm_dialect_of_store(selection->node->store)->compares_rows)
        return compare_columns(condition, table, strict, operator, bound, pool);
    for (i = 0; i < table->key_count; i++)
        values = apr_pstrcat(
            pool, values, i ? ", " : "",
            bound_sql(condition, table->keys[i], &bound[i], pool), NULL);
    return apr_pstrcat(pool, "(", cm_expression_keys(table, "t.", pool),
                       ") ", operator, " (", values, ")", NULL);
}

cm_condition_t *cm_selection_condition(apr_pool_t *pool)
{
    cm_condition_t *condition = apr_palloc(pool, sizeof(*condition));

    condition->sql = "1 = 1";
    condition->arguments = apr_array_make(pool, 2, sizeof(cm_datum_t));
    return condition;
}

cm_condition_t *cm_selection_between(const cm_selection_t *selection,
                                     const cm_datum_t *after,
                                     const cm_datum_t *up_to, apr_pool_t *pool)
{
    cm_condition_t *condition = cm_selection_condition(pool);

    if (after)
        condition->sql = apr_pstrcat(
            pool, condition->sql, " AND ",
            compare(condition, selection, ">", ">", after, pool), NULL);
    if (up_to)
        condition->sql = apr_pstrcat(
            pool, condition->sql, " AND ",
            compare(condition, selection, "<", "<=", up_to, pool), NULL);
    return condition;
}

/* Return TEXT as a literal for SQL with parameters. */
static const char *literal(const cm_store_t *store, const char *text,
                           apr_pool_t *pool)
{
    return cm_dialect_doubled(cm_store_literal(store, text, pool), '%', pool);
}

/* Return the SQL of the columns of the key: as literals, where they hold values
 * of any type. */
static const char *bounds_sql(const cm_table_t *table, apr_pool_t *pool)
{
    const char *list = "";
    int i;

    for (i = 0; i < table->key_count; i++)
        list = apr_pstrcat(pool, list, i ? ", " : "",
                           table->keys[i]->loose ? "quote(t." : "t.",
                           table->keys[i]->quoted,
                           table->keys[i]->loose ? ")" : "", NULL);
    return list;
}

/* Return what stands in "changed": with the clock 0, only that column moves
 * (stamp_record.c). */
static const char *changed_sql(const cm_selection_t *selection,
                               apr_pool_t *pool)
{
    cm_buffer_t *json = cm_buffer_create(64, pool);

    cm_json_write_open(json, NULL, '[');
    if (selection->renewed)
        cm_json_write_text(json, NULL, selection->renewed);
    cm_buffer_append(json, "]", 2);
    return literal(selection->node->store, json->data, pool);
}

/* Return the SQL of CONDITION, and of what else SELECTION asks for. */
static const char *condition_sql(const cm_selection_t *selection,
                                 const cm_condition_t *condition,
                                 apr_pool_t *pool)
{
    const char *sql = condition->sql;

    if (selection->where)
        sql = apr_pstrcat(pool, sql, " AND (", selection->where, "\n)", NULL);
    if (selection->filter)
        sql = apr_pstrcat(pool, sql, " AND (", selection->filter, "\n)", NULL);
    return sql;
}

void cm_selection_filter(cm_selection_t *selection, apr_pool_t *pool)
{
    const char *where = selection->table->model->where;

    selection->filter = where ? cm_dialect_doubled(where, '%', pool) : NULL;
}

int cm_selection_unfilter(cm_selection_t *selection, const cm_error_t *err)
{
    if (!err || !selection->filter ||
        (err->code != CM_REJECTED && err->code != CM_DATABASE))
        return 0;
    selection->filter = NULL;
    return 1;
}

/* Return SQL for the bytes of those columns of a row that may hold many. */
static const char *size_sql(const cm_store_t *store, const cm_table_t *table,
                            apr_pool_t *pool)
{
    const char *const *bytes = cm_dialect_of_store(store)->bytes;
    const char *sql = "0";
    int i;

    for (i = 0; i < table->column_count; i++) {
        const cm_column_t *column = &table->columns[i];

        if (column->carried && (column->value_class == CM_CLASS_TEXT ||
                                column->value_class >= CM_CLASS_BINARY))
            sql = apr_pstrcat(pool, sql, " + coalesce(", bytes[0], "t.",
                              column->quoted, bytes[1], ", 0)", NULL);
    }
    return sql;
}

const char *cm_selection_section(const cm_selection_t *selection,
                                 const char *name,
                                 const cm_condition_t *condition,
                                 apr_pool_t *pool)
{
    const cm_store_t *store = selection->node->store;
    const cm_table_t *table = selection->table;
    const char *model = table->model->name;
    const struct {
        const char *name, *value;
    } values[] = {
        {"table", table->quoted},
        {"keys", cm_expression_keys(table, "t.", pool)},
        {"bounds", bounds_sql(table, pool)},
        {"key_text", table->key_text},
        {"capture", table->capture},
        {"model", literal(store, model, pool)},
        {"changed", changed_sql(selection, pool)},
        {"begin",
         literal(store, apr_pstrcat(pool, "{\"", model, "\":", NULL), pool)},
        {"size", size_sql(store, table, pool)},
        {"limit", apr_psprintf(pool, "%d", selection->rows)},
        {"offset", apr_psprintf(pool, "%d", selection->rows - 1)},
        {"condition", condition_sql(selection, condition, pool)},
    };
    apr_hash_t *hash = apr_hash_make(pool);
    const char *text;
    apr_size_t i;

    for (i = 0; i < sizeof(values) / sizeof(*values); i++)
        apr_hash_set(hash, values[i].name, APR_HASH_KEY_STRING,
                     values[i].value);
    text = cm_sql_section(cm_dialect_of_store(store)->driver, "publish.sql",
                          name, pool);
    return cm_sql_fill(text, hash, pool);
}

cm_error_t *cm_selection_select(cm_rows_t **rows,
                                const cm_selection_t *selection,
                                const char *name,
                                const cm_condition_t *condition,
                                apr_pool_t *pool)
{
    return cm_statement_select(
        rows, selection->node->store,
        cm_selection_section(selection, name, condition, pool),
        (const cm_datum_t *)condition->arguments->elts,
        condition->arguments->nelts, pool);
}

cm_error_t *cm_selection_enqueue(apr_int64_t *count,
                                 const cm_selection_t *selection,
                                 const cm_condition_t *condition,
                                 apr_pool_t *pool)
{
    return cm_statement_run(
        count, selection->node->store,
        cm_selection_section(selection, "enqueue", condition, pool),
        (const cm_datum_t *)condition->arguments->elts,
        condition->arguments->nelts, pool);
}
