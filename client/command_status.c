/* status: how both sides stand. */
#include "command.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <json.h>

#include "cm_state.h"
#include "memory.h"
#include "monitor.h"

#define COLUMNS 9

static void add(json_object *json, const char *name, apr_int64_t number)
{
    json_object_object_add(json, name, json_object_new_int64(number));
}

static void add_text(json_object *json, const char *name, const char *text)
{
    json_object_object_add(json, name,
                           text ? json_object_new_string(text) : NULL);
}

/* What the peer said of itself; null when it never did. */
static json_object *there_json(const cm_said_t *said)
{
    json_object *json;

    if (!said->at)
        return NULL;
    json = json_object_new_object();
    add(json, "at", said->at);
    add_text(json, "kind", said->gem ? "gem" : "communicator");
    add(json, "pending", said->pending);
    add(json, "oldest_pending_clock", said->oldest);
    add(json, "parked", said->parked);
    return json;
}

static json_object *peer_json(const cm_client_t *client,
                              const cm_peer_state_t *one, apr_pool_t *pool)
{
    const cm_peer_t *peer = one->peer;
    json_object *json = json_object_new_object();
    json_object *runs =
        cm_memory_read(client->settings->state_directory, peer->name, pool);

    add_text(json, "peer", peer->name);
    add_text(json, "epoch", peer->epoch);
    add(json, "pending", one->pending.count);
    add(json, "oldest_pending_clock", one->pending.oldest_clock);
    add(json, "parked", one->parked);
    add(json, "received", peer->received);
    add(json, "confirmed", peer->confirmed);
    add(json, "last_push_at", peer->last_push_at);
    add(json, "last_pull_at", peer->last_pull_at);
    add(json, "clock_offset", peer->clock_offset);
    json_object_object_add(json, "there", there_json(&one->said));
    json_object_object_add(
        json, "runs",
        json_object_object_length(runs) ? json_object_get(runs) : NULL);
    return json;
}

static void print_json(const cm_client_t *client, const cm_state_t *state,
                       apr_pool_t *pool)
{
    json_object *json = json_object_new_object();
    json_object *peers = json_object_new_array();
    int i;

    add_text(json, "node", state->name);
    add_text(json, "epoch", state->epoch);
    add(json, "schema", state->schema);
    add(json, "written", state->last_seq);
    add(json, "paused_at", state->paused_at);
    add(json, "late_conflicts", state->conflicts);
    json_object_object_add(json, "peers", peers);
    for (i = 0; i < state->peers->nelts; i++)
        json_object_array_add(
            peers,
            peer_json(client, &APR_ARRAY_IDX(state->peers, i, cm_peer_state_t),
                      pool));
    cm_output_json(client->output, json);
}

static const char *count(const cm_output_t *output, apr_int64_t number,
                         char colour, apr_pool_t *pool)
{
    if (number < 0)
        return "?";
    return number && colour
               ? cm_output_paint(output, colour, cm_output_number(number, pool),
                                 pool)
               : cm_output_number(number, pool);
}

static const char *since(apr_int64_t clock, apr_pool_t *pool)
{
    return clock ? cm_output_ago(clock, pool) : "-";
}

/* Of a peer that should have been heard of by now, in red. */
static const char *contact(const cm_client_t *client, apr_int64_t clock,
                           apr_pool_t *pool)
{
    apr_interval_time_t every = client->settings->expect_every;
    const char *text = cm_output_ago(clock, pool);

    if (apr_isdigit(*text))
        text = apr_pstrcat(pool, text, " ago", NULL);
    if (every && cm_clock_now() - clock > every)
        return cm_output_paint(client->output, 'r', text, pool);
    return text;
}

