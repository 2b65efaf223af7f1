/* status: how both sides stand. */
#include "command.h"

#include <apr_strings.h>
#include <json.h>

#include "operate/status.h"
#include "memory.h"
#include "monitor.h"
#include "operate/health.h"

#define COLUMNS 8

/* The same JSON as on the status page, with what this host alone knows: what
 * the runs with each peer came to. */
static void print_json(const sync_client_t *client, const cm_health_t *health,
                       apr_pool_t *pool)
{
    const char *directory = client->settings->state_directory;
    cm_buffer_t *out = cm_buffer_create(4096, pool);
    json_object *json, *peers, *runs;
    size_t i;

    cm_health_text_json(out, health);
    cm_buffer_append(out, "", 1);
    json = json_tokener_parse(out->data);
    peers = json_object_object_get(json, "peers");
    for (i = 0; i < (size_t)health->peers->nelts; i++) {
        runs = sync_memory_read(
            directory,
            APR_ARRAY_IDX(health->peers, (int)i, cm_health_peer_t)
                .state->peer->name,
            pool);
        json_object_object_add(
            json_object_array_get_idx(peers, i), "runs",
            json_object_object_length(runs) ? json_object_get(runs) : NULL);
    }
    sync_output_json(client->output, json);
}

static const char *count(const sync_output_t *output, apr_int64_t number,
                         char colour, apr_pool_t *pool)
{
    if (number < 0)
        return "?";
    return number && colour
               ? sync_output_paint(output, colour,
                                   sync_output_number(number, pool), pool)
               : sync_output_number(number, pool);
}

static const char *since(apr_int64_t clock, apr_pool_t *pool)
{
    return clock ? sync_output_ago(clock, pool) : "-";
}

/* Of a peer that should have been heard of by now, in red. */
static const char *contact(const sync_client_t *client, apr_int64_t clock,
                           apr_pool_t *pool)
{
    apr_interval_time_t every = client->settings->expect_every;
    const char *text = sync_output_when(clock, pool);

    if (every && cm_clocks_is_past(clock, cm_clocks_now(), every))
        return sync_output_paint(client->output, 'r', text, pool);
    return text;
}

/* How much the clock of the peer is ahead of ours, as it last said. */
static const char *clock_of(const sync_output_t *output, const cm_peer_t *peer,
                            apr_pool_t *pool)
{
    const char *text;

    if (!peer->last_push_at && !peer->last_pull_at)
        return "?";
    /* Whole tenths, so that there is no "-0.0". */
    text = apr_psprintf(pool, "%+.1f s",
                        (double)(peer->clock_offset / 100000) / 10);
    return sync_client_skew(peer, pool)
               ? sync_output_paint(output, 'r', text, pool)
               : text;
}

static void add_row(apr_array_header_t *cells, const char *const *row)
{
    int i;

    for (i = 0; i < COLUMNS; i++)
        APR_ARRAY_PUSH(cells, const char *) = row[i];
}

/* Both sides in a row each, so that they fit a terminal of 80 columns. */
static void add_peer(apr_array_header_t *cells, const sync_client_t *client,
                     const cm_status_peer_t *one, apr_pool_t *pool)
{
    const sync_output_t *output = client->output;
    const cm_status_said_t *said = &one->said;
    char colour = one->parked > one->waiting ? 'r' : 'y';
    const char *here[COLUMNS] = {one->peer->name,
                                 "here",
                                 count(output, one->pending.count, 0, pool),
                                 since(one->pending.oldest_clock, pool),
                                 count(output, one->parked, colour, pool),
                                 contact(client, one->peer->last_push_at, pool),
                                 contact(client, one->peer->last_pull_at, pool),
                                 ""};
    const char *there[COLUMNS] = {"",
                                  "there",
                                  count(output, said->pending, 0, pool),
                                  since(said->oldest, pool),
                                  count(output, said->parked, 'r', pool),
                                  "",
                                  "",
                                  clock_of(output, one->peer, pool)};

    add_row(cells, here);
    add_row(cells, there);
}

