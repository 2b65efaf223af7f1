/* What is kept of a peer that calls: when, its clock, its database's epoch. */
#include "mod_communicator.h"

#include <string.h>

/* Times are not written more often than this: each is a transaction. */
#define CONTACT_INTERVAL apr_time_from_sec(10)

/* A database that was restored or made anew counts from elsewhere: nothing
 * that either side remembers of the other holds. */
static cm_error_t *check_epoch(const cm_peer_t *peer, const char *epoch,
                               apr_pool_t *pool)
{
    if (!epoch || !peer->epoch || !strcmp(epoch, peer->epoch))
        return NULL;
    return cm_error_hint(
        CM_FAIL(pool, CM_EPOCH,
                "the database of '%s' is not the one known here (its epoch "
                "is %.64s, known is %s)",
                peer->name, epoch, peer->epoch),
        pool,
        "it was restored or made anew: `communicator-sync check` on "
        "either host says how to go on");
}

/* Write into PEER what this request tells; return whether it is worth a
 * transaction. */
static int update(cm_peer_t *peer, const cm_exchange_t *exchange, int push)
{
    apr_int64_t *last = push ? &peer->last_push_at : &peer->last_pull_at;
    apr_int64_t now = cm_clock_now();
    int is_new = exchange->epoch && !peer->epoch;

    if (!is_new && now - *last < CONTACT_INTERVAL && now >= *last)
        return 0;
    *last = now;
    if (exchange->epoch)
        peer->epoch = exchange->epoch;
    if (exchange->clock)
        peer->clock_offset = exchange->clock - now;
    return 1;
}

/* Read the row again, locked, and write it. */
static cm_error_t *save(cm_exchange_t *exchange, int push, apr_pool_t *pool)
{
    cm_node_t *node = exchange->node;
    cm_peer_t *peer;

    CM_TRY(cm_peer_load(&peer, node, exchange->peer->name, 1, pool));
    CM_TRY(check_epoch(peer, exchange->epoch, pool));
    update(peer, exchange, push);
    CM_TRY(cm_peer_save(node, peer, pool));
    return cm_store_commit(node->store, pool);
}

cm_error_t *cm_contact(cm_peer_t **peer, cm_exchange_t *exchange, int push)
{
    apr_pool_t *pool = exchange->r->pool;
    cm_peer_t before;
    cm_error_t *err;

    CM_TRY(cm_peer_load(peer, exchange->node, exchange->peer->name, 0, pool));
    CM_TRY(check_epoch(*peer, exchange->epoch, pool));
    before = **peer;
    if (!update(&before, exchange, push))
        return NULL;
    CM_TRY(cm_store_begin(exchange->node->store, pool));
    err = save(exchange, push, pool);
    if (err)
        cm_store_rollback(exchange->node->store);
    return err;
}
