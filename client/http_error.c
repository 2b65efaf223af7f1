/* Why HTTP failed, in words: see http_error.h. */
#include "http_error.h"

#include <string.h>

static cm_code_e code_of(CURLcode rc, int overflow)
{
    switch (rc) {
    case CURLE_OPERATION_TIMEDOUT:
        return CM_TIMEOUT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_USE_SSL_FAILED:
        return CM_TLS;
    case CURLE_SSL_CACERT_BADFILE:
        return CM_FILE;
    case CURLE_WRITE_ERROR:
        return overflow ? CM_TOO_LARGE : CM_PROTOCOL;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING:
        return CM_PROTOCOL;
    default:
        return CM_NETWORK;
    }
}

/* Add to ERR, a failure of TLS with PEER, what to do. WORDS are libcurl's. */
static cm_error_t *hint_tls(cm_error_t *err, const char *words,
                            const cm_peer_settings_t *peer, apr_pool_t *pool)
{
    const char *file = peer->place.file;
    int line = peer->place.line;

    if (strstr(words, "expired"))
        return cm_error_hint(err, pool,
                             "renew the certificate of the peer's httpd, "
                             "unless this host's clock is wrong");
    if (strstr(words, "not yet valid"))
        return cm_error_hint(err, pool, "is the clock of this host right?");
    if (strstr(words, "subject name"))
        return cm_error_hint(
            err, pool,
            "uri= must name the host as its certificate does (%s:%d)", file,
            line);
    return cm_error_hint(err, pool,
                         "name the authority that signed the peer's "
                         "certificate with ca-file= (%s:%d)",
                         file, line);
}

cm_error_t *sync_http_error_explain(CURLcode rc, const char *words,
                                    int overflow,
                                    const sync_http_config_t *config,
                                    const sync_proxy_t *proxy, apr_pool_t *pool)
{
    const cm_peer_settings_t *peer = config->peer;
    const char *uri = config->uri;
    cm_code_e code = code_of(rc, overflow);
    cm_error_t *err;

    if (code == CM_TOO_LARGE)
        return cm_error_hint(
            CM_FAIL(pool, code,
                    "the reply of %s is larger than %" APR_SIZE_T_FMT " bytes",
                    uri, config->reply_limit),
            pool, "raise CommunicatorMaxBody on this side");
    words = *words ? words : curl_easy_strerror(rc);
    err = CM_FAIL(pool, code, "%s: %s", uri, words);
    if (code == CM_TLS)
        return hint_tls(err, words, peer, pool);
    if (code == CM_FILE)
        return cm_error_hint(err, pool, "%s",
                             peer->ca_file
                                 ? "is the file of ca-file= there, and PEM?"
                                 : "install the authorities' certificates "
                                   "(Debian: ca-certificates), or name a "
                                   "file of them by ca-file=");
    if (proxy->used && code == CM_NETWORK)
        return cm_error_hint(err, pool,
                             "requests go through the proxy %s (%s): is it "
                             "running, and does it let this host through?",
                             proxy->address, proxy->used);
    if (rc == CURLE_COULDNT_RESOLVE_HOST || rc == CURLE_COULDNT_CONNECT)
        return cm_error_hint(err, pool,
                             "is the peer's httpd running, and is uri= right "
                             "(%s:%d)?",
                             peer->place.file, peer->place.line);
    return err;
}
