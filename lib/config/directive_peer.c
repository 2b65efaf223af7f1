/* CommunicatorPeer NAME key=value... */
#include "config/directive_internal.h"

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
                       "an address must not contain a password: use user= and "
                       "password-file=");
    if (uri.query || uri.fragment)
        return CM_FAIL(pool, CM_CONFIG,
                       "an address must end with the path, without ? or #");
    peer->uri = apr_pstrdup(pool, value);
    return NULL;
}

static const char *print_uri(const void *target, apr_pool_t *pool)
{
    (void)pool;
    return ((const cm_peer_settings_t *)target)->uri;
}

static const char *const answers[] = {"no", "yes", NULL};
static const char *const compressions[] = {"auto", "no", "yes", NULL};
static const char *const protocols[] = {"communicator", "gem", NULL};

static const cm_option_t options[] = {
    {.key = "uri", .kind = CM_OPTION_OWN, .take = take_uri, .print = print_uri},
    {CM_OPTION("user", TEXT, cm_peer_settings_t, user)},
    {CM_OPTION("password-file", FILE, cm_peer_settings_t, password_file)},
    {CM_OPTION("ca-file", FILE, cm_peer_settings_t, ca_file)},
    {CM_OPTION("insecure", WORD, cm_peer_settings_t, insecure),
     .words = answers, .quiet = 1},
    {CM_OPTION("compress", WORD, cm_peer_settings_t, compress),
     .words = compressions, .quiet = 1},
    {CM_OPTION("protocol", WORD, cm_peer_settings_t, gem), .words = protocols,
     .quiet = 1},
    {.key = NULL}};

static int is_loopback(const char *host)
{
    return !strcasecmp(host, "localhost") || !strncmp(host, "127.", 4) ||
           !strcmp(host, "::1") || !strcmp(host, "[::1]");
}

/* Refuse to send the password over the network unencrypted. */
static cm_error_t *check_secure(const cm_peer_settings_t *peer,
                                apr_pool_t *pool)
{
    apr_uri_t uri;

    if (!peer->uri || peer->insecure || apr_uri_parse(pool, peer->uri, &uri) ||
        !strcasecmp(uri.scheme, "https") || is_loopback(uri.hostname))
        return NULL;
    return cm_error_hint(CM_FAIL(pool, CM_CONFIG,
                                 "'%s' would send the password unencrypted",
                                 peer->uri),
                         pool, "use https://, or add insecure=yes");
}

cm_error_t *cm_directive_peer_take(cm_settings_t *settings, int count,
                                   const char *const *words, cm_place_t place,
                                   apr_pool_t *pool)
{
    cm_peer_settings_t *peer = apr_pcalloc(pool, sizeof(*peer));

    CM_TRY(cm_option_node_name(&peer->name, words[0], pool));
    peer->place = place;
    CM_TRY_FOR(cm_option_take(peer, options, count - 1, words + 1, pool), pool,
               "peer '%s'", peer->name);
    CM_TRY_FOR(check_secure(peer, pool), pool, "peer '%s'", peer->name);
    APR_ARRAY_PUSH(settings->peers, cm_peer_settings_t *) = peer;
    return NULL;
}

void cm_directive_peer_print(cm_buffer_t *out, const cm_peer_settings_t *peer)
{
    cm_buffer_raw(out, "CommunicatorPeer ");
    cm_buffer_raw(out, peer->name);
    cm_option_print(out, peer, options);
}
