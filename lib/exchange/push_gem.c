/* Pushing to a gem (docs/wire.md, part A): its numbers have no gaps, its
 * batches are small, and its 409 says where to go on. */
#include "exchange/push.h"

#include <apr_strings.h>

#include "record/message.h"
#include "outbox/outbox.h"
#include "gem/gem.h"

/* It receives about 165 messages a second and gives up after 10 seconds. */
#define BATCH_MESSAGES 100
#define BATCH_BYTES    102400

void cm_push_gem_begin(cm_push_t *push)
{
    if (push->limits.messages > BATCH_MESSAGES)
        push->limits.messages = BATCH_MESSAGES;
    if (push->limits.bytes > BATCH_BYTES)
        push->limits.bytes = BATCH_BYTES;
    push->next_id = push->session->peer->confirmed_id + 1;
}

cm_error_t *cm_push_gem_before(cm_push_t *push, const cm_ready_t *ready,
                               apr_pool_t *scratch_pool)
{
    if (ready->batch.last <= push->session->peer->sent)
        return NULL;
    return cm_session_note_sent(push->session, ready->batch.last, scratch_pool);
}

cm_error_t *cm_push_gem_accepted(cm_push_t *push, const cm_ready_t *ready,
                                 apr_pool_t *scratch_pool)
{
    cm_session_t *session = push->session;

    CM_TRY(cm_outbox_confirm(session->node, session->settings->name,
                             ready->batch.last, ready->last_id, scratch_pool));
    push->after = ready->batch.last;
    push->next_id = ready->last_id + 1;
    return NULL;
}

cm_error_t *cm_push_gem_agree(cm_push_t *push, apr_int64_t wanted,
                              apr_pool_t *scratch_pool)
{
    cm_session_t *session = push->session;
    apr_int64_t after, first_id;

    CM_TRY(cm_gem_seek(&after, &first_id, session->node,
                       session->settings->name, wanted, scratch_pool));
    if (first_id != wanted)
        return cm_error_hint(CM_FAIL(scratch_pool, CM_EPOCH,
                                     "the peer wants message %" APR_INT64_T_FMT
                                     ", the nearest here is %" APR_INT64_T_FMT,
                                     wanted, first_id),
                             scratch_pool,
                             "see \"ANOTHER HISTORY\" in communicator-sync(8)");
    if (wanted < push->next_id)
        cm_session_notice(session,
                          "it holds our messages up to %" APR_INT64_T_FMT
                          " only: restored from a backup? Sending the "
                          "following ones again",
                          wanted - 1);
    push->next_id = wanted;
    if (after <= push->after) {
        push->after = after;
        return NULL;
    }
    /* It may hold more than we know (its answer was lost), but never more than
     * it was sent: numbers beyond that come from another sender, and no message
     * of ours may be skipped because of them. */
    if (after > session->peer->sent)
        return NULL;
    push->after = after;
    return cm_outbox_confirm(session->node, session->settings->name, after,
                             wanted - 1, scratch_pool);
}
