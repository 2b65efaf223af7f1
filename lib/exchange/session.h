/* One peer in one run: the connection to it, what is known of it, what kind
 * of peer it turns out to be. */
#ifndef CM_EXCHANGE_SESSION_H
#define CM_EXCHANGE_SESSION_H

#include "inbox/inbox.h"
#include "verify/compare.h"
#include "operate/status.h"
#include "exchange/reply.h"
#include "exchange/transport.h"

/* What moved between this node and the peer in one run. */
typedef struct cm_totals_t {
    apr_int64_t pushed, pulled, applied;
    apr_int64_t held_back;      /* messages that the peer would misread */
    const char *held_reason;    /* of the first of them */
    apr_array_header_t *parked; /* cm_parked_t of this run, here */
    apr_array_header_t *parked_there;
    apr_array_header_t *withheld; /* cm_parked_t: withheld in this run */
    apr_array_header_t *withheld_there;
    apr_array_header_t *notices; /* const char *: what a person should know */
    int parked_here; /* parked messages, after this run, that need a person */
} cm_totals_t;

/* Called after each batch: WHAT ("push", "pull") has moved DONE of TOTAL
 * messages. */
typedef void (*cm_moved_t)(void *baton, const char *what, apr_int64_t done,
                           apr_int64_t total);

typedef struct cm_session_t {
    cm_node_t *node; /* NULL: a probe */
    const cm_peer_settings_t *settings;
    const cm_transport_t *transport;
    cm_peer_kind_e kind;
    int told_again;             /* cm_session_tells_again() has done its work */
    int recounted;              /* we were a gem, and know its numbers now */
    cm_peer_t *peer;            /* its row, as last read or written; NULL: a
                                   probe that knows nothing of the database */
    apr_int64_t newest;         /* the last number used here, when its row was
                                   read */
    apr_int64_t its_received;   /* as it last said; -1: it has not */
    apr_int64_t proved;         /* its clock proves that it holds messages up to
                                   this one; 0: none */
    apr_int64_t held;           /* it holds ours up to this seq, at least: a
                                   brief run leaves it to the next one to note
                                   that; 0: as its row says */
    int met;                    /* it need not be greeted: met.h */
    int accepts_gzip;           /* as it last said */
    apr_int64_t since;          /* a gem: when it wrote what it sends in this
                                   run, it may not have had our messages from
                                   this seq on */
    cm_withheld_sum_t withheld; /* of our messages, from the peer */
    int all_sent;               /* the push found nothing more to send */
    int brief;                  /* one run of many that follow each other: what
                                   is committed meanwhile is for the next */
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

/* Refuse REPLY, of one of ours, if it speaks another protocol or is not from
 * the peer of SESSION. Fails with CM_PROTOCOL. */
cm_error_t *cm_session_check_sender(const cm_session_t *session,
                                    const cm_reply_t *reply,
                                    apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Learn what REPLY says about the peer: kind, name, epoch, clock. Fails with
 * CM_EPOCH or CM_PROTOCOL when it is not the peer that we know. */
cm_error_t *cm_session_meet(cm_session_t *session, const cm_reply_t *reply,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* When *ERR says that the histories do not fit: read our side of them again
 * under the locks, once per session, and send it with the next request. Returns
 * whether that request is worth making: another host may have moved the cursors
 * after we had read them, our server of a cluster was behind, or one of both
 * nodes was a gem until now and counted otherwise. */
int cm_session_tells_again(cm_session_t *session, cm_error_t **err,
                           apr_pool_t *scratch_pool);

/* POST an empty list with QUERY, and learn what *REPLY says about the peer.
 * Fails as the transport, cm_reply_judge_post() and cm_session_meet(). */
cm_error_t *cm_session_post(cm_reply_t **reply, cm_session_t *session,
                            const char *query,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Learn the kind of the peer and what it holds of ours, by a push of nothing,
 * which changes nothing on either kind. */
cm_error_t *cm_session_greet(cm_session_t *session,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Read the peer's row again. */
cm_error_t *cm_session_load(cm_session_t *session,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Ask the peer to answer even while it is paused, as drain does. */
void cm_session_insist(cm_session_t *session);

/* Pause the peer, or (not PAUSE) resume it. Fails with CM_PROTOCOL for a
 * gem, which cannot be paused. */
cm_error_t *cm_session_pause(cm_session_t *session, int pause,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Ask QUESTION of the peer whose session is BATON, a cm_session_t *: a
 * function for cm_verify_work_t. Fails as the transport, and as
 * cm_session_meet(). */
cm_error_t *cm_session_ask(cm_verify_answer_t **answer, void *baton,
                           const cm_verify_question_t *question,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

/* Note in the peer's row that we have pushed (else: pulled) just now, with
 * what cm_session_meet() learned. A brief run notes a push only if the last one
 * noted is ten seconds old. */
cm_error_t *cm_session_note(cm_session_t *session, int pushed,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Note that everything up to SEQ is about to be sent. */
cm_error_t *cm_session_note_sent(cm_session_t *session, apr_int64_t seq,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Count what is withheld from the peer, and send the count with the next
 * requests. */
cm_error_t *
cm_session_count_withheld(cm_session_t *session,
                          apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return how many messages do not reach the other side, in both directions. */
apr_int64_t cm_session_withheld(const cm_session_t *session);

/* Return whether the peer holds less than it had confirmed, as it last said:
 * its database was set back. */
int cm_session_is_set_back(const cm_session_t *session);

/* Keep a line for the person who runs this, to be shown with the result. */
void cm_session_notice(cm_session_t *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Add what is in PARKED (cm_parked_t) to LIST, copied into its pool. */
void cm_session_keep_parked(apr_array_header_t *list,
                            const apr_array_header_t *parked);

#endif
