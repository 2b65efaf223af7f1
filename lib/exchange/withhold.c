/* Withholding single messages of a push: see push.h. */
#include "exchange/push.h"

#include <apr_strings.h>
#include <apr_time.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "outbox/body.h"
#include "outbox/read.h"
#include "outbox/withheld.h"
#include "inbox/inbox.h"

#define HALVINGS 12
#define TRIES    3
#define PAUSE    apr_time_from_msec(100)

/* When more messages than this are refused in a row, the reason is not in the
 * messages. */
#define MOST 20

/* Whether other messages pass. */
typedef enum way_e {
    WAY_CLOSED,
    WAY_OPEN,  /* an empty push passes */
    WAY_PROVED /* a message passes that the peer has already */
} way_e;

typedef struct refused_t {
    apr_int64_t seq;
    cm_refusal_e refusal;
    cm_refuser_e refuser;
    const char *reason, *hint;
} refused_t;

struct cm_refused_t {
    apr_array_header_t *list; /* refused_t: since a batch last passed */
    int noted;                /* how many of them are in the database */
    apr_int64_t passed;       /* the peer has all messages up to this one */
    int tries;                /* of the present message */
    way_e way;                /* as it was last tried */
    const cm_error_t *first;  /* why the first of LIST was refused */
    apr_pool_t *pool;         /* of LIST */
};

/* Return the number up to which the peer has all messages. */
static apr_int64_t passed(const cm_push_t *push)
{
    return push->session->kind == CM_PEER_GEM ? push->refused->passed
                                              : push->told;
}

cm_error_t *cm_withhold_begin(cm_push_t *push, apr_pool_t *scratch_pool)
{
    cm_session_t *session = push->session;
    struct cm_refused_t *refused = apr_pcalloc(session->pool, sizeof(*refused));
    apr_int64_t after;

    apr_pool_create(&refused->pool, session->pool);
    refused->list = apr_array_make(session->pool, 4, sizeof(refused_t));
    refused->passed = push->after;
    push->refused = refused;
    if (!session->withheld.count)
        return NULL;
    /* What the peer has passed over stays withheld, even if it says now that it
     * holds less: if that is not so, it would skip the message. */
    after = passed(push);
    if (after < session->peer->confirmed)
        after = session->peer->confirmed;
    CM_TRY(cm_withheld_forget(session->node, session->settings->name, after,
                              scratch_pool));
    return cm_session_count_withheld(session, scratch_pool);
}

/* Read the last message that the peer has, *SEQ: the peer skips it when it
 * arrives again. *BODY is NULL when it is no longer here. */
static cm_error_t *read_last(cm_buffer_t **body, apr_int64_t *seq,
                             cm_push_t *push, apr_pool_t *pool)
{
    cm_session_t *session = push->session;
    const char *peer = session->settings->name;
    cm_reading_t reading = {.peer = peer, .limits = {1, 1}};
    cm_batch_t *batch;
    cm_error_t *err;

    *body = NULL;
    if (session->kind != CM_PEER_OURS || push->told < 1)
        return NULL;
    CM_TRY(
        cm_withheld_find_last_sent(seq, session->node, peer, push->told, pool));
    if (!*seq)
        return NULL;
    reading.after = *seq - 1;
    err = cm_outbox_read(&batch, session->node, &reading, pool, pool);
    if (err && err->code == CM_EPOCH) /* purged */
        return NULL;
    CM_TRY(err);
    if (batch->messages->nelts != 1 || batch->first_seq != *seq)
        return NULL;
    *body = cm_buffer_create(1024, pool);
    cm_body_write(*body, batch, 0);
    return NULL;
}

/* Judge what came back when other messages were tried. *PASSES: the peer has
 * taken them. Fails if a peer of ours answers what makes no sense, or is not
 * the one that we know: that proves nothing about a message. */
