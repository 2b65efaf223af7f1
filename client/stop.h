/* Stopping: SIGTERM, SIGINT and --max-time end a run between two batches. A
 * second signal ends it at once; the database rolls back the open transaction.
 */
#ifndef STOP_H
#define STOP_H

#include "base/error.h"

/* Catch the signals from now on. */
void sync_stop_catch(void);

/* Let sync_stop_check() fail once SECONDS have passed; 0: never. */
void sync_stop_after(int seconds);

/* Return whether that time is up. */
int sync_stop_is_late(void);

/* Let SIGHUP ask for the configuration to be read again, from now on, instead
 * of ending the program. */
void sync_stop_catch_reload(void);

/* Let signals wait until a function above catches them, even in the program
 * that takes the place of this one: execve(2) keeps what is blocked and what
 * waits, but no handler. What has come before, sync_stop_is_asked() tells. */
void sync_stop_hold(void);

/* Return whether a signal asks to end, or to read the configuration again.
 * The latter is forgotten then. */
int sync_stop_is_asked(void);
int sync_stop_wants_reload(void);

/* Fail with CM_INTERRUPTED when a signal has come, or the time is up. */
cm_error_t *sync_stop_check(apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
