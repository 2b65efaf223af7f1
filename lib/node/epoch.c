/* Whether histories fit: see epoch.h. */
#include "node/epoch.h"

#include <string.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "base/number.h"
#include "store/dialect.h"
#include "record/message.h"
#include "node/batches.h"
#include "node/problem.h"

/* A new history begins so far above the numbers known to be used: peers may
 * hold higher ones than we know. */
#define NUMBER_STEP 1000000

/* The next history begins above what a peer says that it holds, unless that is
 * more than any node reaches: some numbers must be left. */
#define SEEN_MAX (APR_INT64_C(1) << 50)

#define EPOCH_DIGITS 32

/* A database may be restored twice within minutes; a life has 31 bits. */
#define MICROSECONDS_PER_LIFE APR_INT64_C(2000000)

cm_claim_t cm_epoch_claim_none(void)
{
    cm_claim_t claim = {.received = -1, .newest = -1};

    return claim;
}

/* Add to ERR what to do if the database of RESTORED is not the one that OTHER
 * knows. */
static cm_error_t *way_out(cm_error_t *err, const char *restored,
                           const char *other, apr_pool_t *pool)
{
    return cm_error_hint(
        err, pool,
        "was the database of '%s' restored or replaced? Then "
        "`communicator-sync recover` at the side that connects; by hand: "
        "`communicator-sync epoch --new` there, once, and `communicator-sync "
        "epoch --accept %s` at '%s', then `publish --all` at both; if "
        "not, look at DBDParams and uri=",
        restored, restored, other);
}

/* Keep the highest number that a peer has seen of us: cm_epoch_renew() goes
 * beyond it. */
static cm_error_t *note_seen(cm_node_t *node, const cm_peer_t *known,
                             apr_int64_t seq, apr_pool_t *pool)
{
    cm_error_t *err;
    cm_peer_t *peer;

    if (seq <= known->sent || seq > SEEN_MAX)
        return NULL;
    CM_TRY(cm_transaction_begin(node->store, pool));
    err = cm_peer_load(&peer, node, known->name, 1, pool);
    if (!err && peer->sent < seq) {
        peer->sent = seq;
        err = cm_peer_save(node, peer, pool);
    }
    return cm_transaction_end(node->store, err, pool);
}

static cm_error_t *check_epochs(const cm_claim_t *claim, const cm_node_t *node,
                                const cm_peer_t *peer, apr_pool_t *pool)
{
    const char *us = node->settings->name;

    if (claim->epoch && strlen(claim->epoch) > EPOCH_DIGITS)
        return CM_FAIL(pool, CM_MALFORMED, "'%.64s' is not an epoch",
                       claim->epoch);
    if (claim->epoch && peer->epoch && strcmp(claim->epoch, peer->epoch))
        return way_out(CM_FAIL(pool, CM_EPOCH,
                               "the database of '%s' is not the one known at "
                               "'%s': its epoch is %.64s, known is %s",
                               peer->name, us, claim->epoch, peer->epoch),
                       peer->name, us, pool);
    if (claim->known_epoch && strcmp(claim->known_epoch, node->epoch))
        return way_out(CM_FAIL(pool, CM_EPOCH,
                               "the database of '%s' is not the one known at "
                               "'%s': its epoch is %s, known is %.64s",
                               us, peer->name, node->epoch, claim->known_epoch),
                       us, peer->name, pool);
    return NULL;
}

/* The last message that the peer holds must be what it is here, unless it is
 * purged. */
static cm_error_t *check_held(cm_claim_t *claim, cm_node_t *node,
                              const cm_peer_t *peer, apr_pool_t *pool)
{
    const cm_datum_t seq = cm_datum_number(claim->held, pool);
    const cm_datum_t arguments[] = {seq, seq};
    const char *us = node->settings->name;
    apr_int64_t clock;

    if (!claim->held)
        return NULL;
    /* A row, or the end of a batch. */
    CM_TRY(cm_statement_number(
        &clock, node->store,
        "SELECT coalesce((SELECT clock FROM outbound_messages WHERE seq = %s),"
        " (SELECT clock FROM communicator_batches WHERE last_seq = %s))",
        arguments, 2, pool));
    if (!clock)
        CM_TRY(cm_batches_clock(&clock, node, claim->held, pool));
    if (!clock)
        return NULL;
    if (clock != claim->held_clock)
        return way_out(
            CM_FAIL(pool, CM_EPOCH,
                    "message %" APR_INT64_T_FMT " of '%s' is not the one that "
                    "'%s' holds under this number: its clock is "
                    "%" APR_INT64_T_FMT ", not %" APR_INT64_T_FMT,
                    claim->held, us, peer->name, clock, claim->held_clock),
            us, peer->name, pool);
    claim->proved = claim->held;
    return NULL;
}

/* In the middle of a run, a peer holds more than when its run began. */
static apr_int64_t holds(const cm_claim_t *claim)
{
    return claim->asked_after > claim->received ? claim->asked_after
                                                : claim->received;
}

