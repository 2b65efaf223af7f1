/* The state of a node as monitors want it: see monitor.h. */
#include "monitor.h"

#include <stdio.h>

#include <apr_strings.h>
#include <apr_time.h>

#include "memory.h"

/* Runs that fail for what passes by itself, before it is a trouble. */
#define RUNS_TO_WAIT 3

/* What a peer is worth: the worse of this and what was before. */
typedef struct verdict_t {
    int status;
    const char *words; /* about the worst */
} verdict_t;

/* Return TEXT without what ends the line of a plugin. */
static const char *plain(const char *text, apr_pool_t *pool)
{
    char *copy = apr_pstrdup(pool, cm_output_clean(text, pool)), *c;

    for (c = copy; *c; c++)
        if (*c == '|')
            *c = ' ';
    return copy;
}

static void judge(verdict_t *verdict, int status, const char *words)
{
    if (status > verdict->status || !verdict->words)
        *verdict = (verdict_t){status, words};
}

static apr_int64_t last_contact(const cm_peer_state_t *one)
{
    return one->peer->last_pull_at > one->peer->last_push_at
               ? one->peer->last_pull_at
               : one->peer->last_push_at;
}

/* Seconds since CLOCK; 0 for none. */
static apr_int64_t age(apr_int64_t clock)
{
    apr_int64_t seconds = apr_time_sec(apr_time_now() - clock);

    return clock > 0 && seconds > 0 ? seconds : 0;
}

static int level(const cm_options_t *options, apr_int64_t seconds)
{
    return seconds > apr_time_sec(options->critical)  ? 2
           : seconds > apr_time_sec(options->warning) ? 1
                                                      : 0;
}

/* What passes by itself is worth a warning only when it does not. */
static void judge_runs(verdict_t *verdict, const cm_client_t *client,
                       const char *name, apr_pool_t *pool)
{
    cm_runs_t runs =
        cm_memory_runs(client->settings->state_directory, name, pool);
    int passing = runs.exit_status == cm_code_exit_status(CM_TIMEOUT);

    if (!runs.reason || (passing && runs.failed < RUNS_TO_WAIT))
        return;
    judge(verdict, passing ? 1 : 2,
          apr_psprintf(pool, "%s: runs fail: %s", name,
                       plain(runs.reason, pool)));
}

static void judge_peer(verdict_t *verdict, const cm_options_t *options,
                       const cm_peer_state_t *one, apr_pool_t *pool)
{
    const char *name = one->peer->name;
    apr_int64_t contact = last_contact(one);
    apr_int64_t oldest = age(one->pending.oldest_clock);
    apr_int64_t there = age(one->said.oldest);
    apr_int64_t parked =
        one->parked + (one->said.parked > 0 ? one->said.parked : 0);
    const char *last = cm_output_when(contact, pool);

    if (!contact)
        judge(verdict, 1, apr_pstrcat(pool, name, ": never met", NULL));
    judge(verdict, contact ? level(options, age(contact)) : 1,
          apr_psprintf(pool,
                       "%s: last contact %s, %" APR_INT64_T_FMT " pending",
                       name, last, one->pending.count));
    if (there > oldest)
        oldest = there;
    judge(verdict, level(options, oldest),
          apr_psprintf(pool, "%s: oldest message %" APR_INT64_T_FMT " min old",
                       name, oldest / 60));
    if (one->batch_parked)
        judge(verdict, 2,
              apr_psprintf(pool,
                           "%s: %" APR_INT64_T_FMT " of %s of a batch are "
                           "parked",
                           name, one->batch_parked,
                           cm_output_messages(one->batch_messages, pool)));
    if (parked)
        judge(verdict, 1,
              apr_psprintf(pool, "%s: %s parked", name,
                           cm_output_messages(parked, pool)));
}

static void print_data(const cm_options_t *options, const cm_peer_state_t *one)
{
    const char *name = one->peer->name;

    printf(" '%s age'=%" APR_INT64_T_FMT "s;%d;%d;0", name,
           age(last_contact(one)), (int)apr_time_sec(options->warning),
           (int)apr_time_sec(options->critical));
    printf(" '%s pending'=%" APR_INT64_T_FMT ";;;0", name, one->pending.count);
    printf(" '%s oldest'=%" APR_INT64_T_FMT "s;%d;%d;0", name,
           age(one->pending.oldest_clock), (int)apr_time_sec(options->warning),
           (int)apr_time_sec(options->critical));
    printf(" '%s parked'=%" APR_INT64_T_FMT ";0;;0", name, one->parked);
    if (one->said.pending >= 0)
        printf(" '%s pending there'=%" APR_INT64_T_FMT ";;;0", name,
               one->said.pending);
    if (one->said.parked >= 0)
        printf(" '%s parked there'=%" APR_INT64_T_FMT ";0;;0", name,
               one->said.parked);
}

