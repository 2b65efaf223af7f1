/* Inside of the outbox.
 *
 * Stamping: take.c reads the rows, fold.c leaves out those that later ones
 * replace, sift.c those whose records stay here, stamp_record.c computes clocks
 * and lives, handed.c notes which keys changed hands, stamp.c writes them, or
 * pack.c makes a batch of them. Publishing: publish.c writes rows,
 * publication.c makes batches of a whole table, selection.c has the SQL of
 * both. Reading for a peer: read.c finds what comes next, in batches or rows. A
 * row becomes a message in outgoing.c; complete.c adds what the triggers left
 * out, references.c puts in the identities of the parents. */
#ifndef CM_OUTBOX_INTERNAL_H
#define CM_OUTBOX_INTERNAL_H

#include "base/id_set.h"
#include "outbox/aliases.h"
#include "outbox/filter.h"
#include "outbox/read.h"
#include "outbox/stamp.h"

/* A record that has lost its local id: it is deleted, or got another one. */
typedef struct cm_lost_t {
    apr_int64_t seq; /* the number of the message that did it */
    cm_identity_t identity;
} cm_lost_t;

/* A key that was given up. */
typedef struct cm_moved_t {
    const char *former;
    const cm_mapping_t *owner; /* of the record that had it */
    const cm_mapping_t *heir;  /* of that record, or of the one that continues
                                  it */
} cm_moved_t;

/* The records of one model that the rows are about. */
typedef struct cm_stamp_model_t {
    const cm_model_t *model;
    const cm_records_t *records;
    const cm_table_t *table;     /* NULL: it cannot be read now */
    cm_id_set_t *ids;            /* local ids */
    apr_array_header_t *foreign; /* cm_identity_t: of other nodes' records */
    apr_hash_t *alive;           /* local id -> cm_mapping_t * */
    apr_hash_t *named;           /* identity key -> cm_mapping_t * */
    apr_hash_t *lives;           /* local id -> int *: the next free one */
    cm_id_set_t *reused;         /* local ids of deleted records, some of which
                                    new ones have again */
    apr_hash_t *lost;            /* local id -> cm_lost_t, in order */
    apr_array_header_t *moved;   /* cm_moved_t */
    apr_hash_t *free;            /* names of columns: see fold.c; NULL: not
                                    looked for yet */
    apr_hash_t *twice;           /* local ids that several rows have, see
                                    cm_twice_find(); NULL: none */
    apr_hash_t *here; /* local id -> cm_filter_row_t *: the rows here,
                         where a filter applies; NULL: none does */
    apr_hash_t *ends; /* then also local id -> the last cm_stamp_row_t * that
                         deletes such a row, makes it, or changes its key */
    apr_hash_t *made; /* then also local id -> the last cm_stamp_row_t * that
                         makes such a row */
    apr_hash_t *given_up; /* or that deletes its record, as the row has another
                             key */
    apr_hash_t *passed;   /* local id -> the one under which peers know its
                             record, if they are not told of this one */
} cm_stamp_model_t;

/* A row of the outbox. */
typedef struct cm_stamp_row_t {
    apr_int64_t id;       /* 0: not of the outbox, but published */
    const char *model;    /* NULL: its body cannot be read */
    const char *local_id; /* NULL: not of a record here */
    const char *former;   /* its local id before this change; of a record that
                             is new or gone because a key changed, that of its
                             counterpart; NULL: none */
    cm_identity_t counterpart; /* who that is (record/message.h); or NULL */
    const char *action;        /* NULL: written by the application */
    apr_hash_t *changed;       /* names -> 1; NULL: all columns */
    apr_hash_t *seen; /* of a decision: names -> apr_int64_t *, the clocks of
                         the other values; NULL: none */
    cm_datum_t body;  /* NULL: too large for a batch, or not captured */
    apr_int64_t raw;  /* the time of the change */
    cm_identity_t identity;
    cm_stamp_model_t *group; /* NULL: its model is not configured */
    int folded;              /* a later row is sent instead */
    int reread;              /* its body is another one than it had when it was
                                captured; without DATA it is read later */
    apr_int64_t clock;       /* and what is computed: */
    apr_hash_t *older;       /* as in cm_clocks_t */
    const char *base;
} cm_stamp_row_t;

