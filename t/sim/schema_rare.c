/* What only some tables have: see schema_drawing.h. */
#include "schema_drawing.h"

/* Return whether one column can hold keys of ONE and of OTHER. */
static int have_like_keys(const sim_table_t *one, const sim_table_t *other)
{
    const int given = one->key <= SIM_KEY_REUSED;

    return !one->joined && !other->joined &&
           (given ? other->key <= SIM_KEY_REUSED : other->key == one->key);
}

/* Let rows of some tables refer to rows of one table or another, as a second
 * column says. No foreign key can do that. */
void sim_schema_draw_either(sim_schema_t *schema)
{
    sim_random_t random = sim_random_begin(schema->seed, "either");
    int i;

    for (i = 0; i < schema->count; i++) {
        sim_table_t *table = &schema->tables[i];
        const int one = sim_random_below(&random, schema->count);
        const int other = sim_random_below(&random, schema->count);
        sim_column_t *column;

        if (!sim_random_chance(&random, 12) || table->count > SIM_COLUMNS - 2 ||
            !have_like_keys(&schema->tables[one], &schema->tables[other]))
            continue;
        column = sim_schema_add(table, SIM_REFERENCE, 'r');
        column->parent = one;
        column->other = other;
        sim_schema_add(table, SIM_TEXT, 'y')->names = 1;
    }
}

/* Give some tables a key of two columns. No reference can name one. */
static void draw_pairs(sim_schema_t *schema)
{
    sim_random_t random = sim_random_begin(schema->seed, "pairs");
    int i;

    for (i = 0; i < schema->count; i++) {
        sim_table_t *table = &schema->tables[i];

        table->paired = sim_schema_is_shared(table) &&
                        !sim_schema_is_parent(schema, table) &&
                        sim_random_chance(&random, 50);
    }
}

/* Return whether 0 can stand for no reference in COLUMN NUMBER of TABLE. */
static int can_be_zero(const sim_schema_t *schema, const sim_table_t *table,
                       int number)
{
    const sim_column_t *column = &table->columns[number];
    int node;

    if (column->kind != SIM_REFERENCE || number < table->joined ||
        column->not_null || column->other >= 0 ||
        schema->tables[column->parent].key > SIM_KEY_REUSED)
        return 0;
    for (node = 0; node < schema->nodes; node++)
        if (column->rule[node] != SIM_RULE_NONE)
            return 0;
    return 1;
}

static void draw_zeros(sim_schema_t *schema)
{
    sim_random_t random = sim_random_begin(schema->seed, "zeros");
    int i, j;

    for (i = 0; i < schema->count; i++)
        for (j = 0; j < schema->tables[i].count; j++)
            schema->tables[i].columns[j].zero =
                can_be_zero(schema, &schema->tables[i], j) &&
                sim_random_chance(&random, 40);
}

static int has_counter(const sim_table_t *table)
{
    int i;

    for (i = 0; i < table->count; i++)
        if (table->columns[i].counts)
            return 1;
    return 0;
}

/* Return whether rows may refer to any table, as far as settings tell. */
static int has_either(const sim_schema_t *schema)
{
    int i, j;

    for (i = 0; i < schema->count; i++)
        for (j = 0; j < schema->tables[i].count; j++)
            if (schema->tables[i].columns[j].other >= 0)
                return 1;
    return 0;
}

/* Let one node of some tables have a row filter, which asks for a column of
 * that node. In the end all rows match (world.c), so nodes must be equal. A row
 * that stayed there is lost where the peer makes one that is the same record: a
 * known limit (docs/convergence.md). */
static void draw_filters(sim_schema_t *schema)
{
    sim_random_t random = sim_random_begin(schema->seed, "filters");
    int some = sim_random_chance(&random, 25), i;

    for (i = 0; i < schema->count; i++) {
        sim_table_t *table = &schema->tables[i];
        const int node = sim_random_below(&random, schema->nodes);
        sim_column_t *column;

        table->filter = -1;
        if (!some || !sim_random_chance(&random, 50) ||
            table->count == SIM_COLUMNS || table->joined ||
            (sim_schema_is_reused(table) && !sim_random_chance(&random, 50)) ||
            has_counter(table) ||
            (table->publisher >= 0 && table->publisher != node))
            continue;
        table->filter = table->count;
        column = sim_schema_add(table, SIM_INTEGER, 'f');
        column->nodes = 1u << node;
        column->except = sim_random_chance(&random, 50) ? 1u << node : 0;
        table->leaves = !sim_schema_is_parent(schema, table) &&
                        !has_either(schema) && !table->keeps &&
                        sim_random_chance(&random, 30);
    }
}

/* Let some tables have no unique index on their key of two columns; and let
 * CommunicatorAfterApply copy what came. */
static void draw_copies(sim_schema_t *schema)
{
    sim_random_t random = sim_random_begin(schema->seed, "copies");
    int i, node;

    for (i = 0; i < schema->count; i++) {
        sim_table_t *table = &schema->tables[i];

        table->loose = table->paired && !table->returns &&
                       sim_random_chance(&random, 50) &&
                       !sim_schema_is_served(schema);
        for (node = 0; node < schema->nodes; node++)
            if (sim_random_chance(&random, 12) && !table->returns &&
                schema->databases[node] == SIM_SQLITE)
                table->copied |= 1u << node;
    }
}

static int can_be_tied(const sim_table_t *table)
{
    return !table->joined && !table->paired && !table->loose &&
           !has_counter(table) && table->count < SIM_COLUMNS &&
           table->match < 0 && table->publisher < 0 && table->filter < 0 &&
           !table->keeps && !table->returns;
}

/* Return a table that can be tied, or -1. */
static int choose_tied(const sim_schema_t *schema, sim_random_t *random)
{
    const int start = sim_random_below(random, schema->count);
    int i;

    for (i = 0; i < schema->count; i++)
        if (can_be_tied(&schema->tables[(start + i) % schema->count]))
            return (start + i) % schema->count;
    return -1;
}

static void tie(sim_schema_t *schema, int number, int parent,
                sim_random_t *random)
{
    sim_table_t *table = &schema->tables[number];
    sim_column_t *column;
    int i;

    table->tied = table->count;
    column = sim_schema_add(table, SIM_REFERENCE, 'k');
    column->parent = parent;
    column->not_null = column->deferred = 1;
    column->rule[0] = sim_schema_is_on(schema, SIM_MYSQL) ? SIM_RULE_NONE
                      : sim_random_chance(random, 60)     ? SIM_RULE_CASCADE
                                                          : SIM_RULE_REFUSE;
    for (i = 1; i < schema->nodes; i++)
        column->rule[i] = column->rule[0];
}

/* Let rows of two tables, or of one, need each other: then a foreign key can
 * only be checked at the commit, or there is none. */
static void draw_tie(sim_schema_t *schema)
{
    sim_random_t random = sim_random_begin(schema->seed, "tie");
    const int one = choose_tied(schema, &random);
    const int other = choose_tied(schema, &random);
    int i;

    for (i = 0; i < schema->count; i++)
        schema->tables[i].tied = -1;
    if (one < 0 || !sim_random_chance(&random, 12))
        return;
    tie(schema, one, other, &random);
    if (one != other)
        tie(schema, other, one, &random);
}

void sim_schema_draw_rare(sim_schema_t *schema)
{
    draw_pairs(schema);
    draw_zeros(schema);
    draw_filters(schema);
    draw_copies(schema);
    draw_tie(schema);
}
