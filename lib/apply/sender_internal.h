/* Who wins: what was decided here, and what whoever sent a message knew. */
#ifndef CM_APPLY_SENDER_INTERNAL_H
#define CM_APPLY_SENDER_INTERNAL_H

#include "apply/internal.h"
#include "node/decisions.h"

/* A column of which a person, or conflict=NODE, has decided who wins. */
typedef struct cm_decided_t {
    int column;
    apr_int64_t seen; /* the clock of the peer's value, which the winner has
                         until it is published again */
    int is_taken;     /* that value won ... */
    int is_theirs;    /* ... though it was older */
    int is_ours;      /* the value here won, though it was not newer */
    apr_int64_t here; /* the clock of the value here; theirs has it now */
} cm_decided_t;

/* --- decided.c --- */

/* Read what was decided in earlier runs of records that may be in conflict. */
cm_error_t *cm_decided_recall(cm_run_t *run,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Note in LIST (cm_settled_t) for later runs what COLUMNS (cm_decided_t) of
 * RECORD say. CLOCK: they are published with that; 0: they are not. */
void cm_decided_settle(apr_array_header_t *list, const cm_run_t *run,
                       const cm_record_t *record,
                       const apr_array_header_t *columns, apr_int64_t clock);

/* Add DECIDED to what EFFECT publishes again; of two about one column that
 * about the newer value of the peer. */
void cm_decided_note(cm_effect_t *effect, cm_decided_t decided);

/* Let WINNER replace the value of LOSER. It gets the clock of LOSER, and a
 * newer one when it is published again. */
void cm_decided_replace(cm_field_t *loser, const cm_field_t *winner);

/* Return whether whoever made MESSAGE, with BASE, knew the value of COLUMN: a
 * person has taken it from them, here or in an earlier run, and nothing has
 * replaced it since. */
int cm_decided_is_theirs(const cm_record_t *record, const cm_effect_t *effect,
                         const cm_message_t *message, int column,
                         apr_int64_t base);

/* Return whether THERE, the value of COLUMN in MESSAGE with BASE, follows one
 * that a person has taken, or is what the person has let stay: it is here then,
 * and the decision is about it, too. */
int cm_decided_follow(const cm_record_t *record, cm_effect_t *effect,
                      const cm_message_t *message, int column,
                      cm_field_t *there, apr_int64_t base);

/* Return how an older value of this node won in COLUMN; or NULL. */
const cm_decided_t *cm_decided_upheld(const cm_record_t *record,
                                      const cm_effect_t *effect, int column);

/* Return the clock that the value here of COLUMN had before it won over newer
 * ones by a decision. */
apr_int64_t cm_decided_clock(const cm_record_t *record,
                             const cm_effect_t *effect, int column);

/* A value that has lost by a decision may come once more: as part of a state,
 * or of MESSAGE about something else. Put the winners into INCOMING. */
void cm_decided_keep(const cm_record_t *record, const cm_effect_t *effect,
                     const cm_message_t *message, cm_state_t *incoming);

/* --- concurrent.c --- */

/* The message of TASK, which brings INCOMING for RECORD, is a gem's, and has
 * neither clocks nor a base: set both, so that from here on it is like any
 * other. */
void cm_concurrent_stamp(cm_run_t *run, const cm_record_t *record,
                         cm_task_t *task, cm_state_t *incoming);

/* --- merge.c --- */

/* Return where the value of column I of TABLE is in a state: a column that
 * names a model is part of the reference. */
int cm_merge_field_of(const cm_table_t *table, int i);

/* --- sender.c --- */

/* Return whether MESSAGE changed COLUMN, rather than to name its value. */
int cm_sender_changed(const cm_message_t *message, const char *column);

/* Return the clock that COLUMN had at the sender before MESSAGE changed it, or
 * deleted the record. */
apr_int64_t cm_sender_base(const cm_message_t *message, const char *column);

/* Return whether whoever made MESSAGE, a delete of a record of TABLE, knew a
 * newer value of COLUMN than the one HERE (its clock), and has not sent that
 * under the name which MESSAGE gives the record. A record that match= finds has
 * several names: under another one the value came to a record that had been
 * deleted here. So it does not say what was known of the value here. */
int cm_sender_skipped(const cm_message_t *message, const cm_table_t *table,
                      const char *column, apr_int64_t here);

/* Return the clock of the newest change in MESSAGE of a column that TABLE does
 * not have; 0: it brings none. */
apr_int64_t cm_sender_elsewhere(const cm_message_t *message,
                                const cm_table_t *table);

/* Return of which clock the value of COLUMN was that whoever made MESSAGE has
 * decided about; 0: none. */
apr_int64_t cm_sender_seen(const cm_message_t *message, const char *column);

/* Return whether who made MESSAGE decided a conflict of COLUMN, and knew its
 * value of clock HERE. */
int cm_sender_has_seen(const cm_message_t *message, const char *column,
                       apr_int64_t here);

/* Return whether a conflict of TASK has been decided at the sender: a later
 * message of RECORD changes COLUMN, and whoever made it knew the value here, or
 * the one that was here until EFFECT let it win over newer ones. A base of its
 * clock, or a newer one, does not say that: it may be of the sender's own
 * value, which is in conflict. */
int cm_sender_decided(const cm_record_t *record, const cm_effect_t *effect,
                      const cm_task_t *task, int column);

/* Return whether later messages of RECORD bring back the value HERE of COLUMN,
 * which is in conflict with TASK: whatever a person decided, it would stay. */
int cm_sender_returned(cm_run_t *run, const cm_record_t *record,
                       const cm_task_t *task, int column,
                       const cm_field_t *here);

/* Return whether a message of RECORD behind TASK, and before UNTIL, deletes it,
 * and does not say what its sender knew (it went with its parent, say). Nobody
 * is asked about that, so whatever one decided about TASK would be deleted. */
int cm_sender_ended(const cm_record_t *record, const cm_task_t *task,
                    int until);

/* --- read.c --- */

/* Return what TASK brings of COLUMN; an absent value if that is nothing. */
cm_field_t cm_apply_read_column(cm_run_t *run, const cm_task_t *task,
                                int column);

#endif
