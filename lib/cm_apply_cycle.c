/* Records that wait for one another: A refers to B, B to A, and neither is
 * here. They are written without these references, all of them, and these are
 * filled in after; or, when that does not work out, none. */
#include "cm_apply.h"

#include <apr_strings.h>

/* What a record was before. */
typedef struct before_t {
    cm_record_t *record;
    cm_record_t copy;
    cm_known_t known;
    cm_mapping_t mapping;
} before_t;

/* Return the records that could be written without the references that they
 * wait for. */
static apr_array_header_t *waiting_records(cm_run_t *run, apr_pool_t *pool)
{
    apr_array_header_t *waiting =
        apr_array_make(pool, 8, sizeof(cm_record_t *));
    int i;

    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);

        if (record->acyclic || !record->known || !cm_record_pending(record) ||
            !record->error || record->error->code != CM_WAITS)
            continue;
        if (cm_record_ready(run, record, 1) &&
            record->effect->kind != CM_EFFECT_DELETE)
            APR_ARRAY_PUSH(waiting, cm_record_t *) = record;
        else
            record->effect = NULL;
    }
    return waiting;
}

/* Remember all that is not done; those that wait for the cycle may be. */
static apr_array_header_t *remember(const cm_run_t *run, apr_pool_t *pool)
{
    apr_array_header_t *all = apr_array_make(pool, 16, sizeof(before_t));
    int i;

    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);
        before_t *before;

        if (!record->known || !cm_record_pending(record))
            continue;
        before = apr_array_push(all);
        before->record = record;
        before->copy = *record;
        before->known = *record->known;
        if (record->known->mapping)
            before->mapping = *record->known->mapping;
    }
    return all;
}

static void restore(const before_t *before)
{
    cm_record_t *record = before->record;
    int acyclic = record->acyclic, i;

    for (i = before->copy.next; i < record->items->nelts; i++) {
        cm_item_t *item = CM_NTH(record->items, i, cm_item_t);

        item->done = item->news = 0;
    }
    *record->known = before->known;
    if (before->known.mapping)
        *before->known.mapping = before->mapping;
    *record = before->copy;
    record->acyclic = acyclic;
    if (record->error)
        record->effect = NULL;
}

static int mark_incomplete(const apr_array_header_t *records)
{
    int count = 0, i;

    for (i = 0; i < records->nelts; i++) {
        cm_record_t *record = CM_NTH(records, i, cm_record_t);

        record->acyclic = cm_record_pending(record);
        count += record->acyclic;
    }
    return count;
}

static cm_error_t *undo(cm_run_t *run, int created,
                        const apr_array_header_t *before,
                        apr_pool_t *scratch_pool)
{
    int i;

    CM_TRY(cm_store_rollback_to(run->node->store, "cycle", scratch_pool));
    for (i = 0; i < before->nelts; i++)
        restore(&APR_ARRAY_IDX(before, i, before_t));
    run->created = created;
    return NULL;
}

/* Try all that wait, at once. What did not work out is not tried again, so
 * that this ends; *AGAIN says whether the others are to be. */
static cm_error_t *try_cycles(int *again, cm_run_t *run,
                              apr_pool_t *scratch_pool)
{
    apr_array_header_t *waiting = waiting_records(run, scratch_pool);
    const int conflicts = run->conflicts->nelts, published = run->again->nelts;
    const int created = run->created;
    apr_array_header_t *before;

    *again = 0;
    if (!waiting->nelts)
        return NULL;
    before = remember(run, scratch_pool);
    CM_TRY(cm_store_savepoint(run->node->store, "cycle", scratch_pool));
    CM_TRY(cm_write_records(run, waiting, scratch_pool));
    CM_TRY(cm_run_settle(run, scratch_pool));
    *again = mark_incomplete(waiting);
    if (*again) {
        CM_TRY(undo(run, created, before, scratch_pool));
        run->conflicts->nelts = conflicts;
        run->again->nelts = published;
    }
    return cm_store_release(run->node->store, "cycle", scratch_pool);
}

cm_error_t *cm_run_cycles(cm_run_t *run, apr_pool_t *scratch_pool)
{
    apr_pool_t *iterpool;
    int again;

    apr_pool_create(&iterpool, scratch_pool);
    do {
        apr_pool_clear(iterpool);
        CM_TRY(try_cycles(&again, run, iterpool));
    } while (again);
    apr_pool_destroy(iterpool);
    return NULL;
}
