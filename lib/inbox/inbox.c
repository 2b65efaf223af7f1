/* The inbox: see inbox.h. */
#include "inbox/inbox.h"

#include <apr_strings.h>

#include "base/clock.h"
#include "inbox/attempt.h"
#include "inbox/nameless.h"
#include "inbox/order.h"
#include "inbox/received.h"

/* Columns of all records of a batch: each takes some 300 bytes while it is
 * applied. They are not counted in a batch of fewer messages. */
#define MOST_CELLS    1500000
#define MANY_MESSAGES 1000

int cm_inbox_is_mostly_parked(apr_int64_t parked, apr_int64_t count)
{
    return count >= CM_MOSTLY_PARKED && parked * 2 > count;
}

int cm_inbox_receipt_mostly_parked(const cm_receipt_t *receipt)
{
    int parked = 0, i;

    for (i = 0; i < receipt->parked->nelts; i++)
        parked += !APR_ARRAY_IDX(receipt->parked, i, cm_parked_t).transient;
    return cm_inbox_is_mostly_parked(parked, receipt->accepted) ? parked : 0;
}

static cm_error_t *add_messages(cm_apply_t *apply, apr_int64_t arrived,
                                const apr_array_header_t *messages,
                                apr_pool_t *scratch_pool)
{
    int i;

    if (!apply->refusal)
        CM_TRY(cm_inbox_rows_add_same(apply, messages, 0, scratch_pool));
    for (i = 0; i < messages->nelts; i++)
        (void)cm_apply_add(apply, CM_NTH(messages, i, cm_message_t), arrived,
                           0);
    return NULL;
}

static int all_done(const cm_apply_t *apply)
{
    int i;

    for (i = 0; i < apply->items->nelts; i++) {
        const cm_item_t *item = CM_NTH(apply->items, i, cm_item_t);

        if (!item->applied && !item->attempts)
            return 0;
    }
    return 1;
}

/* CommunicatorOnError stop: apply messages one by one, as the gem does, until
 * one fails; those before it stay applied. */
static cm_error_t *apply_one_by_one(int *created, cm_attempt_t *attempt,
                                    cm_fresh_t *fresh, cm_peer_t *peer,
                                    apr_pool_t *scratch_pool)
{
    cm_store_t *store = attempt->node->store;
    int i;

    *created = 0;
    fresh->received = peer->received;
    if (!attempt->gem) {
        fresh->held = peer->held;
        fresh->held_clock = peer->received_clock;
    }
    for (i = 0; i < fresh->messages->nelts; i++) {
        cm_message_t *message = CM_NTH(fresh->messages, i, cm_message_t);
        cm_apply_t *apply = cm_attempt_begin(attempt, attempt->pool);
        apr_array_header_t *one =
            apr_array_make(scratch_pool, 1, sizeof(cm_message_t *));

        APR_ARRAY_PUSH(one, cm_message_t *) = message;
        CM_TRY(cm_transaction_savepoint(store, "message", scratch_pool));
        CM_TRY(add_messages(apply, attempt->arrived, one, scratch_pool));
        CM_TRY(cm_apply_run(apply, scratch_pool));
        if (!all_done(apply)) {
            attempt->outcome.stopped =
                CM_NTH(apply->items, apply->items->nelts - 1, cm_item_t)->error;
            attempt->outcome.stopped_id = message->id;
            fresh->messages->nelts = i;
            CM_TRY(cm_transaction_rollback_to(store, "message", scratch_pool));
            return cm_transaction_release(store, "message", scratch_pool);
        }
        CM_TRY(cm_transaction_release(store, "message", scratch_pool));
        CM_TRY(cm_attempt_finish(attempt, apply, 0, 0, scratch_pool));
        *created += apply->created;
        if (message->id > fresh->received)
            fresh->received = message->id;
        if (attempt->gem || message->error)
            continue;
        fresh->held = message->id;
        fresh->held_clock = message->clocks.clock;
    }
    return NULL;
}

/* Take from APPLY the messages of the batch that are not applied, and return
 * them. */
static apr_array_header_t *take_rest(cm_apply_t *apply, apr_pool_t *pool)
{
    apr_array_header_t *rest = apr_array_make(pool, 4, sizeof(cm_message_t *));
    int i, kept = 0;

    for (i = 0; i < apply->items->nelts; i++) {
        cm_item_t *item = CM_NTH(apply->items, i, cm_item_t);

        if (item->applied || item->attempts)
            APR_ARRAY_IDX(apply->items, kept++, cm_item_t *) = item;
        else
            APR_ARRAY_PUSH(rest, cm_message_t *) = item->message;
    }
    apply->items->nelts = kept;
    return rest;
}

