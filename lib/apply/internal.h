/* The inside of applying. Stages hand small results to the next one, which
 * only reads them:
 *
 *   check      cm_task_t     what the message is about, or what is wrong with
 * it directory  cm_found_t    which record an identity is here: its mapping
 *   lock       cm_row_t      the record's row, locked; then all is stamped
 *   read       cm_here_t     what is here: the state of the record
 *   merge      cm_effect_t   what the messages make of it
 *   write      cm_mapping_t  the mapping, with the id that the database gave
 *   written    cm_here_t, cm_found_t: what is here now
 *
 * A record points to the last result of each stage; NULL or an empty one: the
 * stage has not been reached. Nothing is changed once it is handed over, so an
 * attempt (cycle.c, together.c) is undone by pointing to the old results again.
 *
 * rounds.c, cycle.c, retry.c and together.c say in which order records are
 * merged and written; conflicts.c, forward.c and adopt.c write what follows. */
#ifndef CM_APPLY_INTERNAL_H
#define CM_APPLY_INTERNAL_H

#include "store/bulk.h"
#include "record/state.h"
#include "node/conflict.h"
#include "node/mapping.h"
#include "apply/apply.h"

/* What the mappings say of an identity. */
typedef struct cm_found_t {
    const cm_mapping_t *mapping; /* NULL: none */
    int stored;                  /* the mapping has a row, though its id is not
                                    known when it is 0 */
    const char *local_id;        /* NULL: the record is not here */
} cm_found_t;

/* An identity that messages name: the subject of one, or its parent. */
typedef struct cm_entry_t {
    const cm_model_t *model;
    cm_identity_t identity;
    const char *key;             /* cm_identity_key() */
    struct cm_entry_t *alias_of; /* the main one of the record, or NULL */
    const cm_found_t *found;     /* never NULL */
    struct cm_record_t *record;  /* that messages are about, or NULL */
} cm_entry_t;

/* A message on its way into a record. */
typedef struct cm_task_t {
    cm_item_t *item;
    cm_message_t *message;
    cm_entry_t *entry; /* NULL: no identity */
    const cm_table_t *table;
    struct cm_record_t *record;
    const cm_error_t *fault; /* it can never be applied as it is */
    int done;                /* it has taken effect */
    int news;                /* it has changed the record: to be forwarded */
    const cm_error_t *error; /* why it is not done */
} cm_task_t;

/* The row that a record was looked for in. */
typedef struct cm_row_t {
    const char *wanted;    /* the local id that was looked for */
    const cm_datum_t *raw; /* the raw capture of the row; NULL: not here */
    const char *local_id;  /* its key, as the database writes it */
} cm_row_t;

/* What is here of a record. */
typedef struct cm_here_t {
    int exists;                   /* the row is here, and locked */
    const char *local_id;         /* its key */
    const cm_state_t *state;      /* its columns and clocks, or the delete */
    const cm_value_t *raw;        /* the columns, references as local ids */
    const cm_error_t *unreadable; /* the row cannot be read */
} cm_here_t;

typedef enum cm_effect_e {
    CM_EFFECT_NONE, /* the row stays as it is; perhaps its clocks do not */
    CM_EFFECT_CREATE,
    CM_EFFECT_UPDATE,
    CM_EFFECT_DELETE
} cm_effect_e;

/* What the next messages of a record make of it. */
typedef struct cm_effect_t {
    cm_effect_e kind;
    int until;            /* tasks before this one take part */
    int partial;          /* references into a cycle are left for later */
    cm_state_t *state;    /* the record as it will be */
    cm_value_t *raw;      /* its columns here */
    cm_datum_t *cells;    /* by column, what to write ... */
    char *writes;         /* ... of those that are written */
    const char *shape;    /* records of one shape share a statement */
    cm_mapping_t mapping; /* without what only writing tells */
    int save;             /* the mapping is to be written */
    char *news;           /* by task: it changes the record */
    apr_array_header_t *conflicts; /* cm_conflict_t */
    apr_array_header_t *republish; /* int: columns to publish once more */
    int revived; /* a person keeps the deleted row: as a new record */
    const cm_entry_t *dead_parent; /* a column that may not be NULL refers to
                                      this deleted record; or NULL */
    const char *buried_id; /* the local id of a deleted record, or NULL */
} cm_effect_t;

/* What match= made of a record. */
typedef enum cm_match_e {
    CM_MATCH_OPEN,  /* not looked for */
    CM_MATCH_NONE,  /* there is no such row */
    CM_MATCH_FOUND, /* the row that it has adopted */
} cm_match_e;

