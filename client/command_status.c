/* status: the state of both sides, once or again and again; and the last
 * runs. */
#include "command.h"

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>
#include <json.h>

#include "base/number.h"
#include "base/clock.h"
#include "config/option.h"
#include "operate/journal.h"
#include "listing.h"
#include "memory.h"
#include "monitor.h"
#include "watch.h"

#define COLUMNS 8

/* How often the live view is drawn. */
#define USUAL_EVERY apr_time_from_sec(2)
#define LEAST_EVERY apr_time_from_msec(100)

/* How many runs are listed. */
#define USUAL_RUNS 20
#define MOST_RUNS  100000

/* Print the JSON of the status page, with what only this host knows: how the
 * runs with each peer ended. */
static void print_json(const sync_client_t *client, const cm_health_t *health)
{
    cm_buffer_t *out = cm_buffer_create(4096, client->pool);
    json_object *json, *peers;
    int i;

    cm_health_text_json(out, health);
    cm_buffer_append(out, "", 1);
    json = json_tokener_parse(out->data);
    peers = json_object_object_get(json, "peers");
    for (i = 0; i < health->peers->nelts; i++) {
        const cm_health_peer_t *one =
            &APR_ARRAY_IDX(health->peers, i, cm_health_peer_t);
        json_object *runs =
            sync_memory_read(client, one->state->peer->name, client->pool);

        json_object_object_add(
            json_object_array_get_idx(peers, (size_t)i), "runs",
            json_object_object_length(runs) ? json_object_get(runs) : NULL);
    }
    sync_output_json(client->output, json);
}

/* Return NUMBER, in COLOUR (0: none) when it is not 0. */
static const char *count(apr_int64_t number, char colour, apr_pool_t *pool)
{
    const char *text = number < 0 ? "?" : cm_number_grouped(number, pool);

    return number > 0 && colour ? sync_output_paint(colour, text, pool) : text;
}

static const char *since(apr_int64_t clock, apr_pool_t *pool)
{
    return clock ? sync_output_ago(clock, pool) : "-";
}

/* Return when a peer made contact, in red if CommunicatorExpectEvery expects a
 * later one. */
static const char *contact(const sync_client_t *client, apr_int64_t clock)
{
    apr_interval_time_t every = client->settings->expect_every;
    const char *text = sync_output_when(clock, client->pool);

    if (every && cm_clock_is_past(clock, cm_clock_now(), every))
        return sync_output_paint('r', text, client->pool);
    return text;
}

/* Return how far the clock of the peer is ahead of ours, as it last said. */
static const char *clock_of(const cm_peer_t *peer, apr_pool_t *pool)
{
    const char *text;

    if (!peer->last_push_at && !peer->last_pull_at)
        return "?";
    /* Whole tenths, so that there is no "-0.0". */
    text = apr_psprintf(pool, "%+.1f s",
                        (double)(peer->clock_offset / 100000) / 10);
    return sync_client_skew(peer, pool) ? sync_output_paint('r', text, pool)
                                        : text;
}

/* Return how many messages are parked: those for a person, and those that wait
 * for other records only. */
static const char *parked_of(const cm_status_peer_t *one, apr_pool_t *pool)
{
    const char *text = count(one->parked - one->waiting, 'r', pool);

    return one->waiting ? apr_psprintf(pool, "%s+%s waiting", text,
                                       cm_number_grouped(one->waiting, pool))
                        : text;
}

/* How far the peer was when it was shown before. */
typedef struct shown_t {
    apr_int64_t at; /* 0: never */
    apr_int64_t confirmed, received;
} shown_t;

/* Return how many messages per second took a cursor from FROM to TO. */
static const char *rate(apr_int64_t from, apr_int64_t to,
                        apr_interval_time_t span, apr_pool_t *pool)
{
    double rate = (double)(to - from) * APR_USEC_PER_SEC / (double)span;

    if (to <= from)
        return "0/s";
    return rate < 10
               ? apr_psprintf(pool, "%.1f/s", rate)
               : apr_pstrcat(pool, cm_number_grouped((apr_int64_t)rate, pool),
                             "/s", NULL);
}

