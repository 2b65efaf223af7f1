/* POST: receive what the peer has sent. */
#include "exchange/serve.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/clean.h"
#include "base/clock.h"
#include "base/number.h"
#include "base/json_write.h"
#include "node/altered.h"
#include "outbox/missing.h"
#include "inbox/after.h"
#include "inbox/inbox.h"
#include "operate/status.h"
#include "exchange/headers.h"
#include "exchange/log.h"

/* Messages in one body: each takes some kilobytes while it is applied. A peer
 * of ours sends half as many when a body is refused. */
#define MOST_MESSAGES 50000
#define MESSAGE_BYTES 4096

typedef struct push_t {
    cm_batch_t batch;
    int pauses;        /* the peer pauses this node or resumes it: */
    apr_int64_t pause; /* 1 or 0 */
    int empty;         /* neither messages nor numbers to skip */
    cm_receipt_t *receipt;
    apr_int64_t wanted; /* with CM_GAP */
} push_t;

static const cm_message_t *message_at(const cm_batch_t *batch, int i)
{
    return APR_ARRAY_IDX(batch->messages, i, const cm_message_t *);
}

/* Set the batch's first and last number: after= and last= of the query (a hub
 * skips numbers), else those of its first and last message. */
static cm_error_t *read_place(push_t *push, const cm_exchange_t *exchange)
{
    cm_batch_t *batch = &push->batch;
    const char *query = exchange->request->query;
    apr_pool_t *pool = exchange->pool;
    const int count = batch->messages->nelts;

    batch->after = batch->last = push->pause = -1;
    if (!exchange->gem) {
        CM_TRY(cm_request_number(&batch->after, query, "after", pool));
        CM_TRY(cm_request_number(&batch->last, query, "last", pool));
        CM_TRY(cm_request_number(&push->pause, query, "pause", pool));
    }
    push->empty = !count && (batch->after < 0 || batch->last < 0);
    push->pauses = push->pause >= 0 && push->empty;
    if (count && batch->after < 0)
        batch->after = message_at(batch, 0)->id - 1;
    if (count && batch->last < 0)
        batch->last = message_at(batch, count - 1)->id;
    return NULL;
}

/* Each column is reported once, by the process that sees it first. */
static void log_altered(const cm_exchange_t *exchange,
                        const cm_receipt_t *receipt)
{
    int i;

    for (i = 0; receipt->altered && i < receipt->altered->nelts; i++) {
        const cm_altered_t *altered =
            &APR_ARRAY_IDX(receipt->altered, i, cm_altered_t);

        cm_serve_log(exchange, CM_LOG_WARNING,
                     CM0044 "%s (" CM_ALTERED_REMEDY ")",
                     cm_altered_text(altered, exchange->pool), altered->column);
    }
}

/* Run what is configured for after applying. Returns whether anything ran. */
static int run_after(cm_exchange_t *exchange)
{
    apr_array_header_t *failures;
    int i, done = 0;
    const cm_error_t *err =
        cm_after_run(&done, &failures, exchange->node, exchange->pool);

    for (i = 0; i < failures->nelts; i++)
        cm_serve_log(exchange, CM_LOG_ERROR, CM0045 "%s",
                     cm_error_text(APR_ARRAY_IDX(failures, i, cm_error_t *),
                                   exchange->pool));
    if (err)
        cm_serve_log(exchange, CM_LOG_ERROR, CM0045 "%s",
                     cm_error_text(err, exchange->pool));
    return done;
}

int cm_serve_push_retry(cm_exchange_t *exchange)
{
    cm_receipt_t *receipt = NULL;
    apr_int64_t said;
    cm_error_t *err = cm_missing_publish(&said, exchange->node, exchange->pool);

    if (!err)
        err = cm_inbox_retry(&receipt, exchange->node, exchange->peer->name,
                             exchange->pool);
    if (err)
        cm_serve_log(exchange, CM_LOG_NOTICE, CM0018 "%s",
                     cm_error_text(err, exchange->pool));
    else if (receipt->applied)
        cm_serve_log(exchange, CM_LOG_INFO,
                     CM0018 "applied %d parked messages of peer '%s'",
                     receipt->applied, exchange->peer->name);
    if (!err)
        log_altered(exchange, receipt);
    return run_after(exchange) > 0 || said > 0 ||
           (receipt && receipt->applied > 0);
}

