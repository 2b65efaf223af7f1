/* explain: the story of one record. */
#include "command.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_time.h>
#include <json.h>

#include "operate/explain.h"

#define COLUMNS 5

/* A clock as a person reads it. */
static const char *moment(apr_int64_t clock, apr_pool_t *pool)
{
    apr_time_exp_t time;

    if (clock < 1000000)
        return clock ? "before all changes" : "-";
    apr_time_exp_gmt(&time, clock);
    return apr_psprintf(pool, "%04d-%02d-%02d %02d:%02d:%02d.%06d UTC",
                        time.tm_year + 1900, time.tm_mon + 1, time.tm_mday,
                        time.tm_hour, time.tm_min, time.tm_sec, time.tm_usec);
}

static void add_row(apr_array_header_t *cells, const char *a, const char *b,
                    const char *c, const char *d, const char *e)
{
    APR_ARRAY_PUSH(cells, const char *) = a;
    APR_ARRAY_PUSH(cells, const char *) = b;
    APR_ARRAY_PUSH(cells, const char *) = c;
    APR_ARRAY_PUSH(cells, const char *) = d;
    APR_ARRAY_PUSH(cells, const char *) = e;
}

static const char *number(apr_int64_t value, apr_pool_t *pool)
{
    return value ? apr_psprintf(pool, "%" APR_INT64_T_FMT, value) : "-";
}

static void print_record(const sync_client_t *client, const cm_model_t *model,
                         const cm_story_t *story, apr_pool_t *pool)
{
    const sync_output_t *output = client->output;
    const cm_mapping_t *mapping = story->mapping;

    sync_output_line(output, "%s%s%s: %s in table %s", model->name,
                     *story->key ? " " : "", story->key,
                     story->exists ? "is" : "is not", model->table);
    if (!mapping && story->in->nelts + story->out->nelts == 0) {
        sync_output_line(output, "no node has ever heard of it%s",
                         story->exists ? ": communicator-sync publish says it"
                                       : "");
        return;
    }
    if (!mapping)
        return;
    sync_output_line(output, "made by   %s, as %s", mapping->identity.origin,
                     sync_output_clean(mapping->identity.original_id, pool));
    sync_output_line(output, "changed   %s",
                     moment(mapping->clocks.clock, pool));
    if (mapping->deleted_at)
        sync_output_line(output, "deleted   %s",
                         moment(mapping->deleted_at, pool));
}

static void print_out(const sync_client_t *client, const cm_story_t *story,
                      apr_pool_t *pool)
{
    apr_array_header_t *cells = apr_array_make(pool, 32, sizeof(char *));
    int i;

    if (!story->out->nelts)
        return;
    sync_output_line(client->output, "\nMessages out, newest first");
    add_row(cells, "SEQ", "ACTION", "CHANGED", "CLOCK", "STATE");
    for (i = 0; i < story->out->nelts; i++) {
        const cm_event_t *one = &APR_ARRAY_IDX(story->out, i, cm_event_t);
        const char *changed = one->changed ? one->changed : "all";

        add_row(cells, number(one->id, pool), one->action ? one->action : "-",
                strcmp(changed, "[]") ? changed : "(said again)",
                moment(one->clock, pool),
                one->done ? "handed over"
                : one->id ? "waits"
                          : "not numbered");
    }
    sync_output_table(client->output, cells, COLUMNS);
}

static void print_in(const sync_client_t *client, const cm_story_t *story,
                     apr_pool_t *pool)
{
    apr_array_header_t *cells = apr_array_make(pool, 32, sizeof(char *));
    int i;

    if (!story->in->nelts)
        return;
    sync_output_line(client->output, "\nMessages in, newest first");
    add_row(cells, "FROM", "ID", "ACTION", "CLOCK", "STATE");
    for (i = 0; i < story->in->nelts; i++) {
        const cm_event_t *one = &APR_ARRAY_IDX(story->in, i, cm_event_t);
        const char *why = one->error ? sync_output_clean(one->error, pool) : "";

        add_row(cells, one->peer, number(one->id, pool),
                one->action ? one->action : "-", moment(one->clock, pool),
                !one->done ? apr_pstrcat(pool, "parked: ", why, NULL)
                : *why     ? why
                           : "applied");
    }
    sync_output_table(client->output, cells, COLUMNS);
}

