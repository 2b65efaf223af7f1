/* Scenes: see drawing.h. */
#include "scenes_apart.h"
#include "scenes_both.h"
#include "scenes_filtered.h"
#include "scenes_matched.h"
#include "scenes_outlived.h"
#include "scenes_people.h"
#include "scenes_refused.h"
#include "scenes_waiting.h"

#include <string.h>

#include <apr_strings.h>

/* Bytes: of a body without messages, of one with a delete, and less than with a
 * long text. */
#define NOTHING  20
#define LITTLE   340
#define NOT_LONG 480

/* Return the nodes of link NUMBER, in any order. */
static sim_pair_t pair_of(const sim_schema_t *schema, int number, int turned)
{
    const sim_link_t *link = &schema->links[number];

    return turned ? (sim_pair_t){link->callee, link->caller}
                  : (sim_pair_t){link->caller, link->callee};
}

static int is_place(const sim_scene_t *scene, const sim_schema_t *schema,
                    int number, sim_pair_t both)
{
    const sim_table_t *table = &schema->tables[number / SIM_COLUMNS];
    const int column = number % SIM_COLUMNS;

    return column < table->count && table->publisher < 0 &&
           sim_schema_carries(schema, table, &table->columns[column], both.one,
                              both.other) &&
           scene->fits(schema, table, &table->columns[column], both);
}

/* Set *PLACE to the first column from number START on that SCENE can use;
 * returns 0 if there is none. */
static int find(sim_place_t *place, const sim_scene_t *scene,
                const sim_schema_t *schema, sim_pair_t both, int start)
{
    const int all = schema->count * SIM_COLUMNS;
    int i;

    for (i = 0; i < all; i++)
        if (is_place(scene, schema, (start + i) % all, both)) {
            *place = (sim_place_t){(start + i) % all / SIM_COLUMNS,
                                   (start + i) % all % SIM_COLUMNS};
            return 1;
        }
    return 0;
}

int sim_scene_fits(const sim_scene_t *scene, const sim_schema_t *schema)
{
    sim_place_t place;
    int i;

    for (i = 0; i < 2 * (schema->nodes - 1); i++)
        if (find(&place, scene, schema, pair_of(schema, i / 2, i % 2), 0))
            return 1;
    return 0;
}

/* End what session 0 has begun at NODE, on a server: else nothing of the scene
 * would be seen. The other session may keep its transaction. */
static void end_transaction(sim_draw_t *draw, int node)
{
    if (draw->schema->databases[node] != SIM_SQLITE)
        (void)sim_draw_step(draw, SIM_COMMIT, node);
}

void sim_scene_draw(sim_draw_t *draw)
{
    const sim_pair_t both =
        pair_of(draw->schema, sim_draw_below(draw, draw->schema->nodes - 1),
                sim_draw_below(draw, 2));
    sim_place_t place;

    if (!find(&place, draw->scene, draw->schema, both,
              sim_draw_below(draw, draw->schema->count * SIM_COLUMNS)))
        return;
    end_transaction(draw, both.one);
    end_transaction(draw, both.other);
    draw->scene->draw(draw, place, both);
}

sim_step_t *sim_scene_send_all(sim_draw_t *draw, int from, int to)
{
    sim_step_t *step;
    int calls = 0, i;

    for (i = 0; i < draw->schema->nodes - 1; i++)
        calls |= draw->schema->links[i].caller == from &&
                 draw->schema->links[i].callee == to;
    step = sim_draw_step(draw, calls ? SIM_PUSH : SIM_PULL, calls ? from : to);
    step->peer = calls ? to : from;
    step->limit = 100;
    return step;
}

int sim_scene_row(sim_draw_t *draw, int node, int number)
{
    const sim_table_t *table = &draw->schema->tables[number];
    const int tag = sim_draw_row(draw, node, number);
    int i;

    for (i = 0; i < table->count; i++)
        if (table->columns[i].unique && table->columns[i].kind == SIM_TEXT)
            sim_draw_put(draw, i,
                         apr_psprintf(draw->pool, "'u-%d'", ++draw->words));
    return tag;
}

void sim_scene_number_all(sim_draw_t *draw, int node)
{
    (void)sim_draw_step(draw, SIM_SAVE, node);
}

