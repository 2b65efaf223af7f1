/* A run of the client: see client.h. */
#include "client.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/number.h"
#include "operate/health.h"
#include "command.h"
#include "lock.h"

/* SQLite makes the file that it opens: a misspelt name would become an empty
 * database, in which this node has no tables. */
static cm_error_t *check_file(const sync_client_t *client)
{
    const char *driver = client->settings->database.driver,
               *file = client->settings->database.params;

    if (strcmp(driver, "sqlite3") != 0 || access(file, F_OK) == 0 ||
        errno != ENOENT)
        return NULL;
    return cm_error_hint(
        CM_FAIL(client->pool, CM_UNAVAILABLE,
                "cannot open the database: the file '%s' does not exist", file),
        client->pool,
        "correct DBDParams, or let the application make its database first");
}

cm_error_t *sync_client_store(sync_client_t *client)
{
    const cm_settings_t *settings = client->settings;

    if (client->store)
        return NULL;
    if (!settings->database.driver || !settings->database.params)
        return cm_error_hint(
            CM_FAIL(client->pool, CM_CONFIG, "no database is configured"),
            client->pool, "add DBDriver and DBDParams to %s",
            client->options->config);
    CM_TRY(check_file(client));
    return cm_store_open(&client->store, settings->database.driver,
                         settings->database.params, client->pool);
}

cm_error_t *sync_client_node(sync_client_t *client)
{
    if (client->node)
        return NULL;
    CM_TRY(sync_client_store(client));
    return cm_node_open(&client->node, client->settings, client->store,
                        client->pool);
}

void sync_client_report(sync_client_t *client, const char *peer,
                        const cm_error_t *err)
{
    sync_output_error(client->output, peer, err, client->pool);
    client->status = cm_error_code_exit_status(err->code);
}

void sync_client_exit_with(sync_client_t *client, const cm_error_t *err)
{
    if (err && (client->status == 0 ||
                client->status == cm_error_code_exit_status(CM_TIMEOUT)))
        client->status = cm_error_code_exit_status(err->code);
}

cm_error_t *sync_client_usage(const sync_client_t *client, const char *what)
{
    return cm_error_hint(CM_FAIL(client->pool, CM_USAGE, "%s", what),
                         client->pool, "communicator-sync %s --help",
                         client->options->command->name);
}

cm_error_t *sync_client_model(const cm_model_t **model,
                              const sync_client_t *client, const char *name)
{
    *model = cm_settings_model(client->settings, name);
    if (*model)
        return NULL;
    return cm_error_hint(
        CM_FAIL(client->pool, CM_USAGE, "there is no model '%s'", name),
        client->pool, "communicator-sync configtest --dump shows the models");
}

static const char *peer_names(const cm_settings_t *settings, apr_pool_t *pool)
{
    const char *names = "";
    int i;

    for (i = 0; i < settings->peers->nelts; i++)
        names = apr_pstrcat(
            pool, names, i > 0 ? ", " : "",
            APR_ARRAY_IDX(settings->peers, i, cm_peer_settings_t *)->name,
            NULL);
    return names;
}

cm_error_t *sync_client_peer(const cm_peer_settings_t **peer,
                             const sync_client_t *client, const char *name)
{
    *peer = cm_settings_peer(client->settings, name);
    if (*peer)
        return NULL;
    return CM_FAIL(client->pool, CM_USAGE, "there is no peer '%s' (known: %s)",
                   name, peer_names(client->settings, client->pool));
}

cm_error_t *sync_client_peers(apr_array_header_t **peers,
                              const sync_client_t *client, int connected)
{
    const apr_array_header_t *all = client->settings->peers;
    const char *name = client->options->peer;
    const cm_peer_settings_t *only = NULL;
    int i;

    if (name)
        CM_TRY(sync_client_peer(&only, client, name));
    *peers = apr_array_make(client->pool, 4, sizeof(cm_peer_settings_t *));
    for (i = 0; i < all->nelts; i++) {
        cm_peer_settings_t *peer = APR_ARRAY_IDX(all, i, cm_peer_settings_t *);

        if ((!only || peer == only) && (!connected || peer->uri))
            APR_ARRAY_PUSH(*peers, cm_peer_settings_t *) = peer;
    }
    if ((*peers)->nelts > 0 || !connected)
        return NULL;
    return cm_error_hint(
        CM_FAIL(client->pool, CM_CONFIG, "no peer to connect to is configured"),
        client->pool,
        "add uri= to a CommunicatorPeer; where the peers connect to this "
        "node, their communicator-sync does the work");
}

const char *sync_client_skew(const cm_peer_t *peer, apr_pool_t *pool)
{
    apr_int64_t offset = peer->clock_offset;
    int behind = offset < 0;

    if (behind)
        offset = -offset;
    if (offset <= CM_SKEW_LIMIT)
        return NULL;
    return apr_psprintf(pool, "its clock is %" APR_INT64_T_FMT " s %s ours",
                        offset / 1000000, behind ? "behind" : "ahead of");
}

apr_array_header_t *sync_client_stuck(const cm_status_peer_t *peer,
                                      apr_pool_t *pool)
{
    const char *here = "communicator-sync parked";
    const char *there = "communicator-sync parked, on that host";
    const char *name = peer->peer->name;
    const cm_status_said_t *said = &peer->said;
    const struct {
        apr_int64_t count;
        const char *hint, *text;
    } facts[] = {
        {peer->parked, here, apr_psprintf(pool, "of %s parked here", name)},
        {said->parked, there,
         apr_psprintf(pool, "of ours parked at %s, as of %s", name,
                      sync_output_when(said->at, pool))},
        {peer->withheld.count, here,
         apr_psprintf(pool, "withheld from %s, from %" APR_INT64_T_FMT " on",
                      name, peer->withheld.first)},
        {said->withheld.count, there,
         apr_psprintf(pool, "withheld from us by %s", name)}};
    apr_array_header_t *stuck = apr_array_make(pool, 4, sizeof(cm_problem_t));
    size_t i;

    for (i = 0; i < sizeof(facts) / sizeof(*facts); i++)
        if (facts[i].count > 0)
            APR_ARRAY_PUSH(stuck, cm_problem_t) = (cm_problem_t){
                .severity = CM_SEVERITY_WARNING,
                .peer = name,
                .text = apr_pstrcat(
                    pool, cm_number_of(facts[i].count, "message", pool), " ",
                    facts[i].text, NULL),
                .hint = facts[i].hint};
    return stuck;
}

cm_error_t *sync_client_exclude_others(const sync_client_t *client,
                                       const cm_peer_settings_t *peer)
{
    const char *holder;

    if (!peer->uri)
        return NULL;
    CM_TRY(sync_lock_take(&holder, client, peer->name, client->pool));
    if (!holder)
        return NULL;
    return cm_error_hint(CM_FAIL(client->pool, CM_LOCKED,
                                 "another run is at work with '%s' (%s)",
                                 peer->name, holder),
                         client->pool, "--wait 60s waits for it");
}
