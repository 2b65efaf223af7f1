/* Retrying what is parked: see inbox.h, attempt.h. */
#include "inbox/attempt.h"

#include <apr_strings.h>

#include "node/peer.h"

/* Up to this number, parked messages are retried after every batch. */
#define MOST_EACH_BATCH 500

cm_error_t *cm_inbox_retry_count(apr_int64_t *count, cm_node_t *node,
                                 const char *peer, int most,
                                 apr_pool_t *scratch_pool)
{
    const cm_datum_t name = cm_datum_text(peer);
    const char *limit =
        most ? apr_psprintf(scratch_pool, " LIMIT %d", most) : "";
    cm_rows_t *rows;

    CM_TRY_FOR(cm_statement_select(
                   &rows, node->store,
                   apr_pstrcat(scratch_pool,
                               "SELECT count(*) FROM (SELECT id FROM"
                               " inbound_messages WHERE processed_at IS NULL",
                               peer ? " AND peer = %s" : "", limit,
                               ") AS parked", NULL),
                   &name, peer ? 1 : 0, scratch_pool),
               scratch_pool, "cannot count what is parked");
    *count = cm_cell_number(rows, 0, 0);
    return NULL;
}

cm_error_t *cm_inbox_retry_some(int *some, int *few, cm_node_t *node,
                                const char *peer, apr_pool_t *scratch_pool)
{
    apr_int64_t count;

    CM_TRY(cm_inbox_retry_count(&count, node, peer, MOST_EACH_BATCH + 1,
                                scratch_pool));
    *some = count > 0;
    *few = count <= MOST_EACH_BATCH;
    return NULL;
}

/* Add to APPLY what is parked about the records of its messages, before these
 * or (LATER) also behind them. */
static cm_error_t *bring_once(cm_apply_t *apply, int later,
                              apr_pool_t *scratch_pool)
{
    apr_array_header_t *messages = apr_array_make(
        scratch_pool, apply->items->nelts, sizeof(cm_message_t *));
    int i;

    for (i = 0; i < apply->items->nelts; i++)
        APR_ARRAY_PUSH(messages, cm_message_t *) =
            CM_NTH(apply->items, i, cm_item_t)->message;
    return cm_inbox_rows_add_same(apply, messages, later, scratch_pool);
}

/* The same; LATER also about the records that continue those in the end: a
 * delete may be possible only together with the last of them. */
static cm_error_t *bring_same(cm_apply_t *apply, int later,
                              apr_pool_t *scratch_pool)
{
    int count;

    do {
        count = apply->items->nelts;
        CM_TRY(bring_once(apply, later, scratch_pool));
    } while (later && apply->items->nelts > count);
    return NULL;
}

cm_error_t *cm_inbox_retry_waiting(cm_attempt_t *attempt,
                                   apr_pool_t *scratch_pool)
{
    apr_pool_t *iterpool;
    int created;

    apr_pool_create(&iterpool, scratch_pool);
    do {
        cm_page_t page = {0};

        created = 0;
        do {
            cm_apply_t *apply;

            apr_pool_clear(iterpool);
            apply = cm_attempt_begin(attempt, iterpool);
            CM_TRY(cm_inbox_rows_add_page(apply, &page, 1, iterpool));
            if (!page.count)
                break;
            CM_TRY(bring_same(apply, 0, iterpool));
            CM_TRY(cm_apply_run(apply, iterpool));
            CM_TRY(cm_attempt_finish(attempt, apply, 0, 0, iterpool));
            created += apply->created;
        } while (page.count);
    } while (created);
    apr_pool_destroy(iterpool);
    return NULL;
}

static void decide(const cm_apply_t *apply, cm_decision_e decision)
{
    int i;

    for (i = 0; i < apply->items->nelts; i++)
        CM_NTH(apply->items, i, cm_item_t)->decision = decision;
}

