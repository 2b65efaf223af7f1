/* What the files of the judge share. */
#ifndef SIM_JUDGING_H
#define SIM_JUDGING_H

#include <apr_hash.h>

#include "judge.h"

typedef struct sim_judge_t {
    sim_world_t *world;
    apr_array_header_t *rows[SIM_NODES]; /* sim_row_t */
    apr_array_header_t *lost;            /* const char *: values in
                                            communicator_conflicts */
    apr_array_header_t *waiting;         /* sim_waiting_t */
    apr_hash_t *clocks[SIM_NODES], *numbers[SIM_NODES]; /* judge_clocks.c */
    apr_pool_t *pool;
} sim_judge_t;

/* Return VALUE for a person, and to be compared. */
const char *sim_judge_shown(const char *value);

/* Return what TEXT, of communicator_conflicts, is as sim_row_t has it. */
const char *sim_judge_value_of(const char *text, apr_pool_t *pool);

/* Return whether something of KIND happened to the row NAME of TABLE. */
int sim_judge_has_event(const sim_judge_t *judge, sim_event_e kind, int table,
                        const char *name);

/* --- judge_names.c: match= finds rows by values that applications may change
 * --- */

/* Return whether EVENT is about a row of TABLE that was called NAME, too,
 * before or since, or at another node; or about one that got such a name since
 * then. */
int sim_judge_is_one(const sim_judge_t *judge, const sim_event_t *event,
                     int table, const char *name);

/* Return whether something has ended the name NAME of TABLE: its row was
 * deleted, or is called otherwise. */
int sim_judge_has_left(const sim_judge_t *judge, int table, const char *name);

/* Return whether another node has deleted the row of EVENT, under one of the
 * names that it had before, or calls it otherwise. If several nodes have made
 * it, its first name may be later by the clocks: then the new one is in
 * communicator_conflicts. */
int sim_judge_is_left_elsewhere(const sim_judge_t *judge,
                                const sim_event_t *event);

/* Add to what waits the names of rows of TABLE that are one with the row NAME.
 */
void sim_judge_add_names(sim_judge_t *judge, int table, const char *name);

/* Add to what waits the rows that nodes may know under other names: names.h. */
void sim_judge_read_unknown(sim_judge_t *judge);

/* --- judge.c --- */

/* Return whether an application has replaced the value that EVENT gave a
 * column, knowing it. */
int sim_judge_is_overwritten(const sim_judge_t *judge,
                             const sim_event_t *event);

/* Return whether VALUE stands in communicator_conflicts of some node. */
int sim_judge_is_kept(const sim_judge_t *judge, const char *value);

/* Return what wrote VALUE, a word (each is given once), before EVENT to COLUMN
 * of the same row; or NULL. */
const sim_event_t *sim_judge_writer_of(const sim_judge_t *judge,
                                       const sim_event_t *event, int column,
                                       const char *value);

/* Return whether nodes ONE and OTHER both carry COLUMN of TABLE. */
int sim_judge_is_common(const sim_schema_t *schema, const sim_table_t *table,
                        int column, int one, int other);

/* --- judge_tables.c --- */

/* Return whether a node has withheld a message of TABLE: then nobody sees a
 * conflict. */
int sim_judge_was_withheld(const sim_judge_t *judge, int table);

/* Return whether the peer of a conflict of TABLE has withheld from NODE another
 * change of its record with the clock of the value that won. CELLS are the
 * conflict's origin, original_id, then two of no interest, peer, column_name,
 * won_value and won_clock. */
int sim_judge_is_of_withheld(const sim_judge_t *judge, int node, int table,
                             const char **cells);

/* Return whether the values of COLUMN of TABLE may have gone with it. */
int sim_judge_was_dropped(const sim_judge_t *judge, const sim_table_t *table,
                          int column);

/* Return whether rows of table NUMBER change, and go, only by what nodes send
 * of them: nobody decides about them, all of it is sent, and no column is lost.
 */
int sim_judge_is_sent(const sim_judge_t *judge, int number);

/* --- judge_parents.c --- */

/* Return whether rows of table NUMBER go with a row that they refer to: a
 * column may not be NULL, or cascades. */
int sim_judge_may_be_orphaned(const sim_judge_t *judge, int number);

/* Return whether the row of EVENT may have gone with a row that it refers to.
 * One whose key was changed takes with it only rows that cannot follow. */
int sim_judge_may_have_gone(const sim_judge_t *judge, const sim_event_t *event);

/* Return whether the row of EVENT, made at that node, may have gone there with
 * a row that it refers to, and another row is called by its value of match=
 * now: one that the other side had made at the same time. */
int sim_judge_has_gone_for_another(const sim_judge_t *judge,
                                   const sim_event_t *event);

/* Return whether a reference in COLUMN may outlive its parent: it has no
 * foreign key. When the parent's key is used again, it leads to the new record
 * here, and to none there: a known limit (docs/convergence.md). */
