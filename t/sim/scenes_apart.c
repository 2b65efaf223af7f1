/* Scenes of columns that only one of two nodes has: see scenes_apart.h. */
#include "scenes_apart.h"

/* Where the row filter lets a record end: see sim_schema_filter(). */
#define STAYS "1001"

/* Bytes: more than a small message has, less than most. */
#define LITTLE 180

/* Return a column of TABLE for texts that the other node carries, and the one
 * lacks; -1: there is none. */
static int lacking_of(const sim_table_t *table, sim_pair_t both)
{
    int i;

    for (i = 0; i < table->count; i++) {
        const sim_column_t *column = &table->columns[i];

        if (column->kind == SIM_TEXT && !column->unique && !column->names &&
            i != table->filter && !(column->except >> both.other & 1) &&
            sim_schema_has(table, column, both.other) &&
            !sim_schema_has(table, column, both.one))
            return i;
    }
    return -1;
}

/* Return whether rows of TABLE, which has such a column, need no other row, and
 * are changed at both nodes; the one may have a row filter by which a record
 * ends. */
static int is_apart(const sim_schema_t *schema, const sim_table_t *table,
                    const sim_column_t *column, sim_pair_t both)
{
    sim_table_t without = *table;

    if (table->leaves &&
        sim_schema_has(table, &table->columns[table->filter], both.one))
        without.filter = -1;
    return sim_scene_is_plain(schema, table, column, both) &&
           sim_scene_stands_alone(&without, -1) && lacking_of(table, both) >= 0;
}

/* Insert a row at the other node, which all know. Returns its tag. */
static int begin(sim_draw_t *draw, sim_place_t place, sim_pair_t both)
{
    const int tag = sim_scene_row(draw, both.other, place.table);
    const sim_table_t *table = &draw->schema->tables[place.table];

    sim_scene_exchange_all(draw);
    if (sim_draw_chance(draw, 60)) {
        sim_draw_change(draw, both.other, place.table, tag,
                        lacking_of(table, both));
        sim_scene_exchange_all(draw);
    }
    return tag;
}

/* Let what happened at both nodes meet; what the one did may be too large for
 * the other one, and be sent again later. That has random numbers of its own:
 * seeds keep theirs. */
static void meet(sim_draw_t *draw, sim_pair_t both)
{
    sim_random_t random =
        sim_random_begin(draw->history->seed, "sent once more");

    if (sim_random_chance(&random, 20)) {
        sim_scene_send_all(draw, both.one, both.other)->most_bytes = LITTLE;
        sim_scene_send_all(draw, both.other, both.one);
    }
    else if (sim_draw_chance(draw, 50))
        sim_scene_send_all(draw, both.one, both.other);
    else
        sim_scene_send_all(draw, both.other, both.one);
}

/* --- A row is changed at both nodes, at one of them in a column that the other
 * lacks; and the other one lets it end. --- */

int sim_apart_fits_ended(const sim_schema_t *schema, const sim_table_t *table,
                         const sim_column_t *column, sim_pair_t both)
{
    return is_apart(schema, table, column, both);
}

void sim_apart_draw_ended(sim_draw_t *draw, sim_place_t place, sim_pair_t both)
{
    const sim_table_t *table = &draw->schema->tables[place.table];
    const int tag = begin(draw, place, both);

    sim_draw_change(draw, both.other, place.table, tag,
                    lacking_of(table, both));
    if (sim_draw_chance(draw, 30))
        sim_scene_number_all(draw, both.other);
    sim_draw_change(draw, both.one, place.table, tag, place.column);
    if (sim_draw_chance(draw, 50))
        sim_scene_number_all(draw, both.one);
    if (table->filter >= 0 && sim_draw_chance(draw, 70))
        sim_draw_give(draw, both.one, place.table, tag, table->filter, STAYS);
    else
        sim_draw_end(draw, both.one, place.table, tag);
    meet(draw, both);
}

/* --- A row gets another key at the node that lacks a column. --- */

int sim_apart_fits_renamed(const sim_schema_t *schema, const sim_table_t *table,
                           const sim_column_t *column, sim_pair_t both)
{
    return is_apart(schema, table, column, both) &&
           sim_schema_is_shared(table) && !table->paired;
}

