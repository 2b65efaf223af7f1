/* What a request carries: its body and its query. */
#include "mod_communicator.h"

#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <string.h>
#include <util_filter.h>

#include <apr_strings.h>

#include "base/gzip.h"
#include "log.h"
#include "base/number.h"

APLOG_USE_MODULE(communicator);

#define READ_BYTES 65536

/* Return how many bytes the body may have. */
static apr_off_t body_limit(const mod_exchange_t *exchange)
{
    apr_off_t server = ap_get_limit_req_body(exchange->r);
    apr_off_t ours = exchange->settings->max_body;

    return server > 0 && server < ours ? server : ours;
}

/* Refuse a body with STATUS, unless httpd has answered already. */
static int refuse_body(mod_exchange_t *exchange, int status)
{
    const char *text = status == HTTP_REQUEST_ENTITY_TOO_LARGE
                           ? "the body is larger than allowed"
                       : status == HTTP_REQUEST_TIME_OUT
                           ? "the body did not arrive in time"
                       : status == HTTP_UNSUPPORTED_MEDIA_TYPE
                           ? "the body has an unknown Content-Encoding"
                           : "the body cannot be read";
    cm_code_e code = status == HTTP_REQUEST_ENTITY_TOO_LARGE ? CM_TOO_LARGE
                     : status == HTTP_REQUEST_TIME_OUT       ? CM_TIMEOUT
                                                             : CM_MALFORMED;

    if (status == AP_FILTER_ERROR)
        return status;
    ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, exchange->r,
                  CM0008 "push of peer '%s': %s", exchange->peer->name, text);
    mod_answer_refusal(
        exchange, status, code, text,
        code == CM_TOO_LARGE
            ? "see CommunicatorMaxBody and LimitRequestBody on that side"
            : NULL);
    return DONE;
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

/* Unpack BODY if it is packed. When mod_deflate has unpacked it already, it has
 * removed the header. Returns a status. */
static int unpack(cm_buffer_t **body, const mod_exchange_t *exchange)
{
    request_rec *r = exchange->r;
    const char *coding = apr_table_get(r->headers_in, "Content-Encoding");
    cm_error_t *err;

    if (exchange->gem || !coding || !strcasecmp(coding, "identity"))
        return OK;
    if (strcasecmp(coding, "gzip") && strcasecmp(coding, "x-gzip"))
        return HTTP_UNSUPPORTED_MEDIA_TYPE;
    err = cm_gzip_unpack(body, (*body)->data, (*body)->size,
                         (apr_size_t)body_limit(exchange), exchange->pool);
    return err ? cm_error_code_http_status(err->code) : OK;
}

int mod_request_body(cm_buffer_t **body, mod_exchange_t *exchange)
{
    request_rec *r = exchange->r;
    apr_off_t limit = body_limit(exchange);
    apr_bucket_brigade *brigade =
        apr_brigade_create(r->pool, r->connection->bucket_alloc);
    apr_status_t status = APR_SUCCESS;
    int end = 0, refused;

    *body = cm_buffer_create(READ_BYTES, exchange->pool);
    while (!status && !end) {
        status = ap_get_brigade(r->input_filters, brigade, AP_MODE_READBYTES,
                                APR_BLOCK_READ, READ_BYTES);
        if (!status)
            status = append(*body, &end, brigade, limit);
        apr_brigade_cleanup(brigade);
    }
    apr_brigade_destroy(brigade);
    if (!status)
        refused = unpack(body, exchange);
    else if (status == APR_ENOSPC)
        refused = HTTP_REQUEST_ENTITY_TOO_LARGE;
    else
        refused = ap_map_http_request_error(status, HTTP_BAD_REQUEST);
    mod_allocator_expect(exchange, (*body)->size);
    return refused ? refuse_body(exchange, refused) : OK;
}

const char *mod_request_value(const request_rec *r, const char *key)
{
    const char *rest = r->args ? r->args : "";
    apr_size_t size = strlen(key);
    char *pair;

    while (*rest) {
        pair = ap_getword(r->pool, &rest, '&');
        if (strncmp(pair, key, size) || (pair[size] && pair[size] != '='))
            continue;
        pair += size + (pair[size] == '=');
        return ap_unescape_urlencoded(pair) ? "" : pair;
    }
    return NULL;
}

cm_error_t *mod_request_number(int *there, apr_int64_t *number,
                               const request_rec *r, const char *key)
{
    const char *text = mod_request_value(r, key);

    *there = text != NULL;
    if (!text)
        return NULL;
    if (!cm_number_read(number, text, CM_SEQ_MAX))
        return CM_FAIL(r->pool, CM_MALFORMED, "%s '%.100s' is not a number",
                       key, text);
    return NULL;
}
