/* CommunicatorAfterApply: see action.h. */
#include "config/action.h"

#include <string.h>

#include <apr_strings.h>

#include "config/option.h"

/* The width of communicator_after.models. */
#define MOST_LENGTH 255

cm_error_t *cm_action_take(cm_settings_t *settings, const char *const *words,
                           cm_place_t place, apr_pool_t *pool)
{
    cm_action_t *action = apr_pcalloc(pool, sizeof(*action));

    if (strlen(words[0]) > MOST_LENGTH)
        return CM_FAIL(pool, CM_CONFIG,
                       "the names of the models have more than %d characters",
                       MOST_LENGTH);
    if (!*words[1])
        return CM_FAIL(pool, CM_CONFIG, "the statement is empty");
    action->models = apr_pstrdup(pool, words[0]);
    action->names = apr_array_make(pool, 2, sizeof(const char *));
    CM_TRY(cm_option_list(action->names, words[0], pool));
    action->sql = apr_pstrdup(pool, words[1]);
    action->place = place;
    APR_ARRAY_PUSH(settings->actions, cm_action_t *) = action;
    return NULL;
}

void cm_action_print(cm_buffer_t *out, const char *name,
                     const cm_settings_t *settings)
{
    int i;

    for (i = 0; i < settings->actions->nelts; i++) {
        const cm_action_t *action =
            APR_ARRAY_IDX(settings->actions, i, const cm_action_t *);

        cm_buffer_raw(out,
                      apr_psprintf(out->pool, "%s %s %s  # %s:%d\n", name,
                                   action->models,
                                   cm_option_quoted(action->sql, out->pool),
                                   action->place.file, action->place.line));
    }
}
