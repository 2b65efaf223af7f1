/* POST ?verify, ?repair: the peer asks about the records here to compare them
 * with its own (verify/wire.h), or asks to publish some of them. */
#include "mod_communicator.h"

#include <http_log.h>

#include "verify/wire.h"
#include "log.h"
#include "node/epoch.h"
#include "node/peer.h"

APLOG_USE_MODULE(communicator);

typedef struct talk_t {
    const cm_verify_question_t *question;
    cm_verify_answer_t *answer;
} talk_t;

/* This is not noted as a contact: the peer has neither pushed nor pulled. */
static cm_error_t *find_answer(mod_exchange_t *exchange, void *baton)
{
    talk_t *talk = baton;
    cm_node_t *node = exchange->node;
    const char *peer = exchange->peer->name;
    apr_pool_t *pool = exchange->pool;
    cm_peer_t *known;

    CM_TRY(cm_peer_load(&known, node, peer, 0, pool));
    exchange->known = known;
    CM_TRY(cm_epoch_check(&exchange->said.claim, node, &known, pool, pool));
    exchange->known = known;
    return cm_verify_answer(&talk->answer, node, peer, talk->question, pool);
}

/* Only a request that says so may publish. */
static cm_error_t *check_purpose(const cm_verify_question_t *question,
                                 const request_rec *r)
{
    int repairs = mod_request_value(r, "repair") != NULL;

    if ((question->ask == CM_ASK_PUBLISH) == repairs)
        return NULL;
    return CM_FAIL(r->pool, CM_USAGE, "?verify only asks, ?repair publishes");
}

int mod_verify(mod_exchange_t *exchange)
{
    request_rec *r = exchange->r;
    cm_verify_question_t *question;
    talk_t talk = {0};
    cm_buffer_t *body;
    cm_error_t *err;
    int status = mod_request_body(&body, exchange), columns;

    if (status != OK)
        return status;
    err = cm_verify_wire_read_question(&question, body->data, body->size,
                                       exchange->pool);
    if (!err)
        err = check_purpose(question, r);
    talk.question = question;
    if (!err)
        err = mod_database_run(exchange, find_answer, &talk);
    if (err)
        return mod_answer_error(exchange, err);
    apr_table_setn(r->notes, "communicator-result", "ok");
    if (question->ask == CM_ASK_PUBLISH)
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                      CM0023 "published %" APR_INT64_T_FMT
                             " records of model '%.255s' again for peer '%s'",
                      talk.answer->published, question->model,
                      exchange->peer->name);
    body = cm_buffer_create(4096, exchange->pool);
    columns = question->columns ? question->columns->nelts : 0;
    cm_verify_wire_write_answer(body, talk.answer, columns);
    return mod_answer(exchange, HTTP_OK, body->data, body->size);
}
