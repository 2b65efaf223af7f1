/* See trigger.h. */
#include "trigger.h"

#include <string.h>

#include <apr_strings.h>

/* Return whether rows of TABLE can always be put back at NODE, and are then as
 * good as any other row. Not where cascades delete them: a known limit
 * (docs/convergence.md). */
static int can_return(const sim_table_t *table, int node)
{
    int i;

    for (i = 0; i < table->count; i++)
        if (table->columns[i].kind == SIM_REFERENCE &&
            (table->columns[i].not_null ||
             table->columns[i].rule[node] == SIM_RULE_CASCADE))
            return 0;
    return !table->keeps && table->publisher < 0 && table->match < 0 &&
           !table->holds;
}

/* Return whether the key of another table of SCHEMA is a reference to TABLE: a
 * row that was put back has it there, and another row elsewhere, a known limit.
 */
static int is_key(const sim_schema_t *schema, const sim_table_t *table)
{
    int i, j;

    for (i = 0; i < schema->count; i++)
        for (j = 0; j < schema->tables[i].joined; j++)
            if (&schema->tables[schema->tables[i].columns[j].parent] == table)
                return 1;
    return 0;
}

/* Return the column of TABLE whose parent's updates a trigger counts in the
 * row; NULL: none. No trigger may start another one in a circle, so nothing
 * refers to such a row. */
static const sim_column_t *counted_by(const sim_schema_t *schema,
                                      const sim_table_t *table)
{
    const sim_column_t *found = NULL;
    int i, j;

    for (i = 0; i < schema->count; i++)
        for (j = 0; j < schema->tables[i].count; j++)
            if (sim_schema_refers(&schema->tables[i].columns[j],
                                  (int)(table - schema->tables)))
                return NULL;
    for (i = table->joined; i < table->count && !found; i++)
        if (table->columns[i].kind == SIM_REFERENCE &&
            table->columns[i].other < 0)
            found = &table->columns[i];
    return found;
}

/* Let rows of TABLE count the updates of a parent, at some nodes: each gives
 * another number. What only one node publishes others must not change. */
static void draw_counter(sim_schema_t *schema, sim_table_t *table,
                         sim_random_t *random)
{
    sim_column_t *column = &table->columns[table->count];
    int i;

    if (!sim_random_chance(random, 80) || table->count == SIM_COLUMNS ||
        !counted_by(schema, table) || table->publisher >= 0 || table->holds ||
        table->returns)
        return;
    for (i = 0; i < schema->nodes; i++)
        if (sim_random_chance(random, 70))
            table->counted |= 1u << i;
    memset(column, 0, sizeof(*column));
    apr_snprintf(column->name, sizeof(column->name), "z%d", table->count++);
    column->kind = SIM_INTEGER;
    column->nodes = ~0u;
    column->parent = column->other = -1;
    column->counts = 1;
}

void sim_trigger_draw(sim_schema_t *schema)
{
    sim_random_t random = sim_random_begin(schema->seed, "triggers");
    int i, node;

    for (i = 0; i < schema->count && !schema->plain; i++) {
        node = sim_random_below(&random, schema->nodes);
        if (sim_random_chance(&random, 12) &&
            schema->databases[node] != SIM_MYSQL &&
            can_return(&schema->tables[i], node) &&
            !is_key(schema, &schema->tables[i]))
            schema->tables[i].returns = 1u << node;
    }
    random = sim_random_begin(schema->seed, "counters");
    for (i = 0; i < schema->count && !schema->plain; i++)
        draw_counter(schema, &schema->tables[i], &random);
}

/* Let BODY, statements of the application, run for each row of TABLE behind
 * WHEN ("AFTER DELETE"), where CONDITION (NULL: always) is true. */
static void add_trigger(apr_array_header_t *ddl, sim_database_e database,
                        const char *name, const char *when, const char *table,
                        const char *condition, const char *body,
                        apr_pool_t *pool)
{
    if (database == SIM_PGSQL) {
        APR_ARRAY_PUSH(ddl, const char *) = apr_psprintf(
            pool,
            "CREATE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN"
            " %s RETURN NULL; END$$",
            name, body);
        body = apr_psprintf(pool, "EXECUTE FUNCTION %s()", name);
    }
    else {
        body = apr_psprintf(pool, "BEGIN %s END", body);
    }
    APR_ARRAY_PUSH(ddl, const char *) = apr_pstrcat(
        pool, "CREATE TRIGGER ", name, " ", when, " ON ", table,
        " FOR EACH ROW ", condition ? "WHEN (" : "", condition ? condition : "",
        condition ? ") " : "", body, NULL);
}

