/* See stopped.h. */
#include "stopped.h"

#include <string.h>

#include <apr_strings.h>

#include "exchange.h"

/* A signal comes after so many batches at most. */
#define SIGNAL_AT_MOST 5

int sim_stopped_may_ask(const sim_world_t *world)
{
    return world->schema->nodes == 2 && world->stops && !world->restored &&
           !world->altered;
}

/* Return how many of the other node's messages NODE has not received. */
static apr_int64_t count_waiting(const sim_world_t *world, int node)
{
    const char *last =
        sim_node_value(world->nodes[!node].beside,
                       "SELECT last_seq FROM communicator_node", world->pool);
    const char *received = sim_node_value(
        world->nodes[node].beside,
        apr_psprintf(
            world->pool,
            "SELECT received FROM communicator_peers WHERE name = '%s'",
            sim_schema_node_name(!node)),
        world->pool);

    return apr_atoi64(last) - (received ? apr_atoi64(received) : 0);
}

/* A run ends with a push that is refused: then the caller receives nothing. */
int sim_stopped_find(const sim_world_t *world)
{
    const sim_link_t *link = &world->schema->links[0];
    const int node =
        count_waiting(world, link->callee) > 0 ? link->callee : link->caller;

    return count_waiting(world, node) > 0 && world->stops >> node & 1 ? node
                                                                      : -1;
}

/* Let NODE receive the next batch and no more: a signal ends the run as soon as
 * it has. Returns whether it has received any. */
static int receive_one(sim_world_t *world, int node)
{
    const sim_link_t *link = &world->schema->links[0];
    const apr_int64_t before = count_waiting(world, node);
    sim_step_t step = {.kind = link->callee == node ? SIM_PUSH : SIM_PULL,
                       .node = link->caller,
                       .peer = link->callee,
                       .limit = 100,
                       .mishap = SIM_MISHAP_STOP};

    while (step.mishap_at < SIGNAL_AT_MOST &&
           count_waiting(world, node) == before) {
        sim_exchange_run(world, &step);
        step.mishap_at++;
    }
    return count_waiting(world, node) < before;
}

/* Return whether ROW, which is not among AFTER, may have gone with its parent:
 * a foreign key of NODE deletes it, and the parent is gone, too. */
static int went_with_parent(const sim_world_t *world, int node,
                            const sim_row_t *row,
                            const apr_array_header_t *after)
{
    const sim_table_t *table = &world->schema->tables[row->table];
    int i;

    for (i = 0; i < table->count; i++)
        if (table->columns[i].kind == SIM_REFERENCE &&
            table->columns[i].rule[node] == SIM_RULE_CASCADE &&
            row->values[i] &&
            !sim_rows_find(after, table->columns[i].parent, row->values[i]))
            return 1;
    return 0;
}

/* Return whether a row about which a person of NODE may be asked, of those
 * BEFORE, has gone with its parent. */
static int any_went(sim_world_t *world, int node,
                    const apr_array_header_t *before)
{
    const apr_array_header_t *after = sim_rows_read(
        &world->nodes[node], world->nodes[node].beside, world->pool);
    int i;

    for (i = 0; i < before->nelts; i++) {
        const sim_row_t *row = &APR_ARRAY_IDX(before, i, sim_row_t);

        if (world->schema->tables[row->table].holds >> node & 1 &&
            !sim_rows_find(after, row->table, row->name) &&
            went_with_parent(world, node, row, after))
            return 1;
    }
    return 0;
}

/* A node that has stopped to ask a person about a record does not look whether
 * a later message of the batch deletes that with its parent; once it parks, the
 * question ends with the record (docs/convergence.md). */
void sim_stopped_judge(sim_world_t *world, int node)
{
    const int asks = world->asks;
    const apr_array_header_t *before = sim_rows_read(
        &world->nodes[node], world->nodes[node].beside, world->pool);

    if (receive_one(world, node) && !(asks && any_went(world, node, before)) &&
        !strcmp(sim_node_value(world->nodes[node].beside,
                               "SELECT count(*) FROM inbound_messages"
                               " WHERE processed_at IS NULL",
                               world->pool),
                "0"))
        sim_world_fail(world, "stopped",
                       "%s had stopped, and can apply all of the next batch",
                       sim_schema_node_name(node));
}
