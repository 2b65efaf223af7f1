/* Scenes of messages that come together, or wait behind others: see
 * scenes_waiting.h. */
#include "scenes_waiting.h"

#include <string.h>

#include <apr_strings.h>

/* Return a value that no other row has, but those that are given it. */
static const char *new_value(sim_draw_t *draw)
{
    return apr_psprintf(draw->pool, "'u-%d'", ++draw->words);
}

/* Insert a row into TABLE at NODE with VALUE in COLUMN. Returns its tag. */
static int row_with(sim_draw_t *draw, int node, int table, int column,
                    const char *value)
{
    const int tag = sim_draw_row(draw, node, table);

    sim_draw_put(draw, column, value);
    return tag;
}

/* Return whether COLUMN of TABLE holds unique values by which match= finds
 * nothing, and the clocks alone decide which of two wins. */
static int is_unique(const sim_table_t *table, const sim_column_t *column)
{
    return column->unique && column - table->columns != table->match &&
           !table->holds && table->wins < 0;
}

/* --- A record gets a value that another row has there, then a free one, and
 * then another one that is taken. Its first two changes can be applied
 * together. --- */

int sim_waiting_fits_together(const sim_schema_t *schema,
                              const sim_table_t *table,
                              const sim_column_t *column, sim_pair_t both)
{
    (void)schema, (void)both;
    return is_unique(table, column) && sim_scene_stands_alone(table, -1);
}

void sim_waiting_draw_together(sim_draw_t *draw, sim_place_t place,
                               sim_pair_t both)
{
    const char *values[] = {new_value(draw), new_value(draw), new_value(draw)};
    const int tag = sim_draw_row(draw, both.one, place.table);
    int i;

    sim_scene_exchange_all(draw);
    (void)row_with(draw, both.other, place.table, place.column, values[0]);
    (void)row_with(draw, both.other, place.table, place.column, values[2]);
    for (i = 0; i < 3; i++) {
        sim_draw_give(draw, both.one, place.table, tag, place.column,
                      values[i]);
        sim_scene_number_all(draw, both.one);
    }
    sim_scene_send_all(draw, both.one, both.other);
}

/* --- Of two records that must refer to each other, one then gets a value that
 * is taken there. Both can come without that change. --- */

int sim_waiting_fits_tied(const sim_schema_t *schema, const sim_table_t *table,
                          const sim_column_t *column, sim_pair_t both)
{
    const sim_table_t *parent;

    (void)both;
    if (!is_unique(table, column) || table->tied < 0)
        return 0;
    parent = &schema->tables[table->columns[table->tied].parent];
    return sim_scene_stands_alone(table, table->tied) &&
           sim_scene_stands_alone(parent, parent->tied);
}

void sim_waiting_draw_tied(sim_draw_t *draw, sim_place_t place, sim_pair_t both)
{
    const char *value = new_value(draw);
    const int theirs = sim_draw_tied(draw, both.other, place.table);
    int ours;

    sim_draw_give(draw, both.other, place.table, theirs, place.column, value);
    ours = sim_draw_tied(draw, both.one, place.table);
    sim_scene_number_all(draw, both.one);
    sim_draw_give(draw, both.one, place.table, ours, place.column, value);
    sim_scene_send_all(draw, both.one, both.other);
}

/* --- Both nodes insert a row that is found to be the same (match=). --- */

/* Return whether rows of TABLE have no other needs. */
static int only_matches(const sim_table_t *table)
{
    sim_table_t other = *table;

    other.match = -1;
    return table->match >= 0 && sim_scene_stands_alone(&other, -1);
}

/* One node learns this before it has sent anything, then changes a column: one
 * batch brings the record under its own name, and a change under the other. */
int sim_waiting_fits_named(const sim_schema_t *schema, const sim_table_t *table,
                           const sim_column_t *column, sim_pair_t both)
{
    (void)schema, (void)both;
    return column->kind == SIM_TEXT && !column->unique && !column->counts &&
           !column->names && !table->holds && table->wins < 0 &&
           only_matches(table);
}

void sim_waiting_draw_named(sim_draw_t *draw, sim_place_t place,
                            sim_pair_t both)
{
    const int match = draw->schema->tables[place.table].match;
    const char *value = new_value(draw);
    int tag;

    (void)row_with(draw, both.other, place.table, match, value);
    tag = row_with(draw, both.one, place.table, match, value);
    sim_draw_put(draw, place.column,
                 apr_psprintf(draw->pool, "'v%d'", ++draw->words));
    sim_scene_number_all(draw, both.one);
    sim_scene_send_all(draw, both.other, both.one);
    sim_draw_change(draw, both.one, place.table, tag, place.column);
    sim_scene_send_all(draw, both.one, both.other);
}

/* The other one learns it first. A change under the record's own name waits
 * there, as it has a value that is taken, when the next one comes under the
 * name that stays. */
int sim_waiting_fits_behind(const sim_schema_t *schema,
                            const sim_table_t *table,
                            const sim_column_t *column, sim_pair_t both)
{
    return is_unique(table, column) && only_matches(table) &&
           schema->rows >> both.other & 1 &&
           strcmp(sim_schema_node_name(both.other),
                  sim_schema_node_name(both.one)) < 0;
}

void sim_waiting_draw_behind(sim_draw_t *draw, sim_place_t place,
                             sim_pair_t both)
{
    const int match = draw->schema->tables[place.table].match;
    const char *value = new_value(draw), *taken = new_value(draw);
    int tag;

    (void)row_with(draw, both.other, place.table, place.column, taken);
    (void)row_with(draw, both.other, place.table, match, value);
    tag = row_with(draw, both.one, place.table, match, value);
    sim_scene_send_all(draw, both.one, both.other);
    sim_draw_give(draw, both.one, place.table, tag, place.column, taken);
    sim_scene_send_all(draw, both.one, both.other);
    sim_scene_send_all(draw, both.other, both.one);
    sim_draw_give(draw, both.one, place.table, tag, place.column,
                  new_value(draw));
    sim_scene_send_all(draw, both.one, both.other);
}
