/* See outlived.h. */
#include "outlived.h"

#include <string.h>

/* Return whether COLUMN of TABLE must refer to a row of one table, and no node
 * has a foreign key for that. */
static int may_dangle(const sim_schema_t *schema, const sim_table_t *table,
                      const sim_column_t *column)
{
    int i;

    if (column->kind != SIM_REFERENCE || !column->not_null ||
        column->other >= 0 || column - table->columns < table->joined)
        return 0;
    for (i = 0; i < schema->nodes; i++)
        if (column->rule[i] != SIM_RULE_NONE)
            return 0;
    return 1;
}

/* Return whether all nodes but NODE have ROW with the same parent in COLUMN. */
static int is_everywhere(sim_world_t *world, int node, const sim_row_t *row,
                         int column)
{
    int i;

    for (i = 0; i < world->schema->nodes; i++) {
        sim_node_t *other = &world->nodes[i];
        const sim_row_t *there =
            i == node ? row
                      : sim_rows_find(
                            sim_rows_read(other, other->beside, world->pool),
                            row->table, row->name);

        if (!there || !there->values[column] ||
            strcmp(there->values[column], row->values[column]) != 0)
            return 0;
    }
    return 1;
}

/* Note the rows, of those AFTER, that had PARENT in COLUMN of table NUMBER. */
static void note(sim_world_t *world, int node, const apr_array_header_t *before,
                 const apr_array_header_t *after, const sim_row_t *parent,
                 int number, int column)
{
    int i;

    for (i = 0; i < before->nelts; i++) {
        const sim_row_t *row = &APR_ARRAY_IDX(before, i, sim_row_t);

        if (row->table == number && row->values[column] &&
            !strcmp(row->values[column], parent->name) &&
            sim_rows_find(after, number, row->name) &&
            is_everywhere(world, node, row, column))
            APR_ARRAY_PUSH(world->outlived, sim_outlived_t) =
                (sim_outlived_t){row, parent, column, world->events->nelts};
    }
}

void sim_outlived_note(sim_world_t *world, int node,
                       const apr_array_header_t *before,
                       const apr_array_header_t *after)
{
    const sim_schema_t *schema = world->schema;
    int i, j, column;

    for (i = 0; i < before->nelts; i++) {
        const sim_row_t *parent = &APR_ARRAY_IDX(before, i, sim_row_t);

        if (sim_rows_find(after, parent->table, parent->name))
            continue;
        for (j = 0; j < schema->count; j++)
            for (column = 0; column < schema->tables[j].count; column++)
                if (schema->tables[j].columns[column].parent == parent->table &&
                    may_dangle(schema, &schema->tables[j],
                               &schema->tables[j].columns[column]))
                    note(world, node, before, after, parent, j, column);
    }
}
