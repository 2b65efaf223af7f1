/* purge: remove messages that have done their work. */
#include "command.h"

#include <json.h>

#include "base/number.h"
#include "base/clock.h"
#include "operate/purge.h"
#include "stop.h"

static cm_error_t *on_progress(void *baton, apr_int64_t removed,
                               apr_pool_t *pool)
{
    (void)baton;
    (void)removed;
    return sync_stop_check(pool);
}

static void report(const sync_client_t *client, const cm_purge_t *purge)
{
    json_object *json = json_object_new_object();

    sync_output_add_number(json, "outbound", purge->outbound);
    sync_output_add_number(json, "inbound", purge->inbound);
    sync_output_result(client->output, json,
                       "removed %s messages sent and %s received",
                       cm_number_grouped(purge->outbound, client->pool),
                       cm_number_grouped(purge->inbound, client->pool));
    if (purge->slowest && !purge->force && client->output->verbose)
        sync_output_line(client->output,
                         "kept from %" APR_INT64_T_FMT
                         " on: '%s' has confirmed no more",
                         purge->kept, purge->slowest);
}

cm_error_t *sync_command_purge(sync_client_t *client)
{
    const sync_options_t *options = client->options;
    apr_pool_t *pool = client->pool;
    apr_interval_time_t age = options->select.older_than
                                  ? options->select.older_than
                                  : client->settings->retain;
    cm_purge_t purge = {.force = options->select.force,
                        .progress = on_progress};

    if (options->select.all && options->select.older_than)
        return CM_FAIL(pool, CM_USAGE,
                       "purge takes --all or --older-than, not both");
    if (options->select.all) /* the database's clock may be ahead */
        age = -apr_time_from_sec(86400);
    else if (age < 0)
        return cm_error_hint(
            CM_FAIL(pool, CM_USAGE, "CommunicatorRetain is forever"), pool,
            "add --older-than AGE, for example 30d, or --all");
    purge.before = cm_clock_now() - age;
    CM_TRY(sync_client_node(client));
    CM_TRY_FOR(cm_purge_run(&purge, client->node, pool), pool, "cannot purge");
    report(client, &purge);
    return NULL;
}
