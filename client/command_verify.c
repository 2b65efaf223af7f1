/* verify: do both sides hold the same records? */
#include "command.h"

#include <string.h>

#include <apr_strings.h>

#include "verify/compare.h"
#include "connect.h"
#include "exchange/ask.h"
#include "verify_report.h"
#include "operate/status.h"

static void on_progress(void *baton, apr_int64_t done, apr_int64_t total)
{
    sync_progress_show(baton, "verify", done, total);
}

/* Give the models to verify: const char *. */
static cm_error_t *find_models(const apr_array_header_t **names,
                               const sync_client_t *client, apr_pool_t *pool)
{
    const apr_array_header_t *models = client->settings->models;
    apr_array_header_t *all = apr_array_make(pool, 8, sizeof(const char *));
    int i;

    *names = client->options->arguments;
    for (i = 0; i < (*names)->nelts; i++) {
        const char *name = APR_ARRAY_IDX(*names, i, const char *);

        if (!cm_settings_model(client->settings, name))
            return cm_error_hint(
                CM_FAIL(pool, CM_USAGE, "there is no model '%s'", name), pool,
                "communicator-sync configtest --dump shows the models");
    }
    if ((*names)->nelts)
        return NULL;
    for (i = 0; i < models->nelts; i++)
        APR_ARRAY_PUSH(all, const char *) =
            APR_ARRAY_IDX(models, i, cm_model_t *)->name;
    *names = all;
    return NULL;
}

static cm_error_t *open_session(cm_session_t **session, sync_client_t *client,
                                const cm_peer_settings_t *peer,
                                apr_pool_t *pool)
{
    CM_TRY(sync_connect(session, client->node, peer, client->options->timeout,
                        pool));
    CM_TRY(cm_session_greet(*session, pool));
    if ((*session)->kind == CM_PEER_OURS)
        return NULL;
    return CM_FAIL(pool, CM_PROTOCOL,
                   "the peer is a gem, which cannot tell what it holds");
}

/* What is withheld is missing at the other side. */
static void tell_withheld(const sync_client_t *client, const char *peer,
                          const cm_status_peer_t *one)
{
    if (one->withheld.count > 0)
        sync_output_warn(
            client->output, peer,
            "%s withheld from it, from %" APR_INT64_T_FMT
            " on: communicator-sync parked",
            sync_output_messages(one->withheld.count, client->pool),
            one->withheld.first);
    if (one->said.withheld.count > 0)
        sync_output_warn(
            client->output, peer,
            "%s withheld from us: communicator-sync parked, on that host",
            sync_output_messages(one->said.withheld.count, client->pool));
}

/* What is parked is under way for as long as nobody looks at it. */
static cm_error_t *tell_parked(const sync_client_t *client, const char *peer,
                               apr_pool_t *pool)
{
    const cm_status_peer_t *one;
    cm_status_t *state;

    CM_TRY(cm_status_read(&state, client->node, peer, pool));
    one = &APR_ARRAY_IDX(state->peers, 0, cm_status_peer_t);
    if (one->parked > 0)
        sync_output_warn(client->output, peer,
                         "%s parked here: communicator-sync parked",
                         sync_output_messages(one->parked, pool));
    if (one->said.parked > 0)
        sync_output_warn(
            client->output, peer,
            "%s of ours parked there: communicator-sync parked, on "
            "that host",
            sync_output_messages(one->said.parked, pool));
    tell_withheld(client, peer, one);
    return NULL;
}

/* --from names one of the two sides. */
static cm_error_t *check_from(const sync_client_t *client, const char *peer,
                              apr_pool_t *pool)
{
    const char *from = client->options->from, *own = client->settings->name;

    if (!from)
        return NULL;
    if (!client->options->repair)
        return CM_FAIL(pool, CM_USAGE, "--from goes with --repair");
    if (!strcmp(from, own) || !strcmp(from, peer))
        return NULL;
    return CM_FAIL(pool, CM_USAGE, "--from '%s' is neither '%s' nor '%s'", from,
                   own, peer);
}

/* What only one side has may have been lost on the other one, or have been
 * removed there where no trigger saw it: a person knows. */
static cm_error_t *ask_for_side(const sync_client_t *client, const char *peer,
                                int count, apr_pool_t *pool)
{
    const char *own = client->settings->name;

    return cm_error_hint(
        CM_FAIL(pool, CM_USAGE,
                "%d records are on one side only, and --repair does not know "
                "which side is right: they were not published",
                count),
        pool,
        "after a restore or a loss at '%s' add --from %s, at '%s' --from %s: "
        "what only that side has is sent again; after a TRUNCATE delete the "
        "records on the other side",
        peer, own, own, peer);
}

/* Compare all models, then look again at what differs: by then it may have
 * arrived. */
static cm_error_t *verify_peer(int *status, sync_client_t *client,
                               const cm_peer_settings_t *peer,
                               const apr_array_header_t *names,
                               apr_pool_t *pool)
{
    cm_verify_work_t *works =
        apr_pcalloc(pool, (names->nelts + 1) * sizeof(*works));
    cm_error_t *err = NULL;
    cm_session_t *session;
    int i, undecided = 0;

    CM_TRY(check_from(client, peer->name, pool));
    CM_TRY(open_session(&session, client, peer, pool));
    for (i = 0; !err && i < names->nelts; i++) {
        works[i] = (cm_verify_work_t){.node = client->node,
                                      .peer = peer->name,
                                      .ask = cm_ask,
                                      .baton = session,
                                      .progress = on_progress,
                                      .progress_baton = client->output,
                                      .pool = pool};
        err = cm_verify_compare(&works[i],
                                APR_ARRAY_IDX(names, i, const char *), pool);
        sync_progress_show(client->output, "verify", 1, 1);
        if (err)
            err = cm_error_make(pool, err->code, err, __FILE__, __LINE__,
                                "cannot verify model '%s'",
                                APR_ARRAY_IDX(names, i, const char *));
    }
    CM_TRY(err);
    for (i = 0; i < names->nelts; i++) {
        CM_TRY_FOR(cm_verify_settle(&works[i], pool), pool,
                   "cannot verify model '%s'", works[i].report->model);
        if (client->options->repair && !works[i].report->skipped)
            CM_TRY_FOR(
                cm_verify_settle_repair(&works[i], client->options->from, pool),
                pool, "cannot repair model '%s'", works[i].report->model);
        sync_verify_report_show(status, client, peer->name, works[i].report,
                                pool);
        undecided += works[i].report->undecided;
    }
    CM_TRY(tell_parked(client, peer->name, pool));
    return undecided ? ask_for_side(client, peer->name, undecided, pool) : NULL;
}

cm_error_t *sync_command_verify(int *status, sync_client_t *client,
                                apr_pool_t *scratch_pool)
{
    const apr_array_header_t *names;
    apr_array_header_t *peers;
    int i;

    CM_TRY(find_models(&names, client, scratch_pool));
    CM_TRY(sync_client_peers(&peers, client, 1, scratch_pool));
    CM_TRY(sync_client_node(client));
    for (i = 0; i < peers->nelts; i++) {
        const cm_peer_settings_t *peer =
            APR_ARRAY_IDX(peers, i, cm_peer_settings_t *);
        cm_error_t *err =
            verify_peer(status, client, peer, names, scratch_pool);

        if (!err)
            continue;
        if (peers->nelts == 1)
            return err;
        sync_output_error(client->output, peer->name, err, scratch_pool);
        *status = cm_error_code_exit_status(err->code);
    }
    return NULL;
}
