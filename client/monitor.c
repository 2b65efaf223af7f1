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

/* Seconds since CLOCK; 0 for none. */
static apr_int64_t age(apr_int64_t clock)
{
    apr_int64_t seconds = apr_time_sec(apr_time_now() - clock);

    return clock > 0 && seconds > 0 ? seconds : 0;
}

/* Add a problem with PEER when SECONDS are more than the operator allows. */
static void judge_age(cm_health_t *health, const sync_options_t *options,
                      const char *peer, apr_int64_t seconds, const char *text)
{
    cm_problem_t problem = {CM_SEVERITY_CRITICAL, peer, text, NULL};

    if (seconds <= apr_time_sec(options->warning))
        return;
    if (seconds <= apr_time_sec(options->critical))
        problem.severity = CM_SEVERITY_WARNING;
    cm_health_judge_add(health, &problem);
}

/* Return what is said of PEER when all is well. */
static const char *contact(const cm_health_peer_t *peer, apr_pool_t *pool)
{
    return apr_psprintf(
        pool, "%s: last contact %s, %" APR_INT64_T_FMT " pending",
        peer->state->peer->name, sync_output_when(peer->last_contact_at, pool),
        peer->state->pending.count);
}

static void judge_peer(cm_health_t *health, const sync_options_t *options,
                       const cm_health_peer_t *peer, apr_pool_t *pool)
{
    const char *name = peer->state->peer->name;
    cm_problem_t never = {CM_SEVERITY_WARNING, name,
                          apr_pstrcat(pool, name, ": never met", NULL), NULL};
    apr_int64_t oldest = age(peer->state->pending.oldest_clock);
    apr_int64_t there = age(peer->state->said.oldest);

    if (!peer->last_contact_at)
        cm_health_judge_add(health, &never);
    judge_age(health, options, name, age(peer->last_contact_at),
              contact(peer, pool));
    if (there > oldest)
        oldest = there;
    judge_age(health, options, name, oldest,
              apr_psprintf(pool,
                           "%s: oldest message %" APR_INT64_T_FMT " min old",
                           name, oldest / 60));
}

static void print_data(const sync_options_t *options,
                       const cm_health_peer_t *peer)
{
    const cm_status_peer_t *one = peer->state;
    const char *name = one->peer->name;

    printf(" '%s age'=%" APR_INT64_T_FMT "s;%d;%d;0", name,
           age(peer->last_contact_at), (int)apr_time_sec(options->warning),
           (int)apr_time_sec(options->critical));
    printf(" '%s pending'=%" APR_INT64_T_FMT ";;;0", name, one->pending.count);
    printf(" '%s oldest'=%" APR_INT64_T_FMT "s;%d;%d;0", name,
           age(one->pending.oldest_clock), (int)apr_time_sec(options->warning),
           (int)apr_time_sec(options->critical));
    printf(" '%s parked'=%" APR_INT64_T_FMT ";0;;0", name, one->parked);
    printf(" '%s withheld'=%" APR_INT64_T_FMT ";0;;0", name,
           one->withheld.count);
    if (one->said.pending >= 0)
        printf(" '%s pending there'=%" APR_INT64_T_FMT ";;;0", name,
               one->said.pending);
    if (one->said.parked >= 0)
        printf(" '%s parked there'=%" APR_INT64_T_FMT ";0;;0", name,
               one->said.parked);
}

int sync_monitor_nagios(const sync_client_t *client, cm_health_t *health,
                        apr_pool_t *pool)
{
    static const char *const words[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};
    const apr_array_header_t *peers = health->peers;
    const char *text = "no peers";
    int i;

    for (i = 0; i < peers->nelts; i++)
        judge_peer(health, client->options,
                   &APR_ARRAY_IDX(peers, i, cm_health_peer_t), pool);
    if (health->problems->nelts)
        text = APR_ARRAY_IDX(health->problems, 0, cm_problem_t).text;
    else if (peers->nelts)
        text = contact(&APR_ARRAY_IDX(peers, 0, cm_health_peer_t), pool);
    printf("COMMUNICATOR %s - %s", words[health->severity], plain(text, pool));
    if (health->problems->nelts > 1)
        printf(", and %d more", health->problems->nelts - 1);
    printf(" |");
    for (i = 0; i < peers->nelts; i++)
        print_data(client->options, &APR_ARRAY_IDX(peers, i, cm_health_peer_t));
    putchar('\n');
    return health->severity;
}

