/* Searching for rows without a number: see unstamped.h. */
#include "outbox/unstamped.h"

#include <apr_strings.h>
#include <apr_time.h>

#include "base/clock.h"
#include "store/dialect.h"

/* How often all rows are searched. */
#define ALL_INTERVAL apr_time_from_sec(60)

static const cm_dialect_t *dialect_of(const cm_node_t *node)
{
    return cm_dialect_of_store(node->store);
}

/* Return the condition for rows above what is stamped. */
static const char *above(const cm_node_t *node, int all, apr_pool_t *pool)
{
    const cm_dialect_t *dialect = dialect_of(node);

    if (all || !dialect->unstamped_from)
        return "seq IS NULL";
    return apr_pstrcat(pool, dialect->no_number, " AND id > ",
                       dialect->unstamped_from, NULL);
}

const char *cm_unstamped_where(const cm_node_t *node, int all, apr_pool_t *pool)
{
    if (all || !dialect_of(node)->leaves_gaps)
        return above(node, all, pool);
    return apr_psprintf(pool, "%s AND (id > %" APR_INT64_T_FMT "%s)",
                        dialect_of(node)->no_number, node->outbox.stamped_id,
                        cm_unstamped_mysql_where(node, pool));
}

int cm_unstamped_is_due(const cm_node_t *node)
{
    apr_time_t passed = cm_clock_now() - node->outbox.searched_at;

    return dialect_of(node)->unstamped_from &&
           (passed < 0 || passed > ALL_INTERVAL);
}

static cm_error_t *find_any(int *found, cm_node_t *node, const char *where,
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

/* Look for rows above what is stamped, and at what the node remembers, in one
 * statement. */
static cm_error_t *look_above(int *waiting, int *stale, cm_node_t *node,
                              apr_pool_t *pool)
{
    const cm_dialect_t *dialect = dialect_of(node);
    apr_int64_t last_seq;
    cm_rows_t *rows;

    CM_TRY_FOR(
        cm_statement_select(&rows, node->store,
                            apr_pstrcat(pool, "SELECT (SELECT id FROM ",
                                        dialect->unstamped, " WHERE ",
                                        above(node, 0, pool), dialect->in_order,
                                        " LIMIT 1), ", dialect->unstamped_stale,
                                        ", passed IS NOT NULL"
                                        " FROM communicator_node WHERE id = 1",
                                        NULL),
                            NULL, 0, pool),
        pool, "cannot read the outbox");
    if (!rows->count)
        return NULL;
    *waiting = cm_cell_text(rows, 0, 0) != NULL;
    *stale = (int)cm_cell_number(rows, 0, 1);
    if (!dialect->leaves_gaps || !cm_cell_number(rows, 0, 2))
        return NULL;
    CM_TRY(cm_node_refresh(&last_seq, node, pool));
    if (*waiting)
        return NULL;
    return find_any(waiting, node, cm_unstamped_where(node, 0, pool), pool);
}

cm_error_t *cm_unstamped_look(int *waiting, int *stale, cm_node_t *node,
                              int all, apr_pool_t *scratch_pool)
{
    *waiting = *stale = 0;
    if (dialect_of(node)->unstamped_from)
        CM_TRY(look_above(waiting, stale, node, scratch_pool));
    else
        all = 1;
    if (!all || *waiting)
        return NULL;
    return find_any(waiting, node, above(node, 1, scratch_pool), scratch_pool);
}

static cm_error_t *note_missing(int *torn, cm_node_t *node,
                                const cm_unstamped_t *found, apr_pool_t *pool)
{
    const char *missing;

    if (found->all || !node->outbox.ids_asked)
        CM_TRY(cm_unstamped_mysql_ids_are_mixed(&node->outbox.ids_mixed, node,
                                                pool));
    node->outbox.ids_asked = 1;
    if (node->outbox.ids_mixed) {
        node->outbox.stamped_id = 0;
        node->outbox.passed = NULL;
        return NULL;
    }
    missing = cm_unstamped_mysql_note(node, found, pool);
    if (!*missing)
        return NULL;
    return find_any(torn, node,
                    apr_pstrcat(pool, dialect_of(node)->no_number, " AND (0",
                                missing, ")", NULL),
                    pool);
}

cm_error_t *cm_unstamped_note(int *torn, cm_node_t *node,
                              const cm_unstamped_t *found,
                              apr_pool_t *scratch_pool)
{
    *torn = 0;
    if (dialect_of(node)->snapshot)
        cm_unstamped_pgsql_note(node, found, scratch_pool);
    if (!dialect_of(node)->leaves_gaps || !found->ids->nelts)
        return NULL;
    return note_missing(torn, node, found, scratch_pool);
}

cm_error_t *cm_unstamped_forget(cm_node_t *node, apr_pool_t *scratch_pool)
{
    if (!dialect_of(node)->leaves_gaps)
        return NULL;
    return cm_unstamped_mysql_forget(node, scratch_pool);
}

apr_int64_t cm_unstamped_number(const char **text)
{
    char *end;
    apr_int64_t number = apr_strtoi64(*text, &end, 10);

    *text = *end ? end + 1 : end;
    return number;
}
