/* Messages of one record, merged into one effect. */
#include "apply/apply.h"

#include <string.h>

#include <apr_strings.h>

#include "apply/lost.h"

static cm_error_t *hold(cm_apply_t *run, const cm_item_t *item,
                        const char *what)
{
    return cm_error_hint(
        CM_FAIL(run->pool, CM_CONFLICT, "%s was changed on both sides", what),
        run->pool,
        "`communicator-sync retry %s %" APR_INT64_T_FMT "` takes this "
        "message, `communicator-sync discard %s %" APR_INT64_T_FMT "` keeps "
        "what is here",
        run->peer, item->message->id, run->peer, item->message->id);
}

/* Return whether a conflict waits for a person. */
static int is_held(const cm_record_t *record, const cm_item_t *item)
{
    return record->table->model->conflict == CM_CONFLICT_HOLD &&
           item->decision == CM_DECIDE_NOT;
}

/* What stands here would be lost to a message that did not know it: return
 * whether it is to stay. */
static int wins_here(const cm_apply_t *run, const cm_record_t *record,
                     const cm_item_t *item)
{
    const cm_model_t *model = record->table->model;

    return item->decision == CM_DECIDE_OURS ||
           (model->conflict == CM_CONFLICT_NODE &&
            !strcmp(model->conflict_node, run->node->settings->name));
}

static void note_conflict(cm_apply_t *run, const cm_record_t *record,
                          const cm_item_t *item, int i, const cm_field_t *lost,
                          const cm_field_t *won)
{
    const cm_column_t *column = &record->table->columns[i];
    int reference = column->reference != NULL;
    cm_lost_t *row = apr_array_push(record->effect->conflicts);

    *row = (cm_lost_t){.record = record,
                       .column = column->name,
                       .lost = cm_lost_shown(lost, reference, run->pool),
                       .lost_clock = lost->clock,
                       .won = cm_lost_shown(won, reference, run->pool),
                       .won_clock = won->clock,
                       .peer = run->peer,
                       .message_id = item->message->id};
}

/* The clock that COLUMN had where the message was made, before it. */
static apr_int64_t base_of(const cm_message_t *message, const char *column)
{
    const apr_int64_t *clock;

    if (!message->base.older)
        return message->base.clock;
    clock = apr_hash_get(message->base.older, column, APR_HASH_KEY_STRING);
    return clock ? *clock : 0;
}

/* A person has decided there: a later message of the column knows of what is
 * here. */
static int is_decided_there(const cm_record_t *record, const cm_item_t *item,
                            const char *column, apr_int64_t here)
{
    int later = 0, i;

    for (i = record->next; i < record->items->nelts; i++) {
        const cm_item_t *other = CM_NTH(record->items, i, cm_item_t);
        const cm_message_t *message = other->message;

        if (later && !other->fault && message->has_base &&
            cm_clocks_of(&message->clocks, column) == message->clocks.clock &&
            base_of(message, column) >= here)
            return 1;
        later |= other == item;
    }
    return 0;
}

static int again_has(const cm_effect_t *effect, int column)
{
    int i;

    for (i = 0; i < effect->again->nelts; i++) {
        if (APR_ARRAY_IDX(effect->again, i, int) == column)
            return 1;
    }
    return 0;
}

/* Let *WINNER stand in COLUMN with the clock of both, and publish it again:
 * that makes it newer than what it would have lost to. */
static void settle(cm_apply_t *run, cm_record_t *record, const cm_item_t *item,
                   int column, cm_field_t *loser, const cm_field_t *winner)
{
    note_conflict(run, record, item, column, loser, winner);
    if (!again_has(record->effect, column))
        APR_ARRAY_PUSH(record->effect->again, int) = column;
    loser->value = winner->value;
    loser->source = winner->source;
}

