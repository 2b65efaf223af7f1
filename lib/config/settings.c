/* What an operator configured: see settings.h. */
#include "config/settings.h"

#include <string.h>

#include <apr_strings.h>

#include "config/directive.h"

cm_settings_t *cm_settings_create(apr_pool_t *pool)
{
    cm_settings_t *settings = apr_pcalloc(pool, sizeof(*settings));

    settings->peers = apr_array_make(pool, 2, sizeof(cm_peer_settings_t *));
    settings->models = apr_array_make(pool, 8, sizeof(cm_model_t *));
    settings->require_tls = 1;
    settings->max_body = 16 * 1024 * 1024;
    settings->batch_messages = 800;
    settings->batch_bytes = 1024 * 1024;
    settings->on_error = CM_ON_ERROR_PARK;
    settings->retain = apr_time_from_sec(30 * 86400);
    settings->state_directory = "/var/lib/communicator";
    settings->run_directory = "/run/communicator";
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
    OVERLAY(DRIVER, driver);
    OVERLAY(PARAMS, params);
    OVERLAY(REQUIRE_TLS, require_tls);
    OVERLAY(MAX_BODY, max_body);
    OVERLAY(BATCH, batch_messages);
    OVERLAY(BATCH, batch_bytes);
    OVERLAY(ON_ERROR, on_error);
    OVERLAY(EXPECT_EVERY, expect_every);
    OVERLAY(RETAIN, retain);
    OVERLAY(STATE_DIR, state_directory);
    OVERLAY(RUN_DIR, run_directory);
    OVERLAY(NOTIFY_COMMAND, notify_command);
#undef OVERLAY
    merged->peers = apr_array_append(pool, base->peers, over->peers);
    merged->models = apr_array_append(pool, base->models, over->models);
    merged->given |= over->given;
    return merged;
}

const cm_model_t *cm_settings_model(const cm_settings_t *settings,
                                    const char *name)
{
    const cm_model_t *model;
    int i;

    for (i = 0; i < settings->models->nelts; i++) {
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

static int contains(const apr_array_header_t *names, const char *name)
{
    int i;

    for (i = 0; i < names->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(names, i, const char *), name))
            return 1;
    }
    return 0;
}

int cm_settings_model_carries(const cm_model_t *model, const char *column)
{
    if (!strcmp(column, model->key))
        return model->shared_keys;
    if (model->only->nelts && !contains(model->only, column))
        return 0;
    return !contains(model->except, column);
}

const char *cm_settings_model_reference(const cm_model_t *model,
                                        const char *column)
{
    const cm_reference_t *reference;
    int i;

    for (i = 0; i < model->references->nelts; i++) {
        reference = &APR_ARRAY_IDX(model->references, i, cm_reference_t);
        if (!strcmp(reference->column, column))
            return reference->model;
    }
    return NULL;
}
