/* Applying: what messages do to the records here, within one transaction.
 *
 * A run takes messages (items), finds the record of each, locks the rows,
 * stamps what is committed here, and merges: the messages of one record
 * become one effect, written with others of its shape in one statement. What
 * cannot be written is isolated, tried again message by message, and parked
 * at the end with the reason: an item that is not done has an error.
 *
 *   cm_apply_create, cm_apply_add ..., cm_apply_run, cm_apply_finish
 *
 * The rest of this file is what the files of apply/ share. */
#ifndef CM_APPLY_H
#define CM_APPLY_H

#include "store/bulk.h"
#include "record/decision.h"
#include "record/state.h"
#include "node/mapping.h"
#include "node/node.h"

/* A record by its name: the subject of a message, or a parent of one. */
typedef struct cm_known_t {
    const cm_model_t *model;
    cm_identity_t identity;
    const char *key;         /* cm_identity_key() */
    struct cm_known_t *same; /* an alias: of this one */
    cm_mapping_t *mapping;   /* NULL: none */
    int stored;              /* the mapping's row is there; its id is not known
                                when it is 0 */
    const char *local_id;    /* NULL: not here */
    struct cm_record_t *record; /* of this run, or NULL */
} cm_known_t;

/* A message on its way into a record. */
typedef struct cm_item_t {
    cm_message_t *message;
    apr_int64_t arrived;    /* microseconds; the clock of a gem's message */
    int kept;               /* it was parked: the inbox has it already */
    cm_decision_e decision; /* a person's, about a conflict */
    int attempts;
    cm_known_t *known; /* NULL: no identity */
    const cm_table_t *table;
    struct cm_record_t *record;
    const cm_error_t *fault; /* it can never be applied as it is */
    int done;                /* it has taken effect */
    int news;                /* and told something new: to be forwarded */
    const cm_error_t *error; /* why it is not done */
} cm_item_t;

typedef enum cm_effect_e {
    CM_EFFECT_NONE, /* the row stays as it is; perhaps its clocks do not */
    CM_EFFECT_CREATE,
    CM_EFFECT_UPDATE,
    CM_EFFECT_DELETE
} cm_effect_e;

/* What the next messages of a record will do to it. */
typedef struct cm_effect_t {
    cm_effect_e kind;
    int until;         /* items before this one take part */
    int partial;       /* references into a cycle are left for later */
    cm_state_t *state; /* the record as it will be */
    cm_value_t *raw;   /* its columns here */
    cm_datum_t *cells; /* by column, what to write ... */
    char *writes;      /* ... of those that are */
    const char *shape; /* records of one shape share a statement */
    cm_mapping_t mapping;
    int save;                      /* the mapping is to be written */
    char *news;                    /* by item: it told something new */
    apr_array_header_t *conflicts; /* cm_lost_t */
    apr_array_header_t *again;     /* int: columns to publish once more */
    int reborn;              /* deleted, but its row stays: as a new record */
    const cm_known_t *lost;  /* the deleted parent that a column which may not
                                be NULL refers to; else NULL */
    const char *buried_id;   /* what it was called here; NULL: not here */
    const cm_known_t *waits; /* the parent that is missing, or NULL */
} cm_effect_t;

/* What match= made of a record. */
typedef enum cm_match_e {
    CM_MATCH_OPEN,  /* not looked for */
    CM_MATCH_NONE,  /* there is no such row */
    CM_MATCH_FOUND, /* the row that it has adopted */
} cm_match_e;

/* A record that messages of this run are about. */
typedef struct cm_record_t {
    const cm_table_t *table;
    cm_known_t *known;         /* NULL: no identity, always a new one */
    apr_array_header_t *items; /* cm_item_t *, in order of arrival */
    int next;                  /* the first item that is not done */
    const char *asked;         /* the local id that was looked for */
    const cm_datum_t *row;     /* its raw capture; NULL: not here */
    const char *local_id;      /* its key, as the database writes it */
    int exists;                /* the row is here, and locked */
    cm_state_t *state;         /* what is here */
    cm_value_t *raw;           /* the columns here, references as local ids */
    cm_effect_t *effect;
    const cm_error_t *error;      /* why the last effect came to nothing */
    const cm_error_t *unreadable; /* its row here cannot be read */
    int careful;                  /* a mapping may be in its way: look */
    cm_match_e matched;
    int acyclic;            /* breaking a cycle here failed */
    const cm_known_t *lost; /* the parent with which its row went, unseen */
} cm_record_t;

