/* MariaDB: ids that were passed over. See unstamped.h.
 *
 * What a row's transaction is cannot be asked. But an id below those that a
 * statement sees is of a transaction that it does not see, or of one that was
 * rolled back: such gaps are remembered, and looked into with each chunk. Of a
 * gap that has been there for a while a dirty read tells whether a row stands
 * in it; the while is for what has its id and is about to be written. Where
 * ids come from several servers, each of them leaves gaps and nobody sees what
 * is open at the others: there all is looked through each time. */
#include "base/clock.h"
#include "outbox/unstamped.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_time.h>

#include "store/dialect.h"

/* Seconds for which a gap is left alone. */
#define YOUNG 60
/* More gaps are drawn together, with what stands between. */
#define MOST_GAPS 1000
/* How many are looked into at once. */
#define MOST_ASKED 50

static apr_int64_t now(void)
{
    return apr_time_sec(cm_clock_now());
}

static apr_int64_t next_number(const char **text)
{
    char *end;
    apr_int64_t number = apr_strtoi64(*text, &end, 10);

    *text = *end ? end + 1 : end;
    return number;
}

apr_array_header_t *cm_unstamped_gaps_of(const cm_node_t *node,
                                         apr_pool_t *pool)
{
    apr_array_header_t *gaps = apr_array_make(pool, 16, sizeof(cm_gap_t));
    const char *text = node->passed;

    while (text && *text) {
        cm_gap_t *gap = apr_array_push(gaps);

        gap->first = next_number(&text);
        gap->last = next_number(&text);
        gap->since = next_number(&text);
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
        const cm_gap_t *gap = &APR_ARRAY_IDX(gaps, i, cm_gap_t);

        at += apr_snprintf(at, 64,
                           "%s%" APR_INT64_T_FMT "-%" APR_INT64_T_FMT
                           "@%" APR_INT64_T_FMT,
                           i ? " " : "", gap->first, gap->last, gap->since);
    }
    return text;
}

const char *cm_unstamped_gaps_where(const apr_array_header_t *gaps,
                                    apr_int64_t last, apr_pool_t *pool)
{
    char *text, *at;
    int i;

    text = at = apr_palloc(pool, gaps->nelts * 64 + 1);
    *at = '\0';
    for (i = 0; i < gaps->nelts; i++) {
        const cm_gap_t *gap = &APR_ARRAY_IDX(gaps, i, cm_gap_t);

        if (gap->first >= last)
            break;
        at += apr_snprintf(
            at, 65, " OR id BETWEEN %" APR_INT64_T_FMT " AND %" APR_INT64_T_FMT,
            gap->first, gap->last < last ? gap->last : last);
    }
    return text;
}

static int is_old(const cm_gap_t *gap)
{
    apr_int64_t age = now() - gap->since;

    return age < 0 || age > YOUNG;
}

int cm_unstamped_gaps_are_old(const cm_node_t *node, apr_pool_t *scratch_pool)
{
    const apr_array_header_t *gaps = cm_unstamped_gaps_of(node, scratch_pool);
    int i;

    for (i = 0; i < gaps->nelts; i++)
        if (is_old(&APR_ARRAY_IDX(gaps, i, cm_gap_t)))
            return 1;
    return 0;
}

static void add(apr_array_header_t *gaps, apr_int64_t first, apr_int64_t last,
                apr_int64_t since)
{
    if (first <= last)
        APR_ARRAY_PUSH(gaps, cm_gap_t) = (cm_gap_t){first, last, since};
}

