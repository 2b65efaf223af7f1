/* CommunicatorNotifyCommand: a program that is told of troubles. */
#ifndef NOTIFY_H
#define NOTIFY_H

#include "cm_error.h"

/* Run COMMAND (split at blanks, no shell) with two more arguments, EVENT
 * ("trouble", "reminder", "recovered") and PEER, and TEXT on its standard
 * input; it is killed after a minute. Fails with CM_FILE. */
cm_error_t *cm_notify(const char *command, const char *event, const char *peer,
                      const char *text, apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
