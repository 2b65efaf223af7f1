/* Being asked to stop: SIGTERM, SIGINT and --max-time end a run between two
 * batches. A second signal ends it at once; the database rolls back what is
 * open. */
#ifndef STOP_H
#define STOP_H

#include "cm_error.h"

/* Catch the signals from now on. */
void cm_stop_catch(void);

/* From SECONDS on from now cm_stop_check() fails too; 0: never. */
void cm_stop_after(int seconds);

/* Return whether that time is up. */
int cm_stop_is_late(void);

/* Fail with CM_INTERRUPTED when a signal has come, or the time is up. */
cm_error_t *cm_stop_check(apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
