/* The address of a peer: see uri.h. */
#include "uri.h"

#include <arpa/inet.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_uri.h>

#include "config/settings_print.h"

/* An address of this host, not a name that begins like one. libcurl takes
 * "localhost" without asking anybody. */
static int is_loopback(const char *host)
{
    struct in_addr address;

    if (strcasecmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
        strcmp(host, "[::1]") == 0)
        return 1;
    return inet_pton(AF_INET, host, &address) == 1 &&
           strncmp(host, "127.", 4) == 0;
}

cm_error_t *sync_uri_check(const char **uri, int *loopback,
                           const cm_peer_settings_t *peer, apr_pool_t *pool)
{
    apr_uri_t parts;

    if (apr_uri_parse(pool, peer->uri, &parts) != APR_SUCCESS ||
        !parts.scheme || !parts.hostname)
        return CM_FAIL(pool, CM_CONFIG, "'%s' is not an address",
                       cm_settings_print_mask(peer->uri, pool));
    *loopback = is_loopback(parts.hostname);
    if (!*loopback && !peer->insecure && strcasecmp(parts.scheme, "https") != 0)
        return cm_error_hint(CM_FAIL(pool, CM_CONFIG,
                                     "'%s' would send the password unencrypted",
                                     cm_settings_print_mask(peer->uri, pool)),
                             pool, "use https://, or say insecure=yes (%s:%d)",
                             peer->place.file, peer->place.line);
    *uri = peer->uri;
    if (!parts.path || strcmp(parts.path, "/") == 0) {
        parts.path = apr_pstrdup(pool, "/messages.json");
        *uri = apr_uri_unparse(pool, &parts, 0);
    }
    return NULL;
}
