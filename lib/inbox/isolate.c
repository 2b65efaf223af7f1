/* When a transaction fails because of its messages: the bad ones are found by
 * halving, each half in a transaction of its own, and parked. */
#include "inbox/attempt.h"

/* Return why the one message is parked that failed with ERR. What usually
 * passes did not, for it alone: a person is needed. */
static const cm_error_t *reason_of(const cm_error_t *err, apr_pool_t *pool)
{
    if (!cm_error_code_is_transient(err->code))
        return err;
    return cm_error_hint(
        cm_error_make(pool, CM_REJECTED, err, __FILE__, __LINE__,
                      "the database fails each time with this message, and "
                      "without it does not"),
        pool, "look for a trigger of the application that raises this");
}

/* Take the next COUNT messages at once. One that fails alone is parked. */
static cm_error_t *try_part(cm_attempt_t *attempt, cm_attempt_work_t work,
                            int count, apr_pool_t *pool)
{
    cm_error_t *err;

    attempt->pool = pool;
    attempt->mode.most = count;
    err = cm_attempt_run(attempt, work, pool);
    if (!err || count > 1 || !cm_attempt_is_of_messages(attempt))
        return err;
    attempt->mode.refusal = reason_of(err, pool);
    err = cm_attempt_run(attempt, work, pool);
    attempt->mode.refusal = NULL;
    attempt->outcome.count = 0; /* a failure of this is nobody's fault */
    return err;
}

/* Take the next COUNT messages, halved until what is bad stands alone. */
static cm_error_t *try_halves(cm_attempt_t *attempt, cm_attempt_work_t work,
                              int count, apr_pool_t *scratch_pool)
{
    apr_pool_t *pool;
    cm_error_t *err;

    apr_pool_create(&pool, scratch_pool);
    err = try_part(attempt, work, count, pool);
    if (err && (count == 1 || !cm_attempt_is_of_messages(attempt)))
        err = cm_error_copy(err, scratch_pool);
    else if (err)
        err = NULL;
    else
        count = 1;
    apr_pool_destroy(pool);
    if (err || count == 1)
        return err;
    CM_TRY(try_halves(attempt, work, count / 2, scratch_pool));
    return try_halves(attempt, work, count - count / 2, scratch_pool);
}

cm_error_t *cm_isolate_attempt(cm_attempt_t *attempt, cm_attempt_work_t work,
                               apr_pool_t *scratch_pool)
{
    cm_error_t *err = cm_attempt_run(attempt, work, scratch_pool);

    if (!err || !cm_attempt_is_of_messages(attempt))
        return err;
    attempt->mode.isolated = 1;
    err = try_halves(attempt, work, attempt->outcome.count, scratch_pool);
    attempt->pool = scratch_pool;
    attempt->mode.most = 0;
    return err;
}
