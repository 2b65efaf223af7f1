/* What in a node's health is a trouble, and what to do. See cm_health.h. */
#include <string.h>

#include <apr_strings.h>

#include "cm_capture.h"
#include "cm_judge.h"
#include "cm_health.h"

#define FMT "%" APR_INT64_T_FMT

/* A record that others wait for should have come by then. */
#define PATIENCE (apr_time_from_sec(3600))

/* So many expected visits may pass before what waits is too old. */
#define VISITS 3

void cm_health_add(cm_health_t *health, const cm_problem_t *problem)
{
    cm_problem_t *list;
    int i;

    apr_array_push(health->problems);
    list = (cm_problem_t *)health->problems->elts;
    for (i = health->problems->nelts - 1;
         i > 0 && list[i - 1].severity < problem->severity; i--)
        list[i] = list[i - 1];
    list[i] = *problem;
    if (health->severity < problem->severity)
        health->severity = problem->severity;
}

static const char *name_of(const cm_health_peer_t *peer)
{
    return peer->state->peer->name;
}

static void add(cm_health_t *health, cm_severity_e severity,
                cm_health_peer_t *peer, const char *text, const char *remedy)
{
    cm_problem_t problem = {severity, peer ? name_of(peer) : NULL, text,
                            remedy};

    if (peer && peer->severity < severity)
        peer->severity = severity;
    cm_health_add(health, &problem);
}

/* Return "1 message", "5 messages". */
static const char *messages(apr_int64_t count, apr_pool_t *pool)
{
    return apr_psprintf(pool, FMT " message%s", count, count == 1 ? "" : "s");
}

static void judge_contact(cm_health_t *health, cm_health_peer_t *peer,
                          apr_pool_t *pool)
{
    apr_int64_t silence = health->taken_at - peer->last_contact_at;
    const char *text;

    if (!health->expect_every || silence <= health->expect_every)
        return;
    if (!peer->last_contact_at)
        text =
            apr_psprintf(pool, "'%s' has never been in contact", name_of(peer));
    else
        text = apr_psprintf(pool, "'%s' has been silent for %s", name_of(peer),
                            cm_health_span(silence, pool));
    add(health, CM_SEVERITY_CRITICAL, peer,
        apr_psprintf(pool, "%s (expected every %s)", text,
                     cm_health_span(health->expect_every, pool)),
        peer->connects
            ? "run `communicator-sync check` here"
            : "run `communicator-sync check` at its host: cron, network, "
              "password");
}

static void judge_queue(cm_health_t *health, cm_health_peer_t *peer,
                        apr_pool_t *pool)
{
    apr_int64_t age = health->taken_at - peer->state->pending.oldest_clock;

    if (!health->expect_every || !peer->state->pending.oldest_clock ||
        age <= VISITS * health->expect_every ||
        peer->severity == CM_SEVERITY_CRITICAL)
        return;
    add(health, CM_SEVERITY_WARNING, peer,
        apr_psprintf(pool, "%s for '%s' not confirmed, the oldest for %s",
                     messages(peer->state->pending.count, pool), name_of(peer),
                     cm_health_span(age, pool)),
        "look at what communicator-sync says");
}

/* Most of a batch: this is no matter of single messages. */
static void judge_batch(cm_health_t *health, cm_health_peer_t *peer,
                        apr_pool_t *pool)
{
    if (peer->state->batch_parked)
        add(health, CM_SEVERITY_CRITICAL, peer,
            apr_psprintf(pool,
                         FMT " of " FMT " messages of a batch of '%s' are "
                             "parked",
                         peer->state->batch_parked, peer->state->batch_messages,
                         name_of(peer)),
            "`communicator-sync parked` says why: a table or model may be "
            "missing here. Then `communicator-sync retry`");
}

static void judge_parked(cm_health_t *health, cm_health_peer_t *peer,
                         apr_pool_t *pool)
{
    apr_int64_t waiting = peer->state->waiting;
    apr_int64_t parked = peer->state->parked - waiting;
    apr_int64_t age = health->taken_at - peer->oldest_parked_at;
    apr_int64_t there = peer->state->said.parked;

    if (parked)
        add(health, CM_SEVERITY_WARNING, peer,
            apr_psprintf(pool, "%s of '%s' parked", messages(parked, pool),
                         name_of(peer)),
            "`communicator-sync parked` tells why");
    else if (waiting && age > PATIENCE)
        add(health, CM_SEVERITY_WARNING, peer,
            apr_psprintf(pool, "%s of '%s' waiting for other records for %s",
                         messages(waiting, pool), name_of(peer),
                         cm_health_span(age, pool)),
            "publish those records at the other side");
    if (there > 0)
        add(health, CM_SEVERITY_WARNING, peer,
            apr_psprintf(pool, "%s of ours parked at '%s'",
                         messages(there, pool), name_of(peer)),
            "`communicator-sync parked` at its host tells why");
}

