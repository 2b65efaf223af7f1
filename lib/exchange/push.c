/* Push: the outbox to the peer (docs/wire.md). */
#include "exchange/push.h"

#include <apr_strings.h>

#include "record/message.h"
#include "record/packed.h"
#include "outbox/body.h"
#include "outbox/missing.h"
#include "outbox/outbox.h"
#include "outbox/publication.h"
#include "outbox/read.h"
#include "outbox/stamp.h"
#include "outbox/waiting.h"
#include "inbox/inbox.h"
#include "gem/gem.h"
#include "exchange/run.h"

#define ROOM      (1280 * 1024) /* what is not used costs nothing */
#define HALVINGS  12
#define UNCOUNTED (-1) /* messages */

/* A gem receives about 165 messages a second and gives up after 10 seconds. */
#define GEM_MESSAGES 100
#define GEM_BYTES    102400

#define OLD_HISTORY "see \"ANOTHER HISTORY\" in communicator-sync(8)"

/* The peer holds less than it had confirmed: its database was set back. */
static void step_back(cm_push_t *push, apr_int64_t received)
{
    cm_session_t *session = push->session;

    if (received < session->peer->confirmed)
        cm_session_notice(session,
                          "it holds our messages up to %" APR_INT64_T_FMT
                          " only, not %" APR_INT64_T_FMT
                          ": restored from a backup? Sending them again",
                          received, session->peer->confirmed);
    push->after = received;
    push->told = received;
}

/* Go on at message WANTED, as a gem demands. Fails with CM_EPOCH when it holds
 * what was never sent. */
static cm_error_t *agree_with_gem(cm_push_t *push, apr_int64_t wanted,
                                  apr_pool_t *scratch_pool)
{
    cm_session_t *session = push->session;
    const int is_first = !session->peer->confirmed_id;
    apr_int64_t after, first_id;

    CM_TRY(cm_gem_seek(&after, &first_id, session->node,
                       session->settings->name, wanted, scratch_pool));
    /* It has counted the messages of another node: ours follow these. */
    if (is_first && (first_id != wanted || after != session->peer->sent)) {
        push->next_id = wanted;
        return NULL;
    }
    if (first_id != wanted)
        return cm_error_hint(CM_FAIL(scratch_pool, CM_EPOCH,
                                     "the peer wants message %" APR_INT64_T_FMT
                                     ", the nearest here is %" APR_INT64_T_FMT,
                                     wanted, first_id),
                             scratch_pool, OLD_HISTORY);
    if (wanted < push->next_id)
        cm_session_notice(session,
                          "it holds our messages up to %" APR_INT64_T_FMT
                          " only: restored from a backup? Sending the "
                          "following ones again",
                          wanted - 1);
    push->next_id = wanted;
    if (after <= push->after) {
        push->after = after;
        return NULL;
    }
    /* It may hold more than we know (its answer was lost), but never more than
     * it was sent: numbers beyond that come from another sender, and no message
     * of ours may be skipped because of them. */
    if (after > session->peer->sent)
        return NULL;
    push->after = after;
    return cm_outbox_confirm(session->node, session->settings->name, after,
                             wanted - 1, scratch_pool);
}

static cm_error_t *agree(cm_push_t *push, apr_int64_t wanted,
                         cm_error_t *refusal, apr_pool_t *pool)
{
    int gem = push->session->kind == CM_PEER_GEM;

    if (push->agreed || wanted < 1 || (!gem && wanted > push->told))
        return cm_error_hint(cm_error_make(pool, CM_GAP, refusal, __FILE__,
                                           __LINE__,
                                           "no agreement on where to go on"),
                             pool, OLD_HISTORY);
    push->agreed = 1;
    if (gem)
        return agree_with_gem(push, wanted, pool);
    step_back(push, wanted - 1);
    return NULL;
}

/* Note what the peer holds of ours. */
static cm_error_t *note_told(cm_push_t *push, apr_pool_t *pool)
{
    if (push->told <= push->noted)
        return NULL;
    CM_TRY(cm_outbox_confirm(push->session->node, push->session->settings->name,
                             push->told, push->told, pool));
    push->noted = push->told;
    return NULL;
}

