/* One peer in one run: see session.h. */
#include "session.h"

#include <limits.h>
#include <stdarg.h>
#include <string.h>

#include <apr_strings.h>

#include "secret.h"
#include "uri.h"
#include "base/error.h"
#include "store/store.h"
#include "config/settings.h"
#include "record/clocks.h"
#include "node/epoch.h"
#include "node/node.h"
#include "node/peer.h"
#include "outbox/withheld.h"
#include "inbox/inbox.h"
#include "operate/status.h"

#define PARKED_KEPT 100

static void tell_number(sync_session_t *session, const char *name,
                        apr_int64_t number)
{
    apr_table_setn(session->headers, name,
                   apr_psprintf(session->pool, "%" APR_INT64_T_FMT, number));
}

/* Put what we hold of the peer's messages into the headers of the next
 * requests. Our own last number goes into one request only: by the second one
 * it may have grown. */
static cm_error_t *tell_history(sync_session_t *session, apr_pool_t *pool)
{
    const cm_peer_t *peer = session->peer;
    const char *held = cm_epoch_claim_held(peer, session->pool);
    apr_int64_t newest;

    CM_TRY(cm_node_refresh(&newest, session->node, pool));
    apr_table_setn(session->headers, "Communicator-Epoch",
                   session->node->epoch);
    tell_number(session, "Communicator-Newest", newest);
    tell_number(session, "Communicator-Received", peer->received);
    apr_table_unset(session->headers, "Communicator-Held");
    if (held)
        apr_table_setn(session->headers, "Communicator-Held", held);
    apr_table_unset(session->headers, "Communicator-Peer-Epoch");
    if (peer->epoch)
        apr_table_setn(session->headers, "Communicator-Peer-Epoch",
                       peer->epoch);
    return sync_session_count_withheld(session, pool);
}

cm_error_t *sync_session_count_withheld(sync_session_t *session,
                                        apr_pool_t *scratch_pool)
{
    CM_TRY(cm_withheld_count(&session->withheld, session->node,
                             session->settings->name, scratch_pool));
    apr_table_setn(session->headers, "Communicator-Withheld",
                   cm_withheld_sum_text(&session->withheld, session->pool));
    return NULL;
}

cm_error_t *sync_session_load(sync_session_t *session, apr_pool_t *scratch_pool)
{
    cm_store_t *store = session->node->store;
    cm_error_t *err;

    CM_TRY(cm_transaction_begin(store, scratch_pool));
    err = cm_peer_load(&session->peer, session->node, session->settings->name,
                       0, session->pool);
    CM_TRY(cm_transaction_end(store, err, scratch_pool));
    return tell_history(session, scratch_pool);
}

static cm_error_t *open_http(sync_session_t *session, cm_error_t **secret,
                             const cm_settings_t *settings, int timeout)
{
    apr_pool_t *pool = session->pool;
    sync_http_config_t *config = apr_pcalloc(pool, sizeof(*config));

    config->peer = session->settings;
    config->timeout = timeout;
    config->reply_limit =
        settings->max_body < INT_MAX ? settings->max_body : INT_MAX;
    config->headers = session->headers;
    apr_table_setn(config->headers, "Communicator-Protocol", "2");
    apr_table_setn(config->headers, "Communicator-Node", settings->name);
    CM_TRY(sync_uri_check(&config->uri, &config->loopback, session->settings,
                          pool));
    config->packs = session->settings->compress == CM_COMPRESS_AUTO
                        ? !config->loopback
                        : session->settings->compress == CM_COMPRESS_YES;
    if (session->settings->user)
        *secret = sync_secret_read(&config->password, session->settings, pool);
    return sync_http_open(&session->http, config, pool);
}

cm_error_t *sync_session_probe(sync_session_t **session, cm_error_t **secret,
                               const cm_settings_t *own,
                               const cm_peer_settings_t *settings, int timeout,
                               apr_pool_t *pool)
{
    sync_session_t *made = apr_pcalloc(pool, sizeof(*made));

    *secret = NULL;
    made->settings = settings;
    made->headers = apr_table_make(pool, 8);
    made->its_received = -1;
    made->said =
        (cm_status_said_t){.pending = -1, .parked = -1, .withheld = {-1, 0}};
    made->pool = pool;
    made->totals.parked = apr_array_make(pool, 4, sizeof(cm_parked_t));
    made->totals.parked_there = apr_array_make(pool, 4, sizeof(cm_parked_t));
    made->totals.withheld = apr_array_make(pool, 4, sizeof(cm_parked_t));
    made->totals.withheld_there = apr_array_make(pool, 4, sizeof(cm_parked_t));
    made->totals.notices = apr_array_make(pool, 4, sizeof(const char *));
    CM_TRY(open_http(made, secret, own, timeout));
    *session = made;
    return NULL;
}

