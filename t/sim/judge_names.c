/* What rows were called that match= finds: see judging.h. */
#include "judging.h"

#include <string.h>

/* Return what the row of TABLE that got NAME was called before; NULL: it was
 * new. */
static const char *former_name(const sim_judge_t *judge, int table,
                               const char *name)
{
    const apr_array_header_t *events = judge->world->events;
    int i;

    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *event = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (event->kind == SIM_EVENT_INSERT && event->was &&
            event->table == table && !strcmp(event->name, name))
            return event->was;
    }
    return NULL;
}

/* Return the first name of the row of TABLE that was called NAME last. No row
 * gets a name again that it had. */
static const char *first_name(const sim_judge_t *judge, int table,
                              const char *name)
{
    const char *former = name;

    while (judge->world->schema->tables[table].match >= 0 && former) {
        name = former;
        former = former_name(judge, table, name);
    }
    return name;
}

int sim_judge_is_one(const sim_judge_t *judge, const sim_event_t *event,
                     int table, const char *name)
{
    return event->table == table &&
           (!strcmp(event->name, name) ||
            (judge->world->schema->tables[table].match >= 0 &&
             !strcmp(first_name(judge, table, event->name),
                     first_name(judge, table, name))));
}

int sim_judge_has_left(const sim_judge_t *judge, int table, const char *name)
{
    return sim_judge_has_event(judge, SIM_EVENT_DELETE, table, name) ||
           sim_judge_has_event(judge, SIM_EVENT_NAME, table, name);
}

/* Return whether a node other than NODE has ended the name NAME of TABLE. */
static int has_left_elsewhere(const sim_judge_t *judge, int node, int table,
                              const char *name)
{
    const apr_array_header_t *events = judge->world->events;
    int i;

    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *event = &APR_ARRAY_IDX(events, i, sim_event_t);

        if ((event->kind == SIM_EVENT_DELETE ||
             event->kind == SIM_EVENT_NAME) &&
            event->node != node && event->table == table &&
            !strcmp(event->name, name))
            return 1;
    }
    return 0;
}

/* Return whether several nodes have made a row called NAME of TABLE. */
static int is_of_several(const sim_judge_t *judge, int table, const char *name)
{
    const apr_array_header_t *events = judge->world->events;
    int nodes = 0, i;

    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *event = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (event->kind == SIM_EVENT_INSERT && !event->was &&
            event->table == table && !strcmp(event->name, name))
            nodes |= 1 << event->node;
    }
    return (nodes & (nodes - 1)) != 0;
}

int sim_judge_is_left_elsewhere(const sim_judge_t *judge,
                                const sim_event_t *event)
{
    const char *name = event->was;

    if (name && sim_judge_is_kept(judge, event->name) &&
        is_of_several(judge, event->table,
                      first_name(judge, event->table, name)))
        return 1;
    while (name) {
        if (has_left_elsewhere(judge, event->node, event->table, name))
            return 1;
        name = former_name(judge, event->table, name);
    }
    return 0;
}

void sim_judge_add_names(sim_judge_t *judge, int table, const char *name)
{
    const apr_array_header_t *events = judge->world->events;
    int i;

    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *event = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (event->kind == SIM_EVENT_INSERT &&
            sim_judge_is_one(judge, event, table, name))
            APR_ARRAY_PUSH(judge->waiting, sim_waiting_t) =
                (sim_waiting_t){table, event->name};
    }
}

/* After a restore a node does not know any more which rows were one, and by now
 * one may be called otherwise. */
static void read_restored(sim_judge_t *judge)
{
    const apr_array_header_t *events = judge->world->events;
    int i;

    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *event = &APR_ARRAY_IDX(events, i, sim_event_t);
        const char *name = event->kind == SIM_EVENT_NAME
                               ? first_name(judge, event->table, event->name)
                               : NULL;

        if (name && is_of_several(judge, event->table, name))
            sim_judge_add_names(judge, event->table, name);
    }
}

void sim_judge_read_unknown(sim_judge_t *judge)
{
    const apr_array_header_t *unknown = judge->world->unknown;
    int i;

    if (judge->world->restored)
        read_restored(judge);

    for (i = 0; i < unknown->nelts; i++) {
        const sim_waiting_t *row = &APR_ARRAY_IDX(unknown, i, sim_waiting_t);

        sim_judge_add_names(judge, row->table, row->name);
    }
}
