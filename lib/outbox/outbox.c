/* What is confirmed, and what waits: see outbox.h. */
#include "outbox/outbox.h"

#include <apr_strings.h>

#include "base/clock.h"
#include "store/dialect.h"
#include "node/batches.h"
#include "node/peer.h"
#include "outbox/internal.h"
#include "outbox/publication.h"
#include "outbox/unstamped.h"
#include "outbox/withheld.h"

/* Refuse the confirmation of what was never sent from here. */
static cm_error_t *check_known(cm_node_t *node, const char *peer,
                               apr_int64_t seq, apr_pool_t *pool)
{
    apr_int64_t last_seq;
    cm_error_t *err;

    CM_TRY(cm_statement_number(
        &last_seq, node->store,
        "SELECT last_seq FROM communicator_node WHERE id = 1", NULL, 0, pool));
    if (seq <= last_seq)
        return NULL;
    err = CM_FAIL(pool, CM_EPOCH,
                  "peer '%s' holds message %" APR_INT64_T_FMT
                  " of this node, which has not written it yet",
                  peer, seq);
    return cm_error_hint(err, pool,
                         "this database was restored or replaced: "
                         "`communicator-sync epoch --new` at '%s'",
                         node->settings->name);
}

cm_error_t *cm_outbox_move_cursor(cm_node_t *node, const char *name,
                                  apr_int64_t seq, apr_int64_t id,
                                  apr_pool_t *pool)
{
    cm_peer_t *peer;
    apr_int64_t from;

    CM_TRY(cm_peer_load(&peer, node, name, 1, pool));
    if (seq <= peer->confirmed)
        return NULL;
    CM_TRY(check_known(node, name, seq, pool));
    from = peer->confirmed;
    peer->confirmed = seq;
    peer->confirmed_id = id;
    if (peer->sent < seq)
        peer->sent = seq;
    CM_TRY(cm_peer_save(node, peer, pool));
    CM_TRY(cm_withheld_end_replaced(node, name, from, seq, pool));
    return cm_statement_run(
        NULL, node->store,
        apr_psprintf(pool,
                     "UPDATE outbound_messages SET delivered_at = %s"
                     " WHERE seq > %" APR_INT64_T_FMT
                     " AND seq <= %" APR_INT64_T_FMT
                     " AND delivered_at IS NULL",
                     cm_dialect_of_store(node->store)->now, from, seq),
        NULL, 0, pool);
}

cm_error_t *cm_outbox_confirm(cm_node_t *node, const char *peer,
                              apr_int64_t seq, apr_int64_t id,
                              apr_pool_t *scratch_pool)
{
    cm_peer_t *row;

    CM_TRY(cm_peer_load(&row, node, peer, 0, scratch_pool));
    if (seq <= row->confirmed)
        return NULL;
    CM_TRY(cm_transaction_begin(node->store, scratch_pool));
    CM_TRY_FOR(cm_transaction_end(
                   node->store,
                   cm_outbox_move_cursor(node, peer, seq, id, scratch_pool),
                   scratch_pool),
               scratch_pool, "cannot confirm message %" APR_INT64_T_FMT, seq);
    return NULL;
}

/* Count the rows of the outbox that WHICH names (what follows FROM), up to
 * MOST. */
static cm_error_t *count_some(apr_int64_t *count, cm_node_t *node,
                              const char *peer, const char *which, int most,
                              apr_pool_t *pool)
{
    cm_datum_t argument = cm_datum_text(peer);

    return cm_statement_number(
        count, node->store,
        apr_psprintf(pool,
                     "SELECT count(*) FROM (SELECT 1 AS one"
                     " FROM %s"
                     " AND (source IS NULL OR source <> %%s)"
                     " LIMIT %d) AS counted",
                     which, most),
        &argument, 1, pool);
}

/* Read the time of the first row that WHICH names; 0 when there is none, or
 * when it was published. */
static cm_error_t *first_time(apr_int64_t *time, cm_node_t *node,
                              const char *peer, const char *which,
                              const char *order, apr_pool_t *pool)
{
    cm_datum_t argument = cm_datum_text(peer);

    return cm_statement_number(
        time, node->store,
        apr_psprintf(
            pool,
            "SELECT CASE WHEN changed_columns = '[]' THEN 0 ELSE clock END"
            " FROM %s"
            " AND (source IS NULL OR source <> %%s)"
            "%s LIMIT 1",
            which, order),
        &argument, 1, pool);
}

/* Count the ids from the first row on that is above what is stamped, including
 * those rolled back. */
