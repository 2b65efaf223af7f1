/* A run: both directions of one session. */
#include "exchange/run.h"

/* Twice as many, since an estimate may be too low. */
apr_int64_t cm_run_most(apr_int64_t waiting, const cm_session_t *session)
{
    return 2 * waiting + session->node->settings->batch.messages;
}

/* Return whether a push that failed with CODE ends the run: the failure is
 * about the peer as a whole, not about the messages. */
static int ends_run(cm_code_e code)
{
    return code != CM_TOO_LARGE && code != CM_REJECTED &&
           code != CM_MALFORMED && code != CM_GAP;
}

static cm_error_t *push(cm_session_t *session, int quiet_when_empty,
                        apr_pool_t *pool)
{
    CM_TRY_FOR(cm_push(session, quiet_when_empty, pool), pool, "cannot push");
    return NULL;
}

/* The pull, too, may find out that there is something to be sent again. */
static cm_error_t *run_once(cm_session_t *session, int directions,
                            apr_pool_t *pool)
{
    cm_error_t *err = NULL, *later = NULL;

    if (directions & CM_RUN_PUSH) {
        err = push(session, (directions & CM_RUN_PULL) != 0, pool);
        if (err && ends_run(err->code))
            return err;
    }
    if (directions & CM_RUN_PULL) {
        CM_TRY_FOR(cm_pull(session, pool), pool, "cannot pull");
        if ((directions & CM_RUN_PUSH) && !err &&
            cm_session_is_set_back(session))
            err = push(session, 0, pool);
        later = cm_pull_retry(session, pool);
    }
    return err ? err : later;
}

/* When the database is lost, or no longer accepts writes, the second try uses
 * another connection, which may lead to another server. */
cm_error_t *cm_run(cm_session_t *session, int directions,
                   apr_pool_t *scratch_pool)
{
    cm_error_t *err = run_once(session, directions, scratch_pool);

    if (!err || err->code != CM_UNAVAILABLE)
        return err;
    CM_TRY(cm_session_load(session, scratch_pool));
    return run_once(session, directions, scratch_pool);
}