/* A record that messages are about. */
typedef struct cm_record_t {
    const cm_table_t *table;
    cm_entry_t *entry;         /* NULL: no identity, always a new one */
    apr_array_header_t *tasks; /* cm_task_t *, in order of arrival */
    int next;                  /* the first task that is not done */
    cm_match_e match;
    const cm_row_t *row;       /* never NULL */
    const cm_here_t *here;     /* NULL until it is read */
    const cm_effect_t *effect; /* NULL: none, or not yet */
    const cm_error_t *error;   /* why the last effect came to nothing */
    int alone;       /* written alone: a mapping may be in the way of its id */
    int in_no_cycle; /* breaking a cycle here failed */
    const cm_entry_t *dead_parent; /* with which the row went, unseen */
} cm_record_t;

/* One application of messages. */
typedef struct cm_run_t {
    cm_apply_t apply; /* what is seen from outside; first, for the cast */
    cm_node_t *node;
    const char *peer;
    apr_pool_t *pool;
    apr_hash_t *entries;         /* model name -> key -> cm_entry_t * */
    apr_array_header_t *tasks;   /* cm_task_t * */
    apr_array_header_t *records; /* cm_record_t *, by first message */
    apr_array_header_t *matched; /* cm_record_t *, by match=: parents first */
    int strict;                  /* see cm_apply_t; not while a cycle is open */
    const char *deferred;        /* for cm_transaction_check_deferred() */
    /* what is to be written at the end: */
    apr_array_header_t *conflicts; /* cm_conflict_t */
    apr_array_header_t *republish; /* cm_republish_t */
    apr_array_header_t *altered;   /* cm_altered_t, one per column */
    apr_array_header_t *burials;   /* cm_burial_t: deleted, of match= */
    apr_array_header_t *graves;    /* cm_grave_t: deleted, by their ids */
    int created;
} cm_run_t;

/* What this node publishes of a record by itself: columns that won although
 * they were older, or that the record went with its parent. */
typedef struct cm_republish_t {
    const cm_record_t *record;
    apr_array_header_t *columns; /* int */
    int revived;                 /* all of it, as a new record */
    int orphan;                  /* that it is deleted, with its parent */
} cm_republish_t;

/* --- check.c --- */

/* Say what TASK is about (entry, table), or what is wrong with it (fault);
 * enter the parents that it refers to. */
void cm_check_task(cm_run_t *run, cm_task_t *task);

/* --- directory.c --- */

/* Return the entry of that identity; a new one is found at the next refresh. */
cm_entry_t *cm_directory_get(cm_run_t *run, const cm_model_t *model,
                             cm_identity_t identity);

/* Return ENTRY, or what it is an alias of. */
cm_entry_t *cm_directory_main(cm_entry_t *entry);

/* Find ENTRY to be LOCAL_ID here, by MAPPING (both may be NULL). STORED: the
 * mapping has a row. */
void cm_directory_set(cm_run_t *run, cm_entry_t *entry,
                      const cm_mapping_t *mapping, int stored,
                      const char *local_id);

