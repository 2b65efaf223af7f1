/* What a request carries: its body, its query and its headers. */
#include "exchange/serve.h"

#include <string.h>

#include <apr_escape.h>
#include <apr_strings.h>

#include "base/gzip.h"
#include "base/number.h"
#include "exchange/log.h"

/* Refuse a body with STATUS. */
static void refuse_body(cm_exchange_t *exchange, int status)
{
    const char *text =
        status == CM_HTTP_TOO_LARGE  ? "the body is larger than allowed"
        : status == CM_HTTP_TIME_OUT ? "the body did not arrive in time"
        : status == CM_HTTP_BAD_TYPE
            ? "the body has an unknown Content-Encoding"
            : "the body cannot be read";
    cm_code_e code = status == CM_HTTP_TOO_LARGE  ? CM_TOO_LARGE
                     : status == CM_HTTP_TIME_OUT ? CM_TIMEOUT
                                                  : CM_MALFORMED;

    cm_serve_log(exchange, CM_LOG_WARNING, CM0008 "push of peer '%s': %s",
                 exchange->peer->name, text);
    cm_serve_refuse(
        exchange, status, code, text,
        code == CM_TOO_LARGE
            ? "see CommunicatorMaxBody and LimitRequestBody on that side"
            : NULL);
}

/* Unpack BODY if it is packed. When mod_deflate has unpacked it already, it has
 * removed the header. Returns a status. */
static int unpack(cm_buffer_t **body, cm_exchange_t *exchange)
{
    const char *coding = cm_request_header(exchange, "Content-Encoding");
    cm_error_t *err;

    if (exchange->gem || !coding || !strcasecmp(coding, "identity"))
        return 0;
    if (strcasecmp(coding, "gzip") && strcasecmp(coding, "x-gzip"))
        return CM_HTTP_BAD_TYPE;
    exchange->packed = *body;
    err =
        cm_gzip_unpack(body, (*body)->data, (*body)->size,
                       (apr_size_t)exchange->host->body_limit, exchange->pool);
    return err ? cm_error_code_http_status(err->code) : 0;
}

int cm_request_body(cm_buffer_t **body, cm_exchange_t *exchange)
{
    const cm_host_t *host = exchange->host;
    int status = host->read_body(body, host->baton, exchange->pool);

    if (!status)
        status = unpack(body, exchange);
    if (*body)
        cm_request_expect(exchange, (*body)->size);
    if (status > 0)
        refuse_body(exchange, status);
    return !status;
}

void cm_request_expect(const cm_exchange_t *exchange, apr_size_t size)
{
    if (exchange->host->expect)
        exchange->host->expect(exchange->host->baton, size);
}

const char *cm_request_header(const cm_exchange_t *exchange, const char *name)
{
    return apr_table_get(exchange->request->headers, name);
}

int cm_request_is_head(const cm_exchange_t *exchange)
{
    return !strcmp(exchange->request->method, "HEAD");
}

int cm_request_has(const cm_exchange_t *exchange, const char *key)
{
    return cm_request_value(exchange->request->query, key, exchange->pool) !=
           NULL;
}

const char *cm_request_value(const char *query, const char *key,
                             apr_pool_t *pool)
{
    char *rest = apr_pstrdup(pool, query ? query : "");
    apr_size_t size = strlen(key);
    const char *value;
    char *pair;

    while ((pair = apr_strtok(rest, "&", &rest)) != NULL) {
        if (strncmp(pair, key, size) || (pair[size] && pair[size] != '='))
            continue;
        value = apr_punescape_url(pool, pair + size + (pair[size] == '='), NULL,
                                  NULL, 1);
        return value ? value : "";
    }
    return NULL;
}

cm_error_t *cm_request_number(apr_int64_t *number, const char *query,
                              const char *key, apr_pool_t *pool)
{
    const char *text = cm_request_value(query, key, pool);

    if (text && !cm_number_read(number, text, CM_SEQ_MAX))
        return CM_FAIL(pool, CM_MALFORMED, "%s '%.100s' is not a number", key,
                       text);
    return NULL;
}
