/* HTTP towards one peer. Only http.c, failure.c and proxy.c know
 * libcurl.
 *
 * One handle, and with it the connection, serves a whole run. Redirects are
 * not followed, certificates are always verified, and the size of a reply is
 * limited as it is read, and before it is unpacked. Bodies are packed both ways
 * if the operator wants that, those of requests only once the peer has said
 * that it accepts it. What is packed already is not packed for nothing: the
 * peer keeps it as it comes. */
#ifndef HTTP_H
#define HTTP_H

#include <apr_tables.h>

#include "config/settings.h"
#include "exchange/transport.h"
#include "proxy.h"

typedef struct sync_http_t sync_http_t;

/* Connections that are kept for several handles: one that follows another
 * goes on with its connection. */
typedef struct sync_http_kept_t sync_http_kept_t;

/* How to talk to the peer. */
typedef struct sync_http_config_t {
    const cm_peer_settings_t *peer;
    const char *uri;          /* of the peer, with a path */
    const char *password;     /* NULL: none */
    const char *key_password; /* of the key of the certificate; NULL: none */
    const char *proxy_login;  /* USER:PASSWORD at the proxy; NULL: none */
    int timeout;              /* seconds that one request may take */
    apr_size_t reply_limit;   /* bytes of a reply's body, unpacked */
    int packs;                /* bodies are packed, both ways */
    int sends_packed;         /* those that are packed already are sent so */
    apr_table_t *headers;     /* sent with each request; may be changed
                                 between requests */
    sync_http_kept_t *kept;   /* NULL: the handle has its own connection */
} sync_http_config_t;

/* Create what keeps connections; closed with POOL, after the handles that use
 * it. Fails with CM_INTERNAL. */
cm_error_t *sync_http_keep(sync_http_kept_t **kept,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

/* Work on all requests over KEPT, and wait for the next thing to happen there,
 * for TIME (microseconds) at most. */
void sync_http_await(sync_http_kept_t *kept, apr_interval_time_t time);

/* Return whether the reply to the request that was sent last is there, so that
 * finish() of the transport need not wait. */
int sync_http_is_done(const sync_http_t *http);

/* Make the handle in POOL; CONFIG must live as long. Fails with CM_FILE,
 * CM_INTERNAL. */
cm_error_t *sync_http_open(sync_http_t **http, const sync_http_config_t *config,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return HTTP as a transport. A POST has Content-Length and no Expect. */
cm_transport_t sync_http_transport(sync_http_t *http);

/* Inspect the peer's certificates, from the next connection on. Then return
 * when the first of them expires (microseconds since 1970); 0: none was seen.
 */
void sync_http_inspect(sync_http_t *http);
apr_int64_t sync_http_expires(const sync_http_t *http);

/* Return which proxy the requests so far went through. */
const sync_proxy_t *sync_http_proxy(const sync_http_t *http);

/* Return the versions of the HTTP library, for --version. */
const char *sync_http_version(void);

#endif
