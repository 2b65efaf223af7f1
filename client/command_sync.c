/* communicate, push, pull: each peer in turn, one dead one holds up none. */
#include "command.h"

#include <string.h>

#include <apr_network_io.h>
#include <apr_strings.h>
#include <apr_time.h>
#include <json.h>

#include "alert.h"
#include "outbox/withheld.h"
#include "operate/purge.h"
#include "folder.h"
#include "lock.h"
#include "memory.h"
#include "stop.h"
#include "connect.h"
#include "exchange/run.h"
#include "inbox/inbox.h"
#include "operate/pause.h"

/* How often, in seconds, CommunicatorRetain is looked after. */
#define RETAIN_EVERY 600

static void report_json(const sync_client_t *client, const char *peer,
                        const cm_session_t *session, apr_time_t took)
{
    const cm_totals_t *totals = &session->totals;
    json_object *json = json_object_new_object();

    sync_output_add_text(json, "peer", peer);
    sync_output_add_text(json, "kind",
                         session->kind == CM_PEER_OURS  ? "communicator"
                         : session->kind == CM_PEER_GEM ? "gem"
                                                        : "unknown");
    sync_output_add_number(json, "pushed", totals->pushed);
    sync_output_add_number(json, "pulled", totals->pulled);
    sync_output_add_number(json, "applied", totals->applied);
    sync_output_add_number(json, "parked", totals->parked->nelts);
    sync_output_add_number(json, "parked_there", totals->parked_there->nelts);
    sync_output_add_number(json, "held_back", totals->held_back);
    sync_output_add_number(json, "withheld", totals->withheld->nelts);
    sync_output_add_number(json, "withheld_there",
                           totals->withheld_there->nelts);
    sync_output_add_number(json, "milliseconds", apr_time_as_msec(took));
    sync_output_json(client->output, json);
}

/* What a gem would misread is held back by design; of what nobody can read
 * an operator should know. */
static void report_held_back(const sync_client_t *client, const char *peer,
                             const cm_session_t *session)
{
    const cm_totals_t *totals = &session->totals;
    const char *reason =
        totals->held_reason ? totals->held_reason : "no reason given";

    if (totals->held_back > 0 && session->kind != CM_PEER_GEM)
        sync_output_warn(client->output, peer,
                         "passed over %" APR_INT64_T_FMT " messages: %s",
                         totals->held_back, reason);
    else if (totals->held_back > 0)
        sync_output_summary(client->output,
                            "%s: held back %" APR_INT64_T_FMT
                            " that it could not read (%s)",
                            peer, totals->held_back, reason);
}

/* Warn of messages that wait for a person; returns whether there were any. */
static int report_parked(const sync_client_t *client, const char *peer,
                         const char *what, const apr_array_header_t *parked,
                         int tells)
{
    int i, count = 0;

    for (i = 0; i < parked->nelts; i++) {
        const cm_parked_t *one = &APR_ARRAY_IDX(parked, i, cm_parked_t);

        if (one->transient)
            continue;
        if (++count <= 3 && tells)
            sync_output_warn(
                client->output, peer,
                "message %" APR_INT64_T_FMT "%s is %s: %s", one->id,
                one->model ? apr_psprintf(client->pool, " (%s)", one->model)
                           : "",
                what,
                one->reason ? sync_output_clean(one->reason, client->pool)
                            : "no reason given");
    }
    if (count > 3 && tells)
        sync_output_warn(client->output, peer, "and %d more messages %s",
                         count - 3, what);
    return count > 0;
}

/* Return whether a message for PEER is held back because it cannot be read
 * here: that is an error until its record is published again. */
static int has_unread(const sync_client_t *client, const char *peer)
{
    apr_array_header_t *list;
    int i;

    if (cm_withheld_list(&list, client->node, peer, 100, client->pool))
        return 0;
    for (i = 0; i < list->nelts; i++)
        if (APR_ARRAY_IDX(list, i, cm_withheld_t).refuser == CM_REFUSER_HERE)
            return 1;
    return 0;
}

