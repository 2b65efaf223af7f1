/* Applying messages to the records here, within one transaction.
 *
 * A caller makes a cm_apply_t, adds messages to it, applies them, and finishes
 * it. How that is done stands in internal.h. */
#ifndef CM_APPLY_H
#define CM_APPLY_H

#include "record/decision.h"
#include "record/message.h"
#include "node/node.h"

/* Return the i-th of an array of pointers. */
#define CM_NTH(array, i, type) APR_ARRAY_IDX((array), (i), type *)

/* A message that is to be applied, and what became of it. */
typedef struct cm_item_t {
    cm_message_t *message;
    apr_int64_t arrived;    /* microseconds; the clock of a gem's message */
    int attempts;           /* made before; 0: the message is new here */
    cm_decision_e decision; /* a person's, about a conflict */
    /* set by cm_apply_run(): */
    int applied;             /* it has taken effect */
    const cm_error_t *error; /* why it has not, or NULL */
} cm_item_t;

typedef struct cm_apply_t {
    cm_node_t *node;
    const char *peer; /* who sent the messages */
    apr_pool_t *pool;
    apr_array_header_t *items; /* cm_item_t *, in the order of the messages */
    /* set by the caller: */
    int isolate_schema; /* CM_SCHEMA is the message's fault, not a change */
    int strict;         /* check after each chunk what the database checks at
                           the end of the transaction */
    const cm_error_t *refusal; /* apply nothing: each message gets this error */
    /* set by cm_apply_run(): */
    int created; /* number of records that are new here */
    /* set by cm_apply_finish(): */
    apr_array_header_t *altered; /* cm_altered_t: columns that do not keep what
                                    is written, seen for the first time */
} cm_apply_t;

/* Begin to apply messages of PEER, in POOL, in an open transaction. */
cm_apply_t *cm_apply_create(cm_node_t *node, const char *peer,
                            apr_pool_t *pool);

/* Add MESSAGE, which came at ARRIVED. ATTEMPTS were made before; 0: new. */
void cm_apply_add(cm_apply_t *apply, cm_message_t *message, apr_int64_t arrived,
                  int attempts);

/* Apply all that can be applied. Takes the node's lock. Fails with what ends
 * the transaction: CM_BUSY, CM_UNAVAILABLE, CM_SCHEMA (the tables may have
 * changed; not with APPLY->isolate_schema), CM_DATABASE. */
cm_error_t *cm_apply_run(cm_apply_t *apply,
                         apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Write what follows: the conflicts, the messages for the other peers of a hub,
 * what has to be published again, and which columns were altered. */
cm_error_t *cm_apply_finish(cm_apply_t *apply,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
