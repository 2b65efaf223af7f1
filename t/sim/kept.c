/* See kept.h. */
#include "kept.h"

#include <string.h>

#include <apr_strings.h>

#include "message.h"
#include "withheld.h"

/* Return the column of TABLE that REASON, "'COLUMN' was changed ...", is about;
 * -1: none that holds values of its own. */
static int column_of(const sim_table_t *table, const char *reason)
{
    int i;

    for (i = 0; i < table->count; i++) {
        const char *name = table->columns[i].name;

        if (*reason == '\'' && !strncmp(reason + 1, name, strlen(name)) &&
            reason[1 + strlen(name)] == '\'' &&
            table->columns[i].kind != SIM_REFERENCE && !table->columns[i].names)
            return i;
    }
    return -1;
}

/* Return whether the record here has the clock of PARKED: what follows that
 * seems to know the value here then (docs/convergence.md, known limits). */
static int is_of_one_moment(const sim_message_t *parked)
{
    const char *count = sim_node_value(
        parked->session,
        apr_psprintf(parked->pool,
                     "SELECT count(*) FROM communicator_mappings WHERE"
                     " origin = '%s' AND original_id = '%s' AND"
                     " local_record_type = 'M%d' AND clock = %s",
                     parked->origin, parked->original_id, parked->table,
                     parked->clock ? parked->clock : "0"),
        parked->pool);

    return strcmp(count, "0") != 0;
}

/* Return whether node NUMBER has withheld a message of the record of PARKED. */
static int withheld_at(const sim_message_t *parked, int number)
{
    const apr_array_header_t *found =
        sim_withheld_of(parked->world, number, parked->pool);
    int i;

    for (i = 0; i < found->nelts; i++) {
        const sim_withheld_t *message =
            &APR_ARRAY_IDX(found, i, sim_withheld_t);

        if (!strcmp(message->model, parked->model) && message->origin &&
            message->original_id &&
            sim_message_row(parked, parked->table, message->origin,
                            message->original_id) == parked->row)
            return 1;
    }
    return 0;
}

/* Return whether some node has. That message would have told that those around
 * it follow each other: what comes behind it seems to know the value here, too
 * (docs/convergence.md, known limits). */
static int was_withheld(const sim_message_t *parked)
{
    int i;

    for (i = 0; i < parked->world->schema->nodes; i++)
        if (withheld_at(parked, i))
            return 1;
    return 0;
}

sim_kept_t sim_kept_begin(sim_world_t *world, int number, const char *peer,
                          apr_int64_t id, const char *reason)
{
    sim_node_t *node = &world->nodes[number];
    apr_pool_t *pool = world->step_pool;
    sim_message_t parked = {.world = world,
                            .node = node,
                            .session = node->beside,
                            .rows = sim_rows_read(node, node->beside, pool),
                            .pool = pool};
    const apr_array_header_t *found = sim_node_select(
        parked.session, SIM_MESSAGE_SELECT, SIM_MESSAGE_COLUMNS, pool);
    sim_kept_t kept = {NULL, -1};
    int i;

    for (i = 0; i < found->nelts && !kept.row; i++) {
        sim_message_take(&parked, APR_ARRAY_IDX(found, i, const char **));
        if (!strcmp(parked.peer, peer) && apr_atoi64(parked.id) == id)
            kept.row = parked.row;
    }
    if (kept.row)
        kept.column =
            column_of(&world->schema->tables[kept.row->table], reason);
    if (kept.column < 0 || is_of_one_moment(&parked) || was_withheld(&parked))
        kept.row = NULL;
    return kept;
}

/* Return whether somebody has replaced BEFORE by AFTER in the row of KEPT: who
 * does that at another node knows the value that was kept. */
static int is_replaced(const sim_world_t *world, sim_kept_t kept,
                       const char *before, const char *after)
{
    const apr_array_header_t *events = world->events;
    int i;

    for (i = 0; before && after && i < events->nelts; i++) {
        const sim_event_t *event = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (event->kind == SIM_EVENT_UPDATE &&
            event->table == kept.row->table && event->column == kept.column &&
            !strcmp(event->name, kept.row->name) && event->before &&
            !strcmp(event->before, before) && event->after &&
            !strcmp(event->after, after))
            return 1;
    }
    return 0;
}

void sim_kept_end(sim_world_t *world, int number, sim_kept_t kept)
{
    sim_node_t *node = &world->nodes[number];
    const char *before, *after;
    const sim_row_t *row;

    if (!kept.row)
        return;
    row = sim_rows_find(sim_rows_read(node, node->beside, world->step_pool),
                        kept.row->table, kept.row->name);
    before = kept.row->values[kept.column];
    after = row ? row->values[kept.column] : before;
    if ((before && after ? strcmp(before, after) != 0 : before != after) &&
        !is_replaced(world, kept, before, after))
        sim_world_fail(world, "kept",
                       "%s of t%d at %s: a person has kept %s, and it is %s",
                       kept.row->name, kept.row->table,
                       sim_schema_node_name(number), before ? before : "NULL",
                       after ? after : "NULL");
}