void sim_scene_exchange_all(sim_draw_t *draw)
{
    int round, i;

    for (round = 1; round < draw->schema->nodes; round++)
        for (i = 0; i < draw->schema->nodes - 1; i++) {
            const sim_link_t *link = &draw->schema->links[i];
            sim_step_t *step = sim_draw_step(draw, SIM_SYNC, link->caller);

            step->peer = link->callee;
            step->limit = 100;
        }
}

/* Return whether COLUMN of TABLE holds values that applications write. */
int sim_scene_is_plain(const sim_schema_t *schema, const sim_table_t *table,
                       const sim_column_t *column, sim_pair_t both)
{
    return column->kind <= SIM_TEXT && !column->unique && !column->counts &&
           !column->names && column - table->columns != table->filter &&
           sim_schema_carries(schema, table, column, both.one, both.other);
}

int sim_scene_plain_of(const sim_schema_t *schema, const sim_table_t *table,
                       int but, sim_pair_t both)
{
    int i;

    for (i = 0; i < table->count; i++)
        if (i != but &&
            sim_scene_is_plain(schema, table, &table->columns[i], both))
            return i;
    return -1;
}

/* Return a plain column of TABLE that holds texts; -1: there is none. */
static int text_of(const sim_schema_t *schema, const sim_table_t *table,
                   sim_pair_t both)
{
    int i;

    for (i = 0; i < table->count; i++)
        if (table->columns[i].kind == SIM_TEXT &&
            sim_scene_is_plain(schema, table, &table->columns[i], both))
            return i;
    return -1;
}

/* Return the first unique column of TABLE; -1: there is none. */
static int unique_of(const sim_table_t *table)
{
    int i;

    for (i = 0; i < table->count; i++)
        if (table->columns[i].unique)
            return i;
    return -1;
}

int sim_scene_stands_alone(const sim_table_t *table, int but)
{
    int i;

    for (i = 0; i < table->count; i++)
        if (i != but && table->columns[i].kind == SIM_REFERENCE &&
            (table->columns[i].not_null || i < table->joined))
            return 0;
    return !table->joined && !table->keeps && !table->returns &&
           table->publisher < 0 && table->filter < 0 && table->match < 0;
}

int sim_scene_is_child(const sim_schema_t *schema, const sim_table_t *table,
                       const sim_column_t *column)
{
    return column->kind == SIM_REFERENCE && column->other < 0 &&
           &schema->tables[column->parent] != table &&
           sim_scene_stands_alone(table, (int)(column - table->columns)) &&
           sim_scene_stands_alone(&schema->tables[column->parent], -1);
}

/* --- A parent gets another key. The other node may have changed a column of
 * it, so that it cannot give the new key to its row, and another record gets
 * the children; or it has made a child. What says that of the children, or what
 * brings the record, is too large to come. --- */

/* Return whether all references of TABLE to PARENT, at NODE, follow its key and
 * its delete, and there are no others. */
static int follows_only(const sim_table_t *table, int parent, int node)
{
    int i;

    for (i = 0; i < table->count; i++)
        if (table->columns[i].kind == SIM_REFERENCE &&
            (table->columns[i].parent != parent ||
             table->columns[i].other >= 0 ||
             table->columns[i].rule[node] != SIM_RULE_CASCADE))
            return 0;
    return !table->joined;
}

static int fits_heirs(const sim_schema_t *schema, const sim_table_t *table,
                      const sim_column_t *column, sim_pair_t both)
{
    const sim_table_t *parent;

    if (column->kind != SIM_REFERENCE)
        return 0;
    parent = &schema->tables[column->parent];
    return parent != table && sim_schema_is_shared(parent) &&
           sim_scene_stands_alone(parent, -1) &&
           sim_scene_stands_alone(table, (int)(column - table->columns)) &&
           sim_scene_plain_of(schema, parent, -1, both) >= 0 &&
           text_of(schema, table, both) >= 0 &&
           follows_only(table, column->parent, both.one) &&
           follows_only(table, column->parent, both.other);
}

