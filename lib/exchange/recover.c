/* Mending histories that do not fit: see recover.h. */
#include "exchange/recover.h"

#include <string.h>

#include <apr_strings.h>

#include "record/message.h"
#include "node/epoch.h"
#include "outbox/publish.h"
#include "exchange/headers.h"

static const char peer_is_new[] = "peer-is-new";
static const char we_are_new[] = "we-are-new";
static const char peer_was_set_back[] = "peer-was-set-back";
static const char we_were_set_back[] = "we-were-set-back";

const char *cm_recover_text(const cm_epoch_split_t *split, apr_pool_t *pool)
{
    const struct {
        int is_so;
        const char *word;
    } words[] = {{split->peer_is_new, peer_is_new},
                 {split->we_are_new, we_are_new},
                 {split->peer_was_set_back, peer_was_set_back},
                 {split->we_were_set_back, we_were_set_back}};
    const char *text = "";
    apr_size_t i;

    for (i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (words[i].is_so)
            text =
                apr_pstrcat(pool, text, *text ? " " : "", words[i].word, NULL);
    return *text ? text : "none";
}

static cm_epoch_split_t read_split(const char *text)
{
    return (cm_epoch_split_t){
        .peer_is_new = strstr(text, peer_is_new) != NULL,
        .we_are_new = strstr(text, we_are_new) != NULL,
        .peer_was_set_back = strstr(text, peer_was_set_back) != NULL,
        .we_were_set_back = strstr(text, we_were_set_back) != NULL};
}

/* Ask the peer WHAT it shall do. *TOLD is how it saw the histories before. */
static cm_error_t *ask(const char **told, cm_reply_t **reply,
                       cm_session_t *session, const char *what,
                       apr_pool_t *pool)
{
    const char *name = session->settings->name;
    cm_transport_reply_t *raw;
    cm_error_t *err;

    CM_TRY(cm_transport_post(&raw, session->transport,
                             apr_pstrcat(pool, "recover=", what, NULL), "[]", 2,
                             pool));
    err = cm_reply_judge_answer(reply, raw, pool);
    if ((*reply)->kind == CM_PEER_GEM)
        return cm_error_hint(
            CM_FAIL(pool, CM_PROTOCOL, "it is a gem, which has no histories"),
            pool, "see the guide, \"Restore from a backup\"");
    *told = apr_table_get(raw->headers, CM_RECOVER_HEADER);
    if (*told && !err)
        return cm_session_check_sender(session, *reply, pool);
    if ((*reply)->kind != CM_PEER_OURS || (err && err->code != CM_EPOCH))
        return err;
    return cm_error_hint(
        CM_FAIL(pool, CM_PROTOCOL,
                "the Communicator of '%s' does not know recover", name),
        pool,
        "install the same version on its host, or follow \"Restore from a "
        "backup\" in the guide");
}

/* Judge the peer's claim from here. */
static cm_error_t *look_here(cm_epoch_split_t *split, cm_session_t *session,
                             const cm_reply_t *reply, apr_pool_t *pool)
{
    cm_claim_t claim = reply->sender.claim;
    cm_error_t *err = cm_epoch_check(&claim, session->node, &session->peer,
                                     session->pool, pool);

    memset(split, 0, sizeof(*split));
    if (!err || err->code != CM_EPOCH)
        return err;
    return cm_epoch_split(split, &claim, session->node, session->peer, pool);
}

/* Who does not know any more what the other one holds begins a new
 * history; so does a database that the other one does not know, unless it has
 * done so already. */
static void decide(cm_recovery_t *recovery)
{
    const cm_epoch_split_t *here = &recovery->here, *there = &recovery->there;

    recovery->do_here.renews = here->we_were_set_back ||
                               there->peer_was_set_back || here->we_are_new ||
                               there->peer_is_new;
    recovery->do_there.renews = here->peer_was_set_back ||
                                there->we_were_set_back || here->peer_is_new ||
                                there->we_are_new;
    recovery->do_here.accepts = recovery->do_there.renews;
    recovery->do_there.accepts = recovery->do_here.renews;
}

cm_error_t *cm_recover_plan(cm_recovery_t *recovery, cm_session_t *session,
                            apr_pool_t *scratch_pool)
{
    cm_reply_t *reply;
    const char *told;

    CM_TRY(ask(&told, &reply, session, "ask", scratch_pool));
    memset(recovery, 0, sizeof(*recovery));
    recovery->there = read_split(told);
    CM_TRY(look_here(&recovery->here, session, reply, scratch_pool));
    CM_TRY(cm_node_refresh(&recovery->last_here, session->node, scratch_pool));
    recovery->last_there = reply->sender.claim.newest;
    recovery->received_here = session->peer->received;
    recovery->received_there = reply->received;
    decide(recovery);
    return NULL;
}

int cm_recover_is_needed(const cm_recovery_t *recovery)
{
    return recovery->do_here.renews || recovery->do_here.accepts ||
           recovery->do_there.renews || recovery->do_there.accepts;
}

/* Once is enough for all peers. */
static cm_error_t *renew(cm_node_t *node, const char *name, apr_pool_t *pool)
{
    cm_peer_t *peer;

    CM_TRY(cm_peer_find(&peer, node, name, pool));
    return peer && cm_epoch_is_renewed(node, peer) ? NULL
                                                   : cm_epoch_renew(node, pool);
}

cm_error_t *cm_recover_here(const cm_recover_steps_t *steps, cm_node_t *node,
                            const char *peer, apr_pool_t *scratch_pool)
{
    const apr_array_header_t *models = node->settings->models;
    apr_int64_t published;
    int i;

    for (i = 0; i < models->nelts; i++) {
        const cm_model_t *model = APR_ARRAY_IDX(models, i, const cm_model_t *);

        if (model->publishes)
            CM_TRY(cm_publish_all(&published, node, model, NULL, NULL,
                                  scratch_pool));
    }
    if (steps->renews)
        CM_TRY(renew(node, peer, scratch_pool));
    return steps->accepts ? cm_epoch_accept(node, peer, scratch_pool) : NULL;
}

/* Return what to ask the peer for; where one side begins a new history, the
 * other one accepts it. */
static const char *words_of(const cm_recover_steps_t *steps)
{
    if (steps->renews && steps->accepts)
        return "renew,accept";
    return steps->renews ? "renew" : "accept";
}

/* A new history here comes first, so that the peer sees it; that of the peer is
 * accepted last, when it has begun. */
cm_error_t *cm_recover(const cm_recovery_t *recovery, cm_session_t *session,
                       apr_pool_t *scratch_pool)
{
    const char *name = session->settings->name, *told;
    cm_recover_steps_t begins = {.renews = recovery->do_here.renews};
    cm_reply_t *reply;

    CM_TRY(cm_recover_here(&begins, session->node, name, scratch_pool));
    CM_TRY(cm_session_load(session, scratch_pool));
    CM_TRY(ask(&told, &reply, session, words_of(&recovery->do_there),
               scratch_pool));
    if (!recovery->do_here.accepts)
        return NULL;
    return cm_epoch_accept(session->node, name, scratch_pool);
}
