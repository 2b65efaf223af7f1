/* Reading the outbox for a peer, its inside. read.c selects the
 * rows and makes messages of them, references.c names the parents,
 * gem.c holds to what a gem takes. */
#ifndef CM_OUTBOX_READ_H
#define CM_OUTBOX_READ_H

#include "outbox/outbox.h"

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

/* One row on its way out. */
typedef struct cm_outgoing_t {
    cm_message_t message;    /* its id is the seq until it is sent */
    const cm_table_t *table; /* NULL: not of a configured model */
    int captured;            /* written by a trigger: its body is raw */
    int forwarded;           /* from a peer: its references stand in it */
    int incomplete;          /* what it lacks is read from the record's row */
    const char *local_id;    /* of the record here, or NULL */
    const char *held;        /* why it is not sent, or NULL */
    const char *unreadable;  /* why no peer can be sent it, or NULL */
} cm_outgoing_t;

/* What is read: cm_outbox_read()'s arguments, and where to end. */
typedef struct cm_reading_t {
    const char *peer;
    apr_int64_t after, until; /* until: the last seq; 0: no end */
    const cm_limits_t *limits;
    int gem;
    apr_int64_t first_id;
    const cm_rows_t *stamped; /* rows that need not be read, or NULL */
} cm_reading_t;

/* Read as cm_outbox_read() does, not beyond READING->until. */
cm_error_t *cm_outbox_read_until(cm_batch_t **batch, cm_node_t *node,
                                 const cm_reading_t *reading,
                                 apr_pool_t *result_pool,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

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

/* Make of ROW what the gem PEER takes, or hold it back. */
void cm_gem_fit(cm_outgoing_t *row, const char *peer, apr_pool_t *result_pool);

/* Write the body of ROW anew from its attributes. */
void cm_outbox_read_body(cm_outgoing_t *row, apr_pool_t *result_pool);

#endif
