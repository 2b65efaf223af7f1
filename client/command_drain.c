/* drain: move everything, then prove that nothing is left: what goes before
 * an upgrade. */
#include "command.h"

#include <apr_strings.h>
#include <apr_time.h>
#include <json.h>

#include "stop.h"
#include "connect.h"
#include "exchange/run.h"
#include "base/error.h"
#include "config/settings.h"
#include "operate/status.h"

/* Rounds in which nothing moves, though something waits. */
#define MOST_IDLE 3

typedef struct drain_t {
    sync_client_t *client;
    apr_array_header_t *sessions; /* cm_session_t * */
    int idle;
} drain_t;

static void on_moved(void *baton, const char *what, apr_int64_t done,
                     apr_int64_t total)
{
    sync_progress_show(baton, what, done, total);
}

static cm_error_t *open_peer(drain_t *drain, const cm_peer_settings_t *peer,
                             apr_pool_t *pool)
{
    sync_client_t *client = drain->client;
    cm_session_t *session;

    CM_TRY(sync_client_exclude_others(client, peer, pool));
    CM_TRY(sync_connect(&session, client->node, peer, client->options->timeout,
                        pool));
    cm_session_insist(session);
    session->moved = on_moved;
    session->baton = client->output;
    APR_ARRAY_PUSH(drain->sessions, cm_session_t *) = session;
    return NULL;
}

static cm_error_t *exchange(cm_session_t *session, apr_pool_t *pool)
{
    CM_TRY_FOR(cm_push(session, 1, pool), pool, "cannot push");
    CM_TRY_FOR(cm_pull(session, pool), pool, "cannot pull");
    return cm_pull_retry(session, pool);
}

/* Exchange with each peer once; *MOVED counts messages. */
static cm_error_t *round_of_all(apr_int64_t *moved, drain_t *drain,
                                apr_pool_t *pool)
{
    int i;

    *moved = 0;
    for (i = 0; i < drain->sessions->nelts; i++) {
        cm_session_t *session =
            APR_ARRAY_IDX(drain->sessions, i, cm_session_t *);
        cm_totals_t *totals = &session->totals;
        apr_int64_t before = totals->pushed + totals->pulled + totals->applied;

        CM_TRY(sync_stop_check(pool));
        CM_TRY_FOR(exchange(session, pool), pool, "%s",
                   session->settings->name);
        *moved += totals->pushed + totals->pulled + totals->applied - before;
    }
    sync_progress_show(drain->client->output, "", 1, 1);
    return NULL;
}

/* What stands between this peer and empty queues, or NULL. */
static const char *obstacle(const cm_session_t *session,
                            const cm_status_peer_t *here, apr_pool_t *pool)
{
    const cm_status_said_t *there = &session->said;

    if (here->pending.count)
        return apr_pstrcat(pool,
                           sync_output_messages(here->pending.count, pool),
                           " to send here", NULL);
    if (there->pending > 0)
        return apr_pstrcat(pool, sync_output_messages(there->pending, pool),
                           " to fetch there", NULL);
    if (here->parked)
        return apr_pstrcat(pool, sync_output_messages(here->parked, pool),
                           " parked here", NULL);
    if (there->parked > 0)
        return apr_pstrcat(pool, sync_output_messages(there->parked, pool),
                           " parked there", NULL);
    if (here->withheld.count)
        return apr_pstrcat(pool,
                           sync_output_messages(here->withheld.count, pool),
                           " withheld here", NULL);
    if (there->withheld.count > 0)
        return apr_pstrcat(pool,
                           sync_output_messages(there->withheld.count, pool),
                           " withheld there", NULL);
    if (session->kind == CM_PEER_OURS &&
        (there->pending < 0 || session->its_received != here->peer->confirmed))
        return "the cursors are not equal";
    return NULL;
}

/* Read how all stand; *LEFT: something is in the way, and waits in a queue. */
static cm_error_t *look(int *left, int *queued, const drain_t *drain,
                        apr_pool_t *pool)
{
    cm_status_t *state;
    int i;

    *left = *queued = 0;
    for (i = 0; i < drain->sessions->nelts; i++) {
        const cm_session_t *session =
            APR_ARRAY_IDX(drain->sessions, i, const cm_session_t *);
        const cm_status_peer_t *one;

        CM_TRY(cm_status_read(&state, drain->client->node,
                              session->settings->name, pool));
        one = &APR_ARRAY_IDX(state->peers, 0, cm_status_peer_t);
        *left |= obstacle(session, one, pool) != NULL;
        *queued |= one->pending.count > 0 || session->said.pending > 0;
    }
    return NULL;
}

