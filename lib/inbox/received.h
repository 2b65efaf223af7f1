/* The history of what was received: communicator_received has a row for each
 * batch, with the messages as they came, packed. A large batch has several. */
#ifndef CM_INBOX_RECEIVED_H
#define CM_INBOX_RECEIVED_H

#include "base/buffer.h"
#include "node/node.h"

/* Keep MESSAGES (cm_message_t *, new here) of PEER, received AT, in the open
 * transaction. PACKED: all of them as they came, which need not be packed
 * again; NULL: they did not come so. Unless CommunicatorHistory is packed, only
 * how many there were, and when. */
cm_error_t *cm_inbox_received_keep(cm_node_t *node, const char *peer,
                                   const apr_array_header_t *messages,
                                   const cm_buffer_t *packed, apr_int64_t at,
                                   apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
