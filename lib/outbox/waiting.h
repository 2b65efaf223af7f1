/* Whether something new waits in the outbox: for a caller that asks many times
 * per second, and wants to know as soon as it is committed. */
#ifndef CM_OUTBOX_WAITING_H
#define CM_OUTBOX_WAITING_H

#include "node/node.h"

/* Return the SQL condition that something waits which has no number yet; ALL:
 * cm_unstamped_is_due(). Rows are looked for, and not what a sequence has given
 * out: that is seen before the commit, and no longer after it. */
const char *cm_waiting_sql(const cm_node_t *node, int all, apr_pool_t *pool);

/* MariaDB: look into what was passed over, which that condition does not.
 * PASSED: whether there is any (communicator_node.passed). Fails as
 * cm_stamp_is_waiting(). */
cm_error_t *cm_waiting_below(int *waiting, cm_node_t *node, int all, int passed,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Find out by one statement whether anything was committed that has no number
 * yet, or got a number above AFTER. It takes no lock and changes nothing. What
 * is found need not be for a certain peer. *LAST (may be NULL) gets the last
 * number used. Fails as the database does. */
cm_error_t *cm_waiting_look(int *waiting, apr_int64_t *last, cm_node_t *node,
                            apr_int64_t after,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