static cm_error_t *guess_unstamped(apr_int64_t *count, cm_node_t *node,
                                   apr_pool_t *pool)
{
    const cm_dialect_t *dialect = cm_dialect_of_store(node->store);
    apr_int64_t guess;

    CM_TRY(cm_statement_number(
        &guess, node->store,
        apr_pstrcat(pool,
                    "SELECT 1 + (SELECT id FROM outbound_messages"
                    " ORDER BY id DESC LIMIT 1) - (SELECT id FROM ",
                    dialect->unstamped, " WHERE ", dialect->no_number,
                    " AND id > (SELECT stamped_id FROM communicator_node"
                    " WHERE id = 1)",
                    dialect->in_order, " LIMIT 1)", NULL),
        NULL, 0, pool));
    if (guess > *count)
        *count = guess;
    return NULL;
}

/* Count the rows that WHERE names up to EXACT, then estimate; *OLDEST is the
 * time of the first one. */
static cm_error_t *count_where(apr_int64_t *count, apr_int64_t *oldest,
                               cm_node_t *node, const char *peer,
                               const char *where, int exact, apr_pool_t *pool)
{
    const cm_dialect_t *dialect = cm_dialect_of_store(node->store);
    const char *which =
        apr_pstrcat(pool, dialect->unstamped, " WHERE ", where, NULL);

    CM_TRY(count_some(count, node, peer, which, exact, pool));
    if (*count)
        CM_TRY(first_time(oldest, node, peer, which, dialect->in_order, pool));
    return *count == exact ? guess_unstamped(count, node, pool) : NULL;
}

/* Count the rows without a number. Only where none of those that may be new is
 * found, all rows are searched. (What came from PEER does not count, but has an
 * id of the database, so it may be new.) */
static cm_error_t *count_unstamped(apr_int64_t *count, apr_int64_t *oldest,
                                   cm_node_t *node, const char *peer, int exact,
                                   apr_pool_t *pool)
{
    const apr_time_t now = cm_clock_now();
    apr_int64_t last_seq;

    if (cm_dialect_of_store(node->store)->leaves_gaps)
        CM_TRY(cm_node_refresh(&last_seq, node, pool));
    CM_TRY(count_where(count, oldest, node, peer,
                       cm_unstamped_where(node, 0, pool), exact, pool));
    if (*count || !cm_unstamped_is_due(node))
        return NULL;
    CM_TRY(count_where(count, oldest, node, peer,
                       cm_unstamped_where(node, 1, pool), exact, pool));
    if (!*count)
        node->outbox.searched_at = now;
    return NULL;
}

/* Count the rows above CONFIRMED, which have a number, beside PACKED messages
 * in batches. */
static cm_error_t *count_stamped(cm_pending_t *pending, cm_node_t *node,
                                 const char *peer, apr_int64_t confirmed,
                                 apr_int64_t packed, int exact,
                                 apr_pool_t *pool)
{
    const char *which = apr_psprintf(
        pool, "outbound_messages WHERE seq > %" APR_INT64_T_FMT, confirmed);
    apr_int64_t oldest;

    CM_TRY(count_some(&pending->count, node, peer, which, exact, pool));
    if (!pending->count)
        return NULL;
    CM_TRY(first_time(&oldest, node, peer, which, " ORDER BY seq", pool));
    if (!packed || oldest < pending->oldest_clock)
        pending->oldest_clock = oldest;
    if (pending->count < exact)
        return NULL;
    CM_TRY(cm_statement_number(&pending->count, node->store,
                               "SELECT " CM_OUTBOX_HIGHEST, NULL, 0, pool));
    pending->count -= confirmed + packed;
    return NULL;
}

/* In the order in which a message goes from one place to the next, so that none
 * is missed on its way: at most it is counted twice. */
static cm_error_t *read_pending(cm_pending_t *pending, cm_node_t *node,
                                const char *peer, int exact, apr_pool_t *pool)
{
    apr_int64_t raw, oldest = 0, confirmed, packed = 0, published;
    cm_batches_range_t batch;
    cm_peer_t *row;

    CM_TRY(cm_peer_find(&row, node, peer, pool));
    confirmed = row ? row->confirmed : 0;
    CM_TRY(cm_publication_left(&published, node, pool));
    CM_TRY(count_unstamped(&raw, &oldest, node, peer, exact, pool));
    CM_TRY(cm_batches_find(&batch, node, confirmed, pool));
    if (batch.first)
        CM_TRY(cm_batches_count(&packed, node, confirmed, exact, pool));
    pending->oldest_clock = batch.oldest;
    CM_TRY(count_stamped(pending, node, peer, confirmed, packed, exact, pool));
    if (!pending->count && !packed)
        pending->oldest_clock = oldest;
    pending->count += packed + raw + published;
    return NULL;
}

cm_error_t *cm_outbox_pending(cm_pending_t *pending, cm_node_t *node,
                              const char *peer, int exact,
                              apr_pool_t *scratch_pool)
{
    pending->count = pending->oldest_clock = 0;
    CM_TRY_FOR(read_pending(pending, node, peer, exact, scratch_pool),
               scratch_pool, "cannot count the messages that wait for '%s'",
               peer);
    return NULL;
}
