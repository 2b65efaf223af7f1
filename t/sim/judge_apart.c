/* Whether columns that only one node carries have what was written there: see
 * judge.h. No message brings their values back. */
#include "judging.h"

#include <string.h>

#include <apr_strings.h>

#include "clock.h"
#include "message.h"
#include "parked.h"
#include "withheld.h"

static int is_same(const char *one, const char *other)
{
    return one && other ? !strcmp(one, other) : one == other;
}

int sim_judge_carries(const sim_table_t *table, int column, int node)
{
    return sim_schema_has(table, &table->columns[column], node) &&
           !(table->columns[column].except >> node & 1);
}

/* Return whether only applications of NODE write COLUMN of TABLE there. The
 * column of a row filter is empty in the end. */
static int is_apart(const sim_schema_t *schema, const sim_table_t *table,
                    int column, int node)
{
    const sim_column_t *it = &table->columns[column];
    int i;

    if (!sim_schema_has(table, it, node) || it->kind == SIM_REFERENCE ||
        it->names || it->counts || column == table->filter)
        return 0;
    for (i = 0; i < schema->nodes && !(it->except >> node & 1); i++)
        if (i != node && sim_judge_carries(table, column, i))
            return 0;
    return 1;
}

/* Return whether EVENT is about ROW: under this name, or a former one. */
static int is_about(const sim_event_t *event, const sim_row_t *row)
{
    return event->table == row->table && event->row &&
           is_same(event->row->values[SIM_COLUMNS], row->values[SIM_COLUMNS]);
}

/* Return what wrote COLUMN of ROW at NODE last, or NULL. Where two nodes have
 * made a row, a message may have changed its tag. */
static const sim_event_t *last_writer(const sim_judge_t *judge, int node,
                                      const sim_row_t *row, int column)
{
    const int is_only = !sim_judge_has_left(judge, row->table, row->name);
    const sim_event_t *first = (const void *)judge->world->events->elts;
    const sim_event_t *event = first + judge->world->events->nelts;

    while (event-- > first)
        if (event->node == node && event->table == row->table &&
            (event->kind == SIM_EVENT_INSERT ||
             (event->kind == SIM_EVENT_UPDATE && event->column == column)) &&
            (is_about(event, row) ||
             (is_only && !strcmp(event->name, row->name))))
            return event;
    return NULL;
}

/* Return whether an application has deleted ROW, or one called as it is, or as
 * it was when WRITER wrote to it. */
static int was_deleted(const sim_judge_t *judge, const sim_row_t *row,
                       const sim_event_t *writer)
{
    const apr_array_header_t *events = judge->world->events;
    int i;

    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *event = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (event->kind == SIM_EVENT_DELETE && event->table == row->table &&
            !event->renamed &&
            (is_about(event, row) || !strcmp(event->name, row->name) ||
             !strcmp(event->name, writer->name)))
            return 1;
    }
    return 0;
}

/* Return whether what was changed at node FROM may come to NODE before what was
 * done earlier at node VIA: it need not go that way. */
static int may_come_first(const sim_schema_t *schema, int from, int node,
                          int via)
{
    int i, count = 0;

    if (from == node)
        return 1;
    for (i = 0; i < schema->nodes - 1; i++)
        count +=
            schema->links[i].caller == via || schema->links[i].callee == via;
    return from != via && count < 2;
}

/* Return whether RENAMING, at another node, was done by somebody who may not
 * have known all that NODE, or a third node, had changed in columns of ROW that
 * NODE and the one of RENAMING carry: then the row cannot be given its new key
 * (docs/convergence.md). */
static int is_ignorant(const sim_judge_t *judge, const sim_event_t *renaming,
                       int node, const sim_row_t *row)
{
    const sim_schema_t *schema = judge->world->schema;
    const apr_array_header_t *events = judge->world->events;
    const sim_table_t *table = &schema->tables[row->table];
    int i;

    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *event = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (event->kind == SIM_EVENT_UPDATE && is_about(event, row) &&
            may_come_first(schema, event->node, node, renaming->node) &&
            !strcmp(event->name, renaming->name) &&
            event->column < SIM_COLUMNS &&
            sim_judge_carries(table, event->column, event->node) &&
            sim_judge_carries(table, event->column, node) &&
            sim_judge_carries(table, event->column, renaming->node) &&
            (sim_clock_is_coarse() || !sim_judge_had(judge, renaming, event)))
            return 1;
    }
    return 0;
}

/* Return whether an application of NODE, or of a third node, may have let ROW
 * refer to a key that no row has, in a column that RENAMER carries, too: that
 * is a change, though the reference is NULL at all nodes before and after. */
