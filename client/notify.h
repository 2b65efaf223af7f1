/* CommunicatorNotifyCommand: a program that is run when a problem starts, once
 * a day while it lasts, and when it ends. */
#ifndef NOTIFY_H
#define NOTIFY_H

#include "base/error.h"

/* Run COMMAND (split at blanks, without a shell) with two more arguments, EVENT
 * ("trouble", "reminder", "recovered") and PEER, and with TEXT on its standard
 * input. It is killed after a minute. Fails with CM_FILE, also when its exit
 * status is not 0. */
cm_error_t *sync_notify(const char *command, const char *event,
                        const char *peer, const char *text,
                        apr_pool_t *pool) CM_UNUSED_RESULT;

/* Fail with CM_FILE when the program that COMMAND names does not exist, or may
 * not be run. */
cm_error_t *sync_notify_check(const char *command,
                              apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
