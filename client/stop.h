/* Being asked to stop: SIGTERM and SIGINT end a run between two batches. A
 * second signal ends it at once; the database rolls back what is open. */
#ifndef STOP_H
#define STOP_H

#include "cm_error.h"

/* Catch the signals from now on. */
void cm_stop_catch(void);

/* Fail with CM_INTERRUPTED when a signal has come. */
cm_error_t *cm_stop_check(apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
