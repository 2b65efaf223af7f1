/* See claims.h. */
#include "claims.h"

#include <stdio.h>
#include <stdlib.h>

#include <apr_strings.h>

#include "exchange/session.h"
#include "operate/health.h"
#include "verify/compare.h"
#include "exchange.h"

typedef struct verify_t {
    sim_world_t *world;
    int *found; /* by table */
    int repair;
    const char *from;
} verify_t;

static void tell(const verify_t *verify, const cm_verify_report_t *report)
{
    static const char *const kinds[] = {
        "open",         "equal",         "under way", "parked", "differs",
        "missing here", "missing there", "kept",      "outside"};
    int i;

    if (!verify->world->verbose)
        return;
    if (report->skipped)
        printf("#   verify %s: skipped, %s\n", report->model, report->skipped);
    for (i = 0; i < report->differences->nelts; i++) {
        const cm_difference_t *one =
            &APR_ARRAY_IDX(report->differences, i, cm_difference_t);

        printf("#   verify %s: %s/%s %s%s\n", report->model,
               one->identity.origin, one->identity.original_id,
               kinds[one->kind], one->deleted ? ", deleted" : "");
    }
}

static cm_error_t *verify_model(verify_t *verify, cm_session_t *session,
                                int table, apr_pool_t *pool)
{
    const char *model = apr_psprintf(pool, "m%d", table);
    cm_verify_work_t work = {.node = session->node,
                             .peer = session->settings->name,
                             .ask = cm_session_ask,
                             .baton = session,
                             .pool = pool};

    CM_TRY(cm_verify_compare(&work, model, pool));
    CM_TRY(cm_verify_settle(&work, pool));
    tell(verify, work.report);
    verify->found[table] = work.report->counts[CM_RECORD_UNDER_WAY] +
                           work.report->counts[CM_RECORD_PARKED] +
                           work.report->counts[CM_RECORD_DIFFERS] +
                           work.report->counts[CM_RECORD_MISSING_HERE] +
                           work.report->counts[CM_RECORD_MISSING_THERE] +
                           abs((int)work.report->extra);
    if (verify->repair && !work.report->skipped)
        CM_TRY(cm_verify_settle_repair(&work, verify->from, pool));
    return NULL;
}

static cm_error_t *verify_all(cm_session_t *session, void *baton,
                              apr_pool_t *pool)
{
    verify_t *verify = baton;
    int i;

    CM_TRY(cm_session_greet(session, pool));
    for (i = 0; i < verify->world->schema->count; i++)
        if (!verify->world->schema->tables[i].gone)
            CM_TRY(verify_model(verify, session, i, pool));
    return NULL;
}

void sim_claims_verify(int *found, sim_world_t *world, const sim_link_t *link,
                       int repair, int from)
{
    verify_t verify = {world, found, repair,
                       from < 0 ? NULL : sim_schema_node_name(from)};
    sim_step_t step = {.kind = SIM_SYNC,
                       .node = link->caller,
                       .peer = link->callee,
                       .limit = 100};
    int i;

    for (i = 0; i < SIM_TABLES; i++)
        found[i] = 0;
    sim_exchange_talk(world, &step, verify_all, &verify);
}

const char *sim_claims_health(sim_world_t *world, int number)
{
    sim_node_t *node = &world->nodes[number];
    cm_health_t *health;

    sim_clock_at(number);
    if (!sim_world_must(
            world, "read the health of a node",
            cm_health_read(&health, node->node, NULL, world->pool)) ||
        !health->problems->nelts)
        return NULL;
    return APR_ARRAY_IDX(health->problems, 0, cm_problem_t).text;
}
