/* See restore.h. */
#include "restore.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "node/epoch.h"
#include "outbox/publish.h"
#include "outbox/stamp.h"
#include "exchange.h"
#include "message.h"
#include "parked.h"

/* Publish all of all models. */
static cm_error_t *publish(sim_node_t *node, apr_pool_t *pool)
{
    const apr_array_header_t *models = node->settings->models;
    apr_int64_t count;
    int i;

    sim_clock_at(node->number);
    cm_node_renew(node->node);
    for (i = 0; i < models->nelts; i++) {
        const cm_model_t *model = APR_ARRAY_IDX(models, i, cm_model_t *);

        if (model->publishes)
            CM_TRY(cm_publish_all(&count, node->node, model, NULL, NULL, pool));
    }
    return NULL;
}

/* Return the node that LINK connects NUMBER with, or -1. */
static int peer_of(const sim_link_t *link, int number)
{
    return link->caller == number   ? link->callee
           : link->callee == number ? link->caller
                                    : -1;
}

/* Begin a new history at node NUMBER. */
static cm_error_t *renew(sim_world_t *world, int number, apr_pool_t *pool)
{
    sim_node_t *node = &world->nodes[number];
    int i, peer;

    sim_clock_at(number);
    /* If that is refused, too, the next time with yet another epoch. */
    if (!(world->renewed >> number & 1))
        CM_TRY(cm_epoch_renew(node->node, pool));
    world->renewed &= ~(1 << number);
    world->stale &= ~(1 << number);
    for (i = 0; i < world->schema->nodes - 1; i++) {
        const sim_link_t *link = &world->schema->links[i];

        peer = peer_of(link, number);
        if (peer < 0)
            continue;
        world->strangers &= ~(1 << i);
        sim_clock_at(peer);
        CM_TRY(cm_epoch_accept(world->nodes[peer].node,
                               sim_schema_node_name(number), pool));
        CM_TRY(publish(&world->nodes[peer], pool));
    }
    return publish(node, pool);
}

void sim_restore_renew(sim_world_t *world)
{
    int i;

    for (i = 0; i < world->schema->nodes; i++)
        if (world->restored >> i & 1)
            sim_world_must(world, "begin a new history",
                           renew(world, i, world->step_pool));
}

void sim_restore_publish(sim_world_t *world)
{
    int i;

    for (i = 0; i < world->schema->nodes; i++)
        sim_world_must(world, "publish",
                       publish(&world->nodes[i], world->step_pool));
}

/* Number what was committed. A record that has no identity yet when it is saved
 * gets another one after a restore than it had before, and so comes twice: a
 * known limit (the guide, "Restore from a backup"). */
static cm_error_t *stamp(sim_node_t *node, apr_pool_t *pool)
{
    cm_stamping_t stamping = {.limit = 1000};
    int stamped = 1;

    while (stamped)
        CM_TRY(cm_stamp_chunk(&stamped, node->node, &stamping, pool));
    return NULL;
}

/* Return whether ROW, of TABLE, is among the records KNOWN: types and local
 * ids. */
static int is_known(const apr_array_header_t *known, const sim_row_t *row,
                    const sim_table_t *table, apr_pool_t *pool)
{
    const char *type = apr_psprintf(pool, "M%d", row->table);
    int i;

    for (i = 0; i < known->nelts; i++) {
        const char **one = APR_ARRAY_IDX(known, i, const char **);

        if (!strcmp(one[0], type) &&
            !strcmp(sim_message_key(table, one[1], pool), row->key))
            return 1;
    }
    return 0;
}

/* All is numbered: note which rows of NODE have no identity nevertheless, since
 * where= keeps them, or rows that they need. */
static void note_kept(sim_world_t *world, sim_node_t *node)
{
    sim_session_t *session = &node->sessions[0];
    apr_array_header_t *kept = world->kept[node->number];
    const apr_array_header_t *rows = sim_rows_read(node, session, world->pool);
    const apr_array_header_t *known = sim_node_select(
        session,
        "SELECT local_record_type, local_record_id FROM communicator_mappings"
        " WHERE clock > 0 AND local_record_id IS NOT NULL",
        2, world->step_pool);
    int i;

    if (!(world->restored >> node->number & 1)) /* an older save is forgotten */
        kept->nelts = 0;
    for (i = 0; i < rows->nelts; i++) {
        const sim_row_t *row = &APR_ARRAY_IDX(rows, i, sim_row_t);

        if (!is_known(known, row, &world->schema->tables[row->table],
                      world->step_pool))
            APR_ARRAY_PUSH(kept, sim_waiting_t) =
                (sim_waiting_t){row->table, row->name};
    }
}

/* Return whether PEER knows another history of NODE than that which its
 * database has now: more messages, or another epoch. */
