/* POST: receive what the peer has sent. */
#include "mod_communicator.h"

#include <http_log.h>
#include <http_protocol.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/clean.h"
#include "base/json_write.h"
#include "node/altered.h"
#include "outbox/missing.h"
#include "operate/status.h"
#include "log.h"
#include "inbox/inbox.h"
#include "operate/pause.h"

APLOG_USE_MODULE(communicator);

/* Messages in one body: each takes some kilobytes while it is applied. A peer
 * of ours sends half as many when a body is refused. */
#define MOST_MESSAGES 50000
#define MESSAGE_BYTES 4096

typedef struct push_t {
    cm_batch_t batch;
    int pauses;        /* the peer pauses this node, or resumes it ... */
    apr_int64_t pause; /* ... 1, 0 */
    int empty;         /* neither messages nor numbers to skip: only a call */
    cm_receipt_t *receipt;
    apr_int64_t wanted; /* with CM_GAP */
} push_t;

/* Set the batch's first and last number: after= and last= of the query (a hub
 * skips numbers), else those of its first and last message. */
static cm_error_t *read_place(push_t *push, const request_rec *r)
{
    cm_batch_t *batch = &push->batch;
    const cm_message_t *message;
    int after, last;

    after = last = 0;
    if (!mod_endpoint_is_gem(r)) {
        CM_TRY(mod_request_number(&after, &batch->after, r, "after"));
        CM_TRY(mod_request_number(&last, &batch->last, r, "last"));
        CM_TRY(mod_request_number(&push->pauses, &push->pause, r, "pause"));
    }
    push->empty = !batch->messages->nelts && !(after && last);
    push->pauses = push->pauses && push->empty;
    if (!batch->messages->nelts)
        return NULL;
    message = APR_ARRAY_IDX(batch->messages, 0, const cm_message_t *);
    if (!after)
        batch->after = message->id - 1;
    message = APR_ARRAY_IDX(batch->messages, batch->messages->nelts - 1,
                            const cm_message_t *);
    if (!last)
        batch->last = message->id;
    return NULL;
}

/* Each column is reported once, by the process that sees it first. */
static void log_altered(request_rec *r, const cm_receipt_t *receipt)
{
    int i;

    for (i = 0; receipt->altered && i < receipt->altered->nelts; i++) {
        const cm_altered_t *altered =
            &APR_ARRAY_IDX(receipt->altered, i, cm_altered_t);

        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      CM0044 "%s (" CM_ALTERED_REMEDY ")",
                      cm_altered_text(altered, r->pool), altered->column);
    }
}

int mod_push_retry_parked(mod_exchange_t *exchange)
{
    request_rec *r = exchange->r;
    cm_receipt_t *receipt = NULL;
    apr_int64_t said;
    cm_error_t *err = cm_missing_publish(&said, exchange->node, exchange->pool);

    if (!err)
        err = cm_inbox_retry(&receipt, exchange->node, exchange->peer->name,
                             exchange->pool);
    if (err)
        ap_log_rerror(APLOG_MARK, APLOG_NOTICE, 0, r, CM0018 "%s",
                      cm_error_text(err, r->pool));
    else if (receipt->applied)
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                      CM0018 "applied %d parked messages of peer '%s'",
                      receipt->applied, exchange->peer->name);
    if (!err)
        log_altered(r, receipt);
    return said > 0 || (receipt && receipt->applied > 0);
}

/* Both sides pause and resume together. */
static cm_error_t *set_pause(mod_exchange_t *exchange, int pause)
{
    ap_log_rerror(APLOG_MARK, APLOG_NOTICE, 0, exchange->r,
                  CM0019 "%s by peer '%s'", pause ? "paused" : "resumed",
                  exchange->peer->name);
    return cm_pause_set(exchange->node, pause ? cm_clocks_now() : 0,
                        exchange->pool);
}

/* Return whether the peer, which sent no messages, has none that we lack: then
 * whatever we refused is gone. */
static int has_all(const mod_exchange_t *exchange)
{
    apr_int64_t newest = exchange->said.claim.newest;

    return newest >= 0 && newest <= exchange->known->received;
}

static cm_error_t *receive_batch(mod_exchange_t *exchange, void *baton)
{
    push_t *push = baton;

    exchange->said.insists |= push->pauses;
    CM_TRY(mod_contact(exchange, 1));
    if (push->pauses)
        CM_TRY(set_pause(exchange, push->pause != 0));
    if (!push->empty) {
        CM_TRY(cm_inbox_receive(&push->receipt, &push->wanted, exchange->node,
                                exchange->peer->name, &push->batch,
                                exchange->gem, exchange->pool));
        mod_contact_went_well(exchange, 1);
        return NULL;
    }
    if (!push->pauses)
        (void)mod_push_retry_parked(exchange);
    if (has_all(exchange))
        mod_contact_went_well(exchange, 1);
    push->receipt = apr_pcalloc(exchange->pool, sizeof(*push->receipt));
    push->receipt->received = exchange->known->received;
    return NULL;
}

/* Write the messages of RECEIPT that are parked. */
static void write_parked(cm_buffer_t *body, const cm_receipt_t *receipt)
{
    int i;

    cm_json_write_open(body, "parked", '[');
    for (i = 0; receipt->parked && i < receipt->parked->nelts; i++) {
        const cm_parked_t *parked =
            &APR_ARRAY_IDX(receipt->parked, i, cm_parked_t);

        cm_json_write_open(body, NULL, '{');
        cm_json_write_number(body, "id", parked->id);
        cm_json_write_text(body, "model", parked->model ? parked->model : "");
        cm_json_write_text(body, "reason",
                           parked->reason ? parked->reason : "");
        if (parked->transient)
            cm_json_write_truth(body, "transient", 1);
        cm_json_write_close(body, '}');
    }
    cm_json_write_close(body, ']');
}

