/* What goes back: to a gem what the gem's own server would answer, to a peer of
 * ours JSON. */
#include "exchange/serve.h"

#include <stdarg.h>
#include <string.h>

#include <apr_strings.h>

#include "base/clean.h"
#include "base/clock.h"
#include "base/gzip.h"
#include "base/json_write.h"
#include "node/epoch.h"
#include "node/peer.h"
#include "outbox/withheld.h"
#include "exchange/headers.h"
#include "exchange/log.h"

void cm_serve_log(const cm_exchange_t *exchange, cm_log_e level,
                  const char *format, ...)
{
    const cm_host_t *host = exchange->host;
    va_list args;

    if ((int)level > host->log_level)
        return;
    va_start(args, format);
    host->log(host->baton, level, apr_pvsprintf(exchange->pool, format, args));
    va_end(args);
}

/* All of them or none: a peer of ours recognises our answer by the first, and
 * then needs the node and its epoch. */
static void set_headers(cm_exchange_t *exchange)
{
    apr_table_t *headers = exchange->answer.headers;

    apr_table_setn(headers, "Cache-Control", "no-store");
    if (!exchange->peer || !exchange->own_epoch)
        return;
    apr_table_setn(headers, "Communicator-Protocol", "2");
    apr_table_setn(headers, "Communicator-Node", exchange->settings->name);
    apr_table_setn(headers, "Communicator-Epoch", exchange->own_epoch);
    cm_headers_set(headers, "Communicator-Clock", cm_clock_now());
    if (exchange->gem)
        return;
    apr_table_setn(headers, "Accept-Encoding", "gzip");
    if (exchange->withheld.count >= 0)
        apr_table_setn(
            headers, "Communicator-Withheld",
            cm_withheld_sum_text(&exchange->withheld, exchange->pool));
    if (!exchange->known)
        return;
    cm_headers_set_history(headers, exchange->known);
    /* A push has set it itself. */
    if (!apr_table_get(headers, "Communicator-Received"))
        cm_headers_set(headers, "Communicator-Received",
                       exchange->known->received);
}

/* Return BODY packed if a peer of ours accepts that and it saves enough, else
 * NULL. mod_deflate leaves packed bodies alone. */
static const cm_buffer_t *pack(const cm_exchange_t *exchange, const char *body,
                               apr_size_t size, const cm_buffer_t *packed)
{
    const char *codings = cm_request_header(exchange, "Accept-Encoding");

    if (exchange->gem || cm_request_is_head(exchange) ||
        !cm_gzip_is_accepted(codings, exchange->pool))
        return NULL;
    return packed ? packed : cm_gzip_pack(body, size, exchange->pool);
}

void cm_serve_send(cm_exchange_t *exchange, int status, const char *body,
                   apr_size_t size)
{
    cm_serve_send_packed(exchange, status, body, size, NULL);
}

void cm_serve_send_packed(cm_exchange_t *exchange, int status, const char *body,
                          apr_size_t size, const cm_buffer_t *packed)
{
    cm_answer_t *answer = &exchange->answer;

    packed = pack(exchange, body, size, packed);
    answer->status = status;
    answer->type =
        exchange->gem ? "text/html;charset=utf-8" : "application/json";
    answer->packed = packed != NULL;
    answer->body = packed ? packed->data : body;
    answer->size = packed ? packed->size : size;
    set_headers(exchange);
}

const char *cm_serve_gem_body(int status)
{
    if (status == CM_HTTP_UNAUTHORIZED)
        return "Not authorized\n";
    if (status == CM_HTTP_FORBIDDEN)
        return "<h1>Forbidden</h1>";
    if (status == CM_HTTP_UNAVAILABLE)
        return "<h1>Service Unavailable</h1>";
    return "<h1>Internal Server Error</h1>";
}

/* Return the status that means to a gem what STATUS means to a peer of ours. */
static int gem_status(int status)
{
    if (status == CM_HTTP_UNAUTHORIZED || status == CM_HTTP_FORBIDDEN)
        return status;
    if (status == CM_HTTP_BAD_REQUEST || status == CM_HTTP_UNPROCESSABLE)
        return CM_HTTP_FAILED;
    return status == CM_HTTP_FAILED ? status : CM_HTTP_UNAVAILABLE;
}

cm_exchange_t *cm_serve_begin(const cm_request_t *request,
                              const cm_settings_t *settings,
                              const cm_host_t *host, apr_pool_t *pool)
{
    cm_exchange_t *exchange = apr_pcalloc(pool, sizeof(*exchange));

    exchange->request = request;
    exchange->host = host;
    exchange->settings = settings;
    exchange->gem = !cm_request_header(exchange, "Communicator-Protocol");
    exchange->said.claim = cm_epoch_claim_none();
    exchange->said.pending = -1;
    exchange->withheld = exchange->said.withheld = cm_withheld_sum_read(NULL);
    exchange->answer.headers = apr_table_make(pool, 16);
    exchange->answer.notes = apr_table_make(pool, 8);
    exchange->pool = pool;
    return exchange;
}

