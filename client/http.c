/* HTTP towards one peer: see http.h. */
#include "http.h"

#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <curl/curl.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/gzip.h"
#include "node/node.h"
#include "failure.h"

#define CONNECT_SECONDS   10
#define KEEPALIVE_SECONDS 20L
#define HEADER_COUNT_MAX  100
#define HEADER_VALUE_MAX  1024
#define HEAD_MAX          (64 * 1024) /* of all heads of one reply */
#define FIRST_ROOM        16384

/* The request under way. */
typedef struct request_t {
    struct curl_slist *headers;      /* NULL: there is no request */
    const char *query;               /* may be NULL */
    const cm_transport_body_t *body; /* of a POST */
    int packed;                      /* the body is sent packed */
    int done;                        /* it ended ... */
    CURLcode result;                 /* ... like this */
} request_t;

/* The reply that is being read. */
typedef struct received_t {
    cm_transport_reply_t *reply;
    apr_pool_t *pool;
    apr_size_t head; /* bytes of its head so far */
    int head_done;
    apr_size_t size; /* bytes of its body so far, in data */
    int overflow;    /* it has more bytes than the limit allows */
} received_t;

struct sync_http_kept_t {
    CURLM *multi;
};

struct sync_http_t {
    CURL *curl;
    CURLM *multi;
    int owns_multi;
    const sync_http_config_t *config;
    sync_proxy_t *proxy;
    request_t request;
    received_t received;
    char *data;       /* kept from one reply to the next ... */
    apr_size_t room;  /* ... of this size */
    int takes_gzip;   /* the peer accepts packed bodies ... */
    int refused_gzip; /* ... but something refused it */
    char error[CURL_ERROR_SIZE];
};

const char *sync_http_version(void)
{
    return curl_version();
}

/* End the request under way, if there is one. */
static void leave(sync_http_t *http)
{
    if (!http->request.headers)
        return;
    curl_multi_remove_handle(http->multi, http->curl);
    curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(http->request.headers);
    http->request.headers = NULL;
}

static apr_status_t close_http(void *baton)
{
    sync_http_t *http = baton;

    leave(http);
    curl_easy_cleanup(http->curl);
    if (http->owns_multi)
        curl_multi_cleanup(http->multi);
    free(http->data);
    curl_global_cleanup();
    return APR_SUCCESS;
}

static int reserve(sync_http_t *http, apr_size_t more)
{
    apr_size_t room = http->room ? http->room : FIRST_ROOM;
    char *data;

    while (room < http->received.size + more + 1)
        room *= 2;
    if (room == http->room)
        return 1;
    data = realloc(http->data, room);
    if (!data)
        return 0;
    http->data = data;
    http->room = room;
    return 1;
}

static size_t on_body(char *data, size_t one, size_t size, void *baton)
{
    sync_http_t *http = baton;

    (void)one;
    if (size > http->config->reply_limit - http->received.size) {
        http->received.overflow = 1;
        return 0;
    }
    if (!reserve(http, size))
        return 0;
    memcpy(http->data + http->received.size, data, size);
    http->received.size += size;
    return size;
}

static size_t on_header(char *data, size_t one, size_t size, void *baton)
{
    sync_http_t *http = baton;
    apr_table_t *headers = http->received.reply->headers;
    const char *colon = memchr(data, ':', size);
    const char *end = data + size;
    char *name;

    (void)one;
    http->received.head += size;
    if (http->received.head > HEAD_MAX)
        return 0;
    if (size >= 5 && memcmp(data, "HTTP/", 5) == 0) {
        apr_table_clear(headers); /* those of an interim reply */
        http->received.head_done = 0;
        return size;
    }
    if (size > 0 && (*data == '\r' || *data == '\n'))
        http->received.head_done = 1;
    if (!colon || apr_table_elts(headers)->nelts >= HEADER_COUNT_MAX)
        return size;
    name = apr_pstrmemdup(http->received.pool, data, colon - data);
    for (colon++; colon < end && apr_isspace(*colon); colon++)
        ;
    while (end > colon && apr_isspace(end[-1]))
        end--;
    if (end - colon <= HEADER_VALUE_MAX)
        apr_table_setn(headers, name,
                       apr_pstrmemdup(http->received.pool, colon, end - colon));
    return size;
}

static void set_protocols(CURL *curl, const char *uri)
{
    int tls = strncasecmp(uri, "https:", 6) == 0;

#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, tls ? "https" : "http");
#else
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS,
                     (long)(tls ? CURLPROTO_HTTPS : CURLPROTO_HTTP));
