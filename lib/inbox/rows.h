/* The rows of inbound_messages: messages that are not applied yet, and, with
 * CommunicatorHistory rows, those that are. */
#ifndef CM_INBOX_ROWS_H
#define CM_INBOX_ROWS_H

#include "apply/apply.h"

/* Parked messages are read in pages, each bounded in messages and bytes. */
typedef struct cm_page_t {
    apr_int64_t after; /* the id that the page follows; increased */
    int most;          /* messages that it may have; 0: as many as usual */
    int count;         /* messages that it had; 0: there are no more */
} cm_page_t;

/* Store what became of the items of APPLY: insert or update the rows of those
 * that are parked (with ATTEMPTS, those that were parked before count one
 * more, but not those that only come along), and delete the rows of those that
 * are applied now; with CommunicatorHistory rows, insert or update these, too.
 */
cm_error_t *cm_inbox_rows_keep(cm_apply_t *apply, int attempts,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Add to APPLY what is parked of its peer before MESSAGES (cm_message_t *)
 * about the same records, under any of their names, or about other lives of
 * their shared keys, and put all in order. No message is tried without those
 * before it: they may be what it waits for, or wait for a person, or be right
 * only together with it. With LATER also what is parked behind them: a decision
 * counts only now, and may be possible only together with that, or with a later
 * life. */
cm_error_t *cm_inbox_rows_add_same(cm_apply_t *apply,
                                   const apr_array_header_t *messages,
                                   int later,
                                   apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Add to APPLY the next PAGE of parked messages of its peer, with WAITING only
 * those that wait for another record. */
cm_error_t *cm_inbox_rows_add_page(cm_apply_t *apply, cm_page_t *page,
                                   int waiting,
                                   apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Add to APPLY those of the messages IDS (apr_int64_t) of its peer that are
 * parked: a PAGE of them, whose AFTER counts the ids that are done. */
cm_error_t *cm_inbox_rows_add_ids(cm_apply_t *apply, cm_page_t *page,
                                  const apr_array_header_t *ids,
                                  apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Delete message ID of PEER, which is discarded, or (CommunicatorHistory rows)
 * mark it so: it is no longer parked. In the open transaction. */
cm_error_t *cm_inbox_rows_discard(cm_node_t *node, const char *peer,
                                  apr_int64_t id,
                                  apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
