/* A message that cannot be fetched must not block the others: it is found by
 * asking for less, and the peer is asked to withhold it. That is done only if
 * the messages after it can be fetched; a peer that does not answer at all is
 * asked again in a later run. */
#include "exchange/pull.h"

#include <apr_escape.h>
#include <apr_strings.h>
#include <apr_time.h>

#include "base/clock.h"
#include "record/message.h"
#include "inbox/inbox.h"

#define TRIES 3
#define PAUSE apr_time_from_msec(100)

/* How many messages in a row the peer skips or withholds. */
#define MOST 20

#define REASON_BYTES 200

/* Return whether the peer answers a request for no messages, and can withhold
 * some. */
static int is_open(cm_pull_t *pull, apr_pool_t *pool)
{
    cm_reply_t *reply;
    cm_error_t *err =
        cm_pull_ask(&reply, pull,
                    apr_psprintf(pool, "from_id=%" APR_INT64_T_FMT "&limit=0",
                                 pull->received + 1),
                    pool);

    return !err && reply->kind == CM_PEER_OURS && reply->withheld.count >= 0;
}

/* Ask for one message after SKIP others. *LAST: the number before it, or the
 * last one of all when there is none; 0: it cannot be fetched either. */
static cm_error_t *look_after(apr_int64_t *last, int *is_end, cm_pull_t *pull,
                              int skip, apr_pool_t *pool)
{
    const char *query =
        apr_psprintf(pool, "from_id=%" APR_INT64_T_FMT "&limit=1&skip=%d",
                     pull->received + 1, skip);
    apr_array_header_t *all;
    cm_reply_t *reply;
    cm_error_t *err = cm_pull_ask(&reply, pull, query, pool);

    *last = 0;
    if (err)
        return pull->refusal == CM_REFUSAL_OF_ALL ? err : NULL;
    CM_TRY(cm_message_read_batch(&all, reply->data, reply->size, pool));
    *is_end = !all->nelts && !reply->more;
    if (all->nelts)
        *last = APR_ARRAY_IDX(all, 0, cm_message_t *)->id - 1;
    else if (*is_end)
        *last = reply->last;
    return NULL;
}

/* Ask the peer to withhold its messages up to LAST. */
static cm_error_t *withhold(cm_reply_t **reply, cm_pull_t *pull,
                            apr_int64_t last, int by_us, const char *reason,
                            apr_pool_t *pool)
{
    cm_session_t *session = pull->session;
    const char *because =
        apr_pescape_urlencoded(pool, apr_pstrndup(pool, reason, REASON_BYTES));
    cm_parked_t parked = {.id = last, .reason = reason};
    apr_array_header_t *one = apr_array_make(pool, 1, sizeof(cm_parked_t));

    CM_TRY(cm_pull_ask(reply, pull,
                       apr_psprintf(pool,
                                    "from_id=%" APR_INT64_T_FMT
                                    "&limit=1&withhold=%" APR_INT64_T_FMT
                                    "&by=%s&because=%s",
                                    pull->received + 1, last,
                                    by_us ? "peer" : "proxy", because),
                       pool));
    pull->limit = 1;
    APR_ARRAY_PUSH(one, cm_parked_t) = parked;
    cm_session_keep_parked(session->totals.withheld_there, one);
    return NULL;
}

/* A single message could not be fetched because of ERR: look for the next one
 * that can be. */
static cm_error_t *go_around(cm_reply_t **reply, cm_pull_t *pull,
                             cm_error_t *err, apr_pool_t *pool)
{
    const char *reason = cm_error_text(err, pool);
    int by_us = pull->too_large_here, is_end = 0, skip;
    /* With nothing after it, other messages must have come in this run. */
    int sure = by_us || (pull->refusal != CM_REFUSAL_MAYBE &&
                         pull->session->totals.pulled > 0);
    apr_int64_t last = 0;
    apr_pool_t *iterpool;

    apr_pool_create(&iterpool, pool);
    for (skip = 1; skip <= MOST && !last && !is_end; skip++) {
        apr_pool_clear(iterpool);
        CM_TRY(cm_session_check(pull->session, pool));
        CM_TRY(look_after(&last, &is_end, pull, skip, iterpool));
        sure = sure && (last || pull->refusal != CM_REFUSAL_MAYBE);
    }
    apr_pool_destroy(iterpool);
    if (!last || (is_end && !sure))
        return err;
    return withhold(reply, pull, last, by_us, reason, pool);
}

cm_error_t *cm_unfetched(cm_reply_t **reply, cm_pull_t *pull, cm_error_t *err,
                         apr_pool_t *pool)
{
    const cm_refusal_e refusal = pull->refusal;
    const int too_large_here = pull->too_large_here;
    int tries = refusal == CM_REFUSAL_SIZE ? TRIES - 1 : TRIES;

    *reply = NULL;
    if (refusal == CM_REFUSAL_OF_ALL || pull->session->kind == CM_PEER_GEM ||
        !is_open(pull, pool))
        return err;
    if (pull->limit > 1) {
        pull->limit /= 2;
        return NULL;
    }
    if (++pull->tries < tries) {
        cm_clock_sleep(PAUSE * pull->tries);
        return NULL;
    }
    pull->refusal = refusal;
    pull->too_large_here = too_large_here;
    return go_around(reply, pull, err, pool);
}
