/* The outbox: what this node has to say. Committed messages get their seq
 * (stamp), are read in that order for a peer, and are confirmed by it. */
#ifndef CM_OUTBOX_H
#define CM_OUTBOX_H

#include "node/mapping.h"
#include "node/peer.h"

/* A stamping of many messages, some at a time: each time those with the lowest
 * ids of all that is committed. For each record numbers follow commits. */
typedef struct cm_stamping_t {
    int limit;         /* messages at a time */
    const char *peer;  /* whom they are handed over to at once: fills
                          delivered_at, too; NULL: nobody */
    apr_int64_t holds; /* what PEER holds up to: confirmed in the transaction
                          of the next chunk; 0: nothing new */
    int all;           /* look through all: unstamped.h */
    const cm_rows_t *rows; /* the last chunk, for cm_outbox_read_stamped(), in
                              the pool that it was stamped with; or NULL */
} cm_stamping_t;

/* Say whether a committed message has no number yet; takes no lock. */
cm_error_t *cm_stamp_is_waiting(int *waiting, cm_node_t *node,
                                apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Stamp committed messages in the open transaction, under the node's lock;
 * *STAMPED says how many there were, 0 when all have their number. */
cm_error_t *cm_stamp_some(int *stamped, cm_node_t *node,
                          cm_stamping_t *stamping,
                          apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The same, in a transaction of its own; cheap when there is nothing. HOLDS is
 * 0 once it is confirmed. */
cm_error_t *cm_stamp_chunk(int *stamped, cm_node_t *node,
                           cm_stamping_t *stamping,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Stamp all committed messages, in transactions of its own. */
cm_error_t *cm_stamp_all(apr_int64_t *stamped, cm_node_t *node,
                         apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* How far a reading may go. */
typedef struct cm_limits_t {
    int messages;
    apr_int64_t bytes; /* one message alone may be larger */
} cm_limits_t;

/* Messages for one peer, in order. */
typedef struct cm_batch_t {
    apr_int64_t after;            /* the seq that the batch follows */
    apr_int64_t last;             /* the seq that it reaches: messages held
                                     back or of the peer's own making count */
    apr_array_header_t *messages; /* cm_message_t * */
    apr_int64_t first_seq;        /* of the first of them */
    int more;                     /* there is more to read */
    int held_back;                /* messages that nobody, or no gem, could
                                     read: passed over */
    const char *held_reason;      /* why the first of them was, or NULL */
} cm_batch_t;

/* Read what PEER has not confirmed: stamped messages with a seq above AFTER,
 * in order, within LIMITS. With GEM what it would misread is held back, and
 * ids are gapless numbers from FIRST_ID; FIRST_ID 0: the seqs themselves (a
 * gem that pulls takes gaps, and may ask again from any of them). Bodies are
 * canonical. */
cm_error_t *cm_outbox_read(cm_batch_t **batch, cm_node_t *node,
                           const char *peer, apr_int64_t after,
                           const cm_limits_t *limits, int gem,
                           apr_int64_t first_id, apr_pool_t *result_pool,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The same for the peer of STAMPING. When what follows AFTER is what was
 * stamped just now, it is not read once more. */
cm_error_t *cm_outbox_read_stamped(cm_batch_t **batch, cm_node_t *node,
                                   const cm_stamping_t *stamping,
                                   apr_int64_t after, const cm_limits_t *limits,
                                   int gem, apr_int64_t first_id,
                                   apr_pool_t *result_pool,
                                   apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Note that PEER holds everything up to SEQ (and that it has been handed
 * over): moves the cursor, never back; fills delivered_at by range, where that
 * was not done with the stamp. In a transaction of its own; cheap when there is
 * nothing new. Fails with CM_EPOCH when SEQ was never used here (a restored
 * database). */
cm_error_t *cm_outbox_confirm(cm_node_t *node, const char *peer,
                              apr_int64_t seq,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The same in the open transaction, always looking at the database. ID: see
 * cm_outbox_confirm_gem(). */
cm_error_t *cm_outbox_move_cursor(cm_node_t *node, const char *peer,
                                  apr_int64_t seq, apr_int64_t id,
                                  apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* A gem has numbers of its own: messages held back from it count for none.
 * Find where ID (its from_id, or the number of its 409) stands: *AFTER and
 * *FIRST_ID are what cm_outbox_read() takes to go on there. *FIRST_ID is ID,
 * or when there is no such message (purged, beyond the end) the one that
 * follows, at most the last + 1. Outside of a transaction. */
cm_error_t *cm_gem_seek(apr_int64_t *after, apr_int64_t *first_id,
                        cm_node_t *node, const char *peer, apr_int64_t id,
                        apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Note that the gem PEER holds everything up to SEQ, and that ID is the
 * number of that message: cm_outbox_confirm() for a gem. */
cm_error_t *cm_outbox_confirm_gem(cm_node_t *node, const char *peer,
                                  apr_int64_t seq, apr_int64_t id,
                                  apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* What waits for PEER; counts from EXACT on are an estimate. */
#define CM_EXACT_FOR_PEOPLE 10000
#define CM_EXACT_ON_THE_WAY 500
typedef struct cm_pending_t {
    apr_int64_t count;
    apr_int64_t oldest_clock; /* 0: none, or not known (publish) */
} cm_pending_t;
cm_error_t *cm_outbox_pending(cm_pending_t *pending, cm_node_t *node,
                              const char *peer, int exact,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
