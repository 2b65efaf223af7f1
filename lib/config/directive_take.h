/* The two directives with options, for directive.c only. */
#ifndef CM_CONFIG_DIRECTIVE_TAKE_H
#define CM_CONFIG_DIRECTIVE_TAKE_H

#include "config/settings.h"

/* Add the peer that WORDS describe (its name first) to SETTINGS. */
cm_error_t *cm_directive_peer_take(cm_settings_t *settings, int count,
                                   const char *const *words, cm_place_t place,
                                   apr_pool_t *pool) CM_UNUSED_RESULT;

/* Add the model that WORDS describe (its name first) to SETTINGS. */
cm_error_t *cm_directive_model_take(cm_settings_t *settings, int count,
                                    const char *const *words, cm_place_t place,
                                    apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