/* Look for a conflict in one column that the message changed. */
static cm_error_t *check_column(cm_apply_t *run, cm_record_t *record,
                                const cm_item_t *item, cm_state_t *incoming,
                                int column)
{
    cm_effect_t *effect = record->effect;
    cm_field_t *here = &effect->state->fields[column];
    cm_field_t *there = &incoming->fields[column];
    const char *name = record->table->columns[column].name;
    int loses = cm_state_field_wins(there, here);

    if (there->clock != incoming->clock ||
        !cm_state_conflicts(effect->state, incoming, column,
                            base_of(item->message, name)))
        return NULL;
    if (is_held(record, item) &&
        !is_decided_there(record, item, name, here->clock))
        return hold(run, item, apr_psprintf(run->pool, "'%s'", name));
    if (loses && wins_here(run, record, item))
        settle(run, record, item, column, there, here);
    else if (!loses && item->decision == CM_DECIDE_THEIRS)
        settle(run, record, item, column, here, there);
    else
        note_conflict(run, record, item, column, loses ? here : there,
                      loses ? there : here);
    /* The other side may hold ours for a person, too: it is told. */
    if (item->decision && !again_has(effect, column))
        APR_ARRAY_PUSH(effect->again, int) = column;
    return NULL;
}

/* A change of a record that is deleted is lost, whenever it was made. */
static cm_error_t *check_deleted(cm_apply_t *run, cm_record_t *record,
                                 const cm_item_t *item,
                                 const cm_state_t *incoming)
{
    const cm_state_t *state = record->effect->state;
    const cm_field_t gone = {.clock = state->deleted_at};
    int i;

    for (i = 0; i < incoming->count && !incoming->deleted_at; i++) {
        const cm_field_t *there = &incoming->fields[i];

        if (there->value.kind != CM_ABSENT && there->clock == incoming->clock)
            note_conflict(run, record, item, i, there, &gone);
    }
    return NULL;
}

/* A delete of what was changed here since the sender saw it. */
static cm_error_t *check_delete(cm_apply_t *run, cm_record_t *record,
                                const cm_item_t *item,
                                const cm_state_t *incoming)
{
    const cm_state_t *state = record->effect->state;
    const cm_field_t gone = {.clock = incoming->deleted_at};
    int i;

    if (state->clock <= item->message->base.clock)
        return NULL;
    if (is_held(record, item))
        return hold(run, item, "the deleted record");
    if (item->decision == CM_DECIDE_OURS) {
        record->effect->reborn = record->exists;
        return NULL;
    }
    for (i = 0; i < state->count; i++) {
        const cm_field_t *here = &state->fields[i];

        if (here->value.kind != CM_ABSENT &&
            here->clock > item->message->base.clock)
            note_conflict(run, record, item, i, here, &gone);
    }
    return NULL;
}

/* A row that was adopted loses what the message says otherwise. */
static void check_adopted(cm_apply_t *run, cm_record_t *record,
                          const cm_item_t *item, const cm_state_t *incoming)
{
    int i;

    for (i = 0; i < incoming->count; i++) {
        const cm_field_t *here = &record->effect->state->fields[i];
        const cm_field_t *there = &incoming->fields[i];

        if (here->value.kind != CM_ABSENT && !here->source &&
            cm_state_field_wins(there, here) &&
            cm_value_compare(there->value, here->value))
            note_conflict(run, record, item, i, here, there);
    }
}

static cm_error_t *check_conflicts(cm_apply_t *run, cm_record_t *record,
                                   const cm_item_t *item, cm_state_t *incoming)
{
    int i;

    if (record->matched == CM_MATCH_FOUND && record->exists)
        check_adopted(run, record, item, incoming);
    /* Who creates a record has seen nothing of the one that is here. */
    if (!item->message->has_base && item->message->action != CM_CREATE)
        return NULL;
    if (record->effect->state->deleted_at)
        return check_deleted(run, record, item, incoming);
    if (incoming->deleted_at)
        return check_delete(run, record, item, incoming);
    for (i = 0; i < incoming->count; i++)
        CM_TRY(check_column(run, record, item, incoming, i));
    return NULL;
}

/* A gem's message gets the clocks that it lacks, and what it changed before:
 * from here on it is like any other. */
