/* What can be said of all rows of a table: see judging.h. */
#include "judging.h"

#include <string.h>

#include <apr_strings.h>

int sim_judge_was_withheld(const sim_judge_t *judge, int table)
{
    const char *sql = apr_psprintf(judge->pool,
                                   "SELECT count(*) FROM communicator_withheld"
                                   " WHERE model = 'm%d'",
                                   table);
    int i;

    for (i = 0; i < judge->world->schema->nodes; i++)
        if (strcmp(sim_node_value(&judge->world->nodes[i].sessions[0], sql,
                                  judge->pool),
                   "0"))
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
