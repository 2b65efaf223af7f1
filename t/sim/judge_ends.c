/* What becomes of values of records that were deleted: see judge.h. */
#include "judging.h"

#include <string.h>

#include "clock.h"
#include "parked.h"

/* Return whether STEP may bring messages to NODE. */
static int brings(const sim_step_t *step, int node)
{
    switch (step->kind) {
    case SIM_SYNC:
        return step->node == node || step->peer == node;
    case SIM_PUSH:
        return step->peer == node;
    case SIM_PULL:
        return step->node == node;
    default:
        return 0;
    }
}

/* Return whether the node of CHANGE may have received messages between EVENT
 * and CHANGE: what is late, or of another run, comes with any exchange. On
 * servers they may be about to all the time. */
static int may_have_received(const sim_world_t *world, const sim_event_t *event,
                             const sim_event_t *change)
{
    const apr_array_header_t *steps = world->history->steps;
    int i, any = 0;

    for (i = 0; i < change->statement && i < steps->nelts; i++) {
        const sim_step_t *step = &APR_ARRAY_IDX(steps, i, sim_step_t);

        if (step->gone || step->kind < SIM_SYNC || step->kind > SIM_PULL)
            continue;
        any |= step->mishap == SIM_MISHAP_LATE ||
               step->mishap == SIM_MISHAP_BESIDE;
        if (i >= event->statement && (any || brings(step, change->node)))
            return 1;
    }
    return sim_schema_is_served(world->schema);
}

/* Return whether who had VALUE in the column of EVENT at WRITER, a later event,
 * had the value of EVENT before, or one that another node has written in the
 * same moment: whoever knew that seems to know this one (docs/convergence.md).
 * What one node does to a row has different clocks. */
static int comes_from(const sim_judge_t *judge, const char *value,
                      const sim_event_t *writer, const sim_event_t *event)
{
    if (!strcmp(value, event->after))
        return 1;
    do {
        writer = sim_judge_writer_of(judge, writer, event->column, value);
        if (writer && writer->node != event->node && sim_clock_is_coarse())
            return 1;
        value = writer ? writer->before : NULL;
    } while (writer && writer != event);
    return writer != NULL;
}

int sim_judge_had(const sim_judge_t *judge, const sim_event_t *change,
                  const sim_event_t *event)
{
    const char *value = change->row ? change->row->values[event->column] : NULL;

    return value && event->after ? comes_from(judge, value, change, event)
                                 : !value && !event->after;
}

/* Return whether a node that has received a change of columns that it lacks may
 * seem to know an older one (docs/convergence.md): it has made the record, too,
 * or a third node has changed it, and clocks do not tell what was first. */
static int seems_older(const sim_judge_t *judge, const sim_table_t *table)
{
    return judge->world->jumped &&
           (sim_schema_is_reused(table) || judge->world->schema->nodes > 2);
}

int sim_judge_is_known_at(const sim_judge_t *judge, const sim_event_t *end,
                          const sim_event_t *event)
{
    const sim_schema_t *schema = judge->world->schema;
    const sim_table_t *table = &schema->tables[event->table];
    const char *value = end->row ? end->row->values[event->column] : NULL;

    if (end->node == event->node || end->renamed || !end->row)
        return 1;
    if (!sim_judge_carries(table, event->column, end->node) || !value)
        return seems_older(judge, table) ||
               may_have_received(judge->world, event, end);
    return !sim_judge_is_common(schema, table, event->column, event->node,
                                end->node) ||
           comes_from(judge, value, end, event);
}

/* Return whether the record of EVENT was deleted, and nobody who did that knew
 * the value that EVENT gave a column. Only words are each given once; and whose
 * row goes with its parent, knows what is at each node. */
