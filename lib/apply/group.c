/* Records that can only be written together, all or none of them.
 *
 * Cycles: A refers to B, B to A, and neither is here. They are written without
 * these references, which are filled in afterwards. Where all references of a
 * cycle are NOT NULL, they refer to any key until then. That is possible where
 * the database checks foreign keys at the end, or there are none.
 */
#include "apply/group_internal.h"

#include <apr_strings.h>

/* A record before the attempt, and what its entry pointed to. */
typedef struct before_t {
    cm_record_t *record;
    cm_record_t was;
    const cm_found_t *found;
} before_t;

/* Return whether RECORD waits for others; with RUN->one_each whether its first
 * message does, whatever is wrong with all of them together. */
static int is_waiting(cm_run_t *run, cm_record_t *record)
{
    const cm_error_t *error = record->error;

    if (run->one_each && error && error->code != CM_WAITS) {
        cm_rounds_ready(run, record, CM_PARTIAL_NONE);
        record->effect = NULL;
        if (record->error && record->error->code == CM_WAITS)
            return 1;
        record->error = error;
    }
    return error && error->code == CM_WAITS;
}

void cm_group_leave(cm_record_t *record)
{
    record->error = record->lacks;
    record->effect = NULL;
}

apr_array_header_t *cm_group_waiting(cm_run_t *run, cm_partial_e partial,
                                     apr_pool_t *pool)
{
    apr_array_header_t *waiting =
        apr_array_make(pool, 8, sizeof(cm_record_t *));
    int i;

    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);

        if (record->in_no_cycle || !record->entry ||
            !cm_rounds_pending(record) ||
            (run->unchecked && record->next >= record->aim) ||
            cm_rounds_hold(run, record) || !is_waiting(run, record))
            continue;
        record->lacks = record->error;
        if (cm_rounds_ready(run, record, partial) &&
            record->effect->kind != CM_EFFECT_DELETE) {
            record->aim = record->effect->until;
            APR_ARRAY_PUSH(waiting, cm_record_t *) = record;
        }
        else {
            cm_group_leave(record);
        }
    }
    return waiting;
}

/* Remember all records that have tasks left: writing the group may free those
 * that wait for it, too. */
static apr_array_header_t *remember(const cm_run_t *run, apr_pool_t *pool)
{
    apr_array_header_t *all = apr_array_make(pool, 16, sizeof(before_t));
    int i;

    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);

        if (record->entry && cm_rounds_pending(record))
            APR_ARRAY_PUSH(all, before_t) =
                (before_t){record, *record, record->entry->found};
    }
    return all;
}

/* Return why records that must refer to each other stay parked. */
static cm_error_t *cannot_tie(const cm_run_t *run, const cm_error_t *refused)
{
    return cm_error_hint(
        cm_error_make(run->pool, CM_REJECTED, refused, __FILE__, __LINE__,
                      "records that must refer to each other cannot be "
                      "written together"),
        run->pool,
        "make a foreign key DEFERRABLE INITIALLY DEFERRED, where the database "
        "has that, or a column NULL");
}

/* Make the record what it was. */
static void restore(const cm_run_t *run, const before_t *before)
{
    cm_record_t *record = before->record;
    const int in_no_cycle = record->in_no_cycle;
    const cm_error_t *refused = record->error;
    int i;

    *record = before->was;
    if (record->effect && record->effect->owed && refused &&
        refused->code == CM_REJECTED)
        record->untied = cannot_tie(run, refused);
    record->in_no_cycle = in_no_cycle;
    record->entry->found = before->found;
    if (record->error)
        record->effect = NULL;
    for (i = record->next; i < record->tasks->nelts; i++) {
        cm_task_t *task = CM_NTH(record->tasks, i, cm_task_t);

        task->done = task->changed = 0;
    }
}

/* Mark those of RECORDS that are not done, and count them. */
static int mark_pending(const apr_array_header_t *records)
{
    int count = 0, i;

    for (i = 0; i < records->nelts; i++) {
        cm_record_t *record = CM_NTH(records, i, cm_record_t);

        record->in_no_cycle = record->next < record->aim;
        count += record->in_no_cycle;
    }
    return count;
}

