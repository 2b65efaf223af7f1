/* What a gem takes of our messages, and how it counts them (docs/wire.md, part
 * A). How its own messages are received: the flag "gem" of inbox/inbox.h. */
#ifndef CM_GEM_GEM_H
#define CM_GEM_GEM_H

#include "outbox/read.h"

/* Make of ROW what the gem PEER takes, or hold it back: cm_reading_t.fit. */
void cm_gem_fit(cm_outgoing_t *row, const char *peer, apr_pool_t *result_pool);

/* A gem counts only the messages that it gets. Find where ID (its from_id, or
 * the number of its 409) stands: *AFTER and *FIRST_ID are what a cm_reading_t
 * takes to go on there. *FIRST_ID is ID, or when there is no such message
 * (purged, beyond the end) the one that follows, at most the last + 1. Outside
 * of a transaction. */
cm_error_t *cm_gem_seek(apr_int64_t *after, apr_int64_t *first_id,
                        cm_node_t *node, const char *peer, apr_int64_t id,
                        apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The gem PEER asks from ID on; *AFTER and *FIRST_ID are what cm_gem_seek()
 * found. If it never got anything from here, it has counted another node's
 * messages: from now on ours follow these, and *AFTER and *FIRST_ID are set for
 * the first of them, if there is one. Outside of a transaction. */
cm_error_t *cm_gem_begin(apr_int64_t *after, apr_int64_t *first_id,
                         cm_node_t *node, const char *peer, apr_int64_t id,
                         apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Note that the gem PEER is given our messages up to SEQ. Cheap when that is
 * not new; in a transaction of its own. */
cm_error_t *cm_gem_note_sent(cm_node_t *node, const char *peer, apr_int64_t seq,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
