/* See restore.h. */
#include "restore.h"

#include <apr_strings.h>

#include "node/epoch.h"
#include "outbox/publish.h"
#include "outbox/stamp.h"
#include "exchange.h"

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
            CM_TRY(cm_publish_all(&count, node->node, model, NULL, NULL, NULL,
                                  pool));
    }
    return NULL;
}

/* Begin a new history at node NUMBER. */
static cm_error_t *renew(sim_world_t *world, int number, apr_pool_t *pool)
{
    sim_node_t *node = &world->nodes[number];
    int i, peer;

    sim_clock_at(number);
    CM_TRY(cm_epoch_renew(node->node, pool));
    for (i = 0; i < world->schema->nodes - 1; i++) {
        const sim_link_t *link = &world->schema->links[i];

        if (link->caller != number && link->callee != number)
            continue;
        peer = link->caller == number ? link->callee : link->caller;
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
 * known limit. */
static cm_error_t *stamp(sim_node_t *node, apr_pool_t *pool)
{
    cm_stamping_t stamping = {.limit = 1000};
    int stamped = 1;

    while (stamped)
        CM_TRY(cm_stamp_chunk(&stamped, node->node, &stamping, pool));
    return NULL;
}

void sim_restore(sim_world_t *world, const sim_step_t *step)
{
    sim_node_t *node = &world->nodes[step->node];
    const char *error = NULL;

    if (node->database != SIM_SQLITE)
        return;
    if (step->kind == SIM_SAVE) {
        sim_world_must(world, "number messages", stamp(node, world->step_pool));
        error = sim_file_save(node);
    }
    else if (node->saved) {
        error = sim_file_restore(node);
        world->restored |= 1 << step->node;
        if (!error && step->number)
            sim_world_must(world, "begin a new history",
                           renew(world, step->node, world->step_pool));
    }
    if (error)
        sim_world_fail(world, "restore", "%s", error);
}
