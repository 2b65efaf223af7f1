/* One peer in one run: see session.h. */
#include "exchange/session.h"

#include <stdarg.h>
#include <string.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "base/error.h"
#include "store/store.h"
#include "config/settings.h"
#include "node/epoch.h"
#include "node/node.h"
#include "node/peer.h"
#include "outbox/withheld.h"
#include "inbox/inbox.h"
#include "operate/status.h"
#include "gem/former.h"
#include "exchange/headers.h"

#define PARKED_KEPT 100

/* When a run was, is written no more often than this if runs follow each other:
 * it takes a transaction. */
#define NOTE_INTERVAL apr_time_from_sec(10)

/* Put what we hold of the peer's messages into the headers of the next
 * requests. Our own last number and that nothing waits for the peer go into one
 * request only: by the second one there may be more. */
static cm_error_t *set_history(cm_session_t *session, apr_pool_t *pool)
{
    apr_table_t *headers = session->transport->headers;

    CM_TRY(cm_node_refresh(&session->newest, session->node, pool));
    apr_table_setn(headers, "Communicator-Epoch", session->node->epoch);
    cm_headers_set(headers, "Communicator-Newest", session->newest);
    if (session->all_sent)
        cm_headers_set(headers, "Communicator-Pending", 0);
    cm_headers_set(headers, "Communicator-Received", session->peer->received);
    cm_headers_set_history(headers, session->peer);
    return cm_session_count_withheld(session, pool);
}

cm_error_t *cm_session_count_withheld(cm_session_t *session,
                                      apr_pool_t *scratch_pool)
{
    CM_TRY(cm_withheld_count(&session->withheld, session->node,
                             session->settings->name, scratch_pool));
    apr_table_setn(session->transport->headers, "Communicator-Withheld",
                   cm_withheld_sum_text(&session->withheld, session->pool));
    return NULL;
}

/* Make the row of a peer that is new here. */
static cm_error_t *make_peer(cm_session_t *session, apr_pool_t *scratch_pool)
{
    cm_store_t *store = session->node->store;
    cm_error_t *err;

    CM_TRY(cm_transaction_begin(store, scratch_pool));
    err = cm_peer_load(&session->peer, session->node, session->settings->name,
                       0, session->pool);
    return cm_transaction_end(store, err, scratch_pool);
}

cm_error_t *cm_session_load(cm_session_t *session, apr_pool_t *scratch_pool)
{
    /* A transaction would wait for SQLite's only writer. */
    CM_TRY(cm_peer_find(&session->peer, session->node, session->settings->name,
                        session->pool));
    if (!session->peer)
        CM_TRY(make_peer(session, scratch_pool));
    return set_history(session, scratch_pool);
}

cm_session_t *cm_session_create(const cm_transport_t *transport,
                                const char *own_name,
                                const cm_peer_settings_t *settings,
                                apr_pool_t *pool)
{
    cm_session_t *session = apr_pcalloc(pool, sizeof(*session));
    cm_totals_t *totals = &session->totals;

    session->settings = settings;
    session->transport = transport;
    session->its_received = -1;
    session->said =
        (cm_status_said_t){.pending = -1, .parked = -1, .withheld = {-1, 0}};
    session->pool = pool;
    totals->parked = apr_array_make(pool, 4, sizeof(cm_parked_t));
    totals->parked_there = apr_array_make(pool, 4, sizeof(cm_parked_t));
    totals->withheld = apr_array_make(pool, 4, sizeof(cm_parked_t));
    totals->withheld_there = apr_array_make(pool, 4, sizeof(cm_parked_t));
    totals->notices = apr_array_make(pool, 4, sizeof(const char *));
    apr_table_setn(transport->headers, "Communicator-Protocol", "2");
    apr_table_setn(transport->headers, "Communicator-Node", own_name);
    return session;
}

cm_error_t *cm_session_check(const cm_session_t *session, apr_pool_t *pool)
{
    return session->check ? session->check(pool) : NULL;
}

/* Change the peer's row under its lock: another host may have moved the
 * cursors since we read it. */
static cm_error_t *update(cm_session_t *session,
                          void (*change)(cm_peer_t *peer, const void *baton),
                          const void *baton, apr_pool_t *scratch_pool)
{
    cm_node_t *node = session->node;
    cm_peer_t *peer;
    cm_error_t *err;

    CM_TRY(cm_transaction_begin(node->store, scratch_pool));
    err = cm_peer_load(&peer, node, session->settings->name, 1, session->pool);
    if (!err) {
        change(peer, baton);
        err = cm_peer_save(node, peer, scratch_pool);
    }
    CM_TRY(cm_transaction_end(node->store, err, scratch_pool));
    session->peer = peer;
    return NULL;
}

