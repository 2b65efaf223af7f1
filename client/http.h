/* HTTP towards one peer. Only http.c, http_error.[ch], certificate.c and
 * proxy.c know libcurl.
 *
 * One handle, and with it the connection, serves a whole run. Redirects are
 * not followed, certificates are always verified, the size of a reply is
 * counted as it comes in (which bounds what gzip unfolds to as well). Bodies
 * are packed where the operator wants it, both ways, and requests only when
 * the peer has said that it takes that. */
#ifndef HTTP_H
#define HTTP_H

#include <apr_tables.h>

#include "base/gzip.h"
#include "config/settings.h"
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

/* What came back. DATA is NUL-terminated behind SIZE and lives until the next
 * request. */
typedef struct sync_http_reply_t {
    int status;    /* 0: no whole reply came */
    int unreached; /* the request did not even leave */
    apr_table_t *headers;
    const char *data;
    apr_size_t size;
    apr_int64_t began, ended; /* this host's clock, microseconds */
} sync_http_reply_t;

/* What is sent: as it is, and packed, or NULL. */
typedef struct sync_http_body_t {
    const char *data;
    apr_size_t size;
    const cm_buffer_t *packed;
} sync_http_body_t;

/* Make the handle in POOL; CONFIG must live as long. Fails with
 * CM_INTERNAL. */
cm_error_t *sync_http_open(sync_http_t **http, const sync_http_config_t *config,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

/* GET the peer's address with QUERY ("from_id=1&limit=5"). *REPLY is any
 * HTTP answer, whatever its status. Fails with CM_NETWORK, CM_TIMEOUT, CM_TLS,
 * CM_TOO_LARGE (the reply), CM_PROTOCOL (no HTTP). */
cm_error_t *sync_http_get(sync_http_reply_t **reply, sync_http_t *http,
                          const char *query, apr_pool_t *pool) CM_UNUSED_RESULT;

/* POST SIZE bytes of JSON in DATA, with Content-Length and without Expect:
 * QUERY may be NULL. Fails as sync_http_get(). */
cm_error_t *sync_http_post(sync_http_reply_t **reply, sync_http_t *http,
                           const char *query, const char *data, apr_size_t size,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

/* The same in steps: make the body, hand it over (the peer is at work then, and
 * so may the caller be), and wait for the reply, in the same POOL. QUERY and
 * BODY stay as they are in between. */
sync_http_body_t sync_http_body(const sync_http_t *http, const char *data,
                                apr_size_t size, apr_pool_t *pool);
void sync_http_send(sync_http_t *http, const char *query,
                    const sync_http_body_t *body, apr_pool_t *pool);
cm_error_t *sync_http_finish(sync_http_reply_t **reply, sync_http_t *http,
                             apr_pool_t *pool) CM_UNUSED_RESULT;

/* Note whether the peer TAKES packed bodies. */
void sync_http_take_gzip(sync_http_t *http, int takes);

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
