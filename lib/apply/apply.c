/* The stages of applying, in their order: see apply.h. */
#include "apply/heirs_internal.h"
#include "apply/match_internal.h"
#include "apply/sender_internal.h"

#include <apr_strings.h>

#include "node/altered.h"
#include "node/graves.h"
#include "outbox/aliases.h"

cm_apply_t *cm_apply_create(cm_node_t *node, const char *peer, apr_pool_t *pool)
{
    cm_run_t *run = apr_pcalloc(pool, sizeof(*run));

    run->apply.node = run->node = node;
    run->apply.peer = run->peer = peer;
    run->apply.pool = run->pool = pool;
    run->apply.items = apr_array_make(pool, 64, sizeof(cm_item_t *));
    run->entries = apr_hash_make(pool);
    run->tasks = apr_array_make(pool, 64, sizeof(cm_task_t *));
    run->records = apr_array_make(pool, 64, sizeof(cm_record_t *));
    run->conflicts = apr_array_make(pool, 4, sizeof(cm_conflict_t));
    run->republish = apr_array_make(pool, 4, sizeof(cm_republish_t));
    run->altered = apr_array_make(pool, 0, sizeof(cm_altered_t));
    run->burials = apr_array_make(pool, 4, sizeof(cm_burial_t));
    run->matched = apr_array_make(pool, 4, sizeof(cm_record_t *));
    run->graves = apr_array_make(pool, 4, sizeof(cm_grave_t));
    run->referring = apr_hash_make(pool);
    run->numbers = apr_array_make(pool, 4, sizeof(cm_highest_t));
    return &run->apply;
}

cm_item_t *cm_apply_add(cm_apply_t *apply, cm_message_t *message,
                        apr_int64_t arrived, int attempts)
{
    cm_item_t *item = apr_pcalloc(apply->pool, sizeof(*item));

    item->message = message;
    item->arrived = arrived;
    item->attempts = attempts;
    APR_ARRAY_PUSH(apply->items, cm_item_t *) = item;
    return item;
}

/* Make a task of each item. */
static void begin_tasks(cm_run_t *run)
{
    int i;

    run->strict = run->apply.strict;
    for (i = 0; i < run->apply.items->nelts; i++) {
        cm_task_t *task = apr_pcalloc(run->pool, sizeof(*task));

        task->item = CM_NTH(run->apply.items, i, cm_item_t);
        task->message = task->item->message;
        APR_ARRAY_PUSH(run->tasks, cm_task_t *) = task;
        cm_check_task(run, task);
    }
}

/* Say in the items what became of them. */
static void report(cm_run_t *run)
{
    int i;

    for (i = 0; i < run->tasks->nelts; i++) {
        const cm_task_t *task = CM_NTH(run->tasks, i, const cm_task_t);

        task->item->applied = task->done;
        task->item->error = task->done ? NULL : task->error;
    }
    run->apply.created = run->created;
}

/* Write all records but those that are deleted; those with a twin before it
 * only if it cannot come. */
static cm_error_t *write_records(cm_run_t *run, apr_pool_t *scratch_pool)
{
    CM_TRY(cm_rounds_settle(run, scratch_pool));
    CM_TRY(cm_group_write_cycles(run, scratch_pool));
    run->any_twin = 1;
    if (!cm_rounds_have_twins(run))
        return NULL;
    CM_TRY(cm_rounds_settle(run, scratch_pool));
    return cm_group_write_cycles(run, scratch_pool);
}

cm_error_t *cm_apply_run(cm_apply_t *apply, apr_pool_t *scratch_pool)
{
    cm_run_t *run = (cm_run_t *)apply;
    int i;

    for (i = 0; apply->refusal && i < apply->items->nelts; i++)
        CM_NTH(apply->items, i, cm_item_t)->error = apply->refusal;
    if (apply->refusal)
        return NULL;
    begin_tasks(run);
    CM_TRY(cm_lock_all(run, scratch_pool));
    CM_TRY(cm_concurrent_read(run, scratch_pool));
    CM_TRY(cm_decided_recall(run, scratch_pool));
    CM_TRY(cm_apply_read_records(run, scratch_pool));
    CM_TRY(cm_newkey_give(run, scratch_pool));
    CM_TRY(write_records(run, scratch_pool));
    CM_TRY(cm_rounds_delete(run, scratch_pool));
    CM_TRY(cm_vacate_formers(run, scratch_pool));
    CM_TRY(cm_rename_late(run, scratch_pool));
    CM_TRY(cm_apply_retry(run, scratch_pool));
    CM_TRY(cm_adopt_told(run, scratch_pool));
    report(run);
    return cm_node_applying(run->node, NULL, scratch_pool);
}

cm_error_t *cm_apply_finish(cm_apply_t *apply, apr_pool_t *scratch_pool)
{
    cm_run_t *run = (cm_run_t *)apply;

    CM_TRY(cm_follow_sequences(run, scratch_pool));
    CM_TRY(cm_forward_overtaken(run, scratch_pool));
    CM_TRY(
        cm_altered_keep(&apply->altered, run->node, run->altered, run->pool));
    CM_TRY(cm_conflict_write(run->node, run->conflicts, scratch_pool));
    CM_TRY(cm_forward_messages(run, scratch_pool));
    CM_TRY(cm_graves_add(run->node, run->graves, scratch_pool));
    return cm_forward_republish(run, scratch_pool);
}
