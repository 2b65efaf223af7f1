/* See history.h. */
#include "history.h"

#include <string.h>

#include <apr_strings.h>

#define TAGS 256 /* of one table */

/* How a history differs from others, in percent unless said otherwise: what is
 * rare in most is common in some. */
typedef struct style_t {
    int keys;     /* that applications give: so many */
    int last;     /* rows that are mostly meant: the last so many */
    int replaces; /* inserts that are REPLACE */
    int again;    /* deletes after which the key is given again (keys=shared) */
    int inserts, updates, deletes; /* of the statements; the rest are swaps */
    int lies;                      /* mishaps that are lies */
    int odd;                       /* steps of operators and hosts */
    int clocks;                    /* of these: clocks */
} style_t;

static const style_t styles[] = {
    {12, 6, 12, 40, 40, 40, 13, 17, 7, 28},
    {12, 6, 12, 40, 40, 40, 13, 17, 7, 28},
    /* keys are given again and again */
    {3, 3, 20, 80, 35, 30, 33, 17, 12, 60},
    /* rows are replaced while others refer to them */
    {6, 4, 40, 40, 45, 30, 20, 17, 7, 28},
    /* many write to few rows */
    {6, 2, 12, 40, 20, 60, 13, 17, 7, 28},
    /* peers lie */
    {12, 6, 12, 40, 45, 40, 8, 80, 7, 28},
};

typedef struct draw_t {
    sim_history_t *history;
    const style_t *style;
    const sim_schema_t *schema;
    sim_random_t random;
    apr_pool_t *pool;
    int words; /* unique values given so far */
    int tags[SIM_TABLES];
    struct {
        const char *unique; /* its unique value, as far as is known */
    } known[SIM_TABLES][TAGS];
    const char *again;   /* the key of the next row; NULL: any */
    const char *pair[2]; /* the same, if it is references: their tags */
    int level;           /* how odd the history is: 0 to 3 */
    int restores;
    int saved;       /* the node whose database is to be restored, -1: none */
    sim_step_t drop; /* the last SIM_DROP, or of another kind: none */
} draw_t;

static int below(draw_t *draw, int count)
{
    return sim_random_below(&draw->random, count);
}

static int chance(draw_t *draw, int percent)
{
    return sim_random_chance(&draw->random, percent);
}

static const char *tag_name(const draw_t *draw, int table, int number)
{
    return apr_psprintf(draw->pool, "%c%d", 'a' + table, number);
}

/* A tag that was given to a row of TABLE; mostly one of the last. */
static int some_tag(draw_t *draw, int table)
{
    int count = draw->tags[table];
    int last = count < draw->style->last ? count : draw->style->last;

    if (!count)
        return 0;
    return chance(draw, 70) ? count - 1 - below(draw, last)
                            : below(draw, count);
}

