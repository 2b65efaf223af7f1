/* communicate, push, pull: each peer in turn. One that fails does not hold up
 * the others. */
#include "command.h"

#include <apr_network_io.h>
#include <apr_strings.h>
#include <json.h>

#include "base/clock.h"
#include "operate/purge.h"
#include "exchange/run.h"
#include "after.h"
#include "alert.h"
#include "connect.h"
#include "folder.h"
#include "follow.h"
#include "journal.h"
#include "lock.h"
#include "memory.h"
#include "stop.h"

/* Seconds between two purges by CommunicatorRetain. */
#define RETAIN_EVERY 600

/* With --follow --cron: how long a failure has to last that may pass. */
#define PATIENCE apr_time_from_sec(60)

/* So many messages are reported one by one. */
#define MOST_TOLD 3

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

/* That messages are not sent to a gem, which would misread them, is by design.
 * That nobody can read them an operator should know. */
static void report_held_back(const sync_client_t *client, const char *peer,
                             const cm_session_t *session)
{
    const cm_totals_t *totals = &session->totals;
    const char *reason =
        totals->held_reason ? totals->held_reason : "no reason given";

    if (totals->held_back > 0 && session->kind != CM_PEER_GEM)
        sync_output_warn(client->output, peer,
                         "skipped %" APR_INT64_T_FMT " messages: %s",
                         totals->held_back, reason);
    else if (totals->held_back > 0)
        sync_output_summary(client->output,
                            "%s: did not send %" APR_INT64_T_FMT
                            " messages that it could not read (%s)",
                            peer, totals->held_back, reason);
}

/* Count the MESSAGES (cm_parked_t) that need a person, and warn of them if
 * TELLS. WHAT: "parked here". */
static int report_parked(const sync_client_t *client, const char *peer,
                         const char *what, const apr_array_header_t *messages,
                         int tells)
{
    int i, count = 0;

    for (i = 0; i < messages->nelts; i++) {
        const cm_parked_t *one = &APR_ARRAY_IDX(messages, i, cm_parked_t);

        if (one->transient)
            continue;
        if (++count <= MOST_TOLD && tells)
            sync_output_warn(
                client->output, peer,
                "message %" APR_INT64_T_FMT "%s is %s: %s", one->id,
                one->model ? apr_psprintf(client->pool, " (%s)", one->model)
                           : "",
                what, one->reason ? one->reason : "no reason given");
    }
    if (count > MOST_TOLD && tells)
        sync_output_warn(client->output, peer, "and %d more messages %s",
                         count - MOST_TOLD, what);
    return count;
}

/* Return whether a message for PEER is withheld because it cannot be read here:
 * that is an error until its record is published again. */
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

/* Report the run of SESSION, and return the exit status for it. */
static int report(const sync_client_t *client, const cm_session_t *session,
                  int tells_parked, apr_time_t took)
{
    const cm_totals_t *totals = &session->totals;
    const char *peer = session->settings->name;
    const struct {
        const char *what;
        const apr_array_header_t *messages;
    } lists[] = {{"parked here", totals->parked},
                 {"parked there", totals->parked_there},
                 {"withheld", totals->withheld},
                 {"withheld there", totals->withheld_there}};
    const char *skew = sync_client_skew(session->peer, client->pool);
    int i, waiting = 0, status = 0;

    for (i = 0; i < totals->notices->nelts; i++)
        sync_output_warn(client->output, peer, "%s",
                         APR_ARRAY_IDX(totals->notices, i, const char *));
    if (skew && client->output->verbose)
        sync_output_warn(client->output, peer, "%s", skew);
    for (i = 0; i < (int)(sizeof(lists) / sizeof(*lists)); i++)
        waiting += report_parked(client, peer, lists[i].what, lists[i].messages,
                                 tells_parked);
    if (waiting || (session->withheld.count > 0 && has_unread(client, peer)))
        status = cm_error_code_exit_status(CM_REJECTED);
    if (client->options->run.follow && !totals->pushed && !totals->pulled &&
        !totals->held_back)
        return status;
    if (client->output->json) {
        report_json(client, peer, session, took);
        return status;
    }
    sync_output_summary(client->output,
                        "%s: pushed %" APR_INT64_T_FMT
                        ", pulled %" APR_INT64_T_FMT " in %.1f s",
                        peer, totals->pushed, totals->pulled,
                        (double)took / APR_USEC_PER_SEC);
    report_held_back(client, peer, session);
    return status;
}

/* That the time of --max-time is up is not a failure, nor that a signal ends
 * what else would go on for ever. */
static cm_error_t *forgive(cm_error_t *err, const sync_client_t *client,
                           const char *peer)
{
    if (err && err->code == CM_INTERRUPTED && client->options->run.follow)
        return NULL;
    if (!err || err->code != CM_INTERRUPTED || !sync_stop_is_late())
        return err;
    sync_output_summary(client->output, "%s: the time is up (--max-time)",
                        peer);
    return NULL;
}

