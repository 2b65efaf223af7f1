/* communicate, push, pull: each peer in turn, one dead one holds up none. */
#include "command.h"

#include <apr_strings.h>
#include <apr_time.h>
#include <json.h>

#include "lock.h"
#include "sync.h"

typedef enum direction_e {
    PUSH = 1,
    PULL = 2
} direction_e;

/* Both directions are tried: a push that fails for a reason of its own does
 * not hold up the pull. What concerns the peer as a whole ends both. */
static int ends_run(cm_code_e code)
{
    return code != CM_TOO_LARGE && code != CM_REJECTED &&
           code != CM_MALFORMED && code != CM_GAP;
}

static cm_error_t *push(cm_session_t *session, int quiet_when_empty,
                        apr_pool_t *pool)
{
    CM_TRY_FOR(cm_push(session, quiet_when_empty, pool), pool, "cannot push");
    return NULL;
}

/* A pull, too, may find out that there is something to be sent again. */
static cm_error_t *exchange(cm_session_t *session, int directions,
                            apr_pool_t *pool)
{
    cm_error_t *err = NULL, *later = NULL;

    if (directions & PUSH) {
        err = push(session, (directions & PULL) != 0, pool);
        if (err && ends_run(err->code))
            return err;
    }
    if (directions & PULL) {
        CM_TRY_FOR(cm_pull(session, pool), pool, "cannot pull");
        if ((directions & PUSH) && !err && cm_session_is_set_back(session))
            err = push(session, 0, pool);
        later = cm_sync_retry(session, pool);
    }
    return err ? err : later;
}

static void add_number(json_object *json, const char *name, apr_int64_t number)
{
    json_object_object_add(json, name, json_object_new_int64(number));
}

static void report_json(const cm_client_t *client, const char *peer,
                        const cm_session_t *session, apr_time_t took)
{
    const cm_totals_t *totals = &session->totals;
    json_object *json = json_object_new_object();

    json_object_object_add(json, "peer", json_object_new_string(peer));
    json_object_object_add(
        json, "kind",
        json_object_new_string(session->kind == CM_PEER_OURS  ? "communicator"
                               : session->kind == CM_PEER_GEM ? "gem"
                                                              : "unknown"));
    add_number(json, "pushed", totals->pushed);
    add_number(json, "pulled", totals->pulled);
    add_number(json, "applied", totals->applied);
    add_number(json, "parked", totals->parked->nelts);
    add_number(json, "parked_there", totals->parked_there->nelts);
    add_number(json, "held_back", totals->held_back);
    add_number(json, "milliseconds", apr_time_as_msec(took));
    cm_output_json(client->output, json);
}

/* Warn of messages that wait for a person; returns whether there were any. */
static int report_parked(const cm_client_t *client, const char *peer,
                         const char *where, const apr_array_header_t *parked)
{
    int i, count = 0;

    for (i = 0; i < parked->nelts; i++) {
        const cm_parked_t *one = &APR_ARRAY_IDX(parked, i, cm_parked_t);

        if (one->transient)
            continue;
        if (++count <= 3)
            cm_output_warn(client->output, peer,
                           "message %" APR_INT64_T_FMT " (%s) is parked %s: "
                           "%s",
                           one->id, one->model ? one->model : "?", where,
                           one->reason
                               ? cm_output_clean(one->reason, client->pool)
                               : "no reason given");
    }
    if (count > 3)
        cm_output_warn(client->output, peer, "and %d more messages %s",
                       count - 3, where);
    return count > 0;
}

static void report(int *status, const cm_client_t *client, const char *peer,
                   const cm_session_t *session, apr_time_t took)
{
    const cm_totals_t *totals = &session->totals;
    const char *skew;
    int i, here, there;

    for (i = 0; i < totals->notices->nelts; i++)
        cm_output_warn(client->output, peer, "%s",
                       APR_ARRAY_IDX(totals->notices, i, const char *));
    skew = cm_client_skew(session->peer, client->pool);
    if (skew && client->output->verbose)
        cm_output_warn(client->output, peer, "%s", skew);
    here = report_parked(client, peer, "here", totals->parked);
    there = report_parked(client, peer, "there", totals->parked_there);
    if ((here || there) && *status == 0)
        *status = cm_code_exit_status(CM_REJECTED);
    if (client->output->json) {
        report_json(client, peer, session, took);
        return;
    }
    cm_output_summary(client->output,
                      "%s: pushed %" APR_INT64_T_FMT
                      ", pulled %" APR_INT64_T_FMT " in %.1f s",
                      peer, totals->pushed, totals->pulled,
                      (double)took / APR_USEC_PER_SEC);
    if (totals->held_back > 0)
        cm_output_summary(
            client->output,
            "%s: held back %" APR_INT64_T_FMT " that it could not read (%s)",
            peer, totals->held_back,
            totals->held_reason ? totals->held_reason : "no reason given");
}

static cm_error_t *sync_peer(int *status, cm_client_t *client,
                             const cm_peer_settings_t *peer, int directions,
                             apr_pool_t *pool)
{
    apr_time_t began = apr_time_now();
    cm_session_t *session = NULL;
    const char *holder;
    cm_error_t *err;

    CM_TRY(cm_lock_take(&holder, client->settings->run_directory, peer->name,
                        client->options->wait, pool));
    if (holder) {
        cm_output_summary(client->output, "%s: another run is at work (%s)",
                          peer->name, holder);
        return NULL;
    }
    CM_TRY(cm_session_open(&session, client->node, peer,
                           client->options->timeout, pool));
    err = exchange(session, directions, pool);
    report(status, client, peer->name, session, apr_time_now() - began);
    return err;
}

/* The exit status is that of the worst peer: what needs a person goes before
 * what passes by itself. */
static int worse(int status, const cm_error_t *err)
{
    int other = cm_code_exit_status(err->code);

    if (status == 0 || status == cm_code_exit_status(CM_TIMEOUT))
        return other;
    return status;
}

static cm_error_t *sync_all(int *status, cm_client_t *client, int directions,
                            apr_pool_t *scratch_pool)
{
    apr_array_header_t *peers;
    apr_pool_t *iterpool;
    cm_error_t *err = NULL;
    int i;

    CM_TRY(cm_client_peers(&peers, client, 1, scratch_pool));
    CM_TRY(cm_client_node(client));
    apr_pool_create(&iterpool, scratch_pool);
    for (i = 0; i < peers->nelts; i++) {
        const cm_peer_settings_t *peer =
            APR_ARRAY_IDX(peers, i, cm_peer_settings_t *);

        apr_pool_clear(iterpool);
        err = sync_peer(status, client, peer, directions, iterpool);
        if (!err)
            continue;
        cm_store_rollback(client->store);
        cm_output_error(client->output, peer->name, err, iterpool);
        *status = worse(*status, err);
        if (err->code == CM_INTERRUPTED)
            break;
    }
    apr_pool_destroy(iterpool);
    return NULL;
}

cm_error_t *cm_command_communicate(int *status, cm_client_t *client,
                                   apr_pool_t *scratch_pool)
{
    return sync_all(status, client, PUSH | PULL, scratch_pool);
}

cm_error_t *cm_command_push(int *status, cm_client_t *client,
                            apr_pool_t *scratch_pool)
{
    return sync_all(status, client, PUSH, scratch_pool);
}

cm_error_t *cm_command_pull(int *status, cm_client_t *client,
                            apr_pool_t *scratch_pool)
{
    return sync_all(status, client, PULL, scratch_pool);
}
