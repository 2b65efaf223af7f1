/* One row of the journal for many short runs of one process: a process that
 * stays runs many times a second, and would fill the journal within hours.
 *
 * The first run with a peer is written at once. Later ones are summed up, and
 * written once a minute, when they begin or cease to fail, and in the end. */
#ifndef CM_OPERATE_GATHER_H
#define CM_OPERATE_GATHER_H

#include "operate/journal.h"

typedef struct cm_gather_t cm_gather_t;

/* Create one with nothing in it, in POOL, where it needs some hundred bytes per
 * peer. */
cm_gather_t *cm_gather_create(apr_pool_t *pool);

/* Add RUN, as for cm_journal_run(), and write what is due. What cannot be
 * written is kept for the next time. Fails as cm_journal_run(). */
cm_error_t *cm_gather_run(cm_gather_t *gather, cm_node_t *node,
                          const cm_journal_row_t *run,
                          const cm_status_said_t *said,
                          apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Write what is left. Fails as cm_journal_run(). */
cm_error_t *cm_gather_end(cm_gather_t *gather, cm_node_t *node,
                          apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
