/* One transaction of the inbox, and how it is repeated: see attempt.h. */
#include "inbox/attempt.h"

#include <apr_strings.h>
#include <apr_time.h>

#include "base/clock.h"
#include "store/dialect.h"
#include "node/altered.h"
#include "outbox/stamp.h"
#include "inbox/after.h"

/* What usually passes is tried this often before it is the messages' fault. */
#define TRIES       3
#define TRIES_PAUSE apr_time_from_msec(50)

cm_receipt_t *cm_attempt_receipt(apr_pool_t *pool)
{
    cm_receipt_t *receipt = apr_pcalloc(pool, sizeof(*receipt));

    receipt->parked = apr_array_make(pool, 4, sizeof(cm_parked_t));
    receipt->altered = apr_array_make(pool, 0, sizeof(cm_altered_t));
    return receipt;
}

int cm_attempt_stops(const cm_attempt_t *attempt)
{
    return attempt->batch &&
           attempt->node->settings->on_error == CM_ON_ERROR_STOP;
}

cm_apply_t *cm_attempt_begin(cm_attempt_t *attempt, apr_pool_t *pool)
{
    cm_apply_t *apply = cm_apply_create(attempt->node, attempt->peer, pool);

    apply->isolate_schema = attempt->mode.isolate_schema;
    apply->strict = attempt->mode.strict;
    apply->refusal = attempt->mode.refusal;
    apply->lost = attempt->lost;
    apply->since = attempt->batch ? attempt->batch->since : 0;
    if (!attempt->mode.long_way)
        apply->hasty = &attempt->outcome.hasty;
    return apply;
}

static void note_parked(cm_attempt_t *attempt, const cm_item_t *item)
{
    cm_parked_t *parked = apr_array_push(attempt->receipt->parked);
    const cm_message_t *message = item->message;
    apr_pool_t *pool = attempt->result_pool;

    *parked = (cm_parked_t){
        .id = message->id,
        .model = apr_pstrdup(pool, message->model),
        .identity = {apr_pstrdup(pool, message->identity.origin),
                     apr_pstrdup(pool, message->identity.original_id)},
        .reason = apr_pstrdup(pool, cm_error_text(item->error, pool)),
        .transient = cm_error_code_is_transient(item->error->code)};
}

/* ITEM came along and is applied: it is not parked any more. */
static void forget_parked(cm_attempt_t *attempt, const cm_item_t *item)
{
    apr_array_header_t *parked = attempt->receipt->parked;
    int i, kept = 0;

    for (i = 0; i < parked->nelts; i++) {
        const cm_parked_t one = APR_ARRAY_IDX(parked, i, cm_parked_t);

        if (one.id != item->message->id)
            APR_ARRAY_IDX(parked, kept++, cm_parked_t) = one;
    }
    parked->nelts = kept;
}

static void note_altered(cm_attempt_t *attempt, const cm_apply_t *apply)
{
    apr_pool_t *pool = attempt->result_pool;
    int i;

    for (i = 0; i < apply->altered->nelts; i++) {
        const cm_altered_t *altered =
            &APR_ARRAY_IDX(apply->altered, i, cm_altered_t);

        APR_ARRAY_PUSH(attempt->receipt->altered, cm_altered_t) =
            (cm_altered_t){.model = apr_pstrdup(pool, altered->model),
                           .column = apr_pstrdup(pool, altered->column),
                           .local_id = apr_pstrdup(pool, altered->local_id)};
    }
}

