/* See schema.h. */
#include "schema.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include "schema_drawing.h"
#include "trigger.h"

typedef struct draw_t {
    sim_schema_t *schema;
    sim_random_t random;
    int rules; /* 0: no foreign keys; 1: the same on all nodes; 2: any */
    int cascades, deferred;
} draw_t;

const char *sim_schema_node_name(int node)
{
    static const char *const names[] = {"central", "north", "south"};

    return names[node];
}

int sim_schema_has(const sim_table_t *table, const sim_column_t *column,
                   int node)
{
    return !table->gone && !column->gone &&
           ((column->nodes & ~column->dropped) >> node & 1);
}

static int are_linked(const sim_schema_t *schema, int one, int other)
{
    int i;

    for (i = 0; i < schema->nodes - 1; i++)
        if (schema->links[i].caller + schema->links[i].callee == one + other)
            return 1;
    return one == other;
}

int sim_schema_carries(const sim_schema_t *schema, const sim_table_t *table,
                       const sim_column_t *column, int one, int other)
{
    int node;

    for (node = 0; node < schema->nodes; node++)
        if (!sim_schema_has(table, column, node) &&
            (node == one || node == other || !are_linked(schema, one, other)))
            return 0;
    return !(column->except & ((1u << schema->nodes) - 1));
}

int sim_schema_is_reused(const sim_table_t *table)
{
    return sim_schema_is_shared(table) || table->match >= 0 || table->joined;
}

const char *sim_schema_name(const sim_table_t *table)
{
    return sim_schema_is_shared(table) ? "id"
           : table->match >= 0         ? table->columns[table->match].name
                                       : "tag";
}

const char *sim_schema_key(const sim_table_t *table)
{
    return table->joined ? table->columns[0].name : "id";
}

int sim_schema_is_shared(const sim_table_t *table)
{
    return table->key == SIM_KEY_TEXT || table->key == SIM_KEY_UUID;
}

unsigned sim_schema_databases(const sim_schema_t *schema)
{
    unsigned databases = 0;
    int i;

    for (i = 0; i < schema->nodes; i++)
        databases |= 1u << schema->databases[i];
    return databases;
}

int sim_schema_is_on(const sim_schema_t *schema, sim_database_e database)
{
    return (sim_schema_databases(schema) >> database & 1) != 0;
}

int sim_schema_is_served(const sim_schema_t *schema)
{
    return sim_schema_is_on(schema, SIM_PGSQL) ||
           sim_schema_is_on(schema, SIM_MYSQL);
}

int sim_schema_refers(const sim_column_t *column, int number)
{
    return column->kind == SIM_REFERENCE &&
           (column->parent == number || column->other == number);
}

sim_column_t *sim_schema_add(sim_table_t *table, sim_kind_e kind, char letter)
{
    sim_column_t *column = &table->columns[table->count];

    memset(column, 0, sizeof(*column));
    apr_snprintf(column->name, sizeof(column->name), "%c%d", letter,
                 table->count++);
    column->kind = kind;
    column->nodes = ~0u;
    column->parent = column->other = -1;
    return column;
}

/* On MariaDB cascades fire no triggers: a known limit (docs/values.md), so
 * there are none where a MariaDB takes part. */
static sim_rule_e draw_rule(draw_t *draw, const sim_column_t *column)
{
    sim_rule_e rule = SIM_RULE_REFUSE;

    if (!draw->rules ||
        (draw->rules == 2 && sim_random_chance(&draw->random, 30)))
        return SIM_RULE_NONE;
    if (draw->cascades && sim_random_chance(&draw->random, 70))
        rule = sim_random_chance(&draw->random, 50) ? SIM_RULE_SET_NULL
                                                    : SIM_RULE_CASCADE;
    if (rule == SIM_RULE_SET_NULL && column->not_null)
        rule = SIM_RULE_CASCADE;
    return rule;
}

/* Return one of the first COUNT tables for NUMBER to refer to. A key of several
 * columns cannot be referred to. */
static int draw_parent(draw_t *draw, int number, int count)
{
    const sim_table_t *tables = draw->schema->tables;
    int parent = sim_random_below(&draw->random, count);

    if (tables[parent].joined > 1 ||
        (tables[parent].joined && parent == number))
        return 0;
    return parent;
}

static void add_reference(draw_t *draw, int number)
{
    sim_table_t *table = &draw->schema->tables[number];
    sim_column_t *column = sim_schema_add(table, SIM_REFERENCE, 'r');
    int i;

    column->parent = draw_parent(draw, number, draw->schema->count);
    /* A table whose rows must refer to a later one stays empty too often. A row
     * that must refer to itself cannot be inserted where the database gives its
     * key: a known limit (docs/convergence.md). */
    column->not_null =
        column->parent < number + sim_schema_is_shared(table) &&
        sim_random_chance(&draw->random, draw->schema->outlives ? 80 : 30);
    column->deferred = draw->deferred && sim_random_chance(&draw->random, 50);
    for (i = 0; i < draw->schema->nodes; i++)
        column->rule[i] =
            i && draw->rules != 2 ? column->rule[0] : draw_rule(draw, column);
}