/* An epoch that another host has saved meanwhile stays: the next reply is
 * compared with it. */
static void set_epoch(cm_peer_t *peer, const void *baton)
{
    if (!peer->epoch)
        peer->epoch = baton;
}

static void notice_kind(cm_session_t *session)
{
    if (session->settings->gem)
        cm_session_notice(session,
                          "it is not a gem: it uses Communicator's protocol, "
                          "which is used from now on; remove protocol=gem "
                          "(%s:%d)",
                          session->settings->place.file,
                          session->settings->place.line);
}

/* One of both may have been a gem until now. Fails with CM_EPOCH while the peer
 * does not know our numbers: the next request tells it. */
static cm_error_t *meet_former(cm_session_t *session, const cm_claim_t *claim,
                               apr_pool_t *pool)
{
    cm_former_t former;
    const char *text;
    int recounted;

    CM_TRY(cm_former_recount(&recounted, session->node, &session->peer, claim,
                             session->pool, pool));
    session->recounted |= recounted;
    CM_TRY(cm_former_meet(&former, session->node, &session->peer, claim,
                          session->pool, pool));
    text = cm_former_text(&former, session->pool);
    if (former.is_new)
        notice_kind(session);
    if (text)
        cm_session_notice(session, "%s", text);
    if (former.seq == former.id)
        return NULL;
    return cm_error_hint(
        CM_FAIL(pool, CM_EPOCH,
                "'%s' still counts our messages as a gem does: what it counts "
                "as %" APR_INT64_T_FMT " is message %" APR_INT64_T_FMT,
                session->settings->name, former.id, former.seq),
        pool, "install the same version of Communicator there");
}

/* Refuse a peer whose history does not fit, and keep its epoch when it is
 * met first. */
static cm_error_t *check_history(cm_session_t *session, const cm_reply_t *reply,
                                 apr_pool_t *pool)
{
    cm_claim_t claim = reply->sender.claim;

    if (!claim.epoch)
        return CM_FAIL(pool, CM_PROTOCOL, "the peer does not name its epoch");
    CM_TRY(meet_former(session, &claim, pool));
    CM_TRY(cm_epoch_check(&claim, session->node, &session->peer, session->pool,
                          pool));
    if (claim.proved > session->proved)
        session->proved = claim.proved;
    apr_table_unset(session->transport->headers, "Communicator-Newest");
    apr_table_unset(session->transport->headers, "Communicator-Pending");
    if (session->peer->epoch)
        return NULL;
    CM_TRY(update(session, set_epoch, apr_pstrdup(session->pool, claim.epoch),
                  pool));
    notice_kind(session);
    return NULL;
}

/* Refuse a reply without our headers unless a person has declared the peer to
 * be a gem, and it never was anything else: a proxy that removes the headers
 * makes one of ours look the same, and a gem is sent no deletes. */
static cm_error_t *check_gem(const cm_session_t *session, apr_pool_t *pool)
{
    const cm_peer_settings_t *settings = session->settings;

    if (session->peer && session->peer->epoch)
        return cm_error_hint(
            CM_FAIL(pool, CM_PROTOCOL,
                    "the peer answers without Communicator's headers, as a gem "
                    "does, but it has used Communicator's protocol before"),
            pool,
            CM_HEADERS_REMEDY
            "; or mod_communicator no longer serves this address; or it is a "
            "gem again: communicator-sync "
            "epoch --accept %s, and protocol=gem (%s:%d)",
            settings->name, settings->place.file, settings->place.line);
    if (settings->gem)
        return NULL;
    return cm_error_hint(
        CM_FAIL(pool, CM_PROTOCOL,
                "the peer answers without Communicator's headers, as a gem "
                "does, and is not declared to be one"),
        pool,
        CM_HEADERS_REMEDY "; or the peer is a gem: add protocol=gem to its "
                          "CommunicatorPeer (%s:%d)",
        settings->place.file, settings->place.line);
}

/* A later version may use the headers differently. */
static cm_error_t *check_protocol(const cm_reply_t *reply, apr_pool_t *pool)
{
    if (reply->sender.protocol == CM_OUR_PROTOCOL)
        return NULL;
    return cm_error_hint(CM_FAIL(pool, CM_PROTOCOL,
                                 "the peer speaks protocol %" APR_INT64_T_FMT
                                 ", this program only %d",
                                 reply->sender.protocol, CM_OUR_PROTOCOL),
                         pool, "install the newer program here too");
}