static void draw_heirs(sim_draw_t *draw, sim_place_t place, sim_pair_t both)
{
    const int parent =
        draw->schema->tables[place.table].columns[place.column].parent;
    const int column = sim_scene_plain_of(
        draw->schema, &draw->schema->tables[parent], -1, both);
    const int tag = sim_draw_row(draw, both.one, parent);

    (void)sim_draw_row(draw, both.one, place.table);
    sim_draw_refer(draw, place.column, parent, tag);
    sim_draw_long(
        draw, text_of(draw->schema, &draw->schema->tables[place.table], both));
    sim_scene_exchange_all(draw);
    if (sim_draw_chance(draw, 50))
        sim_draw_change(draw, both.other, parent, tag, column);
    if (sim_draw_chance(draw, 30)) {
        (void)sim_draw_row(draw, both.other, place.table);
        sim_draw_refer(draw, place.column, parent, tag);
    }
    sim_draw_change(draw, both.one, parent, tag, SIM_CELL_KEY);
    sim_scene_send_all(draw, both.one, both.other)->most_bytes =
        sim_draw_chance(draw, 50) ? NOT_LONG : LITTLE;
}

/* --- A child comes before its parent, which is too large; its node is restored
 * to before it made the child; then the parent comes. --- */

static int has_publisher(const sim_schema_t *schema)
{
    int i;

    for (i = 0; i < schema->count; i++)
        if (schema->tables[i].publisher >= 0 || schema->tables[i].holds ||
            schema->tables[i].returns)
            return 1;
    return 0;
}

static int fits_lost(const sim_schema_t *schema, const sim_table_t *table,
                     const sim_column_t *column, sim_pair_t both)
{
    return sim_scene_is_child(schema, table, column) &&
           !has_publisher(schema) &&
           schema->databases[both.one] == SIM_SQLITE &&
           text_of(schema, &schema->tables[column->parent], both) >= 0;
}

static void draw_lost(sim_draw_t *draw, sim_place_t place, sim_pair_t both)
{
    const int parent =
        draw->schema->tables[place.table].columns[place.column].parent;
    int tag;

    if (draw->drop.kind == SIM_DROP || draw->restores)
        return;
    draw->restores = 1;
    tag = sim_draw_row(draw, both.one, parent);
    sim_draw_long(draw,
                  text_of(draw->schema, &draw->schema->tables[parent], both));
    sim_scene_send_all(draw, both.one, both.other)->most_bytes = NOT_LONG;
    (void)sim_draw_step(draw, SIM_SAVE, both.one);
    (void)sim_draw_row(draw, both.one, place.table);
    sim_draw_refer(draw, place.column, parent, tag);
    sim_scene_send_all(draw, both.one, both.other)->most_bytes = NOT_LONG;
    sim_draw_step(draw, SIM_RESTORE, both.one)->number = SIM_RESTORE_GUIDE;
}

/* --- Two nodes change a column at the same time, and the message of one of
 * them is too large; then it changes another column. --- */

static int fits_lacking(const sim_schema_t *schema, const sim_table_t *table,
                        const sim_column_t *column, sim_pair_t both)
{
    return sim_scene_is_plain(schema, table, column, both) &&
           column->kind == SIM_TEXT && sim_scene_stands_alone(table, -1) &&
           !table->holds && table->wins < 0 &&
           sim_scene_plain_of(schema, table, (int)(column - table->columns),
                              both) >= 0;
}

static void draw_lacking(sim_draw_t *draw, sim_place_t place, sim_pair_t both)
{
    const int tag = sim_draw_row(draw, both.one, place.table);
    const int column = sim_scene_plain_of(
        draw->schema, &draw->schema->tables[place.table], place.column, both);
    int i;

    sim_scene_exchange_all(draw);
    sim_draw_change(draw, both.other, place.table, tag, place.column);
    sim_draw_change(draw, both.one, place.table, tag, place.column);
    sim_scene_send_all(draw, both.one, both.other)->most_bytes = NOTHING;
    for (i = 0; i < draw->schema->nodes - 1; i++) {
        const sim_link_t *link = &draw->schema->links[i];

        if (link->caller != both.one && link->callee != both.one) {
            sim_scene_send_all(draw, link->caller, link->callee);
            sim_scene_send_all(draw, link->callee, link->caller);
        }
    }
    sim_draw_change(draw, both.one, place.table, tag, column);
    sim_scene_send_all(draw, both.one, both.other);
}

/* --- A row goes with its parent, and the same batch brings a record that gets
 * the key which this frees: it has a unique value of that row, so that it
 * cannot come before. --- */

