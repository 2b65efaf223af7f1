/* MariaDB: ids that are missing. See unstamped.h.
 *
 * MariaDB does not say which transaction a row belongs to. But when an id below
 * those that a statement sees is missing, its row is not committed yet, or was
 * rolled back. Such gaps are remembered, and searched with each chunk. After a
 * minute, enough for a row whose id is taken but which is not written yet, a
 * dirty read shows whether a row stands in a gap; if not, the gap is forgotten.
 *
 * Where several servers give out ids, each leaves gaps and nobody sees which
 * transactions are open on the others. There all rows are searched each time.
 */
#include "outbox/unstamped.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_time.h>

#include "base/clock.h"
#include "store/dialect.h"

/* Seconds before a dirty read may show that a gap is empty. */
#define YOUNG 60
/* Above so many, gaps that are close to each other are joined. */
#define MOST_GAPS 1000
/* Gaps in one dirty read. */
#define MOST_ASKED 50

typedef struct gap_t {
    apr_int64_t first, last;
    apr_int64_t since; /* when it was last examined, in seconds */
} gap_t;

static apr_int64_t now(void)
{
    return apr_time_sec(cm_clock_now());
}

static apr_array_header_t *gaps_of(const cm_node_t *node, apr_pool_t *pool)
{
    apr_array_header_t *gaps = apr_array_make(pool, 16, sizeof(gap_t));
    const char *text = node->outbox.passed;

    while (text && *text) {
        gap_t *gap = apr_array_push(gaps);

        gap->first = cm_unstamped_number(&text);
        gap->last = cm_unstamped_number(&text);
        gap->since = cm_unstamped_number(&text);
    }
    return gaps;
}

/* "FIRST-LAST@SINCE FIRST-LAST@SINCE" */
static const char *gaps_text(const apr_array_header_t *gaps, apr_pool_t *pool)
{
    char *text, *at;
    int i;

    if (!gaps->nelts)
        return NULL;
    text = at = apr_palloc(pool, gaps->nelts * 63 + 1);
    for (i = 0; i < gaps->nelts; i++) {
        const gap_t *gap = &APR_ARRAY_IDX(gaps, i, gap_t);

        at += apr_snprintf(at, 64,
                           "%s%" APR_INT64_T_FMT "-%" APR_INT64_T_FMT
                           "@%" APR_INT64_T_FMT,
                           i ? " " : "", gap->first, gap->last, gap->since);
    }
    return text;
}

/* Return SQL for the ids below LAST in GAPS. */
static const char *gaps_where(const apr_array_header_t *gaps, apr_int64_t last,
                              apr_pool_t *pool)
{
    char *text, *at;
    int i;

    text = at = apr_palloc(pool, gaps->nelts * 64 + 1);
    *at = '\0';
    for (i = 0; i < gaps->nelts; i++) {
        const gap_t *gap = &APR_ARRAY_IDX(gaps, i, gap_t);

        if (gap->first >= last)
            break;
        at += apr_snprintf(
            at, 65, " OR id BETWEEN %" APR_INT64_T_FMT " AND %" APR_INT64_T_FMT,
            gap->first, gap->last < last ? gap->last : last);
    }
    return text;
}

const char *cm_unstamped_mysql_where(const cm_node_t *node, apr_pool_t *pool)
{
    return gaps_where(gaps_of(node, pool), APR_INT64_MAX, pool);
}

static int is_old(const gap_t *gap)
{
    apr_int64_t age = now() - gap->since;

    return age < 0 || age > YOUNG;
}

static void add(apr_array_header_t *gaps, apr_int64_t first, apr_int64_t last,
                apr_int64_t since)
{
    if (first <= last)
        APR_ARRAY_PUSH(gaps, gap_t) = (gap_t){first, last, since};
}

/* Return GAPS without IDS, both in order. */
static apr_array_header_t *without(const apr_array_header_t *gaps,
                                   const apr_array_header_t *ids,
                                   apr_pool_t *pool)
{
    apr_array_header_t *left =
        apr_array_make(pool, gaps->nelts + 16, sizeof(gap_t));
    int i, j = 0;

    for (i = 0; i < gaps->nelts; i++) {
        gap_t gap = APR_ARRAY_IDX(gaps, i, gap_t);

        for (; j < ids->nelts; j++) {
            apr_int64_t id = APR_ARRAY_IDX(ids, j, apr_int64_t);

            if (id > gap.last)
                break;
            if (id < gap.first)
                continue;
            add(left, gap.first, id - 1, gap.since);
            gap.first = id + 1;
        }
        add(left, gap.first, gap.last, gap.since);
    }
    return left;
}

/* Join those of GAPS that are less than DISTANCE apart. */
static void join(apr_array_header_t *gaps, apr_int64_t distance)
{
    gap_t *all = (gap_t *)gaps->elts;
    int i, count = 0;

    for (i = 0; i < gaps->nelts; i++) {
        if (count && all[i].first - all[count - 1].last < distance) {
            all[count - 1].last = all[i].last;
            all[count - 1].since = all[i].since;
        }
        else
            all[count++] = all[i];
    }
    gaps->nelts = count;
}

static void remember(cm_node_t *node, apr_array_header_t *gaps)
{
    apr_int64_t distance;

    for (distance = 4; gaps->nelts > MOST_GAPS; distance *= 2)
        join(gaps, distance);
    node->outbox.passed = gaps_text(gaps, node->outbox.pool);
}

