/* What whoever sent a message knew, and decided. */
#include "apply/sender_internal.h"

#include <apr_strings.h>

int cm_sender_changed(const cm_message_t *message, const char *column)
{
    return cm_clocks_of(&message->clocks, column) == message->clocks.clock;
}

apr_int64_t cm_sender_base(const cm_message_t *message, const char *column)
{
    const apr_int64_t *clock;

    if (message->action == CM_CREATE) /* that of the record it continues */
        return 0;
    if (!message->base.older)
        return message->base.clock;
    clock = apr_hash_get(message->base.older, column, APR_HASH_KEY_STRING);
    if (clock)
        return *clock;
    return message->action == CM_DELETE ? cm_clocks_elsewhere(&message->base)
                                        : 0;
}

int cm_sender_skipped(const cm_message_t *message, const cm_table_t *table,
                      const char *column, apr_int64_t here)
{
    const apr_int64_t *base = &message->base.clock;

    if (!message->has_base || message->action != CM_DELETE ||
        !table->model->columns.match->nelts)
        return 0;
    /* of columns that it does not name it may have known older changes only */
    if (message->base.older)
        base = apr_hash_get(message->base.older, column, APR_HASH_KEY_STRING);
    return base && *base > here;
}

apr_int64_t cm_sender_elsewhere(const cm_message_t *message,
                                const cm_table_t *table)
{
    const apr_array_header_t *attributes = message->attributes;
    apr_int64_t newest = 0;
    int named = 0, i;

    for (i = 0; attributes && i < attributes->nelts; i++) {
        const char *name = APR_ARRAY_IDX(attributes, i, cm_attribute_t).name;
        const apr_int64_t clock = cm_clocks_of(&message->clocks, name);

        named |= clock == message->clocks.clock;
        if (clock > newest && cm_table_settable(table, name) < 0)
            newest = clock;
    }
    return named || message->action == CM_DELETE ? newest
                                                 : message->clocks.clock;
}

apr_int64_t cm_sender_seen(const cm_message_t *message, const char *column)
{
    const apr_int64_t *seen = NULL;

    if (message->base.older)
        seen = apr_hash_get(message->base.older,
                            apr_pstrcat(apr_hash_pool_get(message->base.older),
                                        column, CM_BASE_SEEN, NULL),
                            APR_HASH_KEY_STRING);
    return seen ? *seen : 0;
}

int cm_sender_has_seen(const cm_message_t *message, const char *column,
                       apr_int64_t here)
{
    return here && cm_sender_seen(message, column) == here;
}

int cm_sender_decided(const cm_record_t *record, const cm_effect_t *effect,
                      const cm_task_t *task, int column)
{
    const char *name = record->table->columns[column].name;
    const apr_int64_t here = cm_decided_clock(record, effect, column);
    int later = 0, own = 0, i;

    for (i = record->next; i < record->tasks->nelts; i++) {
        const cm_task_t *other = CM_NTH(record->tasks, i, cm_task_t);
        const cm_message_t *message = other->message;

        if (other->fault || !cm_sender_changed(message, name))
            continue;
        if (later && message->has_base &&
            (cm_sender_has_seen(message, name, here) ||
             (!own && cm_sender_base(message, name) == here)))
            return 1;
        own |= message->clocks.clock == here;
        later |= other == task;
    }
    return 0;
}

/* Return whether whoever sent MESSAGE has the value of COLUMN of clock HERE,
 * and did not make it. */
static int has_value(const cm_message_t *message, const char *column,
                     apr_int64_t here)
{
    return cm_clocks_of(&message->clocks, column) == here &&
           !cm_sender_changed(message, column);
}

/* Return the last change of COLUMN that waits behind TASK, if whoever made it
 * knew that of TASK, and all between; else NULL. That the sender has received
 * the value of clock HERE is no change. */
static const cm_task_t *last_change(const cm_record_t *record,
                                    const cm_task_t *task, const char *column,
                                    apr_int64_t here)
{
    apr_int64_t clock = cm_clocks_of(&task->message->clocks, column);
    const cm_task_t *last = NULL;
    int later = 0, i;

    for (i = record->next; i < record->tasks->nelts; i++) {
        const cm_task_t *other = CM_NTH(record->tasks, i, cm_task_t);
        const cm_message_t *message = other->message;

        if (later && cm_clocks_of(&message->clocks, column) != clock &&
            !has_value(message, column, here)) {
            if (other->fault || !cm_sender_changed(message, column) ||
                cm_sender_base(message, column) != clock)
                return NULL;
            clock = message->clocks.clock;
            last = other;
        }
        later |= other == task;
    }
    return last;
}

int cm_sender_returned(cm_run_t *run, const cm_record_t *record,
                       const cm_task_t *task, int column,
                       const cm_field_t *here)
{
    const cm_column_t *changed = &record->table->columns[column];
    const cm_task_t *last =
        last_change(record, task, changed->name, here->clock);
    cm_field_t field;

    if (!last || changed->named_by) /* that column may change alone */
        return 0;
    field = cm_apply_read_column(run, last, column);
    return field.value.kind != CM_ABSENT &&
           !cm_state_field_differs(&field, here);
}

int cm_sender_ended(const cm_record_t *record, const cm_task_t *task, int until)
{
    int later = 0, i;

    for (i = record->next; i < until; i++) {
        const cm_task_t *other = CM_NTH(record->tasks, i, cm_task_t);
        const cm_decision_e decision = other->item->decision;

        if (later && other->message->action == CM_DELETE)
            return !other->message->has_base && record->table->model->deletes &&
                   (decision == CM_DECIDE_NOT || decision == CM_DECIDE_THEIRS);
        later |= other == task;
    }
    return 0;
}
