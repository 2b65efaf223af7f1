/* What an operator configured: see settings.h. */
#include "config/settings.h"

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "config/directive.h"

cm_settings_t *cm_settings_create(apr_pool_t *pool)
{
    cm_settings_t *settings = apr_pcalloc(pool, sizeof(*settings));

    settings->peers = apr_array_make(pool, 2, sizeof(cm_peer_settings_t *));
    settings->models = apr_array_make(pool, 8, sizeof(cm_model_t *));
    settings->actions = apr_array_make(pool, 2, sizeof(cm_action_t *));
    settings->require_tls.on = 1;
    settings->max_body = 16 * 1024 * 1024;
    settings->batch = (cm_batch_settings_t){1200, 1024 * 1024};
    settings->on_error = CM_ON_ERROR_PARK;
    settings->retain = apr_time_from_sec(30 * 86400);
    settings->waiters = 8;
    settings->client.state_directory = "/var/lib/communicator";
    settings->client.run_directory = "/run/communicator";
    return settings;
}

cm_settings_t *cm_settings_merge(const cm_settings_t *base,
                                 const cm_settings_t *over, apr_pool_t *pool)
{
    cm_settings_t *merged = apr_pmemdup(pool, base, sizeof(*base));

#define OVERLAY(id, member)                                                    \
    if (over->given & (1u << CM_DIRECTIVE_##id))                               \
    merged->member = over->member

    OVERLAY(NAME, name);
    OVERLAY(DRIVER, database.driver);
    OVERLAY(PARAMS, database.params);
    OVERLAY(REQUIRE_TLS, require_tls);
    OVERLAY(MAX_BODY, max_body);
    OVERLAY(BATCH, batch);
    OVERLAY(ON_ERROR, on_error);
    OVERLAY(EXPECT_EVERY, expect_every);
    OVERLAY(HISTORY, history);
    OVERLAY(RETAIN, retain);
    OVERLAY(WAITERS, waiters);
    OVERLAY(STATE_DIR, client.state_directory);
    OVERLAY(RUN_DIR, client.run_directory);
    OVERLAY(AFTER_COMMAND, client.after_command);
    OVERLAY(NOTIFY_COMMAND, client.notify_command);
#undef OVERLAY
    merged->peers = apr_array_append(pool, base->peers, over->peers);
    merged->models = apr_array_append(pool, base->models, over->models);
    merged->actions = apr_array_append(pool, base->actions, over->actions);
    merged->given |= over->given;
    return merged;
}

const cm_model_t *cm_settings_model(const cm_settings_t *settings,
                                    const char *name)
{
    const cm_model_t *model;
    int i;

    for (i = 0; name && i < settings->models->nelts; i++) {
        model = APR_ARRAY_IDX(settings->models, i, const cm_model_t *);
        if (!strcmp(model->name, name))
            return model;
    }
    return NULL;
}

const cm_peer_settings_t *cm_settings_peer(const cm_settings_t *settings,
                                           const char *name)
{
    const cm_peer_settings_t *peer;
    int i;

    for (i = 0; i < settings->peers->nelts; i++) {
        peer = APR_ARRAY_IDX(settings->peers, i, const cm_peer_settings_t *);
        if (!strcmp(peer->name, name))
            return peer;
    }
    return NULL;
}

const cm_peer_settings_t *
cm_settings_peer_of_user(const cm_settings_t *settings, const char *user)
{
    const cm_peer_settings_t *peer;
    int i;

    for (i = 0; i < settings->peers->nelts; i++) {
        peer = APR_ARRAY_IDX(settings->peers, i, const cm_peer_settings_t *);
        if (!peer->uri && peer->user && !strcmp(peer->user, user))
            return peer;
    }
    return NULL;
}

int cm_settings_has_name(const apr_array_header_t *names, const char *name)
{
    int i;

    for (i = 0; i < names->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(names, i, const char *), name))
            return 1;
    }
    return 0;
}

int cm_settings_model_is_key(const cm_model_t *model, const char *column)
{
    return cm_settings_has_name(model->columns.key, column);
}