/* Both sides pause and resume together. */
static cm_error_t *set_pause(cm_exchange_t *exchange, int pause)
{
    cm_serve_log(exchange, CM_LOG_NOTICE, CM0019 "%s by peer '%s'",
                 pause ? "paused" : "resumed", exchange->peer->name);
    return cm_node_set_paused(exchange->node, pause ? cm_clock_now() : 0,
                              exchange->pool);
}

static cm_error_t *receive_batch(cm_exchange_t *exchange, void *baton)
{
    push_t *push = baton;

    exchange->said.insists |= push->pauses;
    CM_TRY(cm_contact(exchange, 1));
    if (push->pauses)
        CM_TRY(set_pause(exchange, push->pause != 0));
    if (!push->empty) {
        push->batch.clock = exchange->said.clock;
        push->batch.packed = exchange->packed;
        if (exchange->gem)
            push->batch.since = exchange->known->sent + 1;
        push->batch.lacks = exchange->said.withheld.count != 0;
        CM_TRY(cm_inbox_receive(&push->receipt, &push->wanted, exchange->node,
                                exchange->peer->name, &push->batch,
                                exchange->gem, exchange->pool));
        cm_contact_went_well(exchange, 1);
        return NULL;
    }
    if (!push->pauses)
        (void)cm_serve_push_retry(exchange);
    if (cm_contact_has_all(exchange))
        cm_contact_went_well(exchange, 1);
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

/* Tell a peer of ours what became of its batch. */
static void answer_receipt(cm_exchange_t *exchange, const cm_receipt_t *receipt)
{
    cm_buffer_t *body = cm_buffer_create(512, exchange->pool);
    const char *text;

    cm_headers_set(exchange->answer.headers, "Communicator-Received",
                   receipt->received);
    cm_json_write_open(body, NULL, '{');
    cm_json_write_number(body, "received", receipt->received);
    cm_json_write_number(body, "accepted", receipt->accepted);
    cm_json_write_number(body, "repeated", receipt->repeated);
    cm_json_write_number(body, "applied", receipt->applied);
    write_parked(body, receipt);
    cm_json_write_close(body, '}');
    cm_buffer_append(body, "\n", 2);
    text = cm_clean_json(body->data, exchange->pool);
    cm_serve_send(exchange, CM_HTTP_ACCEPTED, text, strlen(text));
}

/* Write into the access log and the error log what was received. */
static void log_receipt(cm_exchange_t *exchange, const push_t *push)
{
    const cm_receipt_t *receipt = push->receipt;
    int parked = receipt->parked ? receipt->parked->nelts : 0;
    const cm_parked_t *first;

    cm_headers_set(exchange->answer.notes, "communicator-messages",
                   receipt->accepted);
    apr_table_setn(exchange->answer.notes, "communicator-result",
                   parked ? "parked" : "ok");
    if (push->empty)
        return;
    log_altered(exchange, receipt);
    cm_headers_set(exchange->answer.notes, "communicator-first-id",
                   push->batch.after + 1);
    cm_headers_set(exchange->answer.notes, "communicator-last-id",
                   receipt->received);
    cm_serve_log(exchange, CM_LOG_INFO,
                 CM0012 "received %d messages from peer '%s', up to "
                        "%" APR_INT64_T_FMT "; %d applied, %d parked, %d "
                        "received before",
                 receipt->accepted, exchange->peer->name, receipt->received,
                 receipt->applied, parked, receipt->repeated);
    if (receipt->missing)
        cm_serve_log(exchange, CM_LOG_NOTICE,
                     CM0048 "peer '%s': skipped %s before message "
                            "%" APR_INT64_T_FMT
                            " that it does not have any more",
                     exchange->peer->name,
                     cm_number_of(receipt->missing, "message", exchange->pool),
                     push->batch.after + 1);
    if (!parked)
        return;
    first = &APR_ARRAY_IDX(receipt->parked, 0, cm_parked_t);
    cm_serve_log(exchange, CM_LOG_NOTICE,
                 CM0014 "parked message %" APR_INT64_T_FMT " of peer '%s'"
                        "%s: %.500s",
                 first->id, exchange->peer->name,
                 parked > 1 ? " and others" : "",
                 first->reason ? first->reason : "");
    if (cm_inbox_receipt_mostly_parked(receipt))
        cm_serve_log(exchange, CM_LOG_ERROR,
                     CM0025 "%d of %d messages in a batch from peer '%s' are "
                            "parked: a table or model may be missing here",
                     cm_inbox_receipt_mostly_parked(receipt), receipt->accepted,
                     exchange->peer->name);
}

/* Answer a gem that has sent nothing. */
static void answer_nothing(cm_exchange_t *exchange, int status)
{
    cm_serve_send(exchange, status, "No data given", 13);
}

/* Receive the batch in TEXT. */
static cm_error_t *receive(push_t *push, cm_exchange_t *exchange,
                           const char *text, apr_size_t size)
{
    CM_TRY(cm_message_read_batch(&push->batch.messages, text, size,
                                 MOST_MESSAGES, exchange->pool));
    cm_request_expect(exchange,
                      (apr_size_t)push->batch.messages->nelts * MESSAGE_BYTES);
    CM_TRY(read_place(push, exchange));
    if (push->empty && exchange->gem)
        return NULL;
    return cm_serve_with_node(exchange, receive_batch, push);
}

/* Refuse a push that does not begin with the message WANTED. */
static void refuse_gap(cm_exchange_t *exchange, apr_int64_t wanted,
                       const cm_error_t *err)
{
    const char *number =
        apr_psprintf(exchange->pool, "%" APR_INT64_T_FMT, wanted);

    apr_table_setn(exchange->answer.notes, "communicator-result", "GAP");
    if (exchange->gem) {
        cm_serve_send(exchange, CM_HTTP_CONFLICT, number, strlen(number));
        return;
    }
    cm_headers_set(exchange->answer.headers, "Communicator-Received",
                   wanted - 1);
    cm_serve_refuse(exchange, CM_HTTP_CONFLICT, CM_GAP,
                    cm_error_text(err, exchange->pool), err->hint);
}

static void answer_failure(cm_exchange_t *exchange, const push_t *push,
                           const cm_error_t *err)
{
    if (err->code == CM_GAP) {
        refuse_gap(exchange, push->wanted, err);
        return;
    }
    cm_contact_failed(exchange, 1, err);
    /* CommunicatorOnError stop: the peer must not skip this message. */
    if (exchange->settings->on_error == CM_ON_ERROR_STOP)
        apr_table_setn(exchange->answer.headers, "Communicator-Stopped", "1");
    cm_serve_error(exchange, err);
}

static void answer_batch(cm_exchange_t *exchange, const char *text,
                         apr_size_t size)
{
    push_t *push = apr_pcalloc(exchange->pool, sizeof(*push));
    cm_error_t *err = receive(push, exchange, text, size);

    if (err) {
        answer_failure(exchange, push, err);
        return;
    }
    if (!push->receipt) {
        answer_nothing(exchange, CM_HTTP_ACCEPTED);
        return;
    }
    log_receipt(exchange, push);
    if (exchange->gem)
        cm_serve_send(exchange, CM_HTTP_ACCEPTED, "", 0);
    else
        answer_receipt(exchange, push->receipt);
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

void cm_serve_push(cm_exchange_t *exchange)
{
    cm_buffer_t *body;
    const char *text;
    apr_size_t size;

    if (!cm_request_body(&body, exchange))
        return;
    text = body->data;
    size = body->size;
    while (size && apr_isspace(text[size - 1]))
        size--;
    while (size && apr_isspace(*text)) {
        text++;
        size--;
    }
    if (exchange->gem && size < 2)
        answer_nothing(exchange, CM_HTTP_CONFLICT);
    else if (exchange->gem && is_empty_object(text, size))
        answer_nothing(exchange, CM_HTTP_ACCEPTED);
    else
        answer_batch(exchange, text, size);
}
