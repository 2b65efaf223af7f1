/* What the files of apply/ share. Each stage hands a small result to the next,
 * which only reads it:
 *
 *   check      cm_task_t     what the message is about, or what is wrong
 *   directory  cm_found_t    which record an identity is here: its mapping
 *   lock       cm_row_t      the row of the record, locked; then all is stamped
 *   read       cm_here_t     what is here: the state of the record
 *   merge      cm_effect_t   what the messages change
 *   write      cm_mapping_t  the mapping, with the id that the database gave
 *   written    cm_here_t, cm_found_t: what is here now
 *
 * A record points to the last result of each stage, NULL or empty until the
 * stage is reached. Results do not change after they are handed over, so a
 * failed attempt (group.c) is undone by pointing to the old ones again.
 *
 * An update of a record that nobody has changed here skips these stages
 * (fast.c): its row is written before all is stamped, its mapping behind that.
 *
 * rounds.c, group.c, refused.c and retry.c decide in which order records are
 * merged and written; written.c collects what follows, and apply.c and
 * forward.c write it at the end. */
#ifndef CM_APPLY_INTERNAL_H
#define CM_APPLY_INTERNAL_H

#include "store/bulk.h"
#include "record/keys.h"
#include "record/state.h"
#include "node/conflict.h"
#include "node/mapping.h"
#include "apply/apply.h"

/* What is known of an identity. */
typedef struct cm_found_t {
    const cm_mapping_t *mapping; /* NULL: none */
    const char *local_id;        /* NULL: the record is not here */
} cm_found_t;

/* An identity that messages name: the subject of one, or its parent. */
typedef struct cm_entry_t {
    const cm_model_t *model;
    cm_identity_t identity;
    const char *key;             /* cm_identity_key() */
    struct cm_entry_t *alias_of; /* the main entry of the record, or NULL */
    const cm_found_t *found;     /* never NULL */
    struct cm_record_t *record;  /* NULL: no message of this run is about it */
} cm_entry_t;

/* A message on its way into a record. */
typedef struct cm_task_t {
    cm_item_t *item;
    cm_message_t *message;
    cm_entry_t *entry;       /* NULL: no identity */
    cm_entry_t *counterpart; /* as in the message; or NULL */
    const char *locked_id;   /* the row that a record which it continues had
                                when it was locked */
    const cm_table_t *table;
    struct cm_record_t *record;
    const cm_error_t *fault; /* why it cannot be applied, whatever is here */
    int done;                /* it is applied */
    int changed;             /* it changed the record: forward it */
    const cm_error_t *error; /* why it is not done */
} cm_task_t;

/* The row that a record was looked for in. */
typedef struct cm_row_t {
    const char *wanted;    /* the local id that was looked for */
    const cm_datum_t *raw; /* the raw capture of the row; NULL: not here */
    const char *local_id;  /* its key, as the database writes it */
    const cm_mapping_t *earlier; /* of an earlier life of a shared key that has
                                    the row; NULL: none */
} cm_row_t;

/* What is here of a record. */
typedef struct cm_here_t {
    int exists;           /* the row is here, and locked */
    const char *local_id; /* its key */
    cm_state_t *state; /* its columns and clocks, or the delete; never written
                          to while the row is not here */
    cm_value_t *raw;   /* the columns, references as local ids; neither */
    const cm_error_t *unreadable; /* the row cannot be read */
} cm_here_t;

typedef enum cm_effect_e {
    CM_EFFECT_NONE, /* the row stays as it is; its clocks may change */
    CM_EFFECT_CREATE,
    CM_EFFECT_UPDATE,
    CM_EFFECT_DELETE
} cm_effect_e;

/* Which references to records of the run that are not here yet are left for
 * later. */
typedef enum cm_partial_e {
    CM_PARTIAL_NONE,
    CM_PARTIAL_EMPTY, /* those that may be empty until then */
    CM_PARTIAL_ALL    /* also others: until then they have any key */
} cm_partial_e;