cm_error_t *cm_attempt_finish(cm_attempt_t *attempt, cm_apply_t *apply,
                              int attempts, int note_kept,
                              apr_pool_t *scratch_pool)
{
    int i;

    CM_TRY(cm_apply_finish(apply, scratch_pool));
    note_altered(attempt, apply);
    CM_TRY(cm_inbox_rows_keep(apply, attempts, scratch_pool));
    CM_TRY(cm_after_note(apply, scratch_pool));
    for (i = 0; i < apply->items->nelts; i++) {
        const cm_item_t *item = CM_NTH(apply->items, i, cm_item_t);

        attempt->receipt->applied += item->applied;
        attempt->receipt->accepted += !item->attempts;
        if (item->comes_along && item->applied)
            forget_parked(attempt, item);
        else if (!item->applied && !item->comes_along &&
                 (note_kept || !item->attempts))
            note_parked(attempt, item);
    }
    return NULL;
}

/* Return whether ERR says only that the database is away, or busy with others.
 */
static int is_lost(const cm_attempt_t *attempt, const cm_error_t *err,
                   apr_time_t began, apr_pool_t *scratch_pool)
{
    cm_store_t *store = attempt->node->store;

    if (err->code == CM_UNAVAILABLE &&
        !cm_transaction_revive(store, scratch_pool))
        return 1;
    return cm_transaction_is_outside(store, cm_clock_now() - began);
}

/* Not with cm_transaction_end(), which does not say whether the commit failed.
 */
static cm_error_t *in_transaction(cm_attempt_t *attempt, cm_attempt_work_t work,
                                  apr_pool_t *scratch_pool)
{
    cm_store_t *store = attempt->node->store;
    apr_time_t began = cm_clock_now();
    cm_error_t *err;

    attempt->outcome.count = attempt->outcome.hasty = 0;
    attempt->outcome.stopped = NULL;
    CM_TRY(cm_transaction_begin(store, scratch_pool));
    err = work(attempt, scratch_pool);
    if (!err) {
        err = cm_transaction_commit(store, scratch_pool);
        if (!err)
            return NULL;
        /* by constraints that are checked at the end of the transaction */
        attempt->mode.strict |= !cm_error_code_is_transient(err->code);
    }
    cm_transaction_rollback(store);
    attempt->outcome.lost = is_lost(attempt, err, began, scratch_pool);
    if (cm_dialect_of_store(store)->keeps_variables && !attempt->outcome.lost) {
        cm_error_t *ignored =
            cm_node_applying(attempt->node, NULL, scratch_pool);

        (void)ignored;
    }
    return err;
}

/* Return whether the last transaction may have failed because of its messages.
 */
static int is_of_messages(const cm_attempt_t *attempt)
{
    return attempt->outcome.count > 0 && !attempt->outcome.lost &&
           !cm_attempt_stops(attempt);
}

/* Return whether to try the messages singly after ERR, where the batch is not
 * halved: what one of them has changed may be in the way of another. */
static int try_singly(cm_attempt_t *attempt, const cm_error_t *err)
{
    if (!cm_attempt_stops(attempt) || attempt->mode.singly ||
        attempt->outcome.count < 2 || attempt->outcome.lost ||
        err->code != CM_BUSY)
        return 0;
    attempt->mode.singly = 1;
    return 1;
}

/* Return whether to try once more after ERR, when TRIES have failed. STRICT
 * says how the last one was made. */
static int try_again(cm_attempt_t *attempt, const cm_error_t *err, int strict,
                     int tries)
{
    const int whole = !attempt->mode.most || attempt->mode.most == 1;

    if (err->code == CM_SCHEMA && !attempt->mode.isolate_schema) {
        cm_node_forget(attempt->node);
        attempt->mode.isolate_schema = 1;
        return 1;
    }
    if (attempt->outcome.hasty && !attempt->outcome.lost) {
        attempt->mode.long_way = 1;
        return 1;
    }
    if (try_singly(attempt, err))
        return 1;
    /* only then it is known what the commit has refused, also to stop there */
    if (attempt->mode.strict && !strict && !attempt->outcome.lost)
        return 1;
    if (!is_of_messages(attempt))
        return 0;
    if (!whole || tries >= TRIES || !cm_error_code_is_transient(err->code))
        return 0;
    if (!attempt->mode.most)
        cm_clock_sleep(tries * TRIES_PAUSE);
    return 1;
}