static cm_error_t *judge_way(int *passes, cm_session_t *session,
                             const cm_transport_reply_t *raw, apr_pool_t *pool)
{
    cm_reply_t *reply;
    cm_error_t *err = cm_reply_judge_post(&reply, raw, pool);

    *passes = 0;
    if (reply->kind == CM_PEER_OURS) {
        CM_TRY(cm_session_meet(session, reply, pool));
        if (err && err->code == CM_PROTOCOL)
            return err;
    }
    *passes = !err && reply->kind == session->kind;
    return NULL;
}

/* Find out whether BODY PASSES. */
static cm_error_t *try_body(int *passes, cm_push_t *push, apr_int64_t after,
                            const char *body, apr_size_t size, apr_pool_t *pool)
{
    cm_session_t *session = push->session;
    const char *query =
        session->kind == CM_PEER_GEM
            ? NULL
            : apr_psprintf(pool, "after=%" APR_INT64_T_FMT, after);
    cm_transport_reply_t *raw;

    *passes = 0;
    if (cm_transport_post(&raw, session->transport, query, body, size, pool))
        return NULL;
    return judge_way(passes, session, raw, pool);
}

/* Find out whether other messages pass. */
static cm_error_t *try_way(cm_push_t *push, apr_pool_t *pool)
{
    struct cm_refused_t *refused = push->refused;
    apr_int64_t seq = 0;
    cm_buffer_t *body;
    int passes = 0;

    CM_TRY(read_last(&body, &seq, push, pool));
    if (body)
        CM_TRY(try_body(&passes, push, seq - 1, body->data, body->size, pool));
    if (passes) {
        refused->way = WAY_PROVED;
        return NULL;
    }
    CM_TRY(try_body(&passes, push, push->told, "[]", 2, pool));
    refused->way = passes ? WAY_OPEN : WAY_CLOSED;
    return NULL;
}

/* Return ERR with the number of the message, if READY is only one. */
static cm_error_t *named(cm_error_t *err, const cm_ready_t *ready)
{
    if (ready->count != 1)
        return err;
    return cm_error_make(ready->pool, err->code, err, __FILE__, __LINE__,
                         "message %" APR_INT64_T_FMT, ready->seq);
}

/* Go on after the one message of READY. */
static void refuse(cm_push_t *push, const cm_ready_t *ready, cm_error_t *err)
{
    struct cm_refused_t *refused = push->refused;
    refused_t *one = apr_array_push(refused->list);

    one->seq = ready->seq;
    one->refusal = push->refusal;
    one->refuser = push->refuser;
    one->reason = apr_pstrdup(refused->pool, cm_error_text(err, refused->pool));
    one->hint = apr_pstrdup(refused->pool, err->hint);
    if (refused->list->nelts == 1)
        refused->first = cm_error_copy(named(err, ready), refused->pool);
    refused->tries = 0;
    push->after = ready->batch.last;
    push->limits.messages = 1;
    push->shrunk = 0;
}

/* A single message was refused: try it a few times, for the failure may be
 * temporary. */
static cm_error_t *refused_alone(cm_push_t *push, const cm_ready_t *ready,
                                 cm_error_t *err)
{
    struct cm_refused_t *refused = push->refused;
    int tries = push->refusal == CM_REFUSAL_SIZE ? TRIES - 1 : TRIES;

    if (++refused->tries < tries) {
        CM_TRY(cm_session_check(push->session, ready->pool));
        cm_clock_sleep(PAUSE * refused->tries);
        return NULL;
    }
    refuse(push, ready, err);
    if (refused->list->nelts <= MOST ||
        (push->refusal == CM_REFUSAL_SIZE && refused->way == WAY_PROVED))
        return NULL;
    return cm_error_copy(refused->first, push->session->pool);
}

cm_error_t *cm_withhold_refused(cm_push_t *push, const cm_ready_t *ready,
                                cm_error_t *err)
{
    if (push->refusal == CM_REFUSAL_OF_ALL)
        return named(err, ready);
    CM_TRY(try_way(push, ready->pool));
    if (push->refused->way == WAY_CLOSED)
        return named(err, ready);
    if (ready->count == 1)
        return refused_alone(push, ready, err);
    if (++push->shrunk > HALVINGS)
        return err;
    push->limits.messages = ready->count / 2;
    return NULL;
}

