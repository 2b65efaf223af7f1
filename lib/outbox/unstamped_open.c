/* PostgreSQL: transactions that were open when what is behind them was
 * stamped. See unstamped.h.
 *
 * A statement sees all of a transaction or nothing. What it does not see, and
 * may have an id below the last that it sees, is of those that are open for
 * it. So "passed" holds "TRANSACTION:ID" for each of them: when it has ended,
 * its rows are to be looked for behind ID; and that is looked through once.
 * That a trigger's row gets its id when its transaction has its number is
 * sure: the record is written by then.
 *
 * A statement names the open ones only up to the last that has ended. Those
 * above are bounded by our own: a transaction with a higher number than a
 * stamping of ours began behind it, and its ids are behind what was stamped
 * before that. "+TRANSACTION:ID" is such a stamping, and it is looked behind
 * the oldest of them each time: that is what the last two have stamped. */
#include "outbox/unstamped.h"

#include <stdlib.h>

#include <apr_strings.h>

/* A transaction, and behind which id its rows are; or OWN, a stamping: and
 * behind which id those of later ones are. */
typedef struct open_t {
    apr_int64_t transaction, behind;
    int own;
} open_t;

/* Our own transaction, and what its statement sees: "OWN:xmin:xmax:xip,...". */
typedef struct snapshot_t {
    apr_int64_t own, begin, end;
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

        open->own = *text == '+';
        open->transaction = next_number(&text);
        open->behind = next_number(&text);
    }
    return list;
}

static snapshot_t read_snapshot(const char *text, apr_pool_t *pool)
{
    snapshot_t snapshot;

    snapshot.own = next_number(&text);
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
    text = at = apr_palloc(pool, list->nelts * 43 + 1);
    for (i = 0; i < list->nelts; i++) {
        const open_t *open = &APR_ARRAY_IDX(list, i, open_t);

        at += apr_snprintf(at, 44, "%s%s%" APR_INT64_T_FMT ":%" APR_INT64_T_FMT,
                           i ? " " : "", open->own ? "+" : "",
                           open->transaction, open->behind);
    }
    return text;
}

/* Return of PASSED the stampings that are needed with SNAPSHOT: the last one
 * below all that it may not name, and those that follow. */
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

/* Return behind which id the rows of TRANSACTION are, which is not in
 * PASSED. */
static apr_int64_t behind_of(const apr_array_header_t *passed,
                             apr_int64_t transaction)
{
    apr_int64_t behind = 0;
    int i;

    for (i = 0; i < passed->nelts; i++) {
        const open_t *open = &APR_ARRAY_IDX(passed, i, open_t);

        if (open->own && open->transaction < transaction)
            behind = open->behind;
    }
    return behind;
}

/* Add to KEPT what of PASSED has not come to its end; REACHED: the last id
 * read, of more that there are, else 0. Return how much came to its end. */
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
            if (open.behind < reached)
                open.behind = reached;
            if (!reached || open.behind >= stamped_id) {
                ended++;
                continue;
            }
        }
        APR_ARRAY_PUSH(kept, open_t) = open;
    }
    return ended;
}

/* Add to KEPT those that run and are not in PASSED. */
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
                (open_t){running, behind_of(passed, running), 0};
    }
}

/* Note in PASSED that SNAPSHOT's transaction has stamped behind BEFORE. */
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

void cm_unstamped_open_note(cm_node_t *node, const cm_found_t *found,
                            apr_pool_t *scratch_pool)
{
    const apr_array_header_t *ids = found->ids;
    const apr_int64_t before = node->stamped_id;
    apr_int64_t last =
        ids->nelts ? APR_ARRAY_IDX(ids, ids->nelts - 1, apr_int64_t) : 0;
    apr_array_header_t *passed = read_passed(node->passed, scratch_pool);
    snapshot_t snapshot = read_snapshot(found->snapshot, scratch_pool);
    apr_array_header_t *kept;

    if (last && found->all && last < before) {
        /* Ids have begun anew: nothing is known of them. */
        apr_array_clear(passed);
        APR_ARRAY_PUSH(passed, open_t) = (open_t){1, 0, 1};
    }
    else if (last)
        add_own(passed, &snapshot, before);
    if (last && (found->all || last > before))
        node->stamped_id = last;
    kept = keep_own(passed, &snapshot, scratch_pool);
    if (!keep(kept, passed, &snapshot, found->more ? last : 0,
              node->stamped_id) &&
        !last)
        return;
    if (last)
        add_running(kept, passed, &snapshot);
    node->passed = write_passed(kept, node->row_pool);
}
