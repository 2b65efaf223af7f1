/* Merging: what the next messages of a record change. */
#include "apply/sender_internal.h"
#include "apply/heirs_internal.h"

#include <string.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "record/reference.h"

/* A record that is being merged. */
typedef struct merging_t {
    cm_run_t *run;
    cm_record_t *record;
    cm_effect_t *effect;
} merging_t;

static cm_error_t *hold(cm_run_t *run, const cm_task_t *task, const char *what)
{
    return cm_error_hint(
        CM_FAIL(run->pool, CM_CONFLICT, "%s " CM_CONFLICT_HELD, what),
        run->pool,
        "`communicator-sync retry %s %" APR_INT64_T_FMT "` applies this "
        "message, `communicator-sync discard %s %" APR_INT64_T_FMT "` keeps "
        "what is here",
        run->peer, task->message->id, run->peer, task->message->id);
}

/* Return whether a conflict of RECORD waits for a person to decide. */
static int is_held(const cm_record_t *record, const cm_task_t *task)
{
    return record->table->model->conflict == CM_CONFLICT_HOLD &&
           task->item->decision == CM_DECIDE_NOT;
}

/* Return whether HERE stays, although it is older than a value of TASK. One
 * that came with a message before it, which could not be applied alone, is no
 * value of this node. */
static int wins_here(const cm_run_t *run, const cm_record_t *record,
                     const cm_task_t *task, const cm_field_t *here)
{
    const cm_model_t *model = record->table->model;

    return task->item->decision == CM_DECIDE_OURS ||
           (model->conflict == CM_CONFLICT_NODE && !here->source &&
            !strcmp(model->conflict_node, run->node->settings->name));
}

/* Note that the value LOST of column I lost to WON. */
static void note_conflict(const merging_t *at, const cm_task_t *task, int i,
                          const cm_field_t *lost, const cm_field_t *won)
{
    cm_conflicts_note(at->run, at->record, task->message, i, lost, won);
}

/* Return whether whoever made MESSAGE knew no more than the value that has lost
 * to the one here of COLUMN. */
static int is_upheld(const merging_t *at, const cm_message_t *message,
                     int column)
{
    const cm_decided_t *decided =
        cm_decided_upheld(at->record, at->effect, column);

    return decided &&
           !cm_sender_has_seen(message, at->record->table->columns[column].name,
                               decided->here);
}

/* Return the base of column I in MESSAGE, or of the column that names its
 * model, if that is newer. */
static apr_int64_t base_of(const merging_t *at, const cm_message_t *message,
                           int i)
{
    const cm_column_t *column = &at->record->table->columns[i];
    apr_int64_t base = cm_sender_base(message, column->name), other;

    other = column->named_by ? cm_sender_base(message, column->named_by->name)
                             : base;
    return other > base ? other : base;
}

/* Return whether a person decides about TASK who leaves COLUMN as it was
 * decided there: that follows. */
static int is_left(const merging_t *at, const cm_task_t *task, int column)
{
    return task->item->decision != CM_DECIDE_NOT &&
           at->record->table->model->conflict != CM_CONFLICT_NODE &&
           cm_sender_decided(at->record, at->effect, task, column);
}

/* Let one of the two values of COLUMN win, and note the other one. */
static void settle_column(const merging_t *at, const cm_task_t *task,
                          cm_field_t *there, int column)
{
    cm_field_t *here = &at->effect->state->fields[column];
    const cm_decision_e decision = task->item->decision;
    const apr_int64_t clock = cm_decided_clock(at->record, at->effect, column);
    const int left = is_left(at, task, column);
    int loses = cm_state_field_wins(there, here);
    /* what follows seems to know ours, too, if both have the same clock */
    int is_ours =
        loses ? wins_here(at->run, at->record, task, here)
              : decision == CM_DECIDE_OURS && there->clock == here->clock;
    int takes_theirs = !loses && !left && decision == CM_DECIDE_THEIRS;

    if (loses ? is_ours : !takes_theirs)
        note_conflict(at, task, column, there, here);
    else
        note_conflict(at, task, column, here, there);
    if (is_ours)
        cm_decided_replace(there, here);
    if (takes_theirs)
        cm_decided_replace(here, there);
    /* our value may be parked there for a person, too: send the decision */
    if (!left && (is_ours || decision != CM_DECIDE_NOT))
        cm_decided_note(at->effect,
                        (cm_decided_t){column, there->clock,
                                       loses ? !is_ours : takes_theirs,
                                       takes_theirs, is_ours, clock});
}

