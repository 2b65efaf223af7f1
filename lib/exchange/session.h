/* One peer in one run: the connection to it, what is known of it, what kind
 * of peer it turns out to be. */
#ifndef CM_EXCHANGE_SESSION_H
#define CM_EXCHANGE_SESSION_H

#include "inbox/inbox.h"
#include "operate/status.h"
#include "exchange/reply.h"
#include "exchange/transport.h"

/* What moved between this node and the peer in one run. */
typedef struct cm_totals_t {
    apr_int64_t pushed, pulled, applied;
    apr_int64_t held_back;      /* what a gem would misread */
    const char *held_reason;    /* why the first of them was */
    apr_array_header_t *parked; /* cm_parked_t of this run, here */
    apr_array_header_t *parked_there;
    apr_array_header_t *withheld; /* cm_parked_t: held back in this run */
    apr_array_header_t *withheld_there;
    apr_array_header_t *notices; /* const char *: what a person should know */
    int parked_here; /* in all, after this run, that wait for a person */
} cm_totals_t;

/* Told after each batch: how many of how many messages WHAT ("push", "pull")
 * has moved. */
typedef void (*cm_moved_t)(void *baton, const char *what, apr_int64_t done,
                           apr_int64_t total);

typedef struct cm_session_t {
    cm_node_t *node; /* NULL: a probe */
    const cm_peer_settings_t *settings;
    const cm_transport_t *transport;
    cm_peer_kind_e kind;
    int told_again;             /* what we know of it, after it had doubts */
    cm_peer_t *peer;            /* its row, as last read or written; NULL: a
                                   probe that knows nothing of the database */
    apr_int64_t its_received;   /* as it last said; -1: it has not */
    apr_int64_t proved;         /* it holds this one, by its clock; 0: none */
    cm_withheld_sum_t withheld; /* of our messages, from the peer */
    cm_totals_t totals;
    cm_status_said_t said; /* by the peer, of itself, in this run */
    cm_moved_t moved;      /* may be NULL */
    void *baton;
    cm_error_t *(*check)(apr_pool_t *pool); /* see cm_session_check() */
    apr_pool_t *pool;
} cm_session_t;

/* Create a session of the node OWN_NAME with the peer of SETTINGS, which needs
 * no database: nothing is sent yet. Before cm_session_load(), for which the
 * caller sets ->node, only cm_session_greet() makes sense. TRANSPORT must live
 * as long. */
cm_session_t *cm_session_create(const cm_transport_t *transport,
                                const char *own_name,
                                const cm_peer_settings_t *settings,
                                apr_pool_t *pool);

/* Called between two batches: fails with what session->check returns, which
 * may be NULL; CM_INTERRUPTED ends the run in order. */
cm_error_t *cm_session_check(const cm_session_t *session,
                             apr_pool_t *pool) CM_UNUSED_RESULT;

/* Take in what REPLY says about the peer: kind, name, epoch, clock. Fails with
 * CM_EPOCH or CM_PROTOCOL when it is not the peer that we know. */
cm_error_t *cm_session_meet(cm_session_t *session, const cm_reply_t *reply,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* When *ERR says that the histories do not fit: read what we know under the
 * locks, once in a session, and tell it with the next request. Returns whether
 * that request is worth making: another host may have moved on between what we
 * had told and the peer's answer, or our server of a cluster was behind. */
int cm_session_tells_again(cm_session_t *session, cm_error_t **err,
                           apr_pool_t *scratch_pool);

/* Learn the kind of the peer and what it holds of ours, by a push of nothing,
 * which changes nothing on either kind. */
cm_error_t *cm_session_greet(cm_session_t *session,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Read the peer's row again. */
cm_error_t *cm_session_load(cm_session_t *session,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Be served although the peer is paused: what drain needs. */
void cm_session_insist(cm_session_t *session);

/* Pause the peer, or (not PAUSE) resume it. Fails with CM_PROTOCOL for a
 * gem, which knows no such thing. */
cm_error_t *cm_session_pause(cm_session_t *session, int pause,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Note in the peer's row that we have pushed (else: pulled) just now, with
 * what cm_session_meet() learned. */
cm_error_t *cm_session_note(cm_session_t *session, int pushed,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Note that everything up to SEQ is about to be handed over. */
cm_error_t *cm_session_note_sent(cm_session_t *session, apr_int64_t seq,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Count what is held back from the peer, and tell it with the next
 * requests. */
cm_error_t *
cm_session_count_withheld(cm_session_t *session,
                          apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return how many messages do not reach the other side, in both directions. */
apr_int64_t cm_session_withheld(const cm_session_t *session);

/* Return whether the peer holds less than it had confirmed, as it last said:
 * its database was set back. */
int cm_session_is_set_back(const cm_session_t *session);

/* Keep a line for the person who runs this, beside the result. */
void cm_session_notice(cm_session_t *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Add what is in PARKED (cm_parked_t) to LIST, copied into its pool. */
void cm_session_keep_parked(apr_array_header_t *list,
                            const apr_array_header_t *parked);

#endif
