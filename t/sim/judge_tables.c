/* What can be said of all rows of a table: see judging.h. */
#include "judging.h"

#include <string.h>

#include <apr_strings.h>

#include "withheld.h"

int sim_judge_was_withheld(const sim_judge_t *judge, int table)
{
    return sim_withheld_has(judge->world, table, NULL, judge->pool);
}

static int is_same(const char *one, const char *other)
{
    return one && other && !strcmp(one, other);
}

/* Return whether MESSAGE, withheld from NODE, is of the record and the time of
 * the conflict CELLS, and does not have VALUE. */
static int is_another(const sim_withheld_t *message, int node,
                      const char *model, const char **cells, const char *value)
{
    return !strcmp(message->peer, sim_schema_node_name(node)) &&
           !strcmp(message->model, model) &&
           is_same(message->origin, cells[0]) &&
           is_same(message->original_id, cells[1]) &&
           is_same(message->clock, cells[7]) && message->body &&
           !strstr(message->body, value);
}

int sim_judge_is_of_withheld(const sim_judge_t *judge, int node, int table,
                             const char **cells)
{
    const sim_world_t *world = judge->world;
    const char *model = apr_psprintf(judge->pool, "m%d", table);
    const char *value =
        apr_psprintf(judge->pool, "\"%s\":%s", cells[5], cells[6]);
    int i, j;

    if (!cells[0] || !cells[1])
        return 0;
    for (i = 0; i < world->schema->nodes; i++) {
        const apr_array_header_t *withheld =
            strcmp(sim_schema_node_name(i), cells[4])
                ? NULL
                : sim_withheld_of(world, i, judge->pool);

        for (j = 0; withheld && j < withheld->nelts; j++)
            if (is_another(&APR_ARRAY_IDX(withheld, j, sim_withheld_t), node,
                           model, cells, value))
                return 1;
    }
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
