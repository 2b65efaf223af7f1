/* See alter.h. */
#include "alter.h"

#include <stdio.h>

#include <apr_strings.h>

/* Add a column that no statement of the application names. */
static void add(sim_world_t *world, const sim_step_t *step)
{
    (void)sim_node_run(
        world->nodes[step->node].beside,
        apr_psprintf(world->step_pool,
                     "ALTER TABLE t%d ADD COLUMN x%" APR_INT64_T_FMT " bigint",
                     step->table, step->number),
        world->step_pool);
}

/* On SQLite the application stops, and migrate follows at once: the guide says
 * so. Elsewhere it may come later. */
static const char *drop(sim_world_t *world, const sim_step_t *step,
                        const sim_column_t *column)
{
    sim_node_t *node = &world->nodes[step->node];
    apr_pool_t *pool = world->step_pool;
    const char *sql = apr_psprintf(pool, "ALTER TABLE t%d DROP COLUMN %s",
                                   step->table, column->name);
    const char *error = NULL, *failed;

    if (node->database != SIM_SQLITE)
        return sim_node_run(node->beside, sql, pool);
    error =
        sim_node_drop_triggers(node, apr_psprintf(pool, "m%d", step->table));
    if (!error)
        error = sim_node_run(node->beside, sql, pool);
    failed = sim_node_migrate(node);
    return error ? error : failed;
}

static const char *add_again(sim_world_t *world, const sim_step_t *step,
                             const sim_column_t *column)
{
    return sim_node_run(
        world->nodes[step->node].beside,
        apr_psprintf(world->step_pool, "ALTER TABLE t%d ADD COLUMN %s %s",
                     step->table, column->name,
                     sim_schema_type(world->schema, step->node, column)),
        world->step_pool);
}

static void drop_or_add(sim_world_t *world, const sim_step_t *step)
{
    sim_column_t *column =
        &world->schema->tables[step->table].columns[step->number];
    unsigned bit = 1u << step->node;
    const char *error;

    if (column->gone || !(column->nodes & bit))
        return;
    error = column->dropped & bit ? add_again(world, step, column)
                                  : drop(world, step, column);
    if (error) {
        sim_world_fail(world, "error", "%s", error);
        return;
    }
    column->dropped ^= bit;
    column->altered |= bit;
    world->altered = 1;
}

void sim_alter(sim_world_t *world, const sim_step_t *step)
{
    if (world->schema->tables[step->table].gone)
        return;
    if (step->kind == SIM_DROP)
        drop_or_add(world, step);
    else
        add(world, step);
}

void sim_alter_migrate(sim_world_t *world)
{
    const char *error = NULL;
    int i;

    for (i = 0; i < world->schema->nodes && !error; i++)
        error = sim_node_migrate(&world->nodes[i]);
    if (error)
        sim_world_fail(world, "error", "%s", error);
}

/* As the tables are made, they have all columns. */
static void have_all(sim_schema_t *schema)
{
    int i, j;

    for (i = 0; i < schema->count; i++)
        for (j = 0; j < schema->tables[i].count; j++)
            schema->tables[i].columns[j].dropped =
                schema->tables[i].columns[j].altered = 0;
}

void sim_alter_forget(const sim_world_t *world)
{
    const apr_array_header_t *steps = world->history->steps;
    int i;

    have_all(world->schema);
    for (i = 0; i < steps->nelts; i++) {
        const sim_step_t *step = &APR_ARRAY_IDX(steps, i, sim_step_t);

        if (step->kind == SIM_DROP)
            sim_node_forget(step->node);
        else if (step->kind == SIM_ALTER)
            sim_file_forget(step->node);
    }
}
