/* CommunicatorRequireTLS: see require_tls.h. */
#include "config/require_tls.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_network_io.h>
#include <apr_strings.h>

/* Return whether VALUE can be the name of a header that says it: words like
 * "maybe" are mistakes. */
static int is_header(const char *value)
{
    const char *at;

    for (at = value; *at; at++)
        if (!apr_isalnum(*at) && *at != '-')
            return 0;
    return strchr(value, '-') != NULL;
}

/* Add "192.0.2.1", "192.0.2.0/24" or an IPv6 address. */
static cm_error_t *add_network(apr_array_header_t *networks, const char *word,
                               apr_pool_t *pool)
{
    const char *slash = strchr(word, '/');
    const char *address =
        slash ? apr_pstrmemdup(pool, word, slash - word) : word;
    apr_ipsubnet_t *network;

    if (!*address ||
        apr_ipsubnet_create(&network, address, slash ? slash + 1 : NULL, pool))
        return CM_FAIL(pool, CM_CONFIG,
                       "'%s' is not the address of a proxy, or a network, as "
                       "192.0.2.0/24",
                       word);
    APR_ARRAY_PUSH(networks, apr_ipsubnet_t *) = network;
    return NULL;
}

cm_error_t *cm_require_tls_take(void *settings, const char *value,
                                apr_pool_t *pool)
{
    cm_require_tls_t *tls = &((cm_settings_t *)settings)->require_tls;

    *tls = (cm_require_tls_t){.on = strcasecmp(value, "Off") != 0};
    if (!tls->on || !strcasecmp(value, "On"))
        return NULL;
    if (!is_header(value))
        return CM_FAIL(pool, CM_CONFIG,
                       "unknown value '%s' (known: Off, On, a header as "
                       "X-Forwarded-Proto)",
                       value);
    tls->header = apr_pstrdup(pool, value);
    tls->proxies = apr_array_make(pool, 2, sizeof(apr_ipsubnet_t *));
    CM_TRY(add_network(tls->proxies, "127.0.0.0/8", pool));
    return add_network(tls->proxies, "::1", pool);
}

cm_error_t *cm_require_tls_trust(cm_settings_t *settings, int count,
                                 const char *const *words, apr_pool_t *pool)
{
    cm_require_tls_t *tls = &settings->require_tls;
    int i;

    if (!tls->header)
        return CM_FAIL(pool, CM_CONFIG, "On and Off stand alone");
    apr_array_clear(tls->proxies);
    for (i = 0; i < count; i++) {
        CM_TRY(add_network(tls->proxies, words[i], pool));
        tls->trusted = i ? apr_pstrcat(pool, tls->trusted, " ", words[i], NULL)
                         : apr_pstrdup(pool, words[i]);
    }
    return NULL;
}

const char *cm_require_tls_print(const void *settings, apr_pool_t *pool)
{
    const cm_require_tls_t *tls =
        &((const cm_settings_t *)settings)->require_tls;

    if (!tls->header)
        return tls->on ? "On" : "Off";
    return tls->trusted
               ? apr_pstrcat(pool, tls->header, " ", tls->trusted, NULL)
               : tls->header;
}
