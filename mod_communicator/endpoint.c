/* Requests at the endpoint: httpd's side of lib/exchange/serve.h.
 *
 * Ours are the requests for exactly the path of a <Location> with Communicator
 * On. With Communicator Off they are ours, too: a gem would take httpd's 404
 * for success, so we refuse them ourselves. */
#include "mod_communicator.h"

#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <http_ssl.h>
#include <string.h>
#include <util_filter.h>

#include <apr_strings.h>

#include "exchange/log.h"
#include "exchange/serve.h"

APLOG_USE_MODULE(communicator);

#define HANDLER    "communicator"
#define READ_BYTES 65536

const mod_location_t *mod_endpoint_of(request_rec *r)
{
    const mod_location_t *location =
        ap_get_module_config(r->per_dir_config, &communicator_module);

    if (r->main || !location || location->on < 0 || !r->uri ||
        strcmp(r->uri, location->path))
        return NULL;
    return location;
}

int mod_endpoint_is_gem(const request_rec *r)
{
    return !apr_table_get(r->headers_in, "Communicator-Protocol");
}

/* Runs before Alias, Redirect, ProxyPass and RewriteRule of the server: a
 * redirect (to https, to another host) would lose a gem's messages. */
int mod_endpoint_translate(request_rec *r)
{
    if (!ap_is_initial_req(r) || !mod_endpoint_of(r))
        return DECLINED;
    r->filename = apr_pstrcat(r->pool, HANDLER ":", r->uri, NULL);
    return OK;
}

static int is_translated(const request_rec *r)
{
    return r->filename &&
           !strncmp(r->filename, HANDLER ":", sizeof(HANDLER ":") - 1);
}

/* There is no file, so <Directory> and .htaccess do not apply. */
int mod_endpoint_map(request_rec *r)
{
    return is_translated(r) ? OK : DECLINED;
}

int mod_endpoint_type(request_rec *r)
{
    if (!is_translated(r) || !mod_endpoint_of(r))
        return DECLINED;
    r->handler = HANDLER;
    return OK;
}

/* Return whether the client is on this host. */
static int from_loopback(const request_rec *r)
{
    const apr_sockaddr_t *address = r->useragent_addr;
    const unsigned char *bytes = address->ipaddr_ptr;
    static const unsigned char zeros[15];

    if (address->family == APR_INET)
        return bytes[0] == 127;
    if (address->family != APR_INET6)
        return 1;
    if (IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)address->ipaddr_ptr))
        return bytes[12] == 127;
    return !memcmp(bytes, zeros, sizeof(zeros)) && bytes[15] == 1;
}

/* Return whether ADDRESS is of a proxy whose header is believed. */
static int is_trusted(const cm_require_tls_t *tls, apr_sockaddr_t *address)
{
    int i;

    for (i = 0; i < tls->proxies->nelts; i++)
        if (apr_ipsubnet_test(APR_ARRAY_IDX(tls->proxies, i, apr_ipsubnet_t *),
                              address))
            return 1;
    return 0;
}

/* Return whether the request of R crossed the network encrypted, if at all. Of
 * one that comes from a trusted proxy only its header tells. */
static int is_protected(const cm_require_tls_t *tls, const request_rec *r)
{
    const char *value;

    if (tls->header && is_trusted(tls, r->connection->client_addr)) {
        value = apr_table_get(r->headers_in, tls->header);
        return value &&
               (!strcasecmp(value, "https") || !strcasecmp(value, "on"));
    }
    return from_loopback(r) || ap_ssl_conn_is_ssl(r->connection);
}

static const char *why_unprotected(const cm_require_tls_t *tls,
                                   const request_rec *r)
{
    const conn_rec *connection = r->connection;

    if (!tls->header)
        return "plain HTTP is accepted only from this host";
    return is_trusted(tls, connection->client_addr)
               ? apr_psprintf(r->pool,
                              "the header %s of a trusted proxy does not say "
                              "that https was used",
                              tls->header)
               : apr_psprintf(r->pool,
                              "plain HTTP, and the header %s is not believed: "
                              "%s is not a trusted proxy",
                              tls->header, connection->client_ip);
}

