/* Publishing on demand: the present state of records as messages (first load,
 * repair). Their old clocks go along, so nothing newer is overwritten. */
#ifndef CM_OUTBOX_PUBLISH_H
#define CM_OUTBOX_PUBLISH_H

#include "node/mapping.h"

/* Queue the records of MODEL whose key is one of LOCAL_IDS (const char *), each
 * locked while it is read; *PUBLISHED counts those found. A transaction for
 * each 500 of LOCAL_IDS. */
cm_error_t *cm_publish_records(apr_int64_t *published, cm_node_t *node,
                               const cm_model_t *model,
                               const apr_array_header_t *local_ids,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The same for those whose COLUMN holds one of LOCAL_IDS, because these are
 * other records now. The clock of COLUMN moves on by one: so the reference wins
 * over what other nodes have had from here, and loses to any real change. */
cm_error_t *cm_publish_referring(apr_int64_t *published, cm_node_t *node,
                                 const cm_model_t *model, const char *column,
                                 const apr_array_header_t *local_ids,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Which records of a model are published: those for which WHERE holds (SQL of
 * the operator, or NULL), and with UNSENT only those that are no record of any
 * node yet: rows that were there before the triggers. */
typedef struct cm_publish_which_t {
    const char *where;
    int unsent;
} cm_publish_which_t;

/* How far the work has come, of one model or of several. */
typedef void (*cm_progress_t)(void *baton, apr_int64_t done, apr_int64_t total);
typedef struct cm_publish_progress_t {
    cm_progress_t report; /* called after each chunk */
    void *baton;
    apr_int64_t done, total;
} cm_publish_progress_t;

/* Add the number of those records to *TOTAL. With UNSENT, what was committed or
 * is still being published is stamped first. */
cm_error_t *cm_publish_count(apr_int64_t *total, cm_node_t *node,
                             const cm_model_t *model,
                             const cm_publish_which_t *which,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Queue them, in chunks by key. If they are all (WHICH is NULL or selects
 * nothing), the next runs read them from the table (publication.h), as far as
 * that is possible; and all known deletes are queued too, uncounted. PROGRESS
 * (may be NULL) goes on. */
cm_error_t *cm_publish_all(apr_int64_t *published, cm_node_t *node,
                           const cm_model_t *model,
                           const cm_publish_which_t *which,
                           cm_publish_progress_t *progress,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Queue the records with IDENTITIES (cm_identity_t), or their deletes once
 * more, under the identity that is given: a peer may know the record by that
 * one of its names only. *PUBLISHED counts both. Fails as cm_publish_records().
 */
cm_error_t *cm_publish_identities(apr_int64_t *published, cm_node_t *node,
                                  const cm_model_t *model,
                                  const apr_array_header_t *identities,
                                  apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
