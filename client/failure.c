/* Why a request failed: see failure.h. */
#include "failure.h"

#include <string.h>

#include <apr_strings.h>
#include <curl/curl.h>

/* Return ERR with a hint that ends with the place of the peer's line. */
static cm_error_t *hint_at(cm_error_t *err, const sync_failure_t *failure,
                           const char *hint, apr_pool_t *pool)
{
    const cm_place_t *place = &failure->config->peer->place;

    return cm_error_hint(err, pool, "%s (%s:%d)", hint, place->file,
                         place->line);
}

/* Return the code of the error that libcurl's result means. */
static cm_code_e code_of(const sync_failure_t *failure)
{
    switch (failure->result) {
    case CURLE_OPERATION_TIMEDOUT:
        return CM_TIMEOUT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_USE_SSL_FAILED:
        return CM_TLS;
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
        return CM_FILE;
    case CURLE_WRITE_ERROR:
        return failure->overflow ? CM_TOO_LARGE : CM_PROTOCOL;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING:
        return CM_PROTOCOL;
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        /* TLS 1.3 refuses a client only after the handshake. */
        return strstr(failure->words, " alert ") ? CM_TLS : CM_NETWORK;
    default:
        return CM_NETWORK;
    }
}

/* --- the proxy --- */

/* The proxy has answered to CONNECT, but made no tunnel. */
static cm_error_t *no_tunnel(const sync_failure_t *failure, apr_pool_t *pool)
{
    const char *proxy = failure->proxy->address, *uri = failure->config->uri;
    long status = failure->tunnel;

    if (status == 407)
        return hint_at(
            CM_FAIL(pool, CM_PROXY,
                    failure->config->proxy_login
                        ? "the proxy '%s' refuses this login (407)"
                        : "the proxy '%s' wants a login (407)",
                    proxy),
            failure, "proxy-user-file= names a file with USER:PASSWORD for it",
            pool);
    if (status == 502 || status == 503)
        return hint_at(CM_FAIL(pool, CM_NETWORK,
                               "the proxy '%s' does not reach '%s' (%ld)",
                               proxy, uri, status),
                       failure,
                       "is the peer's httpd running, and is uri= right?", pool);
    if (status == 504)
        return hint_at(CM_FAIL(pool, CM_TIMEOUT,
                               "the proxy '%s' waited too long for '%s' (504)",
                               proxy, uri),
                       failure,
                       "is the peer's httpd running, and is uri= right?", pool);
    return cm_error_hint(
        CM_FAIL(pool, CM_PROXY, "the proxy '%s' forbids the way to '%s' (%ld)",
                proxy, uri, status),
        pool,
        "let it allow CONNECT to this host and port (AllowCONNECT of httpd, "
        "SSL_ports of Squid), and for this client");
}

/* The proxy itself cannot be reached, or does not do as it should. */
static cm_error_t *no_proxy(const sync_failure_t *failure, apr_pool_t *pool)
{
    return cm_error_hint(
        CM_FAIL(pool,
                failure->result == CURLE_COULDNT_CONNECT ||
                        failure->result == CURLE_COULDNT_RESOLVE_PROXY
                    ? CM_NETWORK
                    : CM_PROXY,
                "the proxy '%s' cannot be used: %s", failure->proxy->address,
                failure->words),
        pool,
        "is it running, is its address (%s) right, and does "
        "it let this host through?",
        failure->proxy->used);
}

static int is_of_proxy(const sync_failure_t *failure)
{
    switch (failure->result) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_PROXY:
#if LIBCURL_VERSION_NUM >= 0x074900
    case CURLE_PROXY:
#endif
        return failure->proxy->used != NULL;
    default:
        return 0;
    }
}

/* --- TLS --- */

/* What the words of OpenSSL or GnuTLS mean, and what to do: the first row with
 * a part of them. PLACE: the hint is about the line of the peer. */
