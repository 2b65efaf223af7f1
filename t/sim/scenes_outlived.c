/* Scenes of rows that outlive the parents that they need: see
 * scenes_outlived.h. */
#include "scenes_outlived.h"

/* Return whether COLUMN of TABLE must refer to another table, and no node has a
 * foreign key for that; nobody decides about either. */
static int may_outlive(const sim_schema_t *schema, const sim_table_t *table,
                       const sim_column_t *column)
{
    int i;

    for (i = 0; i < schema->nodes; i++)
        if (column->rule[i] != SIM_RULE_NONE)
            return 0;
    return sim_scene_is_child(schema, table, column) && column->not_null &&
           !table->holds && !schema->tables[column->parent].holds &&
           table->key != SIM_KEY_REUSED &&
           schema->tables[column->parent].key != SIM_KEY_REUSED;
}

/* --- The parent is deleted, and two nodes change the row then. --- */

int sim_outlived_fits_changed(const sim_schema_t *schema,
                              const sim_table_t *table,
                              const sim_column_t *column, sim_pair_t both)
{
    const int first = sim_scene_plain_of(schema, table, -1, both);

    return may_outlive(schema, table, column) &&
           sim_scene_plain_of(schema, table, first, both) >= 0;
}

void sim_outlived_draw_changed(sim_draw_t *draw, sim_place_t place,
                               sim_pair_t both)
{
    const sim_table_t *table = &draw->schema->tables[place.table];
    const int parent = table->columns[place.column].parent;
    const int column = sim_scene_plain_of(draw->schema, table, -1, both);
    const int tag = sim_draw_row(draw, both.one, parent);
    const int child = sim_draw_row(draw, both.one, place.table);

    sim_draw_refer(draw, place.column, parent, tag);
    sim_scene_exchange_all(draw);
    sim_draw_end(draw, both.other, parent, tag);
    if (sim_draw_chance(draw, 50))
        sim_scene_exchange_all(draw);
    sim_draw_change(draw, both.one, place.table, child, column);
    sim_draw_change(draw, both.other, place.table, child,
                    sim_scene_plain_of(draw->schema, table, column, both));
    sim_scene_exchange_all(draw);
}

/* --- What a new row says is read only when it is sent. By then its parent has
 * another key, or is deleted, at its node or by the other one; and the row may
 * have another key. --- */

/* Give the new row TAG another key, sometimes. That has random numbers of its
 * own: seeds keep theirs. */
static void move_unread(sim_draw_t *draw, sim_place_t place, int node, int tag)
{
    sim_random_t random = sim_random_begin(draw->history->seed, "new keys");

    if (sim_schema_is_shared(&draw->schema->tables[place.table]) ||
        !sim_random_chance(&random, 30))
        return;
    sim_draw_change(draw, node, place.table, tag, SIM_CELL_KEY);
    if (sim_random_chance(&random, 50))
        sim_scene_number_all(draw, node);
}

int sim_outlived_fits_unread(const sim_schema_t *schema,
                             const sim_table_t *table,
                             const sim_column_t *column, sim_pair_t both)
{
    (void)both;
    return may_outlive(schema, table, column) && !sim_schema_is_reused(table);
}

void sim_outlived_draw_unread(sim_draw_t *draw, sim_place_t place,
                              sim_pair_t both)
{
    const sim_table_t *table = &draw->schema->tables[place.table];
    const int parent = table->columns[place.column].parent;
    const int tag = sim_draw_row(draw, both.one, parent);
    int row;

    sim_scene_exchange_all(draw);
    row = sim_draw_row(draw, both.one, place.table);
    sim_draw_refer(draw, place.column, parent, tag);
    sim_draw_step(draw, SIM_UNREAD, both.one)->table = place.table;
    sim_scene_number_all(draw, both.one);
    if (!sim_schema_is_shared(&draw->schema->tables[parent]) &&
        sim_draw_chance(draw, 30)) {
        sim_draw_change(draw, both.one, parent, tag, SIM_CELL_KEY);
    }
    else if (sim_draw_chance(draw, 50)) {
        sim_draw_end(draw, both.one, parent, tag);
    }
    else {
        sim_draw_end(draw, both.other, parent, tag);
        sim_scene_send_all(draw, both.other, both.one);
    }
    move_unread(draw, place, both.one, row);
    sim_scene_send_all(draw, both.one, both.other);
}
