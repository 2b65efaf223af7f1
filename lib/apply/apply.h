/* Applying messages to the records here, in one transaction.
 *
 * A caller creates a cm_apply_t, adds messages to it, applies them, and
 * finishes it. internal.h describes how that is done. */
#ifndef CM_APPLY_APPLY_H
#define CM_APPLY_APPLY_H

#include "record/message.h"
#include "node/node.h"

/* Return the i-th of an array of pointers. */
#define CM_NTH(array, i, type) APR_ARRAY_IDX((array), (i), type *)

/* A message to be applied, and what became of it. */
typedef struct cm_item_t {
    cm_message_t *message;
    apr_int64_t arrived;    /* microseconds; the clock of a gem's message */
    int attempts;           /* so far; 0: the message is new here */
    cm_decision_e decision; /* a person's, about a conflict */
    int comes_along;        /* parked before a message of its record, and tried
                               only because that one is */
    /* set by cm_apply_run(): */
    int applied;
    const cm_error_t *error; /* why it was not applied, or NULL */
} cm_item_t;

typedef struct cm_apply_t {
    cm_node_t *node;
    const char *peer; /* who sent the messages */
    apr_pool_t *pool;
    apr_array_header_t *items; /* cm_item_t *, in the order of the messages */
    /* set by the caller: */
    int isolate_schema; /* CM_SCHEMA is caused by a message, not by a change of
                           the tables */
    int strict;         /* check after each chunk what the database checks at
                           the end of the transaction */
    const cm_error_t *refusal; /* nothing is applied, all get this error */
    int *hasty; /* set to 1 when a row is written before it is read (fast.c): if
                   the transaction fails, it must be repeated without that.
                   NULL: no row may be */
    apr_int64_t lost;  /* up to this number the peer has lost its messages: what
                          they change is sent back to it */
    apr_int64_t since; /* of a gem: it did not have our messages from this
                          number on when it wrote its own; 0: not known */
    int had_parked;    /* messages of PEER were parked before */
    /* set by cm_apply_run(): */
    int created; /* number of new records */
    /* set by cm_apply_finish(): */
    apr_array_header_t *altered; /* cm_altered_t: columns that do not store what
                                    is written, seen for the first time */
} cm_apply_t;

/* Begin to apply messages of PEER in the open transaction. */
cm_apply_t *cm_apply_create(cm_node_t *node, const char *peer,
                            apr_pool_t *pool);

/* Add MESSAGE, received at ARRIVED, with ATTEMPTS so far (0: it is new). */
cm_item_t *cm_apply_add(cm_apply_t *apply, cm_message_t *message,
                        apr_int64_t arrived, int attempts);

/* Apply all messages that can be applied, under the node's lock. Fails with
 * what ends the transaction: CM_BUSY, CM_UNAVAILABLE, CM_SCHEMA (the tables may
 * have changed; not with APPLY->isolate_schema), CM_DATABASE. */
cm_error_t *cm_apply_run(cm_apply_t *apply,
                         apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Write what follows: conflicts, the messages for the other peers of a hub,
 * what has to be published again, and which columns were altered. */
cm_error_t *cm_apply_finish(cm_apply_t *apply,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