void cm_serve(cm_exchange_t *exchange)
{
    const char *method = exchange->request->method;
    int posts = !strcmp(method, "POST");

    if (!cm_admit(exchange))
        return;
    if (!strcmp(method, "GET") || cm_request_is_head(exchange))
        cm_serve_pull(exchange);
    else if (posts && !exchange->gem &&
             (cm_request_has(exchange, "verify") ||
              cm_request_has(exchange, "repair")))
        cm_serve_verify(exchange);
    else if (posts && !exchange->gem && cm_request_has(exchange, "recover"))
        cm_serve_recover(exchange);
    else if (posts)
        cm_serve_push(exchange);
    else {
        apr_table_setn(exchange->answer.headers, "Allow", "GET, HEAD, POST");
        cm_serve_refuse(exchange, CM_HTTP_BAD_METHOD, CM_USAGE,
                        "only GET, HEAD and POST are allowed here", NULL);
    }
}

/* What a request does with the database. */
typedef struct work_t {
    cm_exchange_t *exchange;
    cm_serve_work_t work;
    void *baton;
} work_t;

static cm_error_t *work_with(cm_node_t *node, void *baton, apr_pool_t *pool)
{
    const work_t *request = baton;
    cm_exchange_t *exchange = request->exchange;
    cm_error_t *err;

    exchange->node = node;
    exchange->own_epoch = apr_pstrdup(pool, node->epoch);
    err = request->work(exchange, request->baton);
    exchange->node = NULL;
    return err;
}

cm_error_t *cm_serve_with_node(cm_exchange_t *exchange, cm_serve_work_t work,
                               void *baton)
{
    work_t *request = apr_palloc(exchange->pool, sizeof(*request));

    *request = (work_t){exchange, work, baton};
    return exchange->host->use_node(exchange->host->baton, work_with, request,
                                    exchange->pool);
}

static cm_error_t *count_withheld(cm_exchange_t *exchange, void *baton)
{
    (void)baton;
    return cm_withheld_count(&exchange->withheld, exchange->node,
                             exchange->peer->name, exchange->pool);
}

/* Read the epoch from the database: it proves that the refusal is ours. If it
 * cannot be read, the refusal goes without. */
static void find_epoch(cm_exchange_t *exchange, cm_code_e code)
{
    cm_error_t *err;

    if (!exchange->peer || exchange->own_epoch || code == CM_UNAVAILABLE)
        return;
    err = cm_serve_with_node(exchange, count_withheld, NULL);
    if (err)
        cm_serve_log(exchange, CM_LOG_DEBUG,
                     CM0017 "cannot read the epoch for a refusal: %s",
                     cm_error_text(err, exchange->pool));
}

void cm_serve_refuse(cm_exchange_t *exchange, int status, cm_code_e code,
                     const char *error, const char *hint)
{
    cm_buffer_t *body = cm_buffer_create(256, exchange->pool);
    const char *text;

    apr_table_setn(exchange->answer.notes, "communicator-result",
                   cm_error_code_name(code));
    if (exchange->gem)
        status = gem_status(status);
    if (exchange->gem && code != CM_PROTOCOL) {
        text = cm_serve_gem_body(status);
        cm_serve_send(exchange, status, text, strlen(text));
        return;
    }
    find_epoch(exchange, code);
    if (cm_error_code_is_transient(code) && status == CM_HTTP_UNAVAILABLE)
        apr_table_setn(exchange->answer.headers, "Retry-After", "10");
    apr_table_setn(exchange->answer.headers, "Communicator-Error",
                   cm_error_code_name(code));
    cm_json_write_open(body, NULL, '{');
    cm_json_write_text(body, "error", error);
    cm_json_write_text(body, "code", cm_error_code_name(code));
    if (hint)
        cm_json_write_text(body, "hint", hint);
    cm_json_write_close(body, '}');
    cm_buffer_append(body, "\n", 2);
    text = cm_clean_json(body->data, exchange->pool);
    cm_serve_send(exchange, status, text, strlen(text));
}

int cm_serve_forbid(cm_exchange_t *exchange, const char *number,
                    const char *text, const char *hint)
{
    cm_serve_log(exchange, CM_LOG_ERROR, "%s%s (%s)", number, text, hint);
    cm_serve_refuse(exchange, CM_HTTP_FORBIDDEN, CM_FORBIDDEN, text, hint);
    return 0;
}

void cm_serve_error(cm_exchange_t *exchange, const cm_error_t *err)
{
    int status = cm_error_code_http_status(err->code);
    const char *text = cm_error_text(err, exchange->pool);
    const char *peer = exchange->peer->name;

    if (cm_error_code_is_transient(err->code))
        cm_serve_log(exchange,
                     err->code == CM_PAUSED ? CM_LOG_INFO : CM_LOG_WARNING,
                     CM0010 "peer '%s' must try again: %s", peer,
                     cm_error_line(err, exchange->pool));
    else
        cm_serve_log(exchange, CM_LOG_ERROR,
                     CM0009 "cannot serve peer '%s': %s", peer,
                     cm_error_line(err, exchange->pool));
    /* The peer need not know what is wrong on this host. */
    if (status >= CM_HTTP_FAILED && err->code != CM_PROTOCOL)
        text = cm_error_code_meaning(err->code);
    cm_serve_refuse(exchange, status, err->code, text, err->hint);
}
