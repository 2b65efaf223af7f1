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

/* What is so much later, in microseconds, is parked. */
#define AHEAD (APR_INT64_C(86400000000) * 3)

/* Let some messages of FROM go to TO, or all, or none. */
static void send_some(sim_draw_t *draw, int from, int to)
{
    if (sim_draw_chance(draw, 60))
        sim_scene_send_all(draw, from, to)->limit =
            sim_draw_chance(draw, 50) ? 1 : 100;
}

/* Return a value that no other row has, but those that are given it. */
static const char *new_value(sim_draw_t *draw)
{
    return apr_psprintf(draw->pool, "'u-%d'", ++draw->words);
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
    const char *value = new_value(draw);
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

/* --- A row that both nodes have gets another value of match=, or is deleted,
 * and a new row gets the one that it had: at one of them, or at both. --- */

/* Return whether rows are called by a row of TABLE to which their key leads. */
static int gives_names(const sim_schema_t *schema, const sim_table_t *table)
{
    int i, j;

    for (i = 0; i < schema->count; i++)
        for (j = 0; j < schema->tables[i].joined; j++)
            if (&schema->tables[schema->tables[i].columns[j].parent] == table)
                return 1;
    return 0;
}

int sim_matched_fits_rematched(const sim_schema_t *schema,
                               const sim_table_t *table,
                               const sim_column_t *column, sim_pair_t both)
{
    sim_table_t other = *table;

    (void)both;
    other.match = -1;
    return column - table->columns == table->match &&
           !gives_names(schema, table) && sim_scene_stands_alone(&other, -1);
}

/* At NODE the row called VALUE gets another value, or it is deleted; nodes may
 * have given it different tags. */
static void leave(sim_draw_t *draw, int node, sim_place_t place,
                  const char *value)
{
    const char *column =
        draw->schema->tables[place.table].columns[place.column].name;
    sim_step_t *step;

    if (sim_draw_chance(draw, 25))
        sim_draw_end(draw, node, place.table, 0);
    else
        sim_draw_give(draw, node, place.table, 0, place.column,
                      new_value(draw));
    step = &APR_ARRAY_IDX(draw->history->steps, draw->history->steps->nelts - 1,
                          sim_step_t);
    step->where = apr_psprintf(draw->pool, "%s = %s", column, value);
}

/* What is called VALUE at NODE gives that to a new row. The messages go out
 * together or not, and some to OTHER between; the first may have to wait there,
 * as its clock is ahead. */
static void pass_on(sim_draw_t *draw, int node, int other, sim_place_t place,
                    const char *value)
{
    const int is_ahead = sim_draw_chance(draw, 15);

    if (is_ahead)
        sim_draw_step(draw, SIM_CLOCK, node)->number = AHEAD;
    leave(draw, node, place, value);
    if (is_ahead || sim_draw_chance(draw, 40))
        sim_scene_number_all(draw, node);
    if (is_ahead)
        sim_draw_step(draw, SIM_CLOCK, node)->number = 0;
    if (sim_draw_chance(draw, 20))
        send_some(draw, node, other);
    (void)row_called(draw, node, place.table, value);
}

void sim_matched_draw_rematched(sim_draw_t *draw, sim_place_t place,
                                sim_pair_t both)
{
    const int plain = sim_scene_plain_of(
        draw->schema, &draw->schema->tables[place.table], -1, both);
    const char *value = new_value(draw);
    const int tag = row_called(draw, both.one, place.table, value);

    if (sim_draw_chance(draw, 50))
        (void)row_called(draw, both.other, place.table, value);
    sim_scene_exchange_all(draw);
    if (plain >= 0 && sim_draw_chance(draw, 40))
        sim_draw_change(draw, both.other, place.table, tag, plain);
    pass_on(draw, both.one, both.other, place, value);
    if (sim_draw_chance(draw, 40))
        pass_on(draw, both.other, both.one, place, value);
    if (sim_draw_chance(draw, 70))
        sim_scene_exchange_all(draw);
    if (sim_draw_chance(draw, 30))
        pass_on(draw, both.one, both.other, place, value);
    send_some(draw, both.one, both.other);
    send_some(draw, both.other, both.one);
}
