/* A peer that was a gem: see former.h. */
#include "gem/former.h"

#include <string.h>

#include <apr_strings.h>

#include "base/number.h"
#include "node/mapping.h"
#include "outbox/publish.h"
#include "outbox/read.h"
#include "outbox/unpack.h"
#include "gem/gem.h"

/* Messages that are looked at together. */
#define BLOCK_MESSAGES 500
#define BLOCK_BYTES    (4 * 1024 * 1024)

typedef struct meeting_t {
    cm_former_t *former;
    cm_node_t *node;
    const cm_peer_t *peer;
    apr_int64_t last_seq, migrated_seq;
    apr_hash_t *seen; /* model and identity key -> "": of published records */
    apr_pool_t *pool;
} meeting_t;

int cm_former_counts(const cm_peer_t *peer)
{
    return peer->received > 0 && !peer->held && !peer->lost;
}

int cm_former_has_to_tell(const cm_peer_t *peer)
{
    return peer->epoch && peer->confirmed_id > 0 &&
           peer->confirmed_id < peer->confirmed;
}

/* Find where message ID is that the gem has counted, by counting. */
static cm_error_t *count(int *found, const meeting_t *at)
{
    cm_former_t *former = at->former;
    apr_int64_t after, next;

    CM_TRY(cm_gem_seek(&after, &next, at->node, at->peer->name, former->id + 1,
                       at->pool));
    *found = next == former->id + 1;
    if (*found)
        former->seq = after;
    return NULL;
}

static cm_error_t *never_sent(const meeting_t *at)
{
    return cm_error_hint(
        CM_FAIL(at->pool, CM_EPOCH,
                "'%s', which was a gem, holds message %" APR_INT64_T_FMT
                " of '%s', which was never sent",
                at->peer->name, at->former->id, at->node->settings->name),
        at->pool,
        "was the database of '%s' restored? Then `communicator-sync epoch "
        "--new` and `communicator-sync epoch --accept %s` there",
        at->node->settings->name, at->peer->name);
}

/* Find which of our messages the peer counts as former->id. As long as nothing
 * was held back, and in the gem's own time, that is the same number. */
static cm_error_t *translate(meeting_t *at)
{
    cm_former_t *former = at->former;
    const cm_peer_t *peer = at->peer;
    const int is_same = peer->confirmed == peer->confirmed_id;
    int found = 1;

    former->seq = peer->confirmed;
    if (!peer->confirmed_id)
        found = 0;
    else if (is_same && (former->id <= peer->confirmed_id ||
                         former->id <= at->migrated_seq))
        former->seq = former->id;
    else if (former->id != peer->confirmed_id)
        CM_TRY(count(&found, at));
    if (!found && peer->confirmed_id && former->id > peer->confirmed_id)
        return never_sent(at);
    former->all = !found || former->seq < former->id;
    if (former->all)
        former->seq = at->last_seq > former->id ? at->last_seq : former->id;
    return NULL;
}

/* Say that all messages with a number above those of the gem's time are still
 * here, up to what the peer holds. */
static cm_error_t *is_complete(int *complete, const meeting_t *at)
{
    apr_int64_t count;

    CM_TRY(cm_unpack_each(at->node, at->migrated_seq, at->pool));
    CM_TRY(cm_statement_number(
        &count, at->node->store,
        apr_psprintf(at->pool,
                     "SELECT count(*) FROM outbound_messages"
                     " WHERE seq > %" APR_INT64_T_FMT
                     " AND seq <= %" APR_INT64_T_FMT,
                     at->migrated_seq, at->former->seq),
        NULL, 0, at->pool));
    *complete = count >= at->former->seq - at->migrated_seq;
    return NULL;
}

/* Publish the records of those of LEFT_OUT (cm_outgoing_t) that are of MODEL,
 * each once. */
static cm_error_t *publish_some(meeting_t *at, const cm_model_t *model,
                                const apr_array_header_t *left_out,
                                apr_pool_t *pool)
{
    apr_array_header_t *identities =
        apr_array_make(pool, 16, sizeof(cm_identity_t));
    apr_int64_t published;
    int i;

    for (i = 0; i < left_out->nelts; i++) {
        const cm_message_t *message =
            &APR_ARRAY_IDX(left_out, i, cm_outgoing_t).message;
        const char *key;

        if (!message->model || strcmp(message->model, model->name) ||
            !message->identity.origin || !message->identity.original_id)
            continue;
        key = apr_pstrcat(at->pool, model->name, "\n",
                          cm_identity_key(message->identity, pool), NULL);
        if (apr_hash_get(at->seen, key, APR_HASH_KEY_STRING))
            continue;
        apr_hash_set(at->seen, key, APR_HASH_KEY_STRING, "");
        APR_ARRAY_PUSH(identities, cm_identity_t) = message->identity;
    }
    if (!identities->nelts)
        return NULL;
    CM_TRY(
        cm_publish_identities(&published, at->node, model, identities, pool));
    at->former->published += published;
    return NULL;
}