/* Number the next messages; the same transaction notes what the peer holds. */
static cm_error_t *stamp(cm_push_t *push, apr_pool_t *pool)
{
    int stamped;

    push->stamping.limit = push->limits.messages;
    push->stamping.bytes = push->limits.bytes;
    push->stamping.holds = push->told > push->noted ? push->told : 0;
    CM_TRY(
        cm_stamp_chunk(&stamped, push->session->node, &push->stamping, pool));
    push->unstamped = stamped > 0;
    if (stamped)
        push->noted = push->told;
    if (stamped && push->session->brief && push->stamping.took_all)
        CM_TRY(cm_publication_is_waiting(&push->unstamped, push->session->node,
                                         pool));
    return NULL;
}

/* Prepare BATCH to be sent. */
static void keep(cm_ready_t *ready, cm_push_t *push, const cm_batch_t *batch)
{
    const apr_array_header_t *messages = batch->messages;
    const cm_transport_t *transport = push->session->transport;

    ready->buffer->size = 0;
    cm_body_write(ready->buffer, batch, push->session->kind == CM_PEER_GEM);
    ready->batch = *batch;
    ready->batch.messages = NULL;
    ready->batch.held_reason = apr_pstrdup(ready->pool, batch->held_reason);
    ready->count = messages->nelts;
    if (ready->count) {
        ready->first_id = APR_ARRAY_IDX(messages, 0, cm_message_t *)->id;
        ready->seq = batch->first_seq;
        ready->last_id =
            APR_ARRAY_IDX(messages, messages->nelts - 1, cm_message_t *)->id;
    }
    ready->body = transport->pack(
        transport->baton,
        (cm_transport_body_t){ready->buffer->data, ready->buffer->size,
                              cm_packed_copy(batch->packed, ready->pool)},
        ready->pool);
    ready->made = 1;
}

/* Read and prepare the batch after AFTER. Messages are numbered as they are
 * needed. */
static cm_error_t *make_ready(cm_ready_t *ready, cm_push_t *push,
                              apr_int64_t after)
{
    cm_session_t *session = push->session;
    cm_reading_t reading = {.peer = session->settings->name,
                            .after = after,
                            .limits = push->limits,
                            .first_id = push->next_id};
    cm_batch_t *batch;

    apr_pool_clear(ready->pool);
    apr_pool_clear(push->pool);
    ready->made = 0;
    push->stamping.stamped = NULL;
    if (push->unstamped)
        CM_TRY(stamp(push, push->pool));
    reading.stamped = push->stamping.stamped;
    if (session->kind == CM_PEER_GEM)
        reading.fit = cm_gem_fit;
    CM_TRY(cm_outbox_read(&batch, session->node, &reading, push->pool,
                          push->pool));
    keep(ready, push, batch);
    apr_pool_clear(push->pool);
    return NULL;
}

/* Return whether READY is the last batch of a brief run: it takes all that was
 * committed when it was made. */
static int is_last(const cm_push_t *push, const cm_ready_t *ready)
{
    return push->session->brief && !push->unstamped && !ready->batch.more;
}

/* While the peer works on a batch, prepare the one after AFTER, and note what
 * the peer held before. What fails here is done again later, and reported
 * then. */
static void look_ahead(cm_push_t *push, apr_int64_t after, cm_ready_t *next)
{
    cm_error_t *err;

    if (push->session->kind == CM_PEER_GEM)
        return;
    err = make_ready(next, push, after);
    if (!err)
        err = note_told(push, next->pool);
    if (err)
        next->made = 0;
}

/* Note what ERR may mean for a single message. A gem whose reply was lost may
 * have kept and counted it. */
static void note_refusal(cm_push_t *push, const cm_transport_reply_t *raw,
                         const cm_reply_t *reply, const cm_error_t *err)
{
    int gem = push->session->kind == CM_PEER_GEM;

    if (!err)
        return;
    push->refusal = cm_reply_refusal(raw, reply, err);
    push->refuser = reply && reply->kind == CM_PEER_OURS ? CM_REFUSER_PEER
                    : gem && raw && raw->status == 500   ? CM_REFUSER_GEM
                                                         : CM_REFUSER_PROXY;
    if (gem && push->refusal == CM_REFUSAL_MAYBE && raw->status != 500)
        push->refusal = CM_REFUSAL_OF_ALL;
}

