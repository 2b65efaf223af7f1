/* Asking a peer about its records. */
#ifndef CM_EXCHANGE_ASK_H
#define CM_EXCHANGE_ASK_H

#include "verify/compare.h"
#include "exchange/session.h"

/* Ask QUESTION of the peer whose session is BATON, a cm_session_t *: a
 * function for cm_verify_work_t. Fails as the transport, and as
 * cm_session_meet(). */
cm_error_t *cm_ask(cm_verify_answer_t **answer, void *baton,
                   const cm_verify_question_t *question,
                   apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