/* Return how many messages need a person, here and as the peer says there. */
static apr_int64_t count_waiting(const cm_session_t *session)
{
    apr_int64_t there = session->said.parked;

    return session->totals.parked_here + (there > 0 ? there : 0) +
           cm_session_withheld(session);
}

/* Return whether alerts learn that a run ended with ERR, as the last ones did
 * SINCE then. Of cycles that follow each other those are that are FULL, or
 * fail; with --cron, a failure that may pass has to last. */
static int is_told(const sync_client_t *client, int full, const cm_error_t *err,
                   apr_time_t since)
{
    if (!client->options->run.follow)
        return 1;
    if (err && client->options->run.cron &&
        cm_error_code_is_transient(err->code))
        return apr_time_now() - since > PATIENCE;
    return err || full;
}

/* Note in ONE how the run went, which began at BEGAN, for who follows. SESSION
 * is NULL when it did not come to that. */
static void note(sync_cycle_peer_t *one, const cm_session_t *session,
                 const cm_error_t *err, apr_time_t began)
{
    if (!one->failed)
        one->failing_since = began;
    one->failed = err != NULL;
    one->met = (cm_met_t){0};
    if (!session || !session->peer)
        return;
    if (!err)
        cm_met_keep(&one->met, session);
    one->moved = session->totals.pushed + session->totals.pulled;
    one->confirmed = session->peer->confirmed;
    one->received = session->peer->received;
}

static cm_error_t *run_peer(sync_client_t *client, const sync_cycle_t *cycle,
                            sync_cycle_peer_t *one, apr_pool_t *pool)
{
    const cm_peer_settings_t *peer = one->settings;
    const int follows = client->options->run.follow;
    apr_time_t began = apr_time_now();
    cm_session_t *session = NULL;
    sync_alert_t *alert;
    const char *holder;
    cm_error_t *err;
    int status = 0;

    err = sync_lock_take(&holder, client, peer->name, pool);
    one->busy = !err && holder;
    if (one->busy) {
        sync_output_summary(client->output, "%s: another run is at work (%s)",
                            peer->name, holder);
        return NULL;
    }
    alert = sync_alert_open(client, peer->name, pool);
    if (!follows && sync_alert_is_too_soon(&client->status, alert))
        return NULL;
    if (!err)
        err = sync_connect(&session, client, peer, pool);
    if (!err) {
        session->brief = follows;
        if (!cycle->full)
            (void)cm_met_recall(session, &one->met);
        err = forgive(cm_run(session, cycle->directions, pool), client,
                      peer->name);
        sync_progress_end(client->output);
        status = report(client, session, sync_alert_tells_parked(alert),
                        apr_time_now() - began);
    }
    if (client->status == 0)
        client->status = status;
    note(one, session, err, began);
    if (is_told(client, cycle->full, err, one->failing_since))
        sync_alert_close(alert, err, session,
                         session ? count_waiting(session) : 0);
    sync_journal_write(client, peer->name, session, err, status, began);
    return err;
}

/* Runs of many hosts start at different moments, those of one host always at
 * the same. */
static cm_error_t *splay(const sync_client_t *client)
{
    char host[APRMAXHOSTLEN + 1] = "";
    const char *seed;
    apr_ssize_t size = APR_HASH_KEY_STRING;
    apr_time_t end;

    if (!client->options->run.splay)
        return NULL;
    apr_gethostname(host, sizeof(host), client->pool);
    seed = apr_pstrcat(client->pool, host, "/", client->settings->name, NULL);
    end = apr_time_now() +
          apr_time_from_msec(apr_hashfunc_default(seed, &size) %
                             (client->options->run.splay * 1000U + 1));
    while (apr_time_now() < end) {
        CM_TRY(sync_stop_check(client->pool));
        apr_sleep(apr_time_from_msec(50));
    }
    return NULL;
}

/* Purge, now and then, what CommunicatorRetain does not keep. If that fails,
 * the run does not. */
static void retain(const sync_client_t *client)
{
    const char *name = client->settings->name;
    apr_pool_t *pool = client->pool;
    json_object *memory = sync_memory_read(client, name, pool);
    apr_int64_t now = apr_time_sec(apr_time_now()), removed = 0;
    apr_int64_t last = sync_memory_number(memory, "purged_at");
    cm_error_t *err;

    if (last && !cm_clock_is_past(last, now, RETAIN_EVERY))
        return;
    err = cm_purge_retain(&removed, client->node, pool);
    if (err && client->output->verbose)
        sync_output_error(client->output, NULL, err, pool);
    sync_output_add_number(memory, "purged_at", now);
    err = sync_memory_write(client, name, memory);
    if (err && client->output->verbose)
        sync_output_error(client->output, NULL, err, pool);
}

/* Report when this user cannot use the folders or locks of this node, so that
 * others are used instead. */