/* Apply all of FRESH, in APPLY; *DONE: it was possible. What could not come is
 * tried again, as if it had been parked: a trigger of the application may have
 * put back a row that this batch deletes, which is seen only then. */
static cm_error_t *apply_whole(int *done, int *created, cm_attempt_t *attempt,
                               cm_apply_t *apply, const cm_fresh_t *fresh,
                               apr_pool_t *scratch_pool)
{
    apr_array_header_t *rest = fresh->messages;
    int count;

    for (;;) {
        count = rest->nelts;
        CM_TRY(add_messages(apply, attempt->arrived, rest, scratch_pool));
        CM_TRY(cm_apply_run(apply, scratch_pool));
        *created += apply->created;
        *done = all_done(apply);
        if (*done)
            break;
        rest = take_rest(apply, scratch_pool);
        if (rest->nelts == count)
            return NULL;
        CM_TRY(cm_attempt_finish(attempt, apply, 1, 0, scratch_pool));
        apply = cm_attempt_begin(attempt, attempt->pool);
    }
    attempt->outcome.parked = apply->had_parked;
    return cm_attempt_finish(attempt, apply, 1, 0, scratch_pool);
}

/* CommunicatorOnError stop: apply all at once, but only if all can be applied.
 */
static cm_error_t *apply_all_or_stop(int *created, cm_attempt_t *attempt,
                                     cm_fresh_t *fresh, cm_peer_t *peer,
                                     apr_pool_t *scratch_pool)
{
    const cm_receipt_t receipt = *attempt->receipt;
    const int altered = receipt.altered->nelts;
    cm_store_t *store = attempt->node->store;
    cm_apply_t *apply = cm_attempt_begin(attempt, attempt->pool);
    int done;

    CM_TRY(cm_transaction_savepoint(store, "batch", scratch_pool));
    CM_TRY(apply_whole(&done, created, attempt, apply, fresh, scratch_pool));
    if (!done) {
        *attempt->receipt = receipt;
        attempt->receipt->altered->nelts = altered;
        CM_TRY(cm_transaction_rollback_to(store, "batch", scratch_pool));
        CM_TRY(apply_one_by_one(created, attempt, fresh, peer, scratch_pool));
    }
    return cm_transaction_release(store, "batch", scratch_pool);
}

/* Apply all at once. *CREATED: there are new records, for which parked messages
 * may wait. */
static cm_error_t *apply_fresh(int *created, cm_attempt_t *attempt,
                               cm_fresh_t *fresh, cm_peer_t *peer,
                               apr_pool_t *scratch_pool)
{
    cm_apply_t *apply;

    *created = 0;
    attempt->outcome.parked = 1;
    if (attempt->mode.singly)
        return apply_one_by_one(created, attempt, fresh, peer, scratch_pool);
    if (cm_attempt_stops(attempt))
        return apply_all_or_stop(created, attempt, fresh, peer, scratch_pool);
    apply = cm_attempt_begin(attempt, attempt->pool);
    CM_TRY(
        add_messages(apply, attempt->arrived, fresh->messages, scratch_pool));
    CM_TRY(cm_apply_run(apply, scratch_pool));
    *created = apply->created;
    attempt->outcome.parked = apply->had_parked || !all_done(apply);
    return cm_attempt_finish(attempt, apply, 1, 0, scratch_pool);
}

/* Find which messages of the batch are new here, and, when it is applied in
 * parts, which are the next part. */
static cm_error_t *find_fresh(cm_fresh_t **fresh, cm_attempt_t *attempt,
                              const cm_peer_t *peer)
{
    cm_batch_t batch = *attempt->batch;

    attempt->receipt->received = peer->received;
    if (attempt->mode.isolated && attempt->gem)
        batch.after = peer->received;
    CM_TRY(cm_inbox_order(fresh, attempt->wanted, peer, &batch, attempt->gem,
                          attempt->pool));
    if (attempt->mode.isolated)
        cm_inbox_order_cut(*fresh, peer, attempt->mode.most, attempt->gem,
                           attempt->pool);
    else
        attempt->receipt->repeated = (*fresh)->repeated;
    if ((*fresh)->missing)
        attempt->receipt->missing = (*fresh)->missing;
    attempt->outcome.count = (*fresh)->messages->nelts;
    return NULL;
}

/* Retry what waited for the records of this batch. */
static cm_error_t *release(cm_attempt_t *attempt, apr_pool_t *scratch_pool)
{
    int some, few;

    CM_TRY(cm_inbox_retry_some(&some, &few, attempt->node, attempt->peer,
                               scratch_pool));
    if (!some)
        return NULL;
    if (few)
        return cm_inbox_retry_waiting(attempt, scratch_pool);
    attempt->node->owes_release = 1;
    return NULL;
}

