/* The actions of messages: see message.h. */
#include "record/message.h"

#include <string.h>

static const char *const action_names[] = {"create", "update", "delete"};

const char *cm_message_action_name(cm_action_e action)
{
    return action_names[action];
}

int cm_message_action_read(cm_action_e *action, const char *name)
{
    int i;

    for (i = CM_CREATE; i <= CM_DELETE; i++) {
        if (!strcmp(name, action_names[i])) {
            *action = i;
            return 1;
        }
    }
    return 0;
}

cm_action_e cm_message_action_usual(const cm_message_t *message)
{
    return message->has_base ? CM_UPDATE : CM_CREATE;
}

int cm_message_is_ahead(const cm_message_t *message, apr_int64_t here,
                        apr_int64_t now)
{
    const apr_int64_t most = (here > now ? here : now) + CM_CLOCK_AHEAD;

    return message->clocks.clock > most || message->base.clock > most;
}