static void stamp_gem(cm_apply_t *run, const cm_record_t *record,
                      cm_item_t *item, cm_state_t *incoming)
{
    const cm_state_t *state = record->effect->state;
    cm_message_t *message = item->message;
    apr_int64_t clock = item->arrived;
    int i;

    if (!item->kept && clock <= state->clock)
        clock = state->clock + 1;
    cm_state_stamp(incoming, state, clock);
    if (!record->exists)
        incoming->clock = clock;
    message->clocks = (cm_clocks_t){.clock = clock};
    message->base = (cm_clocks_t){.clock = 0};
    for (i = 0; i < incoming->count; i++) {
        const cm_field_t *here = &state->fields[i];
        const char *name = record->table->columns[i].name;

        if (incoming->fields[i].value.kind != CM_ABSENT)
            cm_clocks_set(&message->base, name, here->clock, run->pool);
        else if (here->value.kind != CM_ABSENT)
            cm_clocks_set(&message->clocks, name, here->clock, run->pool);
    }
}

/* Refuse a message of a host whose clock is far ahead. What the record has seen
 * may be ahead, too: then nothing is won by it. */
static cm_error_t *check_clock(cm_apply_t *run, const cm_record_t *record,
                               const cm_item_t *item)
{
    const cm_message_t *message = item->message;
    apr_int64_t newest = message->clocks.clock, ahead, most;

    if (message->base.clock > newest)
        newest = message->base.clock;
    most = record->effect->state->clock + CM_CLOCK_AHEAD;
    if (newest <= most || item->decision == CM_DECIDE_THEIRS)
        return NULL;
    ahead = newest - cm_clocks_now();
    if (ahead <= CM_CLOCK_AHEAD)
        return NULL;
    return CM_FAIL(run->pool, CM_REJECTED,
                   "its clock is %.1f days ahead of this host's and of the "
                   "record's: correct the time of the host that is wrong "
                   "(NTP); the message is applied when its time has come, or "
                   "now by `communicator-sync retry %s %" APR_INT64_T_FMT "`",
                   (double)ahead / CM_CLOCK_AHEAD, run->peer, message->id);
}

static cm_error_t *merge_item(cm_apply_t *run, cm_record_t *record, int i)
{
    cm_item_t *item = CM_NTH(record->items, i, cm_item_t);
    cm_effect_t *effect = record->effect;
    int again = effect->again->nelts;
    cm_state_t *incoming;

    if (item->fault)
        return cm_error_copy(item->fault, run->pool);
    if (item->message->action == CM_DELETE && !record->table->model->deletes)
        return NULL;
    if (item->message->from_gem)
        item->message->clocks = (cm_clocks_t){.clock = 0};
    else
        CM_TRY(check_clock(run, record, item));
    incoming = cm_apply_read_item(run, item);
    if (item->message->from_gem && !effect->state->deleted_at)
        stamp_gem(run, record, item, incoming);
    CM_TRY(check_conflicts(run, record, item, incoming));
    effect->news[i] = (char)(cm_state_join(effect->state, incoming) ||
                             effect->again->nelts > again);
    return NULL;
}

/* The clocks of the record as it will be, for its mapping. */
static cm_clocks_t clocks_of_state(const cm_table_t *table,
                                   const cm_state_t *state, apr_pool_t *pool)
{
    cm_clocks_t clocks = {.clock = state->clock};
    int i;

    for (i = 0; i < state->count && !state->deleted_at; i++) {
        if (cm_table_settable(table, table->columns[i].name) >= 0)
            cm_clocks_set(&clocks, table->columns[i].name,
                          state->fields[i].clock, pool);
    }
    return clocks;
}