static int fits_freed(const sim_schema_t *schema, const sim_table_t *table,
                      const sim_column_t *column, sim_pair_t both)
{
    return sim_scene_is_child(schema, table, column) &&
           table->key == SIM_KEY_REUSED && !table->says_shared &&
           unique_of(table) >= 0 &&
           column->rule[both.one] == SIM_RULE_CASCADE &&
           column->rule[both.other] == SIM_RULE_CASCADE;
}

static void draw_freed(sim_draw_t *draw, sim_place_t place, sim_pair_t both)
{
    const int parent =
        draw->schema->tables[place.table].columns[place.column].parent;
    const int unique = unique_of(&draw->schema->tables[place.table]);
    const int first = sim_draw_row(draw, both.one, parent);
    const int other = sim_draw_row(draw, both.one, parent);
    const char *value = apr_psprintf(draw->pool, "'u-%d'", ++draw->words);

    sim_scene_exchange_all(draw);
    (void)sim_draw_row_under(draw, both.other, place.table, NULL);
    sim_draw_refer(draw, place.column, parent, first);
    sim_draw_put(draw, unique, value);
    if (sim_draw_chance(draw, 50))
        sim_scene_number_all(draw, both.other);
    sim_draw_end(draw, both.one, parent, first);
    (void)sim_draw_row(draw, both.one, place.table);
    sim_draw_refer(draw, place.column, parent, other);
    sim_draw_put(draw, unique, value);
    sim_scene_send_all(draw, both.one, both.other);
}

/* --- A row, which its node alone has, lets go of a record whose key is used
 * again at once, and a foreign key changes it, too. --- */

/* Return a reference of TABLE that becomes NULL with its parent at NODE; -1:
 * there is none. */
static int emptied_of(const sim_schema_t *schema, const sim_table_t *table,
                      int but, int node)
{
    int i;

    for (i = 0; i < table->count; i++)
        if (i != but && table->columns[i].kind == SIM_REFERENCE &&
            table->columns[i].other < 0 &&
            table->columns[i].rule[node] == SIM_RULE_SET_NULL &&
            sim_scene_stands_alone(&schema->tables[table->columns[i].parent],
                                   -1))
            return i;
    return -1;
}

static int fits_released(const sim_schema_t *schema, const sim_table_t *table,
                         const sim_column_t *column, sim_pair_t both)
{
    const sim_table_t *parent = &schema->tables[column->parent];

    return sim_scene_is_child(schema, table, column) && !column->not_null &&
           parent->key == SIM_KEY_REUSED && !parent->says_shared &&
           unique_of(parent) >= 0 &&
           column->rule[both.other] == SIM_RULE_REFUSE &&
           emptied_of(schema, table, (int)(column - table->columns),
                      both.other) >= 0;
}

static void draw_released(sim_draw_t *draw, sim_place_t place, sim_pair_t both)
{
    const sim_table_t *table = &draw->schema->tables[place.table];
    const int parent = table->columns[place.column].parent;
    const int emptied =
        emptied_of(draw->schema, table, place.column, both.other);
    const int second = table->columns[emptied].parent;
    const int other = sim_draw_row(draw, both.one, second);
    const int one = sim_draw_row(draw, both.one, parent);
    const int unique = unique_of(&draw->schema->tables[parent]);
    const char *value = apr_psprintf(draw->pool, "'u-%d'", ++draw->words);

    sim_draw_put(draw, unique, value);
    sim_scene_exchange_all(draw);
    (void)sim_draw_row(draw, both.other, place.table);
    sim_draw_refer(draw, place.column, parent, one);
    sim_draw_refer(draw, emptied, second, other);
    if (sim_draw_chance(draw, 50))
        sim_scene_number_all(draw, both.other);
    sim_draw_end(draw, both.one, second, other);
    sim_draw_end(draw, both.one, parent, one);
    (void)sim_draw_row(draw, both.one, parent);
    sim_draw_put(draw, unique, value);
    sim_scene_send_all(draw, both.one, both.other);
}

/* --- Where a person decides, two nodes change a column; then one of them
 * changes another one, so that its value of the first comes once more. --- */

static int fits_kept(const sim_schema_t *schema, const sim_table_t *table,
                     const sim_column_t *column, sim_pair_t both)
{
    return table->holds >> both.other & 1 &&
           sim_scene_stands_alone(table, -1) &&
           sim_scene_is_plain(schema, table, column, both) &&
           sim_scene_plain_of(schema, table, (int)(column - table->columns),
                              both) >= 0;
}

