/* drain: move everything, then prove that nothing is left, as before an
 * upgrade. */
#include "command.h"

#include <apr_strings.h>
#include <json.h>

#include "base/clock.h"
#include "base/number.h"
#include "exchange/run.h"
#include "after.h"
#include "connect.h"
#include "journal.h"
#include "stop.h"

/* Rounds in which nothing moves although messages wait in a queue. */
#define MOST_IDLE 3

/* What is done after applying may change records, which are moved, too; but
 * each side may do so for ever. */
#define MOST_AFTER 3

static cm_error_t *open_sessions(apr_array_header_t **sessions,
                                 const sync_client_t *client,
                                 const apr_array_header_t *peers)
{
    cm_session_t *session;
    int i;

    *sessions = apr_array_make(client->pool, 4, sizeof(cm_session_t *));
    for (i = 0; i < peers->nelts; i++) {
        const cm_peer_settings_t *peer =
            APR_ARRAY_IDX(peers, i, const cm_peer_settings_t *);

        CM_TRY(sync_client_exclude_others(client, peer));
        CM_TRY(sync_connect(&session, client, peer, client->pool));
        cm_session_insist(session);
        APR_ARRAY_PUSH(*sessions, cm_session_t *) = session;
    }
    return NULL;
}

static cm_error_t *exchange(cm_session_t *session, apr_pool_t *pool)
{
    CM_TRY_FOR(cm_push(session, 1, pool), pool, "cannot push");
    CM_TRY_FOR(cm_pull(session, pool), pool, "cannot pull");
    return cm_pull_retry(session, pool);
}

static apr_int64_t moved_by(const cm_session_t *session)
{
    const cm_totals_t *totals = &session->totals;

    return totals->pushed + totals->pulled + totals->applied;
}

static cm_error_t *read_status(const cm_status_peer_t **here,
                               const cm_session_t *session, apr_pool_t *pool)
{
    cm_status_t *state;

    CM_TRY(
        cm_status_read(&state, session->node, session->settings->name, pool));
    *here = &APR_ARRAY_IDX(state->peers, 0, cm_status_peer_t);
    return NULL;
}

/* Exchange with each peer once: *MOVED counts messages, *QUEUED is whether any
 * wait in a queue afterwards. */
static cm_error_t *exchange_all(apr_int64_t *moved, int *queued,
                                const apr_array_header_t *sessions,
                                apr_pool_t *pool)
{
    const cm_status_peer_t *here;
    int i;

    *moved = *queued = 0;
    for (i = 0; i < sessions->nelts; i++) {
        cm_session_t *session = APR_ARRAY_IDX(sessions, i, cm_session_t *);
        apr_int64_t before = moved_by(session);

        CM_TRY(sync_stop_check(pool));
        CM_TRY_FOR(exchange(session, pool), pool, "%s",
                   session->settings->name);
        *moved += moved_by(session) - before;
    }
    for (i = 0; i < sessions->nelts; i++) {
        cm_session_t *session = APR_ARRAY_IDX(sessions, i, cm_session_t *);

        CM_TRY(read_status(&here, session, pool));
        *queued |= here->pending.count > 0 || session->said.pending > 0;
    }
    return NULL;
}

static cm_error_t *move_all(const sync_client_t *client,
                            const apr_array_header_t *sessions)
{
    apr_pool_t *iterpool;
    apr_int64_t moved;
    int queued, idle = 0;

    apr_pool_create(&iterpool, client->pool);
    do {
        apr_pool_clear(iterpool);
        CM_TRY(exchange_all(&moved, &queued, sessions, iterpool));
        sync_progress_end(client->output);
        idle = moved ? 0 : idle + 1;
    } while (moved || (queued && idle < MOST_IDLE));
    apr_pool_destroy(iterpool);
    return NULL;
}

/* Move all, and what is changed after applying. */
static cm_error_t *move_and_act(sync_client_t *client,
                                const apr_array_header_t *sessions)
{
    int done = 1, i;

    for (i = 0; done && i < MOST_AFTER; i++) {
        CM_TRY(move_all(client, sessions));
        sync_after_run(&done, client);
    }
    return done ? move_all(client, sessions) : NULL;
}

