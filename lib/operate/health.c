/* How well a node is: see health.h. */
#include "operate/health.h"

#include <apr_strings.h>

#include "base/clock.h"
#include "store/dialect.h"
#include "node/altered.h"

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

#define FMT  "%" APR_INT64_T_FMT
#define HOUR apr_time_from_sec(3600)

/* How many are read to find those that wait for a person. */
#define PARKED_SEEN 400

/* Count what was changed here in the last hour, up to CM_HEALTH_RECENT. */
static cm_error_t *read_made(cm_health_t *health, cm_node_t *node,
                             apr_pool_t *pool)
{
    const apr_int64_t since = health->taken_at - HOUR;

    CM_TRY(cm_statement_number(
        &health->made_recently, node->store,
        apr_psprintf(pool,
                     "SELECT (SELECT count(*) FROM outbound_messages"
                     " WHERE seq > (SELECT last_seq FROM communicator_node"
                     " WHERE id = 1) - %d AND clock > " FMT
                     ") + (SELECT coalesce(sum(last_seq - first_seq + 1), 0)"
                     " FROM (SELECT first_seq, last_seq, made_at FROM"
                     " communicator_batches ORDER BY last_seq DESC LIMIT %d)"
                     " AS batches WHERE made_at > " FMT ")",
                     CM_HEALTH_RECENT, since, CM_HEALTH_RECENT, since),
        NULL, 0, pool));
    if (health->made_recently > CM_HEALTH_RECENT)
        health->made_recently = CM_HEALTH_RECENT;
    return NULL;
}

static cm_error_t *read_queue(cm_health_peer_t *peer, apr_int64_t since,
                              cm_node_t *node, apr_pool_t *pool)
{
    cm_datum_t name = cm_datum_text(peer->state->peer->name);
    cm_datum_t arguments[] = {name, name};
    cm_rows_t *rows;

    CM_TRY(cm_statement_select(
        &rows, node->store,
        apr_psprintf(pool,
                     "SELECT (SELECT received_at FROM inbound_messages"
                     " WHERE peer = %%s AND processed_at IS NULL"
                     " ORDER BY id LIMIT 1), (SELECT sum(messages) FROM"
                     " (SELECT messages, received_at FROM communicator_received"
                     " WHERE peer = %%s ORDER BY first_seq DESC LIMIT %d)"
                     " AS come WHERE received_at > " FMT ")",
                     CM_HEALTH_RECENT, since),
        arguments, 2, pool));
    peer->oldest_parked_at = cm_cell_number(rows, 0, 0);
    peer->received_recently = cm_cell_number(rows, 0, 1);
    if (peer->received_recently > CM_HEALTH_RECENT)
        peer->received_recently = CM_HEALTH_RECENT;
    return NULL;
}

static cm_error_t *read_peers(cm_health_t *health, cm_node_t *node,
                              apr_pool_t *pool)
{
    const apr_array_header_t *states = health->state->peers;
    const cm_peer_settings_t *settings;
    int i;

    for (i = 0; i < states->nelts; i++) {
        cm_health_peer_t *peer = apr_array_push(health->peers);
        const cm_peer_t *known;

        peer->state = &APR_ARRAY_IDX(states, i, cm_status_peer_t);
        known = peer->state->peer;
        settings = cm_settings_peer(node->settings, known->name);
        peer->connects = settings && settings->uri;
        peer->last_contact_at = known->last_push_at > known->last_pull_at
                                    ? known->last_push_at
                                    : known->last_pull_at;
        CM_TRY_FOR(read_queue(peer, health->taken_at - HOUR, node, pool), pool,
                   "cannot count what came from '%s'", known->name);
    }
    return NULL;
}

/* Those that wait for a person come first. */
static cm_error_t *read_parked(cm_health_t *health, cm_node_t *node,
                               apr_pool_t *pool)
{
    apr_array_header_t *rows;
    const cm_parked_row_t *row;
    int i, transient;

    CM_TRY(cm_parked_list(&rows, node, NULL, PARKED_SEEN, pool));
    for (transient = 0; transient <= 1; transient++)
        for (i = 0; i < rows->nelts && health->parked->nelts < CM_HEALTH_LISTED;
             i++) {
            row = &APR_ARRAY_IDX(rows, i, cm_parked_row_t);
            if ((row->message.transient != 0) == transient)
                *(cm_parked_row_t *)apr_array_push(health->parked) = *row;
        }
    return NULL;
}

