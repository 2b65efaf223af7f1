/* Reading the outbox for a peer, its inside. read.c selects the rows and makes
 * messages of them, complete.c adds what the triggers left out, references.c
 * names the parents. */
#ifndef CM_OUTBOX_READ_INTERNAL_H
#define CM_OUTBOX_READ_INTERNAL_H

#include "outbox/read.h"

/* Cells of a row of the outbox as it is read: seq, action, clock, clocks, base,
 * refs, origin, original_id, source, body, local_record_id. */
#define CM_OUTBOX_COLUMNS 11

/* What the stamp makes of the action of a captured row whose key is NULL: it
 * is of no record, and not sent. */
#define CM_ACTION_KEYLESS "keyless"

/* SQL: the highest seq. max(seq) reads all of them on MariaDB, where the
 * condition is one that other databases need to take the index. */
#define CM_OUTBOX_HIGHEST                                                      \
    "(SELECT seq FROM outbound_messages WHERE seq IS NOT NULL"                 \
    " ORDER BY seq DESC LIMIT 1)"

/* Return the body RAW of a message that names its record alone, {"post":true},
 * so that it can be read: {"post":{}}; or NULL: it is another one. */
const char *cm_complete_unread(const cm_datum_t *raw, apr_pool_t *pool);

/* Read what incomplete ROWS (cm_outgoing_t) lack from the rows of their
 * records, as these are now: later changes have messages of their own. Behind
 * LIMITS->bytes the other rows are left for the next batch: *ROWS ends there,
 * with at least one. */
cm_error_t *cm_complete_rows(cm_node_t *node, apr_array_header_t *rows,
                             const cm_limits_t *limits,
                             apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Give the references in ROWS (cm_outgoing_t) the names of their parents. A
 * value that refers to nothing here becomes null. */
cm_error_t *cm_references_name(cm_node_t *node, apr_array_header_t *rows,
                               apr_pool_t *result_pool,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
