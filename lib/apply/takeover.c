/* A shared key that is used again at once, while foreign keys here refuse the
 * delete of the record that had it: the delete waits for the children, their
 * messages for the new record, and that for the key, which the delete has to
 * free. So the row stays, and becomes that of the new record. For the merge,
 * and for every other node, the one record is deleted and the other is new.
 *
 * So it is where a key, shared or not, was changed and changed back: the delete
 * waits for the record that continues its own in the end (heirs.c), which has
 * its key. And so it is where a record is made again that match= finds, as it
 * does where a key is a reference. */
#include "apply/heirs_internal.h"

#include <string.h>

#include "record/identity.h"
#include "outbox/missing.h"

/* Return the message that makes RECORD, if it is not here; else NULL. */
static const cm_task_t *begin_of(const cm_record_t *record)
{
    const cm_task_t *first;

    if (!cm_rounds_pending(record) || !record->entry ||
        record->entry->found->mapping || !record->table->model->deletes)
        return NULL;
    first = CM_NTH(record->tasks, record->next, const cm_task_t);
    return first->fault || first->message->action != CM_CREATE ? NULL : first;
}

/* Return whether RECORD is to be deleted, but its row is still here, because of
 * an error with CODE. */
static int has_row(const cm_record_t *record, cm_code_e code)
{
    return cm_rounds_pending(record) && record->error &&
           record->error->code == code && record->here->exists &&
           CM_NTH(record->tasks, record->tasks->nelts - 1, const cm_task_t)
                   ->message->action == CM_DELETE;
}

/* Return whether both records have been given one key, one after the other. */
static int have_same_key(const cm_run_t *run, const cm_record_t *one,
                         const cm_record_t *other)
{
    const cm_identity_t *a = &one->entry->identity;
    const cm_identity_t *b = &other->entry->identity;

    return !strcmp(a->origin, b->origin) &&
           !strcmp(cm_identity_without_life(NULL, a->original_id, run->pool),
                   cm_identity_without_life(NULL, b->original_id, run->pool));
}

/* Return the message that makes a record which continues FORMER and has its
 * key, if its row is all that it lacks, while the delete of FORMER waits for
 * it. Else NULL. */
static const cm_task_t *back_to(cm_run_t *run, const cm_record_t *former)
{
    const cm_entry_t *entry;
    int i;

    if (!former->entry || !has_row(former, CM_WAITS))
        return NULL;
    entry = cm_heirs_next(run, former->entry);
    for (i = 0; entry && i < CM_MOST_HEIRS; i++) {
        const cm_record_t *heir = entry->record;
        const cm_task_t *begin = heir ? begin_of(heir) : NULL;

        if (begin && heir->table == former->table && heir->error &&
            (heir->error->code == CM_REJECTED || heir->earlier == former) &&
            have_same_key(run, former, heir))
            return begin;
        entry = cm_heirs_next(run, entry);
    }
    return NULL;
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

/* Let the record of TASK have the row of EARLIER, which had its key before.
 * What refers to that row has not changed here, but is to be sent again. */
static cm_error_t *take_row(int *moved, cm_run_t *run, const cm_task_t *task,
                            cm_record_t *earlier, apr_pool_t *pool)
{
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

/* Return whether RECORD, which match= finds in a row, can have the key of that
 * row: it is what was matched, or the database gives it. */
static int can_have_key(cm_run_t *run, const cm_record_t *record)
{
    const cm_model_t *model = record->table->model;

    return cm_settings_model_key_travels(model)
               ? model->columns.match == model->columns.key
               : !cm_cells_key(run, record);
}

/* Return the record whose row is all that RECORD lacks: the life before its
 * own, or what match= finds, whose delete was refused. Else NULL. */
static cm_record_t *refused_before(cm_run_t *run, const cm_record_t *record)
{
    cm_record_t *earlier = record->earlier, *former = record->former;

    if (earlier && has_row(earlier, CM_REJECTED))
        return earlier;
    return former && has_row(former, CM_REJECTED) && record->error &&
                   record->error->code == CM_REJECTED &&
                   can_have_key(run, record)
               ? former
               : NULL;
}

cm_error_t *cm_takeover_rows(int *moved, cm_run_t *run,
                             apr_pool_t *scratch_pool)
{
    int i;

    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);
        cm_record_t *before = refused_before(run, record);
        const cm_task_t *task = back_to(run, record);

        if (task)
            CM_TRY(take_row(moved, run, task, record, scratch_pool));
        else if (before && (task = begin_of(record)))
            CM_TRY(take_row(moved, run, task, before, scratch_pool));
    }
    return NULL;
}