/* Print what needs attention, the worst first. */
static void print_problems(const sync_output_t *output,
                           const apr_array_header_t *problems, apr_pool_t *pool)
{
    int i;

    for (i = 0; i < problems->nelts; i++) {
        const cm_problem_t *one = &APR_ARRAY_IDX(problems, i, cm_problem_t);
        const char *word = sync_output_paint(
            output, one->severity == CM_SEVERITY_WARNING ? 'y' : 'r',
            cm_health_severity_name(one->severity), pool);

        sync_output_line(output, "%s: %s", word,
                         sync_output_clean(one->text, pool));
        if (one->hint)
            sync_output_line(output, "    hint: %s",
                             sync_output_clean(one->hint, pool));
    }
}

/* Report that the last run with NAME failed, though it may pass by itself. */
static void print_failure(const sync_client_t *client, const char *name,
                          apr_pool_t *pool)
{
    const char *text = sync_monitor_young_failure(client, name, pool);

    if (text)
        sync_output_line(client->output, "%s: %s", name,
                         sync_output_paint(client->output, 'r', text, pool));
}

/* What a person should know beside the figures. */
static void print_notes(const sync_client_t *client, const cm_health_t *health,
                        apr_pool_t *pool)
{
    const sync_output_t *output = client->output;
    const cm_status_t *state = health->state;
    int i;

    if (state->conflicts)
        sync_output_line(output,
                         "%s values lost a conflict in the last 24 hours: "
                         "communicator_conflicts keeps them",
                         sync_output_number(state->conflicts, pool));
    print_failure(client, state->name, pool);
    for (i = 0; i < state->peers->nelts; i++) {
        const cm_status_peer_t *one =
            &APR_ARRAY_IDX(state->peers, i, cm_status_peer_t);

        print_failure(client, one->peer->name, pool);
        if (one->said.gem)
            sync_output_line(output,
                             "%s is a gem: it does not say how it stands",
                             one->peer->name);
    }
    print_problems(output, health->problems, pool);
}

static void print_table(const sync_client_t *client, const cm_health_t *health,
                        apr_pool_t *pool)
{
    const cm_status_t *state = health->state;
    static const char *const heading[COLUMNS] = {
        "PEER",   "SIDE",      "PENDING",   "OLDEST",
        "PARKED", "LAST PUSH", "LAST PULL", "CLOCK"};
    apr_array_header_t *cells = apr_array_make(pool, 32, sizeof(char *));
    int i;

    add_row(cells, heading);
    for (i = 0; i < state->peers->nelts; i++)
        add_peer(cells, client,
                 &APR_ARRAY_IDX(state->peers, i, cm_status_peer_t), pool);
    sync_output_table(client->output, cells, COLUMNS);
    print_notes(client, health, pool);
}

/* A database that is away is a figure, too. */
static void print_metrics(sync_client_t *client, apr_pool_t *pool)
{
    cm_health_t *health;
    cm_error_t *err = sync_monitor_read(&health, client, pool);

    if (err) {
        health = cm_health_of_error(client->settings, err, pool);
        sync_monitor_judge(health, client, pool);
    }
    sync_monitor_print_prometheus(client, health, pool);
}

cm_error_t *sync_command_status(int *status, sync_client_t *client,
                                apr_pool_t *scratch_pool)
{
    const sync_options_t *options = client->options;
    cm_health_t *health;

    if (options->prometheus) {
        print_metrics(client, scratch_pool);
        return NULL;
    }
    CM_TRY(sync_monitor_read(&health, client, scratch_pool));
    if (options->nagios)
        *status = sync_monitor_print_nagios(client, health, scratch_pool);
    else if (client->output->json)
        print_json(client, health, scratch_pool);
    else
        print_table(client, health, scratch_pool);
    return NULL;
}
