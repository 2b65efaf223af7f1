/* The inbox: see cm_inbox.h. */
#include "cm_inbox.h"

#include <apr_strings.h>

#include "cm_dialect.h"
#include "cm_inbox_order.h"
#include "cm_inbox_rows.h"

/* From this size on, a batch most of which cannot be applied is a mistake of
 * someone here (a table dropped, a model not declared), not of its messages:
 * it stays with the peer. */
#define THRESHOLD_MESSAGES 20

/* What is at work: one transaction, for one peer. */
typedef struct taking_t {
    cm_node_t *node;
    const char *peer;
    const cm_batch_t *batch; /* NULL: only what is parked is tried */
    int gem;
    int isolate_schema;
    cm_receipt_t *receipt;
    apr_int64_t *wanted;
    const cm_error_t *stopped; /* CM_ON_ERROR_STOP: why ... */
    apr_int64_t stopped_id;    /* ... and at which message */
    cm_page_t page;            /* of what is parked */
    int created;               /* records that it brought */
    apr_pool_t *pool;          /* of what outlives the transaction */
    apr_pool_t *result_pool;   /* of the receipt */
} taking_t;

static cm_run_t *begin_run(const taking_t *taking, apr_pool_t *pool)
{
    cm_run_t *run = cm_run_create(taking->node, taking->peer, pool);

    run->isolate_schema = taking->isolate_schema;
    return run;
}

static void note_parked(taking_t *taking, const cm_item_t *item)
{
    cm_parked_t *parked = apr_array_push(taking->receipt->parked);
    const cm_message_t *message = item->message;
    apr_pool_t *pool = taking->result_pool;

    *parked = (cm_parked_t){
        .id = message->id,
        .model = apr_pstrdup(pool, message->model),
        .identity = {apr_pstrdup(pool, message->identity.origin),
                     apr_pstrdup(pool, message->identity.original_id)},
        .reason = apr_pstrdup(pool, cm_error_text(item->error, pool)),
        .transient = cm_code_is_transient(item->error->code)};
}

/* Write what a run did, and count it. */
static cm_error_t *finish_run(taking_t *taking, cm_run_t *run, int attempts,
                              int note_kept, apr_pool_t *scratch_pool)
{
    int i;

    CM_TRY(cm_run_finish(run, scratch_pool));
    CM_TRY(cm_inbox_keep(run, attempts, scratch_pool));
    for (i = 0; i < run->items->nelts; i++) {
        const cm_item_t *item = CM_NTH(run->items, i, cm_item_t);

        taking->receipt->applied += item->done;
        taking->receipt->accepted += !item->kept;
        if (!item->done && (note_kept || !item->kept))
            note_parked(taking, item);
    }
    return NULL;
}

/* Fail when most of a large batch cannot be applied for good. */
static cm_error_t *check_threshold(const taking_t *taking, const cm_run_t *run)
{
    const cm_item_t *first = NULL;
    int fresh = 0, refused = 0, i;

    for (i = 0; i < run->items->nelts; i++) {
        const cm_item_t *item = CM_NTH(run->items, i, cm_item_t);

        if (item->kept)
            continue;
        fresh++;
        if (item->done || cm_code_is_transient(item->error->code))
            continue;
        first = first ? first : item;
        refused++;
    }
    if (fresh < THRESHOLD_MESSAGES || refused * 2 <= fresh)
        return NULL;
    return cm_error_make(taking->pool, first->error->code, first->error,
                         __FILE__, __LINE__,
                         "%d of %d messages cannot be applied, nothing was "
                         "kept; the first is %" APR_INT64_T_FMT,
                         refused, fresh, first->message->id);
}

static cm_error_t *add_messages(cm_run_t *run,
                                const apr_array_header_t *messages,
                                apr_pool_t *scratch_pool)
{
    apr_int64_t now = cm_clock_now();
    int i;

    CM_TRY(cm_inbox_add_same(run, messages, scratch_pool));
    for (i = 0; i < messages->nelts; i++)
        cm_run_add(run, CM_NTH(messages, i, cm_message_t), now, 0);
    return NULL;
}

static int all_done(const cm_run_t *run)
{
    int i;

    for (i = 0; i < run->items->nelts; i++) {
        const cm_item_t *item = CM_NTH(run->items, i, cm_item_t);

        if (!item->done && !item->kept)
            return 0;
    }
    return 1;
}

/* CommunicatorOnError stop: messages one by one, as the gem does, until one
 * fails; what came before it is kept. */
