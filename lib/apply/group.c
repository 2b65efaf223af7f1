/* Records that can only be written together, all or none of them.
 *
 * Cycles: A refers to B, B to A, and neither is here. They are written without
 * these references, which are filled in afterwards. Where all references of a
 * cycle are NOT NULL, they refer to any key until then. That is possible where
 * the database checks foreign keys at the end, or there are none.
 */
#include "apply/internal.h"

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

/* Let RECORD wait as before the attempt. */
static void leave_waiting(cm_record_t *record)
{
    record->error = record->lacks;
    record->effect = NULL;
}

/* Return the records that could be written without the references that they
 * wait for, as PARTIAL says. */
static apr_array_header_t *waiting_records(cm_run_t *run, cm_partial_e partial,
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
            !is_waiting(run, record))
            continue;
        record->lacks = record->error;
        if (cm_rounds_ready(run, record, partial) &&
            record->effect->kind != CM_EFFECT_DELETE) {
            record->aim = record->effect->until;
            APR_ARRAY_PUSH(waiting, cm_record_t *) = record;
        }
        else {
            leave_waiting(record);
        }
    }
    return waiting;
}

static void add_entry(apr_hash_t *entries, const cm_entry_t *entry,
                      apr_pool_t *pool)
{
    apr_hash_set(entries, apr_pmemdup(pool, &entry, sizeof(entry)),
                 sizeof(entry), entry);
}

static int has_entry(apr_hash_t *entries, const cm_entry_t *entry)
{
    return apr_hash_get(entries, &entry, sizeof(entry)) != NULL;
}

/* Return whether all that RECORD must refer to is among PRESENT. It may lack
 * only what may be empty: then another one that needs it ties it. */
static int has_parents(apr_hash_t *present, const cm_record_t *record)
{
    const apr_array_header_t *owed = record->effect->owed;
    int i;

    for (i = 0; owed && i < owed->nelts; i++)
        if (!has_entry(present, CM_NTH(owed, i, const cm_entry_t)))
            return 0;
    return 1;
}

/* Return those of RECORDS that must refer to others of them only, and that
 * another one must refer to. */
static apr_array_header_t *tied_of(const apr_array_header_t *records,
                                   apr_pool_t *pool)
{
    apr_array_header_t *tied =
        apr_array_make(pool, records->nelts, sizeof(cm_record_t *));
    apr_hash_t *present = apr_hash_make(pool), *needed = apr_hash_make(pool);
    int i, j;

    for (i = 0; i < records->nelts; i++) {
        const cm_record_t *record = CM_NTH(records, i, const cm_record_t);
        const apr_array_header_t *owed = record->effect->owed;

        add_entry(present, record->entry, pool);
        for (j = 0; owed && j < owed->nelts; j++)
            add_entry(needed, CM_NTH(owed, j, const cm_entry_t), pool);
    }
    for (i = 0; i < records->nelts; i++) {
        cm_record_t *record = CM_NTH(records, i, cm_record_t);

        if (has_parents(present, record) && has_entry(needed, record->entry))
            APR_ARRAY_PUSH(tied, cm_record_t *) = record;
    }
    return tied;
}

/* Return the records that must refer to each other, so that none of them can
 * come first; of MODEL, or all: NULL. */