/* Put into CELLS how many messages per second each side has sent since PEER
 * was shown before. */
static void put_rates(const char *cells[2], const sync_client_t *client,
                      const cm_peer_t *peer, apr_hash_t *before)
{
    shown_t *shown = apr_hash_get(before, peer->name, APR_HASH_KEY_STRING);
    const apr_int64_t now = cm_clock_now();

    if (!shown) {
        apr_pool_t *pool = apr_hash_pool_get(before);

        shown = apr_pcalloc(pool, sizeof(*shown));
        apr_hash_set(before, apr_pstrdup(pool, peer->name), APR_HASH_KEY_STRING,
                     shown);
    }
    cells[0] = cells[1] = "-";
    if (shown->at && now > shown->at) {
        cells[0] = rate(shown->confirmed, peer->confirmed, now - shown->at,
                        client->pool);
        cells[1] = rate(shown->received, peer->received, now - shown->at,
                        client->pool);
    }
    *shown = (shown_t){now, peer->confirmed, peer->received};
}

/* Add a row for each side: so they fit a terminal of 80 columns. LAST: the last
 * cell of each. */
static void add_peer(apr_array_header_t *cells, const sync_client_t *client,
                     const cm_status_peer_t *one, const char *const last[2])
{
    const cm_status_said_t *said = &one->said;
    const cm_peer_t *peer = one->peer;
    apr_pool_t *pool = client->pool;
    const char *here[COLUMNS] = {peer->name,
                                 "here",
                                 count(one->pending.count, 0, pool),
                                 since(one->pending.oldest_clock, pool),
                                 parked_of(one, pool),
                                 contact(client, peer->last_push_at),
                                 contact(client, peer->last_pull_at),
                                 last[0]};
    const char *there[COLUMNS] = {"",
                                  "there",
                                  count(said->pending, 0, pool),
                                  since(said->oldest, pool),
                                  count(said->parked, 'r', pool),
                                  "",
                                  "",
                                  last[1]};

    sync_output_row(cells, COLUMNS, here);
    sync_output_row(cells, COLUMNS, there);
}

/* Print what needs attention, the worst first. */
static void print_problems(const sync_client_t *client,
                           const apr_array_header_t *problems)
{
    int i;

    for (i = 0; i < problems->nelts; i++) {
        const cm_problem_t *one = &APR_ARRAY_IDX(problems, i, cm_problem_t);
        char colour = one->severity == CM_SEVERITY_WARNING ? 'y' : 'r';
        const char *word = cm_health_severity_name(one->severity);

        sync_output_line(client->output, "%s: %s",
                         sync_output_paint(colour, word, client->pool),
                         one->text);
        if (one->hint)
            sync_output_line(client->output, "    hint: %s", one->hint);
    }
}

/* Report that the last run with NAME failed, even if that may pass by itself.
 */
static void print_failure(const sync_client_t *client, const char *name)
{
    const char *text = sync_monitor_young_failure(client, name);

    if (text)
        sync_output_line(client->output, "%s: %s", name,
                         sync_output_paint('r', text, client->pool));
}

/* Print what a person should know besides the figures. */
static void print_notes(const sync_client_t *client, const cm_health_t *health)
{
    const cm_status_t *state = health->state;
    int i;

    if (state->conflicts)
        sync_output_line(client->output,
                         "%s values lost a conflict in the last 24 hours: "
                         "communicator_conflicts keeps them",
                         cm_number_grouped(state->conflicts, client->pool));
    print_failure(client, state->name);
    for (i = 0; i < state->peers->nelts; i++) {
        const cm_status_peer_t *one =
            &APR_ARRAY_IDX(state->peers, i, cm_status_peer_t);

        print_failure(client, one->peer->name);
        if (one->said.gem)
            sync_output_line(client->output,
                             "%s is a gem: it does not report its state",
                             one->peer->name);
    }
    print_problems(client, health->problems);
}