/* Note, before a batch is sent to a gem, that it may receive it. */
static cm_error_t *before_gem(cm_push_t *push, const cm_ready_t *ready,
                              apr_pool_t *scratch_pool)
{
    if (ready->batch.last <= push->session->peer->sent)
        return NULL;
    return cm_session_note_sent(push->session, ready->batch.last, scratch_pool);
}

static cm_error_t *send_batch(cm_reply_t **reply, cm_push_t *push,
                              const cm_ready_t *ready, cm_ready_t *next)
{
    cm_session_t *session = push->session;
    const cm_transport_t *transport = session->transport;
    const apr_int64_t last = ready->batch.last;
    apr_pool_t *pool = ready->pool;
    const char *query = NULL;
    cm_transport_reply_t *raw;
    cm_error_t *err;

    push->refusal = CM_REFUSAL_OF_ALL;
    CM_TRY(cm_withhold_before(push, pool));
    if (session->kind == CM_PEER_GEM)
        CM_TRY(before_gem(push, ready, pool));
    else
        query = apr_psprintf(
            pool, "after=%" APR_INT64_T_FMT "&last=%" APR_INT64_T_FMT,
            push->told, last);
    transport->send(transport->baton, query, &ready->body, pool);
    if (!is_last(push, ready))
        look_ahead(push, last, next);
    err = transport->finish(&raw, transport->baton, pool);
    if (!err)
        err = cm_reply_judge_post(reply, raw, pool);
    /* What another node refuses says nothing about a message. */
    if (*reply)
        CM_TRY(cm_session_meet(session, *reply, pool));
    note_refusal(push, raw, *reply, err);
    return err;
}

static void note_mostly_parked(cm_session_t *session,
                               const apr_array_header_t *parked, int count)
{
    const cm_receipt_t receipt = {.accepted = count,
                                  .parked = (apr_array_header_t *)parked};

    if (cm_inbox_receipt_mostly_parked(&receipt))
        cm_session_notice(session,
                          "%d of %d messages of a batch are parked there: a "
                          "table or model may be missing",
                          cm_inbox_receipt_mostly_parked(&receipt), count);
}

/* The peer may say that it holds more than this batch, because an earlier reply
 * was lost. We do not trust that, but send the rest again. */
static cm_error_t *accepted_by_ours(cm_push_t *push, const cm_ready_t *ready,
                                    const cm_reply_t *reply, apr_pool_t *pool)
{
    const apr_int64_t last = ready->batch.last;
    cm_session_t *session = push->session;
    apr_array_header_t *parked;

    if (reply->received < ready->last_id)
        return CM_FAIL(pool, CM_PROTOCOL,
                       "the peer accepted messages up to %" APR_INT64_T_FMT
                       " but says that it holds %" APR_INT64_T_FMT,
                       ready->last_id, reply->received);
    push->told = reply->received < last ? reply->received : last;
    push->after = last; /* the rows after the last message are not for it */
    parked = cm_reply_parked(reply, pool);
    cm_session_keep_parked(session->totals.parked_there, parked);
    note_mostly_parked(session, parked, ready->count);
    return NULL;
}

static cm_error_t *accepted_by_gem(cm_push_t *push, const cm_ready_t *ready,
                                   apr_pool_t *scratch_pool)
{
    cm_session_t *session = push->session;

    CM_TRY(cm_outbox_confirm(session->node, session->settings->name,
                             ready->batch.last, ready->last_id, scratch_pool));
    push->after = ready->batch.last;
    push->next_id = ready->last_id + 1;
    return NULL;
}

static cm_error_t *accepted(cm_push_t *push, const cm_ready_t *ready,
                            const cm_reply_t *reply, apr_pool_t *pool)
{
    if (push->session->kind == CM_PEER_GEM)
        CM_TRY(accepted_by_gem(push, ready, pool));
    else
        CM_TRY(accepted_by_ours(push, ready, reply, pool));
    push->session->totals.pushed += ready->count;
    if (push->session->moved)
        push->session->moved(push->session->baton, "push",
                             push->session->totals.pushed, push->total);
    CM_TRY(cm_withhold_passed(push, pool));
    push->agreed = 0;
    push->shrunk = 0;
    push->ended = is_last(push, ready);
    if (push->limits.messages * 2 <= push->ceiling.messages)
        push->limits.messages *= 2;
    else
        push->limits.messages = push->ceiling.messages;
    return NULL;
}

