/* Whether rows that have outlived their parents, without a foreign key, are
 * still there: see judge.h. */
#include "judging.h"

#include <string.h>

#include "outlived.h"
#include "parked.h"

/* Return whether rows of table NUMBER are lost only where somebody deletes
 * them. */
static int is_simple(const sim_judge_t *judge, int number)
{
    const sim_table_t *table = &judge->world->schema->tables[number];

    return table->match < 0 && !table->joined && table->tied < 0 &&
           table->key != SIM_KEY_REUSED && sim_judge_is_sent(judge, number);
}

/* Return whether rows of TABLE go with no row but one in COLUMN. */
static int needs_only(const sim_judge_t *judge, const sim_table_t *table,
                      int column)
{
    int i, node;

    for (i = 0; i < table->count; i++) {
        if (i == column || table->columns[i].kind != SIM_REFERENCE)
            continue;
        if (table->columns[i].not_null)
            return 0;
        for (node = 0; node < judge->world->schema->nodes; node++)
            if (table->columns[i].rule[node] == SIM_RULE_CASCADE)
                return 0;
    }
    return 1;
}

/* Return whether ROW of OUTLIVED had only that parent and only that key, and
 * nobody has deleted it. */
static int stayed_as_it_was(const sim_judge_t *judge,
                            const sim_outlived_t *outlived)
{
    const apr_array_header_t *events = judge->world->events;
    int given = 0, i;

    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *event = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (event->table != outlived->row->table ||
            strcmp(event->name, outlived->row->name) != 0)
            continue;
        if (event->kind != SIM_EVENT_UPDATE && event->kind != SIM_EVENT_INSERT)
            return 0;
        if (event->kind == SIM_EVENT_UPDATE &&
            event->column == outlived->column && event->after && given++)
            return 0;
    }
    return 1;
}

/* Return whether the parent of OUTLIVED was deleted, and no other record has
 * got its key since. */
static int is_gone_for_good(const sim_judge_t *judge,
                            const sim_outlived_t *outlived)
{
    const apr_array_header_t *events = judge->world->events;
    const sim_row_t *parent = outlived->parent;
    int ended = 0, i;

    for (i = outlived->at; i < events->nelts; i++) {
        const sim_event_t *event = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (event->table != parent->table)
            continue;
        if (event->kind == SIM_EVENT_DELETE && !event->renamed &&
            !strcmp(event->name, parent->name))
            ended = 1;
        else if (event->kind == SIM_EVENT_KEY ||
                 event->kind == SIM_EVENT_MOVE ||
                 (event->kind == SIM_EVENT_INSERT && event->row->key &&
                  !strcmp(event->row->key, parent->key)))
            return 0;
    }
    return ended;
}

void sim_judge_outlived(sim_judge_t *judge)
{
    const sim_world_t *world = judge->world;
    int i, node;

    for (i = 0; i < world->outlived->nelts && !world->restored; i++) {
        const sim_outlived_t *outlived =
            &APR_ARRAY_IDX(world->outlived, i, sim_outlived_t);
        const sim_row_t *row = outlived->row;

        if (!is_simple(judge, row->table) ||
            !is_simple(judge, outlived->parent->table) ||
            !needs_only(judge, &world->schema->tables[row->table],
                        outlived->column) ||
            sim_parked_has(judge->waiting, row->table, row->name) ||
            !stayed_as_it_was(judge, outlived) ||
            !is_gone_for_good(judge, outlived))
            continue;
        for (node = 0; node < world->schema->nodes; node++)
            if (!sim_rows_find(judge->rows[node], row->table, row->name))
                sim_world_fail(judge->world, "outlived",
                               "%s of t%d is not at %s: it is to outlive %s of "
                               "t%d, its parent",
                               row->name, row->table,
                               sim_schema_node_name(node),
                               outlived->parent->name, outlived->parent->table);
    }
}
