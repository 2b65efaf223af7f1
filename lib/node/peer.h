/* What is known of a peer: the cursors, its epoch, last contact. A row of
 * communicator_peers, made when the peer is first met. */
#ifndef CM_NODE_PEER_H
#define CM_NODE_PEER_H

#include "node/node.h"

typedef struct cm_peer_t {
    const char *name;
    const char *epoch;          /* NULL: a gem, or never met */
    apr_int64_t confirmed;      /* it holds our messages up to this seq */
    apr_int64_t confirmed_id;   /* gem: their number on the wire */
    apr_int64_t received;       /* we hold its messages up to this seq */
    apr_int64_t received_clock; /* clock of message HELD */
    apr_int64_t sent;           /* sent up to this seq */
    int has_received;           /* anything at all (gem: first id is free) */
    apr_int64_t last_push_at, last_pull_at; /* microseconds; 0: never */
    apr_int64_t clock_offset;               /* its clock - ours, microseconds */
    apr_int64_t held; /* the last of its messages here: with its clock it
                         proves the history; without a clock: its number that
                         we were told, and no message; 0: none */
    apr_int64_t lost; /* up to this seq its messages are of a history that its
                         database has lost; 0: none */
    apr_int64_t told; /* the last message of a batch of a gem that was told to
                         begin elsewhere ... */
    apr_int64_t told_at; /* ... at that time, microseconds */
    int problems;        /* kept of it (problem.h); read only */
    cm_datum_t status;   /* what it reported (operate/status.h); read only */
} cm_peer_t;

/* Hosts' clocks further apart than this are reported. They confuse people, not
 * the merge. */
#define CM_SKEW_LIMIT (60 * (apr_int64_t)1000000)

/* Read the peer's row, making it when there is none. With LOCK it stays
 * locked until the end of the transaction: first of all locks. */
cm_error_t *cm_peer_load(cm_peer_t **peer, cm_node_t *node, const char *name,
                         int lock, apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Read the peer's row without a lock; *PEER is NULL when there is none. */
cm_error_t *cm_peer_find(cm_peer_t **peer, cm_node_t *node, const char *name,
                         apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Write the whole row. */
cm_error_t *cm_peer_save(cm_node_t *node, const cm_peer_t *peer,
                         apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Note that the gem NAME has just sent a batch, up to message LAST, and is
 * answered with another number to begin with. In a statement of its own. */
cm_error_t *cm_peer_note_told(cm_node_t *node, const char *name,
                              apr_int64_t last,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Write the STATUS that the peer NAME reported (operate/status.h). */
cm_error_t *cm_peer_set_status(cm_node_t *node, const char *name,
                               const char *status,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Lock the rows of all peers in the open transaction, before the node's lock,
 * and give the highest number that was sent to any of them. */
cm_error_t *cm_peer_lock_all(apr_int64_t *sent, cm_node_t *node,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The numbers of the outbox have grown by BY: each peer gets all messages
 * again. A gem, which counts in its own way, does not. In the open transaction,
 * after cm_peer_lock_all(). */
cm_error_t *cm_peer_renumber_all(cm_node_t *node, apr_int64_t by,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
