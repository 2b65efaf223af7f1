/* Moving messages between this node and one peer. */
#ifndef SYNC_H
#define SYNC_H

#include "session.h"

/* Stamp what was committed and push it, batch by batch, until nothing is
 * left. With QUIET_WHEN_EMPTY the peer is not asked at all when there is
 * nothing to push. Fails with CM_INTERRUPTED between two batches. */
cm_error_t *sync_push(sync_session_t *session, int quiet_when_empty,
                      apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Pull until nothing is left, each batch kept and applied before the next is
 * asked for. Fails with CM_INTERRUPTED between two batches. */
cm_error_t *sync_pull(sync_session_t *session,
                      apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Try the messages of the peer that are parked here again. */
cm_error_t *sync_pull_retry(sync_session_t *session,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
