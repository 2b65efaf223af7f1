/* See names.h. */
#include "names.h"

#include <string.h>

#include <apr_strings.h>

/* Return how NODE calls the record of the row of TABLE with KEY: its names, as
 * keys of a table, with their origins. The first is the one that stayed. */
static const apr_table_t *identities(sim_world_t *world, int node, int table,
                                     const char *key)
{
    apr_pool_t *pool = world->step_pool;
    apr_table_t *names = apr_table_make(pool, 2);
    const apr_array_header_t *rows = sim_node_select(
        world->nodes[node].beside,
        apr_psprintf(pool,
                     "SELECT a.origin, a.original_id FROM"
                     " communicator_mappings AS a JOIN communicator_mappings"
                     " AS m ON a.local_record_type = m.local_record_type AND"
                     " (a.origin = m.origin AND a.original_id = m.original_id"
                     " OR a.same_origin = m.origin AND a.same_id ="
                     " m.original_id) WHERE m.local_record_type = 'M%d' AND"
                     " m.local_record_id = '%s' AND m.deleted_at = 0 ORDER BY"
                     " CASE WHEN a.same_id IS NULL THEN 0 ELSE 1 END",
                     table, key),
        2, pool);
    int i;

    for (i = 0; i < rows->nelts; i++) {
        const char **cells = APR_ARRAY_IDX(rows, i, const char **);

        apr_table_set(names, apr_pstrcat(pool, cells[0], " ", cells[1], NULL),
                      cells[0]);
    }
    return names;
}

/* Return whether one of NAMES is of NODE. */
static int has_own(const apr_table_t *names, int node)
{
    const apr_array_header_t *all = apr_table_elts(names);
    int i;

    for (i = 0; i < all->nelts; i++)
        if (!strcmp(APR_ARRAY_IDX(all, i, apr_table_entry_t).val,
                    sim_schema_node_name(node)))
            return 1;
    return 0;
}

/* Return how many of NAMES are among OTHERS. */
static int count_common(const apr_table_t *names, const apr_table_t *others)
{
    const apr_array_header_t *all = apr_table_elts(names);
    int count = 0, i;

    for (i = 0; i < all->nelts; i++)
        count +=
            apr_table_get(others,
                          APR_ARRAY_IDX(all, i, apr_table_entry_t).key) != NULL;
    return count;
}

/* Return whether the name of NAMES that stayed is among OTHERS. */
static int is_main_known(const apr_table_t *names, const apr_table_t *others)
{
    const apr_array_header_t *all = apr_table_elts(names);

    return all->nelts &&
           apr_table_get(others, APR_ARRAY_IDX(all, 0, apr_table_entry_t).key);
}

/* Return whether nodes ONE and OTHER call a record by ONE_NAMES and OTHER_NAMES
 * and do not know yet that it is one: each must know under which name the other
 * one sends it; and if both have made it, all its names. */
static int is_open(const apr_table_t *one_names, int one,
                   const apr_table_t *other_names, int other)
{
    const int common = count_common(one_names, other_names);
    const int is_of_both =
        (has_own(one_names, one) || has_own(other_names, one)) &&
        (has_own(one_names, other) || has_own(other_names, other));

    return !is_main_known(one_names, other_names) ||
           !is_main_known(other_names, one_names) ||
           (is_of_both && (common < apr_table_elts(one_names)->nelts ||
                           common < apr_table_elts(other_names)->nelts));
}

/* Return whether node NUMBER has a row that is called as EVENT, which gives a
 * row of another node another name, has called that. */
static int has_twin(sim_world_t *world, int number, const sim_event_t *event)
{
    const sim_node_t *node = &world->nodes[number];
    const sim_row_t *row =
        sim_rows_find(sim_rows_read(node, node->beside, world->step_pool),
                      event->table, event->name);

    return row &&
           is_open(
               identities(world, event->node, event->table, event->row->key),
               event->node, identities(world, number, event->table, row->key),
               number);
}

/* Return whether node NUMBER knows the record of EVENT, a row of another node.
 */
static int knows(sim_world_t *world, int number, const sim_event_t *event)
{
    const apr_array_header_t *names = apr_table_elts(
        identities(world, event->node, event->table, event->row->key));
    int i;

    for (i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, apr_table_entry_t).key;
        const char *space = strchr(name, ' ');

        if (sim_node_value(
                world->nodes[number].beside,
                apr_psprintf(world->step_pool,
                             "SELECT 1 FROM communicator_mappings WHERE"
                             " local_record_type = 'M%d' AND origin = '%.*s'"
                             " AND original_id = '%s'",
                             event->table, (int)(space - name), name,
                             space + 1),
                world->step_pool))
            return 1;
    }
    return 0;
}

/* Return whether a row of another node that NODE does not know was called like
 * that of EVENT, which is new, and is called otherwise now. */
static int comes_late(sim_world_t *world, const sim_event_t *event)
{
    int i;

    for (i = 0; i < world->events->nelts; i++) {
        const sim_event_t *other =
            &APR_ARRAY_IDX(world->events, i, sim_event_t);

        if (other->kind == SIM_EVENT_NAME && other->node != event->node &&
            other->table == event->table && !strcmp(other->name, event->name) &&
            !knows(world, event->node, other))
            return 1;
    }
    return 0;
}

void sim_names_note(sim_world_t *world, const sim_event_t *event)
{
    int found = 0, i;

    if (world->schema->tables[event->table].match < 0)
        return;
    if (event->kind == SIM_EVENT_INSERT && !event->was)
        found = comes_late(world, event);
    for (i = 0; event->kind == SIM_EVENT_NAME && i < world->schema->nodes; i++)
        found |= i != event->node && has_twin(world, i, event);
    if (found)
        APR_ARRAY_PUSH(world->unknown, sim_waiting_t) =
            (sim_waiting_t){event->table, event->name};
}
