/* Refused records: constraints that the database checks at the end of a
 * transaction may tie records to each other. It refuses each alone, but not all
 * of them together. */
#include "apply/internal.h"

/* If no more than these are left, each is tried with every other one. */
#define MOST_IN_PAIRS 16

/* Return the records that the database refused. */
static apr_array_header_t *refused_records(const cm_run_t *run,
                                           apr_pool_t *pool)
{
    apr_array_header_t *refused =
        apr_array_make(pool, 8, sizeof(cm_record_t *));
    int i;

    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);

        if (record->entry && cm_rounds_pending(record) && record->error &&
            record->error->code == CM_REJECTED && !record->here->unreadable &&
            !CM_NTH(record->tasks, record->next, cm_task_t)->fault)
            APR_ARRAY_PUSH(refused, cm_record_t *) = record;
    }
    return refused;
}

/* Try those of COUNT RECORDS that are not done, all at once. */
static cm_error_t *try_group(int *done, cm_run_t *run, cm_record_t **records,
                             int count, apr_pool_t *scratch_pool)
{
    apr_array_header_t *group =
        apr_array_make(scratch_pool, count, sizeof(cm_record_t *));
    const cm_error_t **errors =
        apr_palloc(scratch_pool, count * sizeof(*errors));
    int i;

    for (i = 0; i < count; i++) {
        cm_record_t *record = records[i];

        errors[i] = record->error;
        record->alone = 0;
        record->aim = run->one_each ? record->next + 1 : record->tasks->nelts;
        if (cm_rounds_pending(record) && cm_rounds_ready(run, record, 0))
            APR_ARRAY_PUSH(group, cm_record_t *) = record;
    }
    *done = 0;
    if (group->nelts > 1)
        CM_TRY(cm_group_write(done, run, group, 1, scratch_pool));
    for (i = 0; i < count; i++) {
        if (!cm_rounds_pending(records[i]))
            continue;
        records[i]->error = errors[i];
        records[i]->effect = NULL;
    }
    return NULL;
}

/* Try COUNT RECORDS together, then either half of them. */
static cm_error_t *try_halves(int *moved, cm_run_t *run, cm_record_t **records,
                              int count, apr_pool_t *scratch_pool)
{
    apr_pool_t *pool;
    int done;

    if (count < 2)
        return NULL;
    apr_pool_create(&pool, scratch_pool);
    CM_TRY(try_group(&done, run, records, count, pool));
    apr_pool_destroy(pool);
    *moved += done;
    if (done)
        return NULL;
    CM_TRY(try_halves(moved, run, records, count / 2, scratch_pool));
    return try_halves(moved, run, records + count / 2, count - count / 2,
                      scratch_pool);
}

/* Try each refused record with each later one. */
static cm_error_t *try_pairs(int *moved, cm_run_t *run,
                             const apr_array_header_t *refused,
                             apr_pool_t *scratch_pool)
{
    apr_pool_t *iterpool;
    int done, i, j;

    apr_pool_create(&iterpool, scratch_pool);
    for (i = 0; i < refused->nelts; i++) {
        for (j = i + 1; j < refused->nelts; j++) {
            cm_record_t *pair[] = {CM_NTH(refused, i, cm_record_t),
                                   CM_NTH(refused, j, cm_record_t)};

            if (!cm_rounds_pending(pair[0]) || !cm_rounds_pending(pair[1]))
                continue;
            apr_pool_clear(iterpool);
            CM_TRY(try_group(&done, run, pair, 2, iterpool));
            *moved += done;
        }
    }
    apr_pool_destroy(iterpool);
    return NULL;
}

static cm_error_t *write_refused(int *moved, cm_run_t *run,
                                 apr_pool_t *scratch_pool)
{
    apr_array_header_t *refused = refused_records(run, scratch_pool);

    CM_TRY(try_halves(moved, run, (cm_record_t **)(void *)refused->elts,
                      refused->nelts, scratch_pool));
    refused = refused_records(run, scratch_pool);
    if (refused->nelts > MOST_IN_PAIRS)
        return NULL;
    return try_pairs(moved, run, refused, scratch_pool);
}

/* Return whether a record has more than one message left. */
static int any_has_several(const cm_run_t *run)
{
    int i;

    for (i = 0; i < run->records->nelts; i++) {
        const cm_record_t *record = CM_NTH(run->records, i, const cm_record_t);

        if (record->tasks->nelts > record->next + 1)
            return 1;
    }
    return 0;
}

cm_error_t *cm_refused_write(int *moved, cm_run_t *run,
                             apr_pool_t *scratch_pool)
{
    cm_error_t *err;

    CM_TRY(write_refused(moved, run, scratch_pool));
    if (*moved || !any_has_several(run))
        return NULL;
    run->one_each = 1; /* later messages may be refused for good */
    err = write_refused(moved, run, scratch_pool);
    run->one_each = 0;
    return err;
}