/* What the run had done before the attempt. */
typedef struct done_t {
    int conflicts, republish, burials, graves, created;
} done_t;

static done_t so_far(const cm_run_t *run)
{
    return (done_t){run->conflicts->nelts, run->republish->nelts,
                    run->burials->nelts, run->graves->nelts, run->created};
}

static cm_error_t *undo(cm_run_t *run, const done_t *done,
                        const apr_array_header_t *before,
                        apr_pool_t *scratch_pool)
{
    int i;

    CM_TRY(cm_transaction_rollback_to(run->node->store, "cycle", scratch_pool));
    for (i = 0; i < before->nelts; i++)
        restore(run, &APR_ARRAY_IDX(before, i, before_t));
    run->conflicts->nelts = done->conflicts;
    run->republish->nelts = done->republish;
    run->burials->nelts = done->burials;
    run->graves->nelts = done->graves;
    run->created = done->created;
    return NULL;
}

/* Check the deferred constraints of RECORDS now; if one of them refuses these,
 * none is to be tried so again. Fails only with what ends the transaction. */
static cm_error_t *check_late(int *refused, cm_run_t *run,
                              const apr_array_header_t *records,
                              apr_pool_t *scratch_pool)
{
    cm_error_t *err = cm_transaction_check_deferred(
        &run->deferred, run->node->store, run->pool, scratch_pool);
    int i;

    if (err && cm_write_is_fatal(run, err))
        return err;
    for (i = 0; err && i < records->nelts; i++) {
        cm_record_t *record = CM_NTH(records, i, cm_record_t);

        record->error = cm_error_copy(err, run->pool);
        record->in_no_cycle = 1;
    }
    *refused = err != NULL;
    return NULL;
}

static int are_done(const apr_array_header_t *records)
{
    int i;

    for (i = 0; i < records->nelts; i++) {
        const cm_record_t *record = CM_NTH(records, i, const cm_record_t);

        if (record->next < record->aim)
            return 0;
    }
    return 1;
}

/* Until deferred constraints are checked, one that is broken undoes all, and
 * whatever is refused may undo a group. So what is not of COMPANY (cm_entry_t;
 * NULL: all are) does not come along, and later messages do not, if only the
 * next ones are to be written. */
static void set_aims(const cm_run_t *run, const apr_array_header_t *before,
                     const apr_array_header_t *records, apr_hash_t *company,
                     apr_pool_t *pool)
{
    int *aims = apr_palloc(pool, records->nelts * sizeof(*aims)), i;

    for (i = 0; i < records->nelts; i++)
        aims[i] = CM_NTH(records, i, cm_record_t)->aim;
    for (i = 0; i < before->nelts; i++) {
        cm_record_t *record = APR_ARRAY_IDX(before, i, before_t).record;

        if (company && !cm_tied_has(company, record->entry))
            record->aim = record->next;
        else
            record->aim =
                run->one_each ? record->next + 1 : record->tasks->nelts;
    }
    for (i = 0; i < records->nelts; i++)
        CM_NTH(records, i, cm_record_t)->aim = aims[i];
}

/* Let those of RECORDS wait that were refused while they refer to any key: what
 * a foreign key that is checked at once needs may come now. Returns why each
 * was refused, or NULL. */
static const cm_error_t **let_wait(const apr_array_header_t *records,
                                   apr_pool_t *pool)
{
    const cm_error_t **refused =
        apr_pcalloc(pool, records->nelts * sizeof(*refused));
    int i;

    for (i = 0; i < records->nelts; i++) {
        cm_record_t *record = CM_NTH(records, i, cm_record_t);

        if (!record->error || record->error->code != CM_REJECTED ||
            !record->effect->owed)
            continue;
        refused[i] = record->error;
        cm_group_leave(record);
    }
    return refused;
}

