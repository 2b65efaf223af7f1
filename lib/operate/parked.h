/* Parked messages, for a person: list and discard them. inbox/inbox.h retries
 * them. */
#ifndef CM_OPERATE_PARKED_H
#define CM_OPERATE_PARKED_H

#include "inbox/inbox.h"

typedef struct cm_parked_row_t {
    const char *peer;
    cm_parked_t message; /* id, model, identity, reason, transient */
    const char *action;
    int attempts;
    apr_int64_t received_at; /* microseconds; 0: not known */
    const char *holder;      /* set by the caller, with cm_holder_find() or
                                cm_taken_find(); or NULL */
} cm_parked_row_t;

/* List what is parked of PEER, or (NULL) of all, by peer and id: at most
 * LIMIT cm_parked_row_t. Bodies are not read. */
cm_error_t *cm_parked_list(apr_array_header_t **rows, cm_node_t *node,
                           const char *peer, int limit,
                           apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Say whether message ID of PEER is parked. */
cm_error_t *cm_parked_has(int *there, cm_node_t *node, const char *peer,
                          apr_int64_t id,
                          apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Discard message ID of PEER: it is kept whole in communicator_conflicts, and
 * messages that wait behind it go on at the next retry. Where conflict=hold
 * keeps it, ours stays instead (cm_inbox_retry_decided()). A delete is
 * accepted: the record is deleted, and its row stays here alone
 * (cm_mapping_is_kept()). Fails with CM_USAGE when it is not parked. */
cm_error_t *cm_parked_discard(cm_node_t *node, const char *peer, apr_int64_t id,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