static cm_error_t *move_all(drain_t *drain, apr_pool_t *scratch_pool)
{
    apr_pool_t *iterpool;
    apr_int64_t moved;
    int left, queued;

    apr_pool_create(&iterpool, scratch_pool);
    do {
        apr_pool_clear(iterpool);
        CM_TRY(round_of_all(&moved, drain, iterpool));
        CM_TRY(look(&left, &queued, drain, iterpool));
        drain->idle = moved ? 0 : drain->idle + 1;
    } while (moved || (queued && drain->idle < MOST_IDLE));
    apr_pool_destroy(iterpool);
    return NULL;
}

static void print_proof(const drain_t *drain, const cm_session_t *session,
                        const cm_status_peer_t *here, const char *problem,
                        apr_pool_t *pool)
{
    const sync_output_t *output = drain->client->output;
    const char *name = session->settings->name;

    if (problem) {
        const char *hint = NULL;

        if (here->parked || here->withheld.count)
            hint = "communicator-sync parked";
        else if (session->said.parked > 0 || session->said.withheld.count > 0)
            hint = "communicator-sync parked, on that host";
        sync_output_verdict(output, CM_VERDICT_FAIL,
                            apr_pstrcat(pool, name, ": ", problem, NULL), hint);
        return;
    }
    sync_output_verdict(
        output, CM_VERDICT_OK,
        apr_pstrcat(pool, name, ": both queues are empty, nothing is parked",
                    NULL),
        NULL);
    sync_output_line(output, "         it holds ours up to %s, we its up to %s",
                     sync_output_number(here->peer->confirmed, pool),
                     sync_output_number(here->peer->received, pool));
}

static void print_json(const drain_t *drain, const cm_session_t *session,
                       const cm_status_peer_t *here, const char *problem)
{
    json_object *json = json_object_new_object();

    sync_output_add_text(json, "peer", session->settings->name);
    sync_output_add_truth(json, "drained", problem == NULL);
    json_object_object_add(json, "problem",
                           problem ? json_object_new_string(problem) : NULL);
    sync_output_add_number(json, "pushed", session->totals.pushed);
    sync_output_add_number(json, "pulled", session->totals.pulled);
    sync_output_add_number(json, "pending", here->pending.count);
    sync_output_add_number(json, "parked", here->parked);
    sync_output_add_number(json, "pending_there", session->said.pending);
    sync_output_add_number(json, "parked_there", session->said.parked);
    sync_output_add_number(json, "withheld", here->withheld.count);
    sync_output_add_number(json, "withheld_there",
                           session->said.withheld.count);
    sync_output_add_number(json, "confirmed", here->peer->confirmed);
    sync_output_add_number(json, "received", here->peer->received);
    sync_output_json(drain->client->output, json);
}

/* Show for each peer that nothing is left, or what is. */
static cm_error_t *prove(int *status, const drain_t *drain, apr_pool_t *pool)
{
    cm_status_t *state;
    int i;

    for (i = 0; i < drain->sessions->nelts; i++) {
        const cm_session_t *session =
            APR_ARRAY_IDX(drain->sessions, i, const cm_session_t *);
        const cm_status_peer_t *here;
        const char *problem;

        CM_TRY(cm_status_read(&state, drain->client->node,
                              session->settings->name, pool));
        here = &APR_ARRAY_IDX(state->peers, 0, cm_status_peer_t);
        problem = obstacle(session, here, pool);
        if (drain->client->output->json)
            print_json(drain, session, here, problem);
        else
            print_proof(drain, session, here, problem, pool);
        if (problem)
            *status = here->parked || session->said.parked > 0
                          ? cm_error_code_exit_status(CM_REJECTED)
                          : cm_error_code_exit_status(CM_BUSY);
    }
    return NULL;
}

cm_error_t *sync_command_drain(int *status, sync_client_t *client,
                               apr_pool_t *scratch_pool)
{
    drain_t drain = {.client = client};
    apr_array_header_t *peers;
    cm_error_t *err;
    int i;

    drain.sessions = apr_array_make(scratch_pool, 4, sizeof(cm_session_t *));
    CM_TRY(sync_client_peers(&peers, client, 1, scratch_pool));
    CM_TRY(sync_client_node(client));
    sync_stop_after(client->options->max_time);
    for (i = 0; i < peers->nelts; i++)
        CM_TRY(open_peer(&drain,
                         APR_ARRAY_IDX(peers, i, const cm_peer_settings_t *),
                         scratch_pool));
    err = move_all(&drain, scratch_pool);
    sync_progress_show(client->output, "", 1, 1);
    if (err)
        return cm_error_make(scratch_pool, err->code, err, __FILE__, __LINE__,
                             "not drained");
    return prove(status, &drain, scratch_pool);
}