/* Stamp what is committed here, so that stamping within the transaction is
 * short; then run WORK in a transaction. Repeat it when the tables have changed
 * since they were read, and after failures that may pass by themselves. */
static cm_error_t *run_part(cm_attempt_t *attempt, cm_attempt_work_t work,
                            apr_pool_t *scratch_pool)
{
    const cm_receipt_t receipt = *attempt->receipt;
    const int parked = receipt.parked->nelts,
              created = attempt->outcome.created;
    const int altered = receipt.altered->nelts;
    const cm_page_t page = attempt->page;
    apr_int64_t stamped;
    int tries, strict;
    cm_error_t *err;

    if (!attempt->mode.most) {
        CM_TRY(cm_stamp_all(&stamped, attempt->node, scratch_pool));
        attempt->mode.isolate_schema = 0;
    }
    for (tries = 1;; tries++) {
        strict = attempt->mode.strict;
        err = in_transaction(attempt, work, scratch_pool);
        if (!err)
            return NULL;
        *attempt->receipt = receipt;
        attempt->receipt->parked->nelts = parked;
        attempt->receipt->altered->nelts = altered;
        attempt->outcome.created = created;
        attempt->page = page;
        if (!try_again(attempt, err, strict, tries))
            return err;
    }
}

/* Return why a message is parked that failed alone with ERR. What usually
 * passes did not pass for this message: a person is needed. */
static const cm_error_t *reason_of(const cm_error_t *err, apr_pool_t *pool)
{
    if (!cm_error_code_is_transient(err->code))
        return err;
    return cm_error_hint(
        cm_error_make(
            pool, CM_REJECTED, err, __FILE__, __LINE__,
            "the database fails whenever this message is applied, and "
            "not without it"),
        pool, "look for a trigger of the application that raises this");
}

/* Apply the next COUNT messages at once. One that fails alone is parked. */
static cm_error_t *try_part(cm_attempt_t *attempt, cm_attempt_work_t work,
                            int count, apr_pool_t *pool)
{
    cm_error_t *err;

    attempt->pool = pool;
    attempt->mode.most = count;
    err = run_part(attempt, work, pool);
    if (!err || count > 1 || !is_of_messages(attempt))
        return err;
    attempt->mode.refusal = reason_of(err, pool);
    err = run_part(attempt, work, pool);
    attempt->mode.refusal = NULL;
    attempt->outcome.count = 0; /* if that fails, no message is at fault */
    return err;
}

/* Apply the next COUNT messages, in halves until the bad ones are alone. */
static cm_error_t *try_halves(cm_attempt_t *attempt, cm_attempt_work_t work,
                              int count, apr_pool_t *scratch_pool)
{
    apr_pool_t *pool;
    cm_error_t *err;

    apr_pool_create(&pool, scratch_pool);
    err = try_part(attempt, work, count, pool);
    if (err && (count == 1 || !is_of_messages(attempt)))
        err = cm_error_copy(err, scratch_pool);
    else if (err)
        err = NULL;
    else
        count = 1;
    apr_pool_destroy(pool);
    if (err || count == 1)
        return err;
    CM_TRY(try_halves(attempt, work, count / 2, scratch_pool));
    return try_halves(attempt, work, count - count / 2, scratch_pool);
}

cm_error_t *cm_attempt_run(cm_attempt_t *attempt, cm_attempt_work_t work,
                           apr_pool_t *scratch_pool)
{
    cm_error_t *err = run_part(attempt, work, scratch_pool);

    if (!err || !is_of_messages(attempt))
        return err;
    attempt->mode.isolated = 1;
    err = try_halves(attempt, work, attempt->outcome.count, scratch_pool);
    attempt->pool = scratch_pool;
    attempt->mode.most = 0;
    return err;
}
