/* The state of a node for monitors: see monitor.h. */
#include "monitor.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "alert.h"
#include "memory.h"

static void add(cm_health_t *health, cm_severity_e severity, const char *peer,
                const char *text, const char *hint)
{
    cm_problem_t problem = {
        .severity = severity, .peer = peer, .text = text, .hint = hint};

    cm_health_judge_add(health, &problem);
}

static int is_passing(const sync_runs_t *runs)
{
    return runs->exit_status == cm_error_code_exit_status(CM_TIMEOUT);
}

static int is_young(const sync_runs_t *runs)
{
    return runs->reason && is_passing(runs) &&
           runs->failed < SYNC_ALERT_PATIENCE;
}

const char *sync_monitor_young_failure(const sync_client_t *client,
                                       const char *name)
{
    sync_runs_t runs = sync_memory_runs(client, name);

    if (!is_young(&runs))
        return NULL;
    return apr_psprintf(
        client->pool, "the last run, %s, failed: %s",
        sync_output_when(apr_time_from_sec(runs.last_run), client->pool),
        runs.reason);
}

static void judge_runs(cm_health_t *health, const sync_client_t *client,
                       const char *name)
{
    sync_runs_t runs = sync_memory_runs(client, name);
    apr_pool_t *pool = client->pool;

    if (!runs.reason || is_young(&runs))
        return;
    add(health, is_passing(&runs) ? CM_SEVERITY_WARNING : CM_SEVERITY_CRITICAL,
        name,
        apr_psprintf(pool, "%s: runs fail, the last one %s: %s", name,
                     sync_output_when(apr_time_from_sec(runs.last_run), pool),
                     cm_clean(runs.reason, pool)),
        "communicator-sync check");
}

/* Return why it is not known how the runs with the peer NAME ended, or NULL
 * when it is known. *HINT gets what to do. */
static const char *blind(const char **hint, const sync_client_t *client,
                         const char *name)
{
    const cm_settings_t *settings = client->settings;
    const char *directory = settings->client.state_directory;
    apr_interval_time_t most = client->options->status.critical;
    apr_pool_t *pool = client->pool;
    cm_error_t *err = sync_memory_check(client);
    apr_time_t last;

    if (most < settings->expect_every)
        most = settings->expect_every;
    if (err) {
        *hint = err->hint;
        return apr_psprintf(pool, "%s: it is not known how the runs ended: %s",
                            name, cm_error_text(err, pool));
    }
    *hint = "does cron or a timer run communicator-sync on this host, with "
            "this CommunicatorStateDir?";
    last = apr_time_from_sec(sync_memory_runs(client, name).last_run);
    if (!last)
        return apr_psprintf(pool, "%s: '%s/status.json' lists no run", name,
                            directory);
    if (cm_clock_is_past(last, apr_time_now(), most))
        return apr_psprintf(pool,
                            "%s: the last run in '%s/status.json' ended %s",
                            name, directory, sync_output_when(last, pool));
    return NULL;
}

/* Judge what is wrong on this host, whatever the peer. */
static void judge_host(cm_health_t *health, const sync_client_t *client,
                       const char *what)
{
    sync_runs_t runs = sync_memory_runs(client, what);

    if (runs.reason)
        add(health, CM_SEVERITY_WARNING, NULL,
            cm_clean(runs.reason, client->pool),
            cm_clean(runs.hint, client->pool));
}

/* Judge what is known of the runs with each peer that we connect to. */
static void judge_all_runs(cm_health_t *health, const sync_client_t *client)
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
        judge_runs(health, client, peer->name);
        text = blind(&hint, client, peer->name);
        if (text)
            add(health, CM_SEVERITY_UNKNOWN, peer->name, text, hint);
    }
    if (!connects)
        return;
    judge_runs(health, client, client->settings->name);
    judge_host(health, client, SYNC_ALERT_FILES);
    judge_host(health, client, SYNC_ALERT_NOTIFY);
}

static void add_all(cm_health_t *health, const apr_array_header_t *problems)
{
    int i;

    for (i = 0; i < problems->nelts; i++)
        cm_health_judge_add(health, &APR_ARRAY_IDX(problems, i, cm_problem_t));
}

void sync_monitor_judge(cm_health_t *health, const sync_client_t *client)
{
    const apr_array_header_t *found = health->problems;

    /* Failing runs come first: they explain most of the others. */
    health->problems = apr_array_make(client->pool, 4, sizeof(cm_problem_t));
    judge_all_runs(health, client);
    add_all(health, found);
}

