/* Pausing a node: no run and no request exchanges anything until it ends. */
#ifndef CM_OPERATE_PAUSE_H
#define CM_OPERATE_PAUSE_H

#include "node/node.h"

/* Pause the node from AT on (0: resume), as every run and request sees it.
 * Fails with CM_BUSY, CM_UNAVAILABLE. */
cm_error_t *cm_pause_set(cm_node_t *node, apr_int64_t at,
                         apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Fail with CM_PAUSED when the node is paused, as cm_node_refresh() last
 * read it. */
cm_error_t *cm_pause_check(const cm_node_t *node,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