/* Print the verdict: what the page says on its top. */
static void print_headline(const sync_client_t *client,
                           const cm_health_t *health)
{
    static const char colours[] = "gyrr";

    sync_output_line(
        client->output, "%s: %s", health->name,
        sync_output_paint(colours[health->severity],
                          cm_health_judge_headline(health, client->pool),
                          client->pool));
}

/* Print the table of HEALTH. BEFORE: in the live view, the peers as they were
 * shown before; else NULL. */
static void print_table(const sync_client_t *client, const cm_health_t *health,
                        apr_hash_t *before)
{
    const char *const heading[COLUMNS] = {
        "PEER",   "SIDE",      "PENDING",   "OLDEST",
        "PARKED", "LAST PUSH", "LAST PULL", before ? "RATE" : "CLOCK"};
    const apr_array_header_t *peers = health->state->peers;
    apr_array_header_t *cells =
        apr_array_make(client->pool, 32, sizeof(char *));
    int i;

    print_headline(client, health);
    sync_output_row(cells, COLUMNS, heading);
    for (i = 0; i < peers->nelts; i++) {
        const cm_status_peer_t *one =
            &APR_ARRAY_IDX(peers, i, cm_status_peer_t);
        const char *last[2] = {"", clock_of(one->peer, client->pool)};

        if (before)
            put_rates(last, client, one->peer, before);
        add_peer(cells, client, one, last);
    }
    sync_output_table(client->output, cells, COLUMNS);
    print_notes(client, health);
}

/* Print why there is no table. */
static void print_unread(const sync_client_t *client, const cm_health_t *health)
{
    print_headline(client, health);
    print_problems(client, health->problems);
}

/* Metrics show also that the database cannot be reached. */
static void print_metrics(sync_client_t *client)
{
    cm_health_t *health;
    cm_error_t *err = sync_monitor_read(&health, client);

    if (err) {
        health = cm_health_of_error(client->settings, err, client->pool);
        sync_monitor_judge(health, client);
    }
    sync_monitor_prometheus(client, health);
}

/* To the second: more matters to nobody here. */
static const char *ended_cell(const void *row, apr_pool_t *pool)
{
    return apr_psprintf(
        pool, "%.19s",
        sync_output_moment(((const cm_journal_row_t *)row)->ended_at, pool));
}

static int is_sample(const cm_journal_row_t *run)
{
    return strcmp(run->command, CM_JOURNAL_SAMPLE) == 0;
}

static const char *took_cell(const void *row, apr_pool_t *pool)
{
    const cm_journal_row_t *run = row;
    apr_int64_t took = run->ended_at - run->began_at;

    /* The clock may have been set back meanwhile. */
    if (is_sample(run) || took < 0)
        return "-";
    return took < apr_time_from_sec(60)
               ? apr_psprintf(pool, "%.1f s", (double)took / APR_USEC_PER_SEC)
               : cm_health_judge_span(took, pool);
}

static const char *result_cell(const void *row, apr_pool_t *pool)
{
    const cm_journal_row_t *run = row;
    const char *text;

    if (is_sample(run))
        return run->command;
    if (!run->exit_status)
        return sync_output_paint('g', "ok", pool);
    text = apr_psprintf(pool, "exit %d", run->exit_status);
    if (run->error)
        text = apr_pstrcat(pool, text, ": ", run->error, NULL);
    else if (run->parked)
        text = apr_pstrcat(pool, text, ": ",
                           cm_number_of(run->parked, "message", pool),
                           " parked", NULL);
    return sync_output_paint('r', text, pool);
}

#define COLUMN(title, key, kind, field)                                        \
    SYNC_COLUMN(title, key, kind, cm_journal_row_t, field)