int cm_monitor_nagios(const cm_client_t *client, const cm_state_t *state,
                      apr_pool_t *pool)
{
    static const char *const words[] = {"OK", "WARNING", "CRITICAL"};
    verdict_t verdict = {0, NULL};
    int i;

    if (state->paused_at)
        judge(&verdict, 1,
              cm_output_paused(state->name, state->paused_at, pool));
    judge_runs(&verdict, client, state->name, pool);
    for (i = 0; i < state->peers->nelts; i++) {
        const cm_peer_state_t *one =
            &APR_ARRAY_IDX(state->peers, i, cm_peer_state_t);

        judge_runs(&verdict, client, one->peer->name, pool);
        judge_peer(&verdict, client->options, one, pool);
    }
    printf("COMMUNICATOR %s - %s |", words[verdict.status],
           verdict.words ? verdict.words : "no peers");
    for (i = 0; i < state->peers->nelts; i++)
        print_data(client->options,
                   &APR_ARRAY_IDX(state->peers, i, cm_peer_state_t));
    putchar('\n');
    return verdict.status;
}

int cm_monitor_unknown(const cm_error_t *err, apr_pool_t *pool)
{
    int away = cm_code_is_transient(err->code);

    printf("COMMUNICATOR %s - %s\n", away ? "CRITICAL" : "UNKNOWN",
           plain(cm_error_text(err, pool), pool));
    return away ? 2 : 3;
}

/* One metric of every peer. */
typedef struct metric_t {
    const char *name, *help;
    apr_int64_t (*value)(const cm_peer_state_t *one);
    int seconds; /* the value is a time in microseconds */
} metric_t;

static apr_int64_t of_pending_there(const cm_peer_state_t *one)
{
    return one->said.pending < 0 ? 0 : one->said.pending;
}

static apr_int64_t of_oldest_there(const cm_peer_state_t *one)
{
    return one->said.oldest;
}

static apr_int64_t of_parked_there(const cm_peer_state_t *one)
{
    return one->said.parked < 0 ? 0 : one->said.parked;
}

static const metric_t metrics[] = {
    {"peer_pending_messages", "messages that wait there for this node",
     of_pending_there, 0},
    {"peer_oldest_pending_timestamp_seconds",
     "when the oldest of them was written", of_oldest_there, 1},
    {"peer_parked_messages", "messages of this node that are parked there",
     of_parked_there, 0},
};

static void print_metric(const metric_t *metric, const cm_state_t *state)
{
    int i;

    printf("# HELP communicator_%s %s\n# TYPE communicator_%s gauge\n",
           metric->name, metric->help, metric->name);
    for (i = 0; i < state->peers->nelts; i++) {
        const cm_peer_state_t *one =
            &APR_ARRAY_IDX(state->peers, i, cm_peer_state_t);
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
    apr_int64_t (*value)(const cm_runs_t *runs);
} run_metric_t;

static apr_int64_t of_last_run(const cm_runs_t *runs)
{
    return runs->last_run;
}

static apr_int64_t of_last_success(const cm_runs_t *runs)
{
    return runs->last_success;
}

static apr_int64_t of_exit_status(const cm_runs_t *runs)
{
    return runs->exit_status;
}

static apr_int64_t of_failed(const cm_runs_t *runs)
{
    return runs->failed;
}

static const run_metric_t run_metrics[] = {
    {"last_run_timestamp_seconds", "when the last run ended; 0: never",
     of_last_run},
    {"last_success_timestamp_seconds",
     "when the last one that went well did; 0: never", of_last_success},
    {"last_exit_status", "what the last run came to; 0: all is well",
     of_exit_status},
    {"failed_runs", "runs that failed in a row", of_failed},
};

/* From the status file: what the runs came to, the database away or not. */
static void print_runs(const cm_client_t *client, const run_metric_t *metric,
                       apr_pool_t *pool)
{
    const cm_settings_t *settings = client->settings;
    int i;

    printf("# HELP communicator_sync_%s %s\n# TYPE communicator_sync_%s "
           "gauge\n",
           metric->name, metric->help, metric->name);
    for (i = 0; i < settings->peers->nelts; i++) {
        const cm_peer_settings_t *peer =
            APR_ARRAY_IDX(settings->peers, i, const cm_peer_settings_t *);
        cm_runs_t runs =
            cm_memory_runs(settings->state_directory, peer->name, pool);

        if (peer->uri)
            printf("communicator_sync_%s{peer=\"%s\"} %" APR_INT64_T_FMT "\n",
                   metric->name, peer->name, metric->value(&runs));
    }
}

void cm_monitor_prometheus(const cm_client_t *client, const cm_health_t *health,
                           apr_pool_t *pool)
{
    cm_buffer_t *out = cm_buffer_create(4096, pool);
    size_t i;

    cm_health_prometheus(out, health);
    fwrite(out->data, 1, out->size, stdout);
    for (i = 0; health->state && i < sizeof(metrics) / sizeof(*metrics); i++)
        print_metric(&metrics[i], health->state);
    for (i = 0; i < sizeof(run_metrics) / sizeof(*run_metrics); i++)
        print_runs(client, &run_metrics[i], pool);
}
