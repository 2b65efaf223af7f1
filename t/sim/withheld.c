/* See withheld.h. */
#include "withheld.h"

#include <string.h>

#include <apr_strings.h>

/* Add what node NUMBER has in communicator_withheld: all of it, or what ONLY,
 * a condition, leaves. */
static void read_rows(apr_array_header_t *withheld, const sim_world_t *world,
                      int number, const char *only, apr_pool_t *pool)
{
    const apr_array_header_t *rows = sim_node_select(
        world->nodes[number].beside,
        apr_pstrcat(pool,
                    "SELECT w.peer, w.model, w.action, w.origin,"
                    " w.original_id, o.clock, o.body FROM"
                    " communicator_withheld AS w LEFT JOIN outbound_messages"
                    " AS o ON o.seq = w.seq WHERE w.model IS NOT NULL",
                    only, NULL),
        7, pool);
    int i;

    for (i = 0; i < rows->nelts; i++) {
        const char **cells = APR_ARRAY_IDX(rows, i, const char **);

        APR_ARRAY_PUSH(withheld, sim_withheld_t) =
            (sim_withheld_t){number,   cells[0], cells[1], cells[2],
                             cells[3], cells[4], cells[5], cells[6]};
    }
}

apr_array_header_t *sim_withheld_of(const sim_world_t *world, int node,
                                    apr_pool_t *pool)
{
    apr_array_header_t *withheld =
        apr_array_make(pool, 4, sizeof(sim_withheld_t));
    int i;

    read_rows(withheld, world, node, "", pool);
    for (i = 0; i < world->withheld->nelts; i++)
        if (APR_ARRAY_IDX(world->withheld, i, sim_withheld_t).node == node)
            APR_ARRAY_PUSH(withheld, sim_withheld_t) =
                APR_ARRAY_IDX(world->withheld, i, sim_withheld_t);
    return withheld;
}

void sim_withheld_note(sim_world_t *world, int node)
{
    read_rows(world->withheld, world, node, " AND w.ended_at > 0", world->pool);
}

int sim_withheld_has(const sim_world_t *world, int table, const char *action,
                     apr_pool_t *pool)
{
    const char *model = apr_psprintf(pool, "m%d", table);
    int node, i;

    for (node = 0; node < world->schema->nodes; node++) {
        const apr_array_header_t *withheld = sim_withheld_of(world, node, pool);

        for (i = 0; i < withheld->nelts; i++) {
            const sim_withheld_t *message =
                &APR_ARRAY_IDX(withheld, i, sim_withheld_t);

            if (!strcmp(message->model, model) &&
                (!action ||
                 (message->action && !strcmp(message->action, action))))
                return 1;
        }
    }
    return 0;
}
