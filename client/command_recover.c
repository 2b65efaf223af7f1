/* recover: two histories that do not fit go on together, after a restore or a
 * failover that has lost the last commits. */
#include "command.h"

#include <stdio.h>
#include <unistd.h>

#include <apr_strings.h>
#include <json.h>

#include "exchange/recover.h"
#include "exchange/run.h"
#include "after.h"
#include "connect.h"
#include "stop.h"

/* A run that finds nothing to move is the last one. */
#define MOST_RUNS 100

static void say_lost(const sync_client_t *client, const char *owner,
                     apr_int64_t last, const char *holder, apr_int64_t held)
{
    if (held > last)
        sync_output_line(client->output,
                         "  '%s' has lost what it sent: it knows its messages "
                         "up to %" APR_INT64_T_FMT
                         ", '%s' has %" APR_INT64_T_FMT,
                         owner, last, holder, held);
    else
        sync_output_line(client->output,
                         "  '%s' has lost what it sent, and has gone on: its "
                         "last messages are not those that '%s' has",
                         owner, holder);
}

static void say_new(const sync_client_t *client, const char *owner,
                    const char *other)
{
    sync_output_line(
        client->output,
        "  the database of '%s' is not the one that '%s' knows: it "
        "has begun a new history, or uri= or DBDParams lead to a "
        "wrong one",
        owner, other);
}

static void say_steps(const sync_client_t *client,
                      const cm_recover_steps_t *steps, const char *node,
                      const char *other)
{
    if (steps->renews)
        sync_output_line(client->output, "  '%s' begins a new history", node);
    if (steps->accepts)
        sync_output_line(client->output,
                         "  '%s' accepts the new history of '%s'", node, other);
}

/* What a side has lost of a model that the other one only receives stays lost.
 */
static void say_one_way(const sync_client_t *client, const char *peer)
{
    const apr_array_header_t *models = client->settings->models;
    int i;

    for (i = 0; i < models->nelts; i++) {
        const cm_model_t *model = APR_ARRAY_IDX(models, i, const cm_model_t *);

        if (!model->publishes || !model->receives)
            sync_output_line(
                client->output,
                "  model '%s' goes one way: what its publisher ('%s') "
                "has lost stays lost there (the guide says how to "
                "get it back)",
                model->name, model->publishes ? client->settings->name : peer);
    }
}

static void say_plan(const sync_client_t *client, const char *peer,
                     const cm_recovery_t *recovery)
{
    const char *us = client->settings->name;
    const cm_epoch_split_t *here = &recovery->here, *there = &recovery->there;

    sync_output_line(client->output, "%s: the histories do not fit", peer);
    if (here->we_are_new || there->peer_is_new)
        say_new(client, us, peer);
    else if (recovery->do_here.renews)
        say_lost(client, us, recovery->last_here, peer,
                 recovery->received_there);
    if (here->peer_is_new || there->we_are_new)
        say_new(client, peer, us);
    else if (recovery->do_there.renews)
        say_lost(client, peer, recovery->last_there, us,
                 recovery->received_here);
    sync_output_line(client->output, "this will be done:");
    say_steps(client, &recovery->do_here, us, peer);
    say_steps(client, &recovery->do_there, peer, us);
    sync_output_line(client->output,
                     "  both publish all records; of each value the newer one "
                     "wins, what was deleted stays deleted");
    sync_output_line(client->output,
                     "  runs, until nothing is left; then verify");
    say_one_way(client, peer);
}

/* Let a person agree. */
static cm_error_t *agree(const sync_client_t *client)
{
    char answer[16] = "";

    if (client->options->mend.yes)
        return NULL;
    if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) {
        printf("go on? [y/N] ");
        fflush(stdout);
        if (fgets(answer, sizeof(answer), stdin) &&
            (answer[0] == 'y' || answer[0] == 'Y'))
            return NULL;
    }
    return cm_error_hint(CM_FAIL(client->pool, CM_USAGE, "nothing was done"),
                         client->pool, "with --yes it is done without asking");
}

/* Exchange all that is published, with sessions of their own. */
static cm_error_t *exchange_all(const sync_client_t *client,
                                const cm_peer_settings_t *peer)
{
    apr_pool_t *iterpool;
    apr_int64_t moved = 1;
    cm_error_t *err = NULL;
    int i;

    apr_pool_create(&iterpool, client->pool);
    for (i = 0; !err && moved && i < MOST_RUNS; i++) {
        cm_session_t *session;

        apr_pool_clear(iterpool);
        err = sync_connect(&session, client, peer, iterpool);
        if (!err)
            err = cm_run(session, CM_RUN_PUSH | CM_RUN_PULL, iterpool);
        sync_progress_end(client->output);
        if (!err)
            moved = session->totals.pushed + session->totals.pulled;
    }
    if (err)
        err = cm_error_copy(err, client->pool);
    apr_pool_destroy(iterpool);
    return err;
}

static void report(const sync_client_t *client, const char *peer, int needed)
{
    json_object *json = json_object_new_object();

    sync_output_add_text(json, "peer", peer);
    sync_output_add_truth(json, "recovered", needed);
    sync_output_result(client->output, json,
                       needed ? "%s: both have one history again"
                              : "%s: the histories fit, nothing is to be done",
                       peer);
}

/* *RENEWED: this node has begun a new history for a peer before. */
static cm_error_t *recover(int *needed, int *renewed, sync_client_t *client,
                           const cm_peer_settings_t *peer)
{
    cm_recovery_t recovery;
    cm_session_t *session;

    CM_TRY(sync_client_exclude_others(client, peer));
    CM_TRY(sync_connect(&session, client, peer, client->pool));
    CM_TRY(cm_recover_plan(&recovery, session, client->pool));
    *needed = cm_recover_is_needed(&recovery);
    if (!*needed)
        return NULL;
    if (!client->output->json)
        say_plan(client, peer->name, &recovery);
    CM_TRY(agree(client));
    recovery.do_here.renews &= !*renewed;
    *renewed |= recovery.do_here.renews;
    CM_TRY_FOR(cm_recover(&recovery, session, client->pool), client->pool,
               "cannot recover; run it again");
    return exchange_all(client, peer);
}

cm_error_t *sync_command_recover(sync_client_t *client)
{
    apr_array_header_t *peers;
    int i, needed = 0, renewed = 0, any = 0;

    CM_TRY(sync_client_peers(&peers, client, 1));
    CM_TRY(sync_client_node(client));
    for (i = 0; i < peers->nelts; i++) {
        const cm_peer_settings_t *peer =
            APR_ARRAY_IDX(peers, i, cm_peer_settings_t *);
        cm_error_t *err = recover(&needed, &renewed, client, peer);

        if (err)
            sync_client_report(client, peer->name, err);
        else
            report(client, peer->name, needed);
        any |= !err && needed;
    }
    if (!any || client->status)
        return NULL;
    sync_after_run(&needed, client);
    return sync_command_verify(client);
}
