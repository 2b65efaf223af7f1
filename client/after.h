/* What is done after messages have changed records: the statements of
 * CommunicatorAfterApply, and the program of CommunicatorAfterApplyCommand. */
#ifndef AFTER_H
#define AFTER_H

#include "client.h"

/* Do what is to be done since the last time; *DONE counts the statements that
 * were run. Failures are reported, and set the exit status; no message depends
 * on them. */
void sync_after_run(int *done, sync_client_t *client);

/* Fail with CM_FILE when the program COMMAND cannot be run. */
cm_error_t *sync_after_check(const char *command,
                             apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
