/* Merging states: the laws that make nodes converge, tried on every state of
 * two columns, and what is a conflict. */
#include <apr_general.h>
#include <apr_strings.h>

#include "record/state.h"
#include "../tap.h"

#define FIELDS 2

static const cm_field_t choices[] = {
    {.value = {CM_ABSENT, NULL, 0}, .clock = 0},
    {.value = {CM_NULL, NULL, 0}, .clock = 1},
    {.value = {CM_NULL, NULL, 0}, .clock = 2},
    {.value = {CM_TEXT, "a", 1}, .clock = 1},
    {.value = {CM_TEXT, "a", 1}, .clock = 2},
    {.value = {CM_TEXT, "b", 1}, .clock = 1},
    {.value = {CM_TEXT, "b", 1}, .clock = 2},
};
#define CHOICES (int)(sizeof(choices) / sizeof(*choices))

static int same(const cm_state_t *a, const cm_state_t *b)
{
    int i;

    if (a->clock != b->clock || a->deleted_at != b->deleted_at)
        return 0;
    for (i = 0; i < a->count; i++) {
        if (a->fields[i].clock != b->fields[i].clock ||
            a->fields[i].value.kind != b->fields[i].value.kind ||
            cm_value_compare(a->fields[i].value, b->fields[i].value))
            return 0;
    }
    return 1;
}

static cm_state_t *alive(const cm_field_t *first, const cm_field_t *second,
                         apr_pool_t *pool)
{
    cm_state_t *state = cm_state_create(FIELDS, pool);

    state->fields[0] = *first;
    state->fields[1] = *second;
    state->clock = first->clock > second->clock ? first->clock : second->clock;
    return state;
}

static cm_state_t *deleted(apr_int64_t clock, apr_pool_t *pool)
{
    cm_state_t *state = cm_state_create(FIELDS, pool);

    state->deleted_at = state->clock = clock;
    return state;
}

static cm_state_t *joined(const cm_state_t *a, const cm_state_t *b,
                          apr_pool_t *pool)
{
    cm_state_t *state = cm_state_copy(a, pool);

    (void)cm_state_join(state, b);
    return state;
}

static int all_states(cm_state_t **states, apr_pool_t *pool)
{
    int count = 0, i, j;

    for (i = 0; i < CHOICES; i++)
        for (j = 0; j < CHOICES; j++)
            states[count++] = alive(&choices[i], &choices[j], pool);
    states[count++] = deleted(1, pool);
    states[count++] = deleted(3, pool);
    return count;
}

static void test_laws(apr_pool_t *pool)
{
    cm_state_t *states[CHOICES * CHOICES + 2];
    int count = all_states(states, pool);
    int order = 0, repeat = 0, delay = 0, news = 0, i, j, k;
    apr_pool_t *iterpool;

    apr_pool_create(&iterpool, pool);
    for (i = 0; i < count; i++) {
        for (j = 0; j < count; j++) {
            cm_state_t *ij, *again;

            apr_pool_clear(iterpool);
            ij = joined(states[i], states[j], iterpool);
            again = cm_state_copy(ij, iterpool);
            order += !same(ij, joined(states[j], states[i], iterpool));
            news += cm_state_join(again, states[j]);
            repeat += !same(ij, again);
            for (k = 0; k < count; k++) {
                cm_state_t *jk = joined(states[j], states[k], iterpool);

                delay += !same(joined(ij, states[k], iterpool),
                               joined(states[i], jk, iterpool));
            }
        }
    }
    is_int(count, CHOICES * CHOICES + 2, "all states are tried");
    is_int(order, 0, "the order of two messages does not matter");
    is_int(repeat, 0, "a repeated message changes nothing");
    is_int(news, 0, "  and is known to tell nothing new");
    is_int(delay, 0, "how messages are put together does not matter");
}

static void test_winner(apr_pool_t *pool)
{
    cm_state_t *state = alive(&choices[4], &choices[5], pool);

    ok(cm_state_join(state, alive(&choices[5], &choices[4], pool)),
       "a newer column is news");
    is_str(state->fields[0].value.data, "a", "an older value loses");
    is_str(state->fields[1].value.data, "a", "a newer value wins");
    state = alive(&choices[4], &choices[0], pool);
    (void)cm_state_join(state, alive(&choices[6], &choices[1], pool));
    is_str(state->fields[0].value.data, "b",
           "on equal clocks the greater value wins");
    is_int(state->fields[1].value.kind, CM_NULL,
           "a value wins over one that is not there");
    ok(cm_state_join(state, deleted(1, pool)), "an older delete is news");
    ok(!cm_state_join(state, alive(&choices[6], &choices[6], pool)),
       "  and is not lifted by a change");
    is_int(state->fields[0].value.kind, CM_ABSENT, "  of any column");
}

static void test_stamp(apr_pool_t *pool)
{
    cm_state_t *here = alive(&choices[3], &choices[5], pool);
    cm_state_t *gem = alive(&choices[3], &choices[3], pool);

    gem->clock = 0;
    cm_state_stamp(gem, here, 9);
    is_int(gem->fields[0].value.kind, CM_ABSENT,
           "a gem's value that stands here already says nothing");
    is_int(gem->fields[1].clock, 9, "one that differs is of now");
    is_int(gem->clock, 9, "  and so is the record");
    gem = alive(&choices[3], &choices[5], pool);
    gem->clock = 0;
    cm_state_stamp(gem, here, 9);
    ok(!cm_state_join(here, gem), "a gem that says nothing new is no news");
}

static void test_conflict(apr_pool_t *pool)
{
    cm_state_t *here = alive(&choices[3], &choices[5], pool);
    cm_state_t *there = alive(&choices[6], &choices[5], pool);

    ok(!cm_state_conflicts(here, there, 0, 1),
       "a change of what the sender had seen is no conflict");
    ok(cm_state_conflicts(here, there, 0, 0),
       "a change of what it had not seen is one");
    ok(!cm_state_conflicts(here, there, 1, 0),
       "what is here already is no conflict");
    there = alive(&choices[4], &choices[0], pool);
    ok(!cm_state_conflicts(here, there, 0, 0),
       "the same value from two sides is none");
    ok(!cm_state_conflicts(here, there, 1, 0), "a value not sent is none");
}

/* Other nodes hold NULL where the record here refers to none. */
static void test_dangling(void)
{
    const cm_field_t here = {
        .value = {CM_TEXT, "z", 1}, .clock = 1, .dangling = 1};

    ok(cm_state_field_wins(&choices[3], &here),
       "at equal clocks a reference wins over one to no record");
    ok(!cm_state_field_wins(&here, &choices[3]), "  never the other way");
    ok(!cm_state_field_wins(&choices[1], &here), "  and NULL does not win");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_laws(pool);
    test_winner(pool);
    test_stamp(pool);
    test_conflict(pool);
    test_dangling();
    apr_terminate();
    return done_testing();
}
