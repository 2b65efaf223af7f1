/* Several identities of one record. match= finds that records of two nodes are
 * the same: the smaller identity stays, each other one becomes an alias, a
 * mapping with same_as. A node that has not found this yet knows two records,
 * so a delete is sent for every identity. */
#ifndef CM_OUTBOX_ALIASES_H
#define CM_OUTBOX_ALIASES_H

#include "node/mapping.h"

/* A record with match= that was deleted; or one whose own delete cannot be sent
 * as it was captured. */
typedef struct cm_burial_t {
    const cm_model_t *model;
    cm_mapping_t mapping;    /* of the identity that stayed, as stored: the
                                delete says that its clocks are known here */
    apr_int64_t clock;       /* of the delete */
    const cm_identity_t *by; /* the identity in the peer's delete; NULL: it was
                                deleted here */
    cm_identity_t heir;      /* which continues it; original_id NULL: none */
    int unsent; /* the identity that stayed has no other delete, either */
} cm_burial_t;

/* Return less than, equal to or more than 0, as A is smaller than B. */
int cm_aliases_compare(cm_identity_t a, cm_identity_t b);

/* Write a delete of BURIALS (cm_burial_t) for each of their identities that has
 * no other delete. Under the node's lock; *LAST_SEQ is increased, the caller
 * writes it. */
cm_error_t *cm_aliases_bury(apr_int64_t *last_seq, cm_node_t *node,
                            const apr_array_header_t *burials,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
