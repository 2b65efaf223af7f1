/* Messages of this node that are withheld from a peer: something on the way
 * refuses just this message, or it cannot be read here. Later messages are
 * sent. A message is listed until a newer message of its record has been sent,
 * or until a person discards it. Its number is left out for that peer. */
#ifndef CM_OUTBOX_WITHHELD_H
#define CM_OUTBOX_WITHHELD_H

#include "node/mapping.h"

/* Who refuses a message. */
typedef enum cm_refuser_e {
    CM_REFUSER_PEER,  /* the peer's Communicator */
    CM_REFUSER_PROXY, /* something between: a proxy, the peer's httpd */
    CM_REFUSER_GEM,   /* the application of a peer that is a gem */
    CM_REFUSER_HERE   /* this node cannot read it */
} cm_refuser_e;

typedef struct cm_withheld_t {
    const char *peer;
    apr_int64_t seq;
    const char *model, *action, *local_id; /* each may be NULL */
    cm_identity_t identity;
    cm_refuser_e refuser;
    const char *reason;
    apr_int64_t withheld_at; /* microseconds */
} cm_withheld_t;

/* How many messages one node withholds from another. */
typedef struct cm_withheld_sum_t {
    apr_int64_t count; /* up to 10,000; -1: not known */
    apr_int64_t first; /* number of the first; 0: none */
} cm_withheld_sum_t;

/* Return the word for REFUSER: "peer", "proxy", "gem", "here". */
const char *cm_withheld_refuser_name(cm_refuser_e refuser);

/* Withhold the messages SEQS (apr_int64_t) from PEER, for REASON. One that is
 * withheld already stays as it is. An older one of the same record ends: each
 * message carries the whole record, as it is here or at the peer that it came
 * from. In a transaction of its own. */
cm_error_t *cm_withheld_add(cm_node_t *node, const char *peer,
                            const apr_array_header_t *seqs,
                            cm_refuser_e refuser, const char *reason,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* List what is withheld from PEER, or (NULL) from all, by peer and number: at
 * most LIMIT cm_withheld_t. */
cm_error_t *cm_withheld_list(apr_array_header_t **rows, cm_node_t *node,
                             const char *peer, int limit,
                             apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Count what is withheld from PEER, or (NULL) from all. */
cm_error_t *cm_withheld_count(cm_withheld_sum_t *sum, cm_node_t *node,
                              const char *peer,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Write and read SUM as the value of header Communicator-Withheld; TEXT may be
 * NULL. */
const char *cm_withheld_sum_text(const cm_withheld_sum_t *sum,
                                 apr_pool_t *pool);
cm_withheld_sum_t cm_withheld_sum_read(const char *text);

/* Find the numbers above AFTER, up to LAST, that are left out for PEER, in
 * order: apr_int64_t. */
cm_error_t *cm_withheld_find(apr_array_header_t **seqs, cm_node_t *node,
                             const char *peer, apr_int64_t after,
                             apr_int64_t last,
                             apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Find the numbers of the messages for PEER above AFTER, up to LAST (0: no
 * end), that are not left out, at most LIMIT of them. */
cm_error_t *cm_withheld_find_sendable(apr_array_header_t **seqs,
                                      cm_node_t *node, const char *peer,
                                      apr_int64_t after, apr_int64_t last,
                                      int limit,
                                      apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Find the number of the last message, up to LAST, that was sent to PEER; 0:
 * there is none here. */
cm_error_t *
cm_withheld_find_last_sent(apr_int64_t *seq, cm_node_t *node, const char *peer,
                           apr_int64_t last,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* PEER holds the messages above AFTER, up to LAST: end the withheld messages
 * that they replace. In the open transaction. */
cm_error_t *cm_withheld_end_replaced(cm_node_t *node, const char *peer,
                                     apr_int64_t after, apr_int64_t last,
                                     apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Forget that messages above AFTER were refused: they are sent again. Those
 * that cannot be read here stay withheld. */
cm_error_t *cm_withheld_forget(cm_node_t *node, const char *peer,
                               apr_int64_t after,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Send message SEQ to PEER again, under a new number; if its record has changed
 * since, or on a hub, publish that instead. Once that is sent, it replaces the
 * message. *PUBLISHED is 0 when it is of a row beside another one with its key,
 * and no row has that key any more: nothing is left to send. Fails with
 * CM_USAGE when it is not withheld from PEER, or the record cannot be
 * published. */
cm_error_t *cm_withheld_retry(apr_int64_t *published, cm_node_t *node,
                              const char *peer, apr_int64_t seq,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Give up on message SEQ for PEER: it is kept whole in communicator_conflicts.
 * Fails with CM_USAGE when it is not withheld. */
cm_error_t *cm_withheld_discard(cm_node_t *node, const char *peer,
                                apr_int64_t seq,
                                apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
