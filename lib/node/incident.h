/* Problems that show at one moment, to whoever is at work then, and last until
 * they are known to be over: a batch that is refused. They are kept in
 * communicator_problems, so that status, monitors and the status page show
 * what else only a line of a log would know. */
#ifndef CM_NODE_INCIDENT_H
#define CM_NODE_INCIDENT_H

#include "node/node.h"

/* As the exit status of a Nagios plugin. */
typedef enum cm_severity_e {
    CM_SEVERITY_OK,
    CM_SEVERITY_WARNING,
    CM_SEVERITY_CRITICAL,
    CM_SEVERITY_UNKNOWN /* worse than a warning, better than critical */
} cm_severity_e;

typedef struct cm_incident_t {
    const char *subject; /* what it is about: a peer's name, a model's */
    const char *kind;    /* one word; one problem of a kind per subject */
    cm_severity_e severity;
    const char *text; /* what is the case */
    const char *hint; /* what to do, or NULL */
    /* Set when it is read: */
    apr_int64_t since, seen_at; /* microseconds since 1970 */
} cm_incident_t;

/* Keep NOTED; of one that is kept already the beginning stays. In a
 * transaction of its own. Fails with CM_BUSY, CM_UNAVAILABLE. */
cm_error_t *cm_incident_keep(cm_node_t *node, const cm_incident_t *noted,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The problem of that kind is over, or there never was one. In a transaction
 * of its own. Fails as cm_incident_keep(). */
cm_error_t *cm_incident_end(cm_node_t *node, const char *subject,
                            const char *kind,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* List what is kept, the latest first, at most some hundred: cm_incident_t. */
cm_error_t *cm_incident_list(apr_array_header_t **list, cm_node_t *node,
                             apr_pool_t *result_pool) CM_UNUSED_RESULT;

#endif
