/* What is remembered of a peer that calls: when it called, its clock, the epoch
 * of its database, whether it failed. */
#include "exchange/serve.h"

#include <string.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "node/problem.h"
#include "outbox/unstamped.h"
#include "outbox/waiting.h"
#include "operate/status.h"
#include "gem/former.h"
#include "exchange/headers.h"
#include "exchange/log.h"

/* Times are written no more often than this: each takes a transaction. */
#define CONTACT_INTERVAL apr_time_from_sec(10)

/* No server or proxy holds a request for so long: if it seems to be older, a
 * clock has been changed. */
#define LATE_AT_MOST apr_time_from_sec(3600)

/* Return the clock of PEER when it sent the last request that was noted. If our
 * own clock was set back since, that is not known: return its clock NOW. */
static apr_int64_t last_clock(const cm_peer_t *peer, apr_int64_t now)
{
    const apr_int64_t last = peer->last_push_at > peer->last_pull_at
                                 ? peer->last_push_at
                                 : peer->last_pull_at;

    return (last < now ? last : now) + peer->clock_offset;
}

/* Return whether the request was sent before the last one of PEER that was
 * served. Then what it says about the peer's history is out of date. */
static int is_late(const cm_exchange_t *exchange, const cm_peer_t *peer,
                   apr_int64_t now)
{
    const apr_int64_t said = exchange->said.clock;
    const apr_int64_t last = last_clock(peer, now);

    return said > 0 && said < last && last - said < LATE_AT_MOST;
}

/* Return the clock of PEER to note with a request that fits. A late one must
 * not hide that others are late, too. One that says which messages the peer has
 * was sent after all that are here: if it seems late, the peer's clock was set
 * back. */
static apr_int64_t clock_to_note(const cm_exchange_t *exchange,
                                 const cm_peer_t *peer, apr_int64_t now)
{
    return exchange->said.claim.newest < 0 && is_late(exchange, peer, now)
               ? last_clock(peer, now)
               : exchange->said.clock;
}

/* Write into PEER what this request says; return whether that is worth a
 * transaction. */
static int update(cm_peer_t *peer, const cm_exchange_t *exchange, int push)
{
    apr_int64_t *last = push ? &peer->last_push_at : &peer->last_pull_at;
    const apr_int64_t now = cm_clock_now();
    const apr_int64_t clock = clock_to_note(exchange, peer, now);
    int is_new = exchange->said.claim.epoch && !peer->epoch;

    if (!is_new && now - *last < CONTACT_INTERVAL && now >= *last)
        return 0;
    *last = now;
    if (exchange->said.claim.epoch)
        peer->epoch = exchange->said.claim.epoch;
    if (clock > 0)
        peer->clock_offset = clock - now;
    return 1;
}

/* Fail while the node is paused. */
static cm_error_t *check_pause(const cm_exchange_t *exchange, apr_pool_t *pool)
{
    apr_int64_t last_seq;

    if (exchange->gem) /* else cm_epoch_check() has done so */
        CM_TRY(cm_node_refresh(&last_seq, exchange->node, pool));
    return exchange->said.insists ? NULL
                                  : cm_node_check_paused(exchange->node, pool);
}

/* A peer that has used our protocol before is not a gem: if a request lacks our
 * headers, they were lost. */
static cm_error_t *check_dialect(const cm_exchange_t *exchange,
                                 const cm_peer_t *known, apr_pool_t *pool)
{
    if (!exchange->gem || !known->epoch)
        return NULL;
    return cm_error_hint(
        CM_FAIL(pool, CM_PROTOCOL,
                "the request has no Communicator headers, like a gem's, but "
                "'%s' has used Communicator's protocol before",
                known->name),
        pool,
        CM_HEADERS_REMEDY "; or, if the peer is a gem again: "
                          "communicator-sync epoch --accept %s",
        known->name);
}

/* Read the row again, locked, and write it. *IS_NEW: the peer has sent its
 * epoch for the first time. */
