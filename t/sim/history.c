/* See history.h. */
#include "drawing.h"

#include <string.h>

#include <apr_strings.h>

#define KEYS_AGAIN 2
#define FEW_ROWS   4
#define OUTLIVE    8
#define SINGLE     9
#define RARE       12 /* from here on they are drawn apart: seeds keep theirs */
#define RAREST     14 /* and again */

#define LIMITS 8 /* requests that refuse large bodies, in most styles */

static const sim_style_t styles[] = {
    {"", 12, 6, 12, 40, 10, 40, 40, 13, 17, 7, 28, 30, 10, 45, 0, LIMITS},
    {"", 12, 6, 12, 40, 10, 40, 40, 13, 17, 7, 28, 30, 10, 45, 0, LIMITS},
    /* keys are given again and again */
    {"again", 3, 3, 20, 80, 10, 35, 30, 33, 17, 12, 60, 30, 10, 45, 0, LIMITS},
    /* rows are replaced while others refer to them */
    {"replaces", 6, 4, 40, 40, 10, 45, 30, 20, 17, 7, 28, 30, 10, 45, 0,
     LIMITS},
    /* many write to few rows */
    {"few", 6, 2, 12, 40, 10, 20, 60, 13, 17, 7, 28, 30, 10, 45, 0, LIMITS},
    /* a row is changed again and again */
    {"bursts", 6, 3, 12, 40, 70, 25, 50, 15, 17, 7, 28, 30, 10, 45, 0, LIMITS},
    /* peers lie */
    {"lies", 12, 6, 12, 40, 10, 45, 40, 8, 80, 7, 28, 0, 10, 45, 0, LIMITS},
    /* databases are restored */
    {"restores", 12, 6, 12, 40, 10, 60, 25, 8, 17, 12, 20, 100, 10, 45, 0,
     LIMITS},
    /* parents are deleted */
    {"parents", 12, 6, 12, 40, 10, 50, 15, 30, 17, 7, 28, 10, 10, 45, 0,
     LIMITS},
    /* single columns of few rows are changed on all sides */
    {"single", 8, 2, 4, 20, 15, 12, 80, 4, 17, 4, 10, 0, 2, 15, 0, LIMITS},
    /* keys are changed while others refer to them */
    {"moves", 8, 4, 10, 40, 10, 35, 50, 8, 17, 7, 28, 10, 60, 30, 0, LIMITS},
    /* rows are changed, deleted, and made again under their keys */
    {"remade", 3, 2, 25, 70, 50, 25, 45, 25, 17, 4, 10, 10, 10, 30, 0, LIMITS},
    /* requests are late, and no clock is wrong */
    {"late", 6, 3, 12, 40, 10, 40, 50, 10, 10, 6, 0, 0, 10, 30, 70, LIMITS},
    /* keys are changed, and nothing is deleted: no reference may be lost */
    {"follow", 4, 3, 0, 0, 10, 40, 60, 0, 17, 7, 10, 0, 60, 20, 0, LIMITS},
    /* rows are deleted that others have just changed */
    {"ends", 6, 2, 0, 20, 10, 15, 65, 20, 10, 4, 0, 0, 0, 25, 0, LIMITS},
    /* peers refuse what is large, and single columns are changed */
    {"large", 8, 2, 4, 20, 15, 12, 80, 4, 17, 3, 10, 0, 2, 20, 0, 45},
    /* rows exchange their unique values */
    {"swaps", 6, 2, 0, 20, 10, 30, 15, 5, 10, 4, 10, 0, 0, 30, 0, LIMITS},
};

#define STYLES ((int)(sizeof(styles) / sizeof(*styles)))

/* A transaction. On SQLite there is one writer, so it ends at once; elsewhere
 * it may stay open. */
static void draw_transaction(sim_draw_t *draw, int node, int session)
{
    int i, open = draw->schema->databases[node] != SIM_SQLITE;

    sim_draw_step(draw, SIM_BEGIN, node)->session = session;
    for (i = 1 + sim_draw_below(draw, 4); i; i--)
        sim_draw_statement(draw, node, session);
    if (!open || sim_draw_chance(draw, 40))
        sim_draw_step(
            draw, sim_draw_chance(draw, 85) ? SIM_COMMIT : SIM_ROLLBACK, node)
            ->session = session;
}

static sim_mishap_e some_mishap(sim_draw_t *draw)
{
    if (draw->style->lates && sim_draw_chance(draw, draw->style->lates))
        return SIM_MISHAP_LATE;
    return sim_draw_chance(draw, draw->style->lies)
               ? (sim_mishap_e)(SIM_MISHAP_LIE + sim_draw_below(draw, 2))
               : (sim_mishap_e)(1 + sim_draw_below(draw, SIM_MISHAPS - 1));
}

