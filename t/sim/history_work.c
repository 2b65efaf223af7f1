/* The statements of applications: see drawing.h. */
#include "drawing.h"

#include <string.h>

#include <apr_strings.h>

#define FRESH_KEYS 60 /* more than other steps give */
#define LONG       90 /* letters, of the 100 that a text may have */

int sim_draw_below(sim_draw_t *draw, int count)
{
    return sim_random_below(&draw->random, count);
}

int sim_draw_chance(sim_draw_t *draw, int percent)
{
    return sim_random_chance(&draw->random, percent);
}

sim_step_t *sim_draw_step(sim_draw_t *draw, sim_step_e kind, int node)
{
    sim_step_t *step = apr_array_push(draw->history->steps);

    memset(step, 0, sizeof(*step));
    step->kind = kind;
    step->node = node;
    return step;
}

static const char *tag_name(const sim_draw_t *draw, int table, int number)
{
    return apr_psprintf(draw->pool, "%c%d", 'a' + table, number);
}

/* A tag that was given to a row of TABLE; mostly one of the last. */
static int some_tag(sim_draw_t *draw, int table)
{
    int count = draw->tags[table];
    int last = count < draw->style->last ? count : draw->style->last;

    if (!count)
        return 0;
    return sim_draw_chance(draw, 70) ? count - 1 - sim_draw_below(draw, last)
                                     : sim_draw_below(draw, count);
}

static sim_cell_t *cell(apr_array_header_t *cells, int column, const char *text)
{
    sim_cell_t *cell = apr_array_push(cells);

    memset(cell, 0, sizeof(*cell));
    cell->column = column;
    cell->text = text;
    return cell;
}

/* A key of TABLE, of the first COUNT. */
static const char *key_of(sim_draw_t *draw, const sim_table_t *table, int count)
{
    int number = sim_draw_below(draw, count) + 1;

    if (table->key == SIM_KEY_TEXT)
        return apr_psprintf(draw->pool, "'k%d'", number);
    if (table->key == SIM_KEY_UUID)
        return apr_psprintf(draw->pool,
                            "'00000000-0000-4000-8000-0000000000%02d'", number);
    return apr_psprintf(draw->pool, "%d", number);
}

static const char *some_key(sim_draw_t *draw, const sim_table_t *table)
{
    return key_of(draw, table, draw->style->keys);
}

/* A node gives unique values of its own only: so nothing that is parked for
 * them may stay so. */
static const char *unique_value(sim_draw_t *draw, int node)
{
    return apr_psprintf(draw->pool, "'u%d-%d'", node, sim_draw_below(draw, 6));
}

static const char *parent_tag(sim_draw_t *draw, const sim_column_t *column)
{
    return tag_name(draw, column->parent, some_tag(draw, column->parent));
}

static void add_value(sim_draw_t *draw, sim_step_t *step,
                      apr_array_header_t *cells, int number, int tag)
{
    const sim_table_t *table = &draw->schema->tables[step->table];
    const sim_column_t *column = &table->columns[number];
    sim_database_e database = draw->schema->databases[step->node];
    sim_cell_t *made;

    if (!column->not_null && sim_draw_chance(draw, 10)) {
        cell(cells, number, "NULL");
        return;
    }
    if (column->kind == SIM_REFERENCE) {
        const int either = column->other >= 0 && sim_draw_chance(draw, 50);
        const int parent = either ? column->other : column->parent;

        made = cell(cells, number, NULL);
        /* Nobody asks whether that is there, or comes later. */
        if (column->rule[step->node] == SIM_RULE_NONE &&
            sim_draw_chance(draw, 15))
            made->text = key_of(draw, &draw->schema->tables[parent], 12);
        made->parent = parent;
        made->tag = number < table->joined && draw->pair[number]
                        ? draw->pair[number]
                        : tag_name(draw, parent, some_tag(draw, parent));
        if (column->other >= 0)
            cell(cells, number + 1, apr_psprintf(draw->pool, "'m%d'", parent));
        return;
    }
    made = cell(cells, number, NULL);
    if (number == table->match) {
        made->text = apr_psprintf(draw->pool, "'m%d'", sim_draw_below(draw, 9));
    }
    else if (column->unique) {
        made->text = unique_value(draw, step->node);
        if (tag >= 0 && tag < SIM_TAGS)
            draw->known[step->table][tag].unique = made->text;
    }
    else if (sim_draw_chance(draw, 6)) {
        made->text = sim_kind_edge(&draw->random, column->kind,
                                   sim_schema_databases(draw->schema), database,
                                   draw->pool);
    }
    else if (column->kind == SIM_INTEGER && step->kind == SIM_UPDATE &&
             sim_draw_chance(draw, 20)) {
        made->text = apr_psprintf(draw->pool, "%s + 1", column->name);
    }
    else {
        made->text =
            sim_kind_plain(column->kind, ++draw->words, database, draw->pool);
    }
}