static void print_losses(const sync_client_t *client, const cm_story_t *story,
                         apr_pool_t *pool)
{
    apr_array_header_t *cells = apr_array_make(pool, 32, sizeof(char *));
    int i;

    if (!story->losses->nelts)
        return;
    sync_output_line(client->output, "\nValues that lost, newest first");
    add_row(cells, "COLUMN", "LOST", "CHANGED", "WON", "CHANGED");
    for (i = 0; i < story->losses->nelts; i++) {
        const cm_loss_t *one = &APR_ARRAY_IDX(story->losses, i, cm_loss_t);
        const char *lost = one->lost ? sync_output_clean(one->lost, pool) : "-";

        add_row(cells, one->column ? one->column : "(discarded)",
                apr_psprintf(pool, "%.60s", lost),
                moment(one->lost_clock, pool),
                one->won ? apr_psprintf(pool, "%.60s",
                                        sync_output_clean(one->won, pool))
                         : "-",
                moment(one->won_clock, pool));
    }
    sync_output_table(client->output, cells, COLUMNS);
}

static json_object *events_json(const apr_array_header_t *events)
{
    json_object *all = json_object_new_array();
    int i;

    for (i = 0; i < events->nelts; i++) {
        const cm_event_t *one = &APR_ARRAY_IDX(events, i, cm_event_t);
        json_object *json = json_object_new_object();

        sync_output_add_text(json, "peer", one->peer);
        sync_output_add_number(json, "id", one->id);
        sync_output_add_text(json, "action", one->action);
        sync_output_add_text(json, "changed", one->changed);
        sync_output_add_number(json, "clock", one->clock);
        sync_output_add_text(json, "error", one->error);
        sync_output_add_truth(json, "done", one->done);
        json_object_array_add(all, json);
    }
    return all;
}

static json_object *losses_json(const apr_array_header_t *losses)
{
    json_object *all = json_object_new_array();
    int i;

    for (i = 0; i < losses->nelts; i++) {
        const cm_loss_t *one = &APR_ARRAY_IDX(losses, i, cm_loss_t);
        json_object *json = json_object_new_object();

        sync_output_add_text(json, "column", one->column);
        sync_output_add_text(json, "lost", one->lost);
        sync_output_add_number(json, "lost_clock", one->lost_clock);
        sync_output_add_text(json, "won", one->won);
        sync_output_add_number(json, "won_clock", one->won_clock);
        sync_output_add_text(json, "peer", one->peer);
        sync_output_add_number(json, "message", one->message_id);
        sync_output_add_number(json, "at", one->at);
        json_object_array_add(all, json);
    }
    return all;
}

static void print_json(const sync_client_t *client, const cm_model_t *model,
                       const cm_story_t *story)
{
    const cm_mapping_t *mapping = story->mapping;
    json_object *json = json_object_new_object();

    sync_output_add_text(json, "model", model->name);
    sync_output_add_text(json, "id", story->key);
    sync_output_add_truth(json, "exists", story->exists);
    sync_output_add_text(json, "origin",
                         mapping ? mapping->identity.origin : NULL);
    sync_output_add_text(json, "original_id",
                         mapping ? mapping->identity.original_id : NULL);
    sync_output_add_number(json, "clock", mapping ? mapping->clocks.clock : 0);
    sync_output_add_number(json, "deleted_at",
                           mapping ? mapping->deleted_at : 0);
    json_object_object_add(json, "out", events_json(story->out));
    json_object_object_add(json, "in", events_json(story->in));
    json_object_object_add(json, "lost", losses_json(story->losses));
    sync_output_json(client->output, json);
}

cm_error_t *sync_command_explain(int *status, sync_client_t *client,
                                 apr_pool_t *scratch_pool)
{
    const apr_array_header_t *words = client->options->arguments;
    const char *const *word = (const char *const *)words->elts;
    const cm_model_t *model;
    cm_story_t *story;

    (void)status;
    if (words->nelts < 2)
        return cm_error_hint(
            CM_FAIL(scratch_pool, CM_USAGE, "explain wants a model and an id"),
            scratch_pool, "communicator-sync explain --help");
    model = cm_settings_model(client->settings, word[0]);
    if (!model)
        return CM_FAIL(scratch_pool, CM_USAGE, "there is no model '%s'",
                       word[0]);
    CM_TRY(sync_client_node(client));
    CM_TRY_FOR(cm_explain_record(&story, client->node, model,
                                 words->nelts > 2 ? word[1] : NULL,
                                 word[words->nelts - 1], scratch_pool),
               scratch_pool, "cannot explain");
    if (client->output->json) {
        print_json(client, model, story);
        return NULL;
    }
    print_record(client, model, story, scratch_pool);
    print_out(client, story, scratch_pool);
    print_in(client, story, scratch_pool);
    print_losses(client, story, scratch_pool);
    return NULL;
}