/* Read the mappings of all entries. */
cm_error_t *cm_directory_refresh(cm_run_t *run,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return the key that ENTRY's identity gives a record here although nothing
 * maps it: with shared keys, or when it was made here. NULL: none. */
const char *cm_directory_probe(const cm_run_t *run, const cm_entry_t *entry);

/* Append KEY, as text, as a row of KEYS and return its canonical form
 * (cm_canonical_key()). NULL: the key column cannot hold it. */
const char *cm_directory_add_key(cm_run_t *run, const cm_table_t *table,
                                 const char *key, cm_bulk_t *keys);

/* Find parents that are here although nothing maps them. */
cm_error_t *cm_directory_find_parents(cm_run_t *run, apr_pool_t *scratch_pool)
    CM_UNUSED_RESULT;

/* --- lock.c --- */

/* Lock the rows of all records, stamp what is committed, and read what is
 * here, in this order. */
cm_error_t *cm_lock_all(cm_run_t *run,
                        apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Point RECORD to a row; all may be NULL. */
void cm_lock_set_row(cm_run_t *run, cm_record_t *record, const char *wanted,
                     const cm_datum_t *raw, const char *local_id);

/* --- match.c --- */

/* match=: find rows here with the values of records that have no mapping, and
 * lock them; *FOUND counts them. */
cm_error_t *cm_match_find(int *found, cm_run_t *run,
                          apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return whether the parents by which RECORD was found are still taken for the
 * rows that they match. */
int cm_match_stands(cm_run_t *run, const cm_record_t *record);

/* --- adopt.c --- */

/* After stamping: give rows that match, and have an identity of another origin,
 * a second one. Those of the same origin are another record. */
cm_error_t *cm_adopt_matched(cm_run_t *run,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return whether a message of this run deletes RECORD. */
int cm_adopt_is_dying(const cm_record_t *record);

/* Send the deletes of records with aliases under each alias. */
cm_error_t *cm_adopt_bury(cm_run_t *run,
                          apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- read.c --- */

/* Read what is here of all records. A row that cannot be read concerns only
 * the messages for it. Fails as the database does. */
cm_error_t *cm_apply_read_records(cm_run_t *run,
                                  apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return what the message of TASK says. */
cm_state_t *cm_apply_read_task(cm_run_t *run, const cm_task_t *task);

/* --- merge.c --- */

/* Merge the next tasks of RECORD, up to UNTIL, into RECORD->effect. With
 * PARTIAL, references to records of this run that are not here yet are left
 * for later. Fails with what parks them: CM_WAITS, CM_REJECTED, CM_CONFLICT. */
cm_error_t *cm_merge_record(cm_run_t *run, cm_record_t *record, int until,
                            int partial) CM_UNUSED_RESULT;

/* --- cells.c --- */

/* Fill in which columns EFFECT writes into the row of RECORD, and what. Fails
 * with what parks it: CM_WAITS, CM_REJECTED; EFFECT->dead_parent is set when a
 * deleted parent is the reason. */
cm_error_t *cm_cells_make(cm_run_t *run, const cm_record_t *record,
                          cm_effect_t *effect) CM_UNUSED_RESULT;

/* --- write.c --- */

/* Write the effects of RECORDS (cm_record_t *), in chunks of one shape. Those
 * that cannot be written get an error; the others are done. Fails as
 * cm_apply_run(). */
cm_error_t *cm_write_records(cm_run_t *run, const apr_array_header_t *records,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return whether ERR ends the transaction. */
int cm_write_is_fatal(const cm_run_t *run, const cm_error_t *err);

/* --- stored.c --- */

/* Compare what the rows of COUNT RECORDS of one shape hold with what was just
 * written under the keys of MAPPINGS, where it may be something else;
 * RUN->altered gets the columns. */
cm_error_t *cm_stored_compare(cm_run_t *run, cm_record_t **records,
                              const cm_mapping_t *mappings, int count,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- mappings.c --- */

/* Complete the MAPPINGS of COUNT RECORDS of one shape, just written, and save
 * those that have changed. */
cm_error_t *cm_mappings_write(cm_run_t *run, cm_record_t **records,
                              cm_mapping_t *mappings, int count,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- written.c --- */

/* The effect of RECORD has been written, and MAPPING: it is what is here now,
 * and its tasks are done. */
void cm_written_note(cm_run_t *run, cm_record_t *record,
                     const cm_mapping_t *mapping);

/* --- rounds.c --- */

/* Merge all tasks that RECORD has left. Return whether that worked out; else
 * RECORD->error says what it waits for or fails of. */
int cm_rounds_ready(cm_run_t *run, cm_record_t *record, int partial);

/* Return whether RECORD has tasks that are not done. */
int cm_rounds_pending(const cm_record_t *record);

/* Write records, as long as others arrive that they wait for. */
cm_error_t *cm_rounds_settle(cm_run_t *run,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Write the deletes: children before parents. */
cm_error_t *cm_rounds_delete(cm_run_t *run,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- cycle.c --- */

/* Write records that wait for one another: without these references first. */
cm_error_t *cm_cycle_break(cm_run_t *run,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Write RECORDS, whose effects are made, and what waits for them: all of them,
 * or (not *DONE) none. *DONE counts them. With LATE what the database checks
 * at the end of the transaction is checked when all are written, with
 * run->strict. */
cm_error_t *cm_cycle_write(int *done, cm_run_t *run,
                           const apr_array_header_t *records, int late,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- together.c --- */

/* Write records together that were refused one by one: they may depend on each
 * other by constraints that are checked at the end of a transaction. *MOVED
 * counts those that are written. */
cm_error_t *cm_together_write(int *moved, cm_run_t *run,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- retry.c --- */

/* Try what failed once more, one message at a time in order of arrival, until
 * nothing moves; then say why each of the others is parked. */
cm_error_t *cm_apply_retry(cm_run_t *run,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- forward.c --- */

/* Hand on what has changed records to the other peers. */
cm_error_t *cm_forward_messages(cm_run_t *run,
                                apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Publish RUN->republish. */
cm_error_t *cm_forward_republish(cm_run_t *run,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
