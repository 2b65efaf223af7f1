/* The order of writing: parents before children, deletes last. */
#include "apply/group_internal.h"
#include "apply/heirs_internal.h"

#include <apr_strings.h>

int cm_rounds_pending(const cm_record_t *record)
{
    return record->next < record->tasks->nelts;
}

int cm_rounds_ready(cm_run_t *run, cm_record_t *record, cm_partial_e partial)
{
    const int until = run->one_each ? record->next + 1 : record->tasks->nelts;

    record->error = cm_merge_record(run, record, until, partial);
    return !record->error;
}

/* Return whether to try RECORD in a round: what was refused is retried later,
 * one message at a time (retry.c). */
static int may_come(const cm_run_t *run, const cm_record_t *record)
{
    return cm_rounds_pending(record) &&
           (!run->unchecked || record->next < record->aim) &&
           (!record->error || record->error->code == CM_WAITS);
}

static int waits_for_twin(const cm_run_t *run, const cm_record_t *record)
{
    return record->twin && may_come(run, record) && may_come(run, record->twin);
}

int cm_rounds_have_twins(const cm_run_t *run)
{
    int i;

    for (i = 0; i < run->records->nelts; i++) {
        if (waits_for_twin(run, CM_NTH(run->records, i, const cm_record_t)))
            return 1;
    }
    return 0;
}

int cm_rounds_hold(cm_run_t *run, const cm_record_t *record)
{
    const int held = run->holds && cm_rename_may_come(record);

    run->held |= held;
    return held;
}

/* Merge all records that wait for nothing, and return them. Deletes are merged,
 * but written later. */
static apr_array_header_t *ready_records(cm_run_t *run, apr_pool_t *pool)
{
    apr_array_header_t *ready = apr_array_make(pool, 64, sizeof(cm_record_t *));
    int i;

    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);

        if (may_come(run, record) && !record->effect &&
            (run->any_twin || !waits_for_twin(run, record)) &&
            !cm_rounds_hold(run, record) && cm_rounds_ready(run, record, 0) &&
            record->effect->kind != CM_EFFECT_DELETE)
            APR_ARRAY_PUSH(ready, cm_record_t *) = record;
        if (record->error)
            record->effect = NULL;
    }
    return ready;
}

/* Return those of READY whose keys change: what refers to them is merged again
 * when they have their new keys. If there are none, return READY. */
static apr_array_header_t *movers_of(apr_array_header_t *ready,
                                     apr_pool_t *pool)
{
    apr_array_header_t *movers = apr_array_make(pool, 4, sizeof(cm_record_t *));
    int i;

    for (i = 0; i < ready->nelts; i++)
        if (CM_NTH(ready, i, cm_record_t)->effect->moves)
            APR_ARRAY_PUSH(movers, cm_record_t *) =
                CM_NTH(ready, i, cm_record_t);
    if (!movers->nelts)
        return ready;
    for (i = 0; i < ready->nelts; i++)
        if (!CM_NTH(ready, i, cm_record_t)->effect->moves)
            CM_NTH(ready, i, cm_record_t)->effect = NULL;
    return movers;
}

cm_error_t *cm_rounds_settle(cm_run_t *run, apr_pool_t *scratch_pool)
{
    apr_pool_t *iterpool;
    int created, again;

    apr_pool_create(&iterpool, scratch_pool);
    do {
        apr_array_header_t *ready, *first;

        apr_pool_clear(iterpool);
        /* a parent in the new key of a record may be here only now */
        CM_TRY(cm_rename_due(run, iterpool));
        created = run->created;
        ready = ready_records(run, iterpool);
        first = movers_of(ready, iterpool);
        again = first != ready;
        CM_TRY(cm_write_records(run, first, iterpool));
    } while (again || run->created > created);
    apr_pool_destroy(iterpool);
    return NULL;
}

/* Return how many references lead from MODEL up to one that refers to nothing.
 * Those to records of any model have no foreign key, and need no order. */
static int depth_of(const cm_settings_t *settings, const cm_model_t *model,
                    int steps)
{
    int deepest = 0, i;

    for (i = 0; steps > 0 && i < model->columns.references->nelts; i++) {
        const cm_reference_t *reference =
            &APR_ARRAY_IDX(model->columns.references, i, cm_reference_t);
        const cm_model_t *parent =
            reference->type ? NULL
                            : cm_settings_model(settings, reference->model);
        int depth = parent && parent != model
                        ? 1 + depth_of(settings, parent, steps - 1)
                        : 0;

        if (depth > deepest)
            deepest = depth;
    }
    return deepest;
}

cm_error_t *cm_rounds_delete(cm_run_t *run, apr_pool_t *scratch_pool)
{
    enum {
        DEEPEST = 8
    };
    apr_array_header_t *levels[DEEPEST + 1] = {NULL};
    int i, depth;

    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);

        if (!record->effect || record->effect->kind != CM_EFFECT_DELETE ||
            cm_heirs_are_coming(run, record))
            continue;
        depth = depth_of(run->node->settings, record->table->model, DEEPEST);
        if (!levels[depth])
            levels[depth] =
                apr_array_make(scratch_pool, 16, sizeof(cm_record_t *));
        APR_ARRAY_PUSH(levels[depth], cm_record_t *) = record;
    }
    for (depth = DEEPEST; depth >= 0; depth--) {
        if (levels[depth])
            CM_TRY(cm_write_records(run, levels[depth], scratch_pool));
    }
    return NULL;
}
