/* What can be said of all rows of a table: see judging.h. */
#include "judging.h"

#include <string.h>

#include <apr_strings.h>

#include "message.h"

int sim_judge_was_withheld(const sim_judge_t *judge, int table)
{
    return sim_message_was_withheld(judge->world, table, NULL, judge->pool);
}

/* Return whether one of the bodies that SQL selects at PEER does not have
 * VALUE. */
static int has_withheld(const sim_judge_t *judge, int peer, const char *sql,
                        const char *value)
{
    const apr_array_header_t *bodies = sim_node_select(
        &judge->world->nodes[peer].sessions[0], sql, 1, judge->pool);
    int i;

    for (i = 0; i < bodies->nelts; i++)
        if (!strstr(APR_ARRAY_IDX(bodies, i, const char **)[0], value))
            return 1;
    return 0;
}

int sim_judge_is_of_withheld(const sim_judge_t *judge, int node, int table,
                             const char **cells)
{
    const char *sql, *value;
    int i;

    if (!cells[0] || !cells[1])
        return 0;
    sql = apr_psprintf(
        judge->pool,
        "SELECT o.body FROM communicator_withheld AS w JOIN outbound_messages"
        " AS o ON o.seq = w.seq WHERE w.peer = '%s' AND w.model = 'm%d' AND"
        " w.origin = '%s' AND w.original_id = '%s' AND o.clock = %s AND"
        " o.body IS NOT NULL",
        sim_schema_node_name(node), table, cells[0], cells[1], cells[7]);
    value = apr_psprintf(judge->pool, "\"%s\":%s", cells[5], cells[6]);
    for (i = 0; i < judge->world->schema->nodes; i++)
        if (!strcmp(sim_schema_node_name(i), cells[4]) &&
            has_withheld(judge, i, sql, value))
            return 1;
    return 0;
}

int sim_judge_was_dropped(const sim_judge_t *judge, const sim_table_t *table,
                          int column)
{
    int served = sim_schema_is_served(judge->world->schema), i;

    for (i = 0; i < table->count; i++)
        if (table->columns[i].altered && (served || i == column))
            return 1;
    return 0;
}

int sim_judge_is_sent(const sim_judge_t *judge, int number)
{
    const sim_table_t *table = &judge->world->schema->tables[number];
    int i;

    for (i = 0; i < table->count; i++)
        if (sim_judge_was_dropped(judge, table, i))
            return 0;
    return !table->holds && table->filter < 0 && table->publisher < 0 &&
           !table->keeps && !table->returns &&
           !sim_judge_was_withheld(judge, number);
}