static int may_have_dangled(const sim_judge_t *judge, int renamer, int node,
                            const sim_row_t *row)
{
    const apr_array_header_t *steps = judge->world->history->steps;
    const sim_schema_t *schema = judge->world->schema;
    const sim_table_t *table = &schema->tables[row->table];
    const char *own =
        apr_psprintf(judge->pool, "tag = '%s'", row->values[SIM_COLUMNS]);
    int i, j;

    for (i = 0; i < steps->nelts; i++) {
        const sim_step_t *step = &APR_ARRAY_IDX(steps, i, sim_step_t);

        if (step->gone || step->kind != SIM_UPDATE ||
            !may_come_first(schema, step->node, node, renamer) ||
            step->table != row->table ||
            (!strncmp(step->where, "tag = ", 6) && strcmp(step->where, own)))
            continue;
        for (j = 0; j < step->cells[0]->nelts; j++) {
            const sim_cell_t *cell =
                &APR_ARRAY_IDX(step->cells[0], j, sim_cell_t);

            if (cell->column >= 0 && cell->text && strcmp(cell->text, "NULL") &&
                table->columns[cell->column].kind == SIM_REFERENCE &&
                table->columns[cell->column].rule[step->node] ==
                    SIM_RULE_NONE &&
                sim_judge_carries(table, cell->column, step->node) &&
                sim_judge_carries(table, cell->column, node) &&
                sim_judge_carries(table, cell->column, renamer))
                return 1;
        }
    }
    return 0;
}

/* Return whether another node than NODE has given ROW its key, in a table
 * without a unique index: no record continues another one there. */
static int is_another(const sim_judge_t *judge, int node, const sim_row_t *row)
{
    const apr_array_header_t *events = judge->world->events;
    int i;

    if (!judge->world->schema->tables[row->table].loose)
        return 0;
    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *event = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (event->kind == SIM_EVENT_DELETE && event->renamed &&
            event->node != node && is_about(event, row))
            return 1;
    }
    return 0;
}

/* Return whether ROW is called NAME, or was before it was renamed again. */
static int is_name_of(const sim_judge_t *judge, const sim_row_t *row,
                      const char *name)
{
    const apr_array_header_t *events = judge->world->events;
    int i;

    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *event = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (event->kind == SIM_EVENT_INSERT && is_about(event, row) &&
            !strcmp(event->name, name))
            return 1;
    }
    return !strcmp(row->name, name);
}

/* Return whether an application has put another row where ROW is now, or where
 * it was: no node can give it that key then, nor the next one. */
static int is_taken(const sim_judge_t *judge, const sim_row_t *row)
{
    const apr_array_header_t *events = judge->world->events;
    int i;

    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *event = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (event->kind == SIM_EVENT_INSERT && event->table == row->table &&
            !is_about(event, row) && is_name_of(judge, row, event->name))
            return 1;
    }
    return 0;
}

/* Return whether a foreign key of NODE may refuse that a row of table NUMBER
 * gets another key, or changes what refers to it. */
static int is_held_fast(const sim_schema_t *schema, int node, int number)
{
    const sim_table_t *parent = &schema->tables[number];
    int i, j;

    for (i = 0; i < schema->count; i++)
        for (j = 0; j < schema->tables[i].count; j++) {
            const sim_column_t *column = &schema->tables[i].columns[j];

            if (sim_schema_refers(column, number) &&
                column->rule[node] != SIM_RULE_NONE &&
                (column->rule[node] != SIM_RULE_CASCADE || i == number ||
                 schema->tables[i].joined || parent->joined))
                return 1;
        }
    return 0;
}

/* Return whether the record with the new key may have waited while the old one
 * was deleted, by a clock that is far ahead; or a change of the old one counts
 * as one of all its columns, since one was dropped. */
static int may_wait(const sim_judge_t *judge, const sim_table_t *table)
{
    const apr_array_header_t *steps = judge->world->history->steps;
    int i;

    for (i = 0; i < table->count; i++)
        if (table->columns[i].altered)
            return 1;
    for (i = 0; i < steps->nelts; i++)
        if (APR_ARRAY_IDX(steps, i, sim_step_t).kind == SIM_CLOCK &&
            !APR_ARRAY_IDX(steps, i, sim_step_t).gone)
            return 1;
    return 0;
}

/* Return whether another row of NODE has the tag of ROW, and VALUE in COLUMN:
 * where its key was changed while somebody changed, or deleted, it elsewhere, a
 * person may have kept both records. */
static int has_twin(const sim_judge_t *judge, int node, const sim_row_t *row,
                    int column, const char *value)
{
    const apr_array_header_t *rows = judge->rows[node];
    int i;

    for (i = 0; i < rows->nelts; i++) {
        const sim_row_t *other = &APR_ARRAY_IDX(rows, i, sim_row_t);

        if (other != row && other->table == row->table &&
            is_same(other->values[SIM_COLUMNS], row->values[SIM_COLUMNS]) &&
            is_same(other->values[column], value))
            return 1;
    }
    return 0;
}

/* Return whether VALUE, which WRITER gave COLUMN of a row that it called by
 * that name, is still in the record of that name at its node, or was replaced
 * there by an application. */
