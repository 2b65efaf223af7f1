/* See schema.h. */
#include "schema.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

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

static int on_any(const sim_schema_t *schema, sim_database_e database)
{
    int i;

    for (i = 0; i < schema->nodes; i++)
        if (schema->databases[i] == database)
            return 1;
    return 0;
}

int sim_schema_is_served(const sim_schema_t *schema)
{
    return on_any(schema, SIM_PGSQL) || on_any(schema, SIM_MYSQL);
}

static sim_column_t *add(sim_table_t *table, sim_kind_e kind, char letter)
{
    sim_column_t *column = &table->columns[table->count];

    memset(column, 0, sizeof(*column));
    apr_snprintf(column->name, sizeof(column->name), "%c%d", letter,
                 table->count++);
    column->kind = kind;
    column->nodes = ~0u;
    column->parent = -1;
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
    sim_column_t *column = add(table, SIM_REFERENCE, 'r');
    int i;

    column->parent = draw_parent(draw, number, draw->schema->count);
    /* A table whose rows must refer to a later one stays empty too often. A row
     * that must refer to itself cannot be inserted where the database gives its
     * key: a known limit (docs/convergence.md). */
    column->not_null = column->parent < number + sim_schema_is_shared(table) &&
                       sim_random_chance(&draw->random, 30);
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
    table->key = key < 55   ? SIM_KEY_SERIAL
                 : key < 70 ? SIM_KEY_REUSED
                 : key < 85 ? SIM_KEY_TEXT
                            : SIM_KEY_UUID;
    if (!number || !sim_random_chance(&draw->random, 20))
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

static void draw_table(draw_t *draw, int number)
{
    sim_table_t *table = &draw->schema->tables[number];
    sim_random_t *random = &draw->random;
    int i;

    table->match = table->publisher = table->wins = -1;
    add_key(draw, number);
    for (i = 1 + sim_random_below(random, 3); i; i--) {
        sim_column_t *column = sim_random_chance(random, 40)
                                   ? add(table, SIM_INTEGER, 'n')
                                   : add(table, SIM_TEXT, 'c');

        column->not_null = sim_random_chance(random, 10);
        if (!column->not_null && sim_random_chance(random, 10))
            column->nodes = 1u << sim_random_below(random, draw->schema->nodes);
    }
    if (sim_random_chance(random, 35))
        add(table, SIM_TEXT, 'u')->unique = 1;
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
    column = add(table, SIM_TEXT, 'w');
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

static int is_parent(const sim_schema_t *schema, const sim_table_t *table)
{
    int i, j;

    for (i = 0; i < schema->count; i++)
        for (j = 0; j < schema->tables[i].count; j++)
            if (schema->tables[i].columns[j].kind == SIM_REFERENCE &&
                &schema->tables[schema->tables[i].columns[j].parent] == table)
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
    if (sim_random_chance(random, 15))
        add_match(table);
    if (schema->nodes == 2 && !has_references(table) &&
        sim_random_chance(random, 10))
        table->publisher = sim_random_below(random, 2);
    else if (!has_references(table) && !sim_schema_is_reused(table) &&
             !is_parent(schema, table) && sim_random_chance(random, 30))
        table->keeps = 1;
    table->lists = sim_random_chance(random, 50);
    for (i = 0; i < table->count; i++)
        if (!table->columns[i].not_null && i != table->match &&
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

/* Give some tables a key of two columns. No reference can name one. */
static void draw_pairs(sim_schema_t *schema)
{
    sim_random_t random = sim_random_begin(schema->seed, "pairs");
    int i;

    for (i = 0; i < schema->count; i++) {
        sim_table_t *table = &schema->tables[i];

        table->paired = sim_schema_is_shared(table) &&
                        !is_parent(schema, table) &&
                        sim_random_chance(&random, 50);
    }
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
    schema->count = 1 + sim_random_below(&draw.random, 4);
    draw.rules = sim_random_below(&draw.random, 5);
    draw.rules = draw.rules < 2 ? 0 : draw.rules < 4 ? 1 : 2;
    draw.cascades =
        !on_any(schema, SIM_MYSQL) && sim_random_chance(&draw.random, 70);
    draw.deferred =
        !on_any(schema, SIM_MYSQL) && sim_random_chance(&draw.random, 30);
    for (i = 0; i < schema->count; i++)
        draw_key(&draw, i);
    for (i = 0; i < schema->count; i++)
        draw_table(&draw, i);
    draw.random = sim_random_begin(seed, "options");
    if (sim_random_chance(&draw.random, 50))
        for (i = 0; i < schema->count; i++)
            draw_options(schema, &schema->tables[i], &draw.random);
    sim_trigger_draw(schema);
    draw_pairs(schema);
}

static const char *key_type(const sim_schema_t *schema, int node,
                            const sim_table_t *table)
{
    switch (table->key) {
    case SIM_KEY_JOINED:
        return key_type(schema, node,
                        &schema->tables[table->columns[0].parent]);
    case SIM_KEY_SERIAL:
    case SIM_KEY_REUSED:
        return schema->databases[node] == SIM_SQLITE ? "integer" : "bigint";
    case SIM_KEY_TEXT:
        return "varchar(40)";
    case SIM_KEY_UUID:
        return schema->databases[node] == SIM_PGSQL ? "uuid" : "char(36)";
    }
    return NULL;
}

static const char *key_words(sim_database_e database, sim_key_e key, int paired)
{
    if (paired)
        return "NOT NULL UNIQUE, part varchar(8) NOT NULL DEFAULT 'p'";
    if (key == SIM_KEY_TEXT || key == SIM_KEY_UUID)
        return "NOT NULL PRIMARY KEY";
    switch (database) {
    case SIM_SQLITE:
        return key == SIM_KEY_SERIAL ? "PRIMARY KEY AUTOINCREMENT"
                                     : "PRIMARY KEY";
    case SIM_PGSQL:
        return "GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY";
    case SIM_MYSQL:
        return "PRIMARY KEY AUTO_INCREMENT";
    }
    return NULL;
}

const char *sim_schema_type(const sim_schema_t *schema, int node,
                            const sim_column_t *column)
{
    if (column->kind == SIM_INTEGER)
        return "bigint";
    return column->kind == SIM_TEXT
               ? "varchar(100)"
               : key_type(schema, node, &schema->tables[column->parent]);
}

/* Return whether COLUMN of TABLE follows a key that changes. It does not where
 * the record would be another one: a known limit. */
static int follows_key(const sim_schema_t *schema, int node,
                       const sim_table_t *table, const sim_column_t *column)
{
    const sim_table_t *parent = &schema->tables[column->parent];

    return column->rule[node] == SIM_RULE_CASCADE && parent != table &&
           !table->joined && !parent->joined && !sim_schema_is_shared(parent);
}

/* The foreign key of COLUMN of TABLE; NULL: none. */
static const char *foreign_key(const sim_schema_t *schema, int node,
                               const sim_table_t *table,
                               const sim_column_t *column, apr_pool_t *pool)
{
    static const char *const rules[] = {NULL, "", " ON DELETE SET NULL",
                                        " ON DELETE CASCADE"};
    const sim_table_t *parent;

    if (column->kind != SIM_REFERENCE || column->rule[node] == SIM_RULE_NONE)
        return NULL;
    parent = &schema->tables[column->parent];
    if (parent->gone)
        return NULL;
    return apr_psprintf(
        pool, "FOREIGN KEY (%s) REFERENCES %s (%s)%s%s%s", column->name,
        parent->name, sim_schema_key(parent), rules[column->rule[node]],
        follows_key(schema, node, table, column) ? " ON UPDATE CASCADE" : "",
        column->deferred ? " DEFERRABLE INITIALLY DEFERRED" : "");
}

/* The columns of a key that is not just the id. */
static const char *key_columns(const sim_table_t *table, apr_pool_t *pool)
{
    return !table->joined       ? "part,id"
           : table->joined == 1 ? table->columns[0].name
                                : apr_pstrcat(pool, table->columns[0].name, ",",
                                              table->columns[1].name, NULL);
}

static const char *create_table(const sim_schema_t *schema, int node,
                                const sim_table_t *table, apr_pool_t *pool)
{
    sim_database_e database = schema->databases[node];
    const char *sql = apr_psprintf(
        pool, "CREATE TABLE %s (tag varchar(40) NOT NULL", table->name);
    int i;

    if (!table->joined)
        sql =
            apr_pstrcat(pool, sql, ", id ", key_type(schema, node, table), " ",
                        key_words(database, table->key, table->paired), NULL);

    for (i = 0; i < table->count; i++) {
        const sim_column_t *column = &table->columns[i];

        if (sim_schema_has(table, column, node))
            sql = apr_pstrcat(pool, sql, ", ", column->name, " ",
                              sim_schema_type(schema, node, column),
                              column->not_null ? " NOT NULL" : "",
                              column->unique ? " UNIQUE" : "", NULL);
    }
    if (table->paired || table->joined)
        sql = apr_pstrcat(pool, sql, ", PRIMARY KEY (",
                          key_columns(table, pool), ")", NULL);
    for (i = 0; database == SIM_SQLITE && i < table->count; i++) {
        const char *key =
            foreign_key(schema, node, table, &table->columns[i], pool);

        if (key && sim_schema_has(table, &table->columns[i], node))
            sql = apr_pstrcat(pool, sql, ", ", key, NULL);
    }
    return apr_pstrcat(pool, sql,
                       database == SIM_MYSQL ? ") ENGINE=InnoDB" : ")", NULL);
}

apr_array_header_t *sim_schema_ddl(const sim_schema_t *schema, int node,
                                   apr_pool_t *pool)
{
    apr_array_header_t *ddl = apr_array_make(pool, 8, sizeof(const char *));
    int i, j;

    for (i = 0; i < schema->count; i++)
        if (!schema->tables[i].gone) {
            APR_ARRAY_PUSH(ddl, const char *) =
                create_table(schema, node, &schema->tables[i], pool);
            sim_trigger_add(ddl, node, &schema->tables[i], pool);
        }
    /* Where tables refer to later ones, foreign keys come when all are there;
     * SQLite does not mind. */
    for (i = 0; schema->databases[node] != SIM_SQLITE && i < schema->count; i++)
        for (j = 0; j < schema->tables[i].count; j++) {
            const sim_table_t *table = &schema->tables[i];
            const char *key =
                foreign_key(schema, node, table, &table->columns[j], pool);

            if (key && sim_schema_has(table, &table->columns[j], node))
                APR_ARRAY_PUSH(ddl, const char *) = apr_psprintf(
                    pool, "ALTER TABLE %s ADD %s", table->name, key);
        }
    return ddl;
}

/* except= or only= of TABLE at NODE, or "". */
static const char *carried(const sim_table_t *table, int node, apr_pool_t *pool)
{
    const char *except = "", *only = table->joined ? "tag" : "id,tag";
    int i;

    for (i = 0; i < table->count; i++) {
        const sim_column_t *column = &table->columns[i];

        if (!sim_schema_has(table, column, node))
            continue;
        if (column->except >> node & 1)
            except = apr_pstrcat(pool, except, *except ? "," : "", column->name,
                                 NULL);
        else
            only = apr_pstrcat(pool, only, ",", column->name, NULL);
    }
    if (!*except)
        return "";
    return table->lists ? apr_pstrcat(pool, " only=", only, NULL)
                        : apr_pstrcat(pool, " except=", except, NULL);
}

/* conflict=NODE changes only what NODE does; others must know it. */
static const char *options(const sim_schema_t *schema, const sim_table_t *table,
                           int node, apr_pool_t *pool)
{
    const char *text = carried(table, node, pool);

    if (table->publisher >= 0)
        text =
            apr_pstrcat(pool, text, " direction=",
                        table->publisher == node ? "publish" : "receive", NULL);
    if (table->holds >> node & 1)
        text = apr_pstrcat(pool, text, " conflict=hold", NULL);
    else if (table->wins == node || (table->wins >= 0 && schema->nodes == 2))
        text = apr_pstrcat(
            pool, text, " conflict=", sim_schema_node_name(table->wins), NULL);
    if (table->keeps)
        text = apr_pstrcat(pool, text, " deletes=no", NULL);
    if (table->match >= 0 && !table->columns[table->match].gone)
        text = apr_pstrcat(pool, text,
                           " match=", table->columns[table->match].name, NULL);
    return text;
}

static const char *model(const sim_schema_t *schema, int node,
                         const sim_table_t *table, apr_pool_t *pool)
{
    const char *line = apr_pstrcat(
        pool, "CommunicatorModel m", table->name + 1, " table=", table->name,
        sim_schema_is_shared(table) || table->says_shared ? " keys=shared" : "",
        options(schema, table, node, pool), NULL);
    const char *between = " references=";
    int i;

    if (table->paired || table->joined)
        line = apr_pstrcat(pool, line, " key=", key_columns(table, pool), NULL);
    for (i = 0; i < table->count; i++) {
        const sim_column_t *column = &table->columns[i];

        if (column->kind != SIM_REFERENCE ||
            !sim_schema_has(table, column, node) ||
            schema->tables[column->parent].gone)
            continue;
        line = apr_psprintf(pool, "%s%s%s:m%d", line, between, column->name,
                            column->parent);
        between = ",";
    }
    return line;
}

/* The line of NODE for its peer by LINK, or "". */
static const char *peer(const sim_link_t *link, int node, apr_pool_t *pool)
{
    const char *other;

    if (node != link->caller && node != link->callee)
        return "";
    other = sim_schema_node_name(node == link->caller ? link->callee
                                                      : link->caller);
    return node == link->callee
               ? apr_psprintf(pool, "CommunicatorPeer %s user=%s\n", other,
                              other)
               : apr_psprintf(pool,
                              "CommunicatorPeer %s uri=http://localhost/%s\n",
                              other, other);
}

const char *sim_schema_configuration(const sim_schema_t *schema, int node,
                                     apr_pool_t *pool)
{
    const char *text = apr_pstrcat(pool, "CommunicatorName ",
                                   sim_schema_node_name(node), "\n", NULL);
    int i;

    for (i = 0; i < schema->nodes - 1; i++)
        text =
            apr_pstrcat(pool, text, peer(&schema->links[i], node, pool), NULL);
    for (i = 0; i < schema->count; i++)
        if (!schema->tables[i].gone)
            text = apr_pstrcat(pool, text,
                               model(schema, node, &schema->tables[i], pool),
                               "\n", NULL);
    return text;
}
