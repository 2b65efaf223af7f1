/* Answering a question about the records here: see wire.h. */
#include <string.h>

#include "outbox/publish.h"
#include "inbox/revive.h"
#include "verify/wire.h"

/* Records that are read for one answer, and bytes of values in it. */
#define MOST_RECORDS 8192
#define MOST_BYTES   (2 * 1024 * 1024)

/* Read the stretch asked for, or as much of it as one answer may hold. */
static cm_error_t *answer_stretch(cm_verify_answer_t *answer,
                                  const cm_verify_t *verify,
                                  const cm_verify_question_t *question,
                                  apr_pool_t *pool)
{
    const apr_array_header_t *bounds = question->bounds;
    cm_stretch_t stretch = {
        question->origin, question->after,
        APR_ARRAY_IDX(bounds, bounds->nelts - 1, const char *)};

    CM_TRY(cm_verify_read_bound(&answer->until, verify, &stretch, MOST_RECORDS,
                                pool));
    if (answer->until && stretch.until &&
        strcmp(answer->until, stretch.until) >= 0)
        answer->until = NULL;
    if (answer->until) {
        stretch.until = answer->until;
        bounds = cm_verify_read_cut(bounds, answer->until, pool);
    }
    CM_TRY(cm_verify_read_items(&answer->items, verify, &stretch, pool));
    if (question->ask == CM_ASK_ITEMS)
        return NULL;
    answer->parts = cm_verify_read_parts(answer->items, bounds, pool);
    answer->items = NULL;
    return NULL;
}

/* Return the model that QUESTION is about, or NULL. A model that is only
 * received is not sent, so the answer does not even say that it is here. */
static const cm_model_t *sent_model(const cm_node_t *node,
                                    const cm_verify_question_t *question)
{
    const cm_model_t *model =
        cm_settings_model(node->settings, question->model);

    return model && model->publishes ? model : NULL;
}

cm_error_t *cm_verify_answer(cm_verify_answer_t **answer, cm_node_t *node,
                             const char *peer,
                             const cm_verify_question_t *question,
                             apr_pool_t *pool)
{
    cm_verify_answer_t *made = apr_pcalloc(pool, sizeof(*made));
    const cm_model_t *model = sent_model(node, question);
    cm_verify_t *verify;

    *answer = made;
    if (question->ask == CM_ASK_SHAPE)
        return cm_verify_shape(&made->shape, node, model ? model->name : "",
                               question->brief, pool);
    if (!model)
        return CM_FAIL(pool, CM_NOT_FOUND,
                       "no model '%.255s' is sent from here", question->model);
    if (question->ask == CM_ASK_PUBLISH)
        return cm_publish_identities(&made->published, node, model,
                                     question->names, pool);
    if (question->ask == CM_ASK_REVIVE)
        return cm_inbox_revive(&made->published, node, model, question->names,
                               pool);
    CM_TRY(cm_verify_shape_open(&verify, node, peer, question->model,
                                question->columns, pool));
    if (question->ask == CM_ASK_STATES)
        return cm_verify_states(&made->states, verify, question->names,
                                MOST_BYTES, pool);
    return answer_stretch(made, verify, question, pool);
}
