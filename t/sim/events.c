/* See events.h. */
#include "events.h"

#include <string.h>

#include <apr_strings.h>

#include "names.h"

static void note(apr_array_header_t *events, sim_event_e kind, int node,
                 const sim_row_t *row, int column, const char *before,
                 const char *after)
{
    APR_ARRAY_PUSH(events, sim_event_t) =
        (sim_event_t){kind,   node,  row->table, row->name, column, 0,
                      before, after, row,        NULL,      0,      0};
}

static int same(const char *one, const char *other)
{
    return one && other ? !strcmp(one, other) : one == other;
}

/* If ROW, which is new, was called otherwise among the rows BEFORE, another row
 * has the key that its own key refers to: that is a change of its key. */
static void note_other_parent(apr_array_header_t *events, int node,
                              const apr_array_header_t *before,
                              const sim_row_t *row)
{
    int i;

    for (i = 0; i < before->nelts; i++) {
        const sim_row_t *old = &APR_ARRAY_IDX(before, i, sim_row_t);

        if (old->table != row->table || !same(old->key, row->key) ||
            !same(old->values[SIM_COLUMNS], row->values[SIM_COLUMNS]))
            continue;
        note(events, SIM_EVENT_KEY, node, old, 0, NULL, NULL);
        note(events, SIM_EVENT_KEY, node, row, 0, NULL, NULL);
    }
}

/* Return whether one of the rows AFTER is ROW, under another key. */
static int is_renamed(const apr_array_header_t *after, const sim_row_t *row)
{
    int i;

    for (i = 0; i < after->nelts; i++) {
        const sim_row_t *other = &APR_ARRAY_IDX(after, i, sim_row_t);

        if (other->table == row->table &&
            same(other->values[SIM_COLUMNS], row->values[SIM_COLUMNS]))
            return 1;
    }
    return 0;
}

/* Return which of ROWS is ROW, but for its name by match=; NULL: none. */
static const sim_row_t *find_same(const apr_array_header_t *rows,
                                  const sim_schema_t *schema,
                                  const sim_row_t *row)
{
    int i;

    for (i = 0; schema->tables[row->table].match >= 0 && i < rows->nelts; i++) {
        const sim_row_t *other = &APR_ARRAY_IDX(rows, i, sim_row_t);

        if (other->table == row->table && same(other->key, row->key) &&
            same(other->values[SIM_COLUMNS], row->values[SIM_COLUMNS]))
            return other;
    }
    return NULL;
}

/* Note that there is ROW, which none was called like; return what it was called
 * among the rows BEFORE. */
static const sim_row_t *note_new(apr_array_header_t *events,
                                 const sim_schema_t *schema, int node,
                                 const apr_array_header_t *before,
                                 const sim_row_t *row)
{
    const sim_row_t *old = find_same(before, schema, row);

    note(events, SIM_EVENT_INSERT, node, row, 0, NULL, NULL);
    if (old)
        APR_ARRAY_IDX(events, events->nelts - 1, sim_event_t).was = old->name;
    if (schema->tables[row->table].joined)
        note_other_parent(events, node, before, row);
    return old;
}

/* Note that there is no row any more that is called like ROW. */
static void note_gone(apr_array_header_t *events, const sim_schema_t *schema,
                      int node, const apr_array_header_t *after,
                      const sim_row_t *row)
{
    const sim_row_t *now = find_same(after, schema, row);

    if (now) {
        note(events, SIM_EVENT_NAME, node, row, 0, NULL, now->name);
        return;
    }
    note(events, SIM_EVENT_DELETE, node, row, 0, NULL, NULL);
    APR_ARRAY_IDX(events, events->nelts - 1, sim_event_t).renamed =
        is_renamed(after, row);
}

/* Note in EVENTS (sim_event_t) what changed at NODE from the rows BEFORE to
 * AFTER. */
static void compare(apr_array_header_t *events, const sim_schema_t *schema,
                    int node, const apr_array_header_t *before,
                    const apr_array_header_t *after)
{
    int i, column;

    for (i = 0; i < after->nelts; i++) {
        const sim_row_t *row = &APR_ARRAY_IDX(after, i, sim_row_t);
        const sim_row_t *old = sim_rows_find(before, row->table, row->name);

        if (!old)
            old = note_new(events, schema, node, before, row);
        else if (!same(old->key, row->key))
            note(events,
                 sim_schema_is_shared(&schema->tables[row->table]) ||
                         schema->tables[row->table].joined
                     ? SIM_EVENT_KEY
                     : SIM_EVENT_MOVE,
                 node, row, 0, NULL, NULL);
        /* With keys=shared a row is called by its key: REPLACE has put another
         * one there. */
        if (old && !same(old->values[SIM_COLUMNS], row->values[SIM_COLUMNS]))
            note(events, SIM_EVENT_DELETE, node, old, 0, NULL, NULL);
        for (column = 0; column <= SIM_COLUMNS; column++)
            if (!same(old ? old->values[column] : NULL, row->values[column]))
                note(events, SIM_EVENT_UPDATE, node, row, column,
                     old ? old->values[column] : NULL, row->values[column]);
    }
    for (i = 0; i < before->nelts; i++) {
        const sim_row_t *row = &APR_ARRAY_IDX(before, i, sim_row_t);

        if (!sim_rows_find(after, row->table, row->name))
            note_gone(events, schema, node, after, row);
    }
}