int sync_monitor_unknown(const cm_error_t *err, apr_pool_t *pool)
{
    int away = cm_error_code_is_transient(err->code);

    printf("COMMUNICATOR %s - %s\n", away ? "CRITICAL" : "UNKNOWN",
           plain(cm_error_text(err, pool), pool));
    return away ? 2 : 3;
}

/* One metric of every peer. */
typedef struct metric_t {
    const char *name, *help;
    apr_int64_t (*value)(const cm_status_peer_t *one);
    int seconds; /* the value is a time in microseconds */
} metric_t;

static apr_int64_t of_pending_there(const cm_status_peer_t *one)
{
    return one->said.pending < 0 ? 0 : one->said.pending;
}

static apr_int64_t of_oldest_there(const cm_status_peer_t *one)
{
    return one->said.oldest;
}

static apr_int64_t of_parked_there(const cm_status_peer_t *one)
{
    return one->said.parked < 0 ? 0 : one->said.parked;
}

static apr_int64_t of_withheld_there(const cm_status_peer_t *one)
{
    return one->said.withheld.count < 0 ? 0 : one->said.withheld.count;
}

static const metric_t metrics[] = {
    {"peer_pending_messages", "messages that wait there for this node",
     of_pending_there, 0},
    {"peer_oldest_pending_timestamp_seconds",
     "when the oldest of them was written", of_oldest_there, 1},
    {"peer_parked_messages", "messages of this node that are parked there",
     of_parked_there, 0},
    {"peer_withheld_messages", "messages that the peer holds back from us",
     of_withheld_there, 0},
};

static void print_metric(const metric_t *metric, const cm_status_t *state)
{
    int i;

    printf("# HELP communicator_%s %s\n# TYPE communicator_%s gauge\n",
           metric->name, metric->help, metric->name);
    for (i = 0; i < state->peers->nelts; i++) {
        const cm_status_peer_t *one =
            &APR_ARRAY_IDX(state->peers, i, cm_status_peer_t);
        apr_int64_t value = metric->value(one);

        printf("communicator_%s{peer=\"%s\"} ", metric->name, one->peer->name);
        if (metric->seconds)
            printf("%.3f\n", (double)value / 1e6);
        else
            printf("%" APR_INT64_T_FMT "\n", value);
    }
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
    const char *remedy;
    int i;

    printf("# HELP communicator_sync_known whether it is known what the last "
           "run came to\n# TYPE communicator_sync_known gauge\n");
    for (i = 0; i < settings->peers->nelts; i++) {
        const cm_peer_settings_t *peer =
            APR_ARRAY_IDX(settings->peers, i, const cm_peer_settings_t *);

        if (peer->uri)
            printf("communicator_sync_known{peer=\"%s\"} %d\n", peer->name,
                   !sync_monitor_blind(&remedy, client, peer->name, pool));
    }
}

/* From the status file: what the runs came to, the database away or not. */
static void print_runs(const sync_client_t *client, const run_metric_t *metric,
                       apr_pool_t *pool)
{
    const cm_settings_t *settings = client->settings;
    const char *remedy;
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
             !sync_monitor_blind(&remedy, client, peer->name, pool)))
            printf("communicator_sync_%s{peer=\"%s\"} %" APR_INT64_T_FMT "\n",
                   metric->name, peer->name, metric->value(&runs));
    }
}

void sync_monitor_prometheus(const sync_client_t *client,
                             const cm_health_t *health, apr_pool_t *pool)
{
    cm_buffer_t *out = cm_buffer_create(4096, pool);
    size_t i;

    cm_health_prometheus(out, health);
    fwrite(out->data, 1, out->size, stdout);
    for (i = 0; health->state && i < sizeof(metrics) / sizeof(*metrics); i++)
        print_metric(&metrics[i], health->state);
    print_known(client, pool);
    for (i = 0; i < sizeof(run_metrics) / sizeof(*run_metrics); i++)
        print_runs(client, &run_metrics[i], pool);
}