static cm_error_t *take_strictly(taking_t *taking, cm_fresh_t *fresh,
                                 cm_peer_t *peer, apr_pool_t *scratch_pool)
{
    cm_store_t *store = taking->node->store;
    int i;

    fresh->received = peer->received;
    for (i = 0; i < fresh->messages->nelts; i++) {
        cm_message_t *message = CM_NTH(fresh->messages, i, cm_message_t);
        cm_run_t *run = begin_run(taking, taking->pool);
        apr_array_header_t *one =
            apr_array_make(scratch_pool, 1, sizeof(cm_message_t *));

        APR_ARRAY_PUSH(one, cm_message_t *) = message;
        CM_TRY(cm_store_savepoint(store, "message", scratch_pool));
        CM_TRY(add_messages(run, one, scratch_pool));
        CM_TRY(cm_run_apply(run, scratch_pool));
        if (!all_done(run)) {
            taking->stopped =
                CM_NTH(run->items, run->items->nelts - 1, cm_item_t)->error;
            taking->stopped_id = message->id;
            CM_TRY(cm_store_rollback_to(store, "message", scratch_pool));
            return cm_store_release(store, "message", scratch_pool);
        }
        CM_TRY(cm_store_release(store, "message", scratch_pool));
        CM_TRY(finish_run(taking, run, 0, 0, scratch_pool));
        if (message->id > fresh->received)
            fresh->received = message->id;
        if (taking->gem || message->error)
            continue;
        fresh->held = message->id;
        fresh->held_clock = message->clocks.clock;
    }
    return NULL;
}

/* Apply all at once; with CommunicatorOnError stop only if all of it works.
 * *CREATED: there are new records, for which parked messages may wait. */
static cm_error_t *take_fresh(int *created, taking_t *taking, cm_fresh_t *fresh,
                              cm_peer_t *peer, apr_pool_t *scratch_pool)
{
    int stop = taking->node->settings->on_error == CM_ON_ERROR_STOP;
    cm_store_t *store = taking->node->store;
    cm_run_t *run = begin_run(taking, taking->pool);

    if (stop)
        CM_TRY(cm_store_savepoint(store, "batch", scratch_pool));
    CM_TRY(add_messages(run, fresh->messages, scratch_pool));
    CM_TRY(cm_run_apply(run, scratch_pool));
    *created = run->created;
    if (stop && !all_done(run)) {
        CM_TRY(cm_store_rollback_to(store, "batch", scratch_pool));
        CM_TRY(take_strictly(taking, fresh, peer, scratch_pool));
    }
    else {
        CM_TRY(check_threshold(taking, run));
        CM_TRY(finish_run(taking, run, 1, 0, scratch_pool));
    }
    return stop ? cm_store_release(store, "batch", scratch_pool) : NULL;
}

/* Try what waits for other records, as long as that brings further ones. */
static cm_error_t *release_waiting(taking_t *taking, apr_pool_t *scratch_pool)
{
    apr_pool_t *iterpool;
    int created;

    apr_pool_create(&iterpool, scratch_pool);
    do {
        cm_page_t page = {0, 0};

        created = 0;
        do {
            cm_run_t *run;

            apr_pool_clear(iterpool);
            run = begin_run(taking, iterpool);
            CM_TRY(cm_inbox_add_page(run, &page, 1, iterpool));
            if (!page.count)
                break;
            CM_TRY(cm_run_apply(run, iterpool));
            CM_TRY(finish_run(taking, run, 0, 0, iterpool));
            created += run->created;
        } while (page.count);
    } while (created);
    apr_pool_destroy(iterpool);
    return NULL;
}

static cm_error_t *take_batch(taking_t *taking, apr_pool_t *scratch_pool)
{
    cm_fresh_t *fresh;
    cm_peer_t *peer;
    int created = 0;

    CM_TRY(cm_peer_load(&peer, taking->node, taking->peer, 1, scratch_pool));
    taking->receipt->received = peer->received;
    CM_TRY(cm_inbox_order(&fresh, taking->wanted, peer, taking->batch,
                          taking->gem, taking->pool));
    taking->receipt->repeated = fresh->repeated;
    if (fresh->messages->nelts)
        CM_TRY(take_fresh(&created, taking, fresh, peer, scratch_pool));
    if (created)
        CM_TRY(release_waiting(taking, scratch_pool));
    if (fresh->received == peer->received && peer->has_received)
        return NULL;
    peer->has_received |= taking->receipt->accepted > 0 || !taking->gem;
    peer->received = taking->receipt->received = fresh->received;
    peer->held = fresh->held;
    peer->received_clock = fresh->held_clock;
    return cm_peer_save(taking->node, peer, scratch_pool);
}

/* Try one page of what is parked. */
static cm_error_t *retry_page(taking_t *taking, apr_pool_t *scratch_pool)
{
    cm_run_t *run = begin_run(taking, taking->pool);
    cm_peer_t *peer;

    CM_TRY(cm_peer_load(&peer, taking->node, taking->peer, 1, scratch_pool));
    taking->receipt->received = peer->received;
    CM_TRY(cm_inbox_add_page(run, &taking->page, 0, scratch_pool));
    if (!taking->page.count)
        return NULL;
    CM_TRY(cm_run_apply(run, scratch_pool));
    taking->created += run->created;
    return finish_run(taking, run, 1, 1, scratch_pool);
}

