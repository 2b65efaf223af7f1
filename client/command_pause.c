/* pause, resume: nothing moves, on this side and at the peers. */
#include "command.h"

#include <json.h>

#include "connect.h"
#include "base/error.h"
#include "config/settings.h"
#include "record/clocks.h"
#include "operate/pause.h"

static void report(const sync_client_t *client, const char *name, int pause)
{
    json_object *json;

    if (!client->output->json) {
        sync_output_line(client->output, "%s is %s", name,
                         pause ? "paused" : "resumed");
        return;
    }
    json = json_object_new_object();
    sync_output_add_text(json, "node", name);
    sync_output_add_truth(json, "paused", pause);
    sync_output_json(client->output, json);
}

/* Report a peer that cannot be reached; the others, and this side, are paused
 * anyway. */
static void tell_peer(int *status, sync_client_t *client,
                      const cm_peer_settings_t *peer, int pause,
                      apr_pool_t *pool)
{
    cm_session_t *session;
    cm_error_t *err = sync_connect(&session, client->node, peer,
                                   client->options->timeout, pool);

    if (!err)
        err = cm_session_pause(session, pause, pool);
    if (!err) {
        report(client, peer->name, pause);
        return;
    }
    sync_output_error(client->output, peer->name,
                      cm_error_make(pool, err->code, err, __FILE__, __LINE__,
                                    "cannot be %s",
                                    pause ? "paused" : "resumed"),
                      pool);
    *status = cm_error_code_exit_status(err->code);
}

static cm_error_t *set(int *status, sync_client_t *client, int pause,
                       apr_pool_t *scratch_pool)
{
    apr_array_header_t *peers;
    int i;

    CM_TRY(sync_client_peers(&peers, client, 0, scratch_pool));
    CM_TRY(sync_client_node(client));
    CM_TRY(
        cm_pause_set(client->node, pause ? cm_clocks_now() : 0, scratch_pool));
    report(client, client->settings->name, pause);
    for (i = 0; i < peers->nelts; i++) {
        const cm_peer_settings_t *peer =
            APR_ARRAY_IDX(peers, i, const cm_peer_settings_t *);

        if (peer->uri)
            tell_peer(status, client, peer, pause, scratch_pool);
    }
    return NULL;
}

cm_error_t *sync_command_pause(int *status, sync_client_t *client,
                               apr_pool_t *scratch_pool)
{
    return set(status, client, 1, scratch_pool);
}

cm_error_t *sync_command_pause_end(int *status, sync_client_t *client,
                                   apr_pool_t *scratch_pool)
{
    return set(status, client, 0, scratch_pool);
}
