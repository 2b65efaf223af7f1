/* The state of a node as monitors want it: see monitor.h. */
#include "monitor.h"

#include <stdio.h>

#include <apr_strings.h>
#include <apr_time.h>

#include "memory.h"
#include "base/buffer.h"
#include "base/error.h"
#include "config/settings.h"
#include "operate/health.h"
#include "operate/status.h"

/* Return TEXT without what ends the line of a plugin. */
static const char *plain(const char *text, apr_pool_t *pool)
{
    char *copy = apr_pstrdup(pool, sync_output_clean(text, pool)), *c;

    for (c = copy; *c; c++)
        if (*c == '|')
            *c = ' ';
    return copy;
}

int sync_monitor_print_nagios(const sync_client_t *client, cm_health_t *health,
                              apr_pool_t *pool)
{
    const cm_health_limits_t limits = {client->options->warning,
                                       client->options->critical};
    cm_buffer_t *out = cm_buffer_create(512, pool);

    cm_health_judge_limits(health, &limits, pool);
    cm_health_text_nagios(out, health, &limits);
    fwrite(out->data, 1, out->size, stdout);
    return health->severity;
}

int sync_monitor_print_unknown(const cm_error_t *err, apr_pool_t *pool)
{
    int away = cm_error_code_is_transient(err->code);

    printf("COMMUNICATOR %s - %s\n", away ? "CRITICAL" : "UNKNOWN",
           plain(cm_error_text(err, pool), pool));
    return away ? 2 : 3;
}

/* One number of the runs with every peer. */
typedef struct run_metric_t {
    const char *name, *help;
    apr_int64_t (*value)(const sync_runs_t *runs);
    int lasts; /* true however long ago the run was */
} run_metric_t;

static apr_int64_t of_last_run(const sync_runs_t *runs)
{
    return runs->last_run;
}

static apr_int64_t of_last_success(const sync_runs_t *runs)
{
    return runs->last_success;
}

static apr_int64_t of_exit_status(const sync_runs_t *runs)
{
    return runs->exit_status;
}

static apr_int64_t of_failed(const sync_runs_t *runs)
{
    return runs->failed;
}

static const run_metric_t run_metrics[] = {
    {"last_run_timestamp_seconds", "when the last run ended", of_last_run, 1},
    {"last_success_timestamp_seconds",
     "when the last one that went well did; 0: never", of_last_success, 1},
    {"last_exit_status", "what the last run came to; 0: all is well",
     of_exit_status, 0},
    {"failed_runs", "runs that failed in a row", of_failed, 0},
};

/* Whether all that follows of the runs is worth anything. */
static void print_known(const sync_client_t *client, apr_pool_t *pool)
{
    const cm_settings_t *settings = client->settings;
    const char *hint;
    int i;

    printf("# HELP communicator_sync_known whether it is known what the last "
           "run came to\n# TYPE communicator_sync_known gauge\n");
    for (i = 0; i < settings->peers->nelts; i++) {
        const cm_peer_settings_t *peer =
            APR_ARRAY_IDX(settings->peers, i, const cm_peer_settings_t *);

        if (peer->uri)
            printf("communicator_sync_known{peer=\"%s\"} %d\n", peer->name,
                   !sync_monitor_blind(&hint, client, peer->name, pool));
    }
}

/* From the status file: what the runs came to, the database away or not. */
static void print_runs(const sync_client_t *client, const run_metric_t *metric,
                       apr_pool_t *pool)
{
    const cm_settings_t *settings = client->settings;
    const char *hint;
    int i;

    printf("# HELP communicator_sync_%s %s\n# TYPE communicator_sync_%s "
           "gauge\n",
           metric->name, metric->help, metric->name);
    for (i = 0; i < settings->peers->nelts; i++) {
        const cm_peer_settings_t *peer =
            APR_ARRAY_IDX(settings->peers, i, const cm_peer_settings_t *);
        sync_runs_t runs =
            sync_memory_runs(settings->state_directory, peer->name, pool);

        /* 0 would say that all is well. */
        if (peer->uri && runs.last_run &&
            (metric->lasts ||
             !sync_monitor_blind(&hint, client, peer->name, pool)))
            printf("communicator_sync_%s{peer=\"%s\"} %" APR_INT64_T_FMT "\n",
                   metric->name, peer->name, metric->value(&runs));
    }
}

void sync_monitor_print_prometheus(const sync_client_t *client,
                                   const cm_health_t *health, apr_pool_t *pool)
{
    cm_buffer_t *out = cm_buffer_create(4096, pool);
    size_t i;

    cm_health_prometheus(out, health);
    fwrite(out->data, 1, out->size, stdout);
    print_known(client, pool);
    for (i = 0; i < sizeof(run_metrics) / sizeof(*run_metrics); i++)
        print_runs(client, &run_metrics[i], pool);
}