/* Return GAPS without IDS, both in order. */
static apr_array_header_t *without(const apr_array_header_t *gaps,
                                   const apr_array_header_t *ids,
                                   apr_pool_t *pool)
{
    apr_array_header_t *left =
        apr_array_make(pool, gaps->nelts + 16, sizeof(cm_gap_t));
    int i, j = 0;

    for (i = 0; i < gaps->nelts; i++) {
        cm_gap_t gap = APR_ARRAY_IDX(gaps, i, cm_gap_t);

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

/* Draw together those of GAPS that are less than DISTANCE apart. */
static void draw_together(apr_array_header_t *gaps, apr_int64_t distance)
{
    cm_gap_t *all = (cm_gap_t *)gaps->elts;
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
        draw_together(gaps, distance);
    node->passed = gaps_text(gaps, node->row_pool);
}

void cm_unstamped_gaps_note(cm_node_t *node, cm_found_t *found,
                            apr_pool_t *scratch_pool)
{
    const apr_array_header_t *ids = found->ids;
    const apr_int64_t last = APR_ARRAY_IDX(ids, ids->nelts - 1, apr_int64_t);
    apr_array_header_t *gaps = cm_unstamped_gaps_of(node, scratch_pool);

    /* When ids have begun anew, nothing is known of them. */
    if (found->all && last < node->stamped_id) {
        apr_array_clear(gaps);
        node->stamped_id = 0;
    }
    add(gaps, node->stamped_id + 1, last, now());
    found->gaps = without(gaps, ids, scratch_pool);
    if (last > node->stamped_id)
        node->stamped_id = last;
    remember(node, apr_array_copy(scratch_pool, found->gaps));
}

/* Set *EDGES (cm_gap_t, SINCE 0) to where rows of open transactions, and
 * committed ones, stand in the GAPS that are old: a gap without is a dead one,
 * its edges are turned round. */
static cm_error_t *read_dirty(cm_rows_t **edges, cm_node_t *node,
                              const apr_array_header_t *gaps, apr_pool_t *pool)
{
    const char *table = cm_dialect_of_store(node->store)->unstamped;
    const char *sql = NULL;
    cm_error_t *err, *ignored;
    int i, asked = 0;

    for (i = 0; i < gaps->nelts && asked < MOST_ASKED; i++) {
        const cm_gap_t *gap = &APR_ARRAY_IDX(gaps, i, cm_gap_t);

        if (!is_old(gap))
            continue;
        asked++;
        sql = apr_psprintf(pool,
                           "%s%sSELECT %" APR_INT64_T_FMT ", %" APR_INT64_T_FMT
                           ", MIN(id), MAX(id) FROM %s WHERE seq IS NULL"
                           " AND id BETWEEN %" APR_INT64_T_FMT
                           " AND %" APR_INT64_T_FMT,
                           sql ? sql : "", sql ? " UNION ALL " : "", gap->first,
                           gap->last, table, gap->first, gap->last);
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

/* Return GAPS as EDGES say that they are. */
static apr_array_header_t *narrow(const apr_array_header_t *gaps,
                                  const cm_rows_t *edges, apr_pool_t *pool)
{
    apr_array_header_t *left =
        apr_array_make(pool, gaps->nelts + 1, sizeof(cm_gap_t));
    int i, j = 0;

    for (i = 0; i < gaps->nelts; i++) {
        cm_gap_t gap = APR_ARRAY_IDX(gaps, i, cm_gap_t);

        while (j < edges->count && cm_cell_number(edges, j, 0) < gap.first)
            j++;
        if (j == edges->count || cm_cell_number(edges, j, 0) != gap.first ||
            cm_cell_number(edges, j, 1) != gap.last)
            APR_ARRAY_PUSH(left, cm_gap_t) = gap;
        else if (cm_cell_text(edges, j, 2))
            add(left, cm_cell_number(edges, j, 2), cm_cell_number(edges, j, 3),
                now());
    }
    return left;
}

/* In the open transaction. */
static cm_error_t *forget(cm_node_t *node, const cm_rows_t *edges,
                          apr_pool_t *pool)
{
    apr_int64_t last_seq;

    CM_TRY(cm_node_lock(&last_seq, node, pool));
    remember(node, narrow(cm_unstamped_gaps_of(node, pool), edges, pool));
    return cm_node_set_stamped(node, last_seq, pool);
}

cm_error_t *cm_unstamped_gaps_forget(cm_node_t *node, apr_pool_t *scratch_pool)
{
    cm_rows_t *edges;

    CM_TRY(read_dirty(&edges, node, cm_unstamped_gaps_of(node, scratch_pool),
                      scratch_pool));
    if (!edges)
        return NULL;
    CM_TRY(cm_transaction_begin(node->store, scratch_pool));
    return cm_transaction_end(node->store, forget(node, edges, scratch_pool),
                              scratch_pool);
}

cm_error_t *cm_unstamped_gaps_ids_are_mixed(int *mixed, cm_node_t *node,
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