/* Return TEXT, a value in SQL, without its quotes. */
static const char *unquoted(const char *text, apr_pool_t *pool)
{
    return *text == '\'' ? apr_pstrmemdup(pool, text + 1, strlen(text) - 2)
                         : text;
}

/* Return the text that row NUMBER of STEP gives COLUMN, without its quotes. */
static const char *given(const sim_step_t *step, int number, int column,
                         apr_pool_t *pool)
{
    const apr_array_header_t *cells = step->cells[number];
    int i;

    for (i = 0; i < cells->nelts; i++) {
        const sim_cell_t *cell = &APR_ARRAY_IDX(cells, i, sim_cell_t);

        if (cell->column == column && cell->text)
            return unquoted(cell->text, pool);
    }
    return "";
}

/* Return whether one of ROWS, of TABLE, has KEY. */
static int has_key(const apr_array_header_t *rows, int table, const char *key)
{
    int i;

    for (i = 0; i < rows->nelts; i++) {
        const sim_row_t *row = &APR_ARRAY_IDX(rows, i, sim_row_t);

        if (row->table == table && same(row->key, key))
            return 1;
    }
    return 0;
}

/* Return in which columns row NUMBER of STEP refers to a key that none of the
 * rows AFTER it has, nor that row: bits. */
static unsigned find_dangling(const sim_world_t *world, const sim_step_t *step,
                              int number, const apr_array_header_t *after)
{
    const sim_table_t *table = &world->schema->tables[step->table];
    const apr_array_header_t *cells = step->cells[number];
    unsigned found = 0;
    int i;

    for (i = 0; i < cells->nelts; i++) {
        const sim_cell_t *cell = &APR_ARRAY_IDX(cells, i, sim_cell_t);
        const char *key;

        if (cell->column < 0 || !cell->text ||
            table->columns[cell->column].kind != SIM_REFERENCE)
            continue;
        key = unquoted(cell->text, world->pool);
        if (!has_key(after, cell->parent, key) &&
            (cell->parent != step->table ||
             strcmp(key, given(step, number, SIM_CELL_KEY, world->pool)) != 0))
            found |= 1u << cell->column;
    }
    return found;
}

/* Note the rows of STEP, a REPLACE, that a later row of the same statement has
 * removed: no look at the table shows them. AFTER are the rows now. */
static void note_replaced(sim_world_t *world, const sim_step_t *step,
                          const apr_array_header_t *after)
{
    const sim_table_t *table = &world->schema->tables[step->table];
    int wanted = sim_schema_is_shared(table) ? SIM_CELL_KEY
                 : table->match >= 0         ? table->match
                                             : SIM_CELL_TAG;
    apr_array_header_t *pending = world->pending[step->node][step->session];
    int i;

    for (i = 0;
         step->kind == SIM_REPLACE && i < step->rows - 1 && !table->joined;
         i++) {
        const char *tag = given(step, i, SIM_CELL_TAG, world->pool);
        sim_row_t row = {.table = step->table,
                         .name = given(step, i, wanted, world->pool)};
        const sim_row_t *found = sim_rows_find(after, row.table, row.name);
        sim_event_t *event;

        if (found && same(found->values[SIM_COLUMNS], tag))
            continue;
        note(pending, SIM_EVENT_DELETE, step->node, &row, 0, NULL, NULL);
        event = &APR_ARRAY_IDX(pending, pending->nelts - 1, sim_event_t);
        event->row = NULL;
        event->dangled = find_dangling(world, step, i, after);
    }
}

void sim_events_note(sim_world_t *world, const sim_step_t *step,
                     const apr_array_header_t *before,
                     const apr_array_header_t *after)
{
    apr_array_header_t *events = world->pending[step->node][step->session];
    int i = events->nelts;

    compare(events, world->schema, step->node, before, after);
    note_replaced(world, step, after);
    for (; i < events->nelts; i++) {
        APR_ARRAY_IDX(events, i, sim_event_t).statement = world->next;
        sim_names_note(world, &APR_ARRAY_IDX(events, i, sim_event_t));
    }
}