/* Give the row of CELLS a key. One that is to replace another row mostly has
 * the key of one that is there. */
static void add_key(sim_draw_t *draw, const sim_step_t *step,
                    apr_array_header_t *cells)
{
    const sim_table_t *table = &draw->schema->tables[step->table];
    sim_cell_t *made;

    if (draw->again || step->kind != SIM_REPLACE || step->rows > 1 ||
        sim_draw_chance(draw, 40)) {
        cell(cells, SIM_CELL_KEY,
             draw->again ? draw->again : some_key(draw, table));
        draw->again = NULL;
        return;
    }
    made = cell(cells, SIM_CELL_KEY, NULL);
    made->parent = step->table;
    made->tag = tag_name(draw, step->table, some_tag(draw, step->table));
}

/* Let the last cell have the value of the first one, the key. */
static void refer_to_itself(apr_array_header_t *cells)
{
    APR_ARRAY_IDX(cells, cells->nelts - 1, sim_cell_t).text =
        APR_ARRAY_IDX(cells, 0, sim_cell_t).text;
}

static void draw_insert(sim_draw_t *draw, int node, int session, int number)
{
    const sim_table_t *table = &draw->schema->tables[number];
    sim_step_t *step = sim_draw_step(
        draw,
        draw->level && sim_draw_chance(draw, draw->style->replaces)
            ? SIM_REPLACE
            : SIM_INSERT,
        node);
    int with_key = sim_schema_is_shared(table) || step->kind == SIM_REPLACE ||
                   sim_draw_chance(draw, 30) || draw->again;
    int i, row;

    step->session = session;
    step->table = number;
    step->rows =
        sim_draw_chance(draw, 20) ? 1 + sim_draw_below(draw, SIM_ROWS) : 1;
    if (draw->pair[0] || (table->joined && step->kind == SIM_REPLACE))
        step->rows = 1;
    for (row = 0; row < step->rows; row++) {
        apr_array_header_t *cells =
            apr_array_make(draw->pool, 8, sizeof(sim_cell_t));
        int tag = draw->tags[number]++;

        step->cells[row] = cells;
        if (with_key && !table->joined)
            add_key(draw, step, cells);
        cell(cells, SIM_CELL_TAG,
             apr_psprintf(draw->pool, "'%s'", tag_name(draw, number, tag)));
        for (i = 0; i < table->count; i++) {
            if (table->columns[i].counts || table->columns[i].names)
                continue;
            add_value(draw, step, cells, i, tag);
            if (with_key && table->columns[i].parent == number &&
                table->columns[i].other < 0 && !table->joined &&
                APR_ARRAY_IDX(cells, 0, sim_cell_t).text &&
                sim_draw_chance(draw, 30))
                refer_to_itself(cells);
        }
    }
}

/* Insert a row under KEY that refers to PARENT. */
static void insert_tied(sim_draw_t *draw, int node, int session, int number,
                        const char *key, const char *parent)
{
    const apr_array_header_t *cells;
    int i;

    draw->again = key;
    draw_insert(draw, node, session, number);
    cells = APR_ARRAY_IDX(draw->history->steps, draw->history->steps->nelts - 1,
                          sim_step_t)
                .cells[0];
    for (i = 0; i < cells->nelts; i++)
        if (APR_ARRAY_IDX(cells, i, sim_cell_t).column ==
            draw->schema->tables[number].tied)
            APR_ARRAY_IDX(cells, i, sim_cell_t).text = parent;
}

/* Insert two rows that must refer to each other, in a transaction: the last
 * four steps. */
