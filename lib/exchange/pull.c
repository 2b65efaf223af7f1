/* Pull: the peer's outbox into our inbox (docs/wire.md).
 *
 * A message that cannot be fetched must not block the others: it is found by
 * asking for less, and the peer is asked to withhold it. That is done only if
 * the messages after it can be fetched; a peer that does not answer at all is
 * asked again in a later run. */
#include "exchange/run.h"

#include <apr_escape.h>
#include <apr_strings.h>
#include <apr_time.h>

#include "base/clock.h"
#include "record/message.h"
#include "node/altered.h"
#include "outbox/read.h"
#include "inbox/inbox.h"

#define BUSY_TRIES 4

/* How often a single message is asked for. */
#define TRIES 3
#define PAUSE apr_time_from_msec(100)

/* How many messages in a row the peer skips or withholds. */
#define MOST 20

#define REASON_BYTES 200

typedef struct pull_t {
    cm_session_t *session;
    apr_int64_t received; /* we hold the peer's messages up to this seq */
    int limit;            /* messages to ask for at once: halved, grown again */
    apr_int64_t most;     /* of all messages of this run; 0: not known yet */
    int tries;            /* of a single message */
    cm_refusal_e refusal; /* what the last failure may mean for a message */
    int too_large_here;   /* the reply was larger than this side takes */
} pull_t;

static cm_error_t *ask_once(cm_reply_t **reply, pull_t *pull, const char *query,
                            apr_pool_t *pool)
{
    const cm_transport_t *transport = pull->session->transport;
    cm_transport_reply_t *raw;
    cm_error_t *err;

    *reply = NULL;
    transport->send(transport->baton, query, NULL, pool);
    err = transport->finish(&raw, transport->baton, pool);
    if (!err)
        err = cm_reply_judge_get(reply, raw, pool);
    pull->refusal = CM_REFUSAL_OF_ALL;
    pull->too_large_here = err && !raw->status && err->code == CM_TOO_LARGE;
    /* What another node refuses says nothing about a message. */
    if (*reply)
        CM_TRY(cm_session_meet(pull->session, *reply, pool));
    if (err)
        pull->refusal = cm_reply_refusal(raw, *reply, err);
    return err;
}

/* GET what QUERY asks for. *REPLY is NULL when no reply came. */
static cm_error_t *ask(cm_reply_t **reply, pull_t *pull, const char *query,
                       apr_pool_t *pool)
{
    cm_error_t *err = ask_once(reply, pull, query, pool);

    return cm_session_tells_again(pull->session, &err, pool)
               ? ask_once(reply, pull, query, pool)
               : err;
}

static cm_error_t *fetch_once(cm_reply_t **reply, pull_t *pull,
                              apr_pool_t *pool)
{
    const cm_settings_t *settings = pull->session->node->settings;
    const char *query = apr_psprintf(
        pool, "from_id=%" APR_INT64_T_FMT "&limit=%d&bytes=%" APR_INT64_T_FMT,
        pull->received + 1, pull->limit, settings->batch.bytes);

    return ask_once(reply, pull, query, pool);
}

/* What we hold may have another number since the peer has answered. */
static cm_error_t *fetch(cm_reply_t **reply, pull_t *pull, apr_pool_t *pool)
{
    cm_error_t *err = fetch_once(reply, pull, pool);

    if (!cm_session_tells_again(pull->session, &err, pool))
        return err;
    if (pull->session->recounted)
        pull->received = pull->session->peer->received;
    return fetch_once(reply, pull, pool);
}

/* Ask for no messages. To a peer of ours, from_id confirms those before it. */
static cm_error_t *confirm(cm_reply_t **reply, pull_t *pull, apr_pool_t *pool)
{
    return ask(reply, pull,
               apr_psprintf(pool, "from_id=%" APR_INT64_T_FMT "&limit=0",
                            pull->received + 1),
               pool);
}

/* Return whether the peer answers a request for no messages, and can withhold
 * some. */
static int is_open(pull_t *pull, apr_pool_t *pool)
{
    cm_reply_t *reply;
    cm_error_t *err = confirm(&reply, pull, pool);

    return !err && reply->kind == CM_PEER_OURS &&
           reply->sender.withheld.count >= 0;
}

/* Ask for one message after SKIP others. *LAST: the number before it, or the
 * last one of all when there is none; 0: it cannot be fetched either. */
