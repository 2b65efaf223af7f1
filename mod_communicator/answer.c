/* What goes back: to a gem what the gem's own server would answer, to a peer of
 * ours JSON. */
#include "mod_communicator.h"

#include <http_log.h>
#include <http_protocol.h>
#include <string.h>
#include <util_filter.h>

#include <apr_strings.h>

#include "base/clean.h"
#include "base/gzip.h"
#include "base/json_write.h"
#include "log.h"
#include "record/clocks.h"
#include "node/epoch.h"
#include "node/peer.h"
#include "outbox/withheld.h"

APLOG_USE_MODULE(communicator);

/* What proves that both histories fit; a push has set Communicator-Received
 * itself. */
static void set_history(const mod_exchange_t *exchange)
{
    const cm_peer_t *known = exchange->known;
    apr_table_t *headers = exchange->r->headers_out;
    const char *held = cm_epoch_claim_held(known, exchange->pool);

    if (!apr_table_get(headers, "Communicator-Received"))
        mod_answer_number(exchange->r, "Communicator-Received",
                          known->received);
    if (held)
        apr_table_setn(headers, "Communicator-Held", held);
    if (known->epoch)
        apr_table_setn(headers, "Communicator-Peer-Epoch", known->epoch);
}

/* All of them or none: a peer of ours recognises our answer by the first, and
 * then needs the node and its epoch. */
static void set_headers(const mod_exchange_t *exchange)
{
    apr_table_t *headers = exchange->r->headers_out;

    apr_table_setn(headers, "Cache-Control", "no-store");
    if (!exchange->peer || !exchange->own_epoch)
        return;
    apr_table_setn(headers, "Communicator-Protocol", "2");
    apr_table_setn(headers, "Communicator-Node", exchange->settings->name);
    apr_table_setn(headers, "Communicator-Epoch", exchange->own_epoch);
    mod_answer_number(exchange->r, "Communicator-Clock", cm_clocks_now());
    if (exchange->gem)
        return;
    apr_table_setn(headers, "Accept-Encoding", "gzip");
    if (exchange->withheld.count >= 0)
        apr_table_setn(
            headers, "Communicator-Withheld",
            cm_withheld_sum_text(&exchange->withheld, exchange->pool));
    if (exchange->known)
        set_history(exchange);
}

void mod_answer_number(request_rec *r, const char *header, apr_int64_t number)
{
    apr_table_setn(r->headers_out, header,
                   apr_psprintf(r->pool, "%" APR_INT64_T_FMT, number));
}

void mod_answer_note(request_rec *r, const char *note, apr_int64_t number)
{
    apr_table_setn(r->notes, note,
                   apr_psprintf(r->pool, "%" APR_INT64_T_FMT, number));
}

/* Return BODY packed if a peer of ours accepts that and it saves enough, else
 * NULL. mod_deflate leaves packed bodies alone. */
static const cm_buffer_t *pack(const mod_exchange_t *exchange, const char *body,
                               apr_size_t size)
{
    request_rec *r = exchange->r;
    const char *codings = apr_table_get(r->headers_in, "Accept-Encoding");

    if (exchange->gem || r->header_only || !codings ||
        !ap_find_list_item(r->pool, codings, "gzip"))
        return NULL;
    return cm_gzip_pack(body, size, r->pool);
}

int mod_answer(mod_exchange_t *exchange, int status, const char *body,
               apr_size_t size)
{
    request_rec *r = exchange->r;
    const cm_buffer_t *packed = pack(exchange, body, size);
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;
    apr_bucket_brigade *out = apr_brigade_create(r->pool, alloc);

    r->status = status;
    r->status_line = NULL;
    set_headers(exchange);
    if (packed) {
        r->content_encoding = "gzip";
        body = packed->data;
        size = packed->size;
    }
    ap_set_content_type(r, exchange->gem ? "text/html;charset=utf-8"
                                         : "application/json");
    ap_set_content_length(r, (apr_off_t)size);
    if (size)
        APR_BRIGADE_INSERT_TAIL(
            out, apr_bucket_pool_create(body, size, exchange->pool, alloc));
    APR_BRIGADE_INSERT_TAIL(out, apr_bucket_eos_create(alloc));
    ap_pass_brigade(r->output_filters, out);
    return OK;
}

const char *mod_answer_gem_body(int status)
{
    if (status == HTTP_UNAUTHORIZED)
        return "Not authorized\n";
    if (status == HTTP_FORBIDDEN)
        return "<h1>Forbidden</h1>";
    if (status == HTTP_SERVICE_UNAVAILABLE)
        return "<h1>Service Unavailable</h1>";
    return "<h1>Internal Server Error</h1>";
}