static void report(int *status, const sync_client_t *client, const char *peer,
                   const cm_session_t *session, int tells_parked,
                   apr_time_t took)
{
    const cm_totals_t *totals = &session->totals;
    const char *skew;
    int i, waits;

    for (i = 0; i < totals->notices->nelts; i++)
        sync_output_warn(client->output, peer, "%s",
                         APR_ARRAY_IDX(totals->notices, i, const char *));
    skew = sync_client_skew(session->peer, client->pool);
    if (skew && client->output->verbose)
        sync_output_warn(client->output, peer, "%s", skew);
    waits = report_parked(client, peer, "parked here", totals->parked,
                          tells_parked);
    waits |= report_parked(client, peer, "parked there", totals->parked_there,
                           tells_parked);
    waits |=
        report_parked(client, peer, "withheld", totals->withheld, tells_parked);
    waits |= report_parked(client, peer, "withheld there",
                           totals->withheld_there, tells_parked);
    if (session->withheld.count > 0 && *status == 0)
        waits |= has_unread(client, peer);
    if (waits && *status == 0)
        *status = cm_error_code_exit_status(CM_REJECTED);
    if (client->output->json) {
        report_json(client, peer, session, took);
        return;
    }
    sync_output_summary(client->output,
                        "%s: pushed %" APR_INT64_T_FMT
                        ", pulled %" APR_INT64_T_FMT " in %.1f s",
                        peer, totals->pushed, totals->pulled,
                        (double)took / APR_USEC_PER_SEC);
    report_held_back(client, peer, session);
}

static void on_moved(void *baton, const char *what, apr_int64_t done,
                     apr_int64_t total)
{
    sync_progress_show(baton, what, done, total);
}

static cm_error_t *open_session(cm_session_t **session, sync_client_t *client,
                                const cm_peer_settings_t *peer,
                                apr_pool_t *pool)
{
    CM_TRY(sync_connect(session, client->node, peer, client->options->timeout,
                        pool));
    (*session)->moved = on_moved;
    (*session)->baton = client->output;
    return NULL;
}

/* A run that has used its time has done what it was asked to. */
static cm_error_t *forgive(cm_error_t *err, const sync_client_t *client,
                           const char *peer)
{
    if (!err || err->code != CM_INTERRUPTED || !sync_stop_is_late())
        return err;
    sync_output_summary(client->output, "%s: the time is up (--max-time)",
                        peer);
    return NULL;
}

/* How many messages wait for a person, here and as the peer says there. */
static apr_int64_t waiting(const cm_session_t *session)
{
    apr_int64_t there = session->said.parked;

    return session->totals.parked_here + (there > 0 ? there : 0) +
           cm_session_withheld(session);
}

static cm_error_t *sync_peer(int *status, sync_client_t *client,
                             const cm_peer_settings_t *peer, int directions,
                             apr_pool_t *pool)
{
    apr_time_t began = apr_time_now();
    cm_session_t *session = NULL;
    sync_alert_t *alert;
    const char *holder;
    cm_error_t *err;

    err = sync_lock_take(&holder, client->settings->run_directory, peer->name,
                         client->options->wait, pool);
    if (!err && holder) {
        sync_output_summary(client->output, "%s: another run is at work (%s)",
                            peer->name, holder);
        return NULL;
    }
    alert = sync_alert_open(client, peer->name, pool);
    if (sync_alert_is_too_soon(status, alert))
        return NULL;
    if (!err)
        err = open_session(&session, client, peer, pool);
    if (!err) {
        err = cm_run(session, directions, pool);
        err = forgive(err, client, peer->name);
        sync_progress_show(client->output, "", 1, 1);
        report(status, client, peer->name, session,
               sync_alert_tells_parked(alert), apr_time_now() - began);
    }
    sync_alert_close(alert, err, session, session ? waiting(session) : 0);
    return err;
}

/* The exit status is that of the worst peer: what needs a person goes before
 * what passes by itself. */
static int worse(int status, const cm_error_t *err)
{
    int other = cm_error_code_exit_status(err->code);

    if (status == 0 || status == cm_error_code_exit_status(CM_TIMEOUT))
        return other;
    return status;
}

/* Runs of many hosts begin apart, those of one host always at one moment. */
static cm_error_t *splay(const sync_client_t *client, apr_pool_t *pool)
{
    char host[APRMAXHOSTLEN + 1] = "";
    const char *seed;
    apr_ssize_t size = APR_HASH_KEY_STRING;
    apr_time_t end;

    if (!client->options->splay)
        return NULL;
    apr_gethostname(host, sizeof(host), pool);
    seed = apr_pstrcat(pool, host, "/", client->settings->name, NULL);
    end = apr_time_now() +
          apr_time_from_msec(apr_hashfunc_default(seed, &size) %
                             (client->options->splay * 1000U + 1));
    while (apr_time_now() < end) {
        CM_TRY(sync_stop_check(pool));
        apr_sleep(apr_time_from_msec(50));
    }
    return NULL;
}

