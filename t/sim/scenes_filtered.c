/* Scenes of rows that a row filter keeps at their node: see scenes_filtered.h.
 */
#include "scenes_filtered.h"

/* Values of the column that the filter asks for: see sim_schema_filter(). */
#define LEAVES "1000"
#define STAYS  "1001"

/* --- Peers know a row. Its key goes to one that stays, or it gets another key
 * when it matches no more; and a row is made that needs the one or the other.
 * --- */

int sim_filtered_fits_replaced(const sim_schema_t *schema,
                               const sim_table_t *table,
                               const sim_column_t *column, sim_pair_t both)
{
    const sim_table_t *parent;

    if (column->kind != SIM_REFERENCE || !column->not_null ||
        column->other >= 0 || table->publisher >= 0)
        return 0;
    parent = &schema->tables[column->parent];
    return parent != table && parent->filter >= 0 && !parent->joined &&
           !parent->paired && !parent->keeps && !parent->returns &&
           sim_schema_has(parent, &parent->columns[parent->filter], both.one);
}

void sim_filtered_draw_replaced(sim_draw_t *draw, sim_place_t place,
                                sim_pair_t both)
{
    const int number =
        draw->schema->tables[place.table].columns[place.column].parent;
    const sim_table_t *parent = &draw->schema->tables[number];
    int tag = sim_scene_row(draw, both.one, number);
    const char *key = sim_draw_key(draw);

    sim_draw_put(draw, parent->filter, LEAVES);
    sim_scene_exchange_all(draw);
    if (sim_draw_chance(draw, 70)) {
        if (sim_draw_chance(draw, 50))
            sim_draw_end(draw, both.one, number, tag);
        else
            sim_draw_change(draw, both.one, number, tag, SIM_CELL_KEY);
        tag = sim_draw_row_under(draw, both.one, number, key);
        sim_draw_put(draw, parent->filter, STAYS);
    }
    else {
        sim_draw_give(draw, both.one, number, tag, parent->filter, STAYS);
        if (sim_draw_chance(draw, 50))
            sim_scene_number_all(draw, both.one);
        sim_draw_change(draw, both.one, number, tag, SIM_CELL_KEY);
    }
    (void)sim_scene_row(draw, both.one, place.table);
    sim_draw_refer(draw, place.column, number, tag);
    sim_scene_send_all(draw, both.one, both.other);
}
