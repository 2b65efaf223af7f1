/* Settings as configuration lines, with all defaults: for `communicator-sync
 * configtest --dump` and httpd's -D DUMP_COMMUNICATOR. */
#ifndef CM_CONFIG_SETTINGS_PRINT_H
#define CM_CONFIG_SETTINGS_PRINT_H

#include "base/buffer.h"
#include "config/settings.h"

/* Append SETTINGS, one per line; comments say where peers and models were
 * declared. What only communicator-sync reads is left out. */
void cm_settings_print(cm_buffer_t *out, const cm_settings_t *settings);

/* Return PARAMS of a database, an address or a command without its passwords:
 * "password=x" becomes "password=***", "//user:x@host" "//user:***@host". */
const char *cm_settings_print_mask(const char *params, apr_pool_t *pool);

#endif
