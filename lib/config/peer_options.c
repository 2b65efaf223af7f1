/* CommunicatorPeer: see peer_options.h. */
#include "config/peer_options.h"

#include <arpa/inet.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_uri.h>

/* Return whether HOST is an address of this host, not a name that only begins
 * like one. libcurl connects to "localhost" without a DNS lookup. */
static int is_loopback(const char *host)
{
    struct in_addr address;

    return !strcasecmp(host, "localhost") || !strcmp(host, "::1") ||
           !strcmp(host, "[::1]") ||
           (inet_pton(AF_INET, host, &address) == 1 &&
            !strncmp(host, "127.", 4));
}

static cm_error_t *check_uri(const char *value, apr_pool_t *pool)
{
    apr_uri_t uri;

    if (apr_uri_parse(pool, value, &uri) || !uri.scheme || !uri.hostname ||
        (strcasecmp(uri.scheme, "https") && strcasecmp(uri.scheme, "http")))
        return CM_FAIL(pool, CM_CONFIG,
                       "'%s' is not an address of the form "
                       "https://HOST/messages.json",
                       strchr(value, '@') ? "..." : value);
    if (uri.user || uri.password)
        return CM_FAIL(pool, CM_CONFIG,
                       "an address must not contain a password: use user= and "
                       "password-file=");
    if (uri.query || uri.fragment)
        return CM_FAIL(pool, CM_CONFIG,
                       "an address must end with the path, without ? or #");
    return NULL;
}

static const char *const proxy_schemes[] = {
    "http", "https", "socks4", "socks4a", "socks5", "socks5h", NULL};

/* Accept "none", or SCHEME://HOST:PORT: curl takes 1080 without a port, which
 * surprises. */
static cm_error_t *check_proxy(const char *value, apr_pool_t *pool)
{
    apr_uri_t uri;
    int scheme = 0;

    if (!strcmp(value, "none"))
        return NULL;
    if (strchr(value, '@'))
        return CM_FAIL(pool, CM_CONFIG,
                       "proxy= must not contain a password: use "
                       "proxy-user-file=");
    if (apr_uri_parse(pool, value, &uri) || !uri.scheme || !uri.hostname ||
        !uri.port_str || (uri.path && strcmp(uri.path, "/") != 0) || uri.query)
        return CM_FAIL(pool, CM_CONFIG,
                       "'%s' is neither none nor an address of the form "
                       "http://HOST:PORT",
                       value);
    return cm_option_choice(&scheme, uri.scheme, proxy_schemes, pool);
}

static const char *const compressions[] = {"auto", "no", "yes", NULL};
static const char *const protocols[] = {"communicator", "gem", NULL};
static const char *const times[] = {"utc", "local", NULL};

const cm_option_t cm_peer_options[] = {
    {CM_OPTION("uri", TEXT, cm_peer_settings_t, uri), .check = check_uri},
    {CM_OPTION("user", TEXT, cm_peer_settings_t, user)},
    {CM_OPTION("password-file", TEXT, cm_peer_settings_t, password_file),
     .check = cm_option_check_file},
    {CM_OPTION("ca-file", TEXT, cm_peer_settings_t, ca_file),
     .check = cm_option_check_file},
    {CM_OPTION("cert", TEXT, cm_peer_settings_t, cert),
     .check = cm_option_check_file},
    {CM_OPTION("key", TEXT, cm_peer_settings_t, key),
     .check = cm_option_check_file},
    {CM_OPTION("key-password-file", TEXT, cm_peer_settings_t,
               key_password_file),
     .check = cm_option_check_file},
    {CM_OPTION("proxy", TEXT, cm_peer_settings_t, proxy), .check = check_proxy},
    {CM_OPTION("proxy-user-file", TEXT, cm_peer_settings_t, proxy_user_file),
     .check = cm_option_check_file},
    {CM_OPTION("insecure", WORD, cm_peer_settings_t, insecure),
     .words = cm_option_answers, .quiet = 1},
    {CM_OPTION("compress", WORD, cm_peer_settings_t, compress),
     .words = compressions, .quiet = 1},
    {CM_OPTION("protocol", WORD, cm_peer_settings_t, gem), .words = protocols,
     .quiet = 1},
    {CM_OPTION("times", WORD, cm_peer_settings_t, local_times), .words = times,
     .quiet = 1},
    {.key = NULL}};

/* Find out whether PEER is on this host, and refuse to send the password over
 * the network unencrypted. Behind a proxy "localhost" is the proxy's. */
static cm_error_t *check_secure(cm_peer_settings_t *peer, apr_pool_t *pool)
{
    int proxied = peer->proxy && strcmp(peer->proxy, "none") != 0;
    apr_uri_t uri;

    if (!peer->uri || apr_uri_parse(pool, peer->uri, &uri))
        return NULL;
    peer->loopback = is_loopback(uri.hostname) && !proxied;
    if (!strcasecmp(uri.scheme, "https"))
        return NULL;
    if (peer->cert)
        return CM_FAIL(pool, CM_CONFIG, "cert= needs an address with https://");
    if (peer->loopback || peer->insecure)
        return NULL;
    return cm_error_hint(CM_FAIL(pool, CM_CONFIG,
                                 "'%s' would send the password unencrypted",
                                 peer->uri),
                         pool, "use https://, or add insecure=yes");
}

static cm_error_t *check_certificate(const cm_peer_settings_t *peer,
                                     apr_pool_t *pool)
{
    if (!peer->cert && (peer->key || peer->key_password_file))
        return CM_FAIL(pool, CM_CONFIG, "%s= needs cert=",
                       peer->key ? "key" : "key-password-file");
    return NULL;
}

/* Only a gem has times that may mean something else. */
static cm_error_t *check_times(const cm_peer_settings_t *peer, apr_pool_t *pool)
{
    if (peer->local_times && !peer->gem)
        return CM_FAIL(pool, CM_CONFIG, "times=local needs protocol=gem");
    return NULL;
}

static cm_error_t *take(cm_peer_settings_t *peer, int count,
                        const char *const *words, apr_pool_t *pool)
{
    CM_TRY(cm_option_take(peer, cm_peer_options, count, words, pool));
    CM_TRY(check_certificate(peer, pool));
    CM_TRY(check_secure(peer, pool));
    return check_times(peer, pool);
}

cm_error_t *cm_peer_options_take(cm_settings_t *settings, int count,
                                 const char *const *words, cm_place_t place,
                                 apr_pool_t *pool)
{
    cm_peer_settings_t *peer = apr_pcalloc(pool, sizeof(*peer));

    CM_TRY(cm_option_check_node(words[0], pool));
    peer->name = apr_pstrdup(pool, words[0]);
    peer->place = place;
    CM_TRY_FOR(take(peer, count - 1, words + 1, pool), pool, "peer '%s'",
               peer->name);
    APR_ARRAY_PUSH(settings->peers, cm_peer_settings_t *) = peer;
    return NULL;
}