static void draw_tied(sim_draw_t *draw, int node, int session, int number)
{
    const sim_table_t *tables = draw->schema->tables;
    const int other = tables[number].columns[tables[number].tied].parent;
    const char *one_key = key_of(draw, &tables[number], FRESH_KEYS);
    const char *other_key = key_of(draw, &tables[other], FRESH_KEYS);

    sim_draw_step(draw, SIM_BEGIN, node)->session = session;
    insert_tied(draw, node, session, number, one_key, other_key);
    insert_tied(draw, node, session, other, other_key, one_key);
    sim_draw_step(draw, SIM_COMMIT, node)->session = session;
}

/* The key column NUMBER of TABLE leads to the row with TAG. */
static const char *leads_to(sim_draw_t *draw, const sim_table_t *table,
                            int number, const char *tag)
{
    const sim_column_t *column = &table->columns[number];
    const sim_table_t *parent = &draw->schema->tables[column->parent];

    return apr_psprintf(draw->pool, "%s = (SELECT %s FROM %s WHERE tag = '%s')",
                        column->name, sim_schema_key(parent), parent->name,
                        tag);
}

static void draw_where(sim_draw_t *draw, sim_step_t *step, int tag)
{
    const sim_table_t *table = &draw->schema->tables[step->table];
    int serial = !sim_schema_is_shared(table);
    int choice = sim_draw_below(draw, 100);

    if (choice < 65)
        step->where = apr_psprintf(draw->pool, "tag = '%s'",
                                   tag_name(draw, step->table, tag));
    else if (choice < 97 && table->joined)
        step->where = leads_to(draw, table, sim_draw_below(draw, table->joined),
                               parent_tag(draw, &table->columns[0]));
    else if (choice < 85 || !serial)
        step->where =
            apr_psprintf(draw->pool, "id = %s", some_key(draw, table));
    else if (choice < 97)
        step->where =
            apr_psprintf(draw->pool, "id %% 3 = %d", sim_draw_below(draw, 3));
    else
        step->where = "1 = 1";
}

/* Add new values of the columns that CELLS change. */
static apr_array_header_t *again(sim_draw_t *draw, sim_step_t *step,
                                 const apr_array_header_t *cells, int tag)
{
    const sim_table_t *table = &draw->schema->tables[step->table];
    apr_array_header_t *made =
        apr_array_make(draw->pool, 4, sizeof(sim_cell_t));
    int i;

    for (i = 0; i < cells->nelts; i++) {
        int column = APR_ARRAY_IDX(cells, i, sim_cell_t).column;

        if (column >= table->joined && !table->columns[column].names)
            add_value(draw, step, made, column, tag);
    }
    return made;
}

/* What STEP has changed changes again, and perhaps again. */
static void draw_burst(sim_draw_t *draw, const sim_step_t *step, int tag)
{
    const sim_step_t first = *step; /* new steps move it */
    int times = 1 + sim_draw_below(draw, 3);

    while (times--) {
        sim_step_t next = first;

        next.cells[0] = again(draw, &next, first.cells[0], tag);
        if (next.cells[0]->nelts)
            *sim_draw_step(draw, SIM_UPDATE, first.node) = next;
    }
}

static void draw_update(sim_draw_t *draw, int node, int session, int number)
{
    const sim_table_t *table = &draw->schema->tables[number];
    sim_step_t *step = sim_draw_step(draw, SIM_UPDATE, node);
    int tag = some_tag(draw, number), i;

    step->session = session;
    step->table = number;
    step->cells[0] = apr_array_make(draw->pool, 4, sizeof(sim_cell_t));
    draw_where(draw, step, tag);
    /* The tag shows which row a trigger has put back, so there must be one. */
    if (draw->level > 1 && !table->keeps && !table->returns && !table->joined &&
        sim_draw_chance(draw, draw->style->moves))
        cell(step->cells[0], SIM_CELL_KEY,
             !sim_schema_is_shared(table) && sim_draw_chance(draw, 50)
                 ? apr_psprintf(draw->pool, "id + %d",
                                1 + sim_draw_below(draw, 3))
                 : some_key(draw, table));
    if (table->joined && draw->level > 1 &&
        sim_draw_chance(draw, draw->style->moves))
        add_value(draw, step, step->cells[0],
                  sim_draw_below(draw, table->joined), tag);
    for (i = table->joined; i < table->count; i++)
        if (i != table->match && !table->columns[i].counts &&
            !table->columns[i].names &&
            (sim_draw_chance(draw, draw->style->columns) ||
             (i == table->joined && !step->cells[0]->nelts)))
            add_value(draw, step, step->cells[0], i, tag);
    if (sim_draw_chance(draw, draw->style->bursts))
        draw_burst(draw, step, tag);
}

