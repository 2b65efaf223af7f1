/* One message that the peer, or something on the way to it, does not take must
 * not keep the others waiting: it is found by halving, and held back. That is
 * done only when the way is seen to be open for others; a peer that is away
 * gets all in the end. */
#ifndef CM_EXCHANGE_WITHHOLD_H
#define CM_EXCHANGE_WITHHOLD_H

#include "exchange/push.h"

/* Begin: nothing is refused yet. What an interrupted run left is tried
 * again. */
cm_error_t *cm_withhold_begin(cm_push_t *push,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The batch READY failed with ERR. Returns NULL when the push goes on: with
 * less, once more, or behind that message; else why it ends. */
cm_error_t *cm_withhold_refused(cm_push_t *push, const cm_ready_t *ready,
                                cm_error_t *err) CM_UNUSED_RESULT;

/* A batch is about to be sent: what was refused before it is noted, for the
 * peer will go on behind it. */
cm_error_t *cm_withhold_before(cm_push_t *push,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The peer took a batch: what was refused before it stays held back. */
cm_error_t *cm_withhold_passed(cm_push_t *push,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* There is nothing behind what was refused: hold it back where the reason is
 * sure to be the message, and let the peer go on behind it; else fail. */
cm_error_t *cm_withhold_end(cm_push_t *push,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Nothing passed behind what was refused: it is tried again another time. */
cm_error_t *cm_withhold_forget(cm_push_t *push,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