static int is_stranger(sim_node_t *node, sim_node_t *peer, apr_pool_t *pool)
{
    apr_array_header_t *known = sim_node_select(
        &peer->sessions[0],
        apr_psprintf(pool,
                     "SELECT received, epoch FROM communicator_peers"
                     " WHERE name = '%s'",
                     sim_schema_node_name(node->number)),
        2, pool);
    const char **here = APR_ARRAY_IDX(
        sim_node_select(&node->sessions[0],
                        "SELECT last_seq, epoch FROM communicator_node", 2,
                        pool),
        0, const char **);
    const char **there =
        known->nelts ? APR_ARRAY_IDX(known, 0, const char **) : NULL;

    return there && there[1] &&
           (apr_atoi64(there[0]) > apr_atoi64(here[0]) ||
            strcmp(there[1], here[1]));
}

/* Return whether NUMBER has several peers. It sees that it was restored only
 * when it meets the right one, and may have numbered messages for the others by
 * then, a known limit: so it begins a new history at once. */
static int is_hub(const sim_world_t *world, int number)
{
    int i, count = 0;

    for (i = 0; i < world->schema->nodes - 1; i++)
        count += peer_of(&world->schema->links[i], number) >= 0;
    return count > 1;
}

/* Note who must refuse whom. What several restores make of each other, nobody
 * can tell by numbers. */
static void find_strangers(sim_world_t *world, int number, int again)
{
    int i, peer;

    for (i = 0; i < world->schema->nodes - 1; i++) {
        peer = peer_of(&world->schema->links[i], number);
        if (peer < 0)
            continue;
        world->strangers &= ~(1 << i);
        if (!again && is_stranger(&world->nodes[number], &world->nodes[peer],
                                  world->step_pool))
            world->strangers |= 1 << i;
    }
}

/* Return whether a person decides conflicts of a model: then a record that a
 * restore has brought back, and whose delete the other node has overruled, is
 * there twice, a known limit. Or whether a trigger puts deleted rows back: when
 * the delete comes once more after a restore, it makes another row. */
static int makes_doubles(const sim_schema_t *schema)
{
    int i;

    for (i = 0; i < schema->count; i++)
        if (schema->tables[i].holds || schema->tables[i].returns)
            return 1;
    return 0;
}

/* What others have when NUMBER is restored comes back to it. What they had when
 * another one was, they may have lost since. */
static void note_spread(sim_world_t *world, int number)
{
    int i, j;

    world->spread->nelts = 0;
    for (i = 0; i < world->schema->nodes; i++) {
        const apr_array_header_t *rows = sim_rows_read(
            &world->nodes[i], &world->nodes[i].sessions[0], world->pool);

        for (j = 0; i != number && j < rows->nelts; j++) {
            const sim_row_t *row = &APR_ARRAY_IDX(rows, j, sim_row_t);

            if (!sim_parked_has(world->spread, row->table, row->name))
                APR_ARRAY_PUSH(world->spread, sim_waiting_t) =
                    (sim_waiting_t){row->table, row->name};
        }
    }
}

/* Restore the database of the node of STEP, and do at once what STEP says. */
static const char *restore(sim_world_t *world, const sim_step_t *step)
{
    sim_node_t *node = &world->nodes[step->node];
    int again = world->restored != 0;
    const char *error;

    if (makes_doubles(world->schema))
        return NULL;
    /* That takes a while: no message from now on is of the time of one that is
     * lost. */
    sim_clock_pass(apr_time_from_sec(2));
    note_spread(world, step->node);
    error = sim_file_restore(node);
    if (error)
        return error;
    world->restored |= 1 << step->node;
    world->restored_at = world->events->nelts;
    world->renewed &= ~(1 << step->node);
    world->stale |= 1 << step->node;
    if ((step->number == SIM_RESTORE_NEW ||
         (step->number == SIM_RESTORE_ONLY && is_hub(world, step->node))) &&
        sim_world_must(world, "begin a new history",
                       cm_epoch_renew(node->node, world->step_pool))) {
        world->renewed |= 1 << step->node;
        world->stale &= ~(1 << step->node);
    }
    find_strangers(world, step->node, again);
    if (step->number == SIM_RESTORE_GUIDE)
        sim_world_must(world, "begin a new history",
                       renew(world, step->node, world->step_pool));
    return NULL;
}

void sim_restore_check(sim_world_t *world, const sim_step_t *step)
{
    int i;

    for (i = 0; i < world->schema->nodes - 1; i++)
        if (world->strangers >> i & 1 &&
            world->schema->links[i].caller == step->node &&
            world->schema->links[i].callee == step->peer)
            sim_world_fail(world, "accepted",
                           "%s and %s know different histories",
                           sim_schema_node_name(step->node),
                           sim_schema_node_name(step->peer));
}

void sim_restore(sim_world_t *world, const sim_step_t *step)
{
    sim_node_t *node = &world->nodes[step->node];
    const char *error = NULL;

    if (node->database != SIM_SQLITE)
        return;
    if (step->kind == SIM_SAVE) {
        if (world->stale >> step->node & 1)
            return;
        sim_world_must(world, "number messages", stamp(node, world->step_pool));
        note_kept(world, node);
        error = sim_file_save(node);
    }
    else if (node->saved) {
        error = restore(world, step);
    }
    if (error)
        sim_world_fail(world, "restore", "%s", error);
}
