/* A single message that the peer, or a proxy on the way to it, refuses must not
 * keep the others waiting: halving the batch finds it, and it is withheld. That
 * happens only when other messages are seen to pass; from a peer that is away
 * nothing is withheld. */
#ifndef CM_EXCHANGE_WITHHOLD_H
#define CM_EXCHANGE_WITHHOLD_H

#include "exchange/push.h"

/* Begin: nothing is refused yet. What an interrupted run left is tried
 * again. */
cm_error_t *cm_withhold_begin(cm_push_t *push,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The batch READY failed with ERR. Returns NULL when the push goes on: with
 * less, once more, or after that message; else why it ends. */
cm_error_t *cm_withhold_refused(cm_push_t *push, const cm_ready_t *ready,
                                cm_error_t *err) CM_UNUSED_RESULT;

/* A batch is about to be sent: note what was refused before it, for the peer
 * will go on after it. */
cm_error_t *cm_withhold_before(cm_push_t *push,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The peer received a batch: what was refused before it stays withheld. */
cm_error_t *cm_withhold_passed(cm_push_t *push,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* There is nothing after what was refused: withhold it when the reason is
 * certainly the message, and let the peer go on after it; else fail. */
cm_error_t *cm_withhold_end(cm_push_t *push,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Nothing passed behind what was refused: it is tried again another time. */
cm_error_t *cm_withhold_forget(cm_push_t *push,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