void sim_apart_draw_renamed(sim_draw_t *draw, sim_place_t place,
                            sim_pair_t both)
{
    const sim_table_t *table = &draw->schema->tables[place.table];
    const int tag = begin(draw, place, both);

    if (sim_draw_chance(draw, 30))
        sim_draw_change(draw, both.other, place.table, tag,
                        lacking_of(table, both));
    if (sim_draw_chance(draw, 50))
        sim_draw_change(draw, both.one, place.table, tag, place.column);
    sim_draw_change(draw, both.one, place.table, tag, SIM_CELL_KEY);
    meet(draw, both);
}

/* --- The key of a row is references. One of them comes to refer to a new row
 * at the node that lacks a column; both go to the other one together, which may
 * have changed that column. --- */

/* Return whether rows of PARENT need none but one that needs them. */
static int needs_twin_only(const sim_schema_t *schema,
                           const sim_table_t *parent)
{
    const sim_table_t *twin =
        parent->tied < 0
            ? parent
            : &schema->tables[parent->columns[parent->tied].parent];

    return sim_scene_stands_alone(parent, parent->tied) &&
           sim_scene_stands_alone(twin, twin->tied);
}

/* Return whether rows of TABLE need only those that are their key. */
static int needs_key_only(const sim_schema_t *schema, const sim_table_t *table)
{
    sim_table_t without = *table;
    int i;

    for (i = 0; i < table->joined; i++) {
        if (table->columns[i].other >= 0 ||
            !needs_twin_only(schema, &schema->tables[table->columns[i].parent]))
            return 0;
        without.columns[i].not_null = 0;
    }
    without.joined = 0;
    return sim_scene_stands_alone(&without, -1);
}

/* Insert a row that may be in such a key, with what it needs. Returns its tag.
 */
static int begin_parent(sim_draw_t *draw, int node, int parent)
{
    return draw->schema->tables[parent].tied < 0
               ? sim_draw_row(draw, node, parent)
               : sim_draw_tied(draw, node, parent);
}

/* Let the row TAG of PARENT refer to itself, sometimes. That has random numbers
 * of its own: seeds keep theirs. */
static void refer_to_itself(sim_draw_t *draw, int node, int parent, int tag)
{
    const sim_table_t *table = &draw->schema->tables[parent];
    sim_random_t random = sim_random_begin(draw->history->seed, "selves");
    int i;

    for (i = 0; i < table->count; i++) {
        const sim_column_t *column = &table->columns[i];

        if (column->parent != parent || column->other >= 0 ||
            i == table->tied || !sim_schema_has(table, column, node) ||
            !sim_random_chance(&random, 60))
            continue;
        sim_draw_give(draw, node, parent, tag, i, "NULL");
        sim_draw_refer(draw, i, parent, tag);
    }
}

int sim_apart_fits_reparented(const sim_schema_t *schema,
                              const sim_table_t *table,
                              const sim_column_t *column, sim_pair_t both)
{
    return column - table->columns < table->joined &&
           lacking_of(table, both) >= 0 && needs_key_only(schema, table);
}

void sim_apart_draw_reparented(sim_draw_t *draw, sim_place_t place,
                               sim_pair_t both)
{
    const sim_table_t *table = &draw->schema->tables[place.table];
    const int parent = table->columns[place.column].parent;
    int tag, second, i;

    for (i = 0; i < table->joined; i++)
        (void)begin_parent(draw, both.one, table->columns[i].parent);
    tag = sim_draw_row(draw, both.one, place.table);
    for (i = 0; i < table->joined; i++)
        sim_draw_refer(draw, i, table->columns[i].parent,
                       draw->tags[table->columns[i].parent] - 1);
    sim_scene_exchange_all(draw);
    sim_draw_change(draw, both.other, place.table, tag,
                    lacking_of(table, both));
    if (sim_draw_chance(draw, 50))
        sim_scene_exchange_all(draw);
    second = begin_parent(draw, both.one, parent);
    refer_to_itself(draw, both.one, parent, second);
    sim_draw_give(draw, both.one, place.table, tag, place.column, "NULL");
    sim_draw_refer(draw, place.column, parent, second);
    sim_scene_send_all(draw, both.one, both.other);
}
