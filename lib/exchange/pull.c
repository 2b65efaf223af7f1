/* Pull: the peer's outbox into our inbox (docs/wire.md). */
#include "exchange/pull.h"

#include <apr_strings.h>
#include <apr_time.h>

#include "base/clock.h"
#include "record/message.h"
#include "node/altered.h"
#include "outbox/read.h"
#include "inbox/inbox.h"
#include "exchange/run.h"

#define BUSY_TRIES 4

static cm_error_t *ask_once(cm_reply_t **reply, cm_pull_t *pull,
                            const char *query, apr_pool_t *pool)
{
    cm_session_t *session = pull->session;
    cm_transport_reply_t *raw;
    cm_error_t *err;

    *reply = NULL;
    err = cm_transport_get(&raw, session->transport, query, pool);
    if (!err)
        err = cm_reply_judge_get(reply, raw, pool);
    pull->refusal =
        err ? cm_reply_refusal(raw, *reply, err) : CM_REFUSAL_OF_ALL;
    pull->too_large_here = err && !raw->status && err->code == CM_TOO_LARGE;
    if (!*reply)
        return err;
    if ((*reply)->kind != CM_PEER_UNKNOWN && session->kind != CM_PEER_UNKNOWN &&
        (*reply)->kind != session->kind)
        return CM_FAIL(pool, CM_PROTOCOL,
                       "the peer changed its kind within a run");
    CM_TRY(cm_session_meet(session, *reply, pool));
    return err;
}

cm_error_t *cm_pull_ask(cm_reply_t **reply, cm_pull_t *pull, const char *query,
                        apr_pool_t *pool)
{
    cm_error_t *err = ask_once(reply, pull, query, pool);

    return cm_session_tells_again(pull->session, &err, pool)
               ? ask_once(reply, pull, query, pool)
               : err;
}

static cm_error_t *fetch(cm_reply_t **reply, cm_pull_t *pull, apr_pool_t *pool)
{
    const cm_settings_t *settings = pull->session->node->settings;
    const char *query = apr_psprintf(
        pool, "from_id=%" APR_INT64_T_FMT "&limit=%d&bytes=%" APR_INT64_T_FMT,
        pull->received + 1, pull->limit, settings->batch.bytes);

    return cm_pull_ask(reply, pull, query, pool);
}

/* Return the messages FIRST to FIRST + COUNT - 1 of ALL as a batch. */
static cm_batch_t *slice(const cm_reply_t *reply, apr_int64_t received,
                         const apr_array_header_t *all, int first, int count,
                         apr_pool_t *pool)
{
    cm_batch_t *batch = apr_pcalloc(pool, sizeof(*batch));
    int ends = first + count == all->nelts;
    int i;

    batch->after = received;
    batch->messages = apr_array_make(pool, count, sizeof(cm_message_t *));
    for (i = first; i < first + count; i++)
        APR_ARRAY_PUSH(batch->messages, cm_message_t *) =
            APR_ARRAY_IDX(all, i, cm_message_t *);
    batch->last =
        count > 0 ? APR_ARRAY_IDX(all, first + count - 1, cm_message_t *)->id
                  : received;
    if (ends && reply->last > batch->last)
        batch->last = reply->last;
    batch->more = !ends || reply->more;
    return batch;
}

/* A transaction of the application may hold a lock for a moment. */
static cm_error_t *receive(cm_receipt_t **receipt, cm_session_t *session,
                           const cm_batch_t *batch, apr_pool_t *pool)
{
    apr_int64_t wanted;
    cm_error_t *err;
    int tries = 0;

    for (;;) {
        *receipt = NULL;
        err = cm_inbox_receive(receipt, &wanted, session->node,
                               session->settings->name, batch,
                               session->kind == CM_PEER_GEM, pool);
        if (!err || err->code != CM_BUSY || ++tries == BUSY_TRIES)
            return err;
        cm_clock_sleep(tries * apr_time_from_msec(200));
    }
}

static void note_altered(cm_session_t *session, const cm_receipt_t *receipt,
                         apr_pool_t *pool)
{
    int i;

    for (i = 0; i < receipt->altered->nelts; i++) {
        const cm_altered_t *altered =
            &APR_ARRAY_IDX(receipt->altered, i, cm_altered_t);

        cm_session_notice(session, "%s (" CM_ALTERED_REMEDY ")",
                          cm_altered_text(altered, pool), altered->column);
    }
}

/* Receive one batch; *RECEIVED moves on. */
static cm_error_t *receive_batch(apr_int64_t *received, cm_session_t *session,
                                 const cm_batch_t *batch, apr_pool_t *pool)
{
    cm_totals_t *totals = &session->totals;
    cm_receipt_t *receipt;
    cm_error_t *err = receive(&receipt, session, batch, pool);

    if (receipt) {
        totals->pulled += receipt->accepted;
        totals->applied += receipt->applied;
        cm_session_keep_parked(totals->parked, receipt->parked);
        note_altered(session, receipt, pool);
        if (cm_inbox_receipt_mostly_parked(receipt))
            cm_session_notice(session,
                              "%d of %d messages of a batch are parked here: "
                              "a table or model may be missing",
                              cm_inbox_receipt_mostly_parked(receipt),
                              receipt->accepted);
        *received = receipt->received;
    }
    return err;
}

