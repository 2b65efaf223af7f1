/* Scenes of what two nodes do to the same rows: see scenes_both.h. */
#include "scenes_both.h"

/* Let what both nodes did meet, at one of them first. */
static void meet(sim_draw_t *draw, sim_pair_t both)
{
    const int turned = sim_draw_chance(draw, 50);

    sim_scene_send_all(draw, turned ? both.other : both.one,
                       turned ? both.one : both.other);
    if (sim_draw_chance(draw, 50))
        sim_scene_send_all(draw, turned ? both.one : both.other,
                           turned ? both.other : both.one);
}

/* --- A row is given another parent at one node, while the key of one of the
 * two parents is changed at the other. --- */

int sim_both_fits_moved(const sim_schema_t *schema, const sim_table_t *table,
                        const sim_column_t *column, sim_pair_t both)
{
    (void)both;
    return sim_scene_is_child(schema, table, column) &&
           sim_schema_is_shared(&schema->tables[column->parent]) &&
           !schema->tables[column->parent].paired;
}

void sim_both_draw_moved(sim_draw_t *draw, sim_place_t place, sim_pair_t both)
{
    const int parent =
        draw->schema->tables[place.table].columns[place.column].parent;
    int tags[2], child;

    tags[0] = sim_scene_row(draw, both.one, parent);
    tags[1] = sim_scene_row(draw, both.one, parent);
    child = sim_scene_row(draw, both.one, place.table);
    sim_draw_refer(draw, place.column, parent, tags[0]);
    sim_scene_exchange_all(draw);
    sim_draw_change(draw, both.one, place.table, child, place.column);
    sim_draw_refer(draw, place.column, parent, tags[1]);
    if (sim_draw_chance(draw, 30))
        sim_draw_end(draw, both.one, parent, tags[0]);
    sim_draw_change(draw, both.other, parent, tags[sim_draw_below(draw, 2)],
                    SIM_CELL_KEY);
    meet(draw, both);
}