/* Return whether COLUMN has its value from one of the messages that are merged
 * here: they are merged again when a record of a cycle is completed. That of a
 * reference, with the clock of THERE, may have been left for then. */
static int is_merged(const merging_t *at, int column, const cm_field_t *there)
{
    const cm_record_t *record = at->record;
    const cm_column_t *merged = &record->table->columns[column];
    const apr_int64_t clock = at->effect->state->fields[column].clock;
    int i;

    if (!record->kept || (cm_reference_is(merged) && clock == there->clock))
        return 0;
    for (i = record->next; i < at->effect->until; i++)
        if (cm_clocks_of(
                &CM_NTH(record->tasks, i, const cm_task_t)->message->clocks,
                merged->name) == clock)
            return 1;
    return 0;
}

/* Look for a conflict in one column that the message changed. */
static cm_error_t *check_column(const merging_t *at, const cm_task_t *task,
                                cm_state_t *incoming, int column)
{
    cm_field_t *here = &at->effect->state->fields[column];
    cm_field_t *there = &incoming->fields[column];
    const char *name = at->record->table->columns[column].name;
    const cm_decided_t *ours =
        cm_decided_upheld(at->record, at->effect, column);
    const int unknown = is_upheld(at, task->message, column);
    const apr_int64_t base = unknown ? 0 : base_of(at, task->message, column);

    if (there->clock != incoming->clock)
        return NULL;
    if (!cm_state_conflicts(at->effect->state, incoming, column, base)) {
        if (there->value.kind != CM_ABSENT && here->clock > base)
            (void)cm_decided_follow(at->record, at->effect, task->message,
                                    column, there, base);
        return NULL;
    }
    if (!ours && is_merged(at, column, there)) {
        if (there->clock == here->clock)
            cm_decided_replace(there, here);
        return NULL;
    }
    if (cm_decided_follow(at->record, at->effect, task->message, column, there,
                          base))
        return NULL;
    if (is_held(at->record, task) &&
        !cm_sender_decided(at->record, at->effect, task, column) &&
        !cm_sender_returned(at->run, at->record, task, column, here) &&
        !cm_sender_ended(at->record, task, at->effect->until))
        return hold(at->run, task, apr_psprintf(at->run->pool, "'%s'", name));
    settle_column(at, task, there, column);
    return NULL;
}

/* A change of a deleted record loses, whenever it was made. */
static cm_error_t *check_deleted(const merging_t *at, const cm_task_t *task,
                                 const cm_state_t *incoming)
{
    const cm_state_t *state = at->effect->state;
    const cm_field_t gone = {.clock = state->deleted_at};
    int i;

    for (i = 0; i < incoming->count && !incoming->deleted_at; i++) {
        const cm_field_t *there = &incoming->fields[i];

        if (there->value.kind != CM_ABSENT && there->clock == incoming->clock)
            note_conflict(at, task, i, there, &gone);
    }
    return NULL;
}

/* Return whether column I was changed here since the sender of MESSAGE, a
 * delete, received it; or is of a row that was no record. */
static int is_unknown_there(const merging_t *at, const cm_message_t *message,
                            int i)
{
    const cm_field_t *here = &at->effect->state->fields[i];
    const cm_table_t *table = at->record->table;
    const char *name = table->columns[i].name;
    const apr_int64_t base = cm_sender_base(message, name);
    const int is_kept = at->record->match == CM_MATCH_FOUND && !here->clock;

    return here->value.kind != CM_ABSENT &&
           (here->clock > base || is_kept || is_upheld(at, message, i) ||
            cm_sender_skipped(message, table, name, here->clock)) &&
           !cm_decided_is_theirs(at->record, at->effect, message, i, base);
}

/* Return whether column I is lost with the row, though the sender of MESSAGE
 * may have known its value: another record continues this one, and the sender,
 * which does not have the column, could not bring it. */
static int is_left_behind(const merging_t *at, const cm_message_t *message,
                          int i)
{
    const char *name = at->record->table->columns[i].name;

    return message->counterpart.original_id && message->base.older &&
           at->effect->state->fields[i].value.kind > CM_NULL &&
           !apr_hash_get(message->base.older, name, APR_HASH_KEY_STRING);
}