typedef struct cm_apply_t {
    cm_node_t *node;
    const char *peer;
    apr_pool_t *pool;
    apr_hash_t *known;             /* model name -> key -> cm_known_t * */
    apr_array_header_t *items;     /* cm_item_t * */
    apr_array_header_t *records;   /* cm_record_t *, by first message */
    apr_array_header_t *conflicts; /* cm_lost_t */
    apr_array_header_t *again;     /* cm_again_t: to be published once more */
    apr_array_header_t *altered;   /* cm_altered_t, one per column */
    apr_array_header_t *burials;   /* cm_burial_t: deleted, of match= */
    apr_array_header_t *matched;   /* cm_record_t *, by match=: parents first */
    apr_array_header_t *graves;    /* cm_grave_t: deleted, by their ids */
    int isolate_schema; /* CM_SCHEMA is the message's fault, not a change */
    int strict;         /* what the database checks at the end of the
                           transaction is checked after each chunk */
    const char *back;   /* for cm_transaction_check_deferred() */
    const cm_error_t *barred; /* nothing is tried: all are parked so */
    int created;              /* records that are new here */
} cm_apply_t;

/* What this node says of a record of its own accord: that columns won although
 * they were older, or that it went with its parent. */
typedef struct cm_again_t {
    const cm_record_t *record;
    apr_array_header_t *columns; /* int */
    int reborn;                  /* all of it, as a new record */
    int orphan;                  /* that it is deleted, with its parent */
} cm_again_t;

/* Begin a run for messages of PEER, in POOL, in an open transaction. */
cm_apply_t *cm_apply_create(cm_node_t *node, const char *peer,
                            apr_pool_t *pool);

/* Add MESSAGE, which came at ARRIVED. ATTEMPTS were made before; 0: new. */
cm_item_t *cm_apply_add(cm_apply_t *run, cm_message_t *message,
                        apr_int64_t arrived, int attempts);

/* Apply all that can be. Takes the node's lock. Fails with what ends the
 * transaction: CM_BUSY, CM_UNAVAILABLE, CM_SCHEMA (the tables may have
 * changed; not with RUN->isolate_schema), CM_DATABASE. */