static void judge_clock(cm_health_t *health, cm_health_peer_t *peer,
                        apr_pool_t *pool)
{
    apr_int64_t offset = peer->state->peer->clock_offset;
    int behind = offset < 0;

    if (behind)
        offset = -offset;
    if (offset > CM_SKEW_LIMIT)
        add(health, CM_SEVERITY_WARNING, peer,
            apr_psprintf(pool, "the clock of '%s' is %s %s ours", name_of(peer),
                         cm_health_span(offset, pool),
                         behind ? "behind" : "ahead of"),
            "set the clocks of both hosts (NTP)");
}

void cm_health_judge(cm_health_t *health, apr_interval_time_t expect_every,
                     apr_pool_t *pool)
{
    int i;

    apr_array_clear(health->problems);
    health->severity = CM_SEVERITY_OK;
    health->expect_every = expect_every;
    if (health->state && health->state->paused_at)
        add(health, CM_SEVERITY_WARNING, NULL,
            apr_psprintf(
                pool, "paused for %s",
                cm_health_span(health->taken_at - health->state->paused_at,
                               pool)),
            "`communicator-sync resume` goes on");
    for (i = 0; i < health->peers->nelts; i++) {
        cm_health_peer_t *peer =
            &APR_ARRAY_IDX(health->peers, i, cm_health_peer_t);

        peer->severity = CM_SEVERITY_OK;
        judge_contact(health, peer, pool);
        judge_queue(health, peer, pool);
        judge_batch(health, peer, pool);
        judge_parked(health, peer, pool);
        judge_clock(health, peer, pool);
    }
}

/* Add to PROBLEMS what ails MODEL. */
static cm_error_t *check_model(apr_array_header_t *problems, cm_node_t *node,
                               const cm_model_t *model, apr_pool_t *pool)
{
    cm_problem_t problem = {CM_SEVERITY_CRITICAL, NULL, NULL,
                            "run `communicator-sync migrate`"};
    const cm_table_t *table;
    cm_capture_e capture = CM_CAPTURE_CURRENT;
    apr_array_header_t *findings;
    cm_error_t *err;

    err = cm_node_table(&table, node, model);
    if (!err)
        err = cm_judge_table(&findings, node->store, model, pool);
    if (!err)
        err = cm_judge_error(findings, pool);
    if (!err && model->publishes)
        err = cm_capture_state(&capture, node->store, table, pool);
    if (err && err->code != CM_SCHEMA)
        return err;
    if (err) {
        problem.text = apr_psprintf(pool, "model '%s': %s", model->name,
                                    cm_error_text(err, pool));
        problem.remedy = err->hint;
    }
    else if (capture == CM_CAPTURE_MISSING)
        problem.text = apr_psprintf(pool,
                                    "the triggers of table '%s' are missing: "
                                    "its changes are not published",
                                    model->table);
    else if (capture == CM_CAPTURE_STALE)
        problem.text =
            apr_psprintf(pool,
                         "the triggers of table '%s' are incomplete, or "
                         "for other columns",
                         model->table);
    if (problem.text)
        APR_ARRAY_PUSH(problems, cm_problem_t) = problem;
    return NULL;
}

cm_error_t *cm_health_check(apr_array_header_t **problems, cm_node_t *node,
                            apr_pool_t *result_pool)
{
    const apr_array_header_t *models = node->settings->models;
    int i;

    *problems = apr_array_make(result_pool, 4, sizeof(cm_problem_t));
    cm_node_forget(node);
    for (i = 0; i < models->nelts; i++)
        CM_TRY_FOR(check_model(*problems, node,
                               APR_ARRAY_IDX(models, i, cm_model_t *),
                               result_pool),
                   result_pool, "cannot check the tables");
    return NULL;
}

const char *cm_severity_name(cm_severity_e severity)
{
    static const char *const names[] = {"ok", "warning", "critical"};

    return names[severity];
}

const char *cm_health_span(apr_int64_t interval, apr_pool_t *pool)
{
    static const struct {
        const char *unit;
        apr_int64_t seconds;
    } units[] = {{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}};
    apr_int64_t seconds = apr_time_sec(interval);
    apr_size_t i;

    /* Two days are worth more than one: from two units on the larger. */
    for (i = 0; i < 3 && seconds < 2 * units[i].seconds; i++)
        ;
    return apr_psprintf(pool, FMT " %s", seconds / units[i].seconds,
                        units[i].unit);
}
