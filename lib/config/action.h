/* CommunicatorAfterApply: how its words are read and printed. */
#ifndef CM_CONFIG_ACTION_H
#define CM_CONFIG_ACTION_H

#include "base/buffer.h"
#include "config/settings.h"

/* Add what WORDS say, "MODEL,..." and SQL, to SETTINGS. Fails with CM_CONFIG.
 */
cm_error_t *cm_action_take(cm_settings_t *settings, const char *const *words,
                           cm_place_t place, apr_pool_t *pool) CM_UNUSED_RESULT;

/* Append the line NAME of each action of SETTINGS. */
void cm_action_print(cm_buffer_t *out, const char *name,
                     const cm_settings_t *settings);

#endif
