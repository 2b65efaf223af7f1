/* Merging states: see state.h. */
#include "record/state.h"

#include <string.h>

#include <apr_strings.h>

cm_state_t *cm_state_create(int count, apr_pool_t *pool)
{
    cm_state_t *state = apr_pcalloc(pool, sizeof(*state));

    state->count = count;
    state->fields = apr_pcalloc(pool, sizeof(*state->fields) * (count + 1));
    return state;
}

void cm_state_clear(cm_state_t *state)
{
    memset(state->fields, 0, sizeof(*state->fields) * (state->count + 1));
    state->clock = state->deleted_at = state->elsewhere = 0;
}

cm_state_t *cm_state_copy(const cm_state_t *state, apr_pool_t *pool)
{
    cm_state_t *copy = apr_pmemdup(pool, state, sizeof(*state));

    copy->fields = apr_pmemdup(pool, state->fields,
                               sizeof(*state->fields) * (state->count + 1));
    return copy;
}

/* What refers to no record is NULL on all other nodes. */
static cm_value_t counted(const cm_field_t *field)
{
    const cm_value_t null = {.kind = CM_NULL};

    return field->dangling ? null : field->value;
}

/* Return how the name of the model of A compares with that of B. */
static int compare_names(const cm_field_t *a, const cm_field_t *b)
{
    const cm_value_t none = {.kind = CM_ABSENT};

    return cm_value_compare(a->name ? *a->name : none,
                            b->name ? *b->name : none);
}

int cm_state_field_wins(const cm_field_t *a, const cm_field_t *b)
{
    int order;

    if (a->value.kind == CM_ABSENT || b->value.kind == CM_ABSENT)
        return a->value.kind != CM_ABSENT;
    if (a->clock != b->clock)
        return a->clock > b->clock;
    order = cm_value_compare(counted(a), counted(b));
    return order ? order > 0 : compare_names(a, b) > 0;
}

int cm_state_field_differs(const cm_field_t *a, const cm_field_t *b)
{
    return cm_value_compare(a->value, b->value) || compare_names(a, b);
}

static void forget_fields(cm_state_t *state)
{
    int i;

    for (i = 0; i < state->count; i++)
        state->fields[i] = (cm_field_t){.value = {.kind = CM_ABSENT}};
}

static int join_fields(cm_state_t *state, const cm_state_t *incoming)
{
    int changed = 0, i;

    for (i = 0; i < state->count; i++) {
        if (!cm_state_field_wins(&incoming->fields[i], &state->fields[i]))
            continue;
        state->fields[i] = incoming->fields[i];
        changed = 1;
    }
    return changed;
}

int cm_state_join(cm_state_t *state, const cm_state_t *incoming)
{
    int changed = 0;

    if (incoming->deleted_at > state->deleted_at) {
        state->deleted_at = incoming->deleted_at;
        forget_fields(state);
        changed = 1;
    }
    if (!state->deleted_at)
        changed |= join_fields(state, incoming);
    if (incoming->elsewhere > state->elsewhere)
        state->elsewhere = incoming->elsewhere;
    if (incoming->clock > state->clock) {
        state->clock = incoming->clock;
        changed = 1;
    }
    return changed;
}

void cm_state_stamp(cm_state_t *incoming, const cm_state_t *state,
                    apr_int64_t now)
{
    int i;

    for (i = 0; i < incoming->count; i++) {
        cm_field_t *field = &incoming->fields[i];
        const cm_field_t *here = &state->fields[i];

        if (field->value.kind == CM_ABSENT)
            continue;
        field->clock = now;
        if (here->value.kind != CM_ABSENT &&
            !cm_state_field_differs(field, here))
            *field = (cm_field_t){.value = {.kind = CM_ABSENT}};
        else
            incoming->clock = now;
    }
}

int cm_state_conflicts(const cm_state_t *state, const cm_state_t *incoming,
                       int field, apr_int64_t base)
{
    const cm_field_t *here = &state->fields[field];
    const cm_field_t *there = &incoming->fields[field];

    return here->value.kind != CM_ABSENT && there->value.kind != CM_ABSENT &&
           here->clock > base && cm_state_field_differs(here, there);
}