/* A delete of a record that was changed here since the sender received it. */
static cm_error_t *check_delete(const merging_t *at, const cm_task_t *task,
                                const cm_state_t *incoming)
{
    const cm_state_t *state = at->effect->state;
    const cm_field_t gone = {.clock = incoming->deleted_at};
    int i, unknown = 0;

    for (i = 0; i < state->count; i++)
        unknown |= is_unknown_there(at, task->message, i);
    if (unknown && is_held(at->record, task))
        return hold(at->run, task, "the deleted record");
    if (unknown && task->item->decision == CM_DECIDE_OURS) {
        at->effect->revived = at->record->here->exists;
        return NULL;
    }
    for (i = 0; i < state->count; i++)
        if (is_unknown_there(at, task->message, i) ||
            is_left_behind(at, task->message, i))
            note_conflict(at, task, i, &state->fields[i], &gone);
    return NULL;
}

/* Return whether MESSAGE changed column I, and its sender knew the value HERE.
 */
static int is_known_there(const merging_t *at, const cm_message_t *message,
                          int i, const cm_field_t *here)
{
    return message->has_base && here->clock &&
           cm_sender_changed(message, at->record->table->columns[i].name) &&
           base_of(at, message, i) >= here->clock;
}

/* An adopted row loses the values that differ from the message, unless its
 * sender knew them. */
static void check_adopted(const merging_t *at, const cm_task_t *task,
                          const cm_state_t *incoming)
{
    int i;

    for (i = 0; i < incoming->count; i++) {
        const cm_field_t *here = &at->effect->state->fields[i];
        const cm_field_t *there = &incoming->fields[i];

        if (here->value.kind != CM_ABSENT && !here->source &&
            cm_state_field_wins(there, here) &&
            cm_state_field_differs(there, here) &&
            !is_known_there(at, task->message, i, here))
            note_conflict(at, task, i, here, there);
    }
}

/* Return whether a person keeps the row against the delete in TASK. */
static int is_revived(const merging_t *at, const cm_task_t *task)
{
    return task->item->decision == CM_DECIDE_REVIVE &&
           task->message->action == CM_DELETE && at->record->here->exists;
}

static cm_error_t *check_known(const merging_t *at, const cm_task_t *task,
                               cm_state_t *incoming)
{
    int i;

    /* a create: the sender did not know the record here */
    if (!task->message->has_base && task->message->action != CM_CREATE)
        return NULL;
    if (at->effect->state->deleted_at)
        return check_deleted(at, task, incoming);
    if (incoming->deleted_at)
        return check_delete(at, task, incoming);
    for (i = 0; i < incoming->count; i++)
        CM_TRY(check_column(at, task, incoming, i));
    return NULL;
}

static cm_error_t *check_conflicts(const merging_t *at, const cm_task_t *task,
                                   cm_state_t *incoming)
{
    if (is_revived(at, task)) {
        at->effect->revived = 1;
        return NULL;
    }
    cm_decided_keep(at->record, at->effect, task->message, incoming);
    CM_TRY(check_known(at, task, incoming));
    if (at->record->match == CM_MATCH_FOUND && at->record->here->exists)
        check_adopted(at, task, incoming);
    return NULL;
}

int cm_merge_field_of(const cm_table_t *table, int i)
{
    const cm_column_t *reference = table->columns[i].names;

    return reference ? (int)(reference - table->columns) : i;
}

/* Refuse a clock that is far ahead, unless a person has taken the message. */
static cm_error_t *check_clock(const merging_t *at, const cm_task_t *task)
{
    const cm_message_t *message = task->message;
    const apr_int64_t now = cm_clock_now(), clock = message->clocks.clock;
    const apr_int64_t base = message->base.clock;

    if (task->item->decision == CM_DECIDE_THEIRS ||
        !cm_message_is_ahead(message, at->effect->state->clock, now))
        return NULL;
    return CM_FAIL(
        at->run->pool, CM_REJECTED,
        "its clock is %.1f days ahead of this host's and of the "
        "record's: correct the time of the host that is wrong "
        "(NTP); the message is applied when that time is reached, "
        "or now by `communicator-sync retry %s %" APR_INT64_T_FMT "`",
        (double)((clock > base ? clock : base) - now) / CM_CLOCK_AHEAD,
        at->run->peer, message->id);
}

/* Note in INCOMING the clock of columns that are not here. A new record whose
 * message has none is known as it is. */
