/* Moving messages between this node and one peer. */
#ifndef CM_EXCHANGE_RUN_H
#define CM_EXCHANGE_RUN_H

#include "exchange/session.h"

/* The directions of a run. */
#define CM_RUN_PUSH 1
#define CM_RUN_PULL 2

/* Push, then pull, then try again what is parked here, whichever of DIRECTIONS
 * is asked for. A push that fails because of its messages does not keep the
 * pull waiting; its error is returned in the end. Fails as the functions
 * below. */
cm_error_t *cm_run(cm_session_t *session, int directions,
                   apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return how many messages a run moves at most, and one batch more, if WAITING
 * (an estimate, maybe) waited at its beginning: it has to end while
 * applications go on writing. */
apr_int64_t cm_run_most(apr_int64_t waiting, const cm_session_t *session);

/* Stamp what was committed and push it, batch by batch, until nothing is left,
 * or until more was sent than waited at the beginning; a brief run
 * (session->brief) ends as soon as a batch takes all that is there. With
 * QUIET_WHEN_EMPTY the peer is not asked at all when there is nothing to push.
 * Fails with CM_INTERRUPTED between two batches. */
cm_error_t *cm_push(cm_session_t *session, int quiet_when_empty,
                    apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Pull until nothing is left, or more has come than waited there at the
 * beginning, each batch kept and applied before the next is asked for. A brief
 * run ends with the first batch that is half full at most, and leaves it to the
 * next request of any kind to confirm that. Fails
 * with CM_INTERRUPTED between two batches. */
cm_error_t *cm_pull(cm_session_t *session,
                    apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Try the messages of the peer that are parked here again. */
cm_error_t *cm_pull_retry(cm_session_t *session,
                          apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
