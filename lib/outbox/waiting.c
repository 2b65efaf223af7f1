/* Whether something new waits in the outbox: see waiting.h. */
#include "outbox/waiting.h"

#include <apr_strings.h>

#include "base/clock.h"
#include "store/dialect.h"
#include "outbox/stamp.h"
#include "outbox/unstamped.h"

/* The columns of question(). */
enum {
    LAST_SEQ,
    WAITING,
    PASSED
};

/* Return the question; ALL: cm_unstamped_is_due(). Rows are asked for, and not
 * what a sequence has given out: that is seen before the commit, and no longer
 * after it. */
static const char *question(const cm_node_t *node, int all, apr_pool_t *pool)
{
    const cm_dialect_t *dialect = cm_dialect_of_store(node->store);
    const char *from = all ? NULL : dialect->unstamped_from;

    return apr_pstrcat(pool,
                       "SELECT n.last_seq, CASE WHEN EXISTS (SELECT 1 FROM ",
                       dialect->unstamped, " WHERE seq IS NULL",
                       from ? " AND id > " : "", from ? from : "",
                       ") OR EXISTS (SELECT 1 FROM communicator_publications)"
                       " THEN 1 ELSE 0 END,"
                       " CASE WHEN n.passed IS NULL THEN 0 ELSE 1 END"
                       " FROM communicator_node n WHERE n.id = 1",
                       NULL);
}

/* MariaDB: look into what was passed over, which the question does not. */
static cm_error_t *look_below(int *waiting, cm_node_t *node,
                              const cm_rows_t *rows, int all, apr_pool_t *pool)
{
    if (*waiting || all || !cm_dialect_of_store(node->store)->leaves_gaps ||
        !cm_cell_number(rows, 0, PASSED))
        return NULL;
    return cm_stamp_is_waiting(waiting, node, pool);
}

cm_error_t *cm_waiting_look(int *waiting, apr_int64_t *last, cm_node_t *node,
                            apr_int64_t after, apr_pool_t *scratch_pool)
{
    const int all = cm_unstamped_is_due(node);
    const apr_time_t now = cm_clock_now();
    apr_int64_t last_seq = 0;
    cm_rows_t *rows;

    *waiting = 0;
    CM_TRY_FOR(cm_prepared_select_often(&rows, node->store,
                                        question(node, all, scratch_pool), NULL,
                                        0, scratch_pool),
               scratch_pool, "cannot find whether anything is to be sent");
    if (rows->count) {
        last_seq = cm_cell_number(rows, 0, LAST_SEQ);
        *waiting = cm_cell_number(rows, 0, WAITING) || last_seq > after;
        CM_TRY(look_below(waiting, node, rows, all, scratch_pool));
    }
    if (all && !*waiting)
        node->outbox.searched_at = now;
    if (last)
        *last = last_seq;
    return NULL;
}