/* Two references are a join table, one is a table for each of whose rows its
 * parent has one, too. */
static void draw_key(draw_t *draw, int number)
{
    sim_table_t *table = &draw->schema->tables[number];
    int key = sim_random_below(&draw->random, 100);

    memset(table, 0, sizeof(*table));
    apr_snprintf(table->name, sizeof(table->name), "t%d", number);
    table->key = draw->schema->lives ? SIM_KEY_TEXT
                 : key < 55          ? SIM_KEY_SERIAL
                 : key < 70          ? SIM_KEY_REUSED
                 : key < 85          ? SIM_KEY_TEXT
                                     : SIM_KEY_UUID;
    if (draw->schema->lives || !number || !sim_random_chance(&draw->random, 20))
        return;
    table->key = SIM_KEY_JOINED;
    table->joined = 1 + sim_random_chance(&draw->random, 60);
    table->says_shared = sim_random_chance(&draw->random, 30);
}

/* The columns of a key always have a foreign key. */
static void add_key(draw_t *draw, int number)
{
    sim_table_t *table = &draw->schema->tables[number];
    int i, node;

    for (i = 0; i < table->joined; i++) {
        sim_column_t *column;

        add_reference(draw, number);
        column = &table->columns[i];
        column->parent = draw_parent(draw, number, number);
        column->not_null = 1;
        for (node = 0; node < draw->schema->nodes; node++)
            if (column->rule[node] != SIM_RULE_CASCADE)
                column->rule[node] = SIM_RULE_REFUSE;
    }
}

/* Half of the columns are texts: their values tell most. */
static sim_column_t *draw_plain(draw_t *draw, sim_table_t *table)
{
    int choice = sim_random_below(&draw->random, 100);

    if (choice < 50)
        return sim_schema_add(table, SIM_TEXT, 'c');
    if (choice < 70)
        return sim_schema_add(table, SIM_INTEGER, 'n');
    return sim_schema_add(
        table,
        (sim_kind_e)(SIM_BOOLEAN +
                     sim_random_below(&draw->random,
                                      SIM_REFERENCE - SIM_BOOLEAN)),
        'd');
}

static void draw_table(draw_t *draw, int number)
{
    sim_table_t *table = &draw->schema->tables[number];
    sim_random_t *random = &draw->random;
    int i;

    table->match = table->publisher = table->wins = -1;
    add_key(draw, number);
    for (i = 1 + sim_random_below(random, 3); i; i--) {
        sim_column_t *column = draw_plain(draw, table);

        column->not_null = sim_random_chance(random, 10);
        if (!column->not_null && sim_random_chance(random, 10))
            column->nodes = 1u << sim_random_below(random, draw->schema->nodes);
    }
    if (sim_random_chance(random, 35))
        sim_schema_add(table, SIM_TEXT, 'u')->unique = 1;
    for (i = sim_random_below(random, 3); i; i--)
        add_reference(draw, number);
}

/* Rows of a table with this column are called by its value. */
static void add_match(sim_table_t *table)
{
    sim_column_t *column;

    if (table->count == SIM_COLUMNS || sim_schema_is_shared(table) ||
        table->joined)
        return;
    table->match = table->count;
    column = sim_schema_add(table, SIM_TEXT, 'w');
    column->unique = column->not_null = 1;
}

static int has_references(const sim_table_t *table)
{
    int i;

    for (i = 0; i < table->count; i++)
        if (table->columns[i].kind == SIM_REFERENCE)
            return 1;
    return 0;
}

int sim_schema_is_parent(const sim_schema_t *schema, const sim_table_t *table)
{
    int i, j;

    for (i = 0; i < schema->count; i++)
        for (j = 0; j < schema->tables[i].count; j++)
            if (sim_schema_refers(&schema->tables[i].columns[j],
                                  (int)(table - schema->tables)))
                return 1;
    return 0;
}

/* What CommunicatorModel says about TABLE. Rows that are kept on one side leave
 * their children in doubt, so deletes=no is only for tables without any. Two
 * people along a way may both keep a deleted record, which then comes twice, so
 * conflict=hold is set at one of three nodes. */
static void draw_options(sim_schema_t *schema, sim_table_t *table,
                         sim_random_t *random)
{
    int choice = sim_random_below(random, 100), i;

    if (choice < 12)
        table->wins = sim_random_below(random, schema->nodes);
    else if (choice < 22)
        table->holds = schema->nodes == 2
                           ? 1 + sim_random_below(random, 3)
                           : 1 << sim_random_below(random, schema->nodes);
    if (schema->held) {
        table->wins = -1;
        table->holds = schema->nodes == 2
                           ? 1 + sim_random_below(random, 3)
                           : 1 << sim_random_below(random, schema->nodes);
    }
    if (sim_random_chance(random, schema->matched ? 80 : 15))
        add_match(table);
    if (schema->nodes == 2 && !has_references(table) &&
        sim_random_chance(random, 10))
        table->publisher = sim_random_below(random, 2);
    else if (!has_references(table) && !sim_schema_is_reused(table) &&
             !sim_schema_is_parent(schema, table) &&
             sim_random_chance(random, 30))
        table->keeps = 1;
    table->lists = sim_random_chance(random, 50);
    for (i = 0; i < table->count; i++)
        if (!table->columns[i].not_null && i != table->match &&
            !table->columns[i].names &&
            table->columns[i].kind != SIM_REFERENCE &&
            sim_random_chance(random, 8))
            table->columns[i].except =
                1u << sim_random_below(random, schema->nodes);
}

