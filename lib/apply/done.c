/* After an effect has been written: what is here now. */
#include "apply/apply.h"

#include <apr_strings.h>

#include "node/graves.h"
#include "outbox/aliases.h"
#include "apply/lost.h"

/* Remember a record that has just been deleted, and might have more names. */
static void note_burial(cm_apply_t *run, const cm_record_t *record)
{
    const cm_effect_t *effect = record->effect;
    const cm_identity_t *by = NULL;
    int i;

    if (!effect->state->deleted_at || record->state->deleted_at ||
        !record->known || !record->known->mapping ||
        !record->known->mapping->id || !record->table->model->match->nelts)
        return;
    for (i = record->next; i < effect->until; i++) {
        const cm_item_t *item = CM_NTH(record->items, i, cm_item_t);

        if (item->message->action == CM_DELETE)
            by = &item->message->identity;
    }
    APR_ARRAY_PUSH(run->burials, cm_burial_t) =
        (cm_burial_t){.model = record->table->model,
                      .mapping = *record->known->mapping,
                      .clock = effect->state->deleted_at,
                      .base = record->state->clock,
                      .by = by};
}

static void keep_mapping(cm_apply_t *run, cm_record_t *record)
{
    const cm_mapping_t *mapping = &record->effect->mapping;
    cm_known_t *known = record->known;

    if (!known) {
        known = cm_known_get(run, record->table->model, mapping->identity);
        known->record = record;
        record->known = known;
    }
    if (!known->mapping)
        known->mapping = apr_pcalloc(run->pool, sizeof(*known->mapping));
    *known->mapping = *mapping;
    known->mapping->changed = 0;
    known->stored = 1;
    known->local_id = mapping->deleted_at ? NULL : mapping->local_id;
}

static void keep_state(cm_apply_t *run, cm_record_t *record)
{
    const cm_effect_t *effect = record->effect;
    int i;

    record->state = effect->state;
    record->raw = effect->raw;
    for (i = 0; i < record->state->count; i++)
        record->state->fields[i].source = NULL;
    if (effect->kind == CM_EFFECT_CREATE) {
        record->exists = 1;
        record->local_id = effect->mapping.local_id;
        run->created++;
    }
    if (effect->kind == CM_EFFECT_DELETE || effect->reborn)
        record->exists = 0;
    record->matched = CM_MATCH_NONE;
}

static void finish_items(cm_apply_t *run, cm_record_t *record)
{
    const cm_effect_t *effect = record->effect;
    int i;

    for (i = record->next; i < effect->until; i++) {
        cm_item_t *item = CM_NTH(record->items, i, cm_item_t);

        item->done = !effect->partial;
        item->error = NULL;
        item->news |= effect->news[i];
    }
    if (!effect->partial)
        record->next = effect->until;
    record->error = NULL;
    apr_array_cat(run->conflicts, effect->conflicts);
    if (effect->again->nelts || effect->reborn || effect->lost) {
        cm_again_t *again = apr_array_push(run->again);

        *again = (cm_again_t){record, effect->again, effect->reborn,
                              effect->lost != NULL};
    }
}

/* Remember what the record was called here. */
static void note_grave(cm_apply_t *run, const cm_record_t *record)
{
    const cm_effect_t *effect = record->effect;

    if (effect->buried_id)
        APR_ARRAY_PUSH(run->graves, cm_grave_t) = (cm_grave_t){
            record->table->model, effect->buried_id, effect->mapping.identity};
}

void cm_done_effect(cm_apply_t *run, cm_record_t *record)
{
    note_burial(run, record);
    note_grave(run, record);
    if (record->effect->save)
        keep_mapping(run, record);
    keep_state(run, record);
    finish_items(run, record);
    record->effect = NULL;
}
