/* The two directives with options, for cm_directive.c only. */
#ifndef CM_DIRECTIVE_TAKE_H
#define CM_DIRECTIVE_TAKE_H

#include "cm_settings.h"

/* Add the peer that WORDS describe (its name first) to SETTINGS. */
cm_error_t *cm_directive_take_peer(cm_settings_t *settings, int count,
                                   const char *const *words, cm_place_t place,
                                   apr_pool_t *pool) CM_UNUSED_RESULT;

/* Add the model that WORDS describe (its name first) to SETTINGS. */
cm_error_t *cm_directive_take_model(cm_settings_t *settings, int count,
                                    const char *const *words, cm_place_t place,
                                    apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