cm_error_t *cm_apply_run(cm_apply_t *run,
                         apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Write what follows from it: conflicts, what conflict=NODE publishes again,
 * on a hub the messages for the other peers, and which columns were altered:
 * RUN->altered keeps those that nobody has been told of. */
cm_error_t *cm_apply_finish(cm_apply_t *run,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return whether ERR ends the transaction of RUN. */
int cm_write_is_fatal(const cm_apply_t *run, const cm_error_t *err);

/* Return the i-th of an array of pointers. */
#define CM_NTH(array, i, type) APR_ARRAY_IDX((array), (i), type *)

/* --- known.c --- */

/* Return what the run knows of that record; remembers to ask for it. */
cm_known_t *cm_known_get(cm_apply_t *run, const cm_model_t *model,
                         cm_identity_t identity);

/* Return KNOWN, or what it is an alias of. */
cm_known_t *cm_known_same(cm_known_t *known);

/* Ask the database for the mappings of all. */
cm_error_t *cm_known_refresh(cm_apply_t *run,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return the key that IDENTITY gives a record here although nothing maps it:
 * with shared keys, or when it was made here. NULL: none. */
const char *cm_known_probe(const cm_apply_t *run, const cm_known_t *known);

/* Append KEY, as text, as a row of KEYS and return its canonical form
 * (cm_canonical_key()). NULL: the key column cannot hold it. */
const char *cm_known_add_key(cm_apply_t *run, const cm_table_t *table,
                             const char *key, cm_bulk_t *keys);

/* Find parents that are here although nothing maps them. */
cm_error_t *cm_known_find_parents(cm_apply_t *run,
                                  apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- check.c --- */

/* Say what ITEM is about (known, table), or what is wrong with it (fault);
 * ask for the parents that it refers to. */
void cm_check_item(cm_apply_t *run, cm_item_t *item);

/* --- lock.c --- */

/* Lock the rows that RECORDS (cm_record_t *) ask for and read them; *LOCKED
 * says how many were asked for. */
cm_error_t *cm_lock_records(int *locked, cm_apply_t *run,
                            const apr_array_header_t *records,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Lock the rows of all records, stamp what is committed, and read what is
 * here, in this order. */
cm_error_t *cm_lock_run(cm_apply_t *run,
                        apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- read.c --- */

/* Make the state of RECORD from its row's RAW capture (NULL: no row) and its
 * mapping. Fails with CM_MALFORMED. */
cm_error_t *cm_apply_read_record(cm_apply_t *run, cm_record_t *record,
                                 const cm_datum_t *raw) CM_UNUSED_RESULT;

/* Find the names of the records that the reference columns here hold. */
cm_error_t *cm_apply_read_references(cm_apply_t *run,
                                     apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return what the message of ITEM says. */
cm_state_t *cm_apply_read_item(cm_apply_t *run, const cm_item_t *item);

/* --- match.c --- */

/* match=: find rows here with the values of records that have no mapping, and
 * lock them; *FOUND counts them. */
cm_error_t *cm_match_run(int *found, cm_apply_t *run,
                         apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return whether the parents by which RECORD was found are still taken for the
 * rows that they match. */
int cm_match_stands(cm_apply_t *run, const cm_record_t *record);

/* --- names.c --- */

/* Now that all is stamped: rows that match and have a name of another origin
 * get a second one. Those of the same origin are another record. */
cm_error_t *cm_names_adopt(cm_apply_t *run,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return whether a message of this run deletes RECORD. */
int cm_names_record_dies(const cm_record_t *record);

/* Tell the deletes of records with several names under all of them. */
cm_error_t *cm_names_bury(cm_apply_t *run,
                          apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- effect.c --- */

/* Merge the next items of RECORD, up to UNTIL, into RECORD->effect. Fails
 * with what parks them; RECORD->effect->waits says which parent is missing.
 * With PARTIAL, references to records of this run that are not here yet are
 * left for later. */
cm_error_t *cm_effect_make(cm_apply_t *run, cm_record_t *record, int until,
                           int partial) CM_UNUSED_RESULT;

/* --- done.c --- */

/* The effect of RECORD has been written: it is what is here now. */
void cm_done_effect(cm_apply_t *run, cm_record_t *record);

/* --- cells.c --- */

/* Say which columns the effect of RECORD writes, and what. Fails with what
 * parks it: CM_WAITS, CM_REJECTED. */
cm_error_t *cm_cells_make(cm_apply_t *run,
                          cm_record_t *record) CM_UNUSED_RESULT;

/* --- write.c --- */

/* Write the effects of RECORDS (cm_record_t *), in chunks of one shape. Those
 * that cannot be get an error; the others are done. Fails as cm_apply_run().
 */
cm_error_t *cm_write_records(cm_apply_t *run, const apr_array_header_t *records,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- stored.c --- */

/* Compare what the rows of COUNT RECORDS of one shape hold with what was just
 * written, where it may be something else; RUN->altered gets the columns. */
cm_error_t *cm_stored_compare(cm_apply_t *run, cm_record_t **records, int count,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- mappings.c --- */

/* Save the mappings of the effects of COUNT RECORDS, just written. */
cm_error_t *cm_mappings_write(cm_apply_t *run, cm_record_t **records, int count,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- rounds.c --- */

/* Make the effect of all that RECORD has left, and write it, when READY says
 * so; else RECORD->error says what it waits for or fails of. */
int cm_rounds_ready(cm_apply_t *run, cm_record_t *record, int partial);

/* Return whether RECORD has items that are not done. */
int cm_rounds_pending(const cm_record_t *record);

/* Write records, as long as others arrive that they wait for. */
cm_error_t *cm_rounds_settle(cm_apply_t *run,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Write what is deleted: children before parents. */
cm_error_t *cm_rounds_delete(cm_apply_t *run,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- cycle.c --- */

/* Write records that wait for one another: without these references first. */
cm_error_t *cm_cycle_run(cm_apply_t *run,
                         apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Write RECORDS, whose effects are made, and what they hold up: all of them,
 * or (not *DONE) none. *DONE counts them. With LATE what the database checks
 * at the end of the transaction is checked when all are written, with
 * run->strict. */
cm_error_t *cm_cycle_write_together(int *done, cm_apply_t *run,
                                    const apr_array_header_t *records, int late,
                                    apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- together.c --- */

/* Try what was refused together: records may depend on each other by
 * constraints that are checked at the end of a transaction. *MOVED counts
 * those that are written. */
cm_error_t *cm_together_run(int *moved, cm_apply_t *run,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- retry.c --- */

/* Try what failed once more, one message at a time in order of arrival, until
 * nothing moves. */
cm_error_t *cm_apply_retry(cm_apply_t *run,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- forward.c --- */

/* Hand on what told something new to the other peers. */
cm_error_t *cm_forward_run(cm_apply_t *run,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Publish again the columns that win here by conflict=NODE. */
cm_error_t *cm_forward_publish_again(cm_apply_t *run,
                                     apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
