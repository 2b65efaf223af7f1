/* Settings as a configuration file would make them, for the tests of the
 * schema and what stands on it. */
#ifndef TEST_SETTINGS_H
#define TEST_SETTINGS_H

#include <apr_strings.h>

#include "config/settings.h"

/* Return the settings of a node called "here", without peers and models. */
static inline cm_settings_t *settings_make(apr_pool_t *pool)
{
    cm_settings_t *settings = cm_settings_create(pool);

    settings->name = "here";
    return settings;
}

static inline void settings_add_peer(cm_settings_t *settings, const char *name,
                                     apr_pool_t *pool)
{
    cm_peer_settings_t *peer = apr_pcalloc(pool, sizeof(*peer));

    peer->name = name;
    APR_ARRAY_PUSH(settings->peers, cm_peer_settings_t *) = peer;
}

/* Add a model that is sent and received: NAME in TABLE with KEY. */
static inline cm_model_t *settings_add_model(cm_settings_t *settings,
                                             const char *name,
                                             const char *table, const char *key,
                                             apr_pool_t *pool)
{
    cm_model_t *model = apr_pcalloc(pool, sizeof(*model));

    model->name = model->type = name;
    model->table = table;
    model->key = key;
    model->receives = model->publishes = model->deletes = 1;
    model->except = apr_array_make(pool, 1, sizeof(const char *));
    model->only = apr_array_make(pool, 1, sizeof(const char *));
    model->references = apr_array_make(pool, 1, sizeof(cm_reference_t));
    model->match = apr_array_make(pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(settings->models, cm_model_t *) = model;
    return model;
}

#endif
