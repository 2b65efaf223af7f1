/* What a message is: see message.h. Reading and writing it stand in
 * message_read.c and message_write.c. */
#include "record/message.h"

#include <string.h>

cm_attribute_t *cm_message_attribute(const cm_message_t *message,
                                     const char *name)
{
    const apr_array_header_t *attributes = message->attributes;
    int i;

    if (message->by_name)
        return apr_hash_get(message->by_name, name, APR_HASH_KEY_STRING);
    for (i = 0; i < attributes->nelts; i++) {
        cm_attribute_t *attribute =
            &APR_ARRAY_IDX(attributes, i, cm_attribute_t);

        if (!strcmp(attribute->name, name))
            return attribute;
    }
    return NULL;
}

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