/* Publish what a gem was not sent of the messages up to former->seq. */
static cm_error_t *publish_held_back(meeting_t *at)
{
    const apr_array_header_t *models = at->node->settings->models;
    apr_int64_t after = at->migrated_seq;
    apr_pool_t *iterpool;
    cm_batch_t *batch;
    int more = 1, i;

    apr_pool_create(&iterpool, at->pool);
    while (more && after < at->former->seq) {
        cm_reading_t reading = {.peer = at->peer->name,
                                .after = after,
                                .until = at->former->seq,
                                .limits = {BLOCK_MESSAGES, BLOCK_BYTES},
                                .fit = cm_gem_fit};

        apr_pool_clear(iterpool);
        reading.left_out = apr_array_make(iterpool, 16, sizeof(cm_outgoing_t));
        CM_TRY(cm_outbox_read(&batch, at->node, &reading, iterpool, iterpool));
        after = batch->last;
        more = batch->more;
        for (i = 0; i < models->nelts; i++)
            CM_TRY(publish_some(at, APR_ARRAY_IDX(models, i, cm_model_t *),
                                reading.left_out, iterpool));
    }
    apr_pool_destroy(iterpool);
    return NULL;
}

/* What only the application publishes is for it to say. */
static cm_error_t *publish_all(meeting_t *at)
{
    const apr_array_header_t *models = at->node->settings->models;
    apr_int64_t published;
    int i;

    for (i = 0; i < models->nelts; i++) {
        const cm_model_t *model = APR_ARRAY_IDX(models, i, cm_model_t *);

        if (!model->publishes || model->by_application)
            continue;
        CM_TRY(
            cm_publish_all(&published, at->node, model, NULL, NULL, at->pool));
        at->former->published += published;
    }
    return NULL;
}

/* Our numbers must be above all that the peer has, so that none of them is
 * taken for one of these. */
static cm_error_t *raise_numbers(meeting_t *at)
{
    cm_store_t *store = at->node->store;
    apr_int64_t last_seq;
    cm_error_t *err;

    CM_TRY(cm_transaction_begin(store, at->pool));
    err = cm_node_lock(&last_seq, at->node, at->pool);
    if (!err && last_seq < at->former->seq)
        err = cm_node_set_last_seq(at->node, at->former->seq, at->pool);
    return cm_transaction_end(store, err, at->pool);
}

/* Note in *PEER, under its lock, what the gem has counted, and the epoch of its
 * successor. */
static cm_error_t *note(cm_peer_t **peer, const meeting_t *at,
                        const cm_claim_t *claim, apr_pool_t *result_pool)
{
    const cm_former_t *former = at->former;

    CM_TRY(cm_peer_load(peer, at->node, at->peer->name, 1, result_pool));
    if ((*peer)->epoch)
        return CM_FAIL(at->pool, CM_BUSY, "'%s' was met at the same moment",
                       (*peer)->name);
    (*peer)->epoch = apr_pstrdup(result_pool, claim->epoch);
    (*peer)->confirmed = former->seq;
    (*peer)->confirmed_id = former->id;
    if ((*peer)->sent < former->seq)
        (*peer)->sent = former->seq;
    return cm_peer_save(at->node, *peer, at->pool);
}

/* The numbers come first: what is published gets higher ones. */
static cm_error_t *meet(cm_peer_t **peer, meeting_t *at,
                        const cm_claim_t *claim, apr_pool_t *result_pool)
{
    cm_former_t *former = at->former;
    cm_store_t *store = at->node->store;
    int complete = 1;

    CM_TRY(cm_node_refresh(&at->last_seq, at->node, at->pool));
    CM_TRY(cm_node_migrated_seq(&at->migrated_seq, at->node, at->pool));
    CM_TRY(translate(at));
    if (former->seq > at->last_seq)
        CM_TRY(raise_numbers(at));
    if (!former->all && former->seq != former->id)
        CM_TRY(is_complete(&complete, at));
    former->all |= !complete;
    if (former->all)
        CM_TRY(publish_all(at));
    else if (former->seq != former->id)
        CM_TRY(publish_held_back(at));
    CM_TRY(cm_transaction_begin(store, at->pool));
    return cm_transaction_end(store, note(peer, at, claim, result_pool),
                              at->pool);
}

