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

const char *cm_waiting_sql(const cm_node_t *node, int all, apr_pool_t *pool)
{
    const cm_dialect_t *dialect = cm_dialect_of_store(node->store);
    const char *from = all ? NULL : dialect->unstamped_from;

    return apr_pstrcat(pool, "EXISTS (SELECT 1 FROM ", dialect->unstamped,
                       " WHERE ", from ? dialect->no_number : "seq IS NULL",
                       from ? " AND id > " : "", from ? from : "",
                       ") OR EXISTS (SELECT 1 FROM communicator_publications)",
                       NULL);
}

cm_error_t *cm_waiting_below(int *waiting, cm_node_t *node, int all, int passed,
                             apr_pool_t *scratch_pool)
{
    *waiting = 0;
    if (all || !passed || !cm_dialect_of_store(node->store)->leaves_gaps)
        return NULL;
    return cm_stamp_is_waiting(waiting, node, scratch_pool);
}

static const char *question(const cm_node_t *node, int all, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "SELECT n.last_seq, CASE WHEN ",
                       cm_waiting_sql(node, all, pool),
                       " THEN 1 ELSE 0 END,"
                       " CASE WHEN n.passed IS NULL THEN 0 ELSE 1 END"
                       " FROM communicator_node n WHERE n.id = 1",
                       NULL);
}

cm_error_t *cm_waiting_look(int *waiting, apr_int64_t *last, cm_node_t *node,
                            apr_int64_t after, apr_pool_t *scratch_pool)
{
    const int all = cm_unstamped_is_due(node);
    const apr_time_t now = cm_clock_now();
    apr_int64_t last_seq = 0;
    cm_rows_t *rows;

    *waiting = 0;
    CM_TRY_FOR(cm_prepared_select(&rows, node->store,
                                  question(node, all, scratch_pool), NULL, 0, 1,
                                  scratch_pool),
               scratch_pool, "cannot find whether anything is to be sent");
    if (rows->count) {
        last_seq = cm_cell_number(rows, 0, LAST_SEQ);
        *waiting = cm_cell_number(rows, 0, WAITING) || last_seq > after;
        if (!*waiting)
            CM_TRY(cm_waiting_below(waiting, node, all,
                                    (int)cm_cell_number(rows, 0, PASSED),
                                    scratch_pool));
    }
    if (all && !*waiting)
        node->outbox.searched_at = now;
    if (last)
        *last = last_seq;
    return NULL;
}
