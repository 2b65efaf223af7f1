/* What is here after an effect has been written, and what follows from it. */
#include "apply/internal.h"

#include <apr_strings.h>

#include "node/graves.h"
#include "outbox/aliases.h"
#include "outbox/filter.h"

/* Remember a deleted record that may have aliases. */
static void note_burial(cm_run_t *run, const cm_record_t *record)
{
    const cm_effect_t *effect = record->effect;
    const cm_mapping_t *mapping =
        record->entry ? record->entry->found->mapping : NULL;
    const cm_identity_t *by = NULL;
    int i;

    if (!effect->state->deleted_at || record->here->state->deleted_at ||
        !mapping || !mapping->stored ||
        !record->table->model->columns.match->nelts)
        return;
    for (i = record->next; i < effect->until; i++) {
        const cm_task_t *task = CM_NTH(record->tasks, i, cm_task_t);

        if (task->message->action == CM_DELETE)
            by = &task->message->identity;
    }
    APR_ARRAY_PUSH(run->burials, cm_burial_t) =
        (cm_burial_t){.model = record->table->model,
                      .mapping = *mapping,
                      .clock = effect->state->deleted_at,
                      .by = by,
                      .heir = effect->mapping.heir};
}

static void set_found(cm_run_t *run, cm_record_t *record,
                      const cm_mapping_t *written)
{
    cm_mapping_t *mapping = apr_pmemdup(run->pool, written, sizeof(*written));

    if (!record->entry) {
        record->entry =
            cm_directory_get(run, record->table->model, mapping->identity);
        record->entry->record = record;
    }
    mapping->changed = 0;
    cm_directory_set(run, record->entry, mapping,
                     mapping->deleted_at ? NULL : mapping->local_id);
}

static void set_here(cm_run_t *run, cm_record_t *record,
                     const cm_mapping_t *mapping)
{
    const cm_effect_t *effect = record->effect;
    cm_here_t *here = apr_pmemdup(run->pool, record->here, sizeof(*here));

    here->state = effect->state;
    here->raw = effect->raw;
    if (effect->kind == CM_EFFECT_CREATE) {
        here->exists = 1;
        here->local_id = mapping->local_id;
        run->created++;
    }
    if (effect->moves) {
        here->local_id = mapping->local_id;
        run->moved++;
    }
    if (effect->kind == CM_EFFECT_DELETE || effect->revived)
        here->exists = 0;
    record->here = here;
    record->match = CM_MATCH_NONE;
}

static void finish_tasks(cm_record_t *record)
{
    const cm_effect_t *effect = record->effect;
    int i;

    for (i = record->next; i < effect->until; i++) {
        cm_task_t *task = CM_NTH(record->tasks, i, cm_task_t);

        task->done = !effect->partial;
        task->error = NULL;
        task->changed |= effect->changed[i];
    }
    if (!effect->partial)
        record->next = effect->until;
    record->error = NULL;
}

/* Return whether the record may be inside or outside of a row filter now, by
 * what EFFECT writes: that is found when its state gets a number. */
static int meets_filter(const cm_run_t *run, const cm_record_t *record,
                        const cm_effect_t *effect)
{
    const cm_table_t *table = record->table;
    int i;

    for (i = 0; effect->kind == CM_EFFECT_UPDATE && i < table->column_count;
         i++)
        if (effect->writes[i] &&
            cm_filter_depends(run->node, table->model, &table->columns[i]))
            return 1;
    return 0;
}

void cm_written_note(cm_run_t *run, cm_record_t *record,
                     const cm_mapping_t *mapping)
{
    const cm_effect_t *effect = record->effect;

    note_burial(run, record);
    cm_follow_record(run, record);
    if (effect->buried_id)
        APR_ARRAY_PUSH(run->graves, cm_grave_t) = (cm_grave_t){
            record->table->model, effect->buried_id, mapping->identity};
    if (effect->save)
        set_found(run, record, mapping);
    set_here(run, record, mapping);
    cm_conflicts_keep(run, record);
    finish_tasks(record);
    cm_concurrent_tell(run, record);
    if (effect->republish->nelts)
        record->decided = record->decided
                              ? apr_array_append(run->pool, effect->republish,
                                                 record->decided)
                              : effect->republish;
    if (effect->republish->nelts || effect->revived || effect->dead_parent)
        APR_ARRAY_PUSH(run->republish, cm_republish_t) =
            (cm_republish_t){.record = record,
                             .columns = effect->republish,
                             .revived = effect->revived,
                             .orphan = effect->dead_parent != NULL};
    else if (meets_filter(run, record, effect))
        cm_forward_state(run, record);
    if (effect->inherited)
        APR_ARRAY_PUSH(run->republish, cm_republish_t) =
            (cm_republish_t){.record = record, .renewed = effect->inherited};
    record->effect = NULL;
}
