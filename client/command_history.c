/* history: what was sent and received, by time, model and record. */
#include "command.h"

#include <string.h>

#include <apr_strings.h>
#include <json.h>

#include "base/clock.h"
#include "config/option.h"
#include "record/tuple.h"
#include "operate/explain.h"
#include "listing.h"

#define USUAL_LIMIT 100
#define MOST_LIMIT  100000

static const char *way_cell(const void *row, apr_pool_t *pool)
{
    (void)pool;
    return ((const cm_event_t *)row)->sent ? "out" : "in";
}

#define COLUMN(title, key, kind, field)                                        \
    SYNC_COLUMN(title, key, kind, cm_event_t, field)
static const sync_column_t columns[] = {
    {COLUMN("AT", "at", MOMENT, at)},
    {COLUMN("WAY", "way", COMPUTED, sent), .cell = way_cell},
    {COLUMN("FROM", "peer", TEXT, peer), .none = "-"},
    {COLUMN("ID", "id", NUMBER, id), .none = "-"},
    {COLUMN("MODEL", "model", TEXT, model), .none = "?"},
    {COLUMN("RECORD", NULL, RECORD, record)},
    {COLUMN("ACTION", "action", TEXT, action), .none = "-"},
    {COLUMN("STATE", "done", TRUTH, done), .cell = sync_command_explain_state},
    {COLUMN(NULL, "origin", TEXT, record.origin)},
    {COLUMN(NULL, "original_id", TEXT, record.original_id)},
    {COLUMN(NULL, "changed", TEXT, changed)},
    {COLUMN(NULL, "clock", NUMBER, clock)},
    {COLUMN(NULL, "error", TEXT, error)},
    {COLUMN(NULL, "body", TEXT, body)},
    SYNC_COLUMN_END};
#undef COLUMN

/* Read --since: how long ago, or a date and time. */
static cm_error_t *read_since(apr_int64_t *since, const char *text,
                              apr_pool_t *pool)
{
    apr_interval_time_t ago;

    if (!text || cm_history_moment(since, text, strlen(text)))
        return NULL;
    if (cm_option_time(&ago, text, pool))
        return CM_FAIL(pool, CM_USAGE,
                       "--since: '%s' is neither an age, as 2h, nor a date, as "
                       "'2026-12-31 23:00'",
                       text);
    *since = cm_clock_now() - ago;
    return NULL;
}

/* Read what the options ask for, but for the record. */
static cm_error_t *read_query(cm_history_query_t *query, sync_client_t *client)
{
    const sync_options_history_t *options = &client->options->history;
    const cm_model_t *model;

    query->peer = client->options->peer;
    query->limit = USUAL_LIMIT;
    if (options->limit && cm_option_number(&query->limit, options->limit, 1,
                                           MOST_LIMIT, client->pool))
        return CM_FAIL(client->pool, CM_USAGE,
                       "--limit: '%s' is not a number from 1 to %d",
                       options->limit, MOST_LIMIT);
    CM_TRY(read_since(&query->since, options->since, client->pool));
    if (options->id && !options->model)
        return sync_client_usage(client, "--id needs a --model");
    if (!options->model)
        return NULL;
    CM_TRY(sync_client_model(&model, client, options->model));
    query->model = model->name;
    return NULL;
}

cm_error_t *sync_command_history(sync_client_t *client)
{
    const sync_options_history_t *options = &client->options->history;
    apr_pool_t *pool = client->pool;
    apr_array_header_t *sent, *received, *peers, *all;
    cm_history_query_t query = {NULL};

    CM_TRY(sync_client_peers(&peers, client, 0));
    CM_TRY(read_query(&query, client));
    CM_TRY(sync_client_node(client));
    if (options->id) {
        const cm_model_t *model =
            cm_settings_model(client->settings, query.model);

        query.local_id =
            cm_tuple_of_word(options->id, model->columns.key->nelts, pool);
        CM_TRY(cm_explain_identity(&query.identity, client->node, model,
                                   query.local_id, pool));
    }
    CM_TRY(cm_history_sent(&sent, client->node, &query, pool));
    CM_TRY(cm_history_received(&received, client->node, &query, pool));
    all = cm_history_join(sent, received, query.limit, pool);
    if (client->output->json)
        sync_output_json(
            client->output,
            sync_listing_json(json_object_new_array(), columns, all, pool));
    else if (all->nelts)
        sync_listing_table(client->output, columns, all, pool);
    else
        sync_output_summary(client->output, "nothing was sent or received");
    return NULL;
}
