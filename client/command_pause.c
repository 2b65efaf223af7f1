/* pause, resume: nothing moves, on this side and at the peers. */
#include "command.h"

#include <json.h>

#include "base/clock.h"
#include "connect.h"

static void report(const sync_client_t *client, const char *name, int pause)
{
    json_object *json = json_object_new_object();

    sync_output_add_text(json, "node", name);
    sync_output_add_truth(json, "paused", pause);
    sync_output_result(client->output, json, "%s is %s", name,
                       pause ? "paused" : "resumed");
}

static cm_error_t *set_peer(const sync_client_t *client,
                            const cm_peer_settings_t *peer, int pause)
{
    cm_session_t *session;

    CM_TRY(sync_connect(&session, client, peer, client->pool));
    return cm_session_pause(session, pause, client->pool);
}

/* A peer that cannot be reached is reported; the others, and this side, are
 * paused anyway. */
static cm_error_t *set(sync_client_t *client, int pause)
{
    apr_pool_t *pool = client->pool;
    apr_array_header_t *peers;
    cm_error_t *err;
    int i;

    CM_TRY(sync_client_peers(&peers, client, 0));
    CM_TRY(sync_client_node(client));
    CM_TRY(cm_node_set_paused(client->node, pause ? cm_clock_now() : 0, pool));
    report(client, client->settings->name, pause);
    for (i = 0; i < peers->nelts; i++) {
        const cm_peer_settings_t *peer =
            APR_ARRAY_IDX(peers, i, const cm_peer_settings_t *);

        if (!peer->uri)
            continue;
        err = set_peer(client, peer, pause);
        if (!err)
            report(client, peer->name, pause);
        else
            sync_client_report(client, peer->name,
                               cm_error_make(pool, err->code, err, __FILE__,
                                             __LINE__, "cannot be %s",
                                             pause ? "paused" : "resumed"));
    }
    return NULL;
}

cm_error_t *sync_command_pause(sync_client_t *client)
{
    return set(client, 1);
}

cm_error_t *sync_command_pause_end(sync_client_t *client)
{
    return set(client, 0);
}