/* Those of RECORDS that still wait were REFUSED. */
static void name_refused(const apr_array_header_t *records,
                         const cm_error_t **refused)
{
    int i;

    for (i = 0; i < records->nelts; i++) {
        cm_record_t *record = CM_NTH(records, i, cm_record_t);

        if (refused[i] && record->next < record->aim && record->error &&
            record->error->code == CM_WAITS)
            record->error = refused[i];
    }
}

/* Write what waits for RECORDS. If they still lack something, MORE gets what
 * waits then for something that may be empty: perhaps themselves. */
static cm_error_t *write_more(apr_array_header_t *more, cm_run_t *run,
                              const apr_array_header_t *records,
                              apr_pool_t *scratch_pool)
{
    apr_array_header_t *waiting;

    CM_TRY(cm_rounds_settle(run, scratch_pool));
    if (are_done(records))
        return NULL;
    waiting = cm_group_waiting(run, CM_PARTIAL_EMPTY, scratch_pool);
    if (!waiting->nelts)
        return NULL;
    apr_array_cat(more, waiting);
    CM_TRY(cm_write_records(run, waiting, scratch_pool));
    return cm_rounds_settle(run, scratch_pool);
}

/* Write RECORDS, whose effects are made, and what waits for them, with MORE.
 * What may be given a row when this cannot be undone any more comes then,
 * unless RECORDS need it. */
static cm_error_t *write_all(apr_array_header_t *more, cm_run_t *run,
                             const apr_array_header_t *records,
                             apr_pool_t *scratch_pool)
{
    const cm_error_t **refused;
    cm_error_t *err;

    CM_TRY(cm_write_records(run, records, scratch_pool));
    refused = let_wait(records, scratch_pool);
    run->held = 0;
    run->holds = 1;
    err = write_more(more, run, records, scratch_pool);
    run->holds = 0;
    if (!err && run->held && !are_done(records))
        err = write_more(more, run, records, scratch_pool);
    name_refused(records, refused);
    return err;
}

cm_error_t *cm_group_write_with(int *done, int *refused, cm_run_t *run,
                                const apr_array_header_t *records, int late,
                                apr_hash_t *company, apr_pool_t *scratch_pool)
{
    const apr_array_header_t *before = remember(run, scratch_pool);
    const done_t done_before = so_far(run);
    const int strict = run->strict;
    apr_array_header_t *more =
        apr_array_make(scratch_pool, 1, sizeof(cm_record_t *));
    int pending;
    cm_error_t *err;

    CM_TRY(cm_transaction_savepoint(run->node->store, "cycle", scratch_pool));
    run->unchecked = company || (strict && late);
    run->strict = strict && !late;
    if (run->unchecked)
        set_aims(run, before, records, company, scratch_pool);
    run->tentative = 1;
    err = write_all(more, run, records, scratch_pool);
    run->strict = strict;
    run->unchecked = run->tentative = *refused = 0;
    CM_TRY(err);
    pending = mark_pending(more) + mark_pending(records);
    *done = records->nelts;
    if (late && strict && !pending)
        CM_TRY(check_late(refused, run, records, scratch_pool));
    if (*refused || pending) {
        CM_TRY(undo(run, &done_before, before, scratch_pool));
        *done = 0;
    }
    CM_TRY(cm_transaction_release(run->node->store, "cycle", scratch_pool));
    return *done && run->held ? cm_rounds_settle(run, scratch_pool) : NULL;
}

cm_error_t *cm_group_write(int *done, cm_run_t *run,
                           const apr_array_header_t *records, int late,
                           apr_pool_t *scratch_pool)
{
    int refused;

    CM_TRY(cm_group_write_with(done, &refused, run, records, late, NULL,
                               scratch_pool));
    if (!refused)
        return NULL;
    /* perhaps because of what came along */
    return cm_group_write_with(done, &refused, run, records, late,
                               apr_hash_make(scratch_pool), scratch_pool);
}