static cm_error_t *save(int *is_new, cm_exchange_t *exchange, int push,
                        apr_pool_t *pool)
{
    cm_node_t *node = exchange->node;
    cm_peer_t *peer;

    CM_TRY(cm_peer_load(&peer, node, exchange->peer->name, 1, pool));
    CM_TRY(check_dialect(exchange, peer, pool));
    if (peer->epoch && exchange->said.claim.epoch &&
        strcmp(peer->epoch, exchange->said.claim.epoch))
        return CM_FAIL(pool, CM_BUSY,
                       "another database of '%s' called at the same moment",
                       peer->name);
    *is_new = exchange->said.claim.epoch && !peer->epoch;
    update(peer, exchange, push);
    return cm_peer_save(node, peer, pool);
}

static void log_kind(const cm_exchange_t *exchange)
{
    if (exchange->peer->gem)
        cm_serve_log(exchange, CM_LOG_NOTICE,
                     CM0029
                     "peer '%s' is not a gem: it uses Communicator's protocol, "
                     "and so do we from now on (remove protocol=gem, %s:%d)",
                     exchange->peer->name, exchange->peer->place.file,
                     exchange->peer->place.line);
}

static cm_error_t *save_in_transaction(cm_exchange_t *exchange, int push,
                                       apr_pool_t *pool)
{
    cm_store_t *store = exchange->node->store;
    int is_new = 0;

    CM_TRY(cm_transaction_begin(store, pool));
    CM_TRY(
        cm_transaction_end(store, save(&is_new, exchange, push, pool), pool));
    if (is_new)
        log_kind(exchange);
    return NULL;
}

/* Nobody waits for the answer any more, and nothing is wrong with the peer. */
cm_error_t *cm_contact_late(const cm_exchange_t *exchange, cm_error_t *err)
{
    const cm_peer_t *peer = exchange->known;

    if (!err || err->code != CM_EPOCH || !peer ||
        !is_late(exchange, peer, cm_clock_now()))
        return err;
    return CM_FAIL(exchange->pool, CM_LOCKED,
                   "a late request: '%s' has sent others since (%s)",
                   peer->name, cm_error_text(err, exchange->pool));
}

/* One of both may have been a gem until now. Fails with CM_LOCKED while the
 * peer does not know our numbers, which this answer tells it. */
static cm_error_t *meet_former(cm_exchange_t *exchange, cm_peer_t **peer)
{
    const cm_claim_t *claim = &exchange->said.claim;
    apr_pool_t *pool = exchange->pool;
    cm_former_t former;
    const char *text;
    int recounted;

    CM_TRY(
        cm_former_recount(&recounted, exchange->node, peer, claim, pool, pool));
    CM_TRY(cm_former_meet(&former, exchange->node, peer, claim, pool, pool));
    text = cm_former_text(&former, pool);
    if (former.is_new)
        log_kind(exchange);
    if (text)
        cm_serve_log(exchange, CM_LOG_NOTICE, CM0047 "peer '%s': %s",
                     exchange->peer->name, text);
    if (former.seq == former.id)
        return NULL;
    return CM_FAIL(pool, CM_LOCKED,
                   "it still counts our messages as a gem does; this answer "
                   "tells it our numbers");
}

/* Check whether the histories fit. */
static cm_error_t *check_ours(cm_exchange_t *exchange, cm_peer_t **peer)
{
    CM_TRY(meet_former(exchange, peer));
    return cm_epoch_check(&exchange->said.claim, exchange->node, peer,
                          exchange->pool, exchange->pool);
}

cm_error_t *cm_contact_read(cm_exchange_t *exchange)
{
    apr_pool_t *pool = exchange->pool;
    cm_peer_t *peer;
    cm_error_t *err;

    CM_TRY(cm_peer_load(&peer, exchange->node, exchange->peer->name, 0, pool));
    exchange->known = peer;
    err = exchange->gem ? check_dialect(exchange, peer, pool)
                        : check_ours(exchange, &peer);
    exchange->known = peer;
    exchange->own_epoch = apr_pstrdup(pool, exchange->node->epoch);
    return cm_contact_late(exchange, err);
}

