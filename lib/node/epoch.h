/* Whether two histories fit: each side of an exchange sends the epoch of its
 * database, and what it holds of the other's messages. A database that was
 * restored from a backup, replaced, or confused with another one is noticed
 * here. To continue could overwrite new data with old, so a person decides. */
#ifndef CM_NODE_EPOCH_H
#define CM_NODE_EPOCH_H

#include "node/peer.h"

/* What the other side says. RECEIVED may be above HELD, by numbers that were
 * not for it. */
typedef struct cm_claim_t {
    const char *epoch;       /* of its database; NULL: not said */
    const char *known_epoch; /* that it knows us by; NULL: not said */
    apr_int64_t received;    /* it holds ours up to this seq; -1: not said */
    apr_int64_t asked_after; /* it asks for what follows this seq, so it holds
                                that by now; 0: not said */
    apr_int64_t held;        /* the last message of them; 0: not said ... */
    apr_int64_t held_clock;  /* ... and its clock */
    int counts;          /* RECEIVED is what it counted as a gem (former.h) */
    apr_int64_t counted; /* the seq, here, of what we hold of it and ... */
    apr_int64_t counted_id; /* ... counted as this; 0: not said */
    apr_int64_t newest;     /* the last seq that it has used; -1: not said */
    apr_int64_t proved;     /* set by cm_epoch_check(): HELD when it is the
                               message known here, else 0 */
} cm_claim_t;

/* Return a claim that says nothing. */
cm_claim_t cm_epoch_claim_none(void);

/* Refuse a PEER whose CLAIM does not fit what this database knows. Outside of a
 * transaction, before anything is stamped for it. If it does not fit, it is
 * checked again under the locks, and *PEER is what was read there. Fails with
 * CM_EPOCH, which names both sides and says what to do. */
cm_error_t *cm_epoch_check(cm_claim_t *claim, cm_node_t *node, cm_peer_t **peer,
                           apr_pool_t *result_pool,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Why two histories do not fit. All 0: they do. */
typedef struct cm_epoch_split_t {
    int peer_is_new;       /* its database is not the one known here */
    int we_are_new;        /* this database is not the one known there */
    int peer_was_set_back; /* it does not know what it has sent to us */
    int we_were_set_back;  /* we do not know what we have sent to it */
} cm_epoch_split_t;

/* Give *SPLIT: why CLAIM, as cm_epoch_check() has judged it, does not fit what
 * this database knows of PEER. Fails with CM_MALFORMED for an impossible claim,
 * else as cm_statement_select(). */
cm_error_t *cm_epoch_split(cm_epoch_split_t *split, const cm_claim_t *claim,
                           cm_node_t *node, const cm_peer_t *peer,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Read the row of the peer NAME, and NODE's, under their locks, before a peer
 * is sent once more what it did not accept. Outside of a transaction. */
cm_error_t *cm_epoch_look(cm_peer_t **peer, cm_node_t *node, const char *name,
                          apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Begin a new history, in a database that was restored or replaced: with an
 * epoch, numbers and identities that cannot have been used since. All that is
 * in the outbox is sent to the peers again, under new numbers. */
cm_error_t *cm_epoch_renew(cm_node_t *node,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return whether NODE has begun a new history since it last had contact with
 * PEER, as far as this database knows: not if it never had. */
int cm_epoch_is_renewed(const cm_node_t *node, const cm_peer_t *peer);

/* Forget the epoch of the peer NAME and what proves its history: whatever it
 * sends next is accepted, and all that is in the outbox is sent to it again.
 * What is parked of it belongs to a history that it has lost: when that is
 * applied, it is sent back to it. */
cm_error_t *cm_epoch_accept(cm_node_t *node, const char *name,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