/* Send half as much the next time. Return 0 when ERR is not about the size. A
 * size that was refused is not tried again in this run; a timeout may have been
 * the network's. */
static int shrink(cm_push_t *push, int count, apr_int64_t size,
                  const cm_error_t *err)
{
    if (count < 2 || ++push->shrunk > HALVINGS)
        return 0;
    if (err->code != CM_TOO_LARGE &&
        (err->code != CM_TIMEOUT || push->shrunk > 2))
        return 0;
    push->limits.messages = count / 2;
    if (err->code == CM_TOO_LARGE && size * 3 / 4 < push->limits.bytes)
        push->limits.bytes = size * 3 / 4;
    return 1;
}

static cm_error_t *push_batch(cm_push_t *push, const cm_ready_t *ready,
                              cm_ready_t *next)
{
    apr_pool_t *pool = ready->pool;
    cm_reply_t *reply = NULL;
    cm_error_t *err = send_batch(&reply, push, ready, next);

    if (!err)
        return accepted(push, ready, reply, pool);
    next->made = 0;
    if (err->code == CM_GAP && reply) {
        CM_TRY(cm_withhold_forget(push, pool));
        return agree(push, reply->wanted, err, pool);
    }
    if (shrink(push, ready->count, (apr_int64_t)ready->body.size, err))
        return NULL;
    return cm_withhold_refused(push, ready, err);
}

static void count_held_back(cm_session_t *session, const cm_batch_t *batch)
{
    cm_totals_t *totals = &session->totals;

    totals->held_back += batch->held_back;
    if (batch->held_back > 0 && !totals->held_reason)
        totals->held_reason = apr_pstrdup(session->pool, batch->held_reason);
}

/* Count what waits, with what was sent before. */
static cm_error_t *count(cm_push_t *push, apr_pool_t *pool)
{
    cm_session_t *session = push->session;
    cm_pending_t pending;

    CM_TRY(cm_outbox_pending(&pending, session->node, session->settings->name,
                             CM_EXACT_ON_THE_WAY, pool));
    push->total = session->totals.pushed + pending.count;
    return NULL;
}

/* End the push when more than what waited at the beginning was sent: the rest
 * is for the next run, or an application that goes on writing would keep this
 * one, and the peers after it. */
static cm_error_t *end_if_enough(cm_push_t *push, apr_pool_t *pool)
{
    if (push->ended)
        return NULL;
    if (push->total == UNCOUNTED)
        CM_TRY(count(push, pool));
    push->ended =
        push->session->totals.pushed > cm_run_most(push->total, push->session);
    return NULL;
}

static cm_error_t *push_all(cm_push_t *push, apr_pool_t *scratch_pool)
{
    cm_ready_t one = {0}, other = {0};
    cm_ready_t *ready = &one, *next = &other, *before;
    apr_pool_t *pool;

    apr_pool_create(&pool, scratch_pool);
    apr_pool_create(&push->pool, pool);
    apr_pool_create(&one.pool, pool);
    apr_pool_create(&other.pool, pool);
    one.buffer = cm_buffer_create(ROOM, pool);
    other.buffer = cm_buffer_create(ROOM, pool);
    do {
        CM_TRY(cm_session_check(push->session, scratch_pool));
        if (!ready->made || ready->batch.after != push->after)
            CM_TRY(make_ready(ready, push, push->after));
        count_held_back(push->session, &ready->batch);
        next->made = 0;
        if (ready->count > 0)
            CM_TRY(push_batch(push, ready, next));
        else
            push->after = ready->batch.last;
        before = ready;
        ready = next;
        next = before;
        CM_TRY(end_if_enough(push, scratch_pool));
    } while (!push->ended &&
             (before->batch.more || before->count > 0 || push->unstamped));
    if (!push->ended)
        CM_TRY(cm_withhold_end(push, pool));
    apr_pool_destroy(pool);
    return NULL;
}

/* Find out whether there is anything to push. One batch takes what a brief run
 * finds, nearly always: so it does not count. */
