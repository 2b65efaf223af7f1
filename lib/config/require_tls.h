/* CommunicatorRequireTLS: how its words are read and printed. */
#ifndef CM_CONFIG_REQUIRE_TLS_H
#define CM_CONFIG_REQUIRE_TLS_H

#include "config/settings.h"

/* Set in SETTINGS (a cm_settings_t) what the first word says: On, Off or the
 * name of a header. Fails with CM_CONFIG. */
cm_error_t *cm_require_tls_take(void *settings, const char *value,
                                apr_pool_t *pool) CM_UNUSED_RESULT;

/* Believe that header of the COUNT addresses and networks in WORDS only,
 * instead of this host's. Fails with CM_CONFIG. */
cm_error_t *cm_require_tls_trust(cm_settings_t *settings, int count,
                                 const char *const *words,
                                 apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return all words as they would be written. */
const char *cm_require_tls_print(const void *settings, apr_pool_t *pool);

#endif
