/* See rows.h. */
#include "rows.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

/* A query that asks for the rows of a table. */
typedef struct query_t {
    const sim_schema_t *schema;
    sim_database_e database;
    const char *joins;
    int count; /* of them */
    apr_pool_t *pool;
} query_t;

/* Return the alias of the rows of PARENT that COLUMN of ALIAS leads to. */
static const char *join(query_t *query, const sim_table_t *parent,
                        const char *alias, const char *column)
{
    const char *name = apr_psprintf(query->pool, "p%d", query->count++);

    query->joins =
        apr_pstrcat(query->pool, query->joins, " LEFT JOIN ", parent->name,
                    " AS ", name, " ON ", name, ".", sim_schema_key(parent),
                    " = ", alias, ".", column, NULL);
    return name;
}

static const char *name_of(query_t *query, const sim_table_t *table,
                           const char *alias);

/* What COLUMN of ALIAS leads to, by its name. */
static const char *parent_name(query_t *query, const sim_column_t *column,
                               const char *alias)
{
    const sim_table_t *tables = query->schema->tables;
    const sim_table_t *parent = &tables[column->parent];
    const sim_table_t *other =
        column->other < 0 ? parent : &tables[column->other];
    const char *name;

    if (parent->gone || other->gone)
        return apr_pstrcat(query->pool, alias, ".", column->name, NULL);
    name = name_of(query, parent, join(query, parent, alias, column->name));
    return column->other < 0
               ? name
               : apr_psprintf(query->pool,
                              "CASE %s.%s WHEN 'm%d' THEN %s ELSE %s END",
                              alias, column[1].name, column->parent, name,
                              name_of(query, other,
                                      join(query, other, alias, column->name)));
}

/* ONE and OTHER as one text. */
static const char *pair(const query_t *query, const char *one,
                        const char *other)
{
    return apr_psprintf(query->pool,
                        query->database == SIM_MYSQL
                            ? "concat(coalesce(%s, '?'), ',',"
                              " coalesce(%s, '?'))"
                            : "coalesce(CAST(%s AS varchar(40)), '?') || ','"
                              " || coalesce(CAST(%s AS varchar(40)), '?')",
                        one, other);
}

/* What a row ALIAS of TABLE is called. */
static const char *name_of(query_t *query, const sim_table_t *table,
                           const char *alias)
{
    const char *name;

    if (!table->joined)
        return apr_pstrcat(query->pool, alias, ".", sim_schema_name(table),
                           NULL);
    name = parent_name(query, &table->columns[0], alias);
    return table->joined == 1
               ? name
               : pair(query, name,
                      parent_name(query, &table->columns[1], alias));
}

static const char *key_of(const query_t *query, const sim_table_t *table)
{
    const char *key =
        apr_pstrcat(query->pool, "t.", sim_schema_key(table), NULL);

    return table->joined < 2 ? key
                             : pair(query, key,
                                    apr_pstrcat(query->pool, "t.",
                                                table->columns[1].name, NULL));
}

static const char *write_query(const sim_node_t *node, const sim_table_t *table,
                               apr_pool_t *pool)
{
    query_t query = {node->schema, node->database, "", 0, pool};
    const char *sql = apr_pstrcat(pool, "SELECT ", name_of(&query, table, "t"),
                                  ", ", key_of(&query, table), ", t.tag", NULL);
    int i;

    for (i = 0; i < table->count; i++) {
        const sim_column_t *column = &table->columns[i];

        sql = apr_pstrcat(
            pool, sql, ", ",
            !sim_schema_has(table, column, node->number) ? "NULL"
            : column->kind == SIM_REFERENCE
                ? parent_name(&query, column, "t")
                : sim_kind_shown(column->kind, node->database,
                                 apr_pstrcat(pool, "t.", column->name, NULL),
                                 pool),
            NULL);
    }
    return apr_pstrcat(pool, sql, " FROM ", table->name, " AS t", query.joins,
                       NULL);
}

static int compare_text(const char *one, const char *other)
{
    return one && other ? strcmp(one, other) : !!one - !!other;
}

static int compare(const void *one, const void *other)
{
    const sim_row_t *a = one, *b = other;

    return a->table != b->table ? a->table - b->table
                                : compare_text(a->name, b->name);
}

apr_array_header_t *sim_rows_read(const sim_node_t *node,
                                  sim_session_t *session, apr_pool_t *pool)
{
    apr_array_header_t *rows = apr_array_make(pool, 32, sizeof(sim_row_t));
    int i, j, k;

    for (i = 0; i < node->schema->count; i++) {
        const sim_table_t *table = &node->schema->tables[i];
        apr_array_header_t *found;

        if (table->gone)
            continue;
        found = sim_node_select(session, write_query(node, table, pool),
                                3 + table->count, pool);
        for (j = 0; j < found->nelts; j++) {
            const char **cells = APR_ARRAY_IDX(found, j, const char **);
            sim_row_t *row = apr_array_push(rows);

            memset(row, 0, sizeof(*row));
            row->table = i;
            row->name = cells[0] ? cells[0] : "?";
            row->key = cells[1];
            row->values[SIM_COLUMNS] = cells[2];
            for (k = 0; k < table->count; k++)
                row->values[k] = sim_kind_canonical(table->columns[k].kind,
                                                    cells[3 + k], pool);
        }
    }
    qsort(rows->elts, (apr_size_t)rows->nelts, sizeof(sim_row_t), compare);
    return rows;
}

const sim_row_t *sim_rows_find(const apr_array_header_t *rows, int table,
                               const char *name)
{
    sim_row_t wanted = {.table = table, .name = name};

    return bsearch(&wanted, rows->elts, (apr_size_t)rows->nelts,
                   sizeof(sim_row_t), compare);
}
