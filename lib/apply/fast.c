/* The fast way of an update: its row is written without being read, and nothing
 * is merged. It is for a record that is here as it was at the sender before the
 * change, as the clocks of all its columns say: then nobody has changed it
 * here, and what the sender changed simply follows.
 *
 * The row is locked by being written, and the mapping, which was read before,
 * is judged once more when everything that was committed here is stamped: if a
 * change came in between, the transaction is repeated without the fast way
 * (inbox/attempt.c). docs/model/merge.pml checks these rules. */
#include "apply/sender_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* Return whether the fields of TASK leave nothing to be decided: a new message
 * of ours that says what it changed, and before what. A base that names columns
 * asks us to merge (apply/forward.c). */
static int is_plain(const cm_run_t *run, const cm_task_t *task)
{
    const cm_message_t *message = task->message;

    return !task->fault && message->action == CM_UPDATE && message->has_base &&
           !(message->base.older && apr_hash_count(message->base.older)) &&
           !message->from_gem && !task->item->attempts &&
           task->item->decision == CM_DECIDE_NOT &&
           message->id > run->apply.lost;
}

/* Return whether writing rows of TABLE changes nothing but what is written. */
static int is_quiet(const cm_table_t *table)
{
    int i;

    if (table->own_triggers || table->model->columns.match->nelts)
        return 0;
    for (i = 0; i < table->column_count; i++)
        if (table->columns[i].on_update && table->columns[i].carried)
            return 0;
    return 1;
}

/* Return the clock that ATTRIBUTE had at the sender before the change: looked
 * up once, as cm_sender_changed() would do it again. */
static apr_int64_t clock_before(const cm_message_t *message,
                                const cm_attribute_t *attribute)
{
    const apr_int64_t clock = cm_clocks_of(&message->clocks, attribute->name);

    return clock == message->clocks.clock
               ? cm_sender_base(message, attribute->name)
               : clock;
}

/* Return whether the record of TASK is here, by its mapping, as it was at the
 * sender before the change: all its columns, for a record whose newest clock
 * alone is right may lack a change of another column. */
static int fits(const cm_record_t *record)
{
    const cm_message_t *message = CM_NTH(record->tasks, 0, cm_task_t)->message;
    const cm_mapping_t *mapping = record->entry->found->mapping;
    int i;

    if (!mapping || !mapping->stored || !mapping->local_id ||
        mapping->deleted_at || record->entry->alias_of ||
        message->clocks.clock <= mapping->clocks.clock)
        return 0;
    for (i = 0; i < message->attributes->nelts; i++) {
        const cm_attribute_t *attribute =
            &APR_ARRAY_IDX(message->attributes, i, cm_attribute_t);

        if (cm_table_settable(record->table, attribute->name) >= 0 &&
            cm_clocks_of(&mapping->clocks, attribute->name) !=
                clock_before(message, attribute))
            return 0;
    }
    return 1;
}

static int may_be_fast(const cm_run_t *run, const cm_record_t *record,
                       apr_int64_t now)
{
    const cm_task_t *task = CM_NTH(record->tasks, 0, cm_task_t);

    return record->entry && record->tasks->nelts == 1 && is_plain(run, task) &&
           is_quiet(record->table) && fits(record) &&
           !cm_message_is_ahead(
               task->message, record->entry->found->mapping->clocks.clock, now);
}

/* Let RECORD change as its message says, though its row was not read. Returns 0
 * if it cannot. */
static int make_effect(cm_run_t *run, cm_record_t *record, cm_state_t *state,
                       apr_array_header_t *none)
{
    cm_effect_t *effect = apr_pcalloc(run->pool, sizeof(*effect));
    cm_here_t *here = apr_pcalloc(run->pool, sizeof(*here));

    here->exists = 1;
    here->local_id = record->entry->found->mapping->local_id;
    here->state = effect->state = state;
    effect->kind = CM_EFFECT_UPDATE;
    effect->until = effect->save = 1;
    effect->changed = "\1";
    effect->conflicts = effect->republish = none;
    if (!cm_cells_changed(run, record, effect))
        return 0;
    record->here = here;
    record->effect = effect;
    record->judged = record->entry->found->mapping;
    return record->fast = 1;
}