/* Refuse what crossed the network unencrypted, or was sent by a web page of
 * another site through a browser that is logged in here. Returns 0 when it has
 * refused the request. */
static int check_transport(cm_exchange_t *exchange, const request_rec *r)
{
    const char *site = apr_table_get(r->headers_in, "Sec-Fetch-Site");
    const cm_require_tls_t *tls = &exchange->settings->require_tls;

    if (tls->on && !is_protected(tls, r))
        return cm_serve_forbid(
            exchange, CM0003, why_unprotected(tls, r),
            "use https://, and change the password: it was sent unencrypted; "
            "or see CommunicatorRequireTLS, if TLS ends in front of httpd");
    if (apr_table_get(r->headers_in, "Origin") ||
        (site && !strcasecmp(site, "cross-site")))
        return cm_serve_forbid(exchange, CM0004,
                               "a web page of another site sent this request",
                               "peers send neither Origin nor Sec-Fetch-Site");
    return 1;
}

/* What httpd does for one exchange: the functions of cm_host_t. */
typedef struct host_t {
    request_rec *r;
    const cm_settings_t *settings;
    apr_time_t began; /* the request, or the last look of one that waits */
    int result;       /* what the handler returns: OK, AP_FILTER_ERROR */
} host_t;

static cm_error_t *use_node(void *baton, cm_host_work_t work, void *work_baton,
                            apr_pool_t *pool)
{
    const host_t *host = baton;
    request_rec *r = host->r;

    return mod_database_use(r->server, host->settings, host->began, work,
                            work_baton, pool);
}

/* Append the data of BRIGADE to BODY; *END when it is the last. */
static apr_status_t append(cm_buffer_t *body, int *end,
                           apr_bucket_brigade *brigade, apr_off_t limit)
{
    apr_status_t status = APR_SUCCESS;
    apr_bucket *bucket;
    const char *data;
    apr_size_t size;

    for (bucket = APR_BRIGADE_FIRST(brigade);
         !status && bucket != APR_BRIGADE_SENTINEL(brigade);
         bucket = APR_BUCKET_NEXT(bucket)) {
        if (APR_BUCKET_IS_EOS(bucket)) {
            *end = 1;
            break;
        }
        if (APR_BUCKET_IS_METADATA(bucket))
            continue;
        status = apr_bucket_read(bucket, &data, &size, APR_BLOCK_READ);
        if (!status && (apr_off_t)(body->size + size) > limit)
            status = APR_ENOSPC;
        if (!status)
            cm_buffer_append(body, data, size);
    }
    return status;
}

/* Read the body as it comes, until LIMIT. */
static apr_status_t read_all(cm_buffer_t *body, const host_t *host,
                             apr_off_t limit)
{
    request_rec *r = host->r;
    apr_bucket_brigade *brigade =
        apr_brigade_create(r->pool, r->connection->bucket_alloc);
    apr_status_t status = APR_SUCCESS;
    int end = 0;

    while (!status && !end) {
        status = ap_get_brigade(r->input_filters, brigade, AP_MODE_READBYTES,
                                APR_BLOCK_READ, READ_BYTES);
        if (!status)
            status = append(body, &end, brigade, limit);
        apr_brigade_cleanup(brigade);
    }
    apr_brigade_destroy(brigade);
    return status;
}

/* Return how many bytes the body may have. */
static apr_off_t body_limit(const request_rec *r, const cm_settings_t *settings)
{
    apr_off_t server = ap_get_limit_req_body(r), ours = settings->max_body;

    return server > 0 && server < ours ? server : ours;
}

static int read_body(cm_buffer_t **body, void *baton, apr_pool_t *pool)
{
    host_t *host = baton;
    apr_status_t status;
    int refusal;

    *body = cm_buffer_create(READ_BYTES, pool);
    status = read_all(*body, host, body_limit(host->r, host->settings));
    if (!status)
        return 0;
    if (status == APR_ENOSPC)
        return HTTP_REQUEST_ENTITY_TOO_LARGE;
    refusal = ap_map_http_request_error(status, HTTP_BAD_REQUEST);
    if (refusal != AP_FILTER_ERROR)
        return refusal;
    host->result = AP_FILTER_ERROR;
    return CM_HOST_ANSWERED;
}

