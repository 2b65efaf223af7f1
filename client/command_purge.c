/* purge: messages that have done their work are removed. */
#include "command.h"

#include <json.h>

#include "operate/purge.h"
#include "stop.h"
#include "record/clocks.h"

static cm_error_t *on_progress(void *baton, apr_int64_t removed,
                               apr_pool_t *pool)
{
    (void)baton;
    (void)removed;
    return sync_stop_check(pool);
}

static void report(const sync_client_t *client, const cm_purge_t *purge,
                   apr_pool_t *pool)
{
    json_object *json;

    if (client->output->json) {
        json = json_object_new_object();
        json_object_object_add(json, "outbound",
                               json_object_new_int64(purge->outbound));
        json_object_object_add(json, "inbound",
                               json_object_new_int64(purge->inbound));
        sync_output_json(client->output, json);
        return;
    }
    sync_output_line(client->output, "removed %s messages sent and %s received",
                     sync_output_number(purge->outbound, pool),
                     sync_output_number(purge->inbound, pool));
    if (purge->slowest && !purge->force && client->output->verbose)
        sync_output_line(client->output,
                         "kept from %" APR_INT64_T_FMT
                         " on: '%s' has confirmed no more",
                         purge->kept, purge->slowest);
}

cm_error_t *sync_command_purge(int *status, sync_client_t *client,
                               apr_pool_t *scratch_pool)
{
    const sync_options_t *options = client->options;
    apr_interval_time_t age =
        options->older_than ? options->older_than : client->settings->retain;
    cm_purge_t purge = {.force = options->force, .progress = on_progress};

    (void)status;
    if (options->all && options->older_than)
        return CM_FAIL(scratch_pool, CM_USAGE,
                       "purge takes --all or --older-than, not both");
    if (options->all) /* the database's clock may be ahead */
        age = -apr_time_from_sec(86400);
    else if (age < 0)
        return cm_error_hint(
            CM_FAIL(scratch_pool, CM_USAGE, "CommunicatorRetain is forever"),
            scratch_pool, "say --older-than AGE, as 30d, or --all");
    purge.before = cm_clocks_now() - age;
    CM_TRY(sync_client_node(client));
    CM_TRY_FOR(cm_purge_run(&purge, client->node, scratch_pool), scratch_pool,
               "cannot purge");
    report(client, &purge, scratch_pool);
    return NULL;
}
