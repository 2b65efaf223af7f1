/* How far a node and its peers are: for status, monitors and the status page. A
 * few bounded statements, which change and lock nothing. */
#ifndef CM_OPERATE_STATUS_H
#define CM_OPERATE_STATUS_H

#include "node/peer.h"
#include "outbox/outbox.h"
#include "outbox/withheld.h"

/* What a peer last reported about itself: communicator_peers.status. */
typedef struct cm_status_said_t {
    apr_int64_t at;      /* when; 0: never */
    int gem;             /* it is a gem, which says nothing */
    apr_int64_t pending; /* messages there for us; -1: not known */
    apr_int64_t oldest;  /* clock of the oldest of them; 0: none, unknown */
    apr_int64_t parked;  /* of our messages, there; -1: not known */
    cm_withheld_sum_t withheld; /* what it holds back from us */
} cm_status_said_t;

typedef struct cm_status_peer_t {
    cm_peer_t *peer; /* cursors, last contact */
    cm_pending_t pending;
    apr_int64_t parked;       /* of its messages, here; counted to 10,000 */
    apr_int64_t waiting;      /* how many of them wait for other records only */
    apr_int64_t batch_parked; /* messages parked of a batch that is mostly
                                 parked; 0: there is none */
    apr_int64_t batch_messages; /* all messages of that batch */
    cm_withheld_sum_t withheld; /* of our messages, from it */
    cm_status_said_t said;
} cm_status_peer_t;

typedef struct cm_status_t {
    const char *name, *epoch;
    int schema; /* version of the tables */
    apr_int64_t last_seq;
    apr_int64_t paused_at;     /* 0: not paused */
    apr_int64_t conflicts;     /* of the last 24 hours; above 1,000 not exact */
    apr_array_header_t *peers; /* cm_status_peer_t, in the order configured */
} cm_status_t;

/* Read how far NODE and its configured peers are, or (PEER not NULL) that one
 * alone. Outside of a transaction. */
cm_error_t *cm_status_read(cm_status_t **state, cm_node_t *node,
                           const char *peer,
                           apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Keep what the peer NAME says of itself. In a transaction of its own. */
cm_error_t *cm_status_keep_said(cm_node_t *node, const char *name,
                                const cm_status_said_t *said,
                                apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Keep how many messages PEER holds back from us, as it says with every
 * request, and give how many we hold back from it. */
cm_error_t *cm_status_withheld(cm_withheld_sum_t *ours, cm_node_t *node,
                               const cm_peer_t *peer,
                               const cm_withheld_sum_t *theirs,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return whether STATUS, of communicator_peers, has what the peer says it holds
 * back from us: THEIRS. */
int cm_status_has_withheld(const char *status, const cm_withheld_sum_t *theirs,
                           apr_pool_t *pool);

#endif
