/* What a person, or conflict=NODE, has decided of columns. */
#include "apply/sender_internal.h"

#include <string.h>

/* Return what LIST (cm_decided_t; or NULL) has of COLUMN, or NULL. */
static cm_decided_t *decided_in(const apr_array_header_t *list, int column)
{
    int i;

    for (i = 0; list && i < list->nelts; i++) {
        cm_decided_t *decided = &APR_ARRAY_IDX(list, i, cm_decided_t);

        if (decided->column == column)
            return decided;
    }
    return NULL;
}

void cm_decided_note(cm_effect_t *effect, cm_decided_t decided)
{
    cm_decided_t *before = decided_in(effect->republish, decided.column);

    if (!before)
        APR_ARRAY_PUSH(effect->republish, cm_decided_t) = decided;
    else if (before->seen < decided.seen)
        *before = decided;
}

void cm_decided_replace(cm_field_t *loser, const cm_field_t *winner)
{
    loser->value = winner->value;
    loser->name = winner->name;
    loser->source = winner->source;
}

/* Return what was decided of COLUMN, by EFFECT or one that was written; or
 * NULL. */
static const cm_decided_t *decided_now(const cm_record_t *record,
                                       const cm_effect_t *effect, int column)
{
    const cm_decided_t *decided = decided_in(effect->republish, column);

    return decided ? decided : decided_in(record->decided, column);
}

/* Return what was decided of COLUMN in an earlier run, if nothing has replaced
 * the winner since, and MESSAGE with BASE follows the peer's value. Another
 * decision does not: it is in conflict with that one. Or NULL. */
static const cm_settled_t *recalled(const cm_record_t *record,
                                    const cm_effect_t *effect,
                                    const cm_message_t *message, int column,
                                    apr_int64_t base)
{
    const char *name = record->table->columns[column].name;
    int i;

    for (i = 0; record->recalled && i < record->recalled->nelts; i++) {
        const cm_settled_t *it =
            &APR_ARRAY_IDX(record->recalled, i, cm_settled_t);

        if (!strcmp(it->column, name))
            return it->clock == effect->state->fields[column].clock &&
                           it->seen <= base && !cm_sender_seen(message, name)
                       ? it
                       : NULL;
    }
    return NULL;
}

int cm_decided_is_theirs(const cm_record_t *record, const cm_effect_t *effect,
                         const cm_message_t *message, int column,
                         apr_int64_t base)
{
    const cm_decided_t *decided = decided_now(record, effect, column);
    const cm_settled_t *earlier;

    if (decided)
        return decided->is_theirs && decided->seen <= base &&
               decided->here == effect->state->fields[column].clock;
    earlier = recalled(record, effect, message, column, base);
    return earlier && earlier->taken;
}

/* Return whether THERE is what a person has let stay in an earlier run. */
static int is_agreed(const cm_record_t *record, const cm_effect_t *effect,
                     const cm_message_t *message, int column,
                     const cm_field_t *there, apr_int64_t base)
{
    return !decided_now(record, effect, column) &&
           !cm_state_field_differs(there, &effect->state->fields[column]) &&
           recalled(record, effect, message, column, base);
}

int cm_decided_follow(const cm_record_t *record, cm_effect_t *effect,
                      const cm_message_t *message, int column,
                      cm_field_t *there, apr_int64_t base)
{
    cm_field_t *here = &effect->state->fields[column];

    if (!cm_decided_is_theirs(record, effect, message, column, base) &&
        !is_agreed(record, effect, message, column, there, base))
        return 0;
    if (!cm_state_field_wins(there, here))
        cm_decided_replace(here, there);
    cm_decided_note(effect, (cm_decided_t){.column = column,
                                           .seen = there->clock,
                                           .is_taken = 1,
                                           .is_theirs = 1,
                                           .here = here->clock});
    return 1;
}

/* Return what was decided of COLUMN, by EFFECT or one that was written, if the
 * value here has been the winner since: it has the clock of the value that
 * lost, where that was newer. Or NULL. */