/* Note when a peer that calls has sent BATCH, by its clock: what it sent before
 * and what comes after this is late. */
static void note_contact(cm_peer_t *peer, const cm_batch_t *batch)
{
    if (batch->clock <= 0)
        return;
    peer->last_push_at = cm_clock_now();
    peer->clock_offset = batch->clock - peer->last_push_at;
}

/* Add to the history what is new of the batch, as it came if that is all. */
static cm_error_t *keep_received(const cm_attempt_t *attempt,
                                 const cm_fresh_t *fresh,
                                 apr_pool_t *scratch_pool)
{
    const cm_batch_t *batch = attempt->batch;
    const int is_all = fresh->messages->nelts == batch->messages->nelts;

    return cm_inbox_received_keep(attempt->node, attempt->peer, fresh->messages,
                                  is_all ? batch->packed : NULL,
                                  attempt->arrived, scratch_pool);
}

/* Return whether a message may have been left out before one of FRESH. The next
 * message of its record brings what it had changed, if it is merged; at equal
 * clocks nothing else shows that. */
static int may_lack(const cm_fresh_t *fresh, const cm_peer_t *peer,
                    const cm_batch_t *batch)
{
    apr_int64_t last = peer->received;
    int i;

    for (i = 0; i < fresh->messages->nelts; i++)
        if (CM_NTH(fresh->messages, i, cm_message_t)->id != ++last)
            return 1;
    return batch->lacks;
}

static cm_error_t *apply_batch(cm_attempt_t *attempt, apr_pool_t *scratch_pool)
{
    cm_fresh_t *fresh;
    cm_peer_t *peer;
    int created = 0;

    CM_TRY(cm_peer_load(&peer, attempt->node, attempt->peer, 1, scratch_pool));
    attempt->lost = peer->lost;
    CM_TRY(find_fresh(&fresh, attempt, peer));
    attempt->mode.long_way |= may_lack(fresh, peer, attempt->batch);
    if (fresh->messages->nelts)
        CM_TRY(apply_fresh(&created, attempt, fresh, peer, scratch_pool));
    CM_TRY(keep_received(attempt, fresh, scratch_pool));
    attempt->outcome.created += created;
    if (created && attempt->outcome.parked && !attempt->mode.isolated)
        CM_TRY(release(attempt, scratch_pool));
    if (fresh->received == peer->received && peer->has_received)
        return NULL;
    peer->has_received |= attempt->receipt->accepted > 0 || !attempt->gem;
    peer->received = attempt->receipt->received = fresh->received;
    peer->held = fresh->held;
    peer->received_clock = fresh->held_clock;
    /* Without a clock it proves nothing, but it is no gem's count. */
    if (!attempt->gem && !peer->held)
        peer->held = peer->received;
    note_contact(peer, attempt->batch);
    return cm_peer_save(attempt->node, peer, scratch_pool);
}

/* Messages of other peers may wait for records of this one; so may its own, if
 * the batch was applied in parts. This batch is committed, whatever becomes of
 * them: their own runs retry them again, and report what is wrong. */
static void release_others(cm_attempt_t *attempt)
{
    cm_error_t *err;
    int some, few;

    if (attempt->node->settings->peers->nelts < 2 && !attempt->mode.isolated)
        return;
    err = cm_inbox_retry_some(&some, &few, attempt->node, NULL, attempt->pool);
    if (!err && some && few)
        err = cm_inbox_retry_all_waiting(attempt, attempt->pool);
    attempt->node->owes_release |= err || !few;
}

/* Return the table of MESSAGE as this connection remembers it, or NULL. */
static const cm_table_t *remembered(const cm_node_t *node,
                                    const cm_message_t *message)
{
    return message->model ? apr_hash_get(node->tables.by_model, message->model,
                                         APR_HASH_KEY_STRING)
                          : NULL;
}

/* Return whether MESSAGE has an attribute for which TABLE has no column. */
static int is_unknown(const cm_table_t *table, const cm_message_t *message)
{
    int i;

    if (!message->attributes)
        return 0;
    for (i = 0; i < message->attributes->nelts; i++)
        if (!cm_table_column(
                table,
                APR_ARRAY_IDX(message->attributes, i, cm_attribute_t).name))
            return 1;
    return 0;
}

/* A column may be newer than what this connection remembers of the table, and
 * its values would be left out: if so, read the tables again. The peer may also
 * have columns that this side lacks for good, in every batch. */
