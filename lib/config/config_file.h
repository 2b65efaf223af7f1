/* The configuration file of communicator-sync: the directives of
 * directives.h, a line each. */
#ifndef CM_CONFIG_CONFIG_FILE_H
#define CM_CONFIG_CONFIG_FILE_H

#include "config/settings.h"

/* Read PATH and what it Includes, and check the whole: *SETTINGS is ready for
 * use, in POOL. Fails with CM_FILE when it cannot be read, CM_CONFIG in
 * httpd's form: "Syntax error on line 3 of /etc/...: reason". */
cm_error_t *cm_config_file_read(cm_settings_t **settings, const char *path,
                                apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
