/* The file that `models --write` makes. */
#ifndef MODELS_FILE_H
#define MODELS_FILE_H

#include "base/buffer.h"
#include "base/error.h"

/* Write LINES to the file PATH, whole or not at all. A file that declares
 * something already is not replaced: a person may have changed it. Fails with
 * CM_FILE. */
cm_error_t *sync_models_file_write(const char *path, const cm_buffer_t *lines,
                                   apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