/* A pair; or three nodes with one of them in the middle, which calls the
 * others, is called by them, or both. */
static void draw_links(sim_schema_t *schema)
{
    sim_random_t random = sim_random_begin(schema->seed, "links");
    int middle = sim_random_below(&random, schema->nodes), i, other = 0;

    for (i = 0; i < schema->nodes - 1; i++, other++) {
        int calls = sim_random_chance(&random, 50);

        other += other == middle;
        schema->links[i] =
            (sim_link_t){calls ? middle : other, calls ? other : middle};
    }
}

/* What differs between the nodes' settings. */
static void draw_settings(sim_schema_t *schema)
{
    sim_random_t random = sim_random_begin(schema->seed, "settings");
    int i;

    for (i = 0; i < schema->nodes; i++)
        if (sim_random_chance(&random, 25))
            schema->rows |= 1u << i;
    schema->lives = sim_random_chance(&random, 12);
    schema->outlives = !schema->lives && sim_random_chance(&random, 25);
    if (schema->outlives)
        schema->rows = ~0u;
    random = sim_random_begin(schema->seed, "people");
    schema->held = !schema->lives && sim_random_chance(&random, 10);
    schema->plain = !schema->lives && sim_random_chance(&random, 20);
    schema->matched = !schema->lives && sim_random_chance(&random, 10);
    for (i = 0; sim_random_chance(&random, 15) && i < schema->nodes; i++)
        schema->stops |= 1u << sim_random_below(&random, schema->nodes);
}

const char *sim_schema_filter(const sim_table_t *table, int node,
                              apr_pool_t *pool)
{
    const sim_column_t *column;

    if (table->filter < 0)
        return NULL;
    column = &table->columns[table->filter];
    return sim_schema_has(table, column, node)
               ? apr_psprintf(pool, "%s IS NULL OR %s %% 2 = 0", column->name,
                              column->name)
               : NULL;
}

/* The same as sim_schema_may_stay(), up to STEPS further. */
static int may_stay(const sim_schema_t *schema, int node,
                    const sim_table_t *table, int steps, apr_pool_t *pool)
{
    int i;

    if (table->publisher >= 0 && table->publisher != node)
        return 0;
    if (sim_schema_filter(table, node, pool))
        return 1;
    for (i = 0; steps > 0 && i < table->count; i++)
        if (table->columns[i].kind == SIM_REFERENCE &&
            table->columns[i].not_null &&
            may_stay(schema, node, &schema->tables[table->columns[i].parent],
                     steps - 1, pool))
            return 1;
    return 0;
}

int sim_schema_may_stay(const sim_schema_t *schema, int node,
                        const sim_table_t *table, apr_pool_t *pool)
{
    return may_stay(schema, node, table, 3, pool);
}

void sim_schema_make(sim_schema_t *schema, apr_uint64_t seed, int nodes,
                     const sim_database_e *databases)
{
    draw_t draw = {.schema = schema,
                   .random = sim_random_begin(seed, "schema")};
    int i;

    memset(schema, 0, sizeof(*schema));
    schema->seed = seed;
    schema->nodes = nodes;
    memcpy(schema->databases, databases, sizeof(schema->databases));
    draw_links(schema);
    draw_settings(schema);
    schema->count = 1 + sim_random_below(&draw.random, 4);
    draw.rules = sim_random_below(&draw.random, 5);
    draw.rules = draw.rules < 2 ? 0 : draw.rules < 4 ? 1 : 2;
    draw.cascades = !sim_schema_is_on(schema, SIM_MYSQL) &&
                    sim_random_chance(&draw.random, 70);
    draw.deferred = !sim_schema_is_on(schema, SIM_MYSQL) &&
                    sim_random_chance(&draw.random, 30);
    if (schema->lives) {
        draw.rules = 2;
        draw.cascades = 0;
    }
    if (schema->outlives)
        draw.rules = 0;
    for (i = 0; i < schema->count; i++)
        draw_key(&draw, i);
    for (i = 0; i < schema->count; i++)
        draw_table(&draw, i);
    sim_schema_draw_either(schema);
    draw.random = sim_random_begin(seed, "options");
    if (schema->held || schema->matched || sim_random_chance(&draw.random, 50))
        for (i = 0; i < schema->count; i++)
            draw_options(schema, &schema->tables[i], &draw.random);
    sim_trigger_draw(schema);
    sim_schema_draw_rare(schema);
}
