/* CommunicatorNotifyCommand: a program that is run when a problem begins, lasts
 * and ends. */
#ifndef NOTIFY_H
#define NOTIFY_H

#include "base/error.h"

/* Run COMMAND (split at blanks, no shell) with two more arguments, EVENT
 * ("trouble", "reminder", "recovered") and PEER, and TEXT on its standard
 * input; it is killed after a minute. Fails with CM_FILE, also when it ends
 * with another status than 0. */
cm_error_t *sync_notify(const char *command, const char *event,
                        const char *peer, const char *text,
                        apr_pool_t *pool) CM_UNUSED_RESULT;

/* Fail with CM_FILE when the program that COMMAND names is not there, or may
 * not be run. */
cm_error_t *sync_notify_check(const char *command,
                              apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
