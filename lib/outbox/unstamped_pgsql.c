/* PostgreSQL: the transactions that were open when higher ids were stamped. See
 * unstamped.h.
 *
 * A statement sees all rows of a transaction or none. Rows that it does not
 * see, and whose ids may be below the last one that it sees, are of
 * transactions that are open for it. So "passed" holds "TRANSACTION:ID" for
 * each of these: once it has ended, its rows are searched for above ID, once. A
 * transaction has its number before its trigger takes an id, because it has
 * written the record by then.
 *
 * A snapshot names open transactions only up to the last one that has ended.
 * Those above are bounded by our own: a transaction with a higher number than a
 * stamping of ours began after it, so its ids are above what had been stamped
 * before. "+TRANSACTION:ID" is such a stamping. Each search begins above the
 * oldest of them, which repeats what the last two have stamped. */
#include "outbox/unstamped.h"

#include <stdlib.h>

#include <apr_strings.h>

/* A transaction, whose rows have ids above ABOVE. With OWN it is one in which
 * we have stamped: then the rows of all later transactions do. */
typedef struct open_t {
    apr_int64_t transaction, above;
    int own;
} open_t;

/* Our own transaction, and what its statement sees: "OWN:xmin:xmax:xip,...". */
typedef struct snapshot_t {
    apr_int64_t own, begin, end;
    apr_array_header_t *running; /* apr_int64_t, in order */
} snapshot_t;

static apr_array_header_t *read_passed(const char *text, apr_pool_t *pool)
{
    apr_array_header_t *list = apr_array_make(pool, 16, sizeof(open_t));

    while (text && *text) {
        open_t *open = apr_array_push(list);

        open->own = *text == '+';
        open->transaction = cm_unstamped_number(&text);
        open->above = cm_unstamped_number(&text);
    }
    return list;
}

static snapshot_t read_snapshot(const char *text, apr_pool_t *pool)
{
    snapshot_t snapshot;

    snapshot.own = cm_unstamped_number(&text);
    snapshot.begin = cm_unstamped_number(&text);
    snapshot.end = cm_unstamped_number(&text);
    snapshot.running = apr_array_make(pool, 16, sizeof(apr_int64_t));
    while (*text)
        APR_ARRAY_PUSH(snapshot.running, apr_int64_t) =
            cm_unstamped_number(&text);
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
    text = at = apr_palloc(pool, list->nelts * 43 + 1);
    for (i = 0; i < list->nelts; i++) {
        const open_t *open = &APR_ARRAY_IDX(list, i, open_t);

        at += apr_snprintf(at, 44, "%s%s%" APR_INT64_T_FMT ":%" APR_INT64_T_FMT,
                           i ? " " : "", open->own ? "+" : "",
                           open->transaction, open->above);
    }
    return text;
}

/* Return the stampings of PASSED that SNAPSHOT needs: the last one below all
 * transactions that it may not name, and those after it. */
static apr_array_header_t *keep_own(const apr_array_header_t *passed,
                                    const snapshot_t *snapshot,
                                    apr_pool_t *pool)
{
    apr_array_header_t *kept =
        apr_array_make(pool, passed->nelts + 16, sizeof(open_t));
    int i;

    for (i = 0; i < passed->nelts; i++) {
        open_t open = APR_ARRAY_IDX(passed, i, open_t);

        if (!open.own)
            continue;
        if (open.transaction < snapshot->end)
            apr_array_clear(kept);
        APR_ARRAY_PUSH(kept, open_t) = open;
    }
    return kept;
}

/* Return the id above which the rows of TRANSACTION are, which is not in
 * PASSED. */
static apr_int64_t above_of(const apr_array_header_t *passed,
                            apr_int64_t transaction)
{
    apr_int64_t above = 0;
    int i;

    for (i = 0; i < passed->nelts; i++) {
        const open_t *open = &APR_ARRAY_IDX(passed, i, open_t);

        if (open->own && open->transaction < transaction)
            above = open->above;
    }
    return above;
}

/* Add to KEPT the transactions of PASSED whose rows are not all stamped.
 * REACHED is the last id read when there may be more rows, else 0. Return how
 * many are left out. */
static int keep(apr_array_header_t *kept, const apr_array_header_t *passed,
                const snapshot_t *snapshot, apr_int64_t reached,
                apr_int64_t stamped_id)
{
    int i, ended = 0;

    for (i = 0; i < passed->nelts; i++) {
        open_t open = APR_ARRAY_IDX(passed, i, open_t);

        if (open.own)
            continue;
        if (!is_running(snapshot, open.transaction)) {
            if (open.above < reached)
                open.above = reached;
            if (!reached || open.above >= stamped_id) {
                ended++;
                continue;
            }
        }
        APR_ARRAY_PUSH(kept, open_t) = open;
    }
    return ended;
}

/* Add to KEPT the open transactions that are not in PASSED. */
static void add_running(apr_array_header_t *kept,
                        const apr_array_header_t *passed,
                        const snapshot_t *snapshot)
{
    int i, j;

    for (i = 0; i < snapshot->running->nelts; i++) {
        apr_int64_t running = APR_ARRAY_IDX(snapshot->running, i, apr_int64_t);

        for (j = 0; j < passed->nelts; j++)
            if (APR_ARRAY_IDX(passed, j, open_t).transaction == running &&
                !APR_ARRAY_IDX(passed, j, open_t).own)
                break;
        if (j == passed->nelts)
            APR_ARRAY_PUSH(kept, open_t) =
                (open_t){running, above_of(passed, running), 0};
    }
}

/* Note in PASSED that our transaction has stamped above BEFORE. */
static void add_own(apr_array_header_t *passed, const snapshot_t *snapshot,
                    apr_int64_t before)
{
    int i;

    for (i = 0; i < passed->nelts; i++)
        if (APR_ARRAY_IDX(passed, i, open_t).own &&
            APR_ARRAY_IDX(passed, i, open_t).transaction == snapshot->own)
            return;
    APR_ARRAY_PUSH(passed, open_t) = (open_t){snapshot->own, before, 1};
}

void cm_unstamped_pgsql_note(cm_node_t *node, const cm_unstamped_t *found,
                             apr_pool_t *scratch_pool)
{
    const apr_array_header_t *ids = found->ids;
    const apr_int64_t before = node->outbox.stamped_id;
    apr_int64_t last =
        ids->nelts ? APR_ARRAY_IDX(ids, ids->nelts - 1, apr_int64_t) : 0;
    apr_array_header_t *passed = read_passed(node->outbox.passed, scratch_pool);
    snapshot_t snapshot = read_snapshot(found->snapshot, scratch_pool);
    apr_array_header_t *kept;

    if (last && found->all && last < before) {
        /* Ids have begun again: nothing is known about them. */
        apr_array_clear(passed);
        APR_ARRAY_PUSH(passed, open_t) = (open_t){1, 0, 1};
    }
    else if (last)
        add_own(passed, &snapshot, before);
    if (last && (found->all || last > before))
        node->outbox.stamped_id = last;
    kept = keep_own(passed, &snapshot, scratch_pool);
    if (!keep(kept, passed, &snapshot, found->more ? last : 0,
              node->outbox.stamped_id) &&
        !last)
        return;
    if (last)
        add_running(kept, passed, &snapshot);
    node->outbox.passed = write_passed(kept, node->outbox.pool);
}