static cm_error_t *check_name(const cm_session_t *session, const char *name,
                              apr_pool_t *pool)
{
    const cm_peer_settings_t *settings = session->settings;

    if (name && strcmp(name, settings->name) == 0)
        return NULL;
    return cm_error_hint(
        CM_FAIL(pool, CM_PROTOCOL, "the peer calls itself '%s', not '%s'",
                name ? cm_reply_excerpt(name, strlen(name), 80, pool) : "",
                settings->name),
        pool,
        "CommunicatorPeer here (%s:%d) and CommunicatorName there must be the "
        "same word",
        settings->place.file, settings->place.line);
}

cm_error_t *cm_session_check_sender(const cm_session_t *session,
                                    const cm_reply_t *reply,
                                    apr_pool_t *scratch_pool)
{
    CM_TRY(check_protocol(reply, scratch_pool));
    return check_name(session, reply->sender.node, scratch_pool);
}

cm_error_t *cm_session_meet(cm_session_t *session, const cm_reply_t *reply,
                            apr_pool_t *scratch_pool)
{
    if (reply->kind == CM_PEER_UNKNOWN)
        return NULL;
    if (session->kind != CM_PEER_UNKNOWN && reply->kind != session->kind)
        return CM_FAIL(scratch_pool, CM_PROTOCOL,
                       "the peer changed its kind within a run");
    if (reply->kind == CM_PEER_GEM) {
        CM_TRY(check_gem(session, scratch_pool));
        session->kind = CM_PEER_GEM;
        session->said.gem = 1;
        session->said.at = cm_clock_now();
        return NULL;
    }
    CM_TRY(cm_session_check_sender(session, reply, scratch_pool));
    if (session->peer)
        CM_TRY(check_history(session, reply, scratch_pool));
    session->kind = CM_PEER_OURS;
    session->accepts_gzip = reply->sender.accepts_gzip;
    session->transport->accept_gzip(session->transport->baton,
                                    session->accepts_gzip);
    if (reply->received >= 0)
        session->its_received = reply->received;
    if (reply->sender.withheld.count >= 0)
        session->said.withheld = reply->sender.withheld;
    if (reply->sender.has_clock && session->peer)
        session->peer->clock_offset = reply->sender.clock_offset;
    if (reply->pull.pending >= 0) {
        session->said.at = cm_clock_now();
        session->said.pending = reply->pull.pending;
        session->said.oldest = reply->pull.oldest > 0 ? reply->pull.oldest : 0;
        session->said.parked = reply->pull.parked;
    }
    return NULL;
}

int cm_session_tells_again(cm_session_t *session, cm_error_t **err,
                           apr_pool_t *scratch_pool)
{
    if (!*err || ((*err)->code != CM_EPOCH && !session->recounted) ||
        session->told_again || !session->node)
        return 0;
    session->told_again = 1;
    *err = cm_epoch_look(&session->peer, session->node, session->settings->name,
                         session->pool);
    if (!*err)
        *err = set_history(session, scratch_pool);
    return !*err;
}

cm_error_t *cm_session_post(cm_reply_t **reply, cm_session_t *session,
                            const char *query, apr_pool_t *scratch_pool)
{
    cm_transport_reply_t *raw;
    cm_error_t *err;

    CM_TRY(cm_transport_post(&raw, session->transport, query, "[]", 2,
                             scratch_pool));
    err = cm_reply_judge_post(reply, raw, scratch_pool);
    CM_TRY(cm_session_meet(session, *reply, scratch_pool));
    return err;
}

static cm_error_t *greet(cm_session_t *session, apr_pool_t *scratch_pool)
{
    const char *query =
        apr_psprintf(scratch_pool, "after=%" APR_INT64_T_FMT,
                     session->peer ? session->peer->confirmed : 0);
    cm_reply_t *reply = NULL;
    cm_error_t *err = cm_session_post(&reply, session, query, scratch_pool);

    /* A gap is not a failure yet: the caller sees where the peer stands. */
    return err && err->code == CM_GAP && reply->wanted >= 0 ? NULL : err;
}

cm_error_t *cm_session_greet(cm_session_t *session, apr_pool_t *scratch_pool)
{
    cm_error_t *err = greet(session, scratch_pool);

    return cm_session_tells_again(session, &err, scratch_pool)
               ? greet(session, scratch_pool)
               : err;
}

void cm_session_insist(cm_session_t *session)
{
    apr_table_setn(session->transport->headers, "Communicator-Drain", "1");
}