static const cm_decided_t *decided_here(const cm_record_t *record,
                                        const cm_effect_t *effect, int column)
{
    const cm_decided_t *decided = decided_now(record, effect, column);

    return decided && effect->state->fields[column].clock ==
                          (decided->is_ours ? decided->seen : decided->here)
               ? decided
               : NULL;
}

const cm_decided_t *cm_decided_upheld(const cm_record_t *record,
                                      const cm_effect_t *effect, int column)
{
    const cm_decided_t *decided = decided_here(record, effect, column);

    return decided && decided->is_ours ? decided : NULL;
}

apr_int64_t cm_decided_clock(const cm_record_t *record,
                             const cm_effect_t *effect, int column)
{
    const cm_decided_t *ours = cm_decided_upheld(record, effect, column);

    return ours ? ours->here : effect->state->fields[column].clock;
}

void cm_decided_keep(const cm_record_t *record, const cm_effect_t *effect,
                     const cm_message_t *message, cm_state_t *incoming)
{
    /* whoever made it changed nothing */
    const int is_state = !message->has_base && message->action != CM_CREATE;
    int i;

    for (i = 0; i < incoming->count; i++) {
        const cm_field_t *here = &effect->state->fields[i];
        cm_field_t *there = &incoming->fields[i];

        if (there->clock == here->clock &&
            (there->clock != incoming->clock || is_state) &&
            decided_here(record, effect, i))
            cm_decided_replace(there, here);
    }
}

/* Return whether a column of RECORD is newer than what MESSAGE, which changed
 * it, says of the value before. */
static int may_conflict(const cm_record_t *record, const cm_message_t *message)
{
    const cm_clocks_t *clocks = &record->entry->found->mapping->clocks;
    const cm_table_t *table = record->table;
    int i;

    for (i = 0; message->has_base && i < table->column_count; i++) {
        const char *name = table->columns[i].name;
        const apr_int64_t here = cm_clocks_of(clocks, name);

        if (table->columns[i].carried &&
            (message->action == CM_DELETE ||
             cm_sender_changed(message, name)) &&
            (here > cm_sender_base(message, name) ||
             cm_sender_skipped(message, table, name, here)))
            return 1;
    }
    return 0;
}

static int is_asked_about(const cm_record_t *record)
{
    int i;

    if (record->table->model->conflict != CM_CONFLICT_HOLD || !record->entry ||
        !record->entry->found->mapping || !record->entry->found->local_id)
        return 0;
    for (i = 0; i < record->tasks->nelts; i++)
        if (may_conflict(record, CM_NTH(record->tasks, i, cm_task_t)->message))
            return 1;
    return 0;
}

cm_error_t *cm_decided_recall(cm_run_t *run, apr_pool_t *scratch_pool)
{
    int i;

    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);
        apr_array_header_t *found;

        if (record->fast || !is_asked_about(record))
            continue;
        CM_TRY_FOR(cm_decisions_find(&found, run->node, run->peer,
                                     record->table->model->name,
                                     record->entry->found->local_id, run->pool),
                   scratch_pool, "cannot read what was decided");
        record->recalled = found;
    }
    return NULL;
}

void cm_decided_settle(apr_array_header_t *list, const cm_run_t *run,
                       const cm_record_t *record,
                       const apr_array_header_t *columns, apr_int64_t clock)
{
    int i;

    if (record->table->model->conflict != CM_CONFLICT_HOLD ||
        !record->here->local_id)
        return;
    for (i = 0; i < columns->nelts; i++) {
        const cm_decided_t *decided = &APR_ARRAY_IDX(columns, i, cm_decided_t);

        APR_ARRAY_PUSH(list, cm_settled_t) = (cm_settled_t){
            .model = record->table->model->name,
            .local_id = record->here->local_id,
            .column = record->table->columns[decided->column].name,
            .peer = run->peer,
            .clock = clock ? clock
                           : record->here->state->fields[decided->column].clock,
            .seen = decided->seen,
            .taken = decided->is_taken};
    }
}
