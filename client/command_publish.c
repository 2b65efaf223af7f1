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
    CM_TRY(sync_client_model(
        model, client,
        APR_ARRAY_IDX(client->options->arguments, 0, const char *)));
    if ((*model)->publishes)
        return NULL;
    return CM_FAIL(client->pool, CM_CONFIG,
                   "%s:%d: model '%s' is not published (direction=receive)",
                   (*model)->place.file, (*model)->place.line, (*model)->name);
}

/* Check that the words of the command fit together. */
static cm_error_t *check_words(const sync_client_t *client)
{
    const sync_options_select_t *select = &client->options->select;
    const int words = client->options->arguments->nelts;

    if (!words && select->where)
        return sync_client_usage(client, "--where needs a model");
    if (!words && !select->all)
        return sync_client_usage(client, "publish needs a model, or --all");
    if (select->missing && !select->all)
        return sync_client_usage(client, "--missing needs --all");
    if (words && (words > 1) + select->all + (select->where != NULL) != 1)
        return sync_client_usage(client,
                                 "publish needs IDs, --all, or --where");
    return NULL;
}

/* Return the models that the command is about, parents first. */
static cm_error_t *find_models(apr_array_header_t **models,
                               const sync_client_t *client)
{
    const apr_array_header_t *all =
        cm_settings_parents_first(client->settings, client->pool);
    const cm_model_t *model;
    int i;

    *models = apr_array_make(client->pool, all->nelts + 1,
                             sizeof(const cm_model_t *));
    if (client->options->arguments->nelts) {
        CM_TRY(find_model(&model, client));
        APR_ARRAY_PUSH(*models, const cm_model_t *) = model;
        return NULL;
    }
    for (i = 0; i < all->nelts; i++) {
        model = APR_ARRAY_IDX(all, i, const cm_model_t *);
        if (model->publishes)
            APR_ARRAY_PUSH(*models, const cm_model_t *) = model;
    }
    return NULL;
}

/* Say what was published: of each model a line or, as JSON, an object in
 * LIST. */
static void report(const sync_client_t *client, const cm_model_t *model,
                   apr_int64_t published, json_object *list)
{
    json_object *json;

    sync_output_summary(client->output, "%s: %" APR_INT64_T_FMT " published",
                        model->name, published);
    if (!client->output->json)
        return;
    json = json_object_new_object();
    sync_output_add_text(json, "model", model->name);
    sync_output_add_number(json, "published", published);
    json_object_array_add(list, json);
}

/* Publish all records of MODELS that the options select. */
static cm_error_t *publish_all(sync_client_t *client,
                               const apr_array_header_t *models,
                               json_object *list)
{
    const cm_publish_which_t which = {client->options->select.where,
                                      client->options->select.missing};
    cm_publish_progress_t progress = {on_progress, client->output, 0, 0};
    apr_int64_t *published =
        apr_pcalloc(client->pool, (models->nelts + 1) * sizeof(*published));
    cm_error_t *err = NULL;
    int i, done;

    for (i = 0; i < models->nelts; i++)
        CM_TRY(cm_publish_count(&progress.total, client->node,
                                APR_ARRAY_IDX(models, i, const cm_model_t *),
                                &which, client->pool));
    for (done = 0; !err && done < models->nelts; done += !err)
        err = cm_publish_all(&published[done], client->node,
                             APR_ARRAY_IDX(models, done, const cm_model_t *),
                             &which, &progress, client->pool);
    sync_progress_end(client->output);
    for (i = 0; i < done; i++)
        report(client, APR_ARRAY_IDX(models, i, const cm_model_t *),
               published[i], list);
    return err;
}

/* Publish the records of MODEL that the command names. */
static cm_error_t *publish_named(sync_client_t *client, const cm_model_t *model,
                                 json_object *list)
{
    const apr_array_header_t *words = client->options->arguments;
    apr_array_header_t *ids =
        apr_array_make(client->pool, words->nelts, sizeof(const char *));
    apr_int64_t published;
    int i;

    for (i = 1; i < words->nelts; i++)
        APR_ARRAY_PUSH(ids, const char *) =
            cm_tuple_of_word(APR_ARRAY_IDX(words, i, const char *),
                             model->columns.key->nelts, client->pool);
    CM_TRY_FOR(
        cm_publish_records(&published, client->node, model, ids, client->pool),
        client->pool, "cannot publish");
    report(client, model, published, list);
    if (published < ids->nelts)
        return CM_FAIL(client->pool, CM_MALFORMED,
                       "only %" APR_INT64_T_FMT
                       " of %d records of '%s' exist%s",
                       published, ids->nelts, model->name,
                       model->where ? " and match where=" : "");
    return NULL;
}

cm_error_t *sync_command_publish(sync_client_t *client)
{
    const apr_array_header_t *words = client->options->arguments;
    json_object *list = json_object_new_array();
    apr_array_header_t *models;
    cm_error_t *err = NULL;

    CM_TRY(check_words(client));
    CM_TRY(find_models(&models, client));
    CM_TRY(sync_client_node(client));
    if (words->nelts > 1)
        err =
            publish_named(client, APR_ARRAY_IDX(models, 0, cm_model_t *), list);
    else
        CM_TRY_FOR(publish_all(client, models, list), client->pool,
                   "cannot publish");
    if (client->output->json)
        sync_output_json(
            client->output,
            json_object_get(words->nelts ? json_object_array_get_idx(list, 0)
                                         : list));
    json_object_put(list);
    return err;
}
