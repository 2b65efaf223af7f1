/* See trigger.h. */
#include "trigger.h"

#include <apr_strings.h>

/* Return whether rows of TABLE can always be put back at NODE, and are then as
 * good as any other row. Not where cascades delete them: a known limit
 * (docs/convergence.md). */
static int can_return(const sim_table_t *table, int node)
{
    int i;

    for (i = 0; i < table->count; i++)
        if (table->columns[i].kind == SIM_REFERENCE &&
            (table->columns[i].not_null ||
             table->columns[i].rule[node] == SIM_RULE_CASCADE))
            return 0;
    return !table->keeps && table->publisher < 0 && table->match < 0 &&
           !table->holds;
}

/* Return whether the key of another table of SCHEMA is a reference to TABLE: a
 * row that was put back has it there, and another row elsewhere, a known limit.
 */
static int is_key(const sim_schema_t *schema, const sim_table_t *table)
{
    int i, j;

    for (i = 0; i < schema->count; i++)
        for (j = 0; j < schema->tables[i].joined; j++)
            if (&schema->tables[schema->tables[i].columns[j].parent] == table)
                return 1;
    return 0;
}

void sim_trigger_draw(sim_schema_t *schema)
{
    sim_random_t random = sim_random_begin(schema->seed, "triggers");
    int i, node;

    for (i = 0; i < schema->count; i++) {
        node = sim_random_below(&random, schema->nodes);
        if (sim_random_chance(&random, 12) &&
            schema->databases[node] == SIM_SQLITE &&
            can_return(&schema->tables[i], node) &&
            !is_key(schema, &schema->tables[i]))
            schema->tables[i].returns = 1u << node;
    }
}

/* Put a deleted row back under its key, as another row, once. What it referred
 * to may be gone. */
static const char *put_back(int node, const sim_table_t *table,
                            apr_pool_t *pool)
{
    const char *columns = "", *values = "";
    int i;

    for (i = 0; i < table->count; i++) {
        const sim_column_t *column = &table->columns[i];

        if (!sim_schema_has(table, column, node) ||
            column->kind == SIM_REFERENCE)
            continue;
        columns = apr_pstrcat(pool, columns, ", ", column->name, NULL);
        values = apr_pstrcat(pool, values, ", old.", column->name, NULL);
    }
    return apr_psprintf(pool,
                        "CREATE TRIGGER return_%s AFTER DELETE ON %s"
                        " WHEN old.tag NOT LIKE '%%+' BEGIN INSERT INTO %s"
                        " (id, tag%s) VALUES (old.id, old.tag || '+'%s); END",
                        table->name, table->name, table->name, columns, values);
}

void sim_trigger_add(apr_array_header_t *ddl, int node,
                     const sim_table_t *table, apr_pool_t *pool)
{
    if (table->returns >> node & 1)
        APR_ARRAY_PUSH(ddl, const char *) = put_back(node, table, pool);
}