cm_error_t *cm_contact(cm_exchange_t *exchange, int push)
{
    apr_pool_t *pool = exchange->pool;
    cm_peer_t after;

    CM_TRY(cm_contact_read(exchange));
    CM_TRY(check_pause(exchange, pool));
    if (!exchange->gem)
        CM_TRY(cm_status_withheld(&exchange->withheld, exchange->node,
                                  exchange->known, &exchange->said.withheld,
                                  pool));
    after = *exchange->known;
    if (!update(&after, exchange, push))
        return NULL;
    return save_in_transaction(exchange, push, pool);
}

/* The columns of question(). */
enum {
    PEER_EPOCH,
    CONFIRMED,
    RECEIVED,
    RECEIVED_CLOCK,
    LAST_PULL_AT,
    HELD,
    EPOCH,
    LAST_SEQ,
    PAUSED_AT,
    WAITING,
    HELD_CLOCK,
    PASSED,
    STATUS
};

/* Return the question; ALL: cm_unstamped_is_due(). */
static const char *question(const cm_node_t *node, int all, apr_pool_t *pool)
{
    return apr_pstrcat(
        pool,
        "SELECT p.epoch, p.confirmed, p.received, p.received_clock,"
        " p.last_pull_at, p.held, n.epoch, n.last_seq, n.paused_at,"
        " CASE WHEN ",
        cm_waiting_sql(node, all, pool),
        " OR EXISTS (SELECT 1 FROM inbound_messages"
        " WHERE processed_at IS NULL AND peer = p.name)"
        " OR EXISTS (SELECT 1 FROM communicator_problems"
        " WHERE subject = p.name)"
        " OR EXISTS (SELECT 1 FROM communicator_withheld"
        " WHERE ended_at = 0 AND peer = p.name)"
        " OR EXISTS (SELECT 1 FROM communicator_missing)"
        " OR EXISTS (SELECT 1 FROM communicator_after) THEN 1 ELSE 0 END,"
        " coalesce((SELECT clock FROM outbound_messages WHERE seq = %s),"
        " (SELECT CASE WHEN last_seq = %s THEN clock ELSE 0 END"
        " FROM communicator_batches WHERE last_seq >= %s AND first_seq <= %s"
        " ORDER BY last_seq LIMIT 1)),"
        " CASE WHEN n.passed IS NULL THEN 0 ELSE 1 END, p.status"
        " FROM communicator_peers p, communicator_node n"
        " WHERE n.id = 1 AND p.name = %s",
        NULL);
}

static int is(const cm_rows_t *rows, int column, const char *text)
{
    const char *cell = cm_cell_text(rows, 0, column);

    return cell && text && !strcmp(cell, text);
}

/* The message that the peer holds is ours, or purged. */
static int is_held(const cm_rows_t *rows, const cm_claim_t *claim)
{
    apr_int64_t clock = cm_cell_number(rows, 0, HELD_CLOCK);

    return !claim->held || clock == claim->held_clock ||
           !cm_cell_text(rows, 0, HELD_CLOCK);
}

static int is_quiet(const cm_rows_t *rows, const cm_claim_t *claim)
{
    apr_int64_t noted = cm_cell_number(rows, 0, LAST_PULL_AT);
    apr_int64_t now = cm_clock_now();

    return is(rows, PEER_EPOCH, claim->epoch) &&
           is(rows, EPOCH, claim->known_epoch) &&
           cm_cell_number(rows, 0, LAST_SEQ) == claim->received &&
           cm_cell_number(rows, 0, CONFIRMED) >= claim->received &&
           (claim->newest < 0 ||
            claim->newest >= cm_cell_number(rows, 0, RECEIVED)) &&
           !cm_cell_number(rows, 0, PAUSED_AT) &&
           !cm_cell_number(rows, 0, WAITING) &&
           noted > now - CONTACT_INTERVAL && noted <= now &&
           is_held(rows, claim);
}