static const struct {
    const char *part, *what, *hint;
    int place;
} tls_failures[] = {
    {"wrong version number", "no TLS is spoken at this port",
     "uri= must name the port of https", 1},
    {"packet length too long", "no TLS is spoken at this port",
     "uri= must name the port of https", 1},
    {"unexpected TLS packet", "no TLS is spoken at this port",
     "uri= must name the port of https", 1},
    {"unsupported protocol", "no common version of TLS",
     "let the peer's httpd speak TLS 1.2 or 1.3: SSLProtocol", 0},
    {"alert protocol version", "no common version of TLS",
     "let the peer's httpd speak TLS 1.2 or 1.3: SSLProtocol", 0},
    {"alert certificate required", "the peer wants a certificate of this host",
     "name it with cert= and its key with key=", 1},
    {"alert unknown ca", "the peer does not trust this host's certificate",
     "SSLCACertificateFile of the peer's httpd must have the authority that "
     "signed cert=",
     0},
    {"alert certificate expired", "this host's certificate has expired",
     "renew the certificate that cert= names", 1},
    {"alert bad certificate", "the peer refuses this host's certificate",
     "the error log of the peer's httpd says why", 0},
    {"alert certificate", "the peer refuses this host's certificate",
     "the error log of the peer's httpd says why", 0},
    {"alert handshake failure", "the peer refuses the handshake",
     "if it wants a certificate of this host, name it with cert= and key=; "
     "else look at SSLProtocol and SSLCipherSuite of the peer's httpd",
     0},
    {"certificate has expired", NULL,
     "renew the certificate of the peer's httpd, unless this host's clock is "
     "wrong",
     0},
    {"expired", NULL,
     "renew the certificate of the peer's httpd, unless this host's clock is "
     "wrong",
     0},
    {"not yet valid", NULL, "is the clock of this host right?", 0},
    {"subject name", NULL, "uri= must name the host as its certificate does",
     1},
    {"SSL_ERROR_SYSCALL", "the connection ended within the handshake",
     "does this port speak TLS? The error log of the peer's httpd may say more",
     0},
    {"unexpected eof", "the connection ended within the handshake",
     "does this port speak TLS? The error log of the peer's httpd may say more",
     0},
    {"", NULL,
     "name the authority that signed the peer's certificate with ca-file=", 1},
};

static cm_error_t *no_tls(const sync_failure_t *failure, apr_pool_t *pool)
{
    const char *uri = failure->config->uri, *words = failure->words;
    cm_error_t *err;
    int i = 0;

    while (!strstr(words, tls_failures[i].part))
        i++;
    if (tls_failures[i].what)
        err = CM_FAIL(pool, CM_TLS, "%s: %s: %s", uri, tls_failures[i].what,
                      words);
    else
        err = CM_FAIL(pool, CM_TLS, "%s: %s", uri, words);
    return tls_failures[i].place
               ? hint_at(err, failure, tls_failures[i].hint, pool)
               : cm_error_hint(err, pool, "%s", tls_failures[i].hint);
}

/* A file of certificates that cannot be used. */
static cm_error_t *bad_file(const sync_failure_t *failure, apr_pool_t *pool)
{
    const cm_peer_settings_t *peer = failure->config->peer;
    cm_error_t *err =
        CM_FAIL(pool, CM_FILE, "%s: %s", failure->config->uri, failure->words);

    if (failure->result == CURLE_SSL_CERTPROBLEM)
        return hint_at(err, failure,
                       "cert= and key= must be PEM and belong together; an "
                       "encrypted key needs the right key-password-file=",
                       pool);
    return cm_error_hint(err, pool, "%s",
                         peer->ca_file
                             ? "does the file of ca-file= exist, and is it PEM?"
                             : "install the authorities' certificates (Debian: "
                               "ca-certificates), or name a file of them with "
                               "ca-file=");
}

/* --- all --- */

cm_error_t *sync_failure_too_large(const sync_http_config_t *config,
                                   apr_pool_t *pool)
{
    return cm_error_hint(
        CM_FAIL(pool, CM_TOO_LARGE,
                "the reply of %s is larger than %" APR_SIZE_T_FMT " bytes",
                config->uri, config->reply_limit),
        pool, "raise CommunicatorMaxBody on this side");
}

cm_error_t *sync_failure(const sync_failure_t *failure, apr_pool_t *pool)
{
    cm_code_e code = code_of(failure);
    cm_error_t *err;

    if (failure->tunnel >= 300 && failure->proxy->used)
        return no_tunnel(failure, pool);
    if (is_of_proxy(failure))
        return no_proxy(failure, pool);
    if (code == CM_TOO_LARGE)
        return sync_failure_too_large(failure->config, pool);
    if (code == CM_TLS)
        return no_tls(failure, pool);
    if (code == CM_FILE)
        return bad_file(failure, pool);
    err = CM_FAIL(pool, code, "%s: %s", failure->config->uri, failure->words);
    if (failure->proxy->used && code == CM_NETWORK)
        return cm_error_hint(err, pool,
                             "requests go through the proxy %s (%s): does it "
                             "let this host through?",
                             failure->proxy->address, failure->proxy->used);
    if (failure->result == CURLE_COULDNT_RESOLVE_HOST ||
        failure->result == CURLE_COULDNT_CONNECT)
        return hint_at(err, failure,
                       "is the peer's httpd running, and is uri= right?", pool);
    return err;
}