static cm_error_t *is_empty(int *empty, cm_push_t *push, cm_session_t *session,
                            apr_pool_t *pool)
{
    int waiting;

    push->session = session;
    if (session->brief) {
        push->total = UNCOUNTED;
        CM_TRY(cm_waiting_look(&waiting, NULL, session->node,
                               session->peer->confirmed, pool));
        *empty = !waiting;
        return NULL;
    }
    CM_TRY(count(push, pool));
    *empty = push->total == session->totals.pushed;
    return NULL;
}

/* A gem gets small batches, numbered without gaps. */
static void begin_gem(cm_push_t *push)
{
    if (push->limits.messages > GEM_MESSAGES)
        push->limits.messages = GEM_MESSAGES;
    if (push->limits.bytes > GEM_BYTES)
        push->limits.bytes = GEM_BYTES;
    push->next_id = push->session->peer->confirmed_id + 1;
    if (!push->session->since)
        push->session->since = push->session->peer->confirmed + 1;
}

static void begin(cm_push_t *push)
{
    cm_session_t *session = push->session;
    const cm_settings_t *settings = session->node->settings;

    push->limits.messages = settings->batch.messages;
    push->limits.bytes = settings->batch.bytes;
    push->after = session->peer->confirmed;
    push->told = push->noted = session->peer->confirmed;
    push->unstamped = 1;
    push->stamping.peer = session->settings->name;
    if (session->kind == CM_PEER_GEM)
        begin_gem(push);
    push->ceiling = push->limits;
    /* The first message shows whether others have used the gem before. */
    if (session->kind == CM_PEER_GEM && !session->peer->confirmed_id)
        push->limits.messages = 1;
}

/* Compare what a peer of ours holds with what it has confirmed. What it holds
 * beyond that, as its clock proves, is not sent again. */
static cm_error_t *compare(cm_push_t *push, apr_pool_t *pool)
{
    cm_session_t *session = push->session;

    if (session->met && session->held > push->told)
        push->told = push->after = session->held;
    if (session->kind != CM_PEER_OURS || session->its_received < 0)
        return NULL;
    if (session->its_received < push->told)
        step_back(push, session->its_received);
    if (session->proved > push->told)
        push->told = push->after = session->proved;
    return note_told(push, pool);
}

/* Push to a peer that is met. NOTHING waits: there may be something to be sent
 * again. What the peer holds is noted at the end, unless a brief run has sent
 * something: more will be sent soon, and the transaction that numbers it notes
 * this, too. */
static cm_error_t *push_met(cm_push_t *push, int nothing, apr_pool_t *pool)
{
    cm_session_t *session = push->session;
    const apr_int64_t before = session->totals.pushed;
    cm_error_t *err = NULL, *later;

    begin(push);
    CM_TRY(compare(push, pool));
    CM_TRY(cm_withhold_begin(push, pool));
    if (!nothing || push->after < session->peer->confirmed)
        err = push_all(push, pool);
    later = cm_withhold_forget(push, pool);
    session->held = push->told;
    if (!later && (err || !session->brief || session->totals.pushed == before))
        later = note_told(push, pool);
    CM_TRY(err ? err : later);
    session->all_sent = !push->ended;
    return cm_session_note(session, 1, pool);
}

cm_error_t *cm_push(cm_session_t *session, int quiet_when_empty,
                    apr_pool_t *scratch_pool)
{
    cm_push_t push = {0}, again;
    cm_error_t *err;
    apr_int64_t said;
    int empty;

    CM_TRY(cm_missing_publish(&said, session->node, scratch_pool));
    CM_TRY(is_empty(&empty, &push, session, scratch_pool));
    session->all_sent = empty;
    if (empty && quiet_when_empty)
        return NULL;
    again = push;
    if (session->met) {
        err = push_met(&push, empty, scratch_pool);
        if (!err || err->code != CM_EPOCH)
            return err;
        session->met = 0;
    }
    CM_TRY(cm_session_load(session, scratch_pool));
    CM_TRY(cm_session_greet(session, scratch_pool));
    /* Records get their identities only from here on, so that a restored
     * database does not give them. */
    return push_met(&again, empty, scratch_pool);
}
