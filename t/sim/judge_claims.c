/* Whether `verify` and the health say what the judge has seen: see judge.h. */
#include "judging.h"

#include <string.h>

#include <apr_strings.h>

#include "claims.h"

/* Whether keys of TABLE were changed: its rows cannot be told by their tags,
 * of which several may then have the same. */
static int has_key_changes(const sim_judge_t *judge, int table)
{
    const apr_array_header_t *events = judge->world->events;
    int i;

    for (i = 0; i < events->nelts; i++)
        if (APR_ARRAY_IDX(events, i, sim_event_t).kind == SIM_EVENT_KEY &&
            APR_ARRAY_IDX(events, i, sim_event_t).table == table)
            return 1;
    return 0;
}

static int any_waits(const sim_judge_t *judge, int table)
{
    int i;

    for (i = 0; i < judge->waiting->nelts; i++)
        if (APR_ARRAY_IDX(judge->waiting, i, sim_waiting_t).table == table)
            return 1;
    return 0;
}

/* Whether rows of TABLE may be called otherwise at another node, or not be
 * there: one waits, or one that its key refers to. */
static int names_wait(const sim_judge_t *judge, int number)
{
    const sim_table_t *table = &judge->world->schema->tables[number];
    int i;

    if (has_key_changes(judge, number) || any_waits(judge, number))
        return 1;
    for (i = 0; i < table->joined; i++)
        if (names_wait(judge, table->columns[i].parent))
            return 1;
    return 0;
}

/* Whether a record of TABLE, or one that its records refer to, waits. */
static int table_waits(const sim_judge_t *judge, int number)
{
    const sim_schema_t *schema = judge->world->schema;
    const sim_table_t *table = &schema->tables[number];
    int i;

    if (names_wait(judge, number) || table->keeps)
        return 1;
    for (i = 0; i < table->count; i++) {
        int parent = table->columns[i].parent;
        int other = table->columns[i].other;

        if (table->columns[i].kind == SIM_REFERENCE &&
            (any_waits(judge, parent) ||
             (other >= 0 && any_waits(judge, other)) ||
             (schema->tables[parent].joined && names_wait(judge, parent))))
            return 1;
    }
    return 0;
}

int sim_judge_is_common(const sim_schema_t *schema, const sim_table_t *table,
                        int column, int one, int other)
{
    if (column == SIM_COLUMNS)
        return 1;
    return column < table->count &&
           sim_schema_carries(schema, table, &table->columns[column], one,
                              other);
}

static int is_equal(const sim_judge_t *judge, const sim_row_t *one,
                    const sim_row_t *other, const sim_link_t *link)
{
    const sim_schema_t *schema = judge->world->schema;
    int i;

    for (i = 0; i <= SIM_COLUMNS; i++)
        if (sim_judge_is_common(schema, &schema->tables[one->table], i,
                                link->caller, link->callee) &&
            strcmp(sim_judge_shown(one->values[i]),
                   sim_judge_shown(other->values[i])) &&
            !sim_judge_leads_to_stranded(judge, link->caller, one, i) &&
            !sim_judge_leads_to_stranded(judge, link->callee, other, i))
            return 0;
    return 1;
}

/* How many rows of TABLE are at node ONE, but not at OTHER, although they may
 * leave. */
static int count_absent(const sim_judge_t *judge, int table, int one, int other)
{
    const apr_array_header_t *rows = judge->rows[one];
    int i, count = 0;

    for (i = 0; i < rows->nelts; i++) {
        const sim_row_t *row = &APR_ARRAY_IDX(rows, i, sim_row_t);

        if (row->table == table &&
            !sim_rows_find(judge->rows[other], table, row->name))
            count += !sim_judge_is_stranded(judge, one, row);
    }
    return count;
}

/* How many rows of TABLE differ between the two nodes of LINK, whether they
 * may or not. */
