/* What a person, or conflict=NODE, has decided of columns. */
#include "apply/sender_internal.h"

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

int cm_decided_is_theirs(const cm_effect_t *effect, int column,
                         apr_int64_t base)
{
    const cm_decided_t *decided = decided_in(effect->republish, column);

    return decided && decided->is_theirs && decided->seen <= base &&
           decided->here == effect->state->fields[column].clock;
}

int cm_decided_follow(cm_effect_t *effect, int column, cm_field_t *there,
                      apr_int64_t base)
{
    cm_field_t *here = &effect->state->fields[column];

    if (!cm_decided_is_theirs(effect, column, base))
        return 0;
    if (!cm_state_field_wins(there, here))
        cm_decided_replace(here, there);
    cm_decided_note(effect, (cm_decided_t){.column = column,
                                           .seen = there->clock,
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
    const cm_decided_t *decided = decided_in(effect->republish, column);

    if (!decided)
        decided = decided_in(record->decided, column);
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
