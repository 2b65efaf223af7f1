/* Which requests are ours: those for exactly the path of a <Location> with
 * Communicator On. With Communicator Off they are ours, too: a gem would take
 * httpd's 404 for success, so we refuse them ourselves. */
#include "mod_communicator.h"

#include <http_log.h>
#include <http_request.h>
#include <string.h>

#include <apr_strings.h>

#define HANDLER "communicator"

const mod_location_t *mod_endpoint_of(request_rec *r)
{
    const mod_location_t *location =
        ap_get_module_config(r->per_dir_config, &communicator_module);

    if (r->main || !location || location->on < 0 || !r->uri ||
        strcmp(r->uri, location->path))
        return NULL;
    return location;
}

int mod_endpoint_is_gem(const request_rec *r)
{
    return !apr_table_get(r->headers_in, "Communicator-Protocol");
}

/* Runs before Alias, Redirect, ProxyPass and RewriteRule of the server: a
 * redirect (to https, to another host) would lose a gem's messages. */
int mod_endpoint_translate(request_rec *r)
{
    if (!ap_is_initial_req(r) || !mod_endpoint_of(r))
        return DECLINED;
    r->filename = apr_pstrcat(r->pool, HANDLER ":", r->uri, NULL);
    return OK;
}

static int is_translated(const request_rec *r)
{
    return r->filename &&
           !strncmp(r->filename, HANDLER ":", sizeof(HANDLER ":") - 1);
}

/* There is no file, so <Directory> and .htaccess do not apply. */
int mod_endpoint_map(request_rec *r)
{
    return is_translated(r) ? OK : DECLINED;
}

int mod_endpoint_type(request_rec *r)
{
    if (!is_translated(r) || !mod_endpoint_of(r))
        return DECLINED;
    r->handler = HANDLER;
    return OK;
}