static apr_array_header_t *tied_records(cm_run_t *run, const cm_model_t *model,
                                        apr_pool_t *pool)
{
    apr_array_header_t *waiting = waiting_records(run, CM_PARTIAL_ALL, pool);
    apr_array_header_t *tied = waiting;
    apr_array_header_t *chosen = apr_array_make(pool, 2, sizeof(cm_record_t *));
    apr_hash_t *entries = apr_hash_make(pool);
    int i, count;

    do {
        count = tied->nelts;
        tied = tied_of(tied, pool);
    } while (tied->nelts < count);
    for (i = 0; i < tied->nelts; i++)
        add_entry(entries, CM_NTH(tied, i, cm_record_t)->entry, pool);
    for (i = 0; i < waiting->nelts; i++) {
        cm_record_t *record = CM_NTH(waiting, i, cm_record_t);

        if (has_entry(entries, record->entry) &&
            (!model || record->table->model == model))
            APR_ARRAY_PUSH(chosen, cm_record_t *) = record;
        else
            leave_waiting(record);
    }
    return chosen;
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

/* Until deferred constraints are checked, one that is broken undoes all. So
 * what is not of COMPANY (cm_entry_t; NULL: all are) does not come along, and
 * later messages do not, if only the next ones are to be written. */
static void set_aims(const cm_run_t *run, const apr_array_header_t *before,
                     const apr_array_header_t *records, apr_hash_t *company,
                     apr_pool_t *pool)
{
    int *aims = apr_palloc(pool, records->nelts * sizeof(*aims)), i;

    for (i = 0; i < records->nelts; i++)
        aims[i] = CM_NTH(records, i, cm_record_t)->aim;
    for (i = 0; i < before->nelts; i++) {
        cm_record_t *record = APR_ARRAY_IDX(before, i, before_t).record;

        if (company && !has_entry(company, record->entry))
            record->aim = record->next;
        else
            record->aim =
                run->one_each ? record->next + 1 : record->tasks->nelts;
    }
    for (i = 0; i < records->nelts; i++)
        CM_NTH(records, i, cm_record_t)->aim = aims[i];
}

/* Write RECORDS, whose effects are made, and what waits for them. If they still
 * lack something, *MORE are what waits then for something that may be empty:
 * perhaps themselves. */
static cm_error_t *write_all(apr_array_header_t **more, cm_run_t *run,
                             const apr_array_header_t *records,
                             apr_pool_t *scratch_pool)
{
    CM_TRY(cm_write_records(run, records, scratch_pool));
    CM_TRY(cm_rounds_settle(run, scratch_pool));
    if (are_done(records))
        return NULL;
    *more = waiting_records(run, CM_PARTIAL_EMPTY, scratch_pool);
    if (!(*more)->nelts)
        return NULL;
    CM_TRY(cm_write_records(run, *more, scratch_pool));
    return cm_rounds_settle(run, scratch_pool);
}

/* The same as cm_group_write(), with what is of COMPANY. *REFUSED: in the end,
 * by deferred constraints. */
static cm_error_t *write_with(int *done, int *refused, cm_run_t *run,
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
    run->unchecked = strict && late;
    run->strict = strict && !late;
    if (run->unchecked)
        set_aims(run, before, records, company, scratch_pool);
    err = write_all(&more, run, records, scratch_pool);
    run->strict = strict;
    run->unchecked = *refused = 0;
    CM_TRY(err);
    pending = mark_pending(more) + mark_pending(records);
    *done = records->nelts;
    if (late && strict && !pending)
        CM_TRY(check_late(refused, run, records, scratch_pool));
    if (*refused || pending) {
        CM_TRY(undo(run, &done_before, before, scratch_pool));
        *done = 0;
    }
    return cm_transaction_release(run->node->store, "cycle", scratch_pool);
}

cm_error_t *cm_group_write(int *done, cm_run_t *run,
                           const apr_array_header_t *records, int late,
                           apr_pool_t *scratch_pool)
{
    int refused;

    CM_TRY(write_with(done, &refused, run, records, late, NULL, scratch_pool));
    if (!refused)
        return NULL;
    /* perhaps because of what came along */
    return write_with(done, &refused, run, records, late,
                      apr_hash_make(scratch_pool), scratch_pool);
}

static void begin_attempt(cm_run_t *run)
{
    int i;

    for (i = 0; i < run->records->nelts; i++)
        CM_NTH(run->records, i, cm_record_t)->in_no_cycle = 0;
}

/* Try all waiting records at once, until that works: those that wait for what
 * may be empty, or with MODEL its records that are tied. Those that failed are
 * not tried again, so that this ends. */
static cm_error_t *write_waiting(cm_run_t *run, const cm_model_t *model,
                                 apr_pool_t *scratch_pool)
{
    apr_array_header_t *waiting;
    apr_pool_t *iterpool;
    int done = 0, i;

    begin_attempt(run);
    apr_pool_create(&iterpool, scratch_pool);
    do {
        apr_pool_clear(iterpool);
        waiting = model ? tied_records(run, model, iterpool)
                        : waiting_records(run, CM_PARTIAL_EMPTY, iterpool);
        if (waiting->nelts)
            CM_TRY(
                cm_group_write(&done, run, waiting, model != NULL, iterpool));
        for (i = 0; i < waiting->nelts && !done; i++)
            leave_waiting(CM_NTH(waiting, i, cm_record_t));
    } while (waiting->nelts && !done);
    apr_pool_destroy(iterpool);
    return NULL;
}

/* Let RECORD, which is tied, begin, with what is of COMPANY. */
static cm_error_t *write_from(cm_run_t *run, cm_record_t *record,
                              apr_hash_t *company, apr_pool_t *pool)
{
    apr_array_header_t *one = apr_array_make(pool, 1, sizeof(cm_record_t *));
    int done = 0, refused;

    record->lacks = record->error;
    if (cm_rounds_ready(run, record, CM_PARTIAL_ALL) &&
        record->effect->kind != CM_EFFECT_DELETE) {
        record->aim = record->effect->until;
        APR_ARRAY_PUSH(one, cm_record_t *) = record;
        CM_TRY(write_with(&done, &refused, run, one, 1, company, pool));
    }
    if (!done)
        leave_waiting(record);
    return NULL;
}

/* Deferred constraints may refuse tied records because of one of them, or of
 * what came along: let each begin alone, with those that tie it. */
static cm_error_t *write_each(cm_run_t *run, apr_pool_t *scratch_pool)
{
    const apr_array_header_t *tied;
    apr_hash_t *company = apr_hash_make(scratch_pool);
    apr_pool_t *iterpool;
    int i;

    begin_attempt(run);
    tied = tied_records(run, NULL, scratch_pool);
    for (i = 0; i < tied->nelts; i++) {
        cm_record_t *record = CM_NTH(tied, i, cm_record_t);

        leave_waiting(record);
        add_entry(company, record->entry, scratch_pool);
    }
    apr_pool_create(&iterpool, scratch_pool);
    for (i = 0; i < tied->nelts; i++) {
        cm_record_t *record = CM_NTH(tied, i, cm_record_t);

        apr_pool_clear(iterpool);
        if (cm_rounds_pending(record) && record->error)
            CM_TRY(write_from(run, record, company, iterpool));
    }
    apr_pool_destroy(iterpool);
    return NULL;
}

/* Let each model of tied records begin, until all are written: perhaps only its
 * foreign keys need not be checked at once. */
static cm_error_t *write_tied(cm_run_t *run, apr_pool_t *scratch_pool)
{
    const apr_array_header_t *tied;
    apr_hash_t *tried = apr_hash_make(scratch_pool);
    int i;

    begin_attempt(run);
    tied = tied_records(run, NULL, scratch_pool);
    for (i = 0; i < tied->nelts; i++)
        leave_waiting(CM_NTH(tied, i, cm_record_t));
    for (i = 0; i < tied->nelts; i++) {
        cm_record_t *record = CM_NTH(tied, i, cm_record_t);
        const cm_model_t *model = record->table->model;

        if (!cm_rounds_pending(record) ||
            apr_hash_get(tried, model->name, APR_HASH_KEY_STRING))
            continue;
        apr_hash_set(tried, model->name, APR_HASH_KEY_STRING, model);
        CM_TRY(write_waiting(run, model, scratch_pool));
    }
    return run->strict && tied->nelts ? write_each(run, scratch_pool) : NULL;
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

    CM_TRY(write_waiting(run, NULL, scratch_pool));
    CM_TRY(write_tied(run, scratch_pool));
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
