/* Scenes of people who decide about conflicts: see scenes_people.h. */
#include "scenes_people.h"

/* --- Where people decide, two nodes change a column, and both people decide
 * before they know of each other. --- */

/* Return whether people at NODES, bits, decide about TABLE, and COLUMN holds
 * what applications write. */
static int is_held(const sim_schema_t *schema, const sim_table_t *table,
                   const sim_column_t *column, sim_pair_t both, unsigned nodes)
{
    return sim_scene_is_plain(schema, table, column, both) &&
           ((unsigned)table->holds & nodes) == nodes &&
           sim_scene_stands_alone(table, -1);
}

int sim_people_fits_split(const sim_schema_t *schema, const sim_table_t *table,
                          const sim_column_t *column, sim_pair_t both)
{
    return is_held(schema, table, column, both,
                   1u << both.one | 1u << both.other);
}

/* Let both nodes change the column at PLACE of row TAG, and one of them more.
 */
static void differ(sim_draw_t *draw, sim_place_t place, sim_pair_t both,
                   int tag)
{
    const int times = 1 + sim_draw_below(draw, 2);
    int i;

    sim_draw_change(draw, both.one, place.table, tag, place.column);
    for (i = 0; i < times; i++) {
        sim_draw_change(draw, both.other, place.table, tag, place.column);
        if (sim_draw_chance(draw, 50))
            sim_scene_number_all(draw, both.other);
    }
}

void sim_people_draw_split(sim_draw_t *draw, sim_place_t place, sim_pair_t both)
{
    const int tag = sim_scene_row(draw, both.one, place.table);

    sim_scene_exchange_all(draw);
    differ(draw, place, both, tag);
    sim_scene_exchange_all(draw);
    (void)sim_draw_step(draw, SIM_DECIDE, both.one);
    (void)sim_draw_step(draw, SIM_DECIDE, both.other);
    if (sim_draw_chance(draw, 30))
        sim_draw_change(draw, sim_draw_chance(draw, 50) ? both.one : both.other,
                        place.table, tag, place.column);
    if (sim_draw_chance(draw, 50))
        sim_scene_exchange_all(draw);
}

/* --- A person has decided, the other node knows, and the database is restored
 * to before that. --- */

int sim_people_fits_undone(const sim_schema_t *schema, const sim_table_t *table,
                           const sim_column_t *column, sim_pair_t both)
{
    int i;

    for (i = 0; i < schema->count; i++)
        if (schema->tables[i].publisher >= 0 || schema->tables[i].returns)
            return 0;
    return schema->databases[both.one] == SIM_SQLITE &&
           is_held(schema, table, column, both, 1u << both.one);
}

void sim_people_draw_undone(sim_draw_t *draw, sim_place_t place,
                            sim_pair_t both)
{
    int tag;

    if (draw->drop.kind == SIM_DROP || draw->restores)
        return;
    draw->restores = 1;
    tag = sim_scene_row(draw, both.one, place.table);
    sim_scene_exchange_all(draw);
    differ(draw, place, both, tag);
    if (sim_draw_chance(draw, 50))
        sim_scene_send_all(draw, both.other, both.one);
    (void)sim_draw_step(draw, SIM_SAVE, both.one);
    sim_scene_send_all(draw, both.other, both.one);
    (void)sim_draw_step(draw, SIM_DECIDE, both.one);
    sim_scene_send_all(draw, both.one, both.other);
    sim_draw_step(draw, SIM_RESTORE, both.one)->number = SIM_RESTORE_GUIDE;
}
