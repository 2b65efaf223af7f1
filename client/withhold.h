/* One message that the peer, or something on the way to it, does not take must
 * not keep the others waiting: it is found by halving, and held back. That is
 * done only when the way is seen to be open for others; a peer that is away
 * gets all in the end. */
#ifndef WITHHOLD_H
#define WITHHOLD_H

#include "push.h"

/* Begin: nothing is refused yet. What an interrupted run left is tried
 * again. */
cm_error_t *sync_withhold_begin(sync_push_t *push,
                                apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The batch READY failed with ERR. Returns NULL when the push goes on: with
 * less, once more, or behind that message; else why it ends. */
cm_error_t *sync_withhold_refused(sync_push_t *push, const sync_ready_t *ready,
                                  cm_error_t *err) CM_UNUSED_RESULT;

/* A batch is about to be sent: what was refused before it is noted, for the
 * peer will go on behind it. */
cm_error_t *sync_withhold_before(sync_push_t *push,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The peer took a batch: what was refused before it stays held back. */
cm_error_t *sync_withhold_passed(sync_push_t *push,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* There is nothing behind what was refused: hold it back where the reason is
 * sure to be the message, and let the peer go on behind it; else fail. */
cm_error_t *sync_withhold_end(sync_push_t *push,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Nothing passed behind what was refused: it is tried again another time. */
cm_error_t *sync_withhold_forget(sync_push_t *push,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
