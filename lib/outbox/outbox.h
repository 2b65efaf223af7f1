/* The outbox and its peers: what each has confirmed, and how much waits for it.
 * stamp.h numbers messages, read.h reads them. */
#ifndef CM_OUTBOX_OUTBOX_H
#define CM_OUTBOX_OUTBOX_H

#include "node/node.h"

/* Note that PEER holds all messages up to SEQ: moves its cursor, never back,
 * and fills delivered_at where that was not done with the stamp. ID is the
 * number that the peer has for message SEQ: SEQ, unless it is a gem. In a
 * transaction of its own; cheap when there is nothing new. Fails with CM_EPOCH
 * when SEQ was never used here (a restored database). */
cm_error_t *cm_outbox_confirm(cm_node_t *node, const char *peer,
                              apr_int64_t seq, apr_int64_t id,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The same in the open transaction. */
cm_error_t *cm_outbox_move_cursor(cm_node_t *node, const char *peer,
                                  apr_int64_t seq, apr_int64_t id,
                                  apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* What waits for a peer. */
typedef struct cm_pending_t {
    apr_int64_t count;
    apr_int64_t oldest_clock; /* 0: none, or not known (publish) */
} cm_pending_t;

/* Up to these numbers cm_outbox_pending() counts. */
#define CM_EXACT_FOR_PEOPLE 10000
#define CM_EXACT_ON_THE_WAY 500

/* Count what waits for PEER; from EXACT on it is an estimate. */
cm_error_t *cm_outbox_pending(cm_pending_t *pending, cm_node_t *node,
                              const char *peer, int exact,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