static void draw_kept(sim_draw_t *draw, sim_place_t place, sim_pair_t both)
{
    const int tag = sim_draw_row(draw, both.one, place.table);
    const int column = sim_scene_plain_of(
        draw->schema, &draw->schema->tables[place.table], place.column, both);

    sim_scene_exchange_all(draw);
    sim_draw_change(draw, both.other, place.table, tag, place.column);
    sim_draw_change(draw, both.one, place.table, tag, place.column);
    sim_scene_number_all(draw, both.one);
    sim_draw_change(draw, both.one, place.table, tag, column);
    sim_scene_send_all(draw, both.one, both.other);
}

static const sim_scene_t scenes[] = {
    {"heirs", "follow", fits_heirs, draw_heirs},
    {"lost", "large", fits_lost, draw_lost},
    {"lacking", "large", fits_lacking, draw_lacking},
    {"freed", "few", fits_freed, draw_freed},
    {"released", "few", fits_released, draw_released},
    {"kept", "few", fits_kept, draw_kept},
    {"together", "few", sim_waiting_fits_together, sim_waiting_draw_together},
    {"tied", "few", sim_waiting_fits_tied, sim_waiting_draw_tied},
    {"named", "few", sim_waiting_fits_named, sim_waiting_draw_named},
    {"behind", "few", sim_waiting_fits_behind, sim_waiting_draw_behind},
    {"outlived", "single", sim_outlived_fits_changed,
     sim_outlived_draw_changed},
    {"unread", "single", sim_outlived_fits_unread, sim_outlived_draw_unread},
    {"ordered", "single", sim_refused_fits_order, sim_refused_draw_order},
    {"discarded", "single", sim_refused_fits_discarded,
     sim_refused_draw_discarded},
    {"twins", "few", sim_matched_fits_twins, sim_matched_draw_twins},
    {"moved", "moves", sim_both_fits_moved, sim_both_draw_moved},
    {"split", "few", sim_people_fits_split, sim_people_draw_split},
    {"undone", "few", sim_people_fits_undone, sim_people_draw_undone},
    {"replaced", "few", sim_filtered_fits_replaced, sim_filtered_draw_replaced},
    {"lacked", "few", sim_apart_fits_ended, sim_apart_draw_ended},
    {"rekeyed", "few", sim_apart_fits_renamed, sim_apart_draw_renamed},
    {"rematched", "few", sim_matched_fits_rematched,
     sim_matched_draw_rematched},
    {"reparented", "few", sim_apart_fits_reparented, sim_apart_draw_reparented},
};

#define SCENES ((int)(sizeof(scenes) / sizeof(*scenes)))
#define LATER  6  /* from here on they are drawn apart: seeds keep theirs */
#define SINGLE 18 /* and from here on each alone */

const sim_scene_t *sim_scene_find(const char *name)
{
    int i;

    for (i = 0; i < SCENES; i++)
        if (!strcmp(scenes[i].name, name))
            return &scenes[i];
    return NULL;
}

/* Return one of the COUNT scenes from number FIRST on that SCHEMA allows, in
 * PERCENT of all cases; or NULL. */
static const sim_scene_t *choose(const sim_schema_t *schema,
                                 sim_random_t *random, int percent, int first,
                                 int count)
{
    int start, i;

    if (!sim_random_chance(random, percent))
        return NULL;
    start = sim_random_below(random, count);
    for (i = 0; i < count; i++) {
        const sim_scene_t *scene = &scenes[first + (start + i) % count];

        if (sim_scene_fits(scene, schema))
            return scene;
    }
    return NULL;
}

const sim_scene_t *sim_scene_choose(const sim_schema_t *schema,
                                    apr_uint64_t seed)
{
    sim_random_t random = sim_random_begin(seed, "scenes");
    sim_random_t later = sim_random_begin(seed, "later scenes"), single;
    const sim_scene_t *scene = NULL;
    int i;

    for (i = SINGLE; i < SCENES && !scene; i++) {
        single = sim_random_begin(seed, scenes[i].name);
        scene = choose(schema, &single, 20, i, 1);
    }
    if (!scene)
        scene = choose(schema, &later, 5, LATER, SINGLE - LATER);
    return scene ? scene : choose(schema, &random, 10, 0, LATER);
}

const char *sim_scene_style(const sim_scene_t *scene)
{
    return scene->style;
}