static void read_elsewhere(const merging_t *at, const cm_task_t *task,
                           cm_state_t *incoming)
{
    incoming->elsewhere = cm_sender_elsewhere(task->message, at->record->table);
    if (incoming->elsewhere > incoming->clock || /* a gem changed nothing */
        (!incoming->elsewhere && !at->effect->state->clock))
        incoming->elsewhere = incoming->clock;
}

/* Return whether MESSAGE, which brings INCOMING, changes what is not here, of a
 * record that lives: another node may have that, and need it, even if there are
 * newer changes. */
static int is_for_others(const cm_state_t *state, const cm_message_t *message,
                         const cm_state_t *incoming)
{
    return !state->deleted_at && message->has_base &&
           incoming->elsewhere == incoming->clock;
}

static cm_error_t *merge_task(const merging_t *at, int i)
{
    cm_task_t *task = CM_NTH(at->record->tasks, i, cm_task_t);
    cm_effect_t *effect = at->effect;
    int republished = effect->republish->nelts;
    cm_state_t *incoming;

    if (task->fault)
        return cm_error_copy(task->fault, at->run->pool);
    if (task->message->action == CM_DELETE &&
        !at->record->table->model->deletes)
        return NULL;
    if (task->message->from_gem)
        task->message->clocks = (cm_clocks_t){.clock = 0};
    else
        CM_TRY(check_clock(at, task));
    incoming = cm_apply_read_task(at->run, task);
    if (task->message->from_gem && !effect->state->deleted_at)
        cm_concurrent_stamp(at->run, at->record, task, incoming);
    read_elsewhere(at, task, incoming);
    CM_TRY(check_conflicts(at, task, incoming));
    effect->changed[i] =
        (char)(cm_state_join(effect->state, incoming) ||
               effect->republish->nelts > republished ||
               is_for_others(effect->state, task->message, incoming));
    return NULL;
}

/* Return the clocks of STATE, for the mapping. */
static cm_clocks_t clocks_of_state(const cm_table_t *table,
                                   const cm_state_t *state, apr_pool_t *pool)
{
    cm_clocks_t clocks = {.clock = state->clock};
    int i;

    if (!state->deleted_at)
        clocks.elsewhere = state->elsewhere;

    for (i = 0; i < state->count && !state->deleted_at; i++) {
        if (cm_table_settable(table, table->columns[i].name) >= 0)
            cm_clocks_set(&clocks, table->columns[i].name,
                          state->fields[cm_merge_field_of(table, i)].clock,
                          pool);
    }
    return clocks;
}

static void make_mapping(const merging_t *at, int changed)
{
    cm_effect_t *effect = at->effect;
    const cm_entry_t *entry = at->record->entry;
    cm_mapping_t *mapping = &effect->mapping;

    if (entry && entry->found->mapping)
        *mapping = *entry->found->mapping;
    else if (entry)
        mapping->identity = entry->identity;
    mapping->type = at->record->table->model->type;
    mapping->clocks =
        clocks_of_state(at->record->table, effect->state, at->run->pool);
    mapping->deleted_at = effect->state->deleted_at;
    /* a record that was deleted before has no row, or a person keeps it */
    if (mapping->deleted_at && !at->record->here->state->deleted_at) {
        effect->buried_id = at->record->here->exists
                                ? at->record->here->local_id
                                : mapping->local_id;
        mapping->local_id = NULL;
        mapping->heir = cm_heirs_first(at->record);
    }
    else if (at->record->here->exists)
        mapping->local_id = at->record->here->local_id;
    mapping->changed = 1;
    effect->save = changed || effect->kind != CM_EFFECT_NONE ||
                   (at->record->here->exists && !entry->found->mapping);
}

static cm_effect_e kind_of(const merging_t *at, int changed)
{
    const cm_record_t *record = at->record;
    int deleted = at->effect->state->deleted_at != 0;

    if (at->effect->revived)
        return CM_EFFECT_NONE;
    if (record->here->exists)
        return deleted   ? CM_EFFECT_DELETE
               : changed ? CM_EFFECT_UPDATE
                         : CM_EFFECT_NONE;
    return deleted || (record->entry && !changed) ? CM_EFFECT_NONE
                                                  : CM_EFFECT_CREATE;
}