/* Return whether CLAIM is of a peer that has met this database, and has
 * numbers of it, though this database knows nothing of PEER: it was restored to
 * before they met. A message that the peer holds would prove it. */
static int is_forgotten(const cm_claim_t *claim, const cm_peer_t *peer)
{
    return claim->known_epoch && holds(claim) > 0 && !claim->held &&
           !claim->counts && !peer->epoch && !peer->last_push_at &&
           !peer->last_pull_at && !peer->confirmed && !peer->has_received;
}

static cm_error_t *check_forgotten(const cm_claim_t *claim,
                                   const cm_node_t *node, const cm_peer_t *peer,
                                   apr_pool_t *pool)
{
    const char *us = node->settings->name;

    if (!is_forgotten(claim, peer))
        return NULL;
    return way_out(
        CM_FAIL(pool, CM_EPOCH,
                "'%s' has the numbers of '%s' up to %" APR_INT64_T_FMT
                ", which has never met it",
                peer->name, us, holds(claim)),
        us, peer->name, pool);
}

/* No peer can hold a message that was never written. */
static cm_error_t *check_numbers(const cm_claim_t *claim, const cm_node_t *node,
                                 const cm_peer_t *peer, apr_int64_t last_seq,
                                 apr_pool_t *pool)
{
    const char *us = node->settings->name;
    static const char words[] = "'%s' holds message %" APR_INT64_T_FMT
                                " of '%s', whose last message is "
                                "%" APR_INT64_T_FMT;

    if (holds(claim) > last_seq)
        return way_out(CM_FAIL(pool, CM_EPOCH, words, peer->name, holds(claim),
                               us, last_seq),
                       us, peer->name, pool);
    if (claim->newest >= 0 && claim->newest < peer->received)
        return way_out(CM_FAIL(pool, CM_EPOCH, words, us, peer->received,
                               peer->name, claim->newest),
                       peer->name, us, pool);
    return NULL;
}

static cm_error_t *check_all(cm_claim_t *claim, cm_node_t *node,
                             const cm_peer_t *peer, apr_int64_t last_seq,
                             apr_pool_t *pool)
{
    claim->proved = 0;
    CM_TRY(check_epochs(claim, node, peer, pool));
    CM_TRY(check_numbers(claim, node, peer, last_seq, pool));
    CM_TRY(check_forgotten(claim, node, peer, pool));
    return check_held(claim, node, peer, pool);
}

/* Return whether *ERR says that histories do not fit; else it stays. */
static int is_split(cm_error_t **err)
{
    const int split = *err && (*err)->code == CM_EPOCH;

    if (split)
        *err = NULL;
    return split;
}

cm_error_t *cm_epoch_split(cm_epoch_split_t *split, const cm_claim_t *claim,
                           cm_node_t *node, const cm_peer_t *peer,
                           apr_pool_t *scratch_pool)
{
    cm_claim_t copy = *claim;
    apr_int64_t last_seq;
    cm_error_t *err;

    memset(split, 0, sizeof(*split));
    CM_TRY(cm_node_refresh(&last_seq, node, scratch_pool));
    split->peer_is_new =
        claim->epoch && peer->epoch && strcmp(claim->epoch, peer->epoch);
    split->we_are_new =
        claim->known_epoch && strcmp(claim->known_epoch, node->epoch);
    if (split->peer_is_new || split->we_are_new)
        return NULL;
    split->we_were_set_back =
        holds(claim) > last_seq || is_forgotten(claim, peer);
    split->peer_was_set_back =
        claim->newest >= 0 && claim->newest < peer->received;
    err = check_held(&copy, node, peer, scratch_pool);
    split->we_were_set_back |= is_split(&err);
    return err;
}

/* WAIT: let reads wait until this server of a Galera cluster has applied what
 * the others have committed; else end that. Other servers do not know the
 * setting, and the failure is ignored. */
static void wait_for_cluster(cm_node_t *node, int wait, apr_pool_t *pool)
{
    const cm_dialect_t *dialect = cm_dialect_of_store(node->store);
    const char *sql = wait ? dialect->sync_reads : dialect->sync_reads_end;
    cm_error_t *ignored =
        sql ? cm_statement_run(NULL, node->store, sql, NULL, 0, pool) : NULL;

    (void)ignored;
}

/* Look again, under the locks of the peer's row and of the node. The row of a
 * peer that is met for the first time is made here. */
static cm_error_t *look_again(cm_claim_t *claim, cm_node_t *node,
                              cm_peer_t **peer, const char *name,
                              apr_pool_t *pool)
{
    apr_int64_t last_seq;

    CM_TRY(cm_peer_load(peer, node, name, 1, pool));
    CM_TRY(cm_node_lock(&last_seq, node, pool));
    return claim ? check_all(claim, node, *peer, last_seq, pool) : NULL;
}

