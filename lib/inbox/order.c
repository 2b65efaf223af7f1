/* The order of a peer's messages: see order.h. */
#include "inbox/order.h"

#include <stdlib.h>

#include <apr_strings.h>

#include "base/clock.h"

static cm_error_t *gap(apr_int64_t *wanted, const cm_peer_t *peer,
                       apr_int64_t after, apr_pool_t *pool)
{
    *wanted = peer->received + 1;
    return CM_FAIL(pool, CM_GAP,
                   "the batch of '%s' follows message %" APR_INT64_T_FMT
                   ", but the last one received is %" APR_INT64_T_FMT,
                   peer->name, after, peer->received);
}

/* The last message received must be the same as before: a peer whose database
 * was restored assigns its numbers again, to other messages. */
static cm_error_t *check_history(const cm_peer_t *peer,
                                 const cm_message_t *message, apr_pool_t *pool)
{
    /* One of the gem's time had no clock, and proves nothing. */
    if (message->id != peer->held || message->error || !peer->received_clock ||
        message->clocks.clock == peer->received_clock)
        return NULL;
    return cm_error_hint(
        CM_FAIL(pool, CM_EPOCH,
                "message %" APR_INT64_T_FMT
                " of '%s' is not the one that was received under this "
                "number: its clock was %" APR_INT64_T_FMT
                ", now it is %" APR_INT64_T_FMT,
                message->id, peer->name, peer->received_clock,
                message->clocks.clock),
        pool,
        "the database of '%s' was restored from a backup, or another "
        "one has its name: `communicator-sync epoch` there says how to go on",
        peer->name);
}

/* Begin with what was received from PEER before, and no message. */
static void begin(cm_fresh_t *fresh, const cm_peer_t *peer, int count,
                  apr_pool_t *pool)
{
    fresh->messages = apr_array_make(pool, count, sizeof(cm_message_t *));
    fresh->received = peer->received;
    fresh->held = peer->held;
    fresh->held_clock = peer->received_clock;
}

static void add_fresh(cm_fresh_t *fresh, cm_message_t *message)
{
    APR_ARRAY_PUSH(fresh->messages, cm_message_t *) = message;
    if (message->id <= fresh->received)
        return;
    fresh->received = message->id;
    if (message->error)
        return;
    fresh->held = message->id;
    fresh->held_clock = message->clocks.clock;
}

static cm_error_t *order_ours(cm_fresh_t *fresh, const cm_peer_t *peer,
                              const cm_batch_t *batch, apr_pool_t *pool)
{
    apr_int64_t last = batch->after;
    int i;

    for (i = 0; i < batch->messages->nelts; i++) {
        cm_message_t *message =
            APR_ARRAY_IDX(batch->messages, i, cm_message_t *);

        if (message->id <= last || message->id < 1)
            return CM_FAIL(pool, CM_MALFORMED,
                           "message %" APR_INT64_T_FMT
                           " of the batch does not follow %" APR_INT64_T_FMT,
                           message->id, last);
        last = message->id;
        CM_TRY(check_history(peer, message, pool));
        if (message->id <= peer->received)
            fresh->repeated++;
        else
            add_fresh(fresh, message);
    }
    if (batch->last > fresh->received)
        fresh->received = batch->last;
    return NULL;
}

/* A gem's numbers have gaps, are out of order, and repeat. */
static cm_error_t *order_gem(cm_fresh_t *fresh, const cm_peer_t *peer,
                             const cm_batch_t *batch, apr_pool_t *pool)
{
    apr_hash_t *seen = apr_hash_make(pool);
    int i;

    for (i = 0; i < batch->messages->nelts; i++) {
        cm_message_t *message =
            APR_ARRAY_IDX(batch->messages, i, cm_message_t *);

        if (message->id < 1)
            return CM_FAIL(pool, CM_MALFORMED,
                           "message %d of the batch has no id", i + 1);
        if ((peer->has_received && message->id <= peer->received) ||
            apr_hash_get(seen, &message->id, sizeof(message->id))) {
            fresh->repeated++;
            continue;
        }
        apr_hash_set(seen, &message->id, sizeof(message->id), message);
        add_fresh(fresh, message);
    }
    fresh->held = fresh->held_clock = 0;
    return NULL;
}

/* A gem that gets the number to begin with sends all later rows that it has, in
 * the same run, with a time-out of ten seconds. Its next run begins with what
 * is not delivered, and proves nothing. */
#define ANSWER_LASTS apr_time_from_sec(20)

/* Return whether what is missing before BATCH, of a gem, is not there any more:
 * its row was deleted, or its transaction rolled back. */
static int is_gone(const cm_peer_t *peer, const cm_batch_t *batch)
{
    const apr_time_t ago = cm_clock_now() - peer->told_at;
    int i, answers = 0;

    for (i = 0; i < batch->messages->nelts; i++) {
        const apr_int64_t id =
            APR_ARRAY_IDX(batch->messages, i, cm_message_t *)->id;

        if (id <= batch->after)
            return 0;
        answers |= id == peer->told;
    }
    return answers && batch->after > peer->received && ago >= 0 &&
           ago < ANSWER_LASTS;
}

static int begins_wrong(const cm_peer_t *peer, const cm_batch_t *batch, int gem)
{
    if (!gem)
        return batch->after > peer->received;
    if (batch->messages->nelts &&
        APR_ARRAY_IDX(batch->messages, 0, cm_message_t *)->id < 1)
        return 1;
    return peer->has_received && batch->after != peer->received &&
           !is_gone(peer, batch);
}

cm_error_t *cm_inbox_order(cm_fresh_t **fresh, apr_int64_t *wanted,
                           const cm_peer_t *peer, const cm_batch_t *batch,
                           int gem, apr_pool_t *pool)
{
    *fresh = apr_pcalloc(pool, sizeof(**fresh));
    begin(*fresh, peer, batch->messages->nelts, pool);
    if (begins_wrong(peer, batch, gem))
        return gap(wanted, peer, batch->after, pool);
    if (gem && peer->has_received && batch->after > peer->received)
        (*fresh)->missing = batch->after - peer->received;
    return gem ? order_gem(*fresh, peer, batch, pool)
               : order_ours(*fresh, peer, batch, pool);
}

static int compare_ids(const void *a, const void *b)
{
    apr_int64_t first = (*(cm_message_t *const *)a)->id;
    apr_int64_t second = (*(cm_message_t *const *)b)->id;

    return (first > second) - (first < second);
}

void cm_inbox_order_cut(cm_fresh_t *fresh, const cm_peer_t *peer, int most,
                        int gem, apr_pool_t *pool)
{
    const apr_array_header_t *all = fresh->messages;
    int i;

    if (gem)
        qsort(all->elts, all->nelts, sizeof(cm_message_t *), compare_ids);
    if (all->nelts <= most)
        return;
    begin(fresh, peer, most, pool);
    for (i = 0; i < most; i++)
        add_fresh(fresh, APR_ARRAY_IDX(all, i, cm_message_t *));
    if (gem)
        fresh->held = fresh->held_clock = 0;
}