cm_error_t *cm_session_pause(cm_session_t *session, int pause,
                             apr_pool_t *scratch_pool)
{
    const char *query =
        apr_psprintf(scratch_pool, "after=%" APR_INT64_T_FMT "&pause=%d",
                     session->peer->confirmed, pause);
    cm_reply_t *reply;

    CM_TRY(cm_session_post(&reply, session, query, scratch_pool));
    if (session->kind != CM_PEER_OURS)
        return cm_error_hint(CM_FAIL(scratch_pool, CM_PROTOCOL,
                                     "it is a gem, which cannot be paused"),
                             scratch_pool,
                             "nothing moves while this side is paused");
    return NULL;
}

cm_error_t *cm_session_ask(cm_verify_answer_t **answer, void *baton,
                           const cm_verify_question_t *question,
                           apr_pool_t *pool)
{
    cm_session_t *session = baton;
    const char *query = question->ask >= CM_ASK_PUBLISH ? "repair" : "verify";
    cm_buffer_t *text = cm_buffer_create(1024, pool);
    cm_transport_reply_t *raw;
    cm_reply_t *reply;
    cm_error_t *err;

    CM_TRY(cm_session_check(session, pool));
    cm_verify_wire_write_question(text, question);
    CM_TRY(cm_transport_post(&raw, session->transport, query, text->data,
                             text->size, pool));
    err = cm_reply_judge_answer(&reply, raw, pool);
    CM_TRY(cm_session_meet(session, reply, pool));
    CM_TRY(err);
    return cm_verify_wire_read_answer(
        answer, reply->data, reply->size,
        question->columns ? question->columns->nelts : 0, pool);
}

typedef struct note_t {
    int pushed;
    apr_int64_t clock_offset;
} note_t;

static void set_contact(cm_peer_t *peer, const void *baton)
{
    const note_t *note = baton;

    peer->clock_offset = note->clock_offset;
    if (note->pushed)
        peer->last_push_at = cm_clock_now();
    else
        peer->last_pull_at = cm_clock_now();
}

/* Return whether that this run pushes need not be noted at NOW. The first push
 * of a new history is: cm_epoch_is_renewed() looks for it. */
static int is_noted(const cm_session_t *session, apr_time_t now)
{
    const apr_int64_t noted = session->peer->last_push_at;

    return session->brief && noted <= now && noted > now - NOTE_INTERVAL &&
           !cm_epoch_is_renewed(session->node, session->peer);
}

cm_error_t *cm_session_note(cm_session_t *session, int pushed,
                            apr_pool_t *scratch_pool)
{
    note_t note = {pushed, session->peer->clock_offset};

    if (pushed && is_noted(session, cm_clock_now()))
        return NULL;
    CM_TRY(update(session, set_contact, &note, scratch_pool));
    if (pushed || !session->said.at)
        return NULL;
    return cm_status_keep_said(session->node, session->settings->name,
                               &session->said, scratch_pool);
}

static void set_sent(cm_peer_t *peer, const void *baton)
{
    const apr_int64_t *seq = baton;

    if (*seq > peer->sent)
        peer->sent = *seq;
}

cm_error_t *cm_session_note_sent(cm_session_t *session, apr_int64_t seq,
                                 apr_pool_t *scratch_pool)
{
    return update(session, set_sent, &seq, scratch_pool);
}

apr_int64_t cm_session_withheld(const cm_session_t *session)
{
    apr_int64_t there = session->said.withheld.count;

    return session->withheld.count + (there > 0 ? there : 0);
}

int cm_session_is_set_back(const cm_session_t *session)
{
    return session->its_received >= 0 &&
           session->its_received < session->peer->confirmed;
}

void cm_session_notice(cm_session_t *session, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    APR_ARRAY_PUSH(session->totals.notices, const char *) =
        apr_pvsprintf(session->pool, format, args);
    va_end(args);
}

void cm_session_keep_parked(apr_array_header_t *list,
                            const apr_array_header_t *parked)
{
    int i;

    for (i = 0; i < parked->nelts && list->nelts < PARKED_KEPT; i++) {
        cm_parked_t copy = APR_ARRAY_IDX(parked, i, cm_parked_t);

        copy.model = apr_pstrdup(list->pool, copy.model);
        copy.reason = apr_pstrdup(list->pool, copy.reason);
        copy.identity.origin = apr_pstrdup(list->pool, copy.identity.origin);
        copy.identity.original_id =
            apr_pstrdup(list->pool, copy.identity.original_id);
        APR_ARRAY_PUSH(list, cm_parked_t) = copy;
    }
}
