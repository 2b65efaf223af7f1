/* See parked.h. */
#include "parked.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "causes.h"
#include "orphan.h"

int sim_parked_has(const apr_array_header_t *waiting, int table,
                   const char *name)
{
    int i;

    for (i = 0; name && i < waiting->nelts; i++) {
        const sim_waiting_t *it = &APR_ARRAY_IDX(waiting, i, sim_waiting_t);

        if (it->table == table && !strcmp(it->name, name))
            return 1;
    }
    return 0;
}

/* Return whether PARKED refers to something by a second name that it has at the
 * node of THERE, and whose message was withheld there (match=, a key of
 * references): the name is not known here, and what was sent in place of that
 * message does not tell it (docs/convergence.md). */
static int needs_withheld_name(const sim_message_t *parked,
                               const sim_message_t *there)
{
    const sim_table_t *table = &parked->world->schema->tables[parked->table];
    int i;

    for (i = 0; i < table->count; i++) {
        const char *origin, *id;
        int parent;

        if (sim_message_refers(&parent, &origin, &id, parked,
                               &table->columns[i]) &&
            !sim_message_row(parked, parent, origin, id) &&
            strcmp(sim_node_value(
                       there->session,
                       apr_psprintf(
                           there->pool,
                           "SELECT count(*) FROM communicator_withheld AS w"
                           " JOIN communicator_mappings AS a"
                           " ON a.origin = w.origin"
                           " AND a.original_id = w.original_id"
                           " AND a.local_record_type = 'M%d'"
                           " AND a.deleted_at = 0 AND a.same_id IS NOT NULL"
                           " WHERE w.peer = '%s' AND w.model = 'm%d'"
                           " AND w.origin = '%s' AND w.original_id = '%s'",
                           parent, sim_schema_node_name(parked->node->number),
                           parent, origin, id),
                       there->pool),
                   "0"))
            return 1;
    }
    return 0;
}

/* Return the name at its sender of the row that PARKED brings, whose key refers
 * to what has no such name here; NULL: that is not why. */
static const char *name_at_sender(const sim_message_t *parked)
{
    sim_world_t *world = parked->world;
    sim_message_t there = *parked;
    const sim_row_t *row;
    int i;

    if (!world->schema->tables[parked->table].joined)
        return NULL;
    for (i = 0; i < world->schema->nodes; i++)
        if (!strcmp(sim_schema_node_name(i), parked->peer))
            break;
    if (i == world->schema->nodes)
        return NULL;
    there.node = &world->nodes[i];
    there.session = &world->nodes[i].sessions[0];
    if (!needs_withheld_name(parked, &there))
        return NULL;
    there.rows = sim_rows_read(there.node, there.session, parked->pool);
    row = sim_message_row(&there, parked->table, parked->origin,
                          parked->original_id);
    return row ? row->name : NULL;
}

static void look_at(sim_message_t *parked, const char **cells,
                    apr_array_header_t *waiting)
{
    const char *name;

    sim_message_take(parked, cells);
    APR_ARRAY_PUSH(waiting, sim_waiting_t) =
        (sim_waiting_t){parked->table, parked->name ? parked->name : ""};
    /* After a restore another row may be the same record. */
    name = sim_message_name(parked);
    if (name)
        APR_ARRAY_PUSH(waiting, sim_waiting_t) =
            (sim_waiting_t){parked->table, name};
    name = name_at_sender(parked);
    if (name)
        APR_ARRAY_PUSH(waiting, sim_waiting_t) =
            (sim_waiting_t){parked->table, name};
    if (!sim_causes_has(parked))
        sim_world_fail(parked->world, "parked",
                       "%s: message %s of %s, %s of m%d %s (%s): %s",
                       sim_schema_node_name(parked->node->number), parked->id,
                       parked->peer, parked->action, parked->table,
                       parked->original_id, parked->name ? parked->name : "?",
                       parked->error ? parked->error : "");
}

/* A message as found at node NUMBER, before it is taken. */
static sim_message_t begin(sim_world_t *world, int number)
{
    sim_node_t *node = &world->nodes[number];

    return (sim_message_t){.world = world,
                           .node = node,
                           .session = node->beside,
                           .rows =
                               sim_rows_read(node, node->beside, world->pool),
                           .pool = world->pool};
}

