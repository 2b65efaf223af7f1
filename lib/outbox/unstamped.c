/* Looking for rows without a number: see unstamped.h. */
#include "base/clock.h"
#include "outbox/unstamped.h"

#include <apr_strings.h>
#include <apr_time.h>

#include "store/dialect.h"

/* How often all is looked through. */
#define ALL_INTERVAL apr_time_from_sec(60)

static const cm_dialect_t *dialect_of(const cm_node_t *node)
{
    return cm_dialect_of_store(node->store);
}

/* The rows behind what is stamped; of MariaDB's not those in gaps. */
static const char *behind(const cm_node_t *node, int all, apr_pool_t *pool)
{
    const char *from = dialect_of(node)->unstamped_from;

    if (all || !from)
        return "seq IS NULL";
    return apr_pstrcat(pool, "seq IS NULL AND id > ", from, NULL);
}

const char *cm_unstamped_where(const cm_node_t *node, int all, apr_pool_t *pool)
{
    if (all || !dialect_of(node)->leaves_gaps)
        return behind(node, all, pool);
    return apr_psprintf(
        pool, "seq IS NULL AND (id > %" APR_INT64_T_FMT "%s)", node->stamped_id,
        cm_unstamped_gaps_where(cm_unstamped_gaps_of(node, pool), APR_INT64_MAX,
                                pool));
}

int cm_unstamped_is_due(const cm_node_t *node)
{
    apr_time_t passed = cm_clock_now() - node->looked_at;

    return dialect_of(node)->unstamped_from &&
           (passed < 0 || passed > ALL_INTERVAL);
}

static cm_error_t *ask(int *found, cm_node_t *node, const char *where,
                       apr_pool_t *pool)
{
    const cm_dialect_t *dialect = dialect_of(node);
    cm_rows_t *rows;

    CM_TRY_FOR(
        cm_statement_select(&rows, node->store,
                            apr_pstrcat(pool, "SELECT id FROM ",
                                        dialect->unstamped, " WHERE ", where,
                                        dialect->in_order, " LIMIT 1", NULL),
                            NULL, 0, pool),
        pool, "cannot read the outbox");
    *found = rows->count;
    return NULL;
}

/* Ask what is behind, and what the node remembers, in one statement. */
static cm_error_t *look_behind(cm_look_t *look, cm_node_t *node,
                               apr_pool_t *pool)
{
    const cm_dialect_t *dialect = dialect_of(node);
    apr_int64_t last_seq;
    cm_rows_t *rows;

    CM_TRY_FOR(
        cm_statement_select(
            &rows, node->store,
            apr_pstrcat(pool, "SELECT (SELECT id FROM ", dialect->unstamped,
                        " WHERE ", behind(node, 0, pool), dialect->in_order,
                        " LIMIT 1), ", dialect->unstamped_stale,
                        ", passed IS NOT NULL"
                        " FROM communicator_node WHERE id = 1",
                        NULL),
            NULL, 0, pool),
        pool, "cannot read the outbox");
    if (!rows->count)
        return NULL;
    look->waiting = cm_cell_text(rows, 0, 0) != NULL;
    look->stale = (int)cm_cell_number(rows, 0, 1);
    if (!dialect->leaves_gaps || !cm_cell_number(rows, 0, 2))
        return NULL;
    CM_TRY(cm_node_refresh(&last_seq, node, pool));
    if (look->waiting)
        return NULL;
    return ask(&look->waiting, node, cm_unstamped_where(node, 0, pool), pool);
}

cm_error_t *cm_unstamped_look(cm_look_t *look, cm_node_t *node, int all,
                              apr_pool_t *scratch_pool)
{
    *look = (cm_look_t){0};
    if (!dialect_of(node)->unstamped_from)
        return ask(&look->waiting, node, behind(node, 1, scratch_pool),
                   scratch_pool);
    CM_TRY(look_behind(look, node, scratch_pool));
    if (!all || look->waiting)
        return NULL;
    return ask(&look->waiting, node, behind(node, 1, scratch_pool),
               scratch_pool);
}

static cm_error_t *note_gaps(int *torn, cm_node_t *node, cm_found_t *found,
                             apr_pool_t *pool)
{
    const apr_array_header_t *ids = found->ids;
    const char *gaps;

    if (found->all || !node->ids_asked)
        CM_TRY(cm_unstamped_gaps_ids_are_mixed(&node->ids_mixed, node, pool));
    node->ids_asked = 1;
    if (node->ids_mixed) {
        node->stamped_id = 0;
        node->passed = NULL;
        return NULL;
    }
    cm_unstamped_gaps_note(node, found, pool);
    gaps = cm_unstamped_gaps_where(
        found->gaps, APR_ARRAY_IDX(ids, ids->nelts - 1, apr_int64_t), pool);
    if (!*gaps)
        return NULL;
    return ask(torn, node,
               apr_pstrcat(pool, "seq IS NULL AND (0", gaps, ")", NULL), pool);
}

cm_error_t *cm_unstamped_note(int *torn, cm_node_t *node, cm_found_t *found,
                              apr_pool_t *scratch_pool)
{
    *torn = 0;
    if (dialect_of(node)->snapshot)
        cm_unstamped_open_note(node, found, scratch_pool);
    if (!dialect_of(node)->leaves_gaps || !found->ids->nelts)
        return NULL;
    return note_gaps(torn, node, found, scratch_pool);
}

cm_error_t *cm_unstamped_forget(cm_node_t *node, apr_pool_t *scratch_pool)
{
    if (!dialect_of(node)->leaves_gaps ||
        !cm_unstamped_gaps_are_old(node, scratch_pool))
        return NULL;
    return cm_unstamped_gaps_forget(node, scratch_pool);
}
