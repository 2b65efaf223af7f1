/* The configuration file of communicator-sync: the directives of directives.h,
 * one per line. */
#ifndef CM_CONFIG_CONFIG_FILE_H
#define CM_CONFIG_CONFIG_FILE_H

#include "config/settings.h"

/* Read PATH and what it includes into *SETTINGS in POOL, and check all of it.
 * Fails with CM_FILE when a file cannot be read, with CM_CONFIG in httpd's
 * form: "Syntax error on line 3 of /etc/...: reason". */
cm_error_t *cm_config_file_read(cm_settings_t **settings, const char *path,
                                apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
