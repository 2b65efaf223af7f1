/* A peer that was a gem and is replaced by one of ours. A gem counts only the
 * messages that it gets, so what it holds of ours has other numbers there. When
 * both meet for the first time, the side that was counted tells the other one
 * which of its numbers that is, and sends what it held back from the gem. The
 * numbers of a gem itself stay what they were. */
#ifndef CM_GEM_FORMER_H
#define CM_GEM_FORMER_H

#include "node/epoch.h"

/* What became of a first meeting. */
typedef struct cm_former_t {
    int is_new;            /* this is the first one */
    apr_int64_t id, seq;   /* what the peer counts as message ID is SEQ here; it
                              has to be told if these differ */
    apr_int64_t published; /* records that are sent now */
    int all;               /* they are all: what it has is not known */
} cm_former_t;

/* Return whether what we hold of PEER was counted by a gem: we say so until we
 * know the number, or hold a message that has it. */
int cm_former_counts(const cm_peer_t *peer);

/* Return whether PEER, which counted as a gem, has to be told what that is. */
int cm_former_has_to_tell(const cm_peer_t *peer);

/* If CLAIM says that the peer counts as a gem did, or it must do so, since
 * messages were held back from it: find which of our numbers it means, publish
 * what was held back from the gem, and note both in *PEER, which is read again.
 * Where the number cannot be found (purged, never sent), all records are
 * published, and our numbers go on above. Outside of a transaction, before
 * cm_epoch_check(); may be repeated. Fails with CM_EPOCH if the peer holds more
 * than was ever sent. */
cm_error_t *cm_former_meet(cm_former_t *former, cm_node_t *node,
                           cm_peer_t **peer, const cm_claim_t *claim,
                           apr_pool_t *result_pool,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return what to say of FORMER: one line, or NULL where nothing was done. */
const char *cm_former_text(const cm_former_t *former, apr_pool_t *pool);

/* The other side: if CLAIM says which number that is what we hold, note it in
 * *PEER, which is read again. *RECOUNTED: it was new. Outside of a transaction,
 * before cm_epoch_check(). Fails with CM_MALFORMED. */
cm_error_t *cm_former_recount(int *recounted, cm_node_t *node, cm_peer_t **peer,
                              const cm_claim_t *claim, apr_pool_t *result_pool,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
