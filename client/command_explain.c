/* explain: what happened to one record. */
#include "command.h"

#include <string.h>

#include <apr_strings.h>
#include <json.h>

#include "record/tuple.h"
#include "operate/explain.h"
#include "listing.h"

static const char *changed_cell(const void *row, apr_pool_t *pool)
{
    const char *changed = ((const cm_event_t *)row)->changed;

    (void)pool;
    if (changed && !strcmp(changed, "[]"))
        return "(sent again)";
    return changed ? changed : "all";
}

const char *sync_command_explain_state(const void *row, apr_pool_t *pool)
{
    const cm_event_t *one = row;

    if (one->sent)
        return one->done ? "handed over" : one->id ? "waits" : "not numbered";
    if (!one->done)
        return apr_pstrcat(pool, "parked: ", one->error, NULL);
    return one->error && *one->error ? one->error : "applied";
}

#define COLUMN(title, key, kind, field)                                        \
    SYNC_COLUMN(title, key, kind, cm_event_t, field)
static const sync_column_t out_columns[] = {
    {COLUMN("SEQ", "id", NUMBER, id), .none = "-"},
    {COLUMN("ACTION", "action", TEXT, action), .none = "-"},
    {COLUMN("CHANGED", "changed", TEXT, changed), .cell = changed_cell},
    {COLUMN("CLOCK", NULL, MOMENT, clock)},
    {COLUMN(NULL, "clock", NUMBER, clock)},
    {COLUMN("STATE", "done", TRUTH, done), .cell = sync_command_explain_state},
    {COLUMN(NULL, "peer", TEXT, peer)},
    {COLUMN(NULL, "error", TEXT, error)},
    SYNC_COLUMN_END};

static const sync_column_t in_columns[] = {
    {COLUMN("FROM", "peer", TEXT, peer)},
    {COLUMN("ID", "id", NUMBER, id), .none = "-"},
    {COLUMN("ACTION", "action", TEXT, action), .none = "-"},
    {COLUMN("CLOCK", NULL, MOMENT, clock)},
    {COLUMN(NULL, "clock", NUMBER, clock)},
    {COLUMN("STATE", "done", TRUTH, done), .cell = sync_command_explain_state},
    {COLUMN(NULL, "changed", TEXT, changed)},
    {COLUMN(NULL, "error", TEXT, error)},
    SYNC_COLUMN_END};
#undef COLUMN

/* The table cuts long values; the JSON does not. */
#define COLUMN(title, key, kind, field)                                        \
    SYNC_COLUMN(title, key, kind, cm_loss_t, field)
static const sync_column_t loss_columns[] = {
    {COLUMN("COLUMN", "column", TEXT, column), .none = "(discarded)"},
    {COLUMN("LOST", "lost", TEXT, lost), .none = "-", .most = 60},
    {COLUMN("CHANGED", NULL, MOMENT, lost_clock)},
    {COLUMN(NULL, "lost_clock", NUMBER, lost_clock)},
    {COLUMN("WON", "won", TEXT, won), .none = "-", .most = 60},
    {COLUMN("CHANGED", NULL, MOMENT, won_clock)},
    {COLUMN(NULL, "won_clock", NUMBER, won_clock)},
    {COLUMN(NULL, "peer", TEXT, peer)},
    {COLUMN(NULL, "message", NUMBER, message_id)},
    {COLUMN(NULL, "at", NUMBER, at)},
    SYNC_COLUMN_END};
#undef COLUMN

static void print_record(const sync_client_t *client, const cm_model_t *model,
                         const cm_story_t *story)
{
    const sync_output_t *output = client->output;
    const cm_mapping_t *mapping = story->mapping;

    sync_output_line(output, "%s%s%s: %s in table %s", model->name,
                     *story->key ? " " : "", story->key,
                     story->exists ? "is" : "is not", model->table);
    if (!mapping && story->in->nelts + story->out->nelts == 0) {
        sync_output_line(output, "it was never sent or received%s",
                         story->exists ? ": communicator-sync publish sends it"
                                       : "");
        return;
    }
    if (!mapping)
        return;
    sync_output_line(output, "made by   %s, as %s", mapping->identity.origin,
                     mapping->identity.original_id);
    sync_output_line(output, "changed   %s",
                     sync_output_moment(mapping->clocks.clock, client->pool));
    if (mapping->deleted_at)
        sync_output_line(output, "deleted   %s",
                         sync_output_moment(mapping->deleted_at, client->pool));
}

/* Print a part of the story, unless there is nothing in it. */
static void print_part(const sync_client_t *client, const char *heading,
                       const sync_column_t *columns,
                       const apr_array_header_t *rows)
{
    if (!rows->nelts)
        return;
    sync_output_line(client->output, "\n%s, newest first", heading);
    sync_listing_table(client->output, columns, rows, client->pool);
}

static void print_json(const sync_client_t *client, const cm_model_t *model,
                       const cm_story_t *story)
{
    const cm_mapping_t *mapping = story->mapping;
    apr_pool_t *pool = client->pool;
    json_object *json = json_object_new_object();

    sync_output_add_text(json, "model", model->name);
    sync_output_add_text(json, "id", story->key);
    sync_output_add_truth(json, "exists", story->exists);
    sync_output_add_text(json, "origin",
                         mapping ? mapping->identity.origin : NULL);
    sync_output_add_text(json, "original_id",
                         mapping ? mapping->identity.original_id : NULL);
    sync_output_add_number(json, "clock", mapping ? mapping->clocks.clock : 0);
    sync_output_add_moment(json, "deleted_at",
                           mapping ? mapping->deleted_at : 0, client->pool);
    json_object_object_add(json, "out",
                           sync_listing_json(json_object_new_array(),
                                             out_columns, story->out, pool));
    json_object_object_add(json, "in",
                           sync_listing_json(json_object_new_array(),
                                             in_columns, story->in, pool));
    json_object_object_add(json, "lost",
                           sync_listing_json(json_object_new_array(),
                                             loss_columns, story->losses,
                                             pool));
    sync_output_json(client->output, json);
}

cm_error_t *sync_command_explain(sync_client_t *client)
{
    const apr_array_header_t *words = client->options->arguments;
    const char *const *word = (const char *const *)words->elts;
    apr_pool_t *pool = client->pool;
    const cm_model_t *model;
    cm_story_t *story;

    if (words->nelts < 2)
        return sync_client_usage(client, "explain needs a model and an id");
    CM_TRY(sync_client_model(&model, client, word[0]));
    CM_TRY(sync_client_node(client));
    CM_TRY_FOR(
        cm_explain_record(&story, client->node, model,
                          words->nelts > 2 ? word[1] : NULL,
                          cm_tuple_of_word(word[words->nelts - 1],
                                           model->columns.key->nelts, pool),
                          pool),
        pool, "cannot explain");
    if (client->output->json) {
        print_json(client, model, story);
        return NULL;
    }
    print_record(client, model, story);
    print_part(client, "Messages out", out_columns, story->out);
    print_part(client, "Messages in", in_columns, story->in);
    print_part(client, "Values that lost", loss_columns, story->losses);
    return NULL;
}