cm_error_t *sync_monitor_read(cm_health_t **health, sync_client_t *client)
{
    apr_array_header_t *peers, *problems;

    CM_TRY(sync_client_peers(&peers, client, 0));
    CM_TRY(sync_client_node(client));
    CM_TRY(cm_health_read(health, client->node, client->options->peer,
                          client->pool));
    CM_TRY(cm_health_judge_triggers(&problems, client->node, client->pool));
    add_all(*health, problems);
    sync_monitor_judge(*health, client);
    return NULL;
}

int sync_monitor_nagios(const sync_client_t *client, cm_health_t *health)
{
    const cm_health_limits_t limits = {client->options->status.warning,
                                       client->options->status.critical};
    cm_buffer_t *out = cm_buffer_create(512, client->pool);

    cm_health_judge_limits(health, &limits, client->pool);
    cm_health_text_nagios(out, health, &limits);
    fwrite(out->data, 1, out->size, stdout);
    return health->severity;
}

int sync_monitor_unknown(const cm_error_t *err, apr_pool_t *pool)
{
    int away = cm_error_code_is_transient(err->code);
    char *text = apr_pstrdup(pool, cm_clean(cm_error_text(err, pool), pool)),
         *c;

    for (c = text; *c; c++)
        if (*c == '|') /* figures would follow */
            *c = ' ';
    printf("COMMUNICATOR %s - %s\n", away ? "CRITICAL" : "UNKNOWN", text);
    return away ? 2 : 3;
}

/* The runs with one peer. */
typedef struct seen_t {
    sync_runs_t runs;
    apr_int64_t known; /* blind() says that they are */
} seen_t;

/* A number of the runs. 0 would say that all is well, so it is left out while
 * it is not known. */
typedef struct metric_t {
    const char *name, *help;
    size_t offset; /* of an apr_int64_t in seen_t */
    enum {
        ALWAYS,
        AFTER_A_RUN, /* true however long ago that was */
        WHILE_KNOWN
    } printed;
} metric_t;

static const metric_t metrics[] = {
    {"known", "whether it is known how the last run ended",
     offsetof(seen_t, known), ALWAYS},
    {"last_run_timestamp_seconds", "when the last run ended",
     offsetof(seen_t, runs.last_run), AFTER_A_RUN},
    {"last_success_timestamp_seconds",
     "when the last run that went well ended; 0: never",
     offsetof(seen_t, runs.last_success), AFTER_A_RUN},
    {"last_exit_status", "exit status of the last run; 0: all is well",
     offsetof(seen_t, runs.exit_status), WHILE_KNOWN},
    {"failed_runs", "runs that failed in a row", offsetof(seen_t, runs.failed),
     WHILE_KNOWN},
};

static void print_metric(const sync_client_t *client, const metric_t *metric)
{
    const apr_array_header_t *peers = client->settings->peers;
    const char *hint;
    int i;

    printf("# HELP communicator_sync_%s %s\n# TYPE communicator_sync_%s "
           "gauge\n",
           metric->name, metric->help, metric->name);
    for (i = 0; i < peers->nelts; i++) {
        const cm_peer_settings_t *peer =
            APR_ARRAY_IDX(peers, i, const cm_peer_settings_t *);
        seen_t seen;

        if (!peer->uri)
            continue;
        seen.runs = sync_memory_runs(client, peer->name);
        seen.known = !blind(&hint, client, peer->name);
        if ((metric->printed == ALWAYS || seen.runs.last_run) &&
            (metric->printed != WHILE_KNOWN || seen.known))
            printf("communicator_sync_%s{peer=\"%s\"} %" APR_INT64_T_FMT "\n",
                   metric->name, peer->name,
                   *(const apr_int64_t *)(const void *)((const char *)&seen +
                                                        metric->offset));
    }
}

void sync_monitor_prometheus(const sync_client_t *client,
                             const cm_health_t *health)
{
    cm_buffer_t *out = cm_buffer_create(4096, client->pool);
    size_t i;

    cm_health_text_prometheus(out, health);
    fwrite(out->data, 1, out->size, stdout);
    for (i = 0; i < sizeof(metrics) / sizeof(*metrics); i++)
        print_metric(client, &metrics[i]);
}
