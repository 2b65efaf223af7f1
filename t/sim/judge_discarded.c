/* What becomes of records of which a person has discarded a message: see
 * judge.h. */
#include "judging.h"

#include <string.h>

#include "clock.h"

/* Return whether rows of table NUMBER change only by what is sent of them. */
static int is_simple(const sim_judge_t *judge, int number)
{
    const sim_table_t *table = &judge->world->schema->tables[number];

    return !sim_schema_is_reused(table) && table->wins < 0 &&
           sim_judge_is_sent(judge, number);
}

/* Return whether the peer has changed the record of GIVEN, an update, later:
 * the message of that has the whole row, with the values that were discarded.
 * Of the same clock these seem to be here (docs/convergence.md). */
static int came_later(const sim_judge_t *judge, const sim_discarded_t *given)
{
    const sim_world_t *world = judge->world;
    int i;

    if (!given->is_update || world->schema->nodes > 2 || world->restored ||
        sim_clock_is_coarse() || !is_simple(judge, given->record.table))
        return 0;
    for (i = given->at; i < world->events->nelts; i++) {
        const sim_event_t *event =
            &APR_ARRAY_IDX(world->events, i, sim_event_t);

        if (event->kind == SIM_EVENT_UPDATE && event->node != given->node &&
            event->table == given->record.table &&
            !strcmp(event->name, given->record.name))
            return 1;
    }
    return 0;
}

void sim_judge_read_discarded(sim_judge_t *judge)
{
    const apr_array_header_t *discarded = judge->world->discarded;
    int i;

    for (i = 0; i < discarded->nelts; i++) {
        const sim_discarded_t *given =
            &APR_ARRAY_IDX(discarded, i, sim_discarded_t);

        if (came_later(judge, given))
            continue;
        APR_ARRAY_PUSH(judge->waiting, sim_waiting_t) = given->record;
        /* what was discarded may be the name itself */
        if (judge->world->schema->tables[given->record.table].match >= 0)
            sim_judge_add_names(judge, given->record.table, given->record.name);
    }
}

int sim_judge_was_discarded(const sim_judge_t *judge, const sim_event_t *event)
{
    const apr_array_header_t *discarded = judge->world->discarded;
    int i;

    for (i = 0; i < discarded->nelts; i++) {
        const sim_waiting_t *record =
            &APR_ARRAY_IDX(discarded, i, sim_discarded_t).record;

        if (sim_judge_is_one(judge, event, record->table, record->name))
            return 1;
    }
    return 0;
}