static cm_error_t *look_after(apr_int64_t *last, int *is_end, pull_t *pull,
                              int skip, apr_pool_t *pool)
{
    const char *query =
        apr_psprintf(pool, "from_id=%" APR_INT64_T_FMT "&limit=1&skip=%d",
                     pull->received + 1, skip);
    apr_array_header_t *all;
    cm_reply_t *reply;
    cm_error_t *err = ask(&reply, pull, query, pool);

    *last = 0;
    if (err)
        return pull->refusal == CM_REFUSAL_OF_ALL ? err : NULL;
    CM_TRY(cm_message_read_batch(&all, reply->data, reply->size, 0, pool));
    *is_end = !all->nelts && !reply->pull.more;
    if (all->nelts)
        *last = APR_ARRAY_IDX(all, 0, cm_message_t *)->id - 1;
    else if (*is_end)
        *last = reply->pull.last;
    return NULL;
}

/* Ask the peer to withhold its messages up to LAST. */
static cm_error_t *withhold(cm_reply_t **reply, pull_t *pull, apr_int64_t last,
                            int by_us, const char *reason, apr_pool_t *pool)
{
    cm_session_t *session = pull->session;
    const char *because =
        apr_pescape_urlencoded(pool, apr_pstrndup(pool, reason, REASON_BYTES));
    cm_parked_t parked = {.id = last, .reason = reason};
    apr_array_header_t *one = apr_array_make(pool, 1, sizeof(cm_parked_t));

    CM_TRY(ask(reply, pull,
               apr_psprintf(
                   pool,
                   "from_id=%" APR_INT64_T_FMT
                   "&limit=1&withhold=%" APR_INT64_T_FMT "&by=%s&because=%s",
                   pull->received + 1, last, by_us ? "peer" : "proxy", because),
               pool));
    pull->limit = 1;
    APR_ARRAY_PUSH(one, cm_parked_t) = parked;
    cm_session_keep_parked(session->totals.withheld_there, one);
    return NULL;
}

/* A single message could not be fetched because of ERR: look for the next one
 * that can be. */
static cm_error_t *go_around(cm_reply_t **reply, pull_t *pull, cm_error_t *err,
                             apr_pool_t *pool)
{
    const char *reason = cm_error_text(err, pool);
    int by_us = pull->too_large_here, is_end = 0, skip;
    /* With nothing after it, other messages must have come in this run. */
    int sure = by_us || (pull->refusal != CM_REFUSAL_MAYBE &&
                         pull->session->totals.pulled > 0);
    apr_int64_t last = 0;
    apr_pool_t *iterpool;

    apr_pool_create(&iterpool, pool);
    for (skip = 1; skip <= MOST && !last && !is_end; skip++) {
        apr_pool_clear(iterpool);
        CM_TRY(cm_session_check(pull->session, pool));
        CM_TRY(look_after(&last, &is_end, pull, skip, iterpool));
        sure = sure && (last || pull->refusal != CM_REFUSAL_MAYBE);
    }
    apr_pool_destroy(iterpool);
    if (!last || (is_end && !sure))
        return err;
    return withhold(reply, pull, last, by_us, reason, pool);
}

/* The messages after pull->received could not be fetched, because of ERR. If
 * one message is the reason and others pass, ask the peer to withhold it.
 * *REPLY is what the peer sends then; NULL: try again, with pull->limit.
 * Fails with ERR if no single message is the reason. */
static cm_error_t *unfetched(cm_reply_t **reply, pull_t *pull, cm_error_t *err,
                             apr_pool_t *pool)
{
    const cm_refusal_e refusal = pull->refusal;
    const int too_large_here = pull->too_large_here;
    int tries = refusal == CM_REFUSAL_SIZE ? TRIES - 1 : TRIES;

    *reply = NULL;
    if (refusal == CM_REFUSAL_OF_ALL || pull->session->kind == CM_PEER_GEM ||
        !is_open(pull, pool))
        return err;
    if (pull->limit > 1) {
        pull->limit /= 2;
        return NULL;
    }
    if (++pull->tries < tries) {
        cm_clock_sleep(PAUSE * pull->tries);
        return NULL;
    }
    pull->refusal = refusal;
    pull->too_large_here = too_large_here;
    return go_around(reply, pull, err, pool);
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
    batch->lacks = reply->sender.withheld.count != 0;
    batch->messages = apr_array_make(pool, count, sizeof(cm_message_t *));
    for (i = first; i < first + count; i++)
        APR_ARRAY_PUSH(batch->messages, cm_message_t *) =
            APR_ARRAY_IDX(all, i, cm_message_t *);
    batch->last =
        count > 0 ? APR_ARRAY_IDX(all, first + count - 1, cm_message_t *)->id
                  : received;
    if (ends && reply->pull.last > batch->last)
        batch->last = reply->pull.last;
    batch->more = !ends || reply->pull.more;
    if (reply->kind == CM_PEER_OURS && count == all->nelts)
        batch->packed = reply->packed;
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
    cm_batch_t *batch;

    apr_pool_create(&iterpool, scratch_pool);
    for (first = 0; first == 0 || first < all->nelts; first += count) {
        apr_pool_clear(iterpool);
        CM_TRY(cm_session_check(session, scratch_pool));
        count = all->nelts - first < most ? all->nelts - first : most;
        batch = slice(reply, *received, all, first, count, iterpool);
        if (reply->kind == CM_PEER_GEM)
            batch->since =
                session->since ? session->since : session->peer->confirmed + 1;
        CM_TRY(receive_batch(received, session, batch, iterpool));
        if (count == 0)
            break;
    }
    apr_pool_destroy(iterpool);
    return NULL;
}