typedef cm_error_t *(*work_t)(taking_t *taking, apr_pool_t *scratch_pool);

static cm_error_t *in_transaction(taking_t *taking, work_t work,
                                  apr_pool_t *scratch_pool)
{
    cm_store_t *store = taking->node->store;
    cm_error_t *err;

    CM_TRY(cm_store_begin(store, scratch_pool));
    err = work(taking, scratch_pool);
    if (!err)
        return cm_store_commit(store, scratch_pool);
    cm_store_rollback(store);
    if (cm_store_dialect(store)->database == CM_MYSQL &&
        err->code != CM_UNAVAILABLE) {
        cm_error_t *ignored =
            cm_node_applying(taking->node, NULL, scratch_pool);

        (void)ignored;
    }
    return err;
}

/* Run WORK in a transaction, behind a stamping of what is committed here, so
 * that the stamping within it is short. When the tables have changed since
 * they were looked at, once more. */
static cm_error_t *take(taking_t *taking, work_t work, apr_pool_t *scratch_pool)
{
    const cm_receipt_t receipt = *taking->receipt;
    const int parked = receipt.parked->nelts;
    const cm_page_t page = taking->page;
    apr_int64_t stamped;
    cm_error_t *err;

    CM_TRY(cm_outbox_stamp(&stamped, taking->node, scratch_pool));
    taking->isolate_schema = 0;
    err = in_transaction(taking, work, scratch_pool);
    if (!err || err->code != CM_SCHEMA)
        return err;
    cm_node_forget(taking->node);
    *taking->receipt = receipt;
    taking->receipt->parked->nelts = parked;
    taking->page = page;
    taking->isolate_schema = 1;
    return in_transaction(taking, work, scratch_pool);
}

static cm_receipt_t *make_receipt(apr_pool_t *pool)
{
    cm_receipt_t *receipt = apr_pcalloc(pool, sizeof(*receipt));

    receipt->parked = apr_array_make(pool, 4, sizeof(cm_parked_t));
    return receipt;
}

cm_error_t *cm_inbox_receive(cm_receipt_t **receipt, apr_int64_t *wanted,
                             cm_node_t *node, const char *peer,
                             const cm_batch_t *batch, int gem,
                             apr_pool_t *result_pool)
{
    taking_t taking = {.node = node,
                       .peer = peer,
                       .batch = batch,
                       .gem = gem,
                       .receipt = make_receipt(result_pool),
                       .result_pool = result_pool,
                       .wanted = wanted};

    apr_pool_create(&taking.pool, result_pool);
    CM_TRY_FOR(take(&taking, take_batch, taking.pool), result_pool,
               "cannot take the messages of '%s'", peer);
    *receipt = taking.receipt;
    if (!taking.stopped)
        return NULL;
    return cm_error_make(
        result_pool, taking.stopped->code, taking.stopped, __FILE__, __LINE__,
        "message %" APR_INT64_T_FMT " of '%s' cannot be applied",
        taking.stopped_id, peer);
}

cm_error_t *cm_inbox_retry(cm_receipt_t **receipt, cm_node_t *node,
                           const char *peer, apr_pool_t *result_pool)
{
    taking_t taking = {.node = node,
                       .peer = peer,
                       .receipt = make_receipt(result_pool),
                       .result_pool = result_pool};
    apr_pool_t *iterpool;

    *receipt = taking.receipt;
    apr_pool_create(&iterpool, result_pool);
    do {
        taking.page = (cm_page_t){0, 0};
        taking.created = 0;
        taking.receipt->parked->nelts = 0;
        do {
            apr_pool_clear(iterpool);
            taking.pool = iterpool;
            CM_TRY_FOR(take(&taking, retry_page, iterpool), result_pool,
                       "cannot apply what is parked of '%s'", peer);
        } while (taking.page.count);
    } while (taking.created);
    return NULL;
}

cm_error_t *cm_inbox_parked_count(apr_int64_t *count, cm_node_t *node,
                                  const char *peer, apr_pool_t *scratch_pool)
{
    const cm_datum_t name = cm_datum_text(peer);
    cm_rows_t *rows;

    CM_TRY_FOR(cm_store_select(&rows, node->store,
                               peer
                                   ? "SELECT count(*) FROM inbound_messages"
                                     " WHERE processed_at IS NULL AND peer = %s"
                                   : "SELECT count(*) FROM inbound_messages"
                                     " WHERE processed_at IS NULL",
                               &name, peer ? 1 : 0, scratch_pool),
               scratch_pool, "cannot count what is parked");
    *count = cm_cell_number(rows, 0, 0);
    return NULL;
}