#endif
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
}

/* Show the peer a certificate of this host. Without a password of its key
 * OpenSSL would ask at the terminal. */
static void set_certificate(CURL *curl, const sync_http_config_t *config)
{
    const cm_peer_settings_t *peer = config->peer;

    if (!peer->cert)
        return;
    curl_easy_setopt(curl, CURLOPT_SSLCERT, peer->cert);
    curl_easy_setopt(curl, CURLOPT_SSLKEY, peer->key ? peer->key : peer->cert);
    curl_easy_setopt(curl, CURLOPT_KEYPASSWD,
                     config->key_password ? config->key_password : "");
}

static void set_options(sync_http_t *http)
{
    const sync_http_config_t *config = http->config;
    CURL *curl = http->curl;
    long timeout = config->timeout;

    set_protocols(curl, config->uri);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT,
                     timeout < CONNECT_SECONDS ? timeout : CONNECT_SECONDS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, timeout);
    /* a peer may be silent while it works; one that is gone is noticed */
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_SECONDS);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_SECONDS);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "communicator-sync");
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, http->error);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, http);
    curl_easy_setopt(curl, CURLOPT_PRIVATE, http);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, http);
    if (config->peer->ca_file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, config->peer->ca_file);
    set_certificate(curl, config);
    if (config->peer->user && config->password) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(curl, CURLOPT_USERNAME, config->peer->user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, config->password);
    }
}

/* libcurl would wait forever for a FIFO. */
static cm_error_t *check_files(const cm_peer_settings_t *peer, apr_pool_t *pool)
{
    const struct {
        const char *option, *path;
    } files[] = {
        {"ca-file", peer->ca_file}, {"cert", peer->cert}, {"key", peer->key}};
    apr_size_t i;

    for (i = 0; i < sizeof(files) / sizeof(*files); i++)
        if (files[i].path)
            CM_TRY_FOR(cm_file_check(files[i].path, pool), pool,
                       "%s= of peer '%s'", files[i].option, peer->name);
    return NULL;
}

cm_error_t *sync_http_open(sync_http_t **http, const sync_http_config_t *config,
                           apr_pool_t *pool)
{
    sync_http_t *made = apr_pcalloc(pool, sizeof(*made));

    CM_TRY(check_files(config->peer, pool));
    curl_global_init(CURL_GLOBAL_DEFAULT);
    made->config = config;
    made->curl = curl_easy_init();
    made->owns_multi = !config->kept;
    made->multi = config->kept ? config->kept->multi : curl_multi_init();
    if (!made->curl || !made->multi || !reserve(made, 0))
        return CM_FAIL(pool, CM_INTERNAL, "cannot set up HTTP");
    apr_pool_cleanup_register(pool, made, close_http, apr_pool_cleanup_null);
    set_options(made);
    made->proxy =
        sync_proxy_set(made->curl, config->peer, config->proxy_login, pool);
    *http = made;
    return NULL;
}

static struct curl_slist *request_headers(const sync_http_t *http,
                                          apr_pool_t *pool)
{
    const apr_array_header_t *all = apr_table_elts(http->config->headers);
    const apr_table_entry_t *entry = (const apr_table_entry_t *)all->elts;
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    int i;

    if (http->request.body)
        list = curl_slist_append(list, "Content-Type: application/json");
    if (http->config->packs)
        list = curl_slist_append(list, "Accept-Encoding: gzip");
    if (http->request.packed)
        list = curl_slist_append(list, "Content-Encoding: gzip");
    for (i = 0; i < all->nelts; i++)
        list = curl_slist_append(
            list, apr_pstrcat(pool, entry[i].key, ": ", entry[i].val, NULL));
    list = curl_slist_append(list, apr_psprintf(pool,
                                                "Communicator-Clock: "
                                                "%" APR_INT64_T_FMT,
                                                cm_clock_now()));
    return list;
}

/* Work on all requests of MULTI; returns 0 when that is not possible. */
static int work(CURLM *multi)
{
    int running, left;
    int works = curl_multi_perform(multi, &running) == CURLM_OK;
    const CURLMsg *message;
    sync_http_t *http;

    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &http);
        http->request.result = message->data.result;
        http->request.done = 1;
    }
    return works;
}

/* Work on the request until it is done, or until SIZE bytes of its body (0: any
 * number) are sent. */