/* Put a deleted row back under its key, as another row, once. What it referred
 * to may be gone. MariaDB lets no trigger change its own table. */
static void put_back(apr_array_header_t *ddl, const sim_schema_t *schema,
                     int node, const sim_table_t *table, apr_pool_t *pool)
{
    const char *columns = "", *values = "";
    int i;

    for (i = 0; i < table->count; i++) {
        const sim_column_t *column = &table->columns[i];

        if (!sim_schema_has(table, column, node) ||
            column->kind == SIM_REFERENCE)
            continue;
        columns = apr_pstrcat(pool, columns, ", ", column->name, NULL);
        values = apr_pstrcat(pool, values, ", old.", column->name, NULL);
    }
    add_trigger(ddl, schema->databases[node],
                apr_pstrcat(pool, "return_", table->name, NULL), "AFTER DELETE",
                table->name, "old.tag NOT LIKE '%+'",
                apr_psprintf(pool,
                             "INSERT INTO %s (id, tag%s) VALUES (old.id,"
                             " old.tag || '+'%s);",
                             table->name, columns, values),
                pool);
}

/* Count the updates of the rows that rows of TABLE refer to by COLUMN. */
static void count_updates(apr_array_header_t *ddl, const sim_schema_t *schema,
                          int node, const sim_table_t *table,
                          const sim_column_t *column, apr_pool_t *pool)
{
    const sim_table_t *parent = &schema->tables[column->parent];
    const char *name = table->columns[table->count - 1].name;

    add_trigger(ddl, schema->databases[node],
                apr_pstrcat(pool, "count_", table->name, NULL), "AFTER UPDATE",
                parent->name, NULL,
                apr_psprintf(pool,
                             "UPDATE %s SET %s = (coalesce(%s, 0) * 2 + %d)"
                             " %% 10007 WHERE %s = new.%s;",
                             table->name, name, name, node + 1, column->name,
                             sim_schema_key(parent)),
                pool);
}

/* Let the application refuse a second row with the same key, as the index would
 * that TABLE lacks. */
static void add_guards(apr_array_header_t *ddl, const sim_table_t *table,
                       apr_pool_t *pool)
{
    static const char *const what[][3] = {
        {"insert", "INSERT", ""},
        {"update", "UPDATE OF id", " new.id <> old.id AND"}};
    int i;

    for (i = 0; i < 2; i++)
        APR_ARRAY_PUSH(ddl, const char *) = apr_psprintf(
            pool,
            "CREATE TRIGGER only_%s_%s BEFORE %s ON %s WHEN%s EXISTS (SELECT 1"
            " FROM %s WHERE id = new.id) BEGIN SELECT RAISE(ABORT, 'UNIQUE"
            " constraint failed: %s.id'); END",
            what[i][0], table->name, what[i][1], table->name, what[i][2],
            table->name, table->name);
}

static void add_counter(apr_array_header_t *ddl, const sim_schema_t *schema,
                        int node, const sim_table_t *table, apr_pool_t *pool)
{
    const sim_column_t *column =
        table->counted >> node & 1 ? counted_by(schema, table) : NULL;

    if (column && sim_schema_has(table, column, node) &&
        !table->columns[table->count - 1].gone &&
        !schema->tables[column->parent].gone)
        count_updates(ddl, schema, node, table, column, pool);
    /* Where a table has a trigger, no update goes the fast way. */
    if (!node && table->counted & 1)
        add_trigger(ddl, schema->databases[node],
                    apr_pstrcat(pool, "idle_", table->name, NULL),
                    "AFTER UPDATE", table->name, NULL,
                    schema->databases[node] == SIM_SQLITE ? "SELECT 1;" : "",
                    pool);
}

void sim_trigger_add(apr_array_header_t *ddl, const sim_schema_t *schema,
                     int node, apr_pool_t *pool)
{
    int i;

    for (i = 0; i < schema->count; i++) {
        const sim_table_t *table = &schema->tables[i];

        if (table->gone)
            continue;
        if (table->returns >> node & 1)
            put_back(ddl, schema, node, table, pool);
        if (table->loose)
            add_guards(ddl, table, pool);
        add_counter(ddl, schema, node, table, pool);
    }
}