/* What the next messages of a record change. */
typedef struct cm_effect_t {
    cm_effect_e kind;
    int until; /* of the tasks before this one */
    cm_partial_e partial;
    int moves;            /* the row gets another key */
    cm_state_t *state;    /* the record as it will be */
    cm_value_t *raw;      /* its columns here */
    cm_datum_t *cells;    /* by column, what to write ... */
    char *writes;         /* ... of those that are written */
    const char *shape;    /* records of one shape share a statement */
    cm_mapping_t mapping; /* without the ids that only the database knows */
    int save;             /* write the mapping */
    char *changed;        /* by task: whether it changes the record */
    apr_array_header_t *conflicts; /* cm_conflict_t */
    apr_array_header_t *republish; /* cm_decided_t: columns to publish again */
    int revived; /* a person keeps the row that was deleted there: it becomes a
                    new record */
    apr_array_header_t *owed; /* const cm_entry_t *: parents to which NOT NULL
                                 columns refer only later; NULL: none */
    apr_array_header_t *inherited; /* const char *: columns that refer to the
                                      heir of the record that a message names;
                                      NULL: none */
    const cm_entry_t *dead_parent; /* the deleted record that a NOT NULL column
                                      refers to, or NULL */
    const char *buried_id; /* the local id of a deleted record, or NULL */
} cm_effect_t;

/* What match= found for a record. */
typedef enum cm_match_e {
    CM_MATCH_OPEN,  /* not looked for yet */
    CM_MATCH_NONE,  /* no row matches */
    CM_MATCH_FOUND, /* a row matches, and is adopted */
} cm_match_e;

/* A record that messages are about. */
typedef struct cm_record_t {
    const cm_table_t *table;
    cm_entry_t *entry;           /* NULL: no identity, always a new record */
    apr_array_header_t *tasks;   /* cm_task_t *, in order of arrival */
    int next;                    /* the first task that is not done */
    struct cm_record_t *earlier; /* the life of a shared key before this one, of
                                    those in this run; NULL: none */
    struct cm_record_t *twin;    /* the same by match=, earlier; or NULL */
    struct cm_record_t *former;  /* has the row that match= finds, and is to be
                                    deleted by this run; or NULL */
    cm_match_e match;
    const cm_row_t *row;                /* never NULL */
    const cm_here_t *here;              /* NULL until it is read */
    const cm_effect_t *effect;          /* NULL: none, or not yet */
    const apr_array_header_t *kept;     /* cm_conflict_t: of an effect that was
                                           partial; NULL: none */
    const apr_array_header_t *decided;  /* cm_decided_t, of written effects */
    const apr_array_header_t *recalled; /* cm_settled_t, of earlier runs; or
                                           NULL */
    const cm_error_t *error; /* why the last effect could not be written */
    int fast;                /* its only message goes the fast way (fast.c) */
    const cm_mapping_t *judged; /* ... which this mapping has shown */
    int renamed;         /* it has the row of the one that it continues */
    const char *new_key; /* instead of the key at its origin; or NULL */
    int alone;           /* written alone: take its id from a stale mapping */
    const cm_error_t *lacks; /* what it waited for before it joined others */
    int aim;         /* the tasks before it are to be done by this attempt */
    int in_no_cycle; /* this attempt to break a cycle failed */
    int releases;    /* what refers to its row lets go of it first */
    const cm_error_t *untied; /* why it cannot come together with the records
                                 that it must refer to; NULL: nothing known */
    const cm_error_t *same;   /* the peer knows that it is a record which this
                                 run brings first; NULL: nothing known */
    cm_entry_t *same_as;      /* ... that record; or NULL */
    apr_int64_t match_before; /* match= compares what its messages before this
                                 number say; 0: all */
} cm_record_t;

/* Records of one shape, which are written together. */
typedef struct cm_chunk_t {
    const cm_table_t *table;
    cm_effect_e kind;
    cm_record_t **records;
    cm_mapping_t *mappings; /* of each: copies, completed by writing */
    int count;
} cm_chunk_t;

/* The highest number that this run has written into a column which has a
 * default, or is a key. */
typedef struct cm_highest_t {
    const cm_column_t *column;
    const cm_table_t *table;
    apr_int64_t number;
} cm_highest_t;

