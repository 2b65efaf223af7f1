/* Two histories that do not fit any more, since a database was restored, or
 * failed over to a copy that lacked the last commits: which side lacks what,
 * and how both go on. */
#ifndef CM_EXCHANGE_RECOVER_H
#define CM_EXCHANGE_RECOVER_H

#include "exchange/session.h"

/* The header in which a peer says how the histories look from there. */
#define CM_RECOVER_HEADER "Communicator-Split"

/* What a side has to do. */
typedef struct cm_recover_steps_t {
    int renews;  /* begin a new history */
    int accepts; /* accept that the other side has begun one */
} cm_recover_steps_t;

typedef struct cm_recovery_t {
    cm_epoch_split_t here, there;      /* as each side sees it */
    apr_int64_t last_here, last_there; /* messages that each has numbered */
    apr_int64_t received_here, received_there; /* and has of the other one */
    cm_recover_steps_t do_here, do_there;
} cm_recovery_t;

/* Ask the peer of SESSION, with which nothing was exchanged yet, how the
 * histories look from there, and decide what has to be done. Fails with
 * CM_PROTOCOL when the peer cannot answer that, else as the transport. */
cm_error_t *cm_recover_plan(cm_recovery_t *recovery, cm_session_t *session,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return whether RECOVERY has anything to do. */
int cm_recover_is_needed(const cm_recovery_t *recovery);

/* Do what RECOVERY says on both sides. The next runs move the records, which
 * both sides publish. If it is interrupted, another plan leads on. Fails as
 * cm_recover_plan(), cm_publish_all(), cm_epoch_renew(). */
cm_error_t *cm_recover(const cm_recovery_t *recovery, cm_session_t *session,
                       apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Do STEPS of this node for PEER, and publish all records before: what the
 * other side has lost comes back to it so. */
cm_error_t *cm_recover_here(const cm_recover_steps_t *steps, cm_node_t *node,
                            const char *peer,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return how SPLIT is written in the header. */
const char *cm_recover_text(const cm_epoch_split_t *split, apr_pool_t *pool);

#endif
