/* Files that an operator names: for reading, and never waiting for one. */
#ifndef CM_BASE_FILE_H
#define CM_BASE_FILE_H

#include <apr_file_io.h>

#include "base/error.h"

/* Open PATH for reading. Only a file will do: a FIFO would wait for who writes
 * into it, a device has no end. Fails with CM_FILE. */
cm_error_t *cm_file_open(apr_file_t **file, const char *path,
                         apr_pool_t *pool) CM_UNUSED_RESULT;

/* Fail with CM_FILE when what is at PATH, which somebody else is to open, is
 * there, but no file. */
cm_error_t *cm_file_check(const char *path, apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
