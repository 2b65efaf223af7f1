/* The names of one record: match= finds out that records of two nodes are the
 * same. The smaller name stays, each other one is a mapping with same_as, an
 * alias. A node that has not found out knows them as two records: so a delete
 * is told under all names. */
#ifndef CM_OUTBOX_ALIASES_H
#define CM_OUTBOX_ALIASES_H

#include "node/mapping.h"

/* A record with match= that was deleted. */
typedef struct cm_burial_t {
    const cm_model_t *model;
    cm_mapping_t mapping;    /* of its main name, as stored */
    apr_int64_t clock, base; /* of the delete */
    const cm_identity_t *by; /* the name by which a peer has deleted it; NULL:
                                it was deleted here */
} cm_burial_t;

/* Return less than, equal to or more than 0, as A is smaller than B. */
int cm_aliases_compare(cm_identity_t a, cm_identity_t b);

/* Write messages that delete BURIALS (cm_burial_t) under those of their names
 * that no other message tells. Under the node's lock; *LAST_SEQ moves on, and
 * is not written yet. */
cm_error_t *cm_aliases_bury(apr_int64_t *last_seq, cm_node_t *node,
                            const apr_array_header_t *burials,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