/* Rows are locked in the order of their keys, as far as it is known here. */
static int compare_ids(const void *a, const void *b)
{
    const char *first = (*(cm_record_t *const *)a)->here->local_id;
    const char *second = (*(cm_record_t *const *)b)->here->local_id;
    const apr_size_t size = strlen(first), other = strlen(second);

    return size == other ? strcmp(first, second)
                         : (size > other) - (size < other);
}

/* Return whether lives of one shared key come in this run: they have one row.
 */
static int has_lives(const cm_run_t *run)
{
    int i;

    for (i = 0; i < run->records->nelts; i++)
        if (CM_NTH(run->records, i, cm_record_t)->earlier)
            return 1;
    return 0;
}

/* Return the records of this run that can go the fast way, with effects. */
static apr_array_header_t *choose(cm_run_t *run, apr_pool_t *pool)
{
    apr_array_header_t *chosen =
        apr_array_make(pool, run->records->nelts, sizeof(cm_record_t *));
    apr_array_header_t *none =
        apr_array_make(run->pool, 0, sizeof(cm_conflict_t));
    cm_state_t *state = cm_state_create(0, run->pool);
    const apr_int64_t now = cm_clock_now();
    int i;

    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);

        if (may_be_fast(run, record, now) &&
            make_effect(run, record, state, none))
            APR_ARRAY_PUSH(chosen, cm_record_t *) = record;
    }
    return chosen;
}

cm_error_t *cm_fast_write(cm_run_t *run, apr_pool_t *scratch_pool)
{
    apr_array_header_t *chosen;

    if (!run->apply.hasty || run->strict || has_lives(run))
        return NULL;
    chosen = choose(run, scratch_pool);
    if (!chosen->nelts)
        return NULL;
    *run->apply.hasty = 1;
    qsort(chosen->elts, chosen->nelts, sizeof(cm_record_t *), compare_ids);
    return cm_write_unread(run, chosen, scratch_pool);
}

/* Return the mapping of RECORD as it is with its message. */
static cm_mapping_t *moved_mapping(cm_run_t *run, const cm_record_t *record)
{
    const cm_message_t *message = CM_NTH(record->tasks, 0, cm_task_t)->message;
    const cm_mapping_t *found = record->entry->found->mapping;
    const cm_table_t *table = record->table;
    cm_mapping_t *mapping = apr_pmemdup(run->pool, found, sizeof(*found));
    int i;

    mapping->clocks = (cm_clocks_t){.clock = message->clocks.clock};
    mapping->clocks.elsewhere = cm_sender_elsewhere(message, table);
    if (mapping->clocks.elsewhere < cm_clocks_elsewhere(&found->clocks))
        mapping->clocks.elsewhere = cm_clocks_elsewhere(&found->clocks);
    mapping->changed = 1;
    for (i = 0; i < table->column_count; i++) {
        const char *name = table->columns[i].name;

        if (cm_table_settable(table, name) >= 0 && !record->effect->writes[i])
            cm_clocks_set(&mapping->clocks, name,
                          cm_clocks_of(&found->clocks, name), run->pool);
    }
    return mapping;
}

/* Return whether nothing has come between: by now all that is committed here is
 * stamped, and nobody else can change a mapping. Those that were not read again
 * are as they were. */
static int is_same(const cm_record_t *record)
{
    if (record->entry->found->mapping == record->judged)
        return 1;
    return fits(record) && !strcmp(record->entry->found->mapping->local_id,
                                   record->here->local_id);
}

cm_error_t *cm_fast_finish(cm_run_t *run, apr_pool_t *scratch_pool)
{
    apr_array_header_t *mappings = apr_array_make(
        scratch_pool, run->records->nelts, sizeof(cm_mapping_t *));
    int i, next = 0;

    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);

        if (!record->fast)
            continue;
        if (!is_same(record))
            return CM_FAIL(run->pool, CM_BUSY,
                           "a record has changed while messages were applied");
        APR_ARRAY_PUSH(mappings, cm_mapping_t *) = moved_mapping(run, record);
    }
    CM_TRY(cm_mapping_save(run->node, mappings, scratch_pool));
    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);

        if (record->fast)
            cm_written_note(run, record,
                            CM_NTH(mappings, next++, cm_mapping_t));
    }
    return NULL;
}
