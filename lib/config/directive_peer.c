/* CommunicatorPeer NAME key=value... */
#include "config/directive_take.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_uri.h>

#include "config/option.h"

static cm_error_t *take_uri(void *target, const char *value, apr_pool_t *pool)
{
    cm_peer_settings_t *peer = target;
    apr_uri_t uri;

    if (apr_uri_parse(pool, value, &uri) || !uri.scheme || !uri.hostname ||
        (strcasecmp(uri.scheme, "https") && strcasecmp(uri.scheme, "http")))
        return CM_FAIL(pool, CM_CONFIG,
                       "'%s' is not an address of the form "
                       "https://HOST/messages.json",
                       strchr(value, '@') ? "..." : value);
    if (uri.user || uri.password)
        return CM_FAIL(pool, CM_CONFIG,
                       "a password does not belong into an address: use "
                       "user= and password-file=");
    if (uri.query || uri.fragment)
        return CM_FAIL(pool, CM_CONFIG, "an address here ends at the path");
    peer->uri = apr_pstrdup(pool, value);
    return NULL;
}

static cm_error_t *take_user(void *target, const char *value, apr_pool_t *pool)
{
    ((cm_peer_settings_t *)target)->user = apr_pstrdup(pool, value);
    return NULL;
}

/* A relative file would depend on where a program was started. */
static cm_error_t *take_file(const char **file, const char *value,
                             apr_pool_t *pool)
{
    if (*value != '/')
        return CM_FAIL(pool, CM_CONFIG, "a file must be given from / on");
    *file = apr_pstrdup(pool, value);
    return NULL;
}

static cm_error_t *take_password_file(void *target, const char *value,
                                      apr_pool_t *pool)
{
    return take_file(&((cm_peer_settings_t *)target)->password_file, value,
                     pool);
}

static cm_error_t *take_ca_file(void *target, const char *value,
                                apr_pool_t *pool)
{
    return take_file(&((cm_peer_settings_t *)target)->ca_file, value, pool);
}

static cm_error_t *take_insecure(void *target, const char *value,
                                 apr_pool_t *pool)
{
    static const char *const answers[] = {"no", "yes", NULL};

    return cm_option_choice(&((cm_peer_settings_t *)target)->insecure, value,
                            answers, pool);
}

static cm_error_t *take_compress(void *target, const char *value,
                                 apr_pool_t *pool)
{
    static const char *const answers[] = {"auto", "no", "yes", NULL};

    return cm_option_choice(&((cm_peer_settings_t *)target)->compress, value,
                            answers, pool);
}

static cm_error_t *take_protocol(void *target, const char *value,
                                 apr_pool_t *pool)
{
    static const char *const answers[] = {"communicator", "gem", NULL};

    return cm_option_choice(&((cm_peer_settings_t *)target)->gem, value,
                            answers, pool);
}

static const cm_option_t options[] = {
    {"uri", take_uri},
    {"user", take_user},
    {"password-file", take_password_file},
    {"ca-file", take_ca_file},
    {"insecure", take_insecure},
    {"compress", take_compress},
    {"protocol", take_protocol},
    {NULL, NULL},
};

static int is_loopback(const char *host)
{
    return !strcasecmp(host, "localhost") || !strncmp(host, "127.", 4) ||
           !strcmp(host, "::1") || !strcmp(host, "[::1]");
}

/* The password would cross the network in clear. */
static cm_error_t *check_secure(const cm_peer_settings_t *peer,
                                apr_pool_t *pool)
{
    apr_uri_t uri;

    if (!peer->uri || peer->insecure || apr_uri_parse(pool, peer->uri, &uri) ||
        !strcasecmp(uri.scheme, "https") || is_loopback(uri.hostname))
        return NULL;
    return cm_error_hint(CM_FAIL(pool, CM_CONFIG,
                                 "'%s' would carry the password in clear",
                                 peer->uri),
                         pool, "use https://, or say insecure=yes");
}

cm_error_t *cm_directive_peer_take(cm_settings_t *settings, int count,
                                   const char *const *words, cm_place_t place,
                                   apr_pool_t *pool)
{
    cm_peer_settings_t *peer = apr_pcalloc(pool, sizeof(*peer));

    if (!cm_option_is_node_name(words[0]))
        return CM_FAIL(pool, CM_CONFIG,
                       "'%s' is not a node's name (letters, digits, '.', "
                       "'_', '-')",
                       words[0]);
    peer->name = apr_pstrdup(pool, words[0]);
    peer->place = place;
    CM_TRY_FOR(cm_option_take(peer, options, count - 1, words + 1, pool), pool,
               "peer '%s'", peer->name);
    CM_TRY_FOR(check_secure(peer, pool), pool, "peer '%s'", peer->name);
    APR_ARRAY_PUSH(settings->peers, cm_peer_settings_t *) = peer;
    return NULL;
}