/* Return whether PEER, which is met for the first time, must be one that was a
 * gem, though it does not say so: an earlier version does not know how. It
 * cannot be told our numbers either, but nothing is lost before it is newer. */
static int counts_silently(const cm_peer_t *peer, const cm_claim_t *claim)
{
    return peer->confirmed_id > 0 && peer->confirmed_id < peer->confirmed &&
           !claim->known_epoch && !claim->held;
}

cm_error_t *cm_former_meet(cm_former_t *former, cm_node_t *node,
                           cm_peer_t **peer, const cm_claim_t *claim,
                           apr_pool_t *result_pool, apr_pool_t *scratch_pool)
{
    meeting_t at = {.former = former,
                    .node = node,
                    .peer = *peer,
                    .seen = apr_hash_make(scratch_pool),
                    .pool = scratch_pool};

    *former = (cm_former_t){.id = claim->received, .seq = claim->received};
    if (!claim->epoch || claim->received < 1 ||
        (claim->known_epoch && strcmp(claim->known_epoch, node->epoch)))
        return NULL; /* another database: cm_epoch_check() says so */
    if ((*peer)->epoch) {
        if (cm_former_has_to_tell(*peer) && !claim->held &&
            (*peer)->confirmed_id == claim->received)
            former->seq = (*peer)->confirmed;
        return NULL;
    }
    if (!claim->counts && !counts_silently(*peer, claim))
        return NULL;
    former->is_new = 1;
    CM_TRY_FOR(meet(peer, &at, claim, result_pool), scratch_pool,
               "cannot find out what '%s', which was a gem, has received",
               at.peer->name);
    return NULL;
}

const char *cm_former_text(const cm_former_t *former, apr_pool_t *pool)
{
    const char *numbers = "it was a gem";

    if (!former->is_new || (former->id == former->seq && !former->published))
        return NULL;
    if (former->id != former->seq)
        numbers = apr_psprintf(pool,
                               "it was a gem, which counts differently: its "
                               "number %" APR_INT64_T_FMT
                               " is our message %" APR_INT64_T_FMT,
                               former->id, former->seq);
    return apr_psprintf(
        pool,
        former->all ? "%s; how much it has is not known, so everything "
                      "is sent again: %s, and all deletes"
                    : "%s; what was held back from it is sent now: %s",
        numbers, cm_number_of(former->published, "record", pool));
}

/* Return whether CLAIM says which number that is what we hold of PEER. */
static int is_told(const cm_peer_t *peer, const cm_claim_t *claim)
{
    return claim->counted && cm_former_counts(peer) &&
           claim->counted_id == peer->received &&
           (!peer->epoch || !claim->epoch ||
            !strcmp(peer->epoch, claim->epoch));
}

static cm_error_t *recount(int *recounted, cm_node_t *node, cm_peer_t **peer,
                           const cm_claim_t *claim, apr_pool_t *pool)
{
    CM_TRY(cm_peer_load(peer, node, (*peer)->name, 1, pool));
    *recounted = is_told(*peer, claim);
    if (!*recounted)
        return NULL;
    (*peer)->received = (*peer)->held = claim->counted;
    return cm_peer_save(node, *peer, pool);
}

cm_error_t *cm_former_recount(int *recounted, cm_node_t *node, cm_peer_t **peer,
                              const cm_claim_t *claim, apr_pool_t *result_pool,
                              apr_pool_t *scratch_pool)
{
    *recounted = 0;
    if (!is_told(*peer, claim))
        return NULL;
    if (claim->counted < claim->counted_id)
        return CM_FAIL(scratch_pool, CM_MALFORMED,
                       "message %" APR_INT64_T_FMT
                       " of '%s' cannot have been number %" APR_INT64_T_FMT,
                       claim->counted, (*peer)->name, claim->counted_id);
    CM_TRY(cm_transaction_begin(node->store, scratch_pool));
    return cm_transaction_end(
        node->store, recount(recounted, node, peer, claim, result_pool),
        scratch_pool);
}
