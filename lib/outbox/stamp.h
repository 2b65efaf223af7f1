/* Stamping: committed rows of the outbox get their numbers and clocks, their
 * records the mappings. For each record the numbers follow the commits. Changes
 * of a record that a later one repeats get none: fold.c. */
#ifndef CM_OUTBOX_STAMP_H
#define CM_OUTBOX_STAMP_H

#include "base/buffer.h"
#include "node/node.h"

/* A batch that was just made. */
typedef struct cm_stamped_t {
    apr_array_header_t *messages; /* cm_message_t * */
    const cm_buffer_t *packed;    /* all of them, by gzip; or NULL */
} cm_stamped_t;

/* A stamping of many messages, some at a time: each time those with the lowest
 * ids of all that are committed. */
typedef struct cm_stamping_t {
    int limit;         /* messages at a time */
    apr_int64_t bytes; /* and their bytes, where they are sent at once; 0: as
                          many as a batch may have */
    const char *peer;  /* the peer to which they are sent at once: delivered_at
                          is set, too; NULL: none */
    apr_int64_t holds; /* PEER holds messages up to this one, which is confirmed
                          together with the next chunk; 0: nothing new */
    int all;           /* search all rows: unstamped.h */
    int rows;          /* as so many the last messages were captured */
    int took_all;      /* the last chunk took all that was committed */
    int left;          /* it left some of it, which need not be looked for */
    const cm_stamped_t *stamped; /* the last chunk, if it is a batch, for
                                    cm_reading_t.stamped, in the pool that it
                                    was stamped with; or NULL */
} cm_stamping_t;

/* Say whether a committed message has no number yet, or a table is still being
 * published; takes no lock. */
cm_error_t *cm_stamp_is_waiting(int *waiting, cm_node_t *node,
                                apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Stamp committed messages in the open transaction, under the node's lock.
 * *STAMPED is their number, 0 when all messages are stamped. */
cm_error_t *cm_stamp_some(int *stamped, cm_node_t *node,
                          cm_stamping_t *stamping,
                          apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The same in a transaction of its own; cheap when there is nothing to stamp.
 * When all messages are stamped, or the last chunk took all, the next records
 * of a table that is published get numbers (publication.h): an application that
 * goes on writing does not keep them waiting. STAMPING->holds is 0 once it is
 * confirmed. */
cm_error_t *cm_stamp_chunk(int *stamped, cm_node_t *node,
                           cm_stamping_t *stamping,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Stamp all committed messages, in transactions of its own. */
cm_error_t *cm_stamp_all(apr_int64_t *stamped, cm_node_t *node,
                         apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
