/* The proxy between this host and a peer: see proxy.h. */
#include "proxy.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <curl/curl.h>

/* Return the variable that libcurl reads for URI, or NULL when none is set. It
 * ignores HTTP_PROXY, which CGI sets from a header. */
static const char *variable_for(const char *uri)
{
    static const char *const names[] = {
        "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
    int tls = strncasecmp(uri, "https:", 6) == 0;
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
        const char *value = getenv(names[i]);

        if (value && *value && (tls ? i > 0 : i != 1 && i != 2))
            return names[i];
    }
    return NULL;
}

/* Return ADDRESS without user and password. */
static const char *masked(const char *address, apr_pool_t *pool)
{
    const char *at = strrchr(address, '@');
    const char *scheme = strstr(address, "://");
    const char *begin = scheme && scheme < at ? scheme + 3 : address;

    if (!at)
        return address;
    return apr_pstrcat(pool, apr_pstrmemdup(pool, address, begin - address),
                       "***", at, NULL);
}

/* Parse "Uses proxy env variable https_proxy == 'http://...'". */
static void take(sync_proxy_t *proxy, char *text)
{
    static const char begin[] = "Uses proxy env variable ";
    char *name, *value, *end;

    if (strncmp(text, begin, sizeof(begin) - 1) != 0)
        return;
    name = text + sizeof(begin) - 1;
    value = strstr(name, " == '");
    if (!value || !strncasecmp(name, "no_proxy", 8))
        return;
    *value = '\0';
    value += strlen(" == '");
    end = strrchr(value, '\'');
    if (end)
        *end = '\0';
    if (proxy->used)
        return;
    proxy->used = apr_pstrdup(proxy->pool, name);
    proxy->address = masked(apr_pstrdup(proxy->pool, value), proxy->pool);
}

static int on_text(CURL *curl, curl_infotype type, char *data, size_t size,
                   void *baton)
{
    char text[1024];

    (void)curl;
    if (type != CURLINFO_TEXT)
        return 0;
    if (size >= sizeof(text))
        size = sizeof(text) - 1;
    memcpy(text, data, size);
    text[size] = '\0';
    take(baton, text);
    return 0;
}

/* Observe which one of the environment is used, if it names one. */
static void watch(sync_proxy_t *proxy, CURL *curl)
{
    curl_easy_setopt(curl, CURLOPT_DEBUGFUNCTION, on_text);
    curl_easy_setopt(curl, CURLOPT_DEBUGDATA, proxy);
    curl_easy_setopt(curl, CURLOPT_VERBOSE, 1L);
}

sync_proxy_t *sync_proxy_set(void *curl, const cm_peer_settings_t *peer,
                             const char *login, apr_pool_t *pool)
{
    sync_proxy_t *proxy = apr_pcalloc(pool, sizeof(*proxy));
    int none = peer->loopback || (peer->proxy && !strcmp(peer->proxy, "none"));

    proxy->pool = pool;
    if (login)
        curl_easy_setopt(curl, CURLOPT_PROXYUSERPWD, login);
    if (none || peer->proxy)
        curl_easy_setopt(curl, CURLOPT_PROXY, none ? "" : peer->proxy);
    if (peer->proxy && !none) {
        curl_easy_setopt(curl, CURLOPT_NOPROXY, "");
        proxy->set = proxy->used = "proxy=";
        proxy->address = peer->proxy;
    }
    else {
        proxy->set = variable_for(peer->uri);
        if (proxy->set)
            watch(proxy, curl);
    }
    return proxy;
}
