/* See exchange.h. */
#include "exchange.h"

#include <stdio.h>

#include "inbox/inbox.h"
#include "node/peer.h"
#include "outbox/missing.h"
#include "outbox/outbox.h"
#include "outbox/read.h"
#include "outbox/stamp.h"

#define BATCHES 400 /* more than any history needs: it does not end */

typedef struct run_t {
    sim_world_t *world;
    const sim_step_t *step;
    cm_node_t *from, *to;
    int from_number, to_number;
    const char *from_name, *to_name;
    int *moved;
    apr_pool_t *pool; /* of the batch */
} run_t;

/* Read the next batch of FROM behind AFTER. */
static cm_error_t *read_batch(cm_batch_t **batch, run_t *run, apr_int64_t after)
{
    cm_stamping_t stamping = {.limit = run->step->limit, .peer = run->to_name};
    cm_reading_t reading = {.peer = run->to_name,
                            .after = after,
                            .limits = {run->step->limit, 1 << 20}};
    int stamped;

    CM_TRY(cm_stamp_chunk(&stamped, run->from, &stamping, run->pool));
    reading.stamped = stamping.rows;
    CM_TRY(cm_outbox_read(batch, run->from, &reading, run->pool, run->pool));
    (*batch)->more |= stamped > 0;
    return NULL;
}

/* Write BATCH as it goes over the wire and read it back. */
static cm_error_t *carry(cm_batch_t *batch, run_t *run)
{
    cm_buffer_t *text = cm_buffer_create(4096, run->pool);
    int i;

    for (i = 0; i < batch->messages->nelts; i++)
        cm_message_write(text,
                         APR_ARRAY_IDX(batch->messages, i, cm_message_t *), 0);
    cm_buffer_append(text, batch->messages->nelts ? "]" : "[]",
                     batch->messages->nelts ? 1 : 2);
    return cm_message_read_batch(&batch->messages, text->data, text->size,
                                 run->pool);
}

static void report(run_t *run, const cm_batch_t *batch,
                   const cm_receipt_t *receipt)
{
    int i;

    if (!run->world->verbose)
        return;
    printf("#   %s -> %s: %d messages, up to %" APR_INT64_T_FMT
           "; %d applied, %d parked\n",
           run->from_name, run->to_name, batch->messages->nelts,
           receipt->received, receipt->applied, receipt->parked->nelts);
    for (i = 0; i < receipt->parked->nelts; i++) {
        const cm_parked_t *parked =
            &APR_ARRAY_IDX(receipt->parked, i, cm_parked_t);

        printf("#     parked %" APR_INT64_T_FMT " (%s %s): %s\n", parked->id,
               parked->model, parked->identity.original_id, parked->reason);
    }
}

/* Let TO receive BATCH. */
static cm_error_t *receive(cm_receipt_t **receipt, run_t *run,
                           const cm_batch_t *batch)
{
    apr_int64_t wanted;

    sim_clock_at(run->to_number);
    CM_TRY(cm_inbox_receive(receipt, &wanted, run->to, run->from_name, batch, 0,
                            run->pool));
    report(run, batch, *receipt);
    *run->moved += (*receipt)->accepted;
    return NULL;
}

/* Where TO wants FROM to go on: what it holds. */
static cm_error_t *find_place(apr_int64_t *after, run_t *run)
{
    cm_peer_t *peer;

    sim_clock_at(run->to_number);
    CM_TRY(cm_peer_load(&peer, run->to, run->from_name, 0, run->pool));
    *after = peer->received;
    sim_clock_at(run->from_number);
    return cm_outbox_confirm(run->from, run->to_name, *after, *after,
                             run->pool);
}

/* One batch, if there is one; *MORE: go on. */
static cm_error_t *exchange(int *more, run_t *run, apr_int64_t *after)
{
    cm_batch_t *batch;
    cm_receipt_t *receipt;

    sim_clock_at(run->from_number);
    CM_TRY(read_batch(&batch, run, *after));
    *more = batch->more;
    if (!batch->messages->nelts && batch->last <= *after)
        return NULL;
    CM_TRY(carry(batch, run));
    CM_TRY(receive(&receipt, run, batch));
    if (run->step->mishap == SIM_MISHAP_TWICE)
        CM_TRY(receive(&receipt, run, batch));
    *after = receipt->received;
    if (run->step->mishap == SIM_MISHAP_REPLY ||
        run->step->mishap == SIM_MISHAP_STOP)
        *more = 0;
    if (run->step->mishap == SIM_MISHAP_REPLY)
        return NULL;
    sim_clock_at(run->from_number);
    return cm_outbox_confirm(run->from, run->to_name, *after, *after,
                             run->pool);
}

void sim_exchange_push(sim_world_t *world, const sim_step_t *step, int from,
                       int to, int *moved)
{
    run_t run = {.world = world,
                 .step = step,
                 .from = world->nodes[from].node,
                 .to = world->nodes[to].node,
                 .from_number = from,
                 .to_number = to,
                 .from_name = sim_schema_node_name(from),
                 .to_name = sim_schema_node_name(to),
                 .moved = moved};
    apr_int64_t after = 0, said;
    int more = 1, batches = 0;

    apr_pool_create(&run.pool, world->pool);
    sim_clock_at(from);
    if (sim_world_must(world, "publish what was missing",
                       cm_missing_publish(&said, run.from, run.pool)) &&
        sim_world_must(world, "meet", find_place(&after, &run)))
        while (more && batches++ < BATCHES) {
            apr_pool_clear(run.pool);
            if (!sim_world_must(world, "exchange",
                                exchange(&more, &run, &after)))
                break;
        }
    if (batches > BATCHES)
        sim_world_fail(world, "endless", "a run does not end");
    apr_pool_destroy(run.pool);
}

void sim_exchange_retry(sim_world_t *world, int node, int peer, int *moved)
{
    cm_receipt_t *receipt;
    apr_pool_t *pool;
    apr_int64_t said = 0;
    cm_error_t *err;

    apr_pool_create(&pool, world->pool);
    sim_clock_at(node);
    err = cm_missing_publish(&said, world->nodes[node].node, pool);
    if (!err)
        err = cm_inbox_retry(&receipt, world->nodes[node].node,
                             sim_schema_node_name(peer), pool);
    if (sim_world_must(world, "retry", err))
        *moved += (int)said + receipt->applied;
    apr_pool_destroy(pool);
}
