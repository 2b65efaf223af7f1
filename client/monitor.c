/* How this node is, with what only this host knows: what the runs came to. See
 * monitor.h. */
#include "monitor.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_time.h>

#include "alert.h"
#include "memory.h"
#include "base/error.h"
#include "config/settings.h"
#include "record/clocks.h"
#include "node/incident.h"
#include "operate/health.h"

/* Runs that fail for what passes by itself, before it is a problem. */
#define RUNS_TO_WAIT 3

static void add(cm_health_t *health, cm_severity_e severity, const char *peer,
                const char *text, const char *hint)
{
    cm_problem_t problem = {severity, peer, text, hint};

    cm_health_judge_add(health, &problem);
}

static int is_passing(const sync_runs_t *runs)
{
    return runs->exit_status == cm_error_code_exit_status(CM_TIMEOUT);
}

const char *sync_monitor_young_failure(const sync_client_t *client,
                                       const char *name, apr_pool_t *pool)
{
    sync_runs_t runs =
        sync_memory_runs(client->settings->state_directory, name, pool);

    if (!runs.reason || !is_passing(&runs) || runs.failed >= RUNS_TO_WAIT)
        return NULL;
    return apr_psprintf(
        pool, "the last run, %s, failed: %s",
        sync_output_when(apr_time_from_sec(runs.last_run), pool),
        sync_output_clean(runs.reason, pool));
}

/* What passes by itself is worth a warning only when it does not. */
static void judge_runs(cm_health_t *health, const sync_client_t *client,
                       const char *name, apr_pool_t *pool)
{
    sync_runs_t runs =
        sync_memory_runs(client->settings->state_directory, name, pool);
    int passing = is_passing(&runs);

    if (!runs.reason || sync_monitor_young_failure(client, name, pool))
        return;
    add(health, passing ? CM_SEVERITY_WARNING : CM_SEVERITY_CRITICAL, name,
        apr_psprintf(pool, "%s: runs fail, the last one %s: %s", name,
                     sync_output_when(apr_time_from_sec(runs.last_run), pool),
                     sync_output_clean(runs.reason, pool)),
        "communicator-sync check");
}

const char *sync_monitor_blind(const char **hint, const sync_client_t *client,
                               const char *name, apr_pool_t *pool)
{
    const cm_settings_t *settings = client->settings;
    const char *directory = settings->state_directory;
    apr_interval_time_t most = client->options->critical;
    apr_time_t written, last;
    cm_error_t *err = sync_memory_check(&written, directory, pool);

    if (most < settings->expect_every)
        most = settings->expect_every;
    if (err) {
        *hint = err->hint;
        return apr_psprintf(pool,
                            "%s: it is not known what the runs came to: "
                            "%s",
                            name, cm_error_text(err, pool));
    }
    *hint = "does cron or a timer run communicator-sync on this host, with "
            "this CommunicatorStateDir?";
    last = apr_time_from_sec(sync_memory_runs(directory, name, pool).last_run);
    if (!last)
        return apr_psprintf(pool, "%s: '%s/status.json' knows of no run", name,
                            directory);
    if (cm_clocks_is_past(last, apr_time_now(), most))
        return apr_psprintf(pool,
                            "%s: the last run that '%s/status.json' knows of "
                            "ended %s",
                            name, directory, sync_output_when(last, pool));
    return NULL;
}

/* What is wrong on this host, and no matter of a peer. */
static void judge_host(cm_health_t *health, const sync_client_t *client,
                       const char *what, apr_pool_t *pool)
{
    sync_runs_t runs =
        sync_memory_runs(client->settings->state_directory, what, pool);

    if (runs.reason)
        add(health, CM_SEVERITY_WARNING, NULL,
            sync_output_clean(runs.reason, pool),
            runs.hint ? sync_output_clean(runs.hint, pool) : NULL);
}

/* Judge what is known of the runs with each peer that we connect to. */
static void judge_all_runs(cm_health_t *health, const sync_client_t *client,
                           apr_pool_t *pool)
{
    const apr_array_header_t *peers = client->settings->peers;
    const char *only = client->options->peer, *text, *hint;
    int i, connects = 0;

    for (i = 0; i < peers->nelts; i++) {
        const cm_peer_settings_t *peer =
            APR_ARRAY_IDX(peers, i, const cm_peer_settings_t *);

        if (!peer->uri || (only && strcmp(only, peer->name)))
            continue;
        connects = 1;
        judge_runs(health, client, peer->name, pool);
        text = sync_monitor_blind(&hint, client, peer->name, pool);
        if (text)
            add(health, CM_SEVERITY_UNKNOWN, peer->name, text, hint);
    }
    if (!connects)
        return;
    judge_runs(health, client, client->settings->name, pool);
    judge_host(health, client, CM_ALERT_FILES, pool);
    judge_host(health, client, CM_ALERT_NOTIFY, pool);
}

void sync_monitor_judge(cm_health_t *health, const sync_client_t *client,
                        apr_pool_t *pool)
{
    const apr_array_header_t *found = health->problems;
    int i;

    /* That runs fail explains most of the others. */
    health->problems = apr_array_make(pool, 4, sizeof(cm_problem_t));
    judge_all_runs(health, client, pool);
    for (i = 0; i < found->nelts; i++)
        cm_health_judge_add(health, &APR_ARRAY_IDX(found, i, cm_problem_t));
}

cm_error_t *sync_monitor_read(cm_health_t **health, sync_client_t *client,
                              apr_pool_t *pool)
{
    apr_array_header_t *peers, *problems;
    int i;

    CM_TRY(sync_client_peers(&peers, client, 0, pool));
    CM_TRY(sync_client_node(client));
    CM_TRY(
        cm_health_read_peer(health, client->node, client->options->peer, pool));
    CM_TRY(cm_health_judge_triggers(&problems, client->node, pool));
    for (i = 0; i < problems->nelts; i++)
        cm_health_judge_add(*health, &APR_ARRAY_IDX(problems, i, cm_problem_t));
    sync_monitor_judge(*health, client, pool);
    return NULL;
}