static void draw_sync(sim_draw_t *draw)
{
    const sim_link_t *link =
        &draw->schema->links[sim_draw_below(draw, draw->schema->nodes - 1)];
    static const sim_step_e kinds[] = {SIM_SYNC, SIM_SYNC, SIM_SYNC, SIM_PUSH,
                                       SIM_PULL};
    sim_step_t *step =
        sim_draw_step(draw, kinds[sim_draw_below(draw, 5)], link->caller);
    const int large = draw->style->limits > LIMITS;

    step->peer = link->callee;
    step->limit = sim_draw_chance(draw, 70) ? 1 + sim_draw_below(draw, 7) : 100;
    step->packs = sim_draw_chance(draw, 20);
    if (sim_draw_chance(draw, 15))
        step->bytes = 100 + sim_draw_below(draw, 1500);
    if ((draw->level > 1 || large) &&
        sim_draw_chance(draw, draw->style->limits))
        step->most_bytes = 150 + sim_draw_below(draw, large ? 150 : 800);
    step->number = (apr_int64_t)sim_draw_below(draw, 1 << 30);
    if (draw->level && sim_draw_chance(draw, 35))
        step->mishap = some_mishap(draw);
    step->mishap_at = 1 + sim_draw_below(draw, 1 + sim_draw_below(draw, 5));
    step->mishap_number =
        sim_draw_below(draw, sim_draw_chance(draw, 50) ? 40 : 200);
}

static void draw_clock(sim_draw_t *draw, int node)
{
    static const apr_int64_t spans[] = {0,
                                        APR_INT64_C(-5000000),
                                        APR_INT64_C(3600000000),
                                        APR_INT64_C(-3600000000),
                                        APR_INT64_C(86400000000) * 3,
                                        APR_INT64_C(86400000000) * 365,
                                        APR_INT64_C(-86400000000) * 365 * 3};

    sim_draw_step(draw, SIM_CLOCK, node)->number =
        spans[sim_draw_below(draw, sizeof(spans) / sizeof(*spans))];
}

static void draw_work(sim_draw_t *draw, int node, int session)
{
    int choice = sim_draw_below(draw, 100);

    if (draw->schema->databases[node] != SIM_SQLITE &&
        sim_draw_chance(draw, 15))
        sim_draw_step(draw, SIM_COMMIT, node)->session = session;
    if (choice < 75)
        sim_draw_statement(draw, node, session);
    else
        draw_transaction(draw, node, session);
}