static const cm_peer_t *peer_of(const cm_rows_t *rows, const char *name,
                                apr_pool_t *pool)
{
    cm_peer_t *peer = apr_pcalloc(pool, sizeof(*peer));

    peer->name = name;
    peer->epoch = cm_cell_text(rows, 0, PEER_EPOCH);
    peer->confirmed = cm_cell_number(rows, 0, CONFIRMED);
    peer->received = cm_cell_number(rows, 0, RECEIVED);
    peer->received_clock = cm_cell_number(rows, 0, RECEIVED_CLOCK);
    peer->last_pull_at = cm_cell_number(rows, 0, LAST_PULL_AT);
    peer->held = cm_cell_number(rows, 0, HELD);
    return peer;
}

cm_error_t *cm_contact_quiet(int *quiet, cm_exchange_t *exchange)
{
    const cm_claim_t *claim = &exchange->said.claim;
    const char *name = exchange->peer->name;
    cm_node_t *node = exchange->node;
    apr_pool_t *pool = exchange->pool;
    const cm_datum_t held = cm_datum_number(claim->held, pool);
    const cm_datum_t arguments[] = {held, held, held, held,
                                    cm_datum_text(name)};
    const int all = cm_unstamped_is_due(node);
    const apr_time_t now = cm_clock_now();
    cm_rows_t *rows;
    int waiting;

    *quiet = 0;
    if (exchange->gem)
        return NULL;
    CM_TRY_FOR(cm_prepared_select(&rows, node->store, question(node, all, pool),
                                  arguments, 5, 1, pool),
               pool, "cannot find whether anything is new for '%s'", name);
    if (!rows->count || !is_quiet(rows, claim) ||
        !cm_status_has_withheld(cm_cell_text(rows, 0, STATUS),
                                &exchange->said.withheld, pool))
        return NULL;
    CM_TRY(cm_waiting_below(&waiting, node, all,
                            (int)cm_cell_number(rows, 0, PASSED), pool));
    if (waiting)
        return NULL;
    if (all)
        node->outbox.searched_at = now;
    exchange->known = peer_of(rows, name, pool);
    exchange->own_epoch = claim->known_epoch;
    exchange->withheld = (cm_withheld_sum_t){0, 0};
    *quiet = 1;
    return NULL;
}

static const char *kind_of(int push)
{
    return push ? "push" : "pull";
}

static cm_error_t *keep(cm_exchange_t *exchange, void *baton)
{
    return cm_problem_keep(exchange->node, baton, exchange->pool);
}

void cm_contact_failed(cm_exchange_t *exchange, int push, const cm_error_t *err)
{
    apr_pool_t *pool = exchange->pool;
    const char *peer = exchange->peer->name;
    cm_problem_t problem = {.peer = peer,
                            .kind = kind_of(push),
                            .severity = CM_SEVERITY_CRITICAL,
                            .hint = err->hint};

    if (cm_error_code_is_transient(err->code) || cm_request_is_head(exchange))
        return;
    problem.text = apr_psprintf(pool,
                                push ? "cannot receive messages from '%s': %s"
                                     : "cannot send messages to '%s': %s",
                                peer, cm_error_text(err, pool));
    err = cm_serve_with_node(exchange, keep, &problem);
    if (err)
        cm_serve_log(exchange, CM_LOG_INFO, CM0039 "%s",
                     cm_error_text(err, pool));
}

int cm_contact_has_all(const cm_exchange_t *exchange)
{
    apr_int64_t newest = exchange->said.claim.newest;

    /* The last numbers of a hub may not be for us. */
    return !exchange->said.pending ||
           (newest >= 0 && newest <= exchange->known->received);
}

void cm_contact_went_well(cm_exchange_t *exchange, int push)
{
    cm_error_t *err;

    if (!exchange->known || !exchange->known->problems)
        return;
    err = cm_problem_end(exchange->node, exchange->peer->name, kind_of(push),
                         exchange->pool);
    /* A run that has nothing to push only pulls. */
    if (!err && !push && cm_contact_has_all(exchange))
        err = cm_problem_end(exchange->node, exchange->peer->name, kind_of(1),
                             exchange->pool);
    if (err)
        cm_serve_log(exchange, CM_LOG_INFO, CM0039 "%s",
                     cm_error_text(err, exchange->pool));
}