void cm_group_begin(cm_run_t *run)
{
    int i;

    for (i = 0; i < run->records->nelts; i++)
        CM_NTH(run->records, i, cm_record_t)->in_no_cycle = 0;
}

cm_error_t *cm_group_write_waiting(cm_run_t *run, const cm_model_t *model,
                                   apr_pool_t *scratch_pool)
{
    apr_array_header_t *waiting;
    apr_pool_t *iterpool;
    int done = 0, i;

    cm_group_begin(run);
    apr_pool_create(&iterpool, scratch_pool);
    do {
        apr_pool_clear(iterpool);
        waiting = model ? cm_tied_records(run, model, iterpool)
                        : cm_group_waiting(run, CM_PARTIAL_EMPTY, iterpool);
        if (waiting->nelts)
            CM_TRY(
                cm_group_write(&done, run, waiting, model != NULL, iterpool));
        for (i = 0; i < waiting->nelts && !done; i++)
            cm_group_leave(CM_NTH(waiting, i, cm_record_t));
    } while (waiting->nelts && !done);
    apr_pool_destroy(iterpool);
    return NULL;
}

/* Return how many messages are done; *SEVERAL: whether a record has more than
 * one left. */
static int count_done(int *several, const cm_run_t *run)
{
    int count = 0, i;

    *several = 0;
    for (i = 0; i < run->records->nelts; i++) {
        const cm_record_t *record = CM_NTH(run->records, i, const cm_record_t);

        count += record->next;
        *several |= record->tasks->nelts > record->next + 1;
    }
    return count;
}

cm_error_t *cm_group_write_cycles(cm_run_t *run, apr_pool_t *scratch_pool)
{
    int several;

    CM_TRY(cm_group_write_waiting(run, NULL, scratch_pool));
    CM_TRY(cm_tied_write(run, scratch_pool));
    if (!run->one_each)
        run->tied_at = count_done(&several, run);
    return NULL;
}

cm_error_t *cm_group_write_first(int *moved, cm_run_t *run,
                                 apr_pool_t *scratch_pool)
{
    int several;
    const int before = count_done(&several, run);
    cm_error_t *err = NULL;

    /* a unique value may be free now, of a record that was deleted, say */
    if (before > run->tied_at)
        CM_TRY(cm_group_write_cycles(run, scratch_pool));
    if (several && count_done(&several, run) == before) {
        run->one_each = 1; /* later ones cannot be applied yet */
        err = cm_group_write_cycles(run, scratch_pool);
        run->one_each = 0;
    }
    *moved += count_done(&several, run) - before;
    return err;
}

/* Write the messages of RECORD up to UNTIL, first without the reference to
 * itself. */
static cm_error_t *write_twice(cm_run_t *run, cm_record_t *record, int until,
                               apr_pool_t *scratch_pool)
{
    static const cm_partial_e steps[] = {CM_PARTIAL_EMPTY, CM_PARTIAL_NONE};
    apr_array_header_t *one =
        apr_array_make(scratch_pool, 1, sizeof(cm_record_t *));
    int i;

    APR_ARRAY_PUSH(one, cm_record_t *) = record;
    for (i = 0; i < 2; i++) {
        record->error = cm_merge_record(run, record, until, steps[i]);
        if (!record->error)
            CM_TRY(cm_write_records(run, one, scratch_pool));
        if (record->error)
            return NULL;
    }
    return NULL;
}

cm_error_t *cm_group_write_itself(cm_run_t *run, cm_record_t *record, int until,
                                  apr_pool_t *scratch_pool)
{
    const cm_task_t *task = CM_NTH(record->tasks, record->next, cm_task_t);
    const apr_array_header_t *before = remember(run, scratch_pool);
    const done_t done_before = so_far(run);

    CM_TRY(cm_transaction_savepoint(run->node->store, "cycle", scratch_pool));
    CM_TRY(write_twice(run, record, until, scratch_pool));
    if (!task->done)
        CM_TRY(undo(run, &done_before, before, scratch_pool));
    return cm_transaction_release(run->node->store, "cycle", scratch_pool);
}
