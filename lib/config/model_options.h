/* CommunicatorModel: how its words are read and printed. */
#ifndef CM_CONFIG_MODEL_OPTIONS_H
#define CM_CONFIG_MODEL_OPTIONS_H

#include "config/option.h"
#include "config/settings.h"

/* The options of a model (cm_model_t). */
extern const cm_option_t cm_model_options[];

/* Add the model that the COUNT WORDS declare, its name and options, to
 * SETTINGS. Fails with CM_CONFIG. */
cm_error_t *cm_model_options_take(cm_settings_t *settings, int count,
                                  const char *const *words, cm_place_t place,
                                  apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
