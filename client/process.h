/* Programs that the configuration names. */
#ifndef PROCESS_H
#define PROCESS_H

#include <apr_tables.h>

#include "base/error.h"

/* Run COMMAND (split at blanks, without a shell), which DIRECTIVE names, with
 * the further ARGUMENTS (const char *) and INPUT on its standard input. It is
 * killed after SECONDS. Fails with CM_FILE, also when its exit status is not 0.
 */
cm_error_t *sync_process_run(const char *directive, const char *command,
                             const apr_array_header_t *arguments,
                             const char *input, int seconds,
                             apr_pool_t *pool) CM_UNUSED_RESULT;

/* Fail with CM_FILE when the program that COMMAND names does not exist, or may
 * not be run. */
cm_error_t *sync_process_check(const char *directive, const char *command,
                               apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