static const sync_column_t runs[] = {
    {COLUMN("ENDED (UTC)", "ended_at", MOMENT, ended_at), .cell = ended_cell},
    {COLUMN(NULL, "began_at", MOMENT, began_at)},
    {COLUMN("TOOK", NULL, COMPUTED, began_at), .cell = took_cell},
    {COLUMN("PEER", "peer", TEXT, peer)},
    {COLUMN(NULL, "command", TEXT, command)},
    {COLUMN("SENT", "sent", COUNT, sent.moved)},
    {COLUMN("RECEIVED", "received", COUNT, received.moved)},
    {COLUMN(NULL, "applied", COUNT, applied)},
    {COLUMN(NULL, "parked", COUNT, parked)},
    {COLUMN("PENDING", "pending", COUNT, sent.pending)},
    {COLUMN("LAG", "lag", SPAN, sent.lag), .none = "-"},
    {COLUMN(NULL, "pending_there", COUNT, received.pending)},
    {COLUMN(NULL, "lag_there", SPAN, received.lag)},
    {COLUMN("RESULT", "exit_status", INT, exit_status), .cell = result_cell},
    {COLUMN(NULL, "error", TEXT, error)},
    SYNC_COLUMN_END};
#undef COLUMN

/* List the last runs, as the journal has them. */
static cm_error_t *print_history(sync_client_t *client)
{
    const apr_array_header_t *words = client->options->arguments;
    apr_pool_t *pool = client->pool;
    int limit = USUAL_RUNS;
    apr_array_header_t *rows, *peers;

    if (words->nelts &&
        cm_option_number(&limit, APR_ARRAY_IDX(words, 0, const char *), 1,
                         MOST_RUNS, pool))
        return CM_FAIL(pool, CM_USAGE,
                       "--history: '%s' is not a number from 1 to %d",
                       APR_ARRAY_IDX(words, 0, const char *), MOST_RUNS);
    CM_TRY(sync_client_peers(&peers, client, 0));
    CM_TRY(sync_client_node(client));
    CM_TRY(cm_journal_list(&rows, client->node, client->options->peer, limit,
                           pool));
    if (client->output->json)
        sync_output_json(
            client->output,
            sync_listing_json(json_object_new_array(), runs, rows, pool));
    else if (rows->nelts)
        sync_listing_table(client->output, runs, rows, pool);
    else
        sync_output_summary(client->output, "nothing has run yet");
    return NULL;
}

/* Print the state once more; BATON: the peers as they were shown before. That
 * the database is away is shown, too: it may come back. */
static void draw(sync_client_t *view, void *baton)
{
    cm_health_t *health;
    cm_error_t *err = sync_monitor_read(&health, view);

    if (err) {
        health = cm_health_of_error(view->settings, err, view->pool);
        sync_monitor_judge(health, view);
    }
    if (view->output->json)
        print_json(view, health);
    else if (err)
        print_unread(view, health);
    else
        print_table(view, health, baton);
}

static cm_error_t *watch(sync_client_t *client)
{
    const apr_array_header_t *words = client->options->arguments;
    apr_interval_time_t every = USUAL_EVERY;

    if (words->nelts &&
        (cm_option_time(&every, APR_ARRAY_IDX(words, 0, const char *),
                        client->pool) ||
         every < LEAST_EVERY))
        return CM_FAIL(client->pool, CM_USAGE,
                       "--watch: '%s' is not a time of 100ms or more, as 5s",
                       APR_ARRAY_IDX(words, 0, const char *));
    CM_TRY(sync_client_node(client));
    sync_watch(client, every, draw, apr_hash_make(client->pool));
    return NULL;
}

cm_error_t *sync_command_status(sync_client_t *client)
{
    const sync_options_t *options = client->options;
    cm_health_t *health;

    if (options->status.prometheus + options->status.nagios +
            options->status.history + options->status.watch >
        1)
        return sync_client_usage(client, "--watch, --history, --nagios and "
                                         "--prometheus exclude each other");
    if (options->status.prometheus) {
        print_metrics(client);
        return NULL;
    }
    if (options->status.history)
        return print_history(client);
    if (options->status.watch)
        return watch(client);
    if (options->arguments->nelts)
        return sync_client_usage(client,
                                 "NUMBER needs --history, TIME --watch");
    CM_TRY(sync_monitor_read(&health, client));
    if (options->status.nagios)
        client->status = sync_monitor_nagios(client, health);
    else if (client->output->json)
        print_json(client, health);
    else
        print_table(client, health, NULL);
    return NULL;
}