static sim_step_t *add(draw_t *draw, sim_step_e kind, int node)
{
    sim_step_t *step = apr_array_push(draw->history->steps);

    memset(step, 0, sizeof(*step));
    step->kind = kind;
    step->node = node;
    return step;
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
static const char *key_of(draw_t *draw, const sim_table_t *table, int count)
{
    int number = below(draw, count) + 1;

    if (table->key == SIM_KEY_TEXT)
        return apr_psprintf(draw->pool, "'k%d'", number);
    if (table->key == SIM_KEY_UUID)
        return apr_psprintf(draw->pool,
                            "'00000000-0000-4000-8000-0000000000%02d'", number);
    return apr_psprintf(draw->pool, "%d", number);
}

static const char *some_key(draw_t *draw, const sim_table_t *table)
{
    return key_of(draw, table, draw->style->keys);
}

#define TEN_LETTERS                                                            \
    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9" \
    "\xc3\xa9"
#define FIFTY_LETTERS                                                          \
    TEN_LETTERS TEN_LETTERS TEN_LETTERS TEN_LETTERS TEN_LETTERS

/* Values that are hard to carry; the longest fills its column. */
static const char *edge(draw_t *draw, sim_kind_e kind)
{
    static const char *const texts[] = {"''",
                                        "'it''s'",
                                        "'a \"word\"'",
                                        "'two\nlines'",
                                        "'100%s'",
                                        "'\xc3\xa9\xe2\x82\xac'",
                                        "'\xf0\x9f\x90\x98'",
                                        "'\xf4\x8f\xbf\xbf'",
                                        "'\x01\x1f\x7f'",
                                        "'\t \r'",
                                        "'{\"a\":[null]}'",
                                        "'" FIFTY_LETTERS FIFTY_LETTERS "'",
                                        "' '"};
    static const char *const numbers[] = {"0",
                                          "-1",
                                          "9007199254740993",
                                          "9223372036854775000",
                                          "-9223372036854775000",
                                          "-9223372036854775807",
                                          "-9223372036854775808"};

    return kind == SIM_TEXT
               ? texts[below(draw, sizeof(texts) / sizeof(*texts))]
               : numbers[below(draw, sizeof(numbers) / sizeof(*numbers))];
}

/* A node gives unique values of its own only: so nothing that is parked for
 * them may stay so. */
static const char *unique_value(draw_t *draw, int node)
{
    return apr_psprintf(draw->pool, "'u%d-%d'", node, below(draw, 6));
}

static const char *parent_tag(draw_t *draw, const sim_column_t *column)
{
    return tag_name(draw, column->parent, some_tag(draw, column->parent));
}

static void add_value(draw_t *draw, sim_step_t *step, apr_array_header_t *cells,
                      int number, int tag)
{
    const sim_table_t *table = &draw->schema->tables[step->table];
    const sim_column_t *column = &table->columns[number];
    sim_cell_t *made;

    if (!column->not_null && chance(draw, 10)) {
        cell(cells, number, "NULL");
        return;
    }
    if (column->kind == SIM_REFERENCE) {
        made = cell(cells, number, NULL);
        /* Nobody asks whether that is there, or comes later. */
        if (column->rule[step->node] == SIM_RULE_NONE && chance(draw, 15))
            made->text =
                key_of(draw, &draw->schema->tables[column->parent], 12);
        made->parent = column->parent;
        made->tag = number < table->joined && draw->pair[number]
                        ? draw->pair[number]
                        : parent_tag(draw, column);
        return;
    }
    made = cell(cells, number, NULL);
    if (number == table->match) {
        made->text = apr_psprintf(draw->pool, "'m%d'", below(draw, 9));
    }
    else if (column->unique) {
        made->text = unique_value(draw, step->node);
        if (tag >= 0 && tag < TAGS)
            draw->known[step->table][tag].unique = made->text;
    }
    else if (chance(draw, 6)) {
        made->text = edge(draw, column->kind);
    }
    else if (column->kind == SIM_TEXT) {
        made->text = apr_psprintf(draw->pool, "'v%d'", ++draw->words);
    }
    else if (step->kind == SIM_UPDATE && chance(draw, 20)) {
        made->text = apr_psprintf(draw->pool, "%s + 1", column->name);
    }
    else {
        made->text = apr_psprintf(draw->pool, "%d", 1000 + ++draw->words);
    }
}

/* Give the row of CELLS a key. One that is to replace another row mostly has
 * the key of one that is there. */
static void add_key(draw_t *draw, const sim_step_t *step,
                    apr_array_header_t *cells)
{
    const sim_table_t *table = &draw->schema->tables[step->table];
    sim_cell_t *made;

    if (draw->again || step->kind != SIM_REPLACE || step->rows > 1 ||
        chance(draw, 40)) {
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

/* With deletes=no no key is used again: a known limit. The new record would
 * take the place of the one that is kept. */
static void draw_insert(draw_t *draw, int node, int session, int number)
{
    const sim_table_t *table = &draw->schema->tables[number];
    sim_step_t *step =
        add(draw,
            draw->level && chance(draw, draw->style->replaces) ? SIM_REPLACE
                                                               : SIM_INSERT,
            node);
    int with_key = sim_schema_is_shared(table) || step->kind == SIM_REPLACE ||
                   chance(draw, 30);
    int i, row;

    step->session = session;
    step->table = number;
    step->rows = chance(draw, 20) ? 1 + below(draw, SIM_ROWS) : 1;
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
            add_value(draw, step, cells, i, tag);
            if (with_key && table->columns[i].parent == number &&
                !table->joined && APR_ARRAY_IDX(cells, 0, sim_cell_t).text &&
                chance(draw, 30))
                refer_to_itself(cells);
        }
    }
}

/* The key column NUMBER of TABLE leads to the row with TAG. */
static const char *leads_to(draw_t *draw, const sim_table_t *table, int number,
                            const char *tag)
{
    const sim_column_t *column = &table->columns[number];
    const sim_table_t *parent = &draw->schema->tables[column->parent];

    return apr_psprintf(draw->pool, "%s = (SELECT %s FROM %s WHERE tag = '%s')",
                        column->name, sim_schema_key(parent), parent->name,
                        tag);
}

static void draw_where(draw_t *draw, sim_step_t *step, int tag)
{
    const sim_table_t *table = &draw->schema->tables[step->table];
    int serial = !sim_schema_is_shared(table);
    int choice = below(draw, 100);

    if (choice < 65)
        step->where = apr_psprintf(draw->pool, "tag = '%s'",
                                   tag_name(draw, step->table, tag));
    else if (choice < 97 && table->joined)
        step->where = leads_to(draw, table, below(draw, table->joined),
                               parent_tag(draw, &table->columns[0]));
    else if (choice < 85 || !serial)
        step->where =
            apr_psprintf(draw->pool, "id = %s", some_key(draw, table));
    else if (choice < 97)
        step->where = apr_psprintf(draw->pool, "id %% 3 = %d", below(draw, 3));
    else
        step->where = "1 = 1";
}

static void draw_update(draw_t *draw, int node, int session, int number)
{
    const sim_table_t *table = &draw->schema->tables[number];
    sim_step_t *step = add(draw, SIM_UPDATE, node);
    int tag = some_tag(draw, number), i;

    step->session = session;
    step->table = number;
    step->cells[0] = apr_array_make(draw->pool, 4, sizeof(sim_cell_t));
    draw_where(draw, step, tag);
    /* The tag shows which row a trigger has put back, so there must be one. */
    if (draw->level > 1 && !table->keeps && !table->returns && !table->joined &&
        chance(draw, 10))
        cell(step->cells[0], SIM_CELL_KEY,
             !sim_schema_is_shared(table) && chance(draw, 50)
                 ? apr_psprintf(draw->pool, "id + %d", 1 + below(draw, 3))
                 : some_key(draw, table));
    if (table->joined && draw->level > 1 && chance(draw, 10))
        add_value(draw, step, step->cells[0], below(draw, table->joined), tag);
    for (i = table->joined; i < table->count; i++)
        if (i != table->match && (chance(draw, 45) || (i == table->joined &&
                                                       !step->cells[0]->nelts)))
            add_value(draw, step, step->cells[0], i, tag);
}

/* Delete a row and insert another one that refers to the same: that is how
 * libraries save a list of such rows. */
static void draw_pair_again(draw_t *draw, sim_step_t *step, int session)
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

static void draw_delete(draw_t *draw, int node, int session, int number)
{
    const sim_table_t *table = &draw->schema->tables[number];
    sim_step_t *step = add(draw, SIM_DELETE, node);

    step->session = session;
    step->table = number;
    draw_where(draw, step, some_tag(draw, number));
    if (!chance(draw, draw->style->again))
        return;
    if (table->joined)
        draw_pair_again(draw, step, session);
    if (!sim_schema_is_shared(table))
        return;
    /* The key begins another life. */
    draw->again = some_key(draw, table);
    step->where = apr_pstrcat(draw->pool, "id = ", draw->again, NULL);
    draw_insert(draw, node, session, number);
    draw->again = NULL;
}

/* Two rows exchange their unique values. */
static void draw_swap(draw_t *draw, int node, int session, int number)
{
    const sim_table_t *table = &draw->schema->tables[number];
    int one = some_tag(draw, number), other = some_tag(draw, number);
    const char *values[3];
    int tags[3], i, column;

    for (column = 0; column < table->count; column++)
        if (table->columns[column].unique && column != table->match)
            break;
    if (column == table->count || one == other || one >= TAGS || other >= TAGS)
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
        sim_step_t *step = add(draw, SIM_UPDATE, node);

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

static void draw_statement(draw_t *draw, int node, int session)
{
    const style_t *style = draw->style;
    int number = below(draw, draw->schema->count);
    int choice = below(draw, 100);
    int publisher = draw->schema->tables[number].publisher;

    /* Elsewhere nobody writes what only one node publishes. */
    if (publisher >= 0 && publisher != node)
        return;
    if (choice < style->inserts || !draw->tags[number])
        draw_insert(draw, node, session, number);
    else if (choice < style->inserts + style->updates)
        draw_update(draw, node, session, number);
    else if (choice < style->inserts + style->updates + style->deletes)
        draw_delete(draw, node, session, number);
    else
        draw_swap(draw, node, session, number);
}

/* A transaction. On SQLite there is one writer, so it ends at once; elsewhere
 * it may stay open. */
static void draw_transaction(draw_t *draw, int node, int session)
{
    int i, open = draw->schema->databases[node] != SIM_SQLITE;

    add(draw, SIM_BEGIN, node)->session = session;
    for (i = 1 + below(draw, 4); i; i--)
        draw_statement(draw, node, session);
    if (!open || chance(draw, 40))
        add(draw, chance(draw, 85) ? SIM_COMMIT : SIM_ROLLBACK, node)->session =
            session;
}

static void draw_sync(draw_t *draw)
{
    const sim_link_t *link =
        &draw->schema->links[below(draw, draw->schema->nodes - 1)];
    static const sim_step_e kinds[] = {SIM_SYNC, SIM_SYNC, SIM_SYNC, SIM_PUSH,
                                       SIM_PULL};
    sim_step_t *step = add(draw, kinds[below(draw, 5)], link->caller);

    step->peer = link->callee;
    step->limit = chance(draw, 70) ? 1 + below(draw, 7) : 100;
    step->packs = chance(draw, 20);
    if (chance(draw, 15))
        step->bytes = 100 + below(draw, 1500);
    if (draw->level > 1 && chance(draw, 8))
        step->most_bytes = 150 + below(draw, 800);
    step->number = (apr_int64_t)below(draw, 1 << 30);
    if (draw->level && chance(draw, 35))
        step->mishap = chance(draw, draw->style->lies)
                           ? (sim_mishap_e)(SIM_MISHAP_LIE + below(draw, 2))
                           : (sim_mishap_e)(1 + below(draw, SIM_MISHAPS - 1));
    step->mishap_at = 1 + below(draw, 1 + below(draw, 5));
    step->mishap_number = below(draw, chance(draw, 50) ? 40 : 200);
}

static void draw_clock(draw_t *draw, int node)
{
    static const apr_int64_t spans[] = {0,
                                        APR_INT64_C(-5000000),
                                        APR_INT64_C(3600000000),
                                        APR_INT64_C(-3600000000),
                                        APR_INT64_C(86400000000) * 3,
                                        APR_INT64_C(86400000000) * 365,
                                        APR_INT64_C(-86400000000) * 365 * 3};

    add(draw, SIM_CLOCK, node)->number =
        spans[below(draw, sizeof(spans) / sizeof(*spans))];
}

static void draw_work(draw_t *draw, int node, int session)
{
    int choice = below(draw, 100);

    if (draw->schema->databases[node] != SIM_SQLITE && chance(draw, 15))
        add(draw, SIM_COMMIT, node)->session = session;
    if (choice < 75)
        draw_statement(draw, node, session);
    else
        draw_transaction(draw, node, session);
}

static void draw_verify(draw_t *draw)
{
    const sim_link_t *link =
        &draw->schema->links[below(draw, draw->schema->nodes - 1)];
    sim_step_t *step = add(draw, SIM_VERIFY, link->caller);

    step->peer = link->callee;
    step->number = chance(draw, 50)   ? -1
                   : chance(draw, 50) ? link->caller
                                      : link->callee;
}

/* Return whether one node alone publishes a table: what is lost when its
 * database is restored does not come back (docs/convergence.md). */
static int has_publisher(const sim_schema_t *schema)
{
    int i;

    for (i = 0; i < schema->count; i++)
        if (schema->tables[i].publisher >= 0)
            return 1;
    return 0;
}

/* Save a database, and restore that one later; sometimes any. The application
 * may go on until its new messages have the numbers of those that are lost. */
static void draw_restore(draw_t *draw, int node)
{
    int restores = draw->saved >= 0, i;

    if (chance(draw, 20)) {
        restores = chance(draw, 50);
    }
    else if (restores) {
        node = draw->saved;
        draw->saved = -1;
    }
    else {
        draw->saved = node;
    }
    add(draw, restores ? SIM_RESTORE : SIM_SAVE, node)->number = below(draw, 3);
    for (i = restores && chance(draw, 50) ? below(draw, 12) : 0; i; i--)
        draw_statement(draw, node, 0);
    /* That numbers them without asking a peer, as an exchange with another one
     * does. */
    if (restores && chance(draw, 50))
        add(draw, SIM_SAVE, node);
}

/* Return whether an application may do without COLUMN of TABLE for a while.
 * SQLite cannot drop each; and what only one node sends, it cannot get again.
 */
static int can_drop(const sim_table_t *table, int number)
{
    const sim_column_t *column = &table->columns[number];

    return column->kind != SIM_REFERENCE && !column->unique &&
           !column->not_null && !column->except && table->publisher < 0 &&
           !table->returns;
}

/* Drop a column at NODE or at all, or add one again. A restored database would
 * have it again. */
static void draw_drop(draw_t *draw, int node)
{
    int table = below(draw, draw->schema->count);
    int column = below(draw, draw->schema->tables[table].count);
    int all = chance(draw, 30), i;

    if (draw->drop.kind == SIM_DROP && chance(draw, 70)) {
        table = draw->drop.table;
        column = (int)draw->drop.number;
        node = draw->drop.node;
    }
    if (draw->restores || !can_drop(&draw->schema->tables[table], column))
        return;
    for (i = 0; i < draw->schema->nodes; i++) {
        sim_step_t *step;

        if (i != node && !all)
            continue;
        step = add(draw, SIM_DROP, i);
        step->table = table;
        step->number = column;
        draw->drop = *step;
        if (chance(draw, 70))
            add(draw, SIM_MIGRATE, i);
    }
}

/* What an operator does, or the host. */
static void draw_odd(draw_t *draw, int node)
{
    static const sim_step_e kinds[] = {SIM_PUBLISH, SIM_PUBLISH, SIM_PURGE,
                                       SIM_RETRY,   SIM_REOPEN,  SIM_MIGRATE};
    int choice = below(draw, 12);

    if (draw->restores && chance(draw, 60))
        draw_restore(draw, node);
    else if (chance(draw, draw->style->clocks))
        draw_clock(draw, node);
    else if (choice < 6)
        add(draw, kinds[choice], node)->table =
            below(draw, draw->schema->count);
    else if (choice == 6)
        add(draw, SIM_DISCARD, node);
    else if (choice == 7)
        add(draw, SIM_PAUSE, node)->number = chance(draw, 40);
    else if (choice == 8)
        draw_verify(draw);
    else if (choice > 9)
        draw_drop(draw, node);
    else {
        sim_step_t *step = add(draw, SIM_ALTER, node);

        step->table = below(draw, draw->schema->count);
        step->number = ++draw->words;
        if (chance(draw, 50))
            add(draw, SIM_MIGRATE, node);
    }
}

void sim_history_make(sim_history_t *history, const sim_schema_t *schema,
                      apr_uint64_t seed, int count, int plain, apr_pool_t *pool)
{
    draw_t *draw = apr_pcalloc(pool, sizeof(*draw));
    int style;

    draw->history = history;
    draw->schema = schema;
    draw->random = sim_random_begin(seed, "history");
    draw->pool = pool;
    history->seed = seed;
    history->schema = schema;
    history->steps = apr_array_make(pool, count + 8, sizeof(sim_step_t));
    draw->level = below(draw, 4);
    style = below(draw, sizeof(styles) / sizeof(*styles));
    draw->style = &styles[plain ? 0 : style];
    draw->restores =
        draw->level > 1 && chance(draw, 30) && !has_publisher(draw->schema);
    draw->saved = -1;
    while (history->steps->nelts < count) {
        int node = below(draw, schema->nodes);
        int session =
            schema->databases[node] == SIM_SQLITE ? 0 : below(draw, 2);
        int choice = below(draw, 100);

        if (choice < 70)
            draw_work(draw, node, session);
        else if (choice < (draw->restores ? 88 : 100 - draw->style->odd) ||
                 !draw->level)
            draw_sync(draw);
        else
            draw_odd(draw, node);
    }
}
