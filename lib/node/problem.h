/* Problems: what a person should look at. Most are found when somebody looks
 * (operate/health.h). Those that show only while somebody is at work, such as a
 * batch that is refused, are kept in communicator_problems until they are over,
 * so that status, monitors and the status page show them. */
#ifndef CM_NODE_PROBLEM_H
#define CM_NODE_PROBLEM_H

#include "node/node.h"

/* As the exit status of a Nagios plugin. */
typedef enum cm_severity_e {
    CM_SEVERITY_OK,
    CM_SEVERITY_WARNING,
    CM_SEVERITY_CRITICAL,
    CM_SEVERITY_UNKNOWN /* worse than a warning, better than critical */
} cm_severity_e;

typedef struct cm_problem_t {
    cm_severity_e severity;
    const char *peer; /* NULL: of this node */
    const char *text; /* what is wrong */
    const char *hint; /* what to do, or NULL */

    /* Of one that is kept: */
    const char *kind;           /* one word; one problem of a kind per peer */
    apr_int64_t since, seen_at; /* microseconds since 1970, set by the list */
} cm_problem_t;

/* Keep PROBLEM; if it is kept already, it began when it did. In a transaction
 * of its own. Fails with CM_BUSY, CM_UNAVAILABLE. */
cm_error_t *cm_problem_keep(cm_node_t *node, const cm_problem_t *problem,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The same in the transaction that is open. */
cm_error_t *cm_problem_note(cm_node_t *node, const cm_problem_t *problem,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Remove the problem of that KIND with PEER, if there is one. In a transaction
 * of its own. Fails as cm_problem_keep(). */
cm_error_t *cm_problem_end(cm_node_t *node, const char *peer, const char *kind,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* List what is kept, the latest first, at most some hundred: cm_problem_t. */
cm_error_t *cm_problem_list(apr_array_header_t **list, cm_node_t *node,
                            apr_pool_t *result_pool) CM_UNUSED_RESULT;

#endif