static int has_gone_on(const sim_judge_t *judge, const sim_event_t *writer,
                       int column, const char *value)
{
    const apr_array_header_t *events = judge->world->events;
    const sim_event_t *event = writer + 1;
    const sim_row_t *now =
        sim_rows_find(judge->rows[writer->node], writer->table, writer->name);

    if (now && is_same(now->values[column], value))
        return 1;
    for (; event < (const sim_event_t *)events->elts + events->nelts; event++)
        if (event->kind == SIM_EVENT_UPDATE && event->node == writer->node &&
            event->table == writer->table && event->column == column &&
            !strcmp(event->name, writer->name) && is_same(event->before, value))
            return 1;
    return 0;
}

/* Return whether what WRITER gave COLUMN of ROW went on in another row: another
 * node had put that one under the key that ROW had then (which it had been
 * given at the node of WRITER, and another one elsewhere). The two are one
 * record, which has the tag of that one. Or ROW had given up that key before,
 * but the delete was withheld from the node of WRITER: then the row there is
 * taken over by the later record of that key (docs/convergence.md). */
static int is_in_another(const sim_judge_t *judge, const sim_row_t *row,
                         const sim_event_t *writer, int column)
{
    const apr_array_header_t *events = judge->world->events;
    int i;

    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *event = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (event->kind == SIM_EVENT_UPDATE && event->column == SIM_COLUMNS &&
            event->node != writer->node && event->table == row->table &&
            !strcmp(event->name, writer->name) && !is_about(event, row))
            return strcmp(writer->name, row->name) != 0 &&
                   has_gone_on(judge, writer, column,
                               writer->row->values[column]);
    }
    return 0;
}

/* Return whether ROW of NODE may have got its key as a new row: it was given
 * one by two nodes, or by one that did not know all that was here, or the
 * database does not allow that it gets another, or the message was withheld
 * that says which record it continues. */
static int is_made_anew(const sim_judge_t *judge, int node,
                        const sim_row_t *row)
{
    const sim_schema_t *schema = judge->world->schema;
    const apr_array_header_t *events = judge->world->events;
    int i, renamer = -1;

    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *event = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (event->kind != SIM_EVENT_DELETE || !event->renamed ||
            !is_about(event, row))
            continue;
        if ((renamer >= 0 && renamer != event->node) ||
            (event->node != node && is_ignorant(judge, event, node, row)))
            return 1;
        renamer = event->node;
    }
    return renamer >= 0 && renamer != node &&
           (is_taken(judge, row) ||
            may_have_dangled(judge, renamer, node, row) ||
            is_held_fast(schema, node, row->table) ||
            /* it may have said which record the new one continues */
            sim_withheld_has(judge->world, row->table, "create", judge->pool) ||
            may_wait(judge, &schema->tables[row->table]));
}

/* What went with the old row is in communicator_conflicts, if NODE sends the
 * column. Only words are each given once. */
static void judge_column(const sim_judge_t *judge, int node,
                         const sim_row_t *row, int column)
{
    const sim_table_t *table = &judge->world->schema->tables[row->table];
    const sim_event_t *event = last_writer(judge, node, row, column);
    const char *written = event ? event->row->values[column] : NULL;

    if (!event || is_same(written, row->values[column]) ||
        sim_parked_has(judge->waiting, row->table, row->name) ||
        sim_parked_has(judge->waiting, row->table, event->name) ||
        was_deleted(judge, row, event) ||
        sim_judge_may_have_gone(judge, event) || is_another(judge, node, row) ||
        has_twin(judge, node, row, column, written) ||
        is_in_another(judge, row, event, column) ||
        sim_judge_went_by_filter(judge, event, column) ||
        ((is_made_anew(judge, node, row) ||
          sim_judge_ends_by_filter(judge, event, column)) &&
         (!written || *written != 'v' || sim_judge_is_kept(judge, written) ||
          !sim_judge_carries(table, column, node))))
        return;
    sim_world_fail(judge->world, "apart",
                   "%s of %s: %s is %s at %s, where %s was written, and no "
                   "other node carries it",
                   row->name, table->name, table->columns[column].name,
                   sim_judge_shown(row->values[column]),
                   sim_schema_node_name(node), sim_judge_shown(written));
}

void sim_judge_apart(const sim_judge_t *judge)
{
    const sim_schema_t *schema = judge->world->schema;
    int node, i, j;

    for (node = 0; node < schema->nodes && !judge->world->restored; node++)
        for (i = 0; i < judge->rows[node]->nelts; i++) {
            const sim_row_t *row =
                &APR_ARRAY_IDX(judge->rows[node], i, sim_row_t);
            const sim_table_t *table = &schema->tables[row->table];

            for (j = 0; j < table->count && !table->returns; j++)
                if (is_apart(schema, table, j, node) &&
                    !sim_judge_was_dropped(judge, table, j))
                    judge_column(judge, node, row, j);
        }
}
