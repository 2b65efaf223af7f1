/* POST ?verify, ?repair: the peer asks about the records here to compare them
 * with its own (verify/wire.h), or asks to publish some of them. */
#include "exchange/serve.h"

#include "verify/wire.h"
#include "exchange/log.h"

typedef struct talk_t {
    const cm_verify_question_t *question;
    cm_verify_answer_t *answer;
} talk_t;

/* This is not noted as a contact: the peer has neither pushed nor pulled. */
static cm_error_t *find_answer(cm_exchange_t *exchange, void *baton)
{
    talk_t *talk = baton;

    CM_TRY(cm_contact_read(exchange));
    return cm_verify_answer(&talk->answer, exchange->node, exchange->peer->name,
                            talk->question, exchange->pool);
}

/* Only a request that says so may publish. */
static cm_error_t *check_purpose(const cm_verify_question_t *question,
                                 const cm_exchange_t *exchange)
{
    int repairs = cm_request_has(exchange, "repair");

    if ((question->ask >= CM_ASK_PUBLISH) == repairs)
        return NULL;
    return CM_FAIL(exchange->pool, CM_USAGE,
                   "?verify only asks, ?repair publishes");
}

static cm_error_t *find(talk_t *talk, cm_exchange_t *exchange,
                        const cm_buffer_t *body)
{
    cm_verify_question_t *question;

    CM_TRY(cm_verify_wire_read_question(&question, body->data, body->size,
                                        exchange->pool));
    CM_TRY(check_purpose(question, exchange));
    talk->question = question;
    return cm_serve_with_node(exchange, find_answer, talk);
}

void cm_serve_verify(cm_exchange_t *exchange)
{
    const cm_verify_question_t *question;
    talk_t talk = {0};
    cm_buffer_t *body;
    cm_error_t *err;

    if (!cm_request_body(&body, exchange))
        return;
    err = find(&talk, exchange, body);
    if (err) {
        cm_serve_error(exchange, err);
        return;
    }
    question = talk.question;
    apr_table_setn(exchange->answer.notes, "communicator-result", "ok");
    if (question->ask >= CM_ASK_PUBLISH)
        cm_serve_log(exchange, CM_LOG_INFO,
                     CM0023 "published %" APR_INT64_T_FMT
                            " records of model '%.255s' again for peer '%s'",
                     talk.answer->published, question->model,
                     exchange->peer->name);
    body = cm_buffer_create(4096, exchange->pool);
    cm_verify_wire_write_answer(
        body, talk.answer, question->columns ? question->columns->nelts : 0);
    cm_serve_send(exchange, CM_HTTP_OK, body->data, body->size);
}