static int is_ended_unknown(const sim_judge_t *judge, const sim_event_t *event)
{
    const apr_array_header_t *events = judge->world->events;
    const sim_table_t *table = &judge->world->schema->tables[event->table];
    int ended = 0, i;

    if (event->kind != SIM_EVENT_UPDATE || !event->after ||
        *event->after != 'v' || event->column == SIM_COLUMNS ||
        sim_schema_is_reused(table) || table->publisher >= 0 || table->keeps ||
        !sim_judge_carries(table, event->column, event->node) ||
        sim_judge_may_be_orphaned(judge, event->table) ||
        sim_judge_was_withheld(judge, event->table) ||
        sim_judge_was_dropped(judge, table, event->column) ||
        sim_judge_is_overwritten(judge, event))
        return 0;
    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *end = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (end->table != event->table || strcmp(end->name, event->name))
            continue;
        if (end->kind == SIM_EVENT_KEY ||
            (end->kind == SIM_EVENT_DELETE &&
             sim_judge_is_known_at(judge, end, event)))
            return 0;
        ended |= end->kind == SIM_EVENT_DELETE;
    }
    return ended;
}

void sim_judge_buried(const sim_judge_t *judge, const sim_event_t *event)
{
    if (!sim_rows_find(judge->rows[0], event->table, event->name) &&
        is_ended_unknown(judge, event) &&
        !sim_judge_is_kept(judge, event->after))
        sim_world_fail(judge->world, "buried",
                       "%s of t%d: %s, written at %s, is not kept, and who "
                       "deleted it did not know that",
                       event->name, event->table, event->after,
                       sim_schema_node_name(event->node));
}

/* Return whether the node of END, a delete, has changed the column of EVENT
 * later than EVENT, and may have kept that by its row filter: then END seems to
 * know all that is older (docs/convergence.md). */
static int has_kept_later(const sim_judge_t *judge, const sim_event_t *end,
                          const sim_event_t *event)
{
    const sim_event_t *change = (const void *)judge->world->events->elts;

    for (; change < end; change++)
        if (change->kind == SIM_EVENT_UPDATE && change->node == end->node &&
            (change > event || judge->world->jumped) &&
            change->table == event->table && change->column == event->column &&
            !strcmp(change->name, event->name))
            return sim_schema_may_stay(
                judge->world->schema, end->node,
                &judge->world->schema->tables[event->table], judge->pool);
    return 0;
}

/* The same of any node that has deleted the record of EVENT. */
static int seems_known(const sim_judge_t *judge, const sim_event_t *event)
{
    const apr_array_header_t *events = judge->world->events;
    int i;

    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *end = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (end->kind == SIM_EVENT_DELETE && end->table == event->table &&
            !strcmp(end->name, event->name) &&
            has_kept_later(judge, end, event))
            return 1;
    }
    return 0;
}

void sim_judge_spared(const sim_judge_t *judge, const sim_event_t *event)
{
    const sim_table_t *table = &judge->world->schema->tables[event->table];

    if (table->holds >> event->node & 1 &&
        !sim_rows_find(judge->rows[event->node], event->table, event->name) &&
        is_ended_unknown(judge, event) && !seems_known(judge, event))
        sim_world_fail(judge->world, "ended",
                       "%s of t%d is gone at %s: nobody was asked, and who "
                       "deleted it did not know %s",
                       event->name, event->table,
                       sim_schema_node_name(event->node), event->after);
}

/* Return whether CHANGE left its row where the row filter lets the record end
 * (leave=delete): the column that it asks for is odd. */
static int lets_end(const sim_table_t *table, const sim_event_t *change)
{
    const char *value = change->row ? change->row->values[table->filter] : NULL;

    return change->kind == SIM_EVENT_UPDATE && value && *value &&
           strchr("13579", value[strlen(value) - 1]);
}

/* Return whether STEP lets NODE send. */
static int lets_send(const sim_step_t *step, int node)
{
    return (step->kind <= SIM_PUSH && step->node == node) ||
           (step->kind != SIM_PUSH && step->kind <= SIM_PULL &&
            step->peer == node);
}