/* Retry a page of parked messages. */
static cm_error_t *try_page(cm_attempt_t *attempt, apr_pool_t *scratch_pool)
{
    cm_apply_t *apply;
    cm_peer_t *peer;

    CM_TRY(cm_peer_load(&peer, attempt->node, attempt->peer, 1, scratch_pool));
    attempt->lost = peer->lost;
    attempt->receipt->received = peer->received;
    apply = cm_attempt_begin(attempt, attempt->pool);
    attempt->page.most = attempt->mode.most;
    if (attempt->ids)
        CM_TRY(cm_inbox_rows_add_ids(apply, &attempt->page, attempt->ids,
                                     scratch_pool));
    else
        CM_TRY(cm_inbox_rows_add_page(apply, &attempt->page, attempt->waiting,
                                      scratch_pool));
    if (!attempt->page.count)
        return NULL;
    attempt->outcome.count = attempt->page.count;
    decide(apply, attempt->decision);
    if (!attempt->mode.refusal)
        CM_TRY(bring_same(apply, attempt->decision != CM_DECIDE_NOT,
                          scratch_pool));
    CM_TRY(cm_apply_run(apply, scratch_pool));
    attempt->outcome.created += apply->created;
    return cm_attempt_finish(attempt, apply,
                             !attempt->waiting || attempt->mode.refusal,
                             !attempt->waiting, scratch_pool);
}

/* Retry all pages once, each in a transaction. */
static cm_error_t *try_pages(cm_attempt_t *attempt, apr_pool_t *scratch_pool)
{
    apr_pool_t *iterpool;

    attempt->page = (cm_page_t){0};
    apr_pool_create(&iterpool, scratch_pool);
    do {
        apr_pool_clear(iterpool);
        attempt->pool = iterpool;
        CM_TRY_FOR(cm_attempt_run(attempt, try_page, iterpool), scratch_pool,
                   "cannot apply what is parked of '%s'", attempt->peer);
    } while (attempt->page.count);
    apr_pool_destroy(iterpool);
    return NULL;
}

cm_error_t *cm_inbox_retry_all_waiting(cm_attempt_t *attempt,
                                       apr_pool_t *scratch_pool)
{
    cm_attempt_t others = {.node = attempt->node,
                           .waiting = 1,
                           .receipt = cm_attempt_receipt(scratch_pool),
                           .result_pool = scratch_pool};
    apr_pool_t *iterpool;
    cm_rows_t *peers;
    int i;

    apr_pool_create(&iterpool, scratch_pool);
    do {
        apr_pool_clear(iterpool);
        CM_TRY(
            cm_statement_select(&peers, attempt->node->store,
                                "SELECT DISTINCT peer FROM inbound_messages"
                                " WHERE processed_at IS NULL AND transient = 1",
                                NULL, 0, iterpool));
        others.outcome.created = 0;
        for (i = 0; i < peers->count; i++) {
            others.peer = cm_cell_text(peers, i, 0);
            CM_TRY(try_pages(&others, iterpool));
        }
    } while (others.outcome.created);
    attempt->receipt->applied += others.receipt->applied;
    apr_pool_destroy(iterpool);
    return NULL;
}

cm_error_t *cm_inbox_retry(cm_receipt_t **receipt, cm_node_t *node,
                           const char *peer, apr_pool_t *result_pool)
{
    cm_attempt_t attempt = {.node = node,
                            .peer = peer,
                            .receipt = cm_attempt_receipt(result_pool),
                            .result_pool = result_pool};
    apr_int64_t parked;
    int brought = 0;

    *receipt = attempt.receipt;
    CM_TRY(cm_inbox_retry_count(&parked, node, peer, 0, result_pool));
    if (parked) /* the table may have more columns now */
        cm_node_forget(node);
    while (parked) {
        attempt.outcome.created = 0;
        attempt.receipt->parked->nelts = 0;
        CM_TRY(try_pages(&attempt, result_pool));
        brought += attempt.outcome.created;
        if (!attempt.outcome.created)
            break;
    }
    brought += node->owes_release;
    node->owes_release = 0;
    return brought ? cm_inbox_retry_all_waiting(&attempt, result_pool) : NULL;
}

cm_error_t *cm_inbox_retry_decided(cm_receipt_t **receipt, cm_node_t *node,
                                   const char *peer,
                                   const apr_array_header_t *ids,
                                   cm_decision_e decision,
                                   apr_pool_t *result_pool)
{
    cm_attempt_t attempt = {.node = node,
                            .peer = peer,
                            .ids = ids,
                            .decision = decision,
                            .receipt = cm_attempt_receipt(result_pool),
                            .result_pool = result_pool};

    *receipt = attempt.receipt;
    CM_TRY(try_pages(&attempt, result_pool));
    return attempt.outcome.created
               ? cm_inbox_retry_all_waiting(&attempt, result_pool)
               : NULL;
}
