/* See rows.h. */
#include "rows.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

static const char *query(const sim_node_t *node, const sim_table_t *table,
                         apr_pool_t *pool)
{
    const sim_schema_t *schema = node->schema;
    const char *sql =
        apr_psprintf(pool, "SELECT t.%s, t.id, t.tag", sim_schema_name(table));
    const char *joins = "";
    int i;

    for (i = 0; i < table->count; i++) {
        const sim_column_t *column = &table->columns[i];
        const sim_table_t *parent;

        if (!sim_schema_has(table, column, node->number)) {
            sql = apr_pstrcat(pool, sql, ", NULL", NULL);
        }
        else if (column->kind != SIM_REFERENCE ||
                 schema->tables[column->parent].gone) {
            sql = apr_pstrcat(pool, sql, ", t.", column->name, NULL);
        }
        else {
            parent = &schema->tables[column->parent];
            sql = apr_psprintf(pool, "%s, p%d.%s", sql, i,
                               sim_schema_name(parent));
            joins =
                apr_psprintf(pool, "%s LEFT JOIN %s AS p%d ON p%d.id = t.%s",
                             joins, parent->name, i, i, column->name);
        }
    }
    return apr_pstrcat(pool, sql, " FROM ", table->name, " AS t", joins, NULL);
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
    int i, j;

    for (i = 0; i < node->schema->count; i++) {
        const sim_table_t *table = &node->schema->tables[i];
        apr_array_header_t *found;

        if (table->gone)
            continue;
        found = sim_node_select(session, query(node, table, pool),
                                3 + table->count, pool);
        for (j = 0; j < found->nelts; j++) {
            const char **cells = APR_ARRAY_IDX(found, j, const char **);
            sim_row_t *row = apr_array_push(rows);

            memset(row, 0, sizeof(*row));
            row->table = i;
            row->name = cells[0];
            row->key = cells[1];
            row->values[SIM_COLUMNS] = cells[2];
            memcpy(row->values, cells + 3,
                   (apr_size_t)table->count * sizeof(*cells));
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