static void drive(sync_http_t *http, apr_size_t size)
{
    curl_off_t sent = 0;

    for (;;) {
        if (!work(http->multi)) {
            http->request.result = CURLE_FAILED_INIT;
            http->request.done = 1;
        }
        curl_easy_getinfo(http->curl, CURLINFO_SIZE_UPLOAD_T, &sent);
        if (http->request.done || (size && (apr_size_t)sent >= size))
            return;
        curl_multi_poll(http->multi, NULL, 0, 1000, NULL);
    }
}

static void begin(sync_http_t *http, apr_pool_t *pool)
{
    cm_transport_reply_t *reply = apr_pcalloc(pool, sizeof(*reply));

    leave(http);
    reply->headers = apr_table_make(pool, 16);
    http->received = (received_t){.reply = reply, .pool = pool};
    http->request.done = 0;
    *http->error = '\0';
    curl_easy_setopt(http->curl, CURLOPT_URL,
                     http->request.query
                         ? apr_pstrcat(pool, http->config->uri, "?",
                                       http->request.query, NULL)
                         : http->config->uri);
    http->request.headers = request_headers(http, pool);
    curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, http->request.headers);
    reply->began = cm_clock_now();
    curl_multi_add_handle(http->multi, http->curl);
}

/* Send the body; the reply is read later. */
static void post(sync_http_t *http, int packed, apr_pool_t *pool)
{
    const cm_transport_body_t *body = http->request.body;
    apr_size_t size = packed ? body->packed->size : body->size;

    http->request.packed = packed;
    curl_easy_setopt(http->curl, CURLOPT_POST, 1L);
    curl_easy_setopt(http->curl, CURLOPT_POSTFIELDS,
                     packed ? body->packed->data : body->data);
    curl_easy_setopt(http->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
    begin(http, pool);
    drive(http, size);
}

/* Return the status of the reply; 0: there is none. */
static long status_of(const sync_http_t *http)
{
    long status = 0;

    if (http->request.result == CURLE_OK)
        curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

/* Wait for the reply. A packed body that is refused is sent once more unpacked,
 * and so are all later ones: the peer's httpd may have its own limits for
 * unpacking, or no longer be able to. */
static void await(sync_http_t *http, apr_pool_t *pool)
{
    long status;

    drive(http, 0);
    status = http->request.packed ? status_of(http) : 0;
    if (status != 400 && status != 413 && status != 415)
        return;
    http->refused_gzip = 1;
    post(http, 0, pool);
    drive(http, 0);
    /* Packing was not the cause: a body may be small enough only when packed.
     */
    if (status_of(http) == status)
        http->refused_gzip = 0;
}

/* Return whether nothing of the request was sent. */
static int is_unreached(const sync_http_t *http)
{
    long size = 0;

    if (http->request.result != CURLE_OK)
        curl_easy_getinfo(http->curl, CURLINFO_REQUEST_SIZE, &size);
    return http->request.result != CURLE_OK && size == 0;
}

/* Return the error of a request that failed. */
static cm_error_t *failed(const sync_http_t *http, apr_pool_t *pool)
{
    sync_failure_t failure = {
        .config = http->config,
        .proxy = http->proxy,
        .result = http->request.result,
        .words = *http->error ? http->error
                              : curl_easy_strerror(http->request.result),
        .overflow = http->received.overflow};

    curl_easy_getinfo(http->curl, CURLINFO_HTTP_CONNECTCODE, &failure.tunnel);
    return sync_failure(&failure, pool);
}

/* Give the body of REPLY, which must not be larger than the limit when it is
 * unpacked. Not curl unpacks it: as it came it can be kept. */
static cm_error_t *read_body(cm_transport_reply_t *reply, sync_http_t *http,
                             apr_pool_t *pool)
{
    const sync_http_config_t *config = http->config;
    const char *coding = apr_table_get(reply->headers, "Content-Encoding");
    cm_buffer_t *packed, *plain;
    cm_error_t *err;

    http->data[http->received.size] = '\0';
    reply->data = http->data;
    reply->size = http->received.size;
    if (!config->packs || !reply->size || !coding ||
        (strcasecmp(coding, "gzip") && strcasecmp(coding, "x-gzip")))
        return NULL;
    err = cm_gzip_unpack(&plain, reply->data, reply->size, config->reply_limit,
                         pool);
    if (err) {
        reply->status = 0; /* no whole reply */
        if (err->code == CM_TOO_LARGE)
            return sync_failure_too_large(config, pool);
        return cm_error_make(pool, CM_PROTOCOL, err, __FILE__, __LINE__,
                             "the reply of %s cannot be unpacked", config->uri);
    }
    packed = apr_palloc(pool, sizeof(*packed));
    *packed = (cm_buffer_t){.data = http->data, .size = http->received.size};
    reply->packed = packed;
    reply->data = plain->data;
    reply->size = plain->size;
    return NULL;
}

static cm_error_t *finish(cm_transport_reply_t **reply, void *baton,
                          apr_pool_t *pool)
{
    sync_http_t *http = baton;

    await(http, pool);
    *reply = http->received.reply;
    (*reply)->ended = cm_clock_now();
    (*reply)->status = (int)status_of(http);
    (*reply)->unreached = is_unreached(http);
    leave(http);
    if (http->request.result != CURLE_OK)
        return failed(http, pool);
    /* curl takes a reply that was cut in its head for a complete one */
    if (!http->received.head_done)
        return CM_FAIL(pool, CM_NETWORK,
                       "%s: the connection was closed within the reply's head",
                       http->config->uri);
    return read_body(*reply, http, pool);
}

static cm_transport_body_t pack(void *baton, cm_transport_body_t body,
                                apr_pool_t *pool)
{
    const sync_http_t *http = baton;
    if (!http->config->sends_packed || !http->takes_gzip || http->refused_gzip)
        body.packed = NULL;
    else if (!body.packed && http->config->packs)
        body.packed = cm_gzip_pack(body.data, body.size, pool);
    return body;
}

static void send_request(void *baton, const char *query,
                         const cm_transport_body_t *body, apr_pool_t *pool)
{
    sync_http_t *http = baton;

    http->request.query = query;
    http->request.body = body;
    http->request.packed = 0;
    if (body) {
        post(http, body->packed && !http->refused_gzip, pool);
        return;
    }
    curl_easy_setopt(http->curl, CURLOPT_HTTPGET, 1L);
    begin(http, pool);
}

static void accept_gzip(void *baton, int accepts)
{
    sync_http_t *http = baton;

    http->takes_gzip = accepts;
}

cm_transport_t sync_http_transport(sync_http_t *http)
{
    return (cm_transport_t){pack,        send_request,          finish,
                            accept_gzip, http->config->headers, http};
}

static apr_status_t close_kept(void *baton)
{
    sync_http_kept_t *kept = baton;

    curl_multi_cleanup(kept->multi);
    curl_global_cleanup();
    return APR_SUCCESS;
}

cm_error_t *sync_http_keep(sync_http_kept_t **kept, apr_pool_t *pool)
{
    sync_http_kept_t *made = apr_pcalloc(pool, sizeof(*made));

    curl_global_init(CURL_GLOBAL_DEFAULT);
    made->multi = curl_multi_init();
    if (!made->multi)
        return CM_FAIL(pool, CM_INTERNAL, "cannot set up HTTP");
    apr_pool_cleanup_register(pool, made, close_kept, apr_pool_cleanup_null);
    *kept = made;
    return NULL;
}

void sync_http_await(sync_http_kept_t *kept, apr_interval_time_t time)
{
    work(kept->multi);
    curl_multi_poll(kept->multi, NULL, 0, (int)apr_time_as_msec(time), NULL);
    work(kept->multi);
}

int sync_http_is_done(const sync_http_t *http)
{
    return http->request.done;
}

void sync_http_inspect(sync_http_t *http)
{
    curl_easy_setopt(http->curl, CURLOPT_CERTINFO, 1L);
}

const sync_proxy_t *sync_http_proxy(const sync_http_t *http)
{
    return http->proxy;
}

apr_int64_t sync_http_expires(const sync_http_t *http)
{
    static const char label[] = "Expire date:";
    struct curl_certinfo *chain = NULL;
    const struct curl_slist *line;
    time_t first = 0, end;
    int i;

    curl_easy_getinfo(http->curl, CURLINFO_CERTINFO, &chain);
    for (i = 0; chain && i < chain->num_of_certs; i++)
        for (line = chain->certinfo[i]; line; line = line->next) {
            if (strncmp(line->data, label, sizeof(label) - 1) != 0)
                continue;
            end = curl_getdate(line->data + sizeof(label) - 1, NULL);
            if (end > 0 && (!first || end < first))
                first = end;
        }
    return apr_time_from_sec((apr_int64_t)first);
}