static void make_mapping(cm_apply_t *run, cm_record_t *record, int news)
{
    cm_effect_t *effect = record->effect;
    const cm_known_t *known = record->known;
    cm_mapping_t *mapping = &effect->mapping;

    if (known && known->mapping)
        *mapping = *known->mapping;
    else if (known)
        mapping->identity = known->identity;
    mapping->type = record->table->model->type;
    mapping->clocks = clocks_of_state(record->table, effect->state, run->pool);
    mapping->deleted_at = effect->state->deleted_at;
    if (mapping->deleted_at) {
        effect->buried_id =
            record->exists ? record->local_id : mapping->local_id;
        mapping->local_id = NULL;
    }
    else if (record->exists)
        mapping->local_id = record->local_id;
    mapping->changed = 1;
    effect->save = news || effect->kind != CM_EFFECT_NONE ||
                   (record->exists && !known->mapping);
}

static cm_effect_e kind_of(const cm_record_t *record, int news)
{
    int deleted = record->effect->state->deleted_at != 0;

    if (record->effect->reborn)
        return CM_EFFECT_NONE;
    if (record->exists)
        return deleted ? CM_EFFECT_DELETE
               : news  ? CM_EFFECT_UPDATE
                       : CM_EFFECT_NONE;
    return deleted || (record->known && !news) ? CM_EFFECT_NONE
                                               : CM_EFFECT_CREATE;
}

/* A record that cannot be without its parent, which is deleted, is deleted with
 * it: where the parent was deleted its row is gone already, taken along by a
 * foreign key, which MariaDB's triggers do not see. The values that the
 * messages bring are kept as lost, and all of a row that is here. */
static cm_error_t *go_with_parent(cm_apply_t *run, cm_record_t *record,
                                  int until)
{
    const cm_item_t *item = CM_NTH(record->items, until - 1, cm_item_t);
    cm_effect_t *effect = record->effect;
    cm_state_t *gone = cm_state_create(effect->state->count, run->pool);
    cm_field_t none = {.value = {.kind = CM_ABSENT}};
    int i;

    gone->clock = effect->lost->mapping->deleted_at;
    if (effect->state->clock > gone->clock)
        gone->clock = effect->state->clock;
    gone->deleted_at = none.clock = gone->clock;
    for (i = 0; i < gone->count; i++) {
        const cm_field_t *field = &effect->state->fields[i];

        if (field->value.kind != CM_ABSENT &&
            (record->exists || field->clock > record->state->clock))
            note_conflict(run, record, item, i, field, &none);
    }
    cm_state_join(effect->state, gone);
    effect->kind = kind_of(record, 1);
    return cm_cells_make(run, record);
}

/* Return whether RECORD is to go with a parent that is deleted. */
static int is_orphan(const cm_record_t *record)
{
    return record->effect->lost && record->known &&
           record->table->model->deletes;
}

static void begin_effect(cm_apply_t *run, cm_record_t *record, int until,
                         int partial)
{
    cm_effect_t *effect = apr_pcalloc(run->pool, sizeof(*effect));

    effect->until = until;
    effect->partial = partial;
    effect->state = cm_state_copy(record->state, run->pool);
    effect->news = apr_pcalloc(run->pool, record->items->nelts + 1);
    effect->conflicts = apr_array_make(run->pool, 0, sizeof(cm_lost_t));
    effect->again = apr_array_make(run->pool, 0, sizeof(int));
    record->effect = effect;
}

cm_error_t *cm_effect_make(cm_apply_t *run, cm_record_t *record, int until,
                           int partial)
{
    cm_error_t *err;
    int news = 0, i;

    begin_effect(run, record, until, partial);
    if (record->unreadable)
        return cm_error_copy(record->unreadable, run->pool);
    for (i = record->next; i < until; i++) {
        CM_TRY(merge_item(run, record, i));
        news |= record->effect->news[i];
    }
    record->effect->kind = kind_of(record, news);
    err = cm_cells_make(run, record);
    if (!err && record->lost && record->effect->kind == CM_EFFECT_CREATE) {
        record->effect->lost = record->lost;
        err = CM_FAIL(run->pool, CM_REJECTED, "its row is gone");
    }
    if (err && is_orphan(record)) {
        err = go_with_parent(run, record, until);
        news = 1;
    }
    if (err)
        return err;
    make_mapping(run, record, news);
    return NULL;
}
