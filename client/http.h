/* HTTP towards one peer. Only http.c, http_error.[ch], certificate.c and
 * proxy.c know libcurl.
 *
 * One handle, and with it the connection, serves a whole run. Redirects are
 * not followed, certificates are always verified, the size of a reply is
 * counted as it comes in (which bounds what gzip unfolds to as well). Bodies
 * are packed where the operator wants it, both ways, and requests only when
 * the peer has said that it accepts that. */
#ifndef HTTP_H
#define HTTP_H

#include <apr_tables.h>

#include "config/settings.h"
#include "exchange/transport.h"
#include "proxy.h"

typedef struct sync_http_t sync_http_t;

/* How to talk to the peer. */
typedef struct sync_http_config_t {
    const cm_peer_settings_t *peer;
    const char *uri;        /* from sync_uri_check() */
    int loopback;           /* it leads to this host */
    const char *password;   /* NULL: none */
    int timeout;            /* seconds that one request may take */
    apr_size_t reply_limit; /* bytes of a reply's body, unpacked */
    int packs;              /* bodies, both ways */
    apr_table_t *headers;   /* sent with each request; may be changed
                               between requests */
} sync_http_config_t;

/* Make the handle in POOL; CONFIG must live as long. Fails with
 * CM_INTERNAL. */
cm_error_t *sync_http_open(sync_http_t **http, const sync_http_config_t *config,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return the functions of HTTP, to be used with the handle as their baton. A
 * POST goes with Content-Length and without Expect. */
cm_transport_t sync_http_transport(sync_http_t *http);

/* Have the peer's certificates looked at, from the next connection on; then
 * return the moment (microseconds since 1970) from which one of them is no
 * longer valid, 0 when none was seen. */
void sync_http_inspect(sync_http_t *http);
apr_int64_t sync_http_expires(const sync_http_t *http);

/* Return which proxy the requests take, as far as they went. */
const sync_proxy_t *sync_http_proxy(const sync_http_t *http);

/* Return the versions of the HTTP library, for --version. */
const char *sync_http_version(void);

#endif
