/* Batches of messages that have their numbers: communicator_batches has a row
 * for each, with the messages as they are sent, packed. Their numbers follow
 * each other without a gap, and every peer gets all of them. Other numbered
 * messages are rows of outbound_messages (outbox/unpack.h says which). */
#ifndef CM_NODE_BATCHES_H
#define CM_NODE_BATCHES_H

#include "base/buffer.h"
#include "node/node.h"
#include "record/message.h"

/* The numbers of a batch, and when its first message was made. */
typedef struct cm_batches_range_t {
    apr_int64_t first, last; /* 0: there is none */
    apr_int64_t oldest;      /* a clock; 0: published */
} cm_batches_range_t;

/* What is known of a batch beside its messages. */
typedef struct cm_batches_row_t {
    cm_batches_range_t numbers;
    apr_int64_t clock;       /* of the last message */
    const cm_buffer_t *wire; /* the messages (record/packed.h) */
} cm_batches_row_t;

/* Keep BATCH in the open transaction, under the node's lock. */
cm_error_t *cm_batches_keep(cm_node_t *node, const cm_batches_row_t *batch,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Find the first batch that reaches beyond AFTER. */
cm_error_t *cm_batches_find(cm_batches_range_t *range, cm_node_t *node,
                            apr_int64_t after,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Read the messages (cm_message_t *) of the first batch that reaches beyond
 * AFTER, all of them. There are none when *RANGE says so. */
cm_error_t *cm_batches_read(apr_array_header_t **messages,
                            cm_batches_range_t *range, cm_node_t *node,
                            apr_int64_t after,
                            apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Find the last message of a batch that is not beyond LAST; 0: there is none.
 */
cm_error_t *cm_batches_last(apr_int64_t *seq, cm_node_t *node, apr_int64_t last,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Give the clock of message SEQ; 0 when it is in no batch. */
cm_error_t *cm_batches_clock(apr_int64_t *clock, cm_node_t *node,
                             apr_int64_t seq,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Count the messages of batches above AFTER, in at most MOST batches. */
cm_error_t *cm_batches_count(apr_int64_t *count, cm_node_t *node,
                             apr_int64_t after, int most,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Add BY to the numbers of all batches, in the open transaction, under the
 * node's lock. BY is more than any of them. */
cm_error_t *cm_batches_renumber(cm_node_t *node, apr_int64_t by,
                                apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
