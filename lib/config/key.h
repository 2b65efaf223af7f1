/* What follows from the columns of a key. */
#ifndef CM_CONFIG_KEY_H
#define CM_CONFIG_KEY_H

#include "config/settings.h"

/* Decide for each model of SETTINGS what follows from the columns of its key:
 * whether it is shared, and match=. Once more changes nothing. */
void cm_key_complete(const cm_settings_t *settings);

/* Return whether a model that is published here refers to MODEL. */
int cm_key_is_referred(const cm_settings_t *settings, const cm_model_t *model);

#endif