/* Return whether the node of EVENT may have given its changes their numbers
 * before STATEMENT; or, if SURELY, must have. Whoever receives nothing numbers
 * nothing. */
static int is_numbered(const sim_world_t *world, const sim_event_t *event,
                       int statement, int surely)
{
    const apr_array_header_t *steps = world->history->steps;
    int i;

    for (i = event->statement; i < statement && i < steps->nelts; i++) {
        const sim_step_t *step = &APR_ARRAY_IDX(steps, i, sim_step_t);

        if (step->gone || step->kind <= SIM_ROLLBACK)
            continue;
        if (!surely ||
            (step->mishap == SIM_MISHAP_NONE && lets_send(step, event->node)))
            return 1;
    }
    return !surely && sim_schema_is_served(world->schema);
}

/* Return which change of the column of the row filter, of the row of RENAMING
 * since then, is the next one after CHANGE (NULL: the first one); or NULL. */
static const sim_event_t *next_change(const sim_judge_t *judge,
                                      const sim_event_t *renaming,
                                      const sim_event_t *change)
{
    const apr_array_header_t *events = judge->world->events;
    const sim_event_t *end = (const sim_event_t *)events->elts + events->nelts;
    const int column = judge->world->schema->tables[renaming->table].filter;

    for (change = change ? change + 1 : (const void *)events->elts;
         change < end; change++)
        if (change->kind == SIM_EVENT_UPDATE && change->column == column &&
            change->node == renaming->node &&
            change->table == renaming->table &&
            change->statement >= renaming->statement &&
            !strcmp(sim_judge_shown(change->row->values[SIM_COLUMNS]),
                    sim_judge_shown(renaming->row->values[SIM_COLUMNS])))
            return change;
    return NULL;
}

/* Return whether RENAMING gave a row another key, and the row filter of its
 * node may have kept the row there from then on: only the delete of the old
 * record left, and nobody was told which one continues it. */
static int is_kept_renamed(const sim_judge_t *judge,
                           const sim_event_t *renaming)
{
    const sim_world_t *world = judge->world;
    const sim_table_t *table = &world->schema->tables[renaming->table];
    const sim_event_t *change, *next;

    if (!renaming->renamed)
        return 0;
    for (change = next_change(judge, renaming, NULL);
         change && !is_numbered(world, renaming, change->statement, 1);
         change = next) {
        next = next_change(judge, renaming, change);
        if (lets_end(table, change) &&
            (!next || is_numbered(world, change, next->statement, 0)))
            return 1;
    }
    return 0;
}

/* Return whether changes may get their numbers in several chunks. */
static int has_chunks(const sim_world_t *world)
{
    const apr_array_header_t *steps = world->history->steps;
    int i;

    for (i = 0; i < steps->nelts; i++) {
        const sim_step_t *step = &APR_ARRAY_IDX(steps, i, sim_step_t);

        if (!step->gone && step->kind >= SIM_SYNC && step->kind <= SIM_PULL &&
            step->limit < steps->nelts)
            return 1;
    }
    return 0;
}

/* Return whether RENAMING gave a row another key, and it got one more before
 * that had a number, at a node with a row filter. Then the key between is not
 * sent, and if the changes get their numbers in several chunks, or another row
 * has the first key by then, peers do not hear which record continues the first
 * one: a known limit (docs/convergence.md). */
static int is_passed_over(const sim_judge_t *judge, const sim_event_t *renaming)
{
    const apr_array_header_t *events = judge->world->events;
    const sim_event_t *end = (const sim_event_t *)events->elts + events->nelts;
    const sim_event_t *event = renaming + 1;
    int unsaid = has_chunks(judge->world);

    for (; event < end && renaming->renamed; event++) {
        if (event->node != renaming->node || event->table != renaming->table)
            continue;
        if (event->kind == SIM_EVENT_INSERT &&
            !strcmp(event->name, renaming->name))
            unsaid = 1;
        if (unsaid && event->kind == SIM_EVENT_DELETE && event->renamed &&
            !strcmp(sim_judge_shown(event->row->values[SIM_COLUMNS]),
                    sim_judge_shown(renaming->row->values[SIM_COLUMNS])))
            return !is_numbered(judge->world, renaming, event->statement, 1);
    }
    return 0;
}