/* Return why this peer is not drained, or NULL. */
static const char *obstacle(const cm_session_t *session,
                            const cm_status_peer_t *here, apr_pool_t *pool)
{
    const cm_status_said_t *there = &session->said;
    const struct {
        apr_int64_t count;
        const char *what;
    } rest[] = {{here->pending.count, " to send here"},
                {there->pending, " to fetch there"},
                {here->parked, " parked here"},
                {there->parked, " parked there"},
                {here->withheld.count, " withheld here"},
                {there->withheld.count, " withheld there"}};
    size_t i;

    for (i = 0; i < sizeof(rest) / sizeof(*rest); i++)
        if (rest[i].count > 0)
            return apr_pstrcat(pool,
                               cm_number_of(rest[i].count, "message", pool),
                               rest[i].what, NULL);
    if (session->kind == CM_PEER_OURS &&
        (there->pending < 0 || session->its_received != here->peer->confirmed))
        return "the cursors are not equal";
    return NULL;
}

static void print_text(const sync_client_t *client, const cm_session_t *session,
                       const cm_status_peer_t *here, const char *problem)
{
    const char *name = session->settings->name, *hint = NULL;
    apr_pool_t *pool = client->pool;

    if (here->parked || here->withheld.count)
        hint = "communicator-sync parked";
    else if (session->said.parked > 0 || session->said.withheld.count > 0)
        hint = "communicator-sync parked, on that host";
    sync_output_verdict(
        client->output, problem ? SYNC_VERDICT_FAIL : SYNC_VERDICT_OK,
        apr_pstrcat(pool, name, ": ",
                    problem ? problem
                            : "both queues are empty, nothing is parked",
                    NULL),
        hint);
    if (!problem)
        sync_output_line(client->output,
                         "         it holds ours up to %s, we its up to %s",
                         cm_number_grouped(here->peer->confirmed, pool),
                         cm_number_grouped(here->peer->received, pool));
}

static void print_json(const sync_client_t *client, const cm_session_t *session,
                       const cm_status_peer_t *here, const char *problem)
{
    const cm_status_said_t *there = &session->said;
    json_object *json = json_object_new_object();

    sync_output_add_text(json, "peer", session->settings->name);
    sync_output_add_truth(json, "drained", problem == NULL);
    sync_output_add_text(json, "problem", problem);
    sync_output_add_number(json, "pushed", session->totals.pushed);
    sync_output_add_number(json, "pulled", session->totals.pulled);
    sync_output_add_number(json, "pending", here->pending.count);
    sync_output_add_number(json, "parked", here->parked);
    sync_output_add_number(json, "pending_there", there->pending);
    sync_output_add_number(json, "parked_there", there->parked);
    sync_output_add_number(json, "withheld", here->withheld.count);
    sync_output_add_number(json, "withheld_there", there->withheld.count);
    sync_output_add_number(json, "confirmed", here->peer->confirmed);
    sync_output_add_number(json, "received", here->peer->received);
    sync_output_json(client->output, json);
}

/* Show for each peer that nothing is left, or what is. */
static cm_error_t *prove(sync_client_t *client,
                         const apr_array_header_t *sessions)
{
    int i;

    for (i = 0; i < sessions->nelts; i++) {
        const cm_session_t *session =
            APR_ARRAY_IDX(sessions, i, const cm_session_t *);
        const cm_status_peer_t *here;
        const char *problem;

        CM_TRY(read_status(&here, session, client->pool));
        problem = obstacle(session, here, client->pool);
        if (client->output->json)
            print_json(client, session, here, problem);
        else
            print_text(client, session, here, problem);
        if (problem)
            client->status = cm_error_code_exit_status(
                here->parked || session->said.parked > 0 ? CM_REJECTED
                                                         : CM_BUSY);
    }
    return NULL;
}

/* Write the journal: of each peer, how it ended for all. */
static void note_runs(sync_client_t *client, const apr_array_header_t *sessions,
                      const cm_error_t *err, apr_time_t began)
{
    int i;

    for (i = 0; i < sessions->nelts; i++) {
        const cm_session_t *session =
            APR_ARRAY_IDX(sessions, i, const cm_session_t *);

        sync_journal_write(client, session->settings->name, session, err,
                           client->status, began);
    }
}

cm_error_t *sync_command_drain(sync_client_t *client)
{
    const apr_time_t began = cm_clock_now();
    apr_array_header_t *peers, *sessions;
    cm_error_t *err;

    CM_TRY(sync_client_peers(&peers, client, 1));
    CM_TRY(sync_client_node(client));
    sync_stop_after(client->options->run.max_time);
    CM_TRY(open_sessions(&sessions, client, peers));
    err = move_and_act(client, sessions);
    sync_progress_end(client->output);
    if (err)
        err = cm_error_make(client->pool, err->code, err, __FILE__, __LINE__,
                            "not drained");
    else
        err = prove(client, sessions);
    note_runs(client, sessions, err, began);
    return err;
}
