/* models: propose the configuration of all tables. */
#include "command.h"

#include <stdio.h>
#include <string.h>

#include <apr_strings.h>
#include <json.h>

#include "config/directive.h"
#include "schema/propose.h"
#include "models_diff.h"
#include "models_file.h"

/* Return WHAT as lines of a comment, each of at most 80 columns. */
static void comment(cm_buffer_t *out, const char *what)
{
    const char *text = cm_clean(what, out->pool), *end, *space;

    do {
        end = text + strlen(text);
        if (end - text > 78) {
            for (space = text + 78; space > text && *space != ' '; space--)
                ;
            end = space > text ? space : end;
        }
        cm_buffer_raw(out, "# ");
        cm_buffer_append(out, text, end - text);
        cm_buffer_raw(out, "\n");
        text = end + strspn(end, " ");
    } while (*text);
}

/* Whether the line of PROPOSAL would declare a model again. */
static int is_declared(const sync_client_t *client,
                       const cm_proposal_t *proposal)
{
    return proposal->configured && client->options->models.write;
}

static void print_proposal(cm_buffer_t *out, const sync_client_t *client,
                           const cm_proposal_t *proposal)
{
    apr_pool_t *pool = client->pool;
    const cm_model_t *configured = proposal->configured;
    int i;

    if (is_declared(client, proposal)) {
        comment(out, apr_psprintf(pool, "%s: is a model already (%s:%d)",
                                  proposal->table->name, configured->place.file,
                                  configured->place.line));
        return;
    }
    for (i = 0; i < proposal->notes->nelts; i++)
        comment(out,
                apr_psprintf(pool, "%s: %s", proposal->table->name,
                             APR_ARRAY_IDX(proposal->notes, i, const char *)));
    if (proposal->line)
        cm_buffer_raw(out, apr_pstrcat(pool, proposal->line, "\n", NULL));
    else
        comment(out, apr_psprintf(pool, "%s: left out: %s%s%s%s",
                                  proposal->table->name, proposal->left_out,
                                  proposal->hint ? " (" : "",
                                  proposal->hint ? proposal->hint : "",
                                  proposal->hint ? ")" : ""));
}

/* Return the lines of all PROPOSALS, as they stand in a file. */
static cm_buffer_t *lines_of(const sync_client_t *client,
                             const apr_array_header_t *proposals)
{
    cm_buffer_t *out = cm_buffer_create(4096, client->pool);
    int i;

    comment(out, "The models of this database, by `communicator-sync models`. "
                 "Both hosts need the same names.");
    for (i = 0; i < proposals->nelts; i++)
        print_proposal(out, client,
                       APR_ARRAY_IDX(proposals, i, const cm_proposal_t *));
    return out;
}

static json_object *texts(const apr_array_header_t *list, apr_pool_t *pool)
{
    json_object *json = json_object_new_array();
    int i;

    for (i = 0; i < list->nelts; i++)
        json_object_array_add(
            json, json_object_new_string(
                      cm_clean(APR_ARRAY_IDX(list, i, const char *), pool)));
    return json;
}

static void print_json(const sync_client_t *client,
                       const apr_array_header_t *proposals)
{
    int i;

    for (i = 0; i < proposals->nelts; i++) {
        const cm_proposal_t *proposal =
            APR_ARRAY_IDX(proposals, i, const cm_proposal_t *);
        json_object *json = json_object_new_object();

        sync_output_add_text(json, "table", proposal->table->name);
        sync_output_add_text(json, "model",
                             proposal->line ? proposal->model : NULL);
        sync_output_add_text(json, "line", proposal->line);
        sync_output_add_text(json, "left_out", proposal->left_out);
        sync_output_add_text(json, "hint", proposal->hint);
        json_object_object_add(json, "notes",
                               texts(proposal->notes, client->pool));
        sync_output_json(client->output, json);
    }
}

/* Write the lines to the file that --write names, and say what it holds. */
static cm_error_t *write_file(const sync_client_t *client,
                              const apr_array_header_t *proposals)
{
    const char *path = client->options->models.write;
    const cm_buffer_t *lines = lines_of(client, proposals);
    int i, models = 0, left_out = 0;

    CM_TRY_FOR(sync_models_file_write(path, lines, client->pool), client->pool,
               "cannot write the models");
    for (i = 0; i < proposals->nelts; i++) {
        const cm_proposal_t *proposal =
            APR_ARRAY_IDX(proposals, i, const cm_proposal_t *);

        models += proposal->line && !proposal->configured;
        left_out += !proposal->line;
    }
    sync_output_line(client->output,
                     "%s: %d models, %d tables left out; read its comments, "
                     "and include it on both hosts: Include %s",
                     path, models, left_out, path);
    return NULL;
}

cm_error_t *sync_command_models(sync_client_t *client)
{
    const sync_options_models_t *options = &client->options->models;
    const cm_propose_options_t wanted = {.patterns = options->tables,
                                         .guess = options->guess};
    apr_array_header_t *proposals;
    const cm_buffer_t *lines;

    if (options->write && (options->diff || client->output->json))
        return sync_client_usage(client, "--write excludes --diff and --json");
    CM_TRY(sync_client_store(client));
    CM_TRY_FOR(cm_propose_all(&proposals, client->store, client->settings,
                              &wanted, client->pool),
               client->pool, "cannot read the catalog");
    if (options->diff)
        return sync_models_diff(client, proposals);
    if (options->write)
        return write_file(client, proposals);
    if (client->output->json) {
        print_json(client, proposals);
        return NULL;
    }
    lines = lines_of(client, proposals);
    fwrite(lines->data, 1, lines->size, stdout);
    return NULL;
}