/* One application of messages. */
typedef struct cm_run_t {
    cm_apply_t apply; /* what callers see; first, for the cast */
    cm_node_t *node;
    const char *peer;
    apr_pool_t *pool;
    apr_hash_t *unknown;         /* concurrent.c; or NULL */
    apr_hash_t *entries;         /* model name -> key -> cm_entry_t * */
    apr_array_header_t *tasks;   /* cm_task_t * */
    apr_array_header_t *records; /* cm_record_t *, by first message */
    apr_array_header_t *matched; /* cm_record_t *, by match=: parents first */
    int strict;                  /* see cm_apply_t; not while a cycle is open */
    int one_each;                /* merge only the next message of a record */
    int unchecked;               /* records come up to their aims only */
    int tentative;               /* what is written now may be undone */
    int holds;                   /* what may get a row later is not made now */
    int held;                    /* ... and there was something like that */
    int looked_at;               /* records made when it was looked at last */
    int tied_at;                 /* messages done when cycles were tried last */
    int any_twin;                /* a record may come before its twin */
    const char *deferred;        /* for cm_transaction_check_deferred() */
    /* cm_apply_finish() writes: */
    apr_array_header_t *conflicts; /* cm_conflict_t */
    apr_array_header_t *republish; /* cm_republish_t */
    apr_array_header_t *altered;   /* cm_altered_t, one per column */
    apr_array_header_t *burials;   /* cm_burial_t: deleted, of match= */
    apr_array_header_t *graves;    /* cm_grave_t: deleted, by their ids */
    apr_array_header_t *numbers;   /* cm_highest_t: for sequences to follow */
    apr_hash_t *cascades;  /* cascade.c: model name -> cm_rows_t *; or NULL */
    apr_hash_t *referring; /* model name -> cm_table_t *: rows were made to
                              refer to others, which is not captured */
    int created;
    int moved; /* records that got another key */
    /* read.c, so that a wide table costs no memory for what is not there: */
    void *nothing; /* absent columns, of all records that are not here */
    apr_size_t nothing_size;
    cm_state_t *incoming; /* of the last message that was read */
} cm_run_t;

/* What this node has to publish of a record: columns that won although they
 * were older, or that the record was deleted with its parent. */
typedef struct cm_republish_t {
    const cm_record_t *record;
    apr_array_header_t *columns; /* cm_decided_t */
    int revived;                 /* all of it, as a new record */
    int orphan;                  /* that it is deleted, with its parent */
    int captured;                /* what was captured of it before messages
                                    wrote it: */
    const char *changed;         /* the columns, as captured; NULL: all */
    const apr_array_header_t *renewed; /* const char *: columns whose clocks
                                          move on by one; NULL: none */
} cm_republish_t;

/* --- check.c --- */

/* Set what TASK is about (entry, table) or what is wrong with it (fault), and
 * add the parents that it refers to to the directory. */
void cm_check_task(cm_run_t *run, cm_task_t *task);

/* --- directory.c --- */

/* So many times a key may have changed since a peer knew it. */
#define CM_MOST_HEIRS 1000

/* Return the entry of that identity; the next refresh looks up a new one. */
cm_entry_t *cm_directory_get(cm_run_t *run, const cm_model_t *model,
                             cm_identity_t identity);

/* Return ENTRY, or what it is an alias of. */
cm_entry_t *cm_directory_main(cm_entry_t *entry);

/* Return the main entry of the record that ATTRIBUTE refers to. NULL: it refers
 * to none, or the model is unknown. */
cm_entry_t *cm_directory_parent(cm_run_t *run, const cm_attribute_t *attribute);

/* The same for an attribute of COLUMN. If the key of that record was changed
 * since, the record that continues it, unless COLUMN is part of a key: then the
 * row would be another record. */
cm_entry_t *cm_directory_parent_now(cm_run_t *run,
                                    const cm_attribute_t *attribute,
                                    const cm_column_t *column);

/* Return the entry of the heir of ENTRY's record, by its tombstone, or NULL. */
cm_entry_t *cm_directory_heir(cm_run_t *run, const cm_entry_t *entry);

