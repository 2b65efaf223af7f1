/* Publishing a whole table: its records become batches as they stand there, in
 * the order of the key, without being rows of the outbox first.
 *
 * communicator_publications has a row for each table that is being published,
 * with the key of the last record that is sent: each run goes on from there.
 * For a chunk the records are locked, and what was committed before is
 * numbered; so the state that is read is that of the clocks, and a later change
 * gets a later number. A row filter is asked as it is of any change, when the
 * state gets its number. A chunk that cannot be a batch becomes rows. */
#ifndef CM_OUTBOX_PUBLICATION_H
#define CM_OUTBOX_PUBLICATION_H

#include "node/node.h"
#include "outbox/stamp.h"

/* Let the next runs publish TABLE, which has RECORDS, from the first record on.
 * *BEGUN is 0 where that is not possible: a key that is NULL or not unique. */
cm_error_t *cm_publication_begin(int *begun, cm_node_t *node,
                                 const cm_table_t *table, apr_int64_t records,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Say whether a table is still being published; takes no lock. */
cm_error_t *
cm_publication_is_waiting(int *waiting, cm_node_t *node,
                          apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Count the records that are not sent yet, as it was when they were published.
 */
cm_error_t *cm_publication_left(apr_int64_t *records, cm_node_t *node,
                                apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Send the next records in a transaction of its own, as cm_stamp_chunk() does;
 * *STAMPED is 0 when there are none, or while the application has them locked.
 */
cm_error_t *cm_publication_chunk(int *stamped, cm_node_t *node,
                                 cm_stamping_t *stamping,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Stamp all committed messages, and give numbers to all that is still to be
 * published, in transactions of their own. What the application has locked
 * waits for the next run. */
cm_error_t *cm_publication_finish(cm_node_t *node,
                                  apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
