/* New messages in the outbox. Beside the triggers and publish.sql, only
 * append.c inserts into outbound_messages. */
#ifndef CM_OUTBOX_APPEND_H
#define CM_OUTBOX_APPEND_H

#include "store/bulk.h"
#include "node/node.h"
#include "record/message.h"

/* A row of outbound_messages: docs/architecture.md describes the columns. */
typedef struct cm_append_t {
    apr_int64_t seq; /* 0: the stamp gives it one */
    const char *model, *local_id;
    cm_action_e action;
    cm_datum_t body;
    const char *changed; /* "[]": the record's present state and clocks */
    apr_int64_t clock;
    const char *clocks;
    const char *base; /* without a number: the clocks of the peer's values that
                         were known to whoever decided (apply/internal.h) */
    const char *refs;
    cm_identity_t identity;
    const char *source; /* the peer that the message came from */
} cm_append_t;

/* Return an empty list of messages. */
cm_bulk_t *cm_append_create(apr_pool_t *pool);

/* Add MESSAGE to LIST, which keeps its texts without copying them. */
void cm_append_add(cm_bulk_t *list, const cm_append_t *message);

/* Return a message that deletes the record IDENTITY of MODEL once more: the
 * stamp gives it the clock of its mapping. */
cm_append_t cm_append_delete(const cm_model_t *model, cm_identity_t identity,
                             apr_pool_t *pool);

/* Insert the messages of LIST in the open transaction, and set *COUNT (may be
 * NULL) to their number. */
cm_error_t *cm_append_write(apr_int64_t *count, cm_node_t *node,
                            const cm_bulk_t *list,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Insert message SEQ once more, as it is, under the number COPY, in the open
 * transaction. */
cm_error_t *cm_append_copy(cm_node_t *node, apr_int64_t seq, apr_int64_t copy,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Insert the deletes of all deleted records of MODEL whose original_id is above
 * AFTER and up to LAST (NULL: to the end), in the open transaction; with match=
 * under each of their names. */
cm_error_t *cm_append_tombstones(cm_node_t *node, const cm_model_t *model,
                                 const char *after, const char *last,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
