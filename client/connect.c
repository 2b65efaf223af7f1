/* A session with a peer over HTTP: see connect.h. */
#include "connect.h"

#include <limits.h>

#include "secret.h"
#include "stop.h"
#include "uri.h"

static cm_error_t *open_http(sync_http_t **http, cm_error_t **secret,
                             const cm_settings_t *own,
                             const cm_peer_settings_t *settings, int timeout,
                             apr_pool_t *pool)
{
    sync_http_config_t *config = apr_pcalloc(pool, sizeof(*config));

    config->peer = settings;
    config->timeout = timeout;
    config->reply_limit = own->max_body < INT_MAX ? own->max_body : INT_MAX;
    config->headers = apr_table_make(pool, 8);
    CM_TRY(sync_uri_check(&config->uri, &config->loopback, settings, pool));
    config->packs = settings->compress == CM_COMPRESS_AUTO
                        ? !config->loopback
                        : settings->compress == CM_COMPRESS_YES;
    if (settings->user)
        *secret = sync_secret_read(&config->password, settings, pool);
    return sync_http_open(http, config, pool);
}

cm_error_t *sync_connect_probe(cm_session_t **session, sync_http_t **http,
                               cm_error_t **secret, const cm_settings_t *own,
                               const cm_peer_settings_t *settings, int timeout,
                               apr_pool_t *pool)
{
    cm_transport_t *transport = apr_palloc(pool, sizeof(*transport));

    *secret = NULL;
    CM_TRY(open_http(http, secret, own, settings, timeout, pool));
    *transport = sync_http_transport(*http);
    *session = cm_session_create(transport, own->name, settings, pool);
    (*session)->check = sync_stop_check;
    return NULL;
}

cm_error_t *sync_connect(cm_session_t **session, cm_node_t *node,
                         const cm_peer_settings_t *settings, int timeout,
                         apr_pool_t *pool)
{
    sync_http_t *http;
    cm_error_t *secret;

    CM_TRY(sync_connect_probe(session, &http, &secret, node->settings, settings,
                              timeout, pool));
    CM_TRY(secret);
    (*session)->node = node;
    return cm_session_load(*session, pool);
}
