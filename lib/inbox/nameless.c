/* Messages without names: see nameless.h. */
#include "inbox/nameless.h"

#include <apr_strings.h>

#include "record/message.h"

/* Return whether nothing says which record MESSAGE means. */
static int is_nameless(const cm_node_t *node, const cm_message_t *message)
{
    const cm_model_t *model = cm_settings_model(node->settings, message->model);

    return model && !model->shared_keys && !message->identity.origin;
}

cm_error_t *cm_nameless_note(cm_node_t *node, const char *peer,
                             const apr_array_header_t *messages,
                             apr_pool_t *scratch_pool)
{
    cm_problem_t problem = {
        .severity = CM_SEVERITY_WARNING, .peer = peer, .kind = CM_NAMELESS};
    int i, nameless = 0;

    for (i = 0; i < messages->nelts; i++)
        nameless +=
            is_nameless(node, APR_ARRAY_IDX(messages, i, const cm_message_t *));
    if (!messages->nelts)
        return NULL;
    if (!nameless)
        return cm_problem_end(node, peer, CM_NAMELESS, scratch_pool);
    problem.text = apr_psprintf(
        scratch_pool,
        "the gem of '%s' names no records, as release 0.2.3: each of its "
        "messages makes a new record here, a change of an old one too",
        peer);
    problem.hint = "replace that gem, or declare keys=shared if the same id is "
                   "the same record on both sides: \"Coming from the gem\" in "
                   "the guide";
    return cm_problem_keep(node, &problem, scratch_pool);
}
