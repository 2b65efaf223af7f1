/* The other names of the records that messages are about (match=). */
#ifndef CM_INBOX_NAMES_H
#define CM_INBOX_NAMES_H

#include "node/node.h"

/* Set *ALL to MESSAGES (cm_message_t *), and for each of them whose record has
 * other names one more for each name: it has only an id, a model and an
 * identity. Only names that are known by now count. */
cm_error_t *cm_inbox_names_add(apr_array_header_t **all, cm_node_t *node,
                               const apr_array_header_t *messages,
                               apr_pool_t *result_pool) CM_UNUSED_RESULT;

#endif