/* Delete a row and insert another one that refers to the same: that is how
 * libraries save a list of such rows. */
static void draw_pair_again(sim_draw_t *draw, sim_step_t *step, int session)
{
    const sim_table_t *table = &draw->schema->tables[step->table];
    int node = step->node, number = step->table, i;
    const char *where = "";

    for (i = 0; i < table->joined; i++) {
        draw->pair[i] = parent_tag(draw, &table->columns[i]);
        where = apr_pstrcat(draw->pool, where, i ? " AND " : "",
                            leads_to(draw, table, i, draw->pair[i]), NULL);
    }
    step->where = where;
    draw_insert(draw, node, session, number);
    memset(draw->pair, 0, sizeof(draw->pair));
}

static void draw_delete(sim_draw_t *draw, int node, int session, int number)
{
    const sim_table_t *table = &draw->schema->tables[number];
    sim_step_t *step = sim_draw_step(draw, SIM_DELETE, node);

    step->session = session;
    step->table = number;
    draw_where(draw, step, some_tag(draw, number));
    if (!sim_draw_chance(draw, draw->style->again))
        return;
    if (table->joined)
        draw_pair_again(draw, step, session);
    if (!sim_schema_is_shared(table) && !table->keeps)
        return;
    /* The key begins another life. */
    draw->again = some_key(draw, table);
    step->where = apr_pstrcat(draw->pool, "id = ", draw->again, NULL);
    draw_insert(draw, node, session, number);
    draw->again = NULL;
}

/* Two rows exchange their unique values. */
static void draw_swap(sim_draw_t *draw, int node, int session, int number)
{
    const sim_table_t *table = &draw->schema->tables[number];
    int one = some_tag(draw, number), other = some_tag(draw, number);
    const char *values[3];
    int tags[3], i, column;

    for (column = 0; column < table->count; column++)
        if (table->columns[column].unique && column != table->match)
            break;
    if (column == table->count || one == other || one >= SIM_TAGS ||
        other >= SIM_TAGS)
        return;
    values[0] = "NULL";
    values[1] = draw->known[number][one].unique;
    values[2] = draw->known[number][other].unique;
    tags[0] = tags[2] = one;
    tags[1] = other;
    if (!values[1] || !values[2] || values[1][2] != '0' + node ||
        values[2][2] != '0' + node)
        return;
    for (i = 0; i < 3; i++) {
        sim_step_t *step = sim_draw_step(draw, SIM_UPDATE, node);

        step->session = session;
        step->table = number;
        step->cells[0] = apr_array_make(draw->pool, 1, sizeof(sim_cell_t));
        cell(step->cells[0], column, values[i]);
        step->where = apr_psprintf(draw->pool, "tag = '%s'",
                                   tag_name(draw, number, tags[i]));
    }
    draw->known[number][one].unique = values[2];
    draw->known[number][other].unique = values[1];
}

void sim_draw_statement(sim_draw_t *draw, int node, int session)
{
    const sim_style_t *style = draw->style;
    int number = sim_draw_below(draw, draw->schema->count);
    int choice = sim_draw_below(draw, 100);
    int publisher = draw->schema->tables[number].publisher;

    /* Elsewhere nobody writes what only one node publishes. */
    if (publisher >= 0 && publisher != node)
        return;
    if (draw->schema->tables[number].tied >= 0 && sim_draw_chance(draw, 30))
        draw_tied(draw, node, session, number);
    else if (choice < style->inserts || !draw->tags[number])
        draw_insert(draw, node, session, number);
    else if (choice < style->inserts + style->updates)
        draw_update(draw, node, session, number);
    else if (choice < style->inserts + style->updates + style->deletes)
        draw_delete(draw, node, session, number);
    else
        draw_swap(draw, node, session, number);
}