/* Receive what is in REPLY. */
static cm_error_t *receive_reply(int *more, pull_t *pull,
                                 const cm_reply_t *reply,
                                 apr_int64_t before_pulled, apr_pool_t *pool)
{
    cm_session_t *session = pull->session;
    apr_int64_t before = pull->received;
    apr_array_header_t *all;

    CM_TRY_FOR(cm_message_read_batch(&all, reply->data, reply->size, 0, pool),
               pool, "the reply cannot be read");
    *more = session->kind == CM_PEER_GEM ? all->nelts > 0 : reply->pull.more;
    if (all->nelts > 0 || reply->pull.last > before)
        CM_TRY(receive_all(&pull->received, session, reply, all, pool));
    if (session->moved && session->said.pending >= 0)
        session->moved(session->baton, "pull", session->totals.pulled,
                       before_pulled + session->said.pending);
    if (!pull->most && session->said.pending >= 0)
        pull->most =
            cm_run_most(before_pulled + session->said.pending, session);
    if (*more && pull->received <= before)
        return CM_FAIL(pool, CM_PROTOCOL,
                       "the peer says there is more but sends nothing new");
    return NULL;
}

/* Return whether REPLY, of COUNT messages, is the last one of a brief run. A
 * peer that had more to send would have filled it: it says that there is more,
 * since more is committed all the time. */
static int is_last(const pull_t *pull, const cm_reply_t *reply,
                   apr_int64_t count)
{
    const cm_session_t *session = pull->session;

    return session->brief && session->kind == CM_PEER_OURS && count > 0 &&
           count <= pull->limit / 2 &&
           (apr_int64_t)reply->size <= session->node->settings->batch.bytes / 2;
}

/* The last COUNT messages no longer wait at the peer, as it SAID before. */
static void settle(cm_status_said_t *said, apr_int64_t count)
{
    said->pending = said->pending > count ? said->pending - count : 0;
    if (!said->pending)
        said->oldest = 0;
}

/* Ask once, and receive what comes. *MORE: there is more to ask for. */
static cm_error_t *pull_batch(int *more, pull_t *pull, apr_pool_t *pool)
{
    apr_int64_t before_pulled = pull->session->totals.pulled, count;
    const int most = pull->session->node->settings->batch.messages;
    cm_reply_t *reply;
    cm_error_t *err = fetch(&reply, pull, pool);

    *more = 1;
    if (err)
        CM_TRY(unfetched(&reply, pull, err, pool));
    if (!reply) /* the next try asks for less */
        return NULL;
    CM_TRY(receive_reply(more, pull, reply, before_pulled, pool));
    count = pull->session->totals.pulled - before_pulled;
    if (is_last(pull, reply, count)) {
        settle(&pull->session->said, count);
        *more = 0;
    }
    pull->tries = 0;
    pull->limit = pull->limit * 2 <= most ? pull->limit * 2 : most;
    return NULL;
}

cm_error_t *cm_pull(cm_session_t *session, apr_pool_t *scratch_pool)
{
    cm_reply_t *reply;
    pull_t pull = {.session = session,
                   .limit = session->node->settings->batch.messages};
    apr_int64_t first;
    apr_pool_t *iterpool;
    int more = 1;

    CM_TRY(cm_session_load(session, scratch_pool));
    first = pull.received = session->peer->received;
    apr_pool_create(&iterpool, scratch_pool);
    while (more && (!pull.most || session->totals.pulled <= pull.most)) {
        apr_pool_clear(iterpool);
        CM_TRY(cm_session_check(session, scratch_pool));
        CM_TRY(pull_batch(&more, &pull, iterpool));
    }
    /* After a brief run, the request that waits does that. */
    if (pull.received > first && session->kind == CM_PEER_OURS &&
        !session->brief)
        CM_TRY(confirm(&reply, &pull, scratch_pool));
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