const char *cm_unstamped_mysql_note(cm_node_t *node,
                                    const cm_unstamped_t *found,
                                    apr_pool_t *scratch_pool)
{
    const apr_array_header_t *ids = found->ids;
    const apr_int64_t last = APR_ARRAY_IDX(ids, ids->nelts - 1, apr_int64_t);
    apr_array_header_t *gaps = gaps_of(node, scratch_pool);

    /* Ids have begun again: nothing is known about them. */
    if (found->all && last < node->outbox.stamped_id) {
        apr_array_clear(gaps);
        node->outbox.stamped_id = 0;
    }
    add(gaps, node->outbox.stamped_id + 1, last, now());
    gaps = without(gaps, ids, scratch_pool);
    if (last > node->outbox.stamped_id)
        node->outbox.stamped_id = last;
    remember(node, apr_array_copy(scratch_pool, gaps));
    return gaps_where(gaps, last, scratch_pool);
}

/* Find the first and the last row, committed or not, in each of GAPS that is
 * old: *EDGES has first and last id of the gap, then those of the rows, NULL
 * when it is empty. *EDGES is NULL when no gap is old. */
static cm_error_t *read_dirty(cm_rows_t **edges, cm_node_t *node,
                              const apr_array_header_t *gaps, apr_pool_t *pool)
{
    const cm_dialect_t *dialect = cm_dialect_of_store(node->store);
    const char *sql = NULL;
    cm_error_t *err, *ignored;
    int i, asked = 0;

    for (i = 0; i < gaps->nelts && asked < MOST_ASKED; i++) {
        const gap_t *gap = &APR_ARRAY_IDX(gaps, i, gap_t);

        if (!is_old(gap))
            continue;
        asked++;
        sql = apr_psprintf(
            pool,
            "%s%sSELECT %" APR_INT64_T_FMT ", %" APR_INT64_T_FMT
            ", MIN(id), MAX(id) FROM %s WHERE %s"
            " AND id BETWEEN %" APR_INT64_T_FMT " AND %" APR_INT64_T_FMT,
            sql ? sql : "", sql ? " UNION ALL " : "", gap->first, gap->last,
            dialect->unstamped, dialect->no_number, gap->first, gap->last);
    }
    *edges = NULL;
    if (!sql)
        return NULL;
    CM_TRY(cm_statement_run(NULL, node->store,
                            "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED",
                            NULL, 0, pool));
    err = cm_statement_select(edges, node->store, sql, NULL, 0, pool);
    if (err) {
        ignored = cm_statement_run(
            NULL, node->store, "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
            NULL, 0, pool);
        (void)ignored;
    }
    return err;
}

/* Return GAPS cut to EDGES, without those that are empty. */
static apr_array_header_t *narrow(const apr_array_header_t *gaps,
                                  const cm_rows_t *edges, apr_pool_t *pool)
{
    apr_array_header_t *left =
        apr_array_make(pool, gaps->nelts + 1, sizeof(gap_t));
    int i, j = 0;

    for (i = 0; i < gaps->nelts; i++) {
        gap_t gap = APR_ARRAY_IDX(gaps, i, gap_t);

        while (j < edges->count && cm_cell_number(edges, j, 0) < gap.first)
            j++;
        if (j == edges->count || cm_cell_number(edges, j, 0) != gap.first ||
            cm_cell_number(edges, j, 1) != gap.last)
            APR_ARRAY_PUSH(left, gap_t) = gap;
        else if (cm_cell_text(edges, j, 2))
            add(left, cm_cell_number(edges, j, 2), cm_cell_number(edges, j, 3),
                now());
    }
    return left;
}

static cm_error_t *forget(cm_node_t *node, const cm_rows_t *edges,
                          apr_pool_t *pool)
{
    apr_int64_t last_seq;

    CM_TRY(cm_node_lock(&last_seq, node, pool));
    remember(node, narrow(gaps_of(node, pool), edges, pool));
    return cm_node_set_stamped(node, last_seq, pool);
}

cm_error_t *cm_unstamped_mysql_forget(cm_node_t *node, apr_pool_t *scratch_pool)
{
    cm_rows_t *edges;

    CM_TRY(read_dirty(&edges, node, gaps_of(node, scratch_pool), scratch_pool));
    if (!edges)
        return NULL;
    CM_TRY(cm_transaction_begin(node->store, scratch_pool));
    return cm_transaction_end(node->store, forget(node, edges, scratch_pool),
                              scratch_pool);
}

cm_error_t *cm_unstamped_mysql_ids_are_mixed(int *mixed, cm_node_t *node,
                                             apr_pool_t *scratch_pool)
{
    cm_rows_t *rows;
    int i;

    CM_TRY(cm_statement_select(&rows, node->store,
                               "SHOW GLOBAL VARIABLES WHERE variable_name IN"
                               " ('auto_increment_increment', 'wsrep_on')",
                               NULL, 0, scratch_pool));
    *mixed = 0;
    for (i = 0; i < rows->count; i++) {
        const char *value = cm_cell_text(rows, i, 1);

        if (value && strcmp(value, "1") && strcmp(value, "OFF"))
            *mixed = 1;
    }
    return NULL;
}