static sim_step_t *last_step(const sim_draw_t *draw)
{
    return &APR_ARRAY_IDX(draw->history->steps, draw->history->steps->nelts - 1,
                          sim_step_t);
}

int sim_draw_row_under(sim_draw_t *draw, int node, int table, const char *key)
{
    const int tag = draw->tags[table];
    apr_array_header_t *cells;

    draw->again = key;
    draw_insert(draw, node, 0, table);
    draw->again = NULL;
    last_step(draw)->kind = SIM_INSERT;
    last_step(draw)->rows = 1;
    cells = last_step(draw)->cells[0];
    if (!key && APR_ARRAY_IDX(cells, 0, sim_cell_t).column == SIM_CELL_KEY)
        memmove(cells->elts, cells->elts + sizeof(sim_cell_t),
                sizeof(sim_cell_t) * (size_t)--cells->nelts);
    return tag;
}

int sim_draw_row(sim_draw_t *draw, int node, int table)
{
    return sim_draw_row_under(
        draw, node, table,
        key_of(draw, &draw->schema->tables[table], FRESH_KEYS));
}

const char *sim_draw_key(const sim_draw_t *draw)
{
    return APR_ARRAY_IDX(last_step(draw)->cells[0], 0, sim_cell_t).text;
}

/* Let CELL take the place of that of its column in what the last step inserts.
 */
static void put(sim_draw_t *draw, sim_cell_t made)
{
    const apr_array_header_t *cells = last_step(draw)->cells[0];
    int i;

    for (i = 0; i < cells->nelts; i++)
        if (APR_ARRAY_IDX(cells, i, sim_cell_t).column == made.column)
            APR_ARRAY_IDX(cells, i, sim_cell_t) = made;
}

void sim_draw_refer(sim_draw_t *draw, int column, int parent, int tag)
{
    put(draw, (sim_cell_t){.column = column,
                           .parent = parent,
                           .tag = tag_name(draw, parent, tag)});
}

void sim_draw_put(sim_draw_t *draw, int column, const char *text)
{
    put(draw, (sim_cell_t){.column = column, .text = text});
}

void sim_draw_long(sim_draw_t *draw, int column)
{
    char letters[4 * LONG + 1];
    int i;

    for (i = 0; i < LONG; i++)
        memcpy(letters + 4 * i, "\xf0\x9f\x90\x98", 5);
    sim_draw_put(draw, column,
                 apr_psprintf(draw->pool, "'v%d%s'", ++draw->words, letters));
}

/* Add a step of KIND about the row TAG of TABLE. */
static sim_step_t *step_about(sim_draw_t *draw, sim_step_e kind, int node,
                              int table, int tag)
{
    sim_step_t *step = sim_draw_step(draw, kind, node);

    step->table = table;
    step->where =
        apr_psprintf(draw->pool, "tag = '%s'", tag_name(draw, table, tag));
    return step;
}

void sim_draw_give(sim_draw_t *draw, int node, int table, int tag, int column,
                   const char *text)
{
    sim_step_t *step = step_about(draw, SIM_UPDATE, node, table, tag);

    step->cells[0] = apr_array_make(draw->pool, 1, sizeof(sim_cell_t));
    cell(step->cells[0], column, text);
}

void sim_draw_change(sim_draw_t *draw, int node, int table, int tag, int column)
{
    const sim_table_t *changed = &draw->schema->tables[table];

    sim_draw_give(
        draw, node, table, tag, column,
        column == SIM_CELL_KEY
            ? key_of(draw, changed, FRESH_KEYS)
            : sim_kind_plain(changed->columns[column].kind, ++draw->words,
                             draw->schema->databases[node], draw->pool));
}

int sim_draw_tied(sim_draw_t *draw, int node, int table)
{
    const int tag = draw->tags[table];
    int i;

    draw_tied(draw, node, 0, table);
    for (i = 2; i < 4; i++) {
        sim_step_t *step = &APR_ARRAY_IDX(
            draw->history->steps, draw->history->steps->nelts - i, sim_step_t);

        step->kind = SIM_INSERT;
        step->rows = 1;
    }
    return tag;
}

void sim_draw_end(sim_draw_t *draw, int node, int table, int tag)
{
    (void)step_about(draw, SIM_DELETE, node, table, tag);
}