/* Delete a record whose NOT NULL reference is to a deleted parent: where the
 * parent was deleted, a foreign key deleted the record's row, too, without
 * MariaDB's triggers noticing. The values in the messages, and all values of a
 * row here, are recorded as conflicts. */
static cm_error_t *go_with_parent(const merging_t *at, int until)
{
    const cm_task_t *task = CM_NTH(at->record->tasks, until - 1, cm_task_t);
    cm_effect_t *effect = at->effect;
    cm_state_t *gone = cm_state_create(effect->state->count, at->run->pool);
    cm_field_t none = {.value = {.kind = CM_ABSENT}};
    int i;

    gone->clock = effect->dead_parent->found->mapping->deleted_at;
    if (effect->state->clock > gone->clock)
        gone->clock = effect->state->clock;
    gone->deleted_at = none.clock = gone->clock;
    for (i = 0; i < gone->count; i++) {
        const cm_field_t *field = &effect->state->fields[i];

        if (field->value.kind != CM_ABSENT &&
            (at->record->here->exists ||
             field->clock > at->record->here->state->clock))
            note_conflict(at, task, i, field, &none);
    }
    cm_state_join(effect->state, gone);
    effect->kind = kind_of(at, 1);
    return cm_cells_make(at->run, at->record, effect);
}

/* Return whether the record lives in spite of that: its later messages, which
 * are here, too, give it another parent. */
static int lives_on(const merging_t *at)
{
    cm_record_t *record = at->record;
    const cm_error_t *err;
    int lives;

    if (at->effect->until == record->tasks->nelts)
        return 0;
    err = cm_merge_record(at->run, record, record->tasks->nelts,
                          at->effect->partial);
    lives = (!err || err->code == CM_WAITS) && !record->effect->dead_parent &&
            !record->effect->state->deleted_at;
    record->effect = at->effect;
    return lives;
}

static cm_effect_t *begin_effect(const cm_run_t *run, const cm_record_t *record,
                                 int until, cm_partial_e partial)
{
    cm_effect_t *effect = apr_pcalloc(run->pool, sizeof(*effect));
    int i;

    effect->until = until;
    effect->partial = partial;
    effect->state = cm_state_copy(record->here->state, run->pool);
    for (i = 0; i < effect->state->count; i++)
        effect->state->fields[i].source = NULL;
    effect->changed = apr_pcalloc(run->pool, record->tasks->nelts + 1);
    effect->conflicts = apr_array_make(run->pool, 0, sizeof(cm_conflict_t));
    effect->republish = apr_array_make(run->pool, 0, sizeof(cm_decided_t));
    return effect;
}

/* Fail while an earlier life of a shared key has messages that are not done:
 * both lives have the same row. */
static cm_error_t *check_earlier(const cm_run_t *run, const cm_record_t *record)
{
    const cm_record_t *earlier = record->earlier;
    const cm_task_t *first;

    if (!earlier || !cm_rounds_pending(earlier))
        return NULL;
    first = CM_NTH(earlier->tasks, earlier->next, const cm_task_t);
    return CM_FAIL(run->pool, CM_WAITS,
                   "message %" APR_INT64_T_FMT
                   " of an earlier record with the same key is parked",
                   first->message->id);
}

/* Fill the effect. Fails with what parks the tasks. */
static cm_error_t *make_effect(const merging_t *at)
{
    const cm_record_t *record = at->record;
    cm_effect_t *effect = at->effect;
    int changed = 0, i;
    cm_error_t *err;

    CM_TRY(check_earlier(at->run, record));
    if (record->same)
        return cm_error_copy(record->same, at->run->pool);
    if (record->here->unreadable)
        return cm_error_copy(record->here->unreadable, at->run->pool);
    for (i = record->next; i < effect->until; i++) {
        CM_TRY(merge_task(at, i));
        changed |= effect->changed[i];
    }
    effect->kind = kind_of(at, changed);
    err = cm_cells_make(at->run, record, effect);
    if (err && effect->dead_parent && record->entry &&
        record->table->model->deletes && !lives_on(at)) {
        err = go_with_parent(at, effect->until);
        changed = 1;
    }
    if (err)
        return err;
    make_mapping(at, changed);
    return NULL;
}

cm_error_t *cm_merge_record(cm_run_t *run, cm_record_t *record, int until,
                            cm_partial_e partial)
{
    const merging_t at = {run, record,
                          begin_effect(run, record, until, partial)};

    record->effect = at.effect;
    return make_effect(&at);
}