static int count_differences(const sim_judge_t *judge, int table,
                             const sim_link_t *link)
{
    const apr_array_header_t *ours = judge->rows[link->caller];
    int i, count = count_absent(judge, table, link->caller, link->callee) +
                   count_absent(judge, table, link->callee, link->caller);

    for (i = 0; i < ours->nelts; i++) {
        const sim_row_t *row = &APR_ARRAY_IDX(ours, i, sim_row_t);
        const sim_row_t *other =
            row->table == table
                ? sim_rows_find(judge->rows[link->callee], table, row->name)
                : NULL;

        count += other && !sim_judge_is_outside(judge, link->caller, row) &&
                 !sim_judge_is_outside(judge, link->callee, other) &&
                 !is_equal(judge, row, other, link);
    }
    return count;
}

static void judge_verify(sim_judge_t *judge, const sim_link_t *link)
{
    int found[SIM_TABLES], i, count;

    sim_claims_verify(found, judge->world, link, 0, -1);
    for (i = 0; i < judge->world->schema->count; i++) {
        count = count_differences(judge, i, link);
        if (!table_waits(judge, i) && !count != !found[i])
            sim_world_fail(judge->world, "verify",
                           "%s finds %d differences of t%d to %s, not %d",
                           sim_schema_node_name(link->caller), found[i], i,
                           sim_schema_node_name(link->callee), count);
    }
}

/* Return whether PROBLEM is what is to be said: at NODE a trigger counts in a
 * column, which is a change of what a message has written. */
static int is_counted(const sim_schema_t *schema, int node, const char *problem)
{
    const char *column = strstr(problem, ": column 'z");
    int i;

    for (i = 0; column && i < schema->count; i++)
        if (schema->tables[i].counted & 1u << node &&
            strstr(column, "does not keep what is written"))
            return 1;
    return 0;
}

/* Return whether an application gave a row of TABLE its TAG at NODE. */
static int was_given(const sim_world_t *world, int node, int table,
                     const char *tag)
{
    int i;

    for (i = 0; i < world->events->nelts; i++) {
        const sim_event_t *event =
            &APR_ARRAY_IDX(world->events, i, sim_event_t);

        if (event->kind == SIM_EVENT_UPDATE && event->node == node &&
            event->table == table && event->column == SIM_COLUMNS &&
            event->after && !strcmp(event->after, tag))
            return 1;
    }
    return 0;
}

/* What CommunicatorAfterApply copies has been copied since the last message
 * brought a row. */
static void judge_copies(sim_judge_t *judge, int node, int number)
{
    const sim_table_t *table = &judge->world->schema->tables[number];
    const apr_array_header_t *tags;
    int i;

    if (table->gone || !(table->copied >> node & 1))
        return;
    tags = sim_node_select(
        &judge->world->nodes[node].sessions[0],
        apr_psprintf(judge->pool,
                     "SELECT tag FROM %s WHERE tag NOT IN (SELECT tag FROM"
                     " copy_%s)",
                     table->name, table->name),
        1, judge->pool);
    for (i = 0; i < tags->nelts; i++) {
        const char *tag = APR_ARRAY_IDX(tags, i, const char **)[0];

        if (!was_given(judge->world, node, number, tag))
            sim_world_fail(judge->world, "after",
                           "%s of %s came to %s, and nothing was run", tag,
                           table->name, sim_schema_node_name(node));
    }
}

void sim_judge_claims(sim_judge_t *judge)
{
    sim_world_t *world = judge->world;
    int i, j;

    for (i = 0; i < world->schema->nodes - 1 && !world->failure; i++)
        judge_verify(judge, &world->schema->links[i]);
    for (i = 0; i < world->schema->nodes && !world->failure; i++) {
        const char *problem = sim_claims_health(world, i);

        /* A late request looks as if its sender had been restored, if no
         * clock tells that it is late. */
        if (problem && world->late->nelts &&
            (world->jumped || world->restored) &&
            strstr(problem, "holds message"))
            problem = NULL;
        if (problem && is_counted(world->schema, i, problem))
            problem = NULL;
        if (problem && !judge->waiting->nelts)
            sim_world_fail(world, "health", "%s: %s", sim_schema_node_name(i),
                           problem);
        for (j = 0; j < world->schema->count; j++)
            judge_copies(judge, i, j);
    }
}
