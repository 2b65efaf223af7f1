/* PostgreSQL: transactions that were open when what is behind them was
 * stamped. See cm_unstamped.h.
 *
 * A statement sees all of a transaction or nothing. What it does not see, and
 * may have an id below the last that it sees, is of those that are open for
 * it: it names them (txid_current_snapshot()). One that begins later gets its
 * ids later. So "passed" holds "TRANSACTION:ID" for each of them: when it has
 * ended, its rows are to be looked for behind ID, which was the last one
 * stamped before it began; and that is looked through once. That a trigger's
 * row gets its id when its transaction has its number is sure: the record is
 * written by then. */
#include "cm_unstamped.h"

#include <stdlib.h>

#include <apr_strings.h>

/* A transaction, and behind which id its rows are. */
typedef struct open_t {
    apr_int64_t transaction, behind;
} open_t;

/* What a statement sees: "xmin:xmax:xip,xip,...". */
typedef struct snapshot_t {
    apr_int64_t begin, end;
    apr_array_header_t *running; /* apr_int64_t, in order */
} snapshot_t;

static apr_int64_t next_number(const char **text)
{
    char *end;
    apr_int64_t number = apr_strtoi64(*text, &end, 10);

    *text = *end ? end + 1 : end;
    return number;
}

static apr_array_header_t *read_passed(const char *text, apr_pool_t *pool)
{
    apr_array_header_t *list = apr_array_make(pool, 16, sizeof(open_t));

    while (text && *text) {
        open_t *open = apr_array_push(list);

        open->transaction = next_number(&text);
        open->behind = next_number(&text);
    }
    return list;
}

static snapshot_t read_snapshot(const char *text, apr_pool_t *pool)
{
    snapshot_t snapshot;

    snapshot.begin = next_number(&text);
    snapshot.end = next_number(&text);
    snapshot.running = apr_array_make(pool, 16, sizeof(apr_int64_t));
    while (*text)
        APR_ARRAY_PUSH(snapshot.running, apr_int64_t) = next_number(&text);
    return snapshot;
}

static int compare(const void *key, const void *element)
{
    const apr_int64_t a = *(const apr_int64_t *)key;
    const apr_int64_t b = *(const apr_int64_t *)element;

    return (a > b) - (a < b);
}

static int is_running(const snapshot_t *snapshot, apr_int64_t transaction)
{
    return transaction >= snapshot->end ||
           bsearch(&transaction, snapshot->running->elts,
                   snapshot->running->nelts, sizeof(apr_int64_t), compare);
}

static const char *write_passed(const apr_array_header_t *list,
                                apr_pool_t *pool)
{
    char *text, *at;
    int i;

    if (!list->nelts)
        return NULL;
    text = at = apr_palloc(pool, list->nelts * 42 + 1);
    for (i = 0; i < list->nelts; i++) {
        const open_t *open = &APR_ARRAY_IDX(list, i, open_t);

        at += apr_snprintf(at, 43, "%s%" APR_INT64_T_FMT ":%" APR_INT64_T_FMT,
                           i ? " " : "", open->transaction, open->behind);
    }
    return text;
}

/* Keep of PASSED what has not come to its end; REACHED: the last id read, of
 * more that there are, else 0. */
static apr_array_header_t *keep(const apr_array_header_t *passed,
                                const snapshot_t *snapshot, apr_int64_t reached,
                                apr_int64_t stamped_id, apr_pool_t *pool)
{
    apr_array_header_t *kept =
        apr_array_make(pool, passed->nelts + 16, sizeof(open_t));
    int i;

    for (i = 0; i < passed->nelts; i++) {
        open_t open = APR_ARRAY_IDX(passed, i, open_t);

        if (!is_running(snapshot, open.transaction)) {
            if (!reached)
                continue;
            if (open.behind < reached)
                open.behind = reached;
            if (open.behind >= stamped_id)
                continue;
        }
        APR_ARRAY_PUSH(kept, open_t) = open;
    }
    return kept;
}

/* Add to KEPT those that run and are not in PASSED: their rows are behind
 * BEHIND. */
static void add_running(apr_array_header_t *kept,
                        const apr_array_header_t *passed,
                        const snapshot_t *snapshot, apr_int64_t behind)
{
    int i, j;

    for (i = 0; i < snapshot->running->nelts; i++) {
        apr_int64_t running = APR_ARRAY_IDX(snapshot->running, i, apr_int64_t);

        for (j = 0; j < passed->nelts; j++)
            if (APR_ARRAY_IDX(passed, j, open_t).transaction == running)
                break;
        if (j == passed->nelts)
            APR_ARRAY_PUSH(kept, open_t) = (open_t){running, behind};
    }
}

void cm_open_note(cm_node_t *node, const cm_found_t *found,
                  apr_pool_t *scratch_pool)
{
    const apr_array_header_t *ids = found->ids;
    const apr_int64_t before = node->stamped_id;
    apr_int64_t last =
        ids->nelts ? APR_ARRAY_IDX(ids, ids->nelts - 1, apr_int64_t) : 0;
    apr_array_header_t *passed = read_passed(node->passed, scratch_pool);
    snapshot_t snapshot = read_snapshot(found->snapshot, scratch_pool);
    apr_array_header_t *kept;

    if (last && (found->all || last > before))
        node->stamped_id = last;
    kept = keep(passed, &snapshot, found->more ? last : 0, node->stamped_id,
                scratch_pool);
    /* When ids have begun anew, nothing is known of them. */
    if (last)
        add_running(kept, passed, &snapshot,
                    last < before && found->all ? 0 : before);
    node->passed = write_passed(kept, node->row_pool);
}
