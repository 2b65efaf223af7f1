/* Scenes of rows that are found to be the same: see scenes_matched.h. */
#include "scenes_matched.h"

#include <apr_strings.h>

/* --- Two nodes make a row of one value of match=. At one of them it refers to
 * a row that the other one may delete, before or after it has made its own; and
 * there it is changed when it may have got the other name. --- */

int sim_matched_fits_twins(const sim_schema_t *schema, const sim_table_t *table,
                           const sim_column_t *column, sim_pair_t both)
{
    (void)both;
    return table->match >= 0 && column->kind == SIM_REFERENCE &&
           column->other < 0 && &schema->tables[column->parent] != table &&
           schema->tables[column->parent].publisher < 0;
}

/* Let some messages of FROM go to TO, or all, or none. */
static void send_some(sim_draw_t *draw, int from, int to)
{
    if (sim_draw_chance(draw, 60))
        sim_scene_send_all(draw, from, to)->limit =
            sim_draw_chance(draw, 50) ? 1 : 100;
}

/* Insert a row into TABLE at NODE which is called VALUE. Returns its tag. */
static int row_called(sim_draw_t *draw, int node, int table, const char *value)
{
    const int tag = sim_draw_row(draw, node, table);

    sim_draw_put(draw, draw->schema->tables[table].match, value);
    return tag;
}

void sim_matched_draw_twins(sim_draw_t *draw, sim_place_t place,
                            sim_pair_t both)
{
    const sim_table_t *table = &draw->schema->tables[place.table];
    const int parent = table->columns[place.column].parent;
    const int plain = sim_scene_plain_of(draw->schema, table, -1, both);
    const int first = sim_draw_row(draw, both.one, parent);
    const char *value = apr_psprintf(draw->pool, "'u-%d'", ++draw->words);
    const int is_late = sim_draw_chance(draw, 50);
    int tag;

    sim_scene_exchange_all(draw);
    tag = row_called(draw, both.other, place.table, value);
    sim_draw_refer(draw, place.column, parent, first);
    if (!is_late)
        (void)row_called(draw, both.one, place.table, value);
    send_some(draw, both.other, both.one);
    send_some(draw, both.one, both.other);
    if (sim_draw_chance(draw, 60))
        sim_draw_end(draw, both.one, parent, first);
    if (is_late)
        (void)row_called(draw, both.one, place.table, value);
    if (plain >= 0 && sim_draw_chance(draw, 70))
        sim_draw_change(draw, both.other, place.table, tag, plain);
    send_some(draw, both.one, both.other);
    send_some(draw, both.other, both.one);
}