cm_error_t *sync_session_open(sync_session_t **session, cm_node_t *node,
                              const cm_peer_settings_t *settings, int timeout,
                              apr_pool_t *pool)
{
    cm_error_t *secret;

    CM_TRY(sync_session_probe(session, &secret, node->settings, settings,
                              timeout, pool));
    CM_TRY(secret);
    (*session)->node = node;
    return sync_session_load(*session, pool);
}

/* Change the peer's row under its lock: another host may have moved the
 * cursors since we read it. */
static cm_error_t *update(sync_session_t *session,
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

/* What another host has met meanwhile stays: it is compared with the next
 * reply. */
static void set_epoch(cm_peer_t *peer, const void *baton)
{
    if (!peer->epoch)
        peer->epoch = baton;
}

/* Refuse a peer whose history does not fit, and keep its epoch when it is
 * met first. */
static cm_error_t *check_history(sync_session_t *session,
                                 const sync_reply_t *reply, apr_pool_t *pool)
{
    cm_claim_t claim = reply->claim;

    if (!claim.epoch)
        return CM_FAIL(pool, CM_PROTOCOL, "the peer does not tell its epoch");
    CM_TRY(cm_epoch_check(&claim, session->node, &session->peer, session->pool,
                          pool));
    if (claim.proved > session->proved)
        session->proved = claim.proved;
    apr_table_unset(session->headers, "Communicator-Newest");
    if (session->peer->epoch)
        return NULL;
    CM_TRY(update(session, set_epoch, apr_pstrdup(session->pool, claim.epoch),
                  pool));
    if (session->settings->gem)
        sync_session_notice(
            session,
            "it is not a gem: it speaks Communicator's protocol, "
            "which is used from now on; remove protocol=gem "
            "(%s:%d)",
            session->settings->place.file, session->settings->place.line);
    return NULL;
}

/* Refuse a reply without our headers unless a person has declared the peer to
 * be a gem, and it never was anything else: a proxy that removes the headers
 * makes one of ours look the same, and a gem is sent no deletes. */
static cm_error_t *check_gem(const sync_session_t *session, apr_pool_t *pool)
{
    const cm_peer_settings_t *settings = session->settings;

    if (session->peer && session->peer->epoch)
        return cm_error_hint(
            CM_FAIL(pool, CM_PROTOCOL,
                    "the peer answers without Communicator's headers, as a gem "
                    "does, but it has spoken Communicator's protocol before"),
            pool,
            "a proxy in between removes headers that begin with "
            "'Communicator-': let it pass them; or mod_communicator no longer "
            "serves this address; or it is a gem again: communicator-sync "
            "epoch --accept %s, and protocol=gem (%s:%d)",
            settings->name, settings->place.file, settings->place.line);
    if (settings->gem)
        return NULL;
    return cm_error_hint(
        CM_FAIL(pool, CM_PROTOCOL,
                "the peer answers without Communicator's headers, as a gem "
                "does, and is not declared to be one"),
        pool,
        "a proxy in between removes headers that begin with 'Communicator-': "
        "let it pass them; or the peer is a gem: add protocol=gem to its "
        "CommunicatorPeer (%s:%d)",
        settings->place.file, settings->place.line);
}

/* A program of tomorrow may have another way to say things. */
static cm_error_t *check_protocol(const sync_reply_t *reply, apr_pool_t *pool)
{
    if (reply->protocol == CM_OUR_PROTOCOL)
        return NULL;
    return cm_error_hint(CM_FAIL(pool, CM_PROTOCOL,
                                 "the peer speaks protocol %" APR_INT64_T_FMT
                                 ", this program only %d",
                                 reply->protocol, CM_OUR_PROTOCOL),
                         pool, "install the newer program here too");
}

static cm_error_t *check_name(const sync_session_t *session, const char *name,
                              apr_pool_t *pool)
{
    const cm_peer_settings_t *settings = session->settings;

    if (name && strcmp(name, settings->name) == 0)
        return NULL;
    return cm_error_hint(
        CM_FAIL(pool, CM_PROTOCOL, "the peer calls itself '%s', not '%s'",
                name ? sync_reply_excerpt(name, strlen(name), 80, pool) : "",
                settings->name),
        pool,
        "CommunicatorPeer here (%s:%d) and CommunicatorName there must be the "
        "same word",
        settings->place.file, settings->place.line);
}

cm_error_t *sync_session_meet(sync_session_t *session,
                              const sync_reply_t *reply,
                              apr_pool_t *scratch_pool)
{
    if (reply->kind == CM_PEER_UNKNOWN)
        return NULL;
    if (reply->kind == CM_PEER_GEM) {
        CM_TRY(check_gem(session, scratch_pool));
        session->kind = CM_PEER_GEM;
        session->said.gem = 1;
        session->said.at = cm_clocks_now();
        return NULL;
    }
    CM_TRY(check_protocol(reply, scratch_pool));
    CM_TRY(check_name(session, reply->node, scratch_pool));
    if (session->peer)
        CM_TRY(check_history(session, reply, scratch_pool));
    session->kind = CM_PEER_OURS;
    sync_http_take_gzip(session->http, reply->takes_gzip);
    if (reply->received >= 0)
        session->its_received = reply->received;
    if (reply->withheld.count >= 0)
        session->said.withheld = reply->withheld;
    if (reply->has_clock && session->peer)
        session->peer->clock_offset = reply->clock_offset;
    if (reply->pending >= 0) {
        session->said.at = cm_clocks_now();
        session->said.pending = reply->pending;
        session->said.oldest = reply->oldest > 0 ? reply->oldest : 0;
        session->said.parked = reply->parked;
    }
    return NULL;
}

int sync_session_tells_again(sync_session_t *session, cm_error_t **err,
                             apr_pool_t *scratch_pool)
{
    if (!*err || (*err)->code != CM_EPOCH || session->told_again ||
        !session->node)
        return 0;
    session->told_again = 1;
    *err = cm_epoch_look(&session->peer, session->node, session->settings->name,
                         session->pool);
    if (!*err)
        *err = tell_history(session, scratch_pool);
    return !*err;
}

static cm_error_t *greet(sync_session_t *session, apr_pool_t *scratch_pool)
{
    const char *query =
        apr_psprintf(scratch_pool, "after=%" APR_INT64_T_FMT,
                     session->peer ? session->peer->confirmed : 0);
    sync_http_reply_t *raw;
    sync_reply_t *reply;
    cm_error_t *err;

    CM_TRY(sync_http_post(&raw, session->http, query, "[]", 2, scratch_pool));
    err = sync_reply_judge_post(&reply, raw, scratch_pool);
    CM_TRY(sync_session_meet(session, reply, scratch_pool));
    /* A gap is not a failure yet: the caller sees where the peer stands. */
    return err && err->code == CM_GAP && reply->wanted >= 0 ? NULL : err;
}

cm_error_t *sync_session_greet(sync_session_t *session,
                               apr_pool_t *scratch_pool)
{
    cm_error_t *err = greet(session, scratch_pool);

    return sync_session_tells_again(session, &err, scratch_pool)
               ? greet(session, scratch_pool)
               : err;
}

void sync_session_insist(sync_session_t *session)
{
    apr_table_setn(session->headers, "Communicator-Drain", "1");
}

cm_error_t *sync_session_pause(sync_session_t *session, int pause,
                               apr_pool_t *scratch_pool)
{
    const char *query =
        apr_psprintf(scratch_pool, "after=%" APR_INT64_T_FMT "&pause=%d",
                     session->peer->confirmed, pause);
    sync_http_reply_t *raw;
    sync_reply_t *reply;
    cm_error_t *err;

    CM_TRY(sync_http_post(&raw, session->http, query, "[]", 2, scratch_pool));
    err = sync_reply_judge_post(&reply, raw, scratch_pool);
    CM_TRY(sync_session_meet(session, reply, scratch_pool));
    CM_TRY(err);
    if (session->kind != CM_PEER_OURS)
        return cm_error_hint(CM_FAIL(scratch_pool, CM_PROTOCOL,
                                     "it is a gem, which cannot be paused"),
                             scratch_pool,
                             "nothing moves while this side is paused");
    return NULL;
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
        peer->last_push_at = cm_clocks_now();
    else
        peer->last_pull_at = cm_clocks_now();
}

cm_error_t *sync_session_note(sync_session_t *session, int pushed,
                              apr_pool_t *scratch_pool)
{
    note_t note = {pushed, session->peer->clock_offset};

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

cm_error_t *sync_session_note_sent(sync_session_t *session, apr_int64_t seq,
                                   apr_pool_t *scratch_pool)
{
    return update(session, set_sent, &seq, scratch_pool);
}

apr_int64_t sync_session_withheld(const sync_session_t *session)
{
    apr_int64_t there = session->said.withheld.count;

    return session->withheld.count + (there > 0 ? there : 0);
}

int sync_session_is_set_back(const sync_session_t *session)
{
    return session->its_received >= 0 &&
           session->its_received < session->peer->confirmed;
}

void sync_session_notice(sync_session_t *session, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    APR_ARRAY_PUSH(session->totals.notices, const char *) =
        apr_pvsprintf(session->pool, format, args);
    va_end(args);
}

void sync_session_keep_parked(apr_array_header_t *list,
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