/* A chunk that is being stamped. */
typedef struct cm_stamp_t {
    cm_node_t *node;
    cm_stamping_t *stamping;
    apr_hash_t *models;           /* name -> cm_stamp_model_t * */
    apr_array_header_t *folded;   /* apr_int64_t: ids of rows that get no
                                     number, since later ones replace them, or
                                     their records stay here (sift.c) */
    apr_array_header_t *mappings; /* cm_mapping_t *: to be saved */
    apr_array_header_t *burials;  /* cm_burial_t: deleted, of match= */
    apr_int64_t seq;              /* of the row that is being stamped */
    apr_pool_t *pool;
} cm_stamp_t;

/* Compute clock, clocks, base and identity of ROW, and what becomes of its
 * record's mapping. Rows must come in order. */
void cm_stamp_record(cm_stamp_t *stamp, cm_stamp_row_t *row);

/* Return whether ROW is a new record that took the local id of one whose delete
 * was not captured (TRUNCATE, deletes=no). On SQLite, where deletes are
 * captured, it is REPLACE, whose delete fires no trigger: the same record. */
int cm_stamp_record_is_reborn(const cm_stamp_t *stamp,
                              const cm_stamp_row_t *row);

/* If it is so, that one is gone; return whether it is so. */
int cm_stamp_record_ends(cm_stamp_t *stamp, const cm_stamp_row_t *row);

/* Note the local ids that new records have again, and those that records have
 * given up, when all rows are stamped: missing.h. */