/* Return the status that means to a gem what STATUS means to a peer of ours. */
static int gem_status(int status)
{
    if (status == HTTP_UNAUTHORIZED || status == HTTP_FORBIDDEN)
        return status;
    if (status == HTTP_BAD_REQUEST || status == HTTP_UNPROCESSABLE_ENTITY)
        return HTTP_INTERNAL_SERVER_ERROR;
    return status == HTTP_INTERNAL_SERVER_ERROR ? status
                                                : HTTP_SERVICE_UNAVAILABLE;
}

static cm_error_t *count_withheld(mod_exchange_t *exchange, void *baton)
{
    (void)baton;
    return cm_withheld_count(&exchange->withheld, exchange->node,
                             exchange->peer->name, exchange->pool);
}

/* Read the epoch from the database: it proves that the refusal is ours. If it
 * cannot be read, the refusal goes without. */
static void find_epoch(mod_exchange_t *exchange, cm_code_e code)
{
    cm_error_t *err;

    if (!exchange->peer || exchange->own_epoch || code == CM_UNAVAILABLE)
        return;
    err = mod_database_run(exchange, count_withheld, NULL);
    if (err)
        ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, exchange->r,
                      CM0017 "cannot read the epoch for a refusal: %s",
                      cm_error_text(err, exchange->r->pool));
}

int mod_answer_refusal(mod_exchange_t *exchange, int status, cm_code_e code,
                       const char *error, const char *hint)
{
    request_rec *r = exchange->r;
    cm_buffer_t *body = cm_buffer_create(256, exchange->pool);
    const char *text;

    apr_table_setn(r->notes, "communicator-result", cm_error_code_name(code));
    if (exchange->gem)
        status = gem_status(status);
    if (exchange->gem && code != CM_PROTOCOL) {
        text = mod_answer_gem_body(status);
        return mod_answer(exchange, status, text, strlen(text));
    }
    find_epoch(exchange, code);
    if (cm_error_code_is_transient(code) && status == HTTP_SERVICE_UNAVAILABLE)
        apr_table_setn(r->headers_out, "Retry-After", "10");
    apr_table_setn(r->headers_out, "Communicator-Error",
                   cm_error_code_name(code));
    cm_json_write_open(body, NULL, '{');
    cm_json_write_text(body, "error", error);
    cm_json_write_text(body, "code", cm_error_code_name(code));
    if (hint)
        cm_json_write_text(body, "hint", hint);
    cm_json_write_close(body, '}');
    cm_buffer_append(body, "\n", 2);
    text = cm_clean_json(body->data, exchange->pool);
    return mod_answer(exchange, status, text, strlen(text));
}

int mod_answer_error(mod_exchange_t *exchange, const cm_error_t *err)
{
    request_rec *r = exchange->r;
    int status = cm_error_code_http_status(err->code);
    const char *text = cm_error_text(err, r->pool);
    const char *peer = exchange->peer->name;

    if (cm_error_code_is_transient(err->code))
        ap_log_rerror(APLOG_MARK,
                      err->code == CM_PAUSED ? APLOG_INFO : APLOG_WARNING, 0, r,
                      CM0010 "peer '%s' must try again: %s", peer,
                      cm_error_line(err, r->pool));
    else
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      CM0009 "cannot serve peer '%s': %s", peer,
                      cm_error_line(err, r->pool));
    /* The peer need not know what is wrong on this host. */
    if (status >= HTTP_INTERNAL_SERVER_ERROR && err->code != CM_PROTOCOL)
        text = cm_error_code_meaning(err->code);
    return mod_answer_refusal(exchange, status, err->code, text, err->hint);
}

int mod_answer_gap(mod_exchange_t *exchange, apr_int64_t wanted,
                   const cm_error_t *err)
{
    request_rec *r = exchange->r;
    const char *number = apr_psprintf(r->pool, "%" APR_INT64_T_FMT, wanted);

    apr_table_setn(r->notes, "communicator-result", "GAP");
    if (exchange->gem)
        return mod_answer(exchange, HTTP_CONFLICT, number, strlen(number));
    mod_answer_number(r, "Communicator-Received", wanted - 1);
    return mod_answer_refusal(exchange, HTTP_CONFLICT, CM_GAP,
                              cm_error_text(err, r->pool), err->hint);
}
