/* The two directives with options, for directive.c and settings_print.c. */
#ifndef CM_CONFIG_DIRECTIVE_INTERNAL_H
#define CM_CONFIG_DIRECTIVE_INTERNAL_H

#include "base/buffer.h"
#include "config/settings.h"

/* Add the peer that WORDS describe (its name first) to SETTINGS. */
cm_error_t *cm_directive_peer_take(cm_settings_t *settings, int count,
                                   const char *const *words, cm_place_t place,
                                   apr_pool_t *pool) CM_UNUSED_RESULT;

/* Add the model that WORDS describe (its name first) to SETTINGS. */
cm_error_t *cm_directive_model_take(cm_settings_t *settings, int count,
                                    const char *const *words, cm_place_t place,
                                    apr_pool_t *pool) CM_UNUSED_RESULT;

/* Append them as lines, without the end of the line. */
void cm_directive_peer_print(cm_buffer_t *out, const cm_peer_settings_t *peer);
void cm_directive_model_print(cm_buffer_t *out, const cm_model_t *model);

#endif
