/* See settings.h. */
#include "settings.h"

#include "schema/migrate.h"
#include "database.h"

cm_settings_t *settings_make(apr_pool_t *pool)
{
    cm_settings_t *settings = cm_settings_create(pool);

    settings->name = "here";
    return settings;
}

void settings_add_peer(cm_settings_t *settings, const char *name,
                       apr_pool_t *pool)
{
    cm_peer_settings_t *peer = apr_pcalloc(pool, sizeof(*peer));

    peer->name = name;
    APR_ARRAY_PUSH(settings->peers, cm_peer_settings_t *) = peer;
}

cm_model_t *settings_add_model(cm_settings_t *settings, const char *name,
                               const char *table, const char *key,
                               apr_pool_t *pool)
{
    cm_model_t *model = apr_pcalloc(pool, sizeof(*model));
    char *rest;

    model->name = model->type = name;
    model->table = table;
    model->key = key;
    model->columns.key = apr_array_make(pool, 2, sizeof(const char *));
    for (name = apr_strtok(apr_pstrdup(pool, key), ",", &rest); name;
         name = apr_strtok(NULL, ",", &rest))
        APR_ARRAY_PUSH(model->columns.key, const char *) = name;
    model->receives = model->publishes = model->deletes = 1;
    model->columns.except = apr_array_make(pool, 1, sizeof(const char *));
    model->columns.except_receive =
        apr_array_make(pool, 1, sizeof(const char *));
    model->columns.only = apr_array_make(pool, 1, sizeof(const char *));
    model->columns.references = apr_array_make(pool, 1, sizeof(cm_reference_t));
    model->columns.match = apr_array_make(pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(settings->models, cm_model_t *) = model;
    return model;
}

static void forget(void *baton, const char *what, const char *sql)
{
    (void)baton;
    (void)what;
    (void)sql;
}

cm_error_t *settings_try_to_migrate(cm_store_t *store,
                                    const cm_settings_t *settings,
                                    apr_pool_t *pool)
{
    return cm_migrate_run(store, settings, 0, forget, NULL, pool);
}

void settings_migrate(cm_store_t *store, const cm_settings_t *settings,
                      apr_pool_t *pool)
{
    database_must(settings_try_to_migrate(store, settings, pool));
}

void settings_migrate_quietly(cm_store_t *store, cm_settings_t *settings,
                              apr_pool_t *pool)
{
    apr_array_header_t *models = settings->models;
    int i;

    for (i = 0; i < models->nelts; i++)
        APR_ARRAY_IDX(models, i, cm_model_t *)->publishes = 0;
    settings_migrate(store, settings, pool);
    for (i = 0; i < models->nelts; i++)
        APR_ARRAY_IDX(models, i, cm_model_t *)->publishes = 1;
}
