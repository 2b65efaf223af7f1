/* What is kept of a peer that calls: when, its clock, its database's epoch. */
#include "mod_communicator.h"

#include <string.h>

#include <apr_strings.h>

#include "cm_quiet.h"
#include "cm_state.h"

/* Times are not written more often than this: each is a transaction. */
#define CONTACT_INTERVAL apr_time_from_sec(10)

/* Write into PEER what this request tells; return whether it is worth a
 * transaction. */
static int update(cm_peer_t *peer, const cm_exchange_t *exchange, int push)
{
    apr_int64_t *last = push ? &peer->last_push_at : &peer->last_pull_at;
    apr_int64_t now = cm_clock_now();
    int is_new = exchange->claim.epoch && !peer->epoch;

    if (!is_new && now - *last < CONTACT_INTERVAL && now >= *last)
        return 0;
    *last = now;
    if (exchange->claim.epoch)
        peer->epoch = exchange->claim.epoch;
    if (exchange->clock)
        peer->clock_offset = exchange->clock - now;
    return 1;
}

/* Return why nothing moves at present, or NULL. */
static cm_error_t *check_pause(const cm_exchange_t *exchange, apr_pool_t *pool)
{
    apr_int64_t last_seq;

    if (exchange->gem) /* of ours cm_epoch_check() has asked */
        CM_TRY(cm_node_refresh(&last_seq, exchange->node, pool));
    return exchange->insists ? NULL : cm_state_check(exchange->node, pool);
}

/* Read the row again, locked, and write it. */
static cm_error_t *save(cm_exchange_t *exchange, int push, apr_pool_t *pool)
{
    cm_node_t *node = exchange->node;
    cm_peer_t *peer;

    CM_TRY(cm_peer_load(&peer, node, exchange->peer->name, 1, pool));
    if (peer->epoch && exchange->claim.epoch &&
        strcmp(peer->epoch, exchange->claim.epoch))
        return CM_FAIL(pool, CM_BUSY,
                       "another database of '%s' was here at the same moment",
                       peer->name);
    update(peer, exchange, push);
    CM_TRY(cm_peer_save(node, peer, pool));
    return cm_store_commit(node->store, pool);
}

cm_error_t *cm_contact(cm_exchange_t *exchange, int push)
{
    apr_pool_t *pool = exchange->pool;
    cm_peer_t *peer, after;
    cm_error_t *err;

    CM_TRY(cm_peer_load(&peer, exchange->node, exchange->peer->name, 0, pool));
    exchange->known = peer;
    err = exchange->gem
              ? NULL
              : cm_epoch_check(&exchange->claim, exchange->node, peer, pool);
    exchange->own_epoch = apr_pstrdup(pool, exchange->node->epoch);
    CM_TRY(err);
    CM_TRY(check_pause(exchange, pool));
    after = *peer;
    if (!update(&after, exchange, push))
        return NULL;
    CM_TRY(cm_store_begin(exchange->node->store, pool));
    err = save(exchange, push, pool);
    if (err)
        cm_store_rollback(exchange->node->store);
    return err;
}

cm_error_t *cm_contact_quiet(int *quiet, cm_exchange_t *exchange)
{
    const cm_claim_t *claim = &exchange->claim;
    cm_peer_t *peer;

    *quiet = 0;
    if (exchange->gem)
        return NULL;
    CM_TRY(cm_quiet_find(&peer, exchange->node, claim, exchange->peer->name,
                         cm_clock_now() - CONTACT_INTERVAL, exchange->r->pool));
    if (!peer)
        return NULL;
    exchange->known = peer;
    exchange->own_epoch = claim->known_epoch;
    *quiet = 1;
    return NULL;
}