static void expect(void *baton, apr_size_t size)
{
    const host_t *host = baton;

    mod_allocator_expect(host->r, size);
}

static int wait_begin(void *baton)
{
    const host_t *host = baton;

    return mod_wait_begin(host->settings);
}

static void wait_end(void *baton)
{
    (void)baton;
    mod_wait_end();
}

static int wait_on(void *baton, apr_interval_time_t time)
{
    host_t *host = baton;
    int goes_on = mod_wait_on(host->r, time);

    host->began = apr_time_now();
    return goes_on;
}

static void log_text(void *baton, cm_log_e level, const char *text)
{
    const host_t *host = baton;

    ap_log_rerror(APLOG_MARK, (int)level, 0, host->r, "%s", text);
}

/* Send ANSWER, which lives as long as R. */
static void send_answer(request_rec *r, const cm_answer_t *answer)
{
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;
    apr_bucket_brigade *out = apr_brigade_create(r->pool, alloc);

    r->status = answer->status;
    r->status_line = NULL;
    apr_table_overlap(r->headers_out, answer->headers, APR_OVERLAP_TABLES_SET);
    apr_table_overlap(r->notes, answer->notes, APR_OVERLAP_TABLES_SET);
    if (answer->packed)
        r->content_encoding = "gzip";
    ap_set_content_type(r, answer->type);
    ap_set_content_length(r, (apr_off_t)answer->size);
    if (answer->size)
        APR_BRIGADE_INSERT_TAIL(
            out, apr_bucket_immortal_create(answer->body, answer->size, alloc));
    APR_BRIGADE_INSERT_TAIL(out, apr_bucket_eos_create(alloc));
    ap_pass_brigade(r->output_filters, out);
}

/* Return what the library has to know of R. */
static const cm_request_t *request_of(request_rec *r,
                                      const mod_location_t *location)
{
    cm_request_t *request = apr_pcalloc(r->pool, sizeof(*request));

    /* Part of an answer cannot be parsed. */
    apr_table_unset(r->headers_in, "Range");
    apr_table_unset(r->headers_in, "If-Range");
    request->method = r->method;
    request->query = r->args;
    request->headers = r->headers_in;
    request->user = r->user;
    request->off = location && !location->on;
    return request;
}

/* Find the answer to the request at LOCATION; NULL: SetHandler is set without
 * Communicator On. */
static void answer(cm_exchange_t *exchange, const request_rec *r,
                   const mod_location_t *location)
{
    if (!location)
        cm_serve_forbid(exchange, CM0006,
                        "SetHandler alone does not make an endpoint",
                        "add Communicator On to the <Location>");
    else if (check_transport(exchange, r))
        cm_serve(exchange);
}

int mod_endpoint_handler(request_rec *r)
{
    const mod_server_t *server =
        ap_get_module_config(r->server->module_config, &communicator_module);
    host_t host = {r, server->settings, r->request_time, OK};
    cm_host_t functions = {
        .use_node = use_node,
        .read_body = read_body,
        .body_limit = body_limit(r, server->settings),
        .expect = expect,
        .wait_begin = wait_begin,
        .wait_end = wait_end,
        .wait_on = wait_on,
        .log = log_text,
        .log_level = ap_get_request_module_loglevel(r, APLOG_MODULE_INDEX),
        .baton = &host};
    const mod_location_t *location;
    cm_exchange_t *exchange;

    if (!r->handler || strcmp(r->handler, HANDLER) || r->main)
        return DECLINED;
    location = mod_endpoint_of(r);
    exchange = cm_serve_begin(request_of(r, location), server->settings,
                              &functions, mod_allocator_pool(r));
    answer(exchange, r, location);
    if (exchange->answer.status)
        send_answer(r, &exchange->answer);
    return host.result;
}