cm_error_t *cm_withhold_before(cm_push_t *push, apr_pool_t *scratch_pool)
{
    struct cm_refused_t *refused = push->refused;
    cm_session_t *session = push->session;

    for (; refused->noted < refused->list->nelts; refused->noted++) {
        const refused_t *one =
            &APR_ARRAY_IDX(refused->list, refused->noted, refused_t);
        apr_array_header_t *seqs =
            apr_array_make(scratch_pool, 1, sizeof(apr_int64_t));

        APR_ARRAY_PUSH(seqs, apr_int64_t) = one->seq;
        CM_TRY(cm_withheld_add(
            session->node, session->settings->name, seqs, one->refuser,
            one->hint
                ? apr_pstrcat(scratch_pool, one->reason, "; ", one->hint, NULL)
                : one->reason,
            scratch_pool));
    }
    return NULL;
}

cm_error_t *cm_withhold_passed(cm_push_t *push, apr_pool_t *scratch_pool)
{
    struct cm_refused_t *refused = push->refused;
    cm_session_t *session = push->session;
    apr_array_header_t *told;
    int i;

    refused->passed = push->after;
    refused->tries = 0;
    if (!refused->list->nelts)
        return NULL;
    told = apr_array_make(scratch_pool, 4, sizeof(cm_parked_t));
    for (i = 0; i < refused->list->nelts; i++) {
        const refused_t *one = &APR_ARRAY_IDX(refused->list, i, refused_t);
        cm_parked_t *parked = apr_array_push(told);

        *parked = (cm_parked_t){.id = one->seq, .reason = one->reason};
    }
    cm_session_keep_parked(session->totals.withheld, told);
    apr_array_clear(refused->list);
    refused->noted = 0;
    apr_pool_clear(refused->pool);
    return cm_session_count_withheld(session, scratch_pool);
}

/* Return whether each message was refused because of what it is. */
static int is_sure(const struct cm_refused_t *refused)
{
    int i;

    for (i = 0; i < refused->list->nelts; i++)
        if (APR_ARRAY_IDX(refused->list, i, refused_t).refusal ==
            CM_REFUSAL_MAYBE)
            return 0;
    return refused->way == WAY_PROVED;
}

/* Let the peer move on past what was refused, by an empty push. */
static cm_error_t *pass_by(cm_push_t *push, apr_pool_t *pool)
{
    const char *query =
        apr_psprintf(pool, "after=%" APR_INT64_T_FMT "&last=%" APR_INT64_T_FMT,
                     push->told, push->after);
    cm_reply_t *reply;

    CM_TRY(cm_session_post(&reply, push->session, query, pool));
    push->told = reply->received < push->after ? reply->received : push->after;
    return NULL;
}

cm_error_t *cm_withhold_end(cm_push_t *push, apr_pool_t *scratch_pool)
{
    struct cm_refused_t *refused = push->refused;

    if (!refused->list->nelts)
        return NULL;
    if (!is_sure(refused))
        return cm_error_copy(refused->first, push->session->pool);
    CM_TRY(cm_withhold_before(push, scratch_pool));
    CM_TRY(pass_by(push, scratch_pool));
    return cm_withhold_passed(push, scratch_pool);
}

cm_error_t *cm_withhold_forget(cm_push_t *push, apr_pool_t *scratch_pool)
{
    struct cm_refused_t *refused = push->refused;
    cm_session_t *session = push->session;
    int noted = refused->noted;

    apr_array_clear(refused->list);
    refused->noted = 0;
    apr_pool_clear(refused->pool);
    if (!noted)
        return NULL;
    return cm_withheld_forget(session->node, session->settings->name,
                              passed(push), scratch_pool);
}
