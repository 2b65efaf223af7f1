/* What the configuration says of each server, virtual host and section. */
#include "mod_communicator.h"

#include <apr_strings.h>

void *mod_server_create(apr_pool_t *pool, server_rec *unused)
{
    mod_server_t *server = apr_pcalloc(pool, sizeof(*server));

    (void)unused;
    server->settings = cm_settings_create(pool);
    return server;
}

void *mod_server_merge(apr_pool_t *pool, void *base_data, void *over_data)
{
    const mod_server_t *base = base_data, *over = over_data;
    mod_server_t *merged = apr_pcalloc(pool, sizeof(*merged));

    merged->settings = cm_settings_merge(base->settings, over->settings, pool);
    merged->endpoints = base->endpoints + over->endpoints;
    return merged;
}

void *mod_server_location_create(apr_pool_t *pool, char *path)
{
    mod_location_t *location = apr_pcalloc(pool, sizeof(*location));

    (void)path;
    location->on = location->status = -1;
    return location;
}

void *mod_server_location_merge(apr_pool_t *pool, void *base_data,
                                void *over_data)
{
    const mod_location_t *base = base_data, *over = over_data;
    mod_location_t *merged =
        apr_pmemdup(pool, over->on < 0 ? base : over, sizeof(*base));

    merged->status = over->status < 0 ? base->status : over->status;
    return merged;
}

mod_server_t *mod_server_own(server_rec *first, server_rec *server)
{
    mod_server_t *config =
        ap_get_module_config(server->module_config, &communicator_module);
    server_rec *each;

    for (each = first; each != server; each = each->next)
        if (ap_get_module_config(each->module_config, &communicator_module) ==
            config)
            return NULL;
    return config->settings->name ? config : NULL;
}