static void draw_verify(sim_draw_t *draw)
{
    const sim_link_t *link =
        &draw->schema->links[sim_draw_below(draw, draw->schema->nodes - 1)];
    sim_step_t *step = sim_draw_step(draw, SIM_VERIFY, link->caller);

    step->peer = link->callee;
    step->number = sim_draw_chance(draw, 50)   ? -1
                   : sim_draw_chance(draw, 50) ? link->caller
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
static void draw_restore(sim_draw_t *draw, int node)
{
    int restores = draw->saved >= 0, i;

    if (sim_draw_chance(draw, 20)) {
        restores = sim_draw_chance(draw, 50);
    }
    else if (restores) {
        node = draw->saved;
        draw->saved = -1;
    }
    else {
        draw->saved = node;
    }
    sim_draw_step(draw, restores ? SIM_RESTORE : SIM_SAVE, node)->number =
        sim_draw_below(draw, 3);
    for (i = restores && sim_draw_chance(draw, 50) ? sim_draw_below(draw, 12)
                                                   : 0;
         i; i--)
        sim_draw_statement(draw, node, 0);
    /* That numbers them without asking a peer, as an exchange with another one
     * does. */
    if (restores && sim_draw_chance(draw, 50))
        sim_draw_step(draw, SIM_SAVE, node);
}

/* Return whether an application may do without COLUMN of TABLE for a while.
 * SQLite cannot drop each; and what only one node sends, it cannot get again.
 */
static int can_drop(const sim_table_t *table, int number)
{
    const sim_column_t *column = &table->columns[number];

    return column->kind != SIM_REFERENCE && !column->unique &&
           !column->not_null && !column->except && !column->counts &&
           !column->names && number != table->filter && table->publisher < 0 &&
           !table->returns;
}

/* Drop a column at NODE or at all, or add one again. A restored database would
 * have it again. */
static void draw_drop(sim_draw_t *draw, int node)
{
    int table = sim_draw_below(draw, draw->schema->count);
    int column = sim_draw_below(draw, draw->schema->tables[table].count);
    int all = sim_draw_chance(draw, 30), i;

    if (draw->drop.kind == SIM_DROP && sim_draw_chance(draw, 70)) {
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
        step = sim_draw_step(draw, SIM_DROP, i);
        step->table = table;
        step->number = column;
        draw->drop = *step;
        if (sim_draw_chance(draw, 70))
            sim_draw_step(draw, SIM_MIGRATE, i);
    }
}

/* What an operator does, or the host. */
static void draw_odd(sim_draw_t *draw, int node)
{
    static const sim_step_e kinds[] = {SIM_PUBLISH, SIM_PUBLISH, SIM_PURGE,
                                       SIM_RETRY,   SIM_REOPEN,  SIM_MIGRATE};
    int choice = sim_draw_below(draw, 12);

    if (draw->restores && sim_draw_chance(draw, 60))
        draw_restore(draw, node);
    else if (sim_draw_chance(draw, draw->style->clocks))
        draw_clock(draw, node);
    else if (choice < 6)
        sim_draw_step(draw, kinds[choice], node)->table =
            sim_draw_below(draw, draw->schema->count);
    else if (choice == 6)
        sim_draw_step(
            draw, sim_draw_chance(draw, 50) ? SIM_DISCARD : SIM_REVIVE, node);
    else if (choice == 7)
        sim_draw_step(draw, SIM_PAUSE, node)->number =
            sim_draw_chance(draw, 40);
    else if (choice == 8)
        draw_verify(draw);
    else if (choice > 9)
        draw_drop(draw, node);
    else {
        sim_step_t *step = sim_draw_step(draw, SIM_ALTER, node);

        step->table = sim_draw_below(draw, draw->schema->count);
        step->number = ++draw->words;
        if (sim_draw_chance(draw, 50))
            sim_draw_step(draw, SIM_MIGRATE, node);
    }
}

/* Return the style called NAME, or NULL. */
static const sim_style_t *find_style(const char *name)
{
    int i;

    for (i = 0; i < STYLES; i++)
        if (!strcmp(styles[i].name, name))
            return &styles[i];
    return NULL;
}

int sim_history_has_style(const char *name)
{
    return find_style(name) || sim_scene_find(name);
}

int sim_history_fits(const char *style, const sim_schema_t *schema)
{
    const sim_scene_t *scene = sim_scene_find(style);

    return !scene || sim_scene_fits(scene, schema);
}

/* Choose a scene and a style; STYLE names one of them, or is NULL. */
static void choose_style(sim_draw_t *draw, apr_uint64_t seed, const char *style)
{
    const sim_schema_t *schema = draw->schema;
    sim_random_t rare = sim_random_begin(seed, "rare styles");
    sim_random_t rarest = sim_random_begin(seed, "rarest styles");

    draw->style = &styles[sim_draw_below(draw, RARE)];
    if (sim_random_chance(&rare, 12))
        draw->style = &styles[RARE + sim_random_below(&rare, RAREST - RARE)];
    if (schema->lives && sim_draw_chance(draw, 70))
        draw->style = &styles[KEYS_AGAIN];
    if (schema->outlives && sim_draw_chance(draw, 70))
        draw->style = &styles[OUTLIVE];
    if ((schema->held || schema->matched) && sim_draw_chance(draw, 40))
        draw->style = &styles[FEW_ROWS];
    if (schema->plain && sim_draw_chance(draw, 60))
        draw->style = &styles[SINGLE];
    if (sim_random_chance(&rarest, 6))
        draw->style =
            &styles[RAREST + sim_random_below(&rarest, STYLES - RAREST)];
    draw->scene =
        style ? sim_scene_find(style) : sim_scene_choose(schema, seed);
    if (draw->scene)
        style = sim_scene_style(draw->scene);
    if (style)
        draw->style = find_style(style);
}

void sim_history_make(sim_history_t *history, const sim_schema_t *schema,
                      apr_uint64_t seed, int count, const char *style,
                      apr_pool_t *pool)
{
    sim_draw_t *draw = apr_pcalloc(pool, sizeof(*draw));

    draw->history = history;
    draw->schema = schema;
    draw->random = sim_random_begin(seed, "history");
    draw->pool = pool;
    history->seed = seed;
    history->schema = schema;
    history->steps = apr_array_make(pool, count + 8, sizeof(sim_step_t));
    draw->level = sim_draw_below(draw, 4);
    choose_style(draw, seed, style);
    draw->restores = draw->level > 1 &&
                     sim_draw_chance(draw, draw->style->restores) &&
                     !has_publisher(draw->schema);
    draw->saved = -1;
    while (history->steps->nelts < count) {
        int node = sim_draw_below(draw, schema->nodes);
        int session =
            schema->databases[node] == SIM_SQLITE ? 0 : sim_draw_below(draw, 2);
        int choice = sim_draw_below(draw, 100);

        if (draw->scene && sim_draw_chance(draw, 20))
            sim_scene_draw(draw);
        else if (choice < 70)
            draw_work(draw, node, session);
        else if (choice < (draw->restores ? 88 : 100 - draw->style->odd) ||
                 !draw->level)
            draw_sync(draw);
        else
            draw_odd(draw, node);
    }
}