cm_error_t *cm_handed_note(cm_stamp_t *stamp,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return whether a row filter decides about ROW. */
int cm_sift_decides(const cm_stamp_row_t *row);

/* Return the mapping of the record of GROUP with LOCAL_ID (or NULL), if peers
 * know it, before the changes that are being stamped, or after those that are;
 * else NULL. */
const cm_mapping_t *cm_sift_knows(const cm_stamp_model_t *group,
                                  const char *local_id);

/* Return what ROWS (cm_stamp_row_t) do to keys: known.h. */
apr_hash_t *cm_known_find(const cm_stamp_t *stamp,
                          const apr_array_header_t *rows);

/* Ask the row filters (filter.h) about the records of ROWS (cm_stamp_row_t).
 * Fails as cm_filter_find(). */
cm_error_t *cm_sift_find(cm_stamp_t *stamp,
                         const apr_array_header_t *rows) CM_UNUSED_RESULT;

/* The same as cm_stamp_record(), as far as the row filter lets it; return
 * whether ROW is sent. */
int cm_sift_record(cm_stamp_t *stamp, cm_stamp_row_t *row);

/* Write the bodies of ROWS (cm_stamp_row_t) that are other ones now. */
cm_error_t *cm_sift_write(const cm_stamp_t *stamp,
                          const apr_array_header_t *rows,
                          apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return whether ROW comes from publish.c: a change has columns and a time. */
int cm_stamp_record_is_state(const cm_stamp_row_t *row);

/* Find or make the group of the model NAME; NULL: not configured. */
cm_error_t *cm_stamp_find_group(cm_stamp_model_t **found, cm_stamp_t *stamp,
                                const char *name) CM_UNUSED_RESULT;

/* Fail with CM_BUSY unless all ROWS that were read were also WRITTEN. */
cm_error_t *cm_stamp_check(int rows, apr_int64_t written,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

/* Read the next rows without a number (*FOUND: cm_stamp_row_t, in order), at
 * most stamping->limit, and note in the node what may still commit below. With
 * CommunicatorHistory rows each row is a message; else those that a later one
 * replaces are left out, and in stamp->folded. */
cm_error_t *cm_take_rows(apr_array_header_t **found,
                         cm_stamp_t *stamp) CM_UNUSED_RESULT;

/* Read the BODY of a message that the application, or the gem, wrote: put its
 * model into ROW (NULL: it cannot be read), and as changed all columns that it
 * carries. */
void cm_take_written(cm_stamp_row_t *row, const cm_datum_t *body,
                     apr_pool_t *pool);

/* Delete ROWS (cm_stamp_row_t) and those in stamp->folded by the ids that were
 * read; published states have none. Fails with CM_BUSY when some are gone. */
cm_error_t *cm_take_away(const cm_stamp_t *stamp,
                         const apr_array_header_t *rows,
                         apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Rows that were read so far. */
typedef struct cm_fold_t cm_fold_t;

/* Begin to read rows for STAMP, in its pool. */
cm_fold_t *cm_fold_create(cm_stamp_t *stamp);

/* Go on with ROW, which stays where it is. *OLDER is the one before that it
 * replaces, or NULL. Fails as cm_table_ask(). */
cm_error_t *cm_fold_next(cm_stamp_row_t **older, cm_fold_t *fold,
                         cm_stamp_row_t *row) CM_UNUSED_RESULT;
/* Number ROWS, states of records of one model that are locked (id 0, no group
 * yet), as a batch, in the open transaction; gives stamping->stamped. The
 * node's lock is held, and what was committed before has its numbers. Those
 * that the row filter keeps here are left out; if it keeps all, there is no
 * batch. *PACKED is 0 where one of them cannot be part of a batch: then roll
 * back. */
cm_error_t *cm_stamp_states(int *packed, cm_node_t *node,
                            cm_stamping_t *stamping, apr_array_header_t *rows,
                            apr_pool_t *pool) CM_UNUSED_RESULT;

/* Bytes of messages that become one batch, but for the last of them; a captured
 * message with a larger body than CM_STAMP_KEPT_BYTES stays a row. */
#define CM_STAMP_BATCH_BYTES (1024 * 1024)
#define CM_STAMP_KEPT_BYTES  8192

/* What a message takes on the wire beside its body and clocks. */
#define CM_OUTBOX_MESSAGE_BYTES 300

/* Return how many bytes the captured messages of one batch may take, with
 * CM_OUTBOX_MESSAGE_BYTES for each: what does not go into one request would be
 * read from the batch, and packed, once more. */
apr_int64_t cm_stamp_most_bytes(const cm_stamping_t *stamping);

/* A numbered row of the outbox. */
typedef struct cm_outbox_row_t {
    apr_int64_t seq, clock;
    const char *action, *clocks, *base, *refs, *local_id;
    apr_hash_t *older; /* what CLOCKS would say, where it was just numbered */
    cm_identity_t identity, counterpart;
    int forwarded; /* from a peer */
    cm_datum_t body;
} cm_outbox_row_t;

/* Return the older clocks of ROW as they are stored, or NULL. */
const char *cm_stamp_clocks(const cm_stamp_row_t *row, apr_pool_t *pool);

/* Return ROW as it is stored under the number SEQ. */
cm_outbox_row_t cm_stamp_stored(const cm_stamp_row_t *row, apr_int64_t seq);

/* Make the message of STORED in ROW. *UNKNOWN becomes 1 when the table, as it
 * is remembered, lacks a column, or the row must be read. */
cm_error_t *cm_outgoing_make(int *unknown, cm_outgoing_t *row, cm_node_t *node,
                             const cm_outbox_row_t *stored,
                             apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Write the body of the message in ROW from its attributes. */
void cm_outgoing_write_body(cm_outgoing_t *row, apr_pool_t *result_pool);

/* Send ROWS (cm_stamp_row_t), numbered from LAST_SEQ + 1, as a batch: it is
 * kept, and the rows leave the outbox; gives stamping->stamped. *PACKED is 0,
 * and nothing is done, where one of them has to stay a row. In the open
 * transaction, under the node's lock. */
cm_error_t *cm_pack_rows(int *packed, cm_stamp_t *stamp,
                         const apr_array_header_t *rows, apr_int64_t last_seq,
                         apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Say whether a batch may be made at all: no message has to be a row. */
cm_error_t *cm_pack_is_wanted(int *wanted, cm_node_t *node,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Records of a table that are published, some at a time. */
typedef struct cm_selection_t {
    cm_node_t *node;
    const cm_table_t *table;
    const char *where;   /* SQL with "%%" for a percent sign; NULL: all */
    const char *filter;  /* the same, the row filter: it may fail for a row.
                            NULL: each is asked when it gets its number only */
    const char *renewed; /* the column whose clock moves on; NULL: none */
    int rows;            /* at a time */
} cm_selection_t;

/* A condition on the records, and the values for its "%s". */
typedef struct cm_condition_t {
    const char *sql;
    apr_array_header_t *arguments; /* cm_datum_t */
} cm_condition_t;

/* Return a condition that all records meet. */
cm_condition_t *cm_selection_condition(apr_pool_t *pool);

/* Return the condition for the records after AFTER (NULL: from the first) up to
 * UP_TO (NULL: to the last): values of the columns of the key. */
cm_condition_t *cm_selection_between(const cm_selection_t *selection,
                                     const cm_datum_t *after,
                                     const cm_datum_t *up_to, apr_pool_t *pool);

/* Let SELECTION ask the row filter of its model, if this has one. */
void cm_selection_filter(cm_selection_t *selection, apr_pool_t *pool);

/* Return whether ERR may be a failure of the row filter of SELECTION. Then that
 * is not asked any more: try again. */
int cm_selection_unfilter(cm_selection_t *selection, const cm_error_t *err);

/* Return the section NAME of publish.sql for CONDITION. */
const char *cm_selection_section(const cm_selection_t *selection,
                                 const char *name,
                                 const cm_condition_t *condition,
                                 apr_pool_t *pool);

/* Return the SQL for KEY, a value of COLUMN as text, as a part of CONDITION. */
const char *cm_selection_key_sql(cm_condition_t *condition,
                                 const cm_column_t *column,
                                 const cm_datum_t *key);

/* Return whether TEXT is an integer as SQL writes it. */
int cm_selection_is_integer(const char *text);

/* Select section NAME of publish.sql. */
cm_error_t *cm_selection_select(cm_rows_t **rows,
                                const cm_selection_t *selection,
                                const char *name,
                                const cm_condition_t *condition,
                                apr_pool_t *pool) CM_UNUSED_RESULT;

/* Write the messages of CONDITION into the outbox, in the open transaction. */
cm_error_t *cm_selection_enqueue(apr_int64_t *count,
                                 const cm_selection_t *selection,
                                 const cm_condition_t *condition,
                                 apr_pool_t *pool) CM_UNUSED_RESULT;

/* The action that the stamp gives a captured row whose key is NULL: it is not a
 * record, and is not sent. */
#define CM_ACTION_KEYLESS "keyless"

/* The action that the stamp gives a captured row that has been inserted
 * although another one has its key, in a table without a unique index: nobody
 * could tell both apart. It is not sent. */
#define CM_ACTION_TWICE "twice"

/* Find the local ids of GROUP with which ROWS (cm_stamp_row_t) are inserted
 * once more, and that several rows of the table have. Where ROWS delete one of
 * several rows, or change its key, the record goes on with the row that is
 * left: that becomes an update of all columns. It does not if a row with that
 * key is inserted later, which may be stamped with another chunk. Fails as
 * cm_keys_select(). */
cm_error_t *cm_twice_find(cm_stamp_t *stamp, cm_stamp_model_t *group,
                          const apr_array_header_t *rows) CM_UNUSED_RESULT;

/* SQL: the highest seq. On MariaDB max(seq) would read all rows, as PostgreSQL
 * does where the table was empty when it was last analysed; others than MariaDB
 * need the condition to use the index. */
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
 * (cm_outgoing_t). A value that refers to nothing here becomes null. STAMP: the
 * rows are just being stamped, in the open transaction; or NULL. */
cm_error_t *cm_references_name(cm_node_t *node, const cm_stamp_t *stamp,
                               apr_array_header_t *rows,
                               apr_pool_t *result_pool,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- publish_deletes.c --- */

/* Queue all deletes of MODEL once more: a peer that was restored from a backup
 * may have lost them, and no row here would show it. */
cm_error_t *cm_publish_deletes(cm_node_t *node, const cm_model_t *model,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Queue the deletes of the records with IDENTITIES (cm_identity_t) once more,
 * each under that identity. */
cm_error_t *cm_publish_deletes_of(apr_int64_t *count, cm_node_t *node,
                                  const cm_model_t *model,
                                  const apr_array_header_t *identities,
                                  apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