/* From time to time, purge what CommunicatorRetain no longer keeps. The run
 * does not fail if that fails. */
static void retain(const sync_client_t *client, apr_pool_t *pool)
{
    const cm_settings_t *settings = client->settings;
    const char *directory = settings->state_directory;
    json_object *memory = sync_memory_read(directory, settings->name, pool);
    apr_int64_t now = apr_time_sec(apr_time_now()), removed = 0;
    json_object *last;
    cm_error_t *err;

    if (json_object_object_get_ex(memory, "purged_at", &last) &&
        !cm_clocks_is_past(json_object_get_int64(last), now, RETAIN_EVERY))
        return;
    err = cm_purge_retain(&removed, client->node, pool);
    if (err && client->output->verbose)
        sync_output_error(client->output, NULL, err, pool);
    sync_output_add_number(memory, "purged_at", now);
    err = sync_memory_write(directory, settings->name, memory, pool);
    if (err && client->output->verbose)
        sync_output_error(client->output, NULL, err, pool);
}

/* Report when the folders or locks of this node cannot be used by this user, so
 * that others serve. */
static int report_files(const sync_client_t *client,
                        const apr_array_header_t *peers, apr_pool_t *pool)
{
    const cm_settings_t *settings = client->settings;
    sync_alert_t *alert = sync_alert_open_about(client, CM_ALERT_FILES, pool);
    cm_error_t *err = sync_folder_check(settings->state_directory,
                                        "CommunicatorStateDir", pool);
    int i;

    if (!err)
        err = sync_folder_check(settings->run_directory, "CommunicatorRunDir",
                                pool);
    for (i = 0; !err && i < peers->nelts; i++)
        err = sync_lock_check(
            settings->run_directory,
            APR_ARRAY_IDX(peers, i, cm_peer_settings_t *)->name, pool);
    sync_alert_close(alert, err, NULL, 0);
    return err ? cm_error_code_exit_status(err->code) : 0;
}

/* What keeps all peers waiting: no database, a pause. */
static cm_error_t *begin(sync_client_t *client, apr_pool_t *pool)
{
    sync_alert_t *alert = sync_alert_open(client, "", pool);
    cm_error_t *err = sync_client_node(client);

    if (!err)
        err = cm_pause_check(client->node, pool);
    sync_alert_close(alert, err, NULL, 0);
    return err;
}

static void sync_peers(int *status, sync_client_t *client,
                       const apr_array_header_t *peers, int directions,
                       apr_pool_t *scratch_pool)
{
    apr_pool_t *iterpool;
    cm_error_t *err;
    int i;

    apr_pool_create(&iterpool, scratch_pool);
    for (i = 0; i < peers->nelts; i++) {
        apr_pool_clear(iterpool);
        err = sync_peer(status, client,
                        APR_ARRAY_IDX(peers, i, cm_peer_settings_t *),
                        directions, iterpool);
        if (err)
            *status = worse(*status, err);
        if ((err && err->code == CM_INTERRUPTED) || sync_stop_is_late())
            break;
    }
    apr_pool_destroy(iterpool);
}

static cm_error_t *sync_all(int *status, sync_client_t *client, int directions,
                            apr_pool_t *scratch_pool)
{
    apr_array_header_t *peers;
    cm_error_t *err;
    int files;

    CM_TRY(sync_client_peers(&peers, client, 1, scratch_pool));
    CM_TRY(splay(client, scratch_pool));
    sync_stop_after(client->options->max_time);
    files = report_files(client, peers, scratch_pool);
    err = begin(client, scratch_pool);
    if (err) {
        *status = cm_error_code_exit_status(err->code);
        return NULL;
    }
    sync_peers(status, client, peers, directions, scratch_pool);
    if (*status == 0) {
        retain(client, scratch_pool);
        *status = files;
    }
    return NULL;
}

cm_error_t *sync_command_sync_both(int *status, sync_client_t *client,
                                   apr_pool_t *scratch_pool)
{
    return sync_all(status, client, CM_RUN_PUSH | CM_RUN_PULL, scratch_pool);
}

cm_error_t *sync_command_sync_push(int *status, sync_client_t *client,
                                   apr_pool_t *scratch_pool)
{
    return sync_all(status, client, CM_RUN_PUSH, scratch_pool);
}

cm_error_t *sync_command_sync_pull(int *status, sync_client_t *client,
                                   apr_pool_t *scratch_pool)
{
    return sync_all(status, client, CM_RUN_PULL, scratch_pool);
}
