/* Where rows of the outbox without a number are looked for.
 *
 * Ids are given out before the commit. So a chunk takes the lowest ids of all
 * that is committed: what commits late, with a lower id, comes before later
 * changes of its record, which have higher ones. To look from the first id
 * each time would go through what has been stamped, of which the index keeps
 * entries while an old transaction is open. So the node remembers how far it
 * has come (communicator_node.stamped_id), and what may still commit below
 * that (passed): unstamped_open.c for PostgreSQL, unstamped_gaps.c for
 * MariaDB. In SQLite one writes at a time, and nothing commits late.
 *
 * Now and then everything is looked through anyway: an application may have
 * written ids of its own choice, or ids may have begun anew (TRUNCATE). */
#ifndef CM_OUTBOX_UNSTAMPED_H
#define CM_OUTBOX_UNSTAMPED_H

#include "node/node.h"

/* Whether there are such rows. */
typedef struct cm_look_t {
    int waiting;
    int stale; /* PostgreSQL: what is remembered has come to its end */
} cm_look_t;

/* What one statement has found, to remember it. */
typedef struct cm_found_t {
    int all;                  /* it has looked through all */
    int more;                 /* what is behind the last id was not read */
    apr_array_header_t *ids;  /* apr_int64_t, in order */
    const char *snapshot;     /* PostgreSQL: which transactions it sees */
    apr_array_header_t *gaps; /* MariaDB: cm_gap_t, when it was noted */
} cm_found_t;

/* Ids of MariaDB that were not there when higher ones were: not committed yet,
 * or rolled back. */
typedef struct cm_gap_t {
    apr_int64_t first, last;
    apr_int64_t since; /* when that was last looked into, in seconds */
} cm_gap_t;

/* Return SQL that says which rows to look at: with ALL any without a number.
 * On MariaDB the node must have been read (cm_node_lock(), _refresh()). */
const char *cm_unstamped_where(const cm_node_t *node, int all,
                               apr_pool_t *pool);

/* Return whether it is time to look through all. */
int cm_unstamped_is_due(const cm_node_t *node);

/* Look whether there are committed rows without a number; takes no lock. */
cm_error_t *cm_unstamped_look(cm_look_t *look, cm_node_t *node, int all,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Note in NODE what FOUND says, under its lock; cm_node_set_stamped() writes
 * it. *TORN: while it was read what commits below has committed: read again.
 * Only MariaDB makes the view of a statement while others commit. */
cm_error_t *cm_unstamped_note(int *torn, cm_node_t *node, cm_found_t *found,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* MariaDB: forget what has come to its end, of what the node remembered when it
 * was read last. Outside of a transaction. */
cm_error_t *cm_unstamped_forget(cm_node_t *node,
                                apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* PostgreSQL: what is open. */
void cm_unstamped_open_note(cm_node_t *node, const cm_found_t *found,
                            apr_pool_t *scratch_pool);

/* MariaDB: gaps. Return SQL for the ids below LAST in GAPS (cm_gap_t), behind
 * an OR; what NODE remembers; and whether some of it is old enough to be looked
 * into. */
const char *cm_unstamped_gaps_where(const apr_array_header_t *gaps,
                                    apr_int64_t last, apr_pool_t *pool);
apr_array_header_t *cm_unstamped_gaps_of(const cm_node_t *node,
                                         apr_pool_t *pool);
int cm_unstamped_gaps_are_old(const cm_node_t *node, apr_pool_t *scratch_pool);

/* Say whether ids come from several servers (Galera, two masters). */
cm_error_t *
cm_unstamped_gaps_ids_are_mixed(int *mixed, cm_node_t *node,
                                apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Give found->gaps, and note them in NODE. */
void cm_unstamped_gaps_note(cm_node_t *node, cm_found_t *found,
                            apr_pool_t *scratch_pool);

/* Forget gaps in which no open transaction has a row. */
cm_error_t *cm_unstamped_gaps_forget(cm_node_t *node,
                                     apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