/* Return whether CHANGE let the record of EVENT end, at a node that lacks
 * COLUMN. */
static int ends_lacking(const sim_judge_t *judge, const sim_event_t *change,
                        const sim_event_t *event, int column)
{
    const sim_schema_t *schema = judge->world->schema;
    const sim_table_t *table = &schema->tables[event->table];

    return change->table == event->table &&
           !strcmp(change->name, event->name) &&
           sim_schema_filter(table, change->node, judge->pool) &&
           !sim_judge_is_common(schema, table, column, event->node,
                                change->node) &&
           ((table->leaves && lets_end(table, change)) ||
            is_kept_renamed(judge, change) || is_passed_over(judge, change));
}

int sim_judge_ends_by_filter(const sim_judge_t *judge, const sim_event_t *event,
                             int column)
{
    const apr_array_header_t *events = judge->world->events;
    int i;

    for (i = 0; i < events->nelts; i++)
        if (ends_lacking(judge, &APR_ARRAY_IDX(events, i, sim_event_t), event,
                         column))
            return 1;
    return 0;
}

int sim_judge_went_by_filter(const sim_judge_t *judge, const sim_event_t *event,
                             int column)
{
    const apr_array_header_t *events = judge->world->events;
    const sim_event_t *change = event + 1;
    const sim_event_t *end = (const sim_event_t *)events->elts + events->nelts;

    for (; change < end; change++)
        if (ends_lacking(judge, change, event, column) &&
            (judge->world->jumped ||
             may_have_received(judge->world, event, change)))
            return 1;
    return 0;
}

/* Return whether COLUMN of the row of END was written at another node, or
 * later: that may bring the row back. */
static int is_written_besides(const sim_judge_t *judge, const sim_event_t *end,
                              int column)
{
    const apr_array_header_t *events = judge->world->events;
    int i;

    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *event = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (event->kind == SIM_EVENT_UPDATE &&
            (event->node != end->node || event > end) &&
            event->table == end->table && event->column == column &&
            !strcmp(event->name, end->name))
            return 1;
    }
    return 0;
}

void sim_judge_stayed(const sim_judge_t *judge, const sim_event_t *end)
{
    const sim_schema_t *schema = judge->world->schema;
    const sim_table_t *table = &schema->tables[end->table];
    int node, i;

    if (end->kind != SIM_EVENT_DELETE || !end->row || !table->keeps ||
        table->filter >= 0 || table->publisher >= 0 ||
        sim_judge_was_withheld(judge, end->table) ||
        sim_parked_has(judge->waiting, end->table, end->name))
        return;
    for (node = 0; node < schema->nodes; node++) {
        const sim_row_t *row =
            sim_rows_find(judge->rows[node], end->table, end->name);

        for (i = 0; row && node != end->node && i < table->count; i++)
            if (sim_judge_is_common(schema, table, i, end->node, node) &&
                !sim_judge_was_dropped(judge, table, i) &&
                !is_written_besides(judge, end, i) &&
                strcmp(sim_judge_shown(row->values[i]),
                       sim_judge_shown(end->row->values[i])))
                sim_world_fail(judge->world, "stayed",
                               "%s of t%d stays at %s with %s, not with %s "
                               "as it was when it was deleted at %s",
                               end->name, end->table,
                               sim_schema_node_name(node),
                               sim_judge_shown(row->values[i]),
                               sim_judge_shown(end->row->values[i]),
                               sim_schema_node_name(end->node));
    }
}