int sim_judge_may_dangle(const sim_judge_t *judge, const sim_column_t *column);

/* Return whether column NUMBER of ROW may have lost a parent at one node only:
 * two nodes have given it one at the same time, and one of these was deleted. A
 * known limit (docs/convergence.md). */
int sim_judge_may_forget(const sim_judge_t *judge, const sim_row_t *row,
                         int number);

/* Return whether the changes of ROW of node NUMBER stay there: it needs a row
 * that stays there. Or one that is gone, of whose table that node may keep
 * some, and peers do not know ROW. */
int sim_judge_is_outside(const sim_judge_t *judge, int number,
                         const sim_row_t *row);

/* Return whether the last changes of ROW of node NUMBER stay there, though
 * peers know it: they gave it a parent that stayed there, and that was deleted,
 * or got another key, when the node had passed over them. A known limit
 * (docs/convergence.md). */
int sim_judge_was_left(const sim_judge_t *judge, int number,
                       const sim_row_t *row);

/* Return whether ROW of node NUMBER is such a row, and no peer knows it: then
 * it stays there itself. */
int sim_judge_is_stranded(const sim_judge_t *judge, int number,
                          const sim_row_t *row);

/* Return whether the row of EVENT stays at its node for that. */
int sim_judge_stays(const sim_judge_t *judge, const sim_event_t *event);

/* Return whether ROW of node NUMBER refers to such a row in column I: elsewhere
 * it refers to nothing. */
int sim_judge_leads_to_stranded(const sim_judge_t *judge, int number,
                                const sim_row_t *row, int i);

/* --- judge_outlived.c --- */

/* Judge whether rows that have outlived their parents are there. */
void sim_judge_outlived(sim_judge_t *judge);

/* --- judge_apart.c --- */

/* Return whether NODE carries COLUMN of TABLE. */
int sim_judge_carries(const sim_table_t *table, int column, int node);

/* Judge whether columns that only one node carries have what was written there.
 */
void sim_judge_apart(const sim_judge_t *judge);

/* --- judge_ends.c --- */

/* Return whether who made CHANGE had the value of EVENT, an earlier update of
 * the same row, or one that has replaced it. */
int sim_judge_had(const sim_judge_t *judge, const sim_event_t *change,
                  const sim_event_t *event);

/* Return whether END, a delete, may have been made by somebody who knew the
 * value that EVENT gave a column. Where END's node lacks that column, or had
 * nothing there, only who has received no message since did surely not. */
int sim_judge_is_known_at(const sim_judge_t *judge, const sim_event_t *end,
                          const sim_event_t *event);

/* Judge whether the value that EVENT gave a column of a record which was
 * deleted since, was known to whoever did that, or is kept. */
void sim_judge_buried(const sim_judge_t *judge, const sim_event_t *event);

/* Judge, before people have decided anything, whether the row of EVENT is still
 * at its node, where one is to decide: what EVENT gave a column was not known
 * to whoever has deleted it elsewhere. */
void sim_judge_spared(const sim_judge_t *judge, const sim_event_t *event);

/* Judge whether the row that END has deleted, if it stays at other nodes
 * (deletes=no), is there as it was. */
void sim_judge_stayed(const sim_judge_t *judge, const sim_event_t *end);

/* Return whether the record of EVENT has ended at any time by the row filter of
 * a node that lacks COLUMN (leave=delete; or the row had got another key): when
 * the row there matches again, it is a new record, without what stood in
 * COLUMN. */
int sim_judge_ends_by_filter(const sim_judge_t *judge, const sim_event_t *event,
                             int column);

/* Return whether the record of EVENT may have ended later by the row filter of
 * a node that lacks COLUMN, which EVENT wrote, and may have received the value.
 * That is as if that node had deleted it: when the row there matches again, it
 * is a new record, without the value. */
int sim_judge_went_by_filter(const sim_judge_t *judge, const sim_event_t *event,
                             int column);

/* --- judge_discarded.c --- */

/* Add to what waits the records that may differ, as a message was discarded. */
void sim_judge_read_discarded(sim_judge_t *judge);

/* Return whether a message about the row of EVENT was discarded. */
int sim_judge_was_discarded(const sim_judge_t *judge, const sim_event_t *event);

/* --- others --- */

/* Read the clocks of NODE into JUDGE: judge_clocks.c. */
void sim_judge_read_clocks(sim_judge_t *judge, int node);

/* Judge whether the row ONE of the first node has the clocks of OTHER, the same
 * row of node NUMBER: else a change may win at one of them only. */
void sim_judge_clocks(sim_judge_t *judge, const sim_row_t *one,
                      const sim_row_t *other, int number);

/* Judge which messages each node says that it has received: judge_inbox.c. */
void sim_judge_inbox(sim_judge_t *judge);

/* Judge what `verify` and the health say in the end: judge_claims.c. */
void sim_judge_claims(sim_judge_t *judge);

#endif