static void look_again(cm_node_t *node, const cm_batch_t *batch,
                       apr_pool_t *scratch_pool)
{
    apr_hash_t *asked = apr_hash_make(scratch_pool);
    int i, more;

    for (i = 0; i < batch->messages->nelts; i++) {
        const cm_message_t *message = CM_NTH(batch->messages, i, cm_message_t);
        const cm_table_t *table = remembered(node, message);

        if (!table || apr_hash_get(asked, &table, sizeof(table)) ||
            !is_unknown(table, message))
            continue;
        if (cm_table_has_more(&more, table, node->store, scratch_pool) ||
            more) {
            cm_node_forget(node);
            return;
        }
        apr_hash_set(asked, apr_pmemdup(scratch_pool, &table, sizeof(table)),
                     sizeof(table), table);
    }
}

/* Return the table of MESSAGE, or NULL. */
static const cm_table_t *table_of(cm_node_t *node, const cm_message_t *message,
                                  apr_pool_t *pool)
{
    const cm_table_t *table = remembered(node, message);
    const cm_model_t *model = NULL;

    if (!table && message->model)
        model = cm_settings_model(node->settings, message->model);
    return model && cm_node_table(&table, node, model, pool) ? NULL : table;
}

/* A message with two columns may be for a table of two thousand, and takes
 * memory for all of them while it is applied. */
static cm_error_t *check_weight(cm_node_t *node, const cm_batch_t *batch,
                                apr_pool_t *pool)
{
    apr_int64_t cells = 0;
    apr_pool_t *iterpool;
    int i;

    apr_pool_create(&iterpool, pool);
    for (i = 0; i < batch->messages->nelts; i++) {
        const cm_table_t *table;

        apr_pool_clear(iterpool);
        table =
            table_of(node, CM_NTH(batch->messages, i, cm_message_t), iterpool);
        cells += table ? table->column_count : 0;
        if (cells > MOST_CELLS && i)
            return CM_FAIL(pool, CM_TOO_LARGE,
                           "%d messages at once are too many for tables with "
                           "so many columns",
                           batch->messages->nelts);
    }
    apr_pool_destroy(iterpool);
    return NULL;
}

/* Tell a person about a gem that names no records. If that fails, it does no
 * harm: what the gem sent is committed, and its next batch tries again. */
static void tell_nameless(const cm_attempt_t *attempt)
{
    const cm_error_t *err =
        attempt->gem ? cm_nameless_note(attempt->node, attempt->peer,
                                        attempt->batch->messages, attempt->pool)
                     : NULL;

    (void)err;
}

/* If ERR is a gap, remember that the gem learns where to begin: its next batch
 * is all that it has from there on. Return ERR. */
static cm_error_t *note_gap(const cm_attempt_t *attempt, cm_error_t *err)
{
    const apr_array_header_t *messages = attempt->batch->messages;

    if (err && err->code == CM_GAP && attempt->gem)
        CM_TRY(cm_peer_note_told(
            attempt->node, attempt->peer,
            CM_NTH(messages, messages->nelts - 1, cm_message_t)->id,
            attempt->pool));
    return err;
}

cm_error_t *cm_inbox_receive(cm_receipt_t **receipt, apr_int64_t *wanted,
                             cm_node_t *node, const char *peer,
                             const cm_batch_t *batch, int gem,
                             apr_pool_t *result_pool)
{
    cm_attempt_t attempt = {.node = node,
                            .peer = peer,
                            .batch = batch,
                            .gem = gem,
                            .receipt = cm_attempt_receipt(result_pool),
                            .result_pool = result_pool,
                            .arrived = cm_clock_now(),
                            .wanted = wanted};

    apr_pool_create(&attempt.pool, result_pool);
    look_again(node, batch, attempt.pool);
    if (batch->messages->nelts >= MANY_MESSAGES)
        CM_TRY(check_weight(node, batch, result_pool));
    CM_TRY_FOR(
        note_gap(&attempt, cm_attempt_run(&attempt, apply_batch, attempt.pool)),
        result_pool, "cannot apply the messages of '%s'", peer);
    *receipt = attempt.receipt;
    tell_nameless(&attempt);
    if (attempt.outcome.created)
        release_others(&attempt);
    if (!attempt.outcome.stopped)
        return NULL;
    return cm_error_make(result_pool, attempt.outcome.stopped->code,
                         attempt.outcome.stopped, __FILE__, __LINE__,
                         "message %" APR_INT64_T_FMT
                         " of '%s' cannot be applied",
                         attempt.outcome.stopped_id, peer);
}
