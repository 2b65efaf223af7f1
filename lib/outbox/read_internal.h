/* Reading the outbox for a peer, its inside. read.c selects the rows and makes
 * messages of them, complete.c adds what the triggers left out, references.c
 * names the parents. */
#ifndef CM_OUTBOX_READ_INTERNAL_H
#define CM_OUTBOX_READ_INTERNAL_H

#include "outbox/read.h"

/* Cells of a row of the outbox as it is read: seq, action, clock, clocks, base,
 * refs, origin, original_id, source, body, local_record_id. */
#define CM_OUTBOX_COLUMNS 11

/* The action that the stamp gives a captured row whose key is NULL: it is not a
 * record, and is not sent. */
#define CM_ACTION_KEYLESS "keyless"

/* SQL: the highest seq. On MariaDB max(seq) would read all rows; other
 * databases need the condition to use the index. */
#define CM_OUTBOX_HIGHEST                                                      \
    "(SELECT seq FROM outbound_messages WHERE seq IS NOT NULL"                 \
    " ORDER BY seq DESC LIMIT 1)"

/* If RAW is the body of a message that only names its record, {"post":true},
 * return it as it can be read, {"post":{}}; else NULL. */
const char *cm_complete_unread(const cm_datum_t *raw, apr_pool_t *pool);

/* Read what incomplete ROWS (cm_outgoing_t) lack from the rows of their
 * records, as these are now: later changes have messages of their own. Rows
 * beyond LIMITS->bytes are left for the next batch: ROWS is cut, but keeps at
 * least one. */
cm_error_t *cm_complete_rows(cm_node_t *node, apr_array_header_t *rows,
                             const cm_limits_t *limits,
                             apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Put the identities of the parents into the references of ROWS
 * (cm_outgoing_t). A value that refers to nothing here becomes null. */
cm_error_t *cm_references_name(cm_node_t *node, apr_array_header_t *rows,
                               apr_pool_t *result_pool,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
