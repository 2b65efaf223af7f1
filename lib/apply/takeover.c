/* A shared key that is used again at once, while foreign keys here refuse the
 * delete of the record that had it: the delete waits for the children, their
 * messages for the new record, and that for the key, which the delete has to
 * free. So the row stays, and becomes that of the new record. For the merge,
 * and for every other node, the one record is deleted and the other is new. */
#include "apply/internal.h"

#include "outbox/missing.h"

/* Return the message that makes RECORD, if all that it lacks is the row of the
 * life before its own, whose delete was refused; else NULL. */
static const cm_task_t *waits_for_row(const cm_record_t *record)
{
    const cm_record_t *earlier = record->earlier;
    const cm_task_t *first, *last;

    if (!earlier || !cm_rounds_pending(record) || !cm_rounds_pending(earlier) ||
        !earlier->error || earlier->error->code != CM_REJECTED ||
        !earlier->here->exists || !record->entry ||
        record->entry->found->mapping || !record->table->model->deletes)
        return NULL;
    first = CM_NTH(record->tasks, record->next, const cm_task_t);
    last = CM_NTH(earlier->tasks, earlier->tasks->nelts - 1, const cm_task_t);
    return first->fault || first->message->action != CM_CREATE ||
                   last->message->action != CM_DELETE
               ? NULL
               : first;
}

/* Delete the record that RECORD is, but not its row. *DONE: it could be merged.
 */
static cm_error_t *end_life(int *done, cm_run_t *run, cm_record_t *record,
                            apr_pool_t *pool)
{
    apr_array_header_t *saved = apr_array_make(pool, 1, sizeof(cm_mapping_t *));
    const cm_error_t *refused = record->error;
    cm_mapping_t *mapping;

    *done = cm_rounds_ready(run, record, 0) &&
            record->effect->kind == CM_EFFECT_DELETE;
    if (!*done) {
        record->error = refused;
        record->effect = NULL;
        return NULL;
    }
    mapping =
        apr_pmemdup(run->pool, &record->effect->mapping, sizeof(*mapping));
    APR_ARRAY_PUSH(saved, cm_mapping_t *) = mapping;
    CM_TRY(cm_mapping_save(run->node, saved, pool));
    cm_written_note(run, record, mapping);
    return NULL;
}

/* Let the record of TASK have the row of the life before its own. What refers
 * to that row has not changed here, but is to be sent again. */
static cm_error_t *take_row(int *moved, cm_run_t *run, const cm_task_t *task,
                            apr_pool_t *pool)
{
    cm_record_t *earlier = task->record->earlier;
    const char *local_id = earlier->here->local_id;
    apr_array_header_t *ids = apr_array_make(pool, 1, sizeof(const char *));
    int done;

    CM_TRY(end_life(&done, run, earlier, pool));
    if (!done)
        return NULL;
    ++*moved;
    CM_TRY(cm_rename_give_row(run, task, local_id, pool));
    task->record->error = NULL;
    APR_ARRAY_PUSH(ids, const char *) = local_id;
    return cm_missing_note(run->node, task->table->model, ids, pool);
}

cm_error_t *cm_takeover_rows(int *moved, cm_run_t *run,
                             apr_pool_t *scratch_pool)
{
    int i;

    for (i = 0; i < run->records->nelts; i++) {
        const cm_task_t *task =
            waits_for_row(CM_NTH(run->records, i, cm_record_t));

        if (task)
            CM_TRY(take_row(moved, run, task, scratch_pool));
    }
    return NULL;
}
