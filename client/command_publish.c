/* publish: queue the present state of records as messages. */
#include "command.h"

#include <json.h>

#include "record/tuple.h"
#include "outbox/publish.h"

static void on_progress(void *baton, apr_int64_t done, apr_int64_t total)
{
    sync_progress_show(baton, "publish", done, total);
}

static cm_error_t *find_model(const cm_model_t **model,
                              const sync_client_t *client)
{
    const apr_array_header_t *words = client->options->arguments;

    if (words->nelts == 0)
        return sync_client_usage(client, "publish needs a model");
    CM_TRY(sync_client_model(model, client,
                             APR_ARRAY_IDX(words, 0, const char *)));
    if ((*model)->publishes)
        return NULL;
    return CM_FAIL(client->pool, CM_CONFIG,
                   "%s:%d: model '%s' is not published (direction=receive)",
                   (*model)->place.file, (*model)->place.line, (*model)->name);
}

static cm_error_t *publish(apr_int64_t *published, sync_client_t *client,
                           const cm_model_t *model,
                           const apr_array_header_t *ids)
{
    const sync_options_t *options = client->options;
    cm_error_t *err;

    if ((ids->nelts > 0) + options->select.all +
            (options->select.where != NULL) !=
        1)
        return sync_client_usage(client,
                                 "publish needs IDs, --all, or --where");
    CM_TRY(sync_client_node(client));
    if (ids->nelts > 0)
        return cm_publish_records(published, client->node, model, ids,
                                  client->pool);
    err = cm_publish_all(published, client->node, model, options->select.where,
                         on_progress, client->output, client->pool);
    sync_progress_end(client->output);
    return err;
}

static void report(const sync_client_t *client, const char *model,
                   apr_int64_t published)
{
    json_object *json;

    sync_output_summary(client->output, "%s: %" APR_INT64_T_FMT " published",
                        model, published);
    if (!client->output->json)
        return;
    json = json_object_new_object();
    sync_output_add_text(json, "model", model);
    sync_output_add_number(json, "published", published);
    sync_output_json(client->output, json);
}

cm_error_t *sync_command_publish(sync_client_t *client)
{
    apr_array_header_t *ids =
        apr_array_copy(client->pool, client->options->arguments);
    const cm_model_t *model = NULL;
    apr_int64_t published = 0;
    int i;

    CM_TRY(find_model(&model, client));
    ids->elts += ids->elt_size;
    ids->nelts--;
    for (i = 0; i < ids->nelts; i++)
        APR_ARRAY_IDX(ids, i, const char *) =
            cm_tuple_of_word(APR_ARRAY_IDX(ids, i, const char *),
                             model->columns.key->nelts, client->pool);
    CM_TRY_FOR(publish(&published, client, model, ids), client->pool,
               "cannot publish");
    report(client, model->name, published);
    if (published < ids->nelts)
        return CM_FAIL(client->pool, CM_MALFORMED,
                       "only %" APR_INT64_T_FMT " of %d records of '%s' exist",
                       published, ids->nelts, model->name);
    return NULL;
}
