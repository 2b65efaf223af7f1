/* Open files that an operator names, without ever waiting for one. */
#ifndef CM_BASE_FILE_H
#define CM_BASE_FILE_H

#include <apr_file_io.h>

#include "base/error.h"

/* Open PATH for reading. Fails with CM_FILE, also when it is not a regular
 * file: a FIFO would wait for a writer, a device may have no end. */
cm_error_t *cm_file_open(apr_file_t **file, const char *path,
                         apr_pool_t *pool) CM_UNUSED_RESULT;

/* Fail with CM_FILE when PATH, which a library will open, exists but is not a
 * regular file. */
cm_error_t *cm_file_check(const char *path, apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
