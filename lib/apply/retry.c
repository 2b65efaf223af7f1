/* What failed is retried one message at a time, in order of arrival: a unique
 * value that two records exchanged may be free then, or a row that was in the
 * way gone. */
#include "apply/heirs_internal.h"

#include <apr_strings.h>

/* So many keys are tried for a new record, if other applications take them. */
#define MOST_KEYS 8

/* Return whether MESSAGE, of RECORD, refers to the record itself. */
static int names_itself(cm_run_t *run, const cm_record_t *record,
                        const cm_message_t *message)
{
    const apr_array_header_t *attributes = message->attributes;
    int i;

    for (i = 0; attributes && i < attributes->nelts; i++)
        if (cm_directory_parent(
                run, &APR_ARRAY_IDX(attributes, i, cm_attribute_t)) ==
            record->entry)
            return 1;
    return 0;
}

/* Return whether a message of RECORD before UNTIL refers to the record itself,
 * which is not here yet. */
static int refers_to_itself(cm_run_t *run, const cm_record_t *record, int until)
{
    int i;

    for (i = record->next; record->entry && i < until; i++)
        if (names_itself(run, record,
                         CM_NTH(record->tasks, i, cm_task_t)->message))
            return 1;
    return 0;
}

static cm_error_t *write_alone(cm_run_t *run, cm_record_t *record, int until,
                               apr_pool_t *scratch_pool)
{
    apr_array_header_t *one =
        apr_array_make(scratch_pool, 1, sizeof(cm_record_t *));

    record->alone = 1;
    record->error = cm_merge_record(run, record, until, 0);
    if (record->error && record->error->code == CM_WAITS &&
        refers_to_itself(run, record, until))
        return cm_group_write_itself(run, record, until, scratch_pool);
    if (record->error)
        return NULL;
    APR_ARRAY_PUSH(one, cm_record_t *) = record;
    return cm_write_records(run, one, scratch_pool);
}

/* Write the messages of RECORD up to UNTIL, with another key if necessary. */
static cm_error_t *write_one(cm_run_t *run, cm_record_t *record, int until,
                             apr_pool_t *scratch_pool)
{
    int given = 1, i;

    for (i = 0; given && i < MOST_KEYS; i++) {
        CM_TRY(write_alone(run, record, until, scratch_pool));
        CM_TRY(cm_newkey_give_again(&given, run, record, scratch_pool));
    }
    return NULL;
}

/* Try the tasks in order of arrival. When one fails, the later ones of its
 * record wait. *MOVED is increased by those that are done. */
static cm_error_t *try_tasks(int *moved, cm_run_t *run,
                             apr_pool_t *scratch_pool)
{
    apr_pool_t *iterpool;
    int i;

    apr_pool_create(&iterpool, scratch_pool);
    for (i = 0; i < run->tasks->nelts; i++) {
        cm_task_t *task = CM_NTH(run->tasks, i, cm_task_t);
        cm_record_t *record = task->record;

        if (!record || task->done ||
            CM_NTH(record->tasks, record->next, cm_task_t) != task)
            continue;
        apr_pool_clear(iterpool);
        if (cm_rename_may_come(record))
            CM_TRY(cm_rename_due(run, iterpool));
        CM_TRY(write_one(run, record, record->next + 1, iterpool));
        *moved += task->done;
    }
    apr_pool_destroy(iterpool);
    return NULL;
}

/* Try the first messages of RECORD together: all that are left, then one less,
 * and so on. Only the first failure says what they need in the end. */
static cm_error_t *try_together(cm_run_t *run, cm_record_t *record,
                                apr_pool_t *scratch_pool)
{
    const int first = record->next, count = record->tasks->nelts;
    const cm_error_t *error = NULL;
    apr_pool_t *iterpool;
    int until;

    apr_pool_create(&iterpool, scratch_pool);
    for (until = count; record->next == first && until > first + 1 &&
                        until > count - CM_MOST_TOGETHER;
         until--) {
        apr_pool_clear(iterpool);
        CM_TRY(write_one(run, record, until, iterpool));
        if (until == count)
            error = record->error;
    }
    if (record->next == first)
        record->error = error;
    apr_pool_destroy(iterpool);
    return NULL;
}

/* Messages of a record that fail alone may succeed together, when a later one
 * corrects an earlier one. */
static cm_error_t *try_records(int *moved, cm_run_t *run,
                               apr_pool_t *scratch_pool)
{
    apr_pool_t *iterpool;
    int i;

    apr_pool_create(&iterpool, scratch_pool);
    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);
        const int next = record->next;

        if (record->tasks->nelts - next < 2)
            continue;
        apr_pool_clear(iterpool);
        CM_TRY(try_together(run, record, iterpool));
        *moved += record->next > next;
    }
    apr_pool_destroy(iterpool);
    return NULL;
}

static const cm_error_t *wait_behind(cm_run_t *run, const cm_task_t *first)
{
    return CM_FAIL(run->pool, CM_WAITS,
                   "message %" APR_INT64_T_FMT " of the same record is parked",
                   first->message->id);
}

/* Set why what is left is parked: the first task of a record for its own
 * reason, the others because they wait for it. */
static void name_reasons(cm_run_t *run)
{
    int i, j;

    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);
        cm_task_t *first;

        if (!cm_rounds_pending(record))
            continue;
        first = CM_NTH(record->tasks, record->next, cm_task_t);
        first->error = record->untied && record->error->code == CM_WAITS
                           ? record->untied
                           : record->error;
        for (j = record->next + 1; j < record->tasks->nelts; j++) {
            cm_task_t *task = CM_NTH(record->tasks, j, cm_task_t);

            task->error = task->fault ? task->fault : wait_behind(run, first);
        }
    }
}

static int anything_left(const cm_run_t *run)
{
    int i;

    for (i = 0; i < run->records->nelts; i++) {
        if (cm_rounds_pending(CM_NTH(run->records, i, cm_record_t)))
            return 1;
    }
    return 0;
}

static cm_error_t *try_all(cm_run_t *run, apr_pool_t *scratch_pool)
{
    int moved = 1;

    while (moved && anything_left(run)) {
        int created = run->created;

        moved = 0;
        CM_TRY(try_tasks(&moved, run, scratch_pool));
        if (run->created > created)
            CM_TRY(cm_rounds_settle(run, scratch_pool));
        if (!moved)
            CM_TRY(try_records(&moved, run, scratch_pool));
    }
    return NULL;
}

cm_error_t *cm_apply_retry(cm_run_t *run, apr_pool_t *scratch_pool)
{
    int moved;

    do {
        moved = 0;
        CM_TRY(try_all(run, scratch_pool));
        if (run->strict && anything_left(run))
            CM_TRY(cm_refused_write(&moved, run, scratch_pool));
        if (!moved)
            CM_TRY(cm_vacate_exchanged(&moved, run, scratch_pool));
        if (!moved)
            CM_TRY(cm_takeover_rows(&moved, run, scratch_pool));
        if (!moved)
            CM_TRY(cm_release_refused(&moved, run, scratch_pool));
        if (!moved)
            CM_TRY(cm_unseen_bury(&moved, run, scratch_pool));
        if (!moved)
            CM_TRY(cm_group_write_first(&moved, run, scratch_pool));
    } while (moved);
    name_reasons(run);
    return NULL;
}
