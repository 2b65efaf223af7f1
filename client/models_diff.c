/* What `models --diff` shows: see models_diff.h. */
#include "models_diff.h"

#include <stdio.h>
#include <string.h>

#include <apr_strings.h>
#include <json.h>

#include "schema/propose.h"

/* Print one difference: MARK, and for JSON its NAME. */
static void print(const sync_client_t *client, char mark, const char *name,
                  const char *table, const char *text)
{
    json_object *json;

    if (!client->output->json) {
        printf("%c %s\n", mark, cm_clean(text, client->pool));
        return;
    }
    json = json_object_new_object();
    sync_output_add_text(json, "change", name);
    sync_output_add_text(json, "table", table);
    sync_output_add_text(json, "text", cm_clean(text, client->pool));
    sync_output_json(client->output, json);
}

static void print_changed(const sync_client_t *client, const cm_model_t *model,
                          const char *text)
{
    print(client, '!', "changed", model->table,
          apr_psprintf(client->pool, "%s (%s:%d): %s", model->name,
                       model->place.file, model->place.line, text));
}

/* Name the columns of LIST, an option called NAME of MODEL, that are gone. */
static void print_gone(const sync_client_t *client,
                       const cm_proposal_t *proposal, const char *name,
                       const apr_array_header_t *list)
{
    int i;

    for (i = 0; i < list->nelts; i++) {
        const char *column = APR_ARRAY_IDX(list, i, const char *);

        if (!cm_catalog_column(proposal->table, column))
            print_changed(client, proposal->configured,
                          apr_psprintf(client->pool,
                                       "%s= names '%s', but %s has no such "
                                       "column any more",
                                       name, column, proposal->table->name));
    }
}

/* Name what the foreign keys say and the model does not, and the other way
 * round the columns that are gone. */
static void compare(const sync_client_t *client, const cm_proposal_t *proposal)
{
    const cm_model_t *model = proposal->configured;
    apr_array_header_t *columns =
        apr_array_make(client->pool, 2, sizeof(const char *));
    int i;

    for (i = 0; i < proposal->references->nelts; i++) {
        const cm_reference_t *one =
            &APR_ARRAY_IDX(proposal->references, i, cm_reference_t);

        if (cm_settings_model_carries(model, one->column) &&
            !cm_settings_model_reference(model, one->column))
            print_changed(
                client, model,
                apr_psprintf(client->pool, "references=%s is missing",
                             cm_settings_reference_text(one, client->pool)));
    }
    for (i = 0; i < model->columns.references->nelts; i++)
        APR_ARRAY_PUSH(columns, const char *) =
            APR_ARRAY_IDX(model->columns.references, i, cm_reference_t).column;
    print_gone(client, proposal, "key", model->columns.key);
    print_gone(client, proposal, "references", columns);
    print_gone(client, proposal, "match", model->columns.match);
    print_gone(client, proposal, "except", model->columns.except);
    print_gone(client, proposal, "only", model->columns.only);
}

/* Name the models whose tables are gone. */
static void print_lost(const sync_client_t *client, const cm_catalog_t *catalog)
{
    const apr_array_header_t *models = client->settings->models;
    int i;

    for (i = 0; i < models->nelts; i++) {
        const cm_model_t *model = APR_ARRAY_IDX(models, i, cm_model_t *);

        if (!cm_catalog_table(catalog, model->table) &&
            cm_propose_wants(client->options->models.tables, model->table))
            print(client, '-', "gone", model->table,
                  apr_psprintf(client->pool,
                               "%s (%s:%d): there is no table '%s'",
                               model->name, model->place.file,
                               model->place.line, model->table));
    }
}

cm_error_t *sync_models_diff(sync_client_t *client,
                             const apr_array_header_t *proposals)
{
    cm_catalog_t *catalog;
    int i;

    CM_TRY(cm_catalog_read(&catalog, client->store, client->pool));
    for (i = 0; i < proposals->nelts; i++) {
        const cm_proposal_t *proposal =
            APR_ARRAY_IDX(proposals, i, const cm_proposal_t *);

        if (proposal->configured)
            compare(client, proposal);
        else if (proposal->line)
            print(client, '+', "new", proposal->table->name, proposal->line);
    }
    print_lost(client, catalog);
    return NULL;
}
