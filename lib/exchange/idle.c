/* Nothing new: see idle.h. */
#include "exchange/idle.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_time.h>

#include "base/clock.h"
#include "store/dialect.h"
#include "outbox/stamp.h"
#include "outbox/unstamped.h"
#include "operate/status.h"

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
    const char *from = cm_dialect_of_store(node->store)->unstamped_from;

    return apr_pstrcat(
        pool,
        "SELECT p.epoch, p.confirmed, p.received, p.received_clock,"
        " p.last_pull_at, p.held, n.epoch, n.last_seq, n.paused_at,"
        " CASE WHEN EXISTS (SELECT 1 FROM ",
        cm_dialect_of_store(node->store)->unstamped, " WHERE seq IS NULL",
        all || !from ? "" : " AND id > ", all || !from ? "" : from,
        ")"
        " OR EXISTS (SELECT 1 FROM inbound_messages"
        " WHERE processed_at IS NULL AND peer = p.name)"
        " OR EXISTS (SELECT 1 FROM communicator_problems"
        " WHERE subject = p.name)"
        " OR EXISTS (SELECT 1 FROM communicator_withheld"
        " WHERE ended_at = 0 AND peer = p.name)"
        " OR EXISTS (SELECT 1 FROM communicator_missing) THEN 1 ELSE 0 END,"
        " (SELECT clock FROM outbound_messages WHERE seq = %s),"
        " CASE WHEN n.passed IS NULL THEN 0 ELSE 1 END, p.status"
        " FROM communicator_peers p, communicator_node n"
        " WHERE n.id = 1 AND p.name = %s",
        NULL);
}

/* MariaDB: look into what was passed over, which the question does not. */
static cm_error_t *look_below(int *waiting, cm_node_t *node,
                              const cm_rows_t *rows, int all, apr_pool_t *pool)
{
    *waiting = 0;
    if (all || !cm_dialect_of_store(node->store)->leaves_gaps ||
        !cm_cell_number(rows, 0, PASSED))
        return NULL;
    return cm_stamp_is_waiting(waiting, node, pool);
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

static int is_quiet(const cm_rows_t *rows, const cm_claim_t *claim,
                    apr_int64_t since)
{
    apr_int64_t noted = cm_cell_number(rows, 0, LAST_PULL_AT);

    return is(rows, PEER_EPOCH, claim->epoch) &&
           is(rows, EPOCH, claim->known_epoch) &&
           cm_cell_number(rows, 0, LAST_SEQ) == claim->received &&
           cm_cell_number(rows, 0, CONFIRMED) >= claim->received &&
           (claim->newest < 0 ||
            claim->newest >= cm_cell_number(rows, 0, RECEIVED)) &&
           !cm_cell_number(rows, 0, PAUSED_AT) &&
           !cm_cell_number(rows, 0, WAITING) && noted > since &&
           noted <= cm_clock_now() && is_held(rows, claim);
}

cm_error_t *cm_idle_find(cm_peer_t **peer, cm_node_t *node,
                         const cm_claim_t *claim, const char *name,
                         const cm_withheld_sum_t *theirs, apr_int64_t since,
                         apr_pool_t *result_pool)
{
    const cm_datum_t arguments[] = {cm_datum_number(claim->held, result_pool),
                                    cm_datum_text(name)};
    const int all = cm_unstamped_is_due(node);
    const apr_time_t now = cm_clock_now();
    cm_peer_t *found;
    cm_rows_t *rows;
    int waiting;

    *peer = NULL;
    CM_TRY_FOR(cm_prepared_select_often(&rows, node->store,
                                        question(node, all, result_pool),
                                        arguments, 2, result_pool),
               result_pool, "cannot find whether anything is new for '%s'",
               name);
    if (!rows->count || !is_quiet(rows, claim, since) ||
        !cm_status_has_withheld(cm_cell_text(rows, 0, STATUS), theirs,
                                result_pool))
        return NULL;
    CM_TRY(look_below(&waiting, node, rows, all, result_pool));
    if (waiting)
        return NULL;
    if (all)
        node->outbox.searched_at = now;
    found = apr_pcalloc(result_pool, sizeof(*found));
    found->name = apr_pstrdup(result_pool, name);
    found->epoch = cm_cell_text(rows, 0, PEER_EPOCH);
    found->confirmed = cm_cell_number(rows, 0, CONFIRMED);
    found->received = cm_cell_number(rows, 0, RECEIVED);
    found->received_clock = cm_cell_number(rows, 0, RECEIVED_CLOCK);
    found->last_pull_at = cm_cell_number(rows, 0, LAST_PULL_AT);
    found->held = cm_cell_number(rows, 0, HELD);
    *peer = found;
    return NULL;
}