/* A gem sends all that it has at once: receive that in parts. */
static cm_error_t *receive_all(apr_int64_t *received, cm_session_t *session,
                               const cm_reply_t *reply,
                               const apr_array_header_t *all,
                               apr_pool_t *scratch_pool)
{
    int most = session->node->settings->batch.messages;
    int first, count;
    apr_pool_t *iterpool;

    apr_pool_create(&iterpool, scratch_pool);
    for (first = 0; first == 0 || first < all->nelts; first += count) {
        apr_pool_clear(iterpool);
        CM_TRY(cm_session_check(session, scratch_pool));
        count = all->nelts - first < most ? all->nelts - first : most;
        CM_TRY(receive_batch(
            received, session,
            slice(reply, *received, all, first, count, iterpool), iterpool));
        if (count == 0)
            break;
    }
    apr_pool_destroy(iterpool);
    return NULL;
}

/* Receive what is in REPLY. */
static cm_error_t *receive_reply(int *more, cm_pull_t *pull,
                                 const cm_reply_t *reply,
                                 apr_int64_t before_pulled, apr_pool_t *pool)
{
    cm_session_t *session = pull->session;
    apr_int64_t before = pull->received;
    apr_array_header_t *all;

    CM_TRY_FOR(cm_message_read_batch(&all, reply->data, reply->size, pool),
               pool, "the reply cannot be read");
    *more = session->kind == CM_PEER_GEM ? all->nelts > 0 : reply->more;
    if (all->nelts > 0 || reply->last > before)
        CM_TRY(receive_all(&pull->received, session, reply, all, pool));
    if (session->moved && session->said.pending >= 0)
        session->moved(session->baton, "pull", session->totals.pulled,
                       before_pulled + session->said.pending);
    if (*more && pull->received <= before)
        return CM_FAIL(pool, CM_PROTOCOL,
                       "the peer says there is more but sends nothing new");
    return NULL;
}

/* Ask once, and receive what comes. *MORE: there is more to ask for. */
static cm_error_t *pull_batch(int *more, cm_pull_t *pull, apr_pool_t *pool)
{
    apr_int64_t before_pulled = pull->session->totals.pulled;
    const int most = pull->session->node->settings->batch.messages;
    cm_reply_t *reply;
    cm_error_t *err = fetch(&reply, pull, pool);

    *more = 1;
    if (err)
        CM_TRY(cm_unfetched(&reply, pull, err, pool));
    if (!reply) /* the next try asks for less */
        return NULL;
    CM_TRY(receive_reply(more, pull, reply, before_pulled, pool));
    pull->tries = 0;
    pull->limit = pull->limit * 2 <= most ? pull->limit * 2 : most;
    return NULL;
}

/* To a peer of ours, from_id confirms the messages before it. */
static cm_error_t *confirm(cm_pull_t *pull, apr_pool_t *pool)
{
    cm_reply_t *reply;

    return cm_pull_ask(&reply, pull,
                       apr_psprintf(pool,
                                    "from_id=%" APR_INT64_T_FMT "&limit=0",
                                    pull->received + 1),
                       pool);
}

cm_error_t *cm_pull(cm_session_t *session, apr_pool_t *scratch_pool)
{
    cm_pull_t pull = {.session = session,
                      .limit = session->node->settings->batch.messages};
    apr_int64_t first;
    apr_pool_t *iterpool;
    int more = 1;

    CM_TRY(cm_session_load(session, scratch_pool));
    first = pull.received = session->peer->received;
    apr_pool_create(&iterpool, scratch_pool);
    while (more) {
        apr_pool_clear(iterpool);
        CM_TRY(cm_session_check(session, scratch_pool));
        CM_TRY(pull_batch(&more, &pull, iterpool));
    }
    if (pull.received > first && session->kind == CM_PEER_OURS)
        CM_TRY(confirm(&pull, scratch_pool));
    apr_pool_destroy(iterpool);
    return cm_session_note(session, 0, scratch_pool);
}

cm_error_t *cm_pull_retry(cm_session_t *session, apr_pool_t *scratch_pool)
{
    cm_receipt_t *receipt;
    apr_int64_t parked;
    int i;

    session->totals.parked_here = 0;
    CM_TRY(cm_inbox_retry_count(&parked, session->node, session->settings->name,
                                0, scratch_pool));
    if (parked == 0 && !session->node->owes_release)
        return NULL;
    CM_TRY(cm_inbox_retry(&receipt, session->node, session->settings->name,
                          scratch_pool));
    session->totals.applied += receipt->applied;
    note_altered(session, receipt, scratch_pool);
    for (i = 0; i < receipt->parked->nelts; i++)
        session->totals.parked_here +=
            !APR_ARRAY_IDX(receipt->parked, i, cm_parked_t).transient;
    return NULL;
}
