/* publish: the present state of records, as messages. */
#include "command.h"

#include <json.h>

#include "outbox/publish.h"

static void on_progress(void *baton, apr_int64_t done, apr_int64_t total)
{
    sync_progress_show(baton, "publish", done, total);
}

static cm_error_t *find_model(const cm_model_t **model,
                              const sync_client_t *client, apr_pool_t *pool)
{
    const sync_options_t *options = client->options;
    const char *name;

    if (options->arguments->nelts == 0)
        return cm_error_hint(CM_FAIL(pool, CM_USAGE, "publish wants a model"),
                             pool, "communicator-sync publish --help");
    name = APR_ARRAY_IDX(options->arguments, 0, const char *);
    *model = cm_settings_model(client->settings, name);
    if (!*model)
        return cm_error_hint(
            CM_FAIL(pool, CM_USAGE, "there is no model '%s'", name), pool,
            "communicator-sync configtest --dump shows the models");
    if (!(*model)->publishes)
        return CM_FAIL(pool, CM_CONFIG,
                       "%s:%d: model '%s' is not published (direction=receive)",
                       (*model)->place.file, (*model)->place.line, name);
    return NULL;
}

static cm_error_t *publish(apr_int64_t *published, sync_client_t *client,
                           const cm_model_t *model,
                           const apr_array_header_t *ids, apr_pool_t *pool)
{
    const sync_options_t *options = client->options;
    cm_error_t *err;

    if ((ids->nelts > 0) + options->all + (options->where != NULL) != 1)
        return cm_error_hint(
            CM_FAIL(pool, CM_USAGE, "publish wants IDs, --all, or --where"),
            pool, "communicator-sync publish --help");
    CM_TRY(sync_client_node(client));
    if (ids->nelts > 0)
        return cm_publish_records(published, client->node, model, ids, pool);
    err = cm_publish_all(published, client->node, model, options->where,
                         on_progress, client->output, pool);
    sync_progress_show(client->output, "publish", 1, 1);
    return err;
}

cm_error_t *sync_command_publish(int *status, sync_client_t *client,
                                 apr_pool_t *scratch_pool)
{
    apr_array_header_t *ids;
    const cm_model_t *model = NULL;
    apr_int64_t published = 0;

    (void)status;
    CM_TRY(find_model(&model, client, scratch_pool));
    ids = apr_array_copy(scratch_pool, client->options->arguments);
    ids->elts += ids->elt_size;
    ids->nelts--;
    CM_TRY_FOR(publish(&published, client, model, ids, scratch_pool),
               scratch_pool, "cannot publish");
    if (client->output->json) {
        json_object *json = json_object_new_object();

        json_object_object_add(json, "model",
                               json_object_new_string(model->name));
        json_object_object_add(json, "published",
                               json_object_new_int64(published));
        sync_output_json(client->output, json);
    }
    else {
        sync_output_summary(client->output,
                            "%s: %" APR_INT64_T_FMT " published", model->name,
                            published);
    }
    if (published < ids->nelts)
        return CM_FAIL(scratch_pool, CM_MALFORMED,
                       "only %" APR_INT64_T_FMT
                       " of %d records of '%s' are there",
                       published, ids->nelts, model->name);
    return NULL;
}