static void add_row(apr_array_header_t *cells, const cm_client_t *client,
                    const cm_peer_state_t *one, apr_pool_t *pool)
{
    const cm_output_t *output = client->output;
    const cm_said_t *said = &one->said;
    const char *row[COLUMNS];
    int i;

    row[0] = one->peer->name;
    row[1] = count(output, one->pending.count, 0, pool);
    row[2] = since(one->pending.oldest_clock, pool);
    row[3] = count(output, one->parked, one->parked > one->waiting ? 'r' : 'y',
                   pool);
    row[4] = count(output, said->pending, 0, pool);
    row[5] = since(said->oldest, pool);
    row[6] = count(output, said->parked, 'r', pool);
    row[7] = contact(client, one->peer->last_push_at, pool);
    row[8] = contact(client, one->peer->last_pull_at, pool);
    for (i = 0; i < COLUMNS; i++)
        APR_ARRAY_PUSH(cells, const char *) = row[i];
}

/* What a person should know beside the figures. */
static void print_notes(const cm_client_t *client, const cm_state_t *state,
                        apr_pool_t *pool)
{
    const cm_output_t *output = client->output;
    int i;

    if (state->paused_at)
        cm_output_line(output, "%s",
                       cm_output_paint(output, 'y',
                                       cm_output_paused(state->name,
                                                        state->paused_at, pool),
                                       pool));
    if (state->conflicts)
        cm_output_line(output,
                       "%s values lost a conflict in the last 24 hours: "
                       "communicator_conflicts keeps them",
                       cm_output_number(state->conflicts, pool));
    for (i = 0; i < state->peers->nelts; i++) {
        const cm_peer_state_t *one =
            &APR_ARRAY_IDX(state->peers, i, cm_peer_state_t);
        const char *skew = cm_client_skew(one->peer, pool);

        if (one->said.gem)
            cm_output_line(output,
                           "%s is a Communicator of 2011: it does not say how "
                           "it stands",
                           one->peer->name);
        if (skew)
            cm_output_warn(output, one->peer->name, "%s", skew);
    }
}

static void print_table(const cm_client_t *client, const cm_state_t *state,
                        apr_pool_t *pool)
{
    static const char *const heading[COLUMNS] = {
        "PEER",   "PENDING", "OLDEST",    "PARKED",   "THERE: PENDING",
        "OLDEST", "PARKED",  "LAST PUSH", "LAST PULL"};
    apr_array_header_t *cells = apr_array_make(pool, 32, sizeof(char *));
    int i;

    for (i = 0; i < COLUMNS; i++)
        APR_ARRAY_PUSH(cells, const char *) = heading[i];
    for (i = 0; i < state->peers->nelts; i++)
        add_row(cells, client, &APR_ARRAY_IDX(state->peers, i, cm_peer_state_t),
                pool);
    cm_output_table(client->output, cells, COLUMNS);
    print_notes(client, state, pool);
}

static cm_error_t *print_metrics(cm_client_t *client, apr_pool_t *pool)
{
    cm_health_t *health;

    CM_TRY(cm_health_read(&health, client->node, pool));
    cm_monitor_prometheus(health, pool);
    return NULL;
}

static cm_error_t *read_state(cm_state_t **state, cm_client_t *client,
                              apr_pool_t *pool)
{
    apr_array_header_t *peers;

    CM_TRY(cm_client_peers(&peers, client, 0, pool));
    CM_TRY(cm_client_node(client));
    return cm_state_read(state, client->node, client->options->peer, pool);
}

cm_error_t *cm_command_status(int *status, cm_client_t *client,
                              apr_pool_t *scratch_pool)
{
    const cm_options_t *options = client->options;
    cm_state_t *state = NULL;
    cm_error_t *err = read_state(&state, client, scratch_pool);

    if (err && options->nagios && err->code != CM_USAGE) {
        *status = cm_monitor_unknown(err, scratch_pool);
        return NULL;
    }
    CM_TRY(err);
    if (options->nagios)
        *status = cm_monitor_nagios(client, state, scratch_pool);
    else if (options->prometheus)
        return print_metrics(client, scratch_pool);
    else if (client->output->json)
        print_json(client, state, scratch_pool);
    else
        print_table(client, state, scratch_pool);
    return NULL;
}
