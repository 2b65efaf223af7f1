/* Messages of a gem that knows no names of records, such as release 0.2.3. */
#ifndef CM_INBOX_NAMELESS_H
#define CM_INBOX_NAMELESS_H

#include "node/problem.h"

/* The kind of the problem that is kept of a peer that sends such messages. */
#define CM_NAMELESS "nameless"

/* Keep or end that problem with the gem PEER, which has sent MESSAGES
 * (cm_message_t *). With keys=shared the id in the body says which record is
 * meant; of other models each such message makes a new one. Not in a
 * transaction. Fails as cm_problem_keep(). */
cm_error_t *cm_nameless_note(cm_node_t *node, const char *peer,
                             const apr_array_header_t *messages,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