static int report_files(const sync_client_t *client,
                        const apr_array_header_t *peers)
{
    const cm_settings_t *settings = client->settings;
    apr_pool_t *pool = client->pool;
    sync_alert_t *alert = sync_alert_open(client, SYNC_ALERT_FILES, pool);
    cm_error_t *err = sync_folder_check(settings->client.state_directory,
                                        "CommunicatorStateDir", pool);
    int i;

    if (!err)
        err = sync_folder_check(settings->client.run_directory,
                                "CommunicatorRunDir", pool);
    for (i = 0; !err && i < peers->nelts; i++)
        err = sync_lock_check(
            client, APR_ARRAY_IDX(peers, i, sync_cycle_peer_t).settings->name);
    sync_alert_close(alert, err, NULL, 0);
    return err ? cm_error_code_exit_status(err->code) : 0;
}

/* Fail, and report it, when no peer can be served: the database cannot be
 * reached, or this node is paused. */
static cm_error_t *begin(sync_client_t *client, sync_cycle_t *cycle)
{
    const apr_time_t began = cm_clock_now();
    sync_alert_t *alert =
        sync_alert_open(client, client->settings->name, client->pool);
    cm_error_t *err = sync_client_node(client);
    int i;

    if (!err)
        err = cm_node_check_paused(client->node, client->pool);
    if (!cycle->failing_since)
        cycle->failing_since = began;
    if (is_told(client, cycle->full, err, cycle->failing_since))
        sync_alert_close(alert, err, NULL, 0);
    if (!err)
        cycle->failing_since = 0;
    for (i = 0; err && i < cycle->peers->nelts; i++)
        sync_journal_write(
            client,
            APR_ARRAY_IDX(cycle->peers, i, sync_cycle_peer_t).settings->name,
            NULL, err, 0, began);
    return err;
}

/* Serve each peer; return how many messages have moved. */
static apr_int64_t run_peers(sync_client_t *client, const sync_cycle_t *cycle)
{
    apr_int64_t moved = 0;
    apr_pool_t *iterpool;
    cm_error_t *err;
    int i;

    apr_pool_create(&iterpool, client->pool);
    for (i = 0; i < cycle->peers->nelts; i++) {
        sync_cycle_peer_t *one =
            &APR_ARRAY_IDX(cycle->peers, i, sync_cycle_peer_t);

        one->moved = 0;
        if (one->skip)
            continue;
        apr_pool_clear(iterpool);
        err = run_peer(client, cycle, one, iterpool);
        moved += one->moved;
        sync_client_exit_with(client, err);
        if ((err && err->code == CM_INTERRUPTED) || sync_stop_is_late() ||
            (client->options->run.follow && sync_stop_is_asked()))
            break;
    }
    apr_pool_destroy(iterpool);
    return moved;
}

/* A run, or one of many cycles. */
static void run_cycle(sync_client_t *client, sync_cycle_t *cycle)
{
    int files = cycle->full ? report_files(client, cycle->peers) : 0, done;
    cm_error_t *err = begin(client, cycle);

    cycle->failed = err != NULL;
    if (err) {
        client->status = cm_error_code_exit_status(err->code);
        return;
    }
    if (run_peers(client, cycle) || cycle->full)
        sync_after_run(&done, client);
    if (client->status == 0 && cycle->full) {
        retain(client);
        client->status = files;
    }
}

/* Write what has moved since the last row of the journal. */
static void end_journal(const sync_client_t *client)
{
    sync_client_t view = *client;

    apr_pool_create(&view.pool, client->pool);
    if (!sync_client_node(&view))
        sync_journal_end(&view);
    apr_pool_destroy(view.pool);
}

static cm_error_t *follow(sync_client_t *client, sync_cycle_t *cycle)
{
    int again;

    CM_TRY(sync_follow(&again, client, cycle, run_cycle));
    end_journal(client);
    return again ? sync_follow_again(client) : NULL;
}

static cm_error_t *run_all(sync_client_t *client, int directions)
{
    sync_cycle_t cycle = {.directions = directions, .full = 1};
    apr_array_header_t *peers;
    int i;

    CM_TRY(sync_client_peers(&peers, client, 1));
    CM_TRY(splay(client));
    sync_stop_after(client->options->run.max_time);
    cycle.peers =
        apr_array_make(client->pool, peers->nelts, sizeof(sync_cycle_peer_t));
    for (i = 0; i < peers->nelts; i++)
        APR_ARRAY_PUSH(cycle.peers, sync_cycle_peer_t) = (sync_cycle_peer_t){
            .settings = APR_ARRAY_IDX(peers, i, const cm_peer_settings_t *)};
    if (client->options->run.follow)
        return follow(client, &cycle);
    run_cycle(client, &cycle);
    return NULL;
}

cm_error_t *sync_command_sync_both(sync_client_t *client)
{
    return run_all(client, CM_RUN_PUSH | CM_RUN_PULL);
}

cm_error_t *sync_command_sync_push(sync_client_t *client)
{
    return run_all(client, CM_RUN_PUSH);
}

cm_error_t *sync_command_sync_pull(sync_client_t *client)
{
    return run_all(client, CM_RUN_PULL);
}