static cm_error_t *look_in_transaction(cm_claim_t *claim, cm_node_t *node,
                                       cm_peer_t **peer, const char *name,
                                       apr_pool_t *pool)
{
    cm_error_t *err;

    wait_for_cluster(node, 1, pool);
    err = cm_transaction_begin(node->store, pool);
    if (!err)
        err = cm_transaction_end(
            node->store, look_again(claim, node, peer, name, pool), pool);
    wait_for_cluster(node, 0, pool);
    return err;
}

cm_error_t *cm_epoch_look(cm_peer_t **peer, cm_node_t *node, const char *name,
                          apr_pool_t *result_pool)
{
    return look_in_transaction(NULL, node, peer, name, result_pool);
}

/* Only what was read under the locks raises an alarm: another host may be at
 * work for the same peer, and a server of a cluster may be behind. */
cm_error_t *cm_epoch_check(cm_claim_t *claim, cm_node_t *node, cm_peer_t **peer,
                           apr_pool_t *result_pool, apr_pool_t *scratch_pool)
{
    apr_int64_t last_seq;
    cm_error_t *err;

    CM_TRY(cm_node_refresh(&last_seq, node, scratch_pool));
    err = check_all(claim, node, *peer, last_seq, scratch_pool);
    if (!err || err->code != CM_EPOCH)
        return err;
    err = look_in_transaction(claim, node, peer, (*peer)->name, result_pool);
    if (err && err->code == CM_EPOCH)
        CM_TRY(note_seen(node, *peer, holds(claim), scratch_pool));
    return err;
}

/* Add BY to all numbers of the outbox. */
static cm_error_t *renumber(cm_node_t *node, apr_int64_t by, apr_pool_t *pool)
{
    CM_TRY(cm_statement_run(
        NULL, node->store,
        apr_psprintf(
            pool,
            "UPDATE outbound_messages SET seq = seq + %" APR_INT64_T_FMT
            " WHERE seq IS NOT NULL",
            by),
        NULL, 0, pool));
    CM_TRY(cm_batches_renumber(node, by, pool));
    return cm_peer_renumber_all(node, by, pool);
}

/* Return a life that no database of this node has had. A restored database
 * does not know which lives began after its backup, so the clock gives a new
 * one. */
static int next_life(const cm_node_t *node)
{
    int life = (int)(cm_clock_now() / MICROSECONDS_PER_LIFE);

    return life > node->life ? life : node->life + 1;
}

static cm_error_t *renew(cm_node_t *node, apr_pool_t *pool)
{
    apr_int64_t last_seq, sent, by;
    const char *epoch = NULL;

    CM_TRY(cm_number_random(&epoch, pool));
    CM_TRY(cm_peer_lock_all(&sent, node, pool));
    CM_TRY(cm_node_lock(&last_seq, node, pool));
    by = sent > last_seq ? sent : last_seq;
    by = (by / NUMBER_STEP + 1) * NUMBER_STEP;
    if (last_seq + by > CM_SEQ_MAX)
        return CM_FAIL(pool, CM_REJECTED,
                       "the numbers of messages are used up: the last one is "
                       "%" APR_INT64_T_FMT,
                       last_seq);
    CM_TRY(renumber(node, by, pool));
    return cm_node_set_epoch(node, epoch, next_life(node), last_seq + by, pool);
}

cm_error_t *cm_epoch_renew(cm_node_t *node, apr_pool_t *scratch_pool)
{
    apr_int64_t last_seq;

    CM_TRY(cm_transaction_begin(node->store, scratch_pool));
    CM_TRY_FOR(cm_transaction_end(node->store, renew(node, scratch_pool),
                                  scratch_pool),
               scratch_pool, "cannot begin a new history");
    return cm_node_refresh(&last_seq, node, scratch_pool);
}

/* A life is the time at which it began, in steps. */
int cm_epoch_is_renewed(const cm_node_t *node, const cm_peer_t *peer)
{
    const apr_int64_t contact = peer->last_push_at > peer->last_pull_at
                                    ? peer->last_push_at
                                    : peer->last_pull_at;

    return contact > 0 && (node->life + 1) * MICROSECONDS_PER_LIFE > contact;
}

cm_error_t *cm_epoch_accept(cm_node_t *node, const char *name,
                            apr_pool_t *scratch_pool)
{
    cm_error_t *err;
    cm_peer_t *peer;

    CM_TRY(cm_transaction_begin(node->store, scratch_pool));
    err = cm_peer_load(&peer, node, name, 1, scratch_pool);
    if (!err) {
        peer->epoch = NULL;
        peer->held = peer->received_clock = 0;
        peer->confirmed = peer->confirmed_id = 0;
        peer->lost = peer->received;
        err = cm_peer_save(node, peer, scratch_pool);
    }
    CM_TRY_FOR(cm_transaction_end(node->store, err, scratch_pool), scratch_pool,
               "cannot accept the history of '%s'", name);
    /* What was refused belongs to the old history. */
    CM_TRY(cm_problem_end(node, name, "push", scratch_pool));
    return cm_problem_end(node, name, "pull", scratch_pool);
}