static cm_error_t *read_conflicts(cm_health_t *health, cm_node_t *node,
                                  apr_pool_t *pool)
{
    cm_health_conflict_t *conflict;
    cm_rows_t *rows;
    int i;

    CM_TRY_FOR(
        cm_statement_select(&rows, node->store,
                            apr_psprintf(pool,
                                         "SELECT model, local_record_id,"
                                         " column_name, peer, created_at FROM"
                                         " communicator_conflicts"
                                         " ORDER BY id DESC LIMIT %d",
                                         CM_HEALTH_LISTED),
                            NULL, 0, pool),
        pool, "cannot read the conflicts");
    for (i = 0; i < rows->count; i++) {
        conflict = apr_array_push(health->conflicts);
        conflict->model = cm_cell_text(rows, i, 0);
        conflict->local_record_id = cm_cell_text(rows, i, 1);
        conflict->column = cm_cell_text(rows, i, 2);
        conflict->peer = cm_cell_text(rows, i, 3);
        conflict->created_at = cm_cell_number(rows, i, 4);
    }
    return NULL;
}

/* Return the health of a node of SETTINGS of which nothing is known yet. */
static cm_health_t *create(const cm_settings_t *settings, apr_pool_t *pool)
{
    cm_health_t *health = apr_pcalloc(pool, sizeof(*health));

    health->taken_at = cm_clock_now();
    health->name = settings->name;
    health->version = PACKAGE_VERSION;
    health->expect_every = settings->expect_every;
    health->peers = apr_array_make(pool, 4, sizeof(cm_health_peer_t));
    health->parked = apr_array_make(pool, 4, sizeof(cm_parked_row_t));
    health->withheld = apr_array_make(pool, 1, sizeof(cm_withheld_t));
    health->conflicts = apr_array_make(pool, 4, sizeof(cm_health_conflict_t));
    health->altered = apr_array_make(pool, 1, sizeof(cm_altered_t));
    health->kept = apr_array_make(pool, 1, sizeof(cm_problem_t));
    health->problems = apr_array_make(pool, 4, sizeof(cm_problem_t));
    return health;
}

cm_error_t *cm_health_read(cm_health_t **result, cm_node_t *node,
                           const char *name, apr_pool_t *result_pool)
{
    cm_health_t *health = create(node->settings, result_pool);
    cm_status_t *state;

    CM_TRY_FOR(cm_status_read(&state, node, name, result_pool), result_pool,
               "cannot read the state of this node");
    health->state = state;
    health->driver = cm_dialect_of_store(node->store)->driver;
    CM_TRY(cm_store_standby(&health->standby, node->store, result_pool));
    CM_TRY_FOR(read_made(health, node, result_pool), result_pool,
               "cannot count the changes of the last hour");
    CM_TRY(read_peers(health, node, result_pool));
    CM_TRY(read_parked(health, node, result_pool));
    CM_TRY(cm_withheld_list(&health->withheld, node, NULL, CM_HEALTH_LISTED,
                            result_pool));
    CM_TRY(read_conflicts(health, node, result_pool));
    CM_TRY(cm_altered_list(&health->altered, node, result_pool));
    CM_TRY(cm_problem_list(&health->kept, node, result_pool));
    cm_health_judge(health, health->expect_every, result_pool);
    *result = health;
    return NULL;
}

cm_health_t *cm_health_of_error(const cm_settings_t *settings,
                                const cm_error_t *err, apr_pool_t *pool)
{
    cm_health_t *health = create(settings, pool);
    cm_problem_t problem = {.severity = CM_SEVERITY_CRITICAL,
                            .text = cm_error_text(err, pool),
                            .hint = apr_pstrdup(pool, err->hint)};

    cm_health_judge_add(health, &problem);
    return health;
}

cm_health_sums_t cm_health_sum(const cm_health_t *health)
{
    cm_health_sums_t sums = {-1, 0, 0, 0, 0};
    apr_int64_t age;
    int i, never = 0;

    for (i = 0; i < health->peers->nelts; i++) {
        const cm_health_peer_t *peer =
            &APR_ARRAY_IDX(health->peers, i, cm_health_peer_t);
        const cm_pending_t *pending = &peer->state->pending;

        never = never || !peer->last_contact_at;
        age = apr_time_sec(health->taken_at - peer->last_contact_at);
        if (age > sums.age)
            sums.age = age;
        age = apr_time_sec(health->taken_at - pending->oldest_clock);
        if (pending->oldest_clock && age > sums.oldest)
            sums.oldest = age;
        sums.pending += pending->count;
        sums.parked += peer->state->parked;
        sums.withheld += peer->state->withheld.count;
    }
    if (never)
        sums.age = -1;
    return sums;
}

const char *cm_health_severity_name(cm_severity_e severity)
{
    static const char *const names[] = {"ok", "warning", "critical", "unknown"};

    return names[severity];
}

int cm_health_severity_is_worse(cm_severity_e a, cm_severity_e b)
{
    static const int ranks[] = {0, 1, 3, 2};

    return ranks[a] > ranks[b];
}
