/* See shrink.h. */
#include "shrink.h"

#include <string.h>

typedef struct shrink_t {
    sim_history_t *history;
    sim_try_t *fails;
    void *baton;
    const char *failure;
} shrink_t;

/* Whether it fails in the same way, by the word for the kind. */
static int still_fails(shrink_t *shrink)
{
    const char *found = shrink->fails(shrink->history, shrink->baton);
    size_t kind = strcspn(shrink->failure, ":") + 1;

    if (!found || strncmp(found, shrink->failure, kind))
        return 0;
    shrink->failure = found;
    return 1;
}

/* Leave out up to COUNT steps from FIRST on, if that is possible; return
 * whether it was. */
static int leave_out(shrink_t *shrink, int first, int count)
{
    sim_step_t *steps = (sim_step_t *)shrink->history->steps->elts;
    int end = first + count, i, some = 0;

    if (end > shrink->history->steps->nelts)
        end = shrink->history->steps->nelts;
    for (i = first; i < end; i++)
        if (!steps[i].gone) {
            steps[i].gone = 2;
            some = 1;
        }
    if (some && !still_fails(shrink))
        some = 0;
    for (i = first; i < end; i++)
        if (steps[i].gone == 2)
            steps[i].gone = some;
    return some;
}

static int shrink_steps(shrink_t *shrink)
{
    int count = shrink->history->steps->nelts, size, first, some = 0;

    for (size = (count + 1) / 2; size; size /= 2)
        for (first = 0; first < count; first += size)
            some |= leave_out(shrink, first, size);
    return some;
}

static int try_flag(shrink_t *shrink, int *flag)
{
    if (*flag)
        return 0;
    *flag = 1;
    if (still_fails(shrink))
        return 1;
    *flag = 0;
    return 0;
}

static int shrink_schema(shrink_t *shrink, sim_schema_t *schema)
{
    int i, j, some = 0;

    for (i = 0; i < schema->count; i++)
        some |= try_flag(shrink, &schema->tables[i].gone);
    for (i = 0; i < schema->count; i++)
        for (j = schema->tables[i].joined;
             !schema->tables[i].gone && j < schema->tables[i].count; j++)
            if (j != schema->tables[i].match)
                some |= try_flag(shrink, &schema->tables[i].columns[j].gone);
    return some;
}

/* Try values that are simpler. */
static int try_number(shrink_t *shrink, int *number, int simple)
{
    int before = *number;

    if (before == simple)
        return 0;
    *number = simple;
    if (still_fails(shrink))
        return 1;
    *number = before;
    return 0;
}

static int simplify(shrink_t *shrink)
{
    int i, some = 0;

    for (i = 0; i < shrink->history->steps->nelts; i++) {
        sim_step_t *step =
            &APR_ARRAY_IDX(shrink->history->steps, i, sim_step_t);

        if (step->gone)
            continue;
        if (step->kind >= SIM_SYNC && step->kind <= SIM_PULL) {
            some |= try_number(shrink, &step->limit, 100);
            some |= try_number(shrink, &step->bytes, 0);
            some |= try_number(shrink, &step->most_bytes, 0);
            some |= try_number(shrink, &step->packs, 0);
            some |= try_number(shrink, (int *)&step->mishap, SIM_MISHAP_NONE);
        }
        while (step->kind <= SIM_REPLACE && step->rows > 1 &&
               try_number(shrink, &step->rows, step->rows - 1))
            some = 1;
    }
    return some;
}

const char *sim_shrink(sim_history_t *history, sim_schema_t *schema,
                       const char *failure, sim_try_t *fails, void *baton)
{
    shrink_t shrink = {history, fails, baton, failure};
    int rounds = 0, some;

    do {
        some = shrink_steps(&shrink);
        some |= shrink_schema(&shrink, schema);
        some |= simplify(&shrink);
    } while (some && ++rounds < 6);
    return shrink.failure;
}
