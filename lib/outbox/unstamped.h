/* Searching the outbox for rows without a number.
 *
 * Databases give out ids before the commit, so a row may appear below ids that
 * are stamped already. A chunk takes the lowest ids of all committed rows: a
 * change that commits late, with a lower id, gets its number before later
 * changes of its record, which have higher ids.
 *
 * To search from the first id each time would be slow: while an old transaction
 * is open, the index keeps an entry for each row that was stamped since. So the
 * node remembers up to which id it has stamped (communicator_node.stamped_id),
 * and what may still commit below that (passed): open transactions on
 * PostgreSQL (unstamped_pgsql.c), missing ids on MariaDB (unstamped_mysql.c).
 * On SQLite only one transaction writes at a time, so nothing commits late.
 *
 * Once a minute all rows are searched anyway: an application may have chosen
 * ids itself, or ids may have begun again (TRUNCATE). */
#ifndef CM_OUTBOX_UNSTAMPED_H
#define CM_OUTBOX_UNSTAMPED_H

#include "node/node.h"

/* What one statement has found. */
typedef struct cm_unstamped_t {
    int all;                 /* it has searched all rows */
    int more;                /* there may be rows above the last id */
    apr_array_header_t *ids; /* apr_int64_t, in order */
    const char *snapshot;    /* PostgreSQL: which transactions it sees */
} cm_unstamped_t;

/* Return the SQL condition for rows without a number: with ALL for any, else
 * for those that may be new. On MariaDB the node must have been read
 * (cm_node_lock(), cm_node_refresh()). */
const char *cm_unstamped_where(const cm_node_t *node, int all,
                               apr_pool_t *pool);

/* Return whether it is time to search all rows. */
int cm_unstamped_is_due(const cm_node_t *node);

/* Look whether committed rows have no number, *WAITING, and whether what the
 * node remembers is obsolete, *STALE (PostgreSQL). Takes no lock. */
cm_error_t *cm_unstamped_look(int *waiting, int *stale, cm_node_t *node,
                              int all,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Note in NODE, under its lock, what follows from FOUND; cm_node_set_stamped()
 * writes it. *TORN: a row below FOUND->ids was committed while the statement
 * read, so read again. Only on MariaDB others commit meanwhile. */
cm_error_t *cm_unstamped_note(int *torn, cm_node_t *node,
                              const cm_unstamped_t *found,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* MariaDB: forget missing ids that were rolled back. Outside of a
 * transaction. */
cm_error_t *cm_unstamped_forget(cm_node_t *node,
                                apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Read the number at *TEXT, which moves behind it and the character that ends
 * it. */
apr_int64_t cm_unstamped_number(const char **text);

/* --- unstamped_pgsql.c --- */

/* Note which transactions were open. */
void cm_unstamped_pgsql_note(cm_node_t *node, const cm_unstamped_t *found,
                             apr_pool_t *scratch_pool);

/* --- unstamped_mysql.c --- */

/* Return SQL for the missing ids that NODE remembers, " OR id BETWEEN ..."; ""
 * when there are none. */
const char *cm_unstamped_mysql_where(const cm_node_t *node, apr_pool_t *pool);

/* Note which ids are missing below those FOUND. Return SQL for these, as
 * above. */
const char *cm_unstamped_mysql_note(cm_node_t *node,
                                    const cm_unstamped_t *found,
                                    apr_pool_t *scratch_pool);

/* Find out whether several servers give out ids (Galera, two masters). */
cm_error_t *
cm_unstamped_mysql_ids_are_mixed(int *mixed, cm_node_t *node,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Forget missing ids that have been missing for a while, where no open
 * transaction has a row. */
cm_error_t *cm_unstamped_mysql_forget(cm_node_t *node, apr_pool_t *scratch_pool)
    CM_UNUSED_RESULT;

#endif
