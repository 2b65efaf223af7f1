/* One row for many short runs: see gather.h. */
#include "operate/gather.h"

#include <apr_hash.h>
#include <apr_strings.h>

#include "base/clock.h"

#define MINUTE apr_time_from_sec(60)

/* What is kept of an error: one that lasts must not take more and more
 * memory. */
#define ERROR_SIZE 512

struct cm_gather_t {
    apr_hash_t *peers; /* by name: gathered_t */
    apr_pool_t *pool;
};

/* The runs with one peer that are not written yet. */
typedef struct gathered_t {
    int runs; /* how many */
    cm_journal_row_t row;
    cm_status_said_t said;
    int has_said;
    char error[ERROR_SIZE];
    apr_int64_t written_at; /* when the last row was; 0: never */
} gathered_t;

cm_gather_t *cm_gather_create(apr_pool_t *pool)
{
    cm_gather_t *gather = apr_palloc(pool, sizeof(*gather));

    gather->peers = apr_hash_make(pool);
    gather->pool = pool;
    return gather;
}

static gathered_t *find(cm_gather_t *gather, const char *peer)
{
    gathered_t *found = apr_hash_get(gather->peers, peer, APR_HASH_KEY_STRING);

    if (!found) {
        found = apr_pcalloc(gather->pool, sizeof(*found));
        found->row.peer = apr_pstrdup(gather->pool, peer);
        apr_hash_set(gather->peers, found->row.peer, APR_HASH_KEY_STRING,
                     found);
    }
    return found;
}

/* Return the sum of what was gathered and RUN: what moved is added, all else is
 * that of the last run. */
static cm_journal_row_t add(const gathered_t *gathered,
                            const cm_journal_row_t *run)
{
    cm_journal_row_t sum = *run;

    sum.peer = gathered->row.peer;
    if (!gathered->runs)
        return sum;
    sum.began_at = gathered->row.began_at;
    sum.sent.moved += gathered->row.sent.moved;
    sum.received.moved += gathered->row.received.moved;
    sum.applied += gathered->row.applied;
    sum.parked += gathered->row.parked;
    return sum;
}

static void keep(gathered_t *gathered, const cm_journal_row_t *run,
                 const cm_status_said_t *said)
{
    gathered->row = add(gathered, run);
    gathered->runs++;
    if (run->error)
        apr_cpystrn(gathered->error, run->error, ERROR_SIZE);
    gathered->row.error = run->error ? gathered->error : NULL;
    gathered->has_said = said != NULL;
    if (said)
        gathered->said = *said;
}

static cm_error_t *write_gathered(gathered_t *gathered, cm_node_t *node,
                                  apr_pool_t *pool)
{
    if (!gathered->runs)
        return NULL;
    CM_TRY(cm_journal_run(node, &gathered->row,
                          gathered->has_said ? &gathered->said : NULL, pool));
    gathered->runs = 0;
    gathered->written_at = cm_clock_now();
    return NULL;
}

cm_error_t *cm_gather_run(cm_gather_t *gather, cm_node_t *node,
                          const cm_journal_row_t *run,
                          const cm_status_said_t *said,
                          apr_pool_t *scratch_pool)
{
    gathered_t *gathered = find(gather, run->peer);
    const int same = run->exit_status == gathered->row.exit_status;
    cm_error_t *err = NULL;

    if (!same)
        err = write_gathered(gathered, node, scratch_pool);
    keep(gathered, run, said);
    if (err ||
        (same && gathered->written_at &&
         !cm_clock_is_past(gathered->written_at, cm_clock_now(), MINUTE)))
        return err;
    return write_gathered(gathered, node, scratch_pool);
}

cm_error_t *cm_gather_end(cm_gather_t *gather, cm_node_t *node,
                          apr_pool_t *scratch_pool)
{
    apr_hash_index_t *index;
    cm_error_t *err, *first = NULL;

    for (index = apr_hash_first(scratch_pool, gather->peers); index;
         index = apr_hash_next(index)) {
        err = write_gathered(apr_hash_this_val(index), node, scratch_pool);
        if (!first)
            first = err;
    }
    return first;
}
