/* Values that are stored differently from what was written: a trigger of the
 * application or the column's type changes them. Such a difference is never
 * sent; it is reported once per column. */
#ifndef CM_NODE_ALTERED_H
#define CM_NODE_ALTERED_H

#include "node/node.h"

/* The first such value of a column. */
typedef struct cm_altered_t {
    const char *model, *column;
    const char *local_id;
    const char *written, *stored; /* NULL: NULL */
    apr_int64_t seen_at;
} cm_altered_t;

/* What a person does about it; the one argument is the column's name. */
#define CM_ALTERED_REMEDY                                                      \
    "except=%s in its CommunicatorModel, or let the trigger ask whether "      \
    "messages are being applied (communicator_applying); then "                \
    "`communicator-sync migrate`"

/* Return ALTERED as a sentence. */
const char *cm_altered_text(const cm_altered_t *altered, apr_pool_t *pool);

/* Keep those of ALL (cm_altered_t) whose column is not known yet, in the open
 * transaction; *NEWS are these. */
cm_error_t *cm_altered_keep(apr_array_header_t **news, cm_node_t *node,
                            const apr_array_header_t *all,
                            apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* List those of columns that models of this node still carry: cm_altered_t. */
cm_error_t *cm_altered_list(apr_array_header_t **all, cm_node_t *node,
                            apr_pool_t *result_pool) CM_UNUSED_RESULT;

#endif
