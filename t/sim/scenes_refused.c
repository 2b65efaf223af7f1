/* Scenes of unique values that are refused: see scenes_refused.h. */
#include "scenes_refused.h"

#include <apr_strings.h>

/* Return whether COLUMN of TABLE holds unique values of rows that need no
 * others, and nobody decides about conflicts. */
static int is_unique(const sim_table_t *table, const sim_column_t *column)
{
    return column->unique && sim_scene_stands_alone(table, -1) &&
           !sim_schema_is_shared(table) && !table->holds && table->wins < 0;
}

/* --- A row gives up a value, which another one gets that comes before it by
 * its key; a node that stops receives both at once. --- */

int sim_refused_fits_order(const sim_schema_t *schema, const sim_table_t *table,
                           const sim_column_t *column, sim_pair_t both)
{
    return schema->stops >> both.other & 1 && is_unique(table, column);
}

void sim_refused_draw_order(sim_draw_t *draw, sim_place_t place,
                            sim_pair_t both)
{
    const char *value = apr_psprintf(draw->pool, "'u-%d'", ++draw->words);
    const int first = sim_draw_row(draw, both.one, place.table);
    int second;

    sim_draw_put(draw, place.column, "NULL");
    second = sim_draw_row(draw, both.one, place.table);
    sim_draw_put(draw, place.column, value);
    sim_scene_exchange_all(draw);
    sim_draw_change(draw, both.one, place.table, second, place.column);
    sim_draw_give(draw, both.one, place.table, first, place.column, value);
    sim_scene_send_all(draw, both.one, both.other);
}

/* --- An update is refused, since another row has its value, and discarded;
 * that row gives up the value, and the record is changed again. --- */

int sim_refused_fits_discarded(const sim_schema_t *schema,
                               const sim_table_t *table,
                               const sim_column_t *column, sim_pair_t both)
{
    return is_unique(table, column) &&
           sim_scene_plain_of(schema, table, -1, both) >= 0;
}

void sim_refused_draw_discarded(sim_draw_t *draw, sim_place_t place,
                                sim_pair_t both)
{
    const char *value = apr_psprintf(draw->pool, "'u-%d'", ++draw->words);
    const int column = sim_scene_plain_of(
        draw->schema, &draw->schema->tables[place.table], -1, both);
    const int tag = sim_draw_row(draw, both.one, place.table);
    int other;

    sim_draw_put(draw, place.column, "NULL");
    sim_scene_exchange_all(draw);
    other = sim_draw_row(draw, both.other, place.table);
    sim_draw_put(draw, place.column, value);
    sim_draw_give(draw, both.one, place.table, tag, place.column, value);
    sim_scene_send_all(draw, both.one, both.other);
    (void)sim_draw_step(draw, SIM_DISCARD, both.other);
    sim_draw_change(draw, both.other, place.table, other, place.column);
    sim_draw_change(draw, both.one, place.table, tag, column);
    sim_scene_send_all(draw, both.one, both.other);
}
