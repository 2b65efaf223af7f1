/* Asking a peer about its records: see ask.h. */
#include "exchange/ask.h"

cm_error_t *cm_ask(cm_verify_answer_t **answer, void *baton,
                   const cm_verify_question_t *question, apr_pool_t *pool)
{
    cm_session_t *session = baton;
    const char *query = question->ask == CM_ASK_PUBLISH ? "repair" : "verify";
    cm_buffer_t *text = cm_buffer_create(1024, pool);
    cm_transport_reply_t *raw;
    cm_reply_t *reply;
    cm_error_t *err;

    CM_TRY(cm_session_check(session, pool));
    cm_verify_wire_write_question(text, question);
    CM_TRY(cm_transport_post(&raw, session->transport, query, text->data,
                             text->size, pool));
    err = cm_reply_judge_answer(&reply, raw, pool);
    CM_TRY(cm_session_meet(session, reply, pool));
    CM_TRY(err);
    return cm_verify_wire_read_answer(
        answer, reply->data, reply->size,
        question->columns ? question->columns->nelts : 0, pool);
}