int sim_parked_give_up(sim_world_t *world, int number, const char *peer,
                       apr_int64_t id)
{
    sim_message_t parked = begin(world, number);
    const apr_array_header_t *found = sim_node_select(
        parked.session, SIM_MESSAGE_SELECT, SIM_MESSAGE_COLUMNS, world->pool);
    const int before = world->discarded->nelts;
    int i;

    for (i = 0; i < found->nelts; i++) {
        sim_message_take(&parked, APR_ARRAY_IDX(found, i, const char **));
        if (parked.name && !strcmp(parked.peer, peer) &&
            apr_atoi64(parked.id) == id &&
            (!parked.row || sim_causes_has(&parked)))
            APR_ARRAY_PUSH(world->discarded, sim_discarded_t) =
                (sim_discarded_t){.record = {parked.table, parked.name},
                                  .node = number,
                                  .at = world->events->nelts};
    }
    return world->discarded->nelts > before;
}

void sim_parked_ask(sim_world_t *world, int number)
{
    const apr_array_header_t *found =
        sim_node_select(world->nodes[number].beside, SIM_MESSAGE_SELECT,
                        SIM_MESSAGE_COLUMNS, world->pool);
    sim_message_t parked;
    int i;

    if (found->nelts)
        parked = begin(world, number);
    for (i = 0; i < found->nelts; i++) {
        sim_message_take(&parked, APR_ARRAY_IDX(found, i, const char **));
        if (strcmp(parked.action, "delete") != 0 &&
            sim_orphan_is_made_up(&parked))
            sim_world_fail(world, "orphan",
                           "%s: message %s of %s, %s of m%d %s (%s), refers to "
                           "nothing, which nobody has written",
                           sim_schema_node_name(number), parked.id, parked.peer,
                           parked.action, parked.table, parked.original_id,
                           parked.name ? parked.name : "?");
    }
}

int sim_parked_first(const char **peer, apr_int64_t *id, sim_world_t *world,
                     int number)
{
    sim_message_t parked = begin(world, number);
    apr_array_header_t *found = sim_node_select(
        parked.session, SIM_MESSAGE_SELECT, SIM_MESSAGE_COLUMNS, world->pool);

    if (!found->nelts)
        return 0;
    sim_message_take(&parked, APR_ARRAY_IDX(found, 0, const char **));
    if (!parked.name)
        return 0;
    APR_ARRAY_PUSH(world->discarded, sim_discarded_t) =
        (sim_discarded_t){{parked.table, parked.name},
                          number,
                          world->events->nelts,
                          parked.row && !strcmp(parked.action, "update")};
    *peer = parked.peer;
    *id = apr_atoi64(parked.id);
    return 1;
}

int sim_parked_deleted(int *table, const char **origin, const char **id,
                       sim_world_t *world, int number)
{
    sim_message_t parked = begin(world, number);
    const apr_array_header_t *found = sim_node_select(
        parked.session,
        "SELECT model, origin, original_id FROM inbound_messages WHERE"
        " processed_at IS NULL AND action = 'delete' UNION ALL"
        " SELECT local_record_type, origin, original_id FROM"
        " communicator_mappings WHERE deleted_at > 0 AND local_record_id IS"
        " NOT NULL",
        3, world->pool);
    const char **cells;
    const sim_row_t *row;

    if (!found->nelts)
        return 0;
    cells = APR_ARRAY_IDX(found, 0, const char **);
    if (cells[0][0] == 'x')
        return 0;
    *table = (int)strtol(cells[0] + 1, NULL, 10);
    *origin = cells[1];
    *id = cells[2];
    row = sim_message_row(&parked, *table, *origin, *id);
    if (row)
        APR_ARRAY_PUSH(world->revived, sim_waiting_t) =
            (sim_waiting_t){*table, row->name};
    return 1;
}

void sim_parked_find(sim_world_t *world, int number,
                     const apr_array_header_t *rows,
                     apr_array_header_t *waiting)
{
    sim_message_t parked = {.world = world,
                            .node = &world->nodes[number],
                            .session = &world->nodes[number].sessions[0],
                            .rows = rows,
                            .pool = world->pool};
    apr_array_header_t *found = sim_node_select(
        parked.session, SIM_MESSAGE_SELECT, SIM_MESSAGE_COLUMNS, world->pool);
    int i;

    for (i = 0; i < found->nelts; i++)
        look_at(&parked, APR_ARRAY_IDX(found, i, const char **), waiting);
}