int cm_settings_model_key_travels(const cm_model_t *model)
{
    const apr_array_header_t *key = model->columns.key;

    return key->nelts > 1 || cm_settings_model_reference(
                                 model, APR_ARRAY_IDX(key, 0, const char *));
}

int cm_settings_model_carries(const cm_model_t *model, const char *column)
{
    if (cm_settings_model_is_key(model, column))
        return model->shared_keys || cm_settings_model_key_travels(model);
    if (model->columns.only->nelts &&
        !cm_settings_has_name(model->columns.only, column))
        return 0;
    return !cm_settings_has_name(model->columns.except, column);
}

int cm_settings_model_takes(const cm_model_t *model, const char *column)
{
    return !cm_settings_has_name(model->columns.except_receive, column);
}

int cm_settings_model_captures(const cm_model_t *model)
{
    return model->publishes && !model->by_application;
}

const cm_model_t *cm_settings_model_of_type(const cm_settings_t *settings,
                                            const char *type)
{
    int i;

    for (i = 0; i < settings->models->nelts; i++) {
        const cm_model_t *model =
            APR_ARRAY_IDX(settings->models, i, const cm_model_t *);

        if (model->columns.key->nelts == 1 &&
            (!strcmp(model->name, type) || !strcmp(model->type, type)))
            return model;
    }
    return NULL;
}

const char *cm_settings_reference_text(const cm_reference_t *reference,
                                       apr_pool_t *pool)
{
    return apr_pstrcat(pool, reference->column, reference->type ? ":{" : ":",
                       reference->type ? reference->type : reference->model,
                       reference->type ? "}" : "", reference->none ? "?" : "",
                       reference->none ? reference->none : "", NULL);
}

int cm_settings_refers_to(const cm_reference_t *reference,
                          const cm_model_t *model)
{
    return reference->type ? model->columns.key->nelts == 1
                           : !strcmp(reference->model, model->name);
}

/* Append MODEL to LIST, its parents first. SEEN: models that are in LIST, or
 * wait for their parents. */
static void place(apr_array_header_t *list, apr_hash_t *seen,
                  const cm_settings_t *settings, const cm_model_t *model)
{
    const apr_array_header_t *references = model->columns.references;
    int i, j;

    if (apr_hash_get(seen, model->name, APR_HASH_KEY_STRING))
        return;
    apr_hash_set(seen, model->name, APR_HASH_KEY_STRING, model);
    for (i = 0; i < settings->models->nelts; i++) {
        const cm_model_t *parent =
            APR_ARRAY_IDX(settings->models, i, const cm_model_t *);

        for (j = 0; j < references->nelts; j++)
            if (cm_settings_refers_to(
                    &APR_ARRAY_IDX(references, j, cm_reference_t), parent))
                place(list, seen, settings, parent);
    }
    APR_ARRAY_PUSH(list, const cm_model_t *) = model;
}

apr_array_header_t *cm_settings_parents_first(const cm_settings_t *settings,
                                              apr_pool_t *pool)
{
    apr_array_header_t *list =
        apr_array_make(pool, settings->models->nelts, sizeof(cm_model_t *));
    apr_hash_t *seen = apr_hash_make(pool);
    int i;

    for (i = 0; i < settings->models->nelts; i++)
        place(list, seen, settings,
              APR_ARRAY_IDX(settings->models, i, const cm_model_t *));
    return list;
}

const cm_reference_t *cm_settings_model_reference(const cm_model_t *model,
                                                  const char *column)
{
    const cm_reference_t *reference;
    int i;

    for (i = 0; i < model->columns.references->nelts; i++) {
        reference =
            &APR_ARRAY_IDX(model->columns.references, i, cm_reference_t);
        if (!strcmp(reference->column, column))
            return reference;
    }
    return NULL;
}

cm_error_t *cm_settings_error(cm_place_t place, const cm_error_t *cause,
                              apr_pool_t *pool)
{
    return cm_error_make(pool, cause->code, cause, __FILE__, __LINE__,
                         "Syntax error on line %d of %s", place.line,
                         place.file);
}