/* Point ENTRY to what was found: MAPPING and LOCAL_ID; both may be NULL. */
void cm_directory_set(cm_run_t *run, cm_entry_t *entry,
                      const cm_mapping_t *mapping, const char *local_id);

/* Read the mappings of all entries. */
cm_error_t *cm_directory_refresh(cm_run_t *run,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return the key that a record without a mapping has here by its identity:
 * with shared keys, or when it was made here. NULL: it has none. */
const char *cm_directory_probe(const cm_run_t *run, const cm_entry_t *entry);

/* Find parents that are here without a mapping. */
cm_error_t *cm_directory_find_parents(cm_run_t *run, apr_pool_t *scratch_pool)
    CM_UNUSED_RESULT;

/* --- lock.c --- */

/* Lock the rows of all records and read them, and stamp all local changes that
 * are committed. */
cm_error_t *cm_lock_all(cm_run_t *run,
                        apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return the keys of TABLE whose rows are to be locked, of ALL: model name ->
 * cm_keys_t *. */
cm_keys_t *cm_lock_keys(apr_hash_t *all, cm_store_t *store,
                        const cm_table_t *table, apr_pool_t *pool);

/* Point RECORD to a row; all may be NULL. */
void cm_lock_set_row(cm_run_t *run, cm_record_t *record, const char *wanted,
                     const cm_datum_t *raw, const char *local_id);

/* Lock the row that RECORD has got by now, and read it. */
cm_error_t *cm_lock_record(cm_run_t *run, cm_record_t *record,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- rename.c --- */

/* Lock the rows of records that new ones continue. */
cm_error_t *cm_rename_lock(cm_run_t *run,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* When all that is committed here is stamped: let new records that continue
 * others have their rows, where the database and what is here allow it. */
cm_error_t *cm_rename_rows(cm_run_t *run,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Let the new record of TASK have the row LOCAL_ID, whose record is deleted. */
cm_error_t *cm_rename_give_row(cm_run_t *run, const cm_task_t *task,
                               const char *local_id,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- takeover.c --- */

/* Let records have the rows of those that had their keys before, where foreign
 * keys refuse the deletes of these. *MOVED is increased by them. */
cm_error_t *cm_takeover_rows(int *moved, cm_run_t *run,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- concurrent.c --- */

/* Read what the gem that sent these messages did not know (cm_apply_t.since),
 * when all that is committed here is stamped. */
cm_error_t *cm_concurrent_read(cm_run_t *run,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return whether the gem did not know a value of RECORD that has CLOCK here. */
int cm_concurrent_is_unknown(const cm_run_t *run, const cm_record_t *record,
                             apr_int64_t clock);

/* If a gem did not know all of RECORD, let it get the merged record, in place
 * of the whole one that it got, or will get, from before. */
void cm_concurrent_tell(cm_run_t *run, const cm_record_t *record);

/* --- unseen.c --- */

/* Delete records that refused rows refer to, and whose own rows a foreign key
 * has deleted without a trigger (MariaDB). *FOUND is increased by them. */
cm_error_t *cm_unseen_bury(int *found, cm_run_t *run,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- release.c --- */

/* Before the row of RECORD is deleted, or its key changed: let what refers to
 * it here, and need not refer to anything, refer to nothing. *RELEASED gets
 * these rows, if the key changes, for cm_release_return(). */
cm_error_t *cm_release_references(apr_array_header_t **released, cm_run_t *run,
                                  const cm_record_t *record,
                                  apr_pool_t *pool) CM_UNUSED_RESULT;

/* Let RELEASED refer to RECORD again, whose key is NEW_ID now. */
cm_error_t *cm_release_return(const apr_array_header_t *released, cm_run_t *run,
                              const cm_record_t *record, const char *new_id,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Try the deletes and changes of keys that were refused once more, so that what
 * refers to the records lets go of them. *MOVED is increased by those that are
 * done. */
cm_error_t *cm_release_refused(int *moved, cm_run_t *run,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- fast.c --- */

/* Write the rows of records that can go the fast way, before they are read:
 * that locks them. Nothing, unless RUN->apply.hasty is given. */
cm_error_t *cm_fast_write(cm_run_t *run,
                          apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* When all that is committed here is stamped: write the mappings of these
 * records; their messages are done. Fails with CM_BUSY if one of them has
 * changed here meanwhile: then the transaction must be repeated without. */
cm_error_t *cm_fast_finish(cm_run_t *run,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- read.c --- */

/* Read what is here of all records. A row that cannot be read concerns only
 * the messages for it. Fails as the database does. */
cm_error_t *cm_apply_read_records(cm_run_t *run,
                                  apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The same of RECORD alone, which has another row than it had then. */
cm_error_t *cm_apply_read_again(cm_run_t *run, cm_record_t *record,
                                apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return the state in the message of TASK, until the next call. */
cm_state_t *cm_apply_read_task(cm_run_t *run, const cm_task_t *task);

/* --- merge.c --- */

/* Merge the next tasks of RECORD, up to UNTIL, into RECORD->effect. PARTIAL
 * tells which references are left for later. Fails with what parks them:
 * CM_WAITS, CM_REJECTED, CM_CONFLICT. */
cm_error_t *cm_merge_record(cm_run_t *run, cm_record_t *record, int until,
                            cm_partial_e partial) CM_UNUSED_RESULT;

/* --- conflicts.c --- */

/* Note in the effect of RECORD that the value LOST of column I lost to WON, by
 * MESSAGE, unless that is noted already. The identity, which a new record gets
 * when it is written, is added then. */
void cm_conflicts_note(cm_run_t *run, const cm_record_t *record,
                       const cm_message_t *message, int i,
                       const cm_field_t *lost, const cm_field_t *won);

/* Keep what was noted in the effect of RECORD, which has been written. */
void cm_conflicts_keep(cm_run_t *run, cm_record_t *record);

/* --- cells.c --- */

/* Set which columns EFFECT writes into the row of RECORD, and the values. Fails
 * with what parks the tasks: CM_WAITS, CM_REJECTED. When a deleted parent is
 * the reason, EFFECT->dead_parent is set. */
cm_error_t *cm_cells_make(cm_run_t *run, const cm_record_t *record,
                          cm_effect_t *effect) CM_UNUSED_RESULT;

/* Return the key that RECORD gets when its row is made: if the database does
 * not give it, the one at its origin, or another (newkey.c). NULL: the database
 * or the message gives it. */
const char *cm_cells_key(cm_run_t *run, const cm_record_t *record);

/* Set EFFECT to write only what the message of RECORD, its only one, changed.
 * Returns 0 if that cannot be said without the row: a key, a reference, a value
 * that does not fit or that the database rewrites; or if it is nothing. */
int cm_cells_changed(cm_run_t *run, const cm_record_t *record,
                     cm_effect_t *effect);

/* --- newkey.c --- */

/* newkey=max: give new records whose keys are taken here other ones, before
 * anything is written. One query per table, and one more for those that have
 * any. */
cm_error_t *cm_newkey_give(cm_run_t *run,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The same for RECORD, which the database refused. *GIVEN: it has another key
 * now, and may be tried again. */
cm_error_t *cm_newkey_give_again(int *given, cm_run_t *run, cm_record_t *record,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- write.c --- */

/* Write the effects of RECORDS (cm_record_t *), in chunks of one shape. A
 * record that cannot be written gets an error; the others are done. Fails as
 * cm_apply_run(). */
cm_error_t *cm_write_records(cm_run_t *run, const apr_array_header_t *records,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Update the rows of RECORDS (cm_record_t *), which were not read, and nothing
 * else. Fails if that cannot be done with all of them; the transaction must be
 * rolled back then. */
cm_error_t *cm_write_unread(cm_run_t *run, const apr_array_header_t *records,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return whether ERR ends the transaction. */
int cm_write_is_fatal(const cm_run_t *run, const cm_error_t *err);

/* --- mappings.c --- */

/* Complete the mappings of CHUNK, just written, and save those that have
 * changed. */
cm_error_t *cm_mappings_write(cm_run_t *run, const cm_chunk_t *chunk,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- written.c --- */

/* The effect of RECORD has been written, and MAPPING: it is what is here now,
 * and its tasks are done. */
void cm_written_note(cm_run_t *run, cm_record_t *record,
                     const cm_mapping_t *mapping);

/* --- follow.c --- */

/* CELL has been written into COLUMN of TABLE: note it, if the database gives
 * numbers there to other rows. */
void cm_follow_cell(cm_run_t *run, const cm_table_t *table,
                    const cm_column_t *column, const cm_datum_t *cell);

/* The same for what the effect of RECORD has written. */
void cm_follow_record(cm_run_t *run, const cm_record_t *record);

/* Let the sequences follow what was noted. */
cm_error_t *cm_follow_sequences(cm_run_t *run,
                                apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- rounds.c --- */

/* Merge all tasks that RECORD has left, or the next one alone. Returns whether
 * that worked; if not, RECORD->error says what it waits for or why it fails. */
int cm_rounds_ready(cm_run_t *run, cm_record_t *record, cm_partial_e partial);

/* Return whether RECORD has tasks that are not done. */
int cm_rounds_pending(const cm_record_t *record);

/* Return whether a record waits for nothing but its twin. */
int cm_rounds_have_twins(const cm_run_t *run);

/* Write records until no new record appears that others wait for. */
cm_error_t *cm_rounds_settle(cm_run_t *run,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Write the deletes: children before parents. One whose record continues under
 * another key, but is not here yet, is left for cm_apply_retry(). */
cm_error_t *cm_rounds_delete(cm_run_t *run,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- group.c --- */

/* Write records that wait for each other: first without these references. */
cm_error_t *cm_group_write_cycles(cm_run_t *run,
                                  apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The same once more, if others are done since; else with the next message of
 * each record alone. *MOVED is increased by the messages that are done. */
cm_error_t *cm_group_write_first(int *moved, cm_run_t *run,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Write the messages of RECORD up to UNTIL: they wait for the record itself. */
cm_error_t *cm_group_write_itself(cm_run_t *run, cm_record_t *record, int until,
                                  apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Write RECORDS, whose effects are made and whose AIM is set, and what waits
 * for them: *DONE counts them; 0: none is written, and those which failed are
 * in_no_cycle. With LATE (and run->strict) deferred constraints are checked
 * once, after all of them. */
cm_error_t *cm_group_write(int *done, cm_run_t *run,
                           const apr_array_header_t *records, int late,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- refused.c --- */

/* Write records together that the database refused one by one: constraints that
 * are checked at the end of the transaction may tie them to each other. *MOVED
 * counts those that are written. */
cm_error_t *cm_refused_write(int *moved, cm_run_t *run,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- vacate.c --- */

/* So many times messages of a record are tried together, each time one less. */
#define CM_MOST_TOGETHER 16

/* Write records that the database refuses since each has a unique value which
 * another one of them is to have. *MOVED is increased by those. */
cm_error_t *cm_vacate_exchanged(int *moved, cm_run_t *run,
                                apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Write what continues a record under another key, if the database refuses it
 * since that one, which is to be deleted, has its unique values; and delete
 * that. What cannot be written so is as it was. */
cm_error_t *cm_vacate_formers(cm_run_t *run,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- retry.c --- */

/* Retry what failed, one message at a time in order of arrival, until nothing
 * more succeeds; then set the reason why each of the others is parked. */
cm_error_t *cm_apply_retry(cm_run_t *run,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- forward.c --- */

/* Queue the messages that have changed records for the other peers of a hub,
 * and a delete message for every alias of a deleted record. */
cm_error_t *cm_forward_messages(cm_run_t *run,
                                apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Publish the state of RECORD, with the clocks that it has when this run is
 * done: what a message of a gem says is not what is here. */
void cm_forward_state(cm_run_t *run, const cm_record_t *record);

/* Take back what the database captured of this run's records as a consequence
 * of their messages (outbox/overtaken.h); what is left of it is added to
 * RUN->republish. */
cm_error_t *cm_forward_overtaken(cm_run_t *run,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Publish RUN->republish. */
cm_error_t *cm_forward_republish(cm_run_t *run,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