/* Answer a peer of ours what became of its batch. */
static int answer_receipt(mod_exchange_t *exchange, const cm_receipt_t *receipt)
{
    cm_buffer_t *body = cm_buffer_create(512, exchange->pool);
    const char *text;

    mod_answer_number(exchange->r, "Communicator-Received", receipt->received);
    cm_json_write_open(body, NULL, '{');
    cm_json_write_number(body, "received", receipt->received);
    cm_json_write_number(body, "accepted", receipt->accepted);
    cm_json_write_number(body, "repeated", receipt->repeated);
    cm_json_write_number(body, "applied", receipt->applied);
    write_parked(body, receipt);
    cm_json_write_close(body, '}');
    cm_buffer_append(body, "\n", 2);
    text = cm_clean_json(body->data, exchange->pool);
    return mod_answer(exchange, HTTP_ACCEPTED, text, strlen(text));
}

/* Write into the access log and the error log what was received. */
static void log_receipt(mod_exchange_t *exchange, const push_t *push)
{
    const cm_receipt_t *receipt = push->receipt;
    int parked = receipt->parked ? receipt->parked->nelts : 0;
    const cm_parked_t *first;
    request_rec *r = exchange->r;

    mod_answer_note(r, "communicator-messages", receipt->accepted);
    apr_table_setn(r->notes, "communicator-result", parked ? "parked" : "ok");
    if (push->empty)
        return;
    log_altered(r, receipt);
    mod_answer_note(r, "communicator-first-id", push->batch.after + 1);
    mod_answer_note(r, "communicator-last-id", receipt->received);
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                  CM0012 "received %d messages from peer '%s', up to "
                         "%" APR_INT64_T_FMT "; %d applied, %d parked, %d "
                         "received before",
                  receipt->accepted, exchange->peer->name, receipt->received,
                  receipt->applied, parked, receipt->repeated);
    if (!parked)
        return;
    first = &APR_ARRAY_IDX(receipt->parked, 0, cm_parked_t);
    ap_log_rerror(APLOG_MARK, APLOG_NOTICE, 0, r,
                  CM0014 "parked message %" APR_INT64_T_FMT " of peer '%s'"
                         "%s: %.500s",
                  first->id, exchange->peer->name,
                  parked > 1 ? " and others" : "",
                  first->reason ? first->reason : "");
    if (cm_inbox_receipt_mostly_parked(receipt))
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      CM0025 "%d of %d messages in a batch from peer '%s' are "
                             "parked: a table or model may be missing here",
                      cm_inbox_receipt_mostly_parked(receipt),
                      receipt->accepted, exchange->peer->name);
}

/* Receive the batch in TEXT and answer. */
static int receive(mod_exchange_t *exchange, const char *text, apr_size_t size)
{
    request_rec *r = exchange->r;
    push_t *push = apr_pcalloc(exchange->pool, sizeof(*push));
    cm_error_t *err;

    err = cm_message_read_some(&push->batch.messages, text, size, MOST_MESSAGES,
                               exchange->pool);
    if (!err)
        mod_allocator_expect(exchange, (apr_size_t)push->batch.messages->nelts *
                                           MESSAGE_BYTES);
    if (!err)
        err = read_place(push, r);
    if (!err && push->empty && exchange->gem)
        return mod_answer(exchange, HTTP_ACCEPTED, "No data given", 13);
    if (!err)
        err = mod_database_run(exchange, receive_batch, push);
    if (err && err->code == CM_GAP)
        return mod_answer_gap(exchange, push->wanted, err);
    if (err) {
        mod_contact_failed(exchange, 1, err);
        /* CommunicatorOnError stop: the peer must not skip this message. */
        if (exchange->settings->on_error == CM_ON_ERROR_STOP)
            apr_table_setn(r->headers_out, "Communicator-Stopped", "1");
        return mod_answer_error(exchange, err);
    }
    log_receipt(exchange, push);
    return exchange->gem ? mod_answer(exchange, HTTP_ACCEPTED, "", 0)
                         : answer_receipt(exchange, push->receipt);
}

/* Return whether TEXT is {}, which a gem takes for an empty list. */
static int is_empty_object(const char *text, apr_size_t size)
{
    apr_size_t i;

    if (size < 2 || text[0] != '{' || text[size - 1] != '}')
        return 0;
    for (i = 1; i < size - 1 && apr_isspace(text[i]); i++)
        ;
    return i == size - 1;
}

int mod_push(mod_exchange_t *exchange)
{
    cm_buffer_t *body;
    const char *text;
    apr_size_t size;
    int status = mod_request_body(&body, exchange);

    if (status != OK)
        return status;
    text = body->data;
    size = body->size;
    while (size && apr_isspace(text[size - 1]))
        size--;
    while (size && apr_isspace(*text)) {
        text++;
        size--;
    }
    if (!exchange->gem)
        return receive(exchange, text, size);
    if (size < 2)
        return mod_answer(exchange, HTTP_CONFLICT, "No data given", 13);
    if (is_empty_object(text, size))
        return mod_answer(exchange, HTTP_ACCEPTED, "No data given", 13);
    return receive(exchange, text, size);
}
