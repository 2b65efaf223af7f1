/* See orphan.h. */
#include "orphan.h"

#include <string.h>

#include <apr_strings.h>

#include "withheld.h"

/* Return what else the statement of EVENT did to the row NAME of TABLE: an
 * event of KIND, that of an update gave COLUMN a value; NULL: nothing. */
static const sim_event_t *find_beside(const sim_message_t *parked,
                                      const sim_event_t *event,
                                      sim_event_e kind, int table,
                                      const char *name, int column)
{
    const apr_array_header_t *events = parked->world->events;
    int i;

    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *other = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (other->statement == event->statement && other->kind == kind &&
            other->table == table && name && !strcmp(other->name, name) &&
            (kind != SIM_EVENT_UPDATE ||
             (other->column == column && other->after)))
            return other;
    }
    return NULL;
}

/* Return whether the row NAME of TABLE was deleted. */
static int was_deleted(const sim_message_t *parked, int table, const char *name)
{
    const apr_array_header_t *events = parked->world->events;
    int i;

    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *event = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (event->kind == SIM_EVENT_DELETE && event->table == table &&
            !strcmp(event->name, name))
            return 1;
    }
    return 0;
}

/* Return whether some node has a foreign key that deletes a row with what it
 * refers to in COLUMN. */
static int cascades(const sim_message_t *parked, const sim_column_t *column)
{
    int i;

    for (i = 0; i < parked->world->schema->nodes; i++)
        if (column->kind == SIM_REFERENCE &&
            column->rule[i] == SIM_RULE_CASCADE)
            return 1;
    return 0;
}

/* Return whether the row NAME of TABLE may be deleted: by an application; or by
 * a foreign key, with a row that it has referred to, STEPS upwards at most.
 * Where that row's delete was received, no application has done anything. */
static int may_be_gone(const sim_message_t *parked, int table, const char *name,
                       int steps)
{
    const apr_array_header_t *events = parked->world->events;
    const sim_column_t *columns = parked->world->schema->tables[table].columns;
    int i;

    if (was_deleted(parked, table, name))
        return 1;
    for (i = 0; steps > 0 && i < events->nelts; i++) {
        const sim_event_t *event = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (event->kind == SIM_EVENT_UPDATE && event->table == table &&
            event->column < SIM_COLUMNS && event->after &&
            !strcmp(event->name, name) &&
            cascades(parked, &columns[event->column]) &&
            may_be_gone(parked, columns[event->column].parent, event->after,
                        steps - 1))
            return 1;
    }
    return 0;
}

/* Return whether the row that EVENT inserted referred to nothing in COLUMN, or
 * to a row that the same statement inserted, too, perhaps behind it: deleted
 * before anything was sent, it is nothing as well. */
static int came_dangling(const sim_message_t *parked, const sim_event_t *event,
                         int column)
{
    const sim_table_t *table = &parked->world->schema->tables[parked->table];
    const sim_event_t *given = find_beside(parked, event, SIM_EVENT_UPDATE,
                                           parked->table, event->name, column);

    return !given ||
           (find_beside(parked, event, SIM_EVENT_INSERT,
                        table->columns[column].parent, given->after, 0) &&
            was_deleted(parked, table->columns[column].parent, given->after));
}

/* Return whether EVENT let COLUMN of the row refer to nothing. It did not if it
 * has only deleted what the row refers to, or has given that another key. */
static int let_dangle(const sim_message_t *parked, const sim_event_t *event,
                      int column)
{
    const sim_table_t *table = &parked->world->schema->tables[parked->table];

    switch (event->kind) {
    case SIM_EVENT_INSERT:
        return came_dangling(parked, event, column);
    case SIM_EVENT_UPDATE:
        return event->column == column && !event->after &&
               table->columns[column].other < 0 &&
               !find_beside(parked, event, SIM_EVENT_DELETE,
                            table->columns[column].parent, event->before, 0) &&
               !find_beside(parked, event, SIM_EVENT_MOVE,
                            table->columns[column].parent, event->before, 0);
    case SIM_EVENT_NAME:
    case SIM_EVENT_DELETE: /* another row may be called so then */
        return sim_schema_is_reused(table) || event->dangled >> column & 1;
    case SIM_EVENT_KEY:  /* the row is sent as a new one, */
    case SIM_EVENT_MOVE: /* or once more */
        return 1;
    }
    return 0;
}

/* Return whether STEP gives COLUMN of a row that is there a key to refer to,
 * which perhaps no row has. */
static int names_key(const sim_step_t *step, int column)
{
    int i;

    for (i = 0; step->kind == SIM_UPDATE && i < step->cells[0]->nelts; i++) {
        const sim_cell_t *cell = &APR_ARRAY_IDX(step->cells[0], i, sim_cell_t);

        if (cell->column == column && cell->text)
            return 1;
    }
    return 0;
}

/* Return whether some node captured only which rows of the table of PARKED are
 * new, so that these are read when they are sent, and an application there gave
 * COLUMN a key: what creates a row may say that, too. */
static int was_read_later(const sim_message_t *parked, int column)
{
    const apr_array_header_t *steps = parked->world->history->steps;
    unsigned unread = 0, given = 0;
    int i;

    for (i = 0; i < steps->nelts; i++) {
        const sim_step_t *step = &APR_ARRAY_IDX(steps, i, sim_step_t);

        if (step->gone || step->table != parked->table)
            continue;
        if (step->kind == SIM_UNREAD)
            unread |= 1u << step->node;
        else if (names_key(step, column))
            given |= 1u << step->node;
    }
    return (unread & given) != 0;
}

/* Return whether rows of the table of PARKED may have stayed at some node, by a
 * row filter, and were sent as they are once that let them out. */
static int may_have_stayed(const sim_message_t *parked)
{
    const sim_schema_t *schema = parked->world->schema;
    int i;

    for (i = 0; i < schema->nodes; i++)
        if (sim_schema_may_stay(schema, i, &schema->tables[parked->table],
                                parked->pool))
            return 1;
    return 0;
}

/* Return whether rows of some node may outlive what COLUMN, a number, refers
 * to. Then an application may replace one reference to nothing by another,
 * which makes no event: both have no name. */
static int may_outlive(const sim_message_t *parked, int column)
{
    const sim_table_t *table = &parked->world->schema->tables[parked->table];
    int i;

    for (i = 0; i < parked->world->schema->nodes; i++)
        if (table->columns[column].rule[i] == SIM_RULE_NONE)
            return !strcmp(parked->action, "update") ||
                   may_have_stayed(parked) || was_read_later(parked, column);
    return 0;
}

/* Return whether EVENT may be about the row that PARKED brings. One that is
 * called by what its key refers to has another name once that is replaced. */
static int is_meant(const sim_message_t *parked, const sim_event_t *event)
{
    return parked->world->schema->tables[parked->table].joined > 0 ||
           (parked->name && !strcmp(event->name, parked->name));
}

/* Return whether a person at node NUMBER has kept rows, or may have: what
 * conflict=hold asked was decided there, a message was discarded, or a record
 * was revived. */
static int was_asked(const sim_message_t *parked, int number)
{
    const apr_array_header_t *steps = parked->world->history->steps;
    const apr_array_header_t *decided = apr_table_elts(parked->world->decided);
    const char *prefix = apr_psprintf(parked->pool, "%d ", number);
    int i;

    for (i = 0; i < decided->nelts; i++)
        if (!strncmp(APR_ARRAY_IDX(decided, i, apr_table_entry_t).key, prefix,
                     strlen(prefix)))
            return 1;
    for (i = 0; i < steps->nelts; i++) {
        const sim_step_t *step = &APR_ARRAY_IDX(steps, i, sim_step_t);

        if (!step->gone && step->node == number &&
            (step->kind == SIM_DISCARD || step->kind == SIM_REVIVE))
            return 1;
    }
    return 0;
}

/* Return whether a person at the node where the record of PARKED was made may
 * have kept the row against a delete, when what it referred to in COLUMN had
 * been deleted and no foreign key there had said so: it is a new record then,
 * and all of the row is sent as it is. */
static int was_kept_without(const sim_message_t *parked, int column)
{
    const sim_column_t *reference =
        &parked->world->schema->tables[parked->table].columns[column];
    const apr_array_header_t *events = parked->world->events;
    const int steps = parked->world->schema->count;
    int number = 0, i;

    while (parked->origin && number < parked->world->schema->nodes &&
           strcmp(sim_schema_node_name(number), parked->origin))
        number++;
    if (!parked->origin || number == parked->world->schema->nodes ||
        strcmp(parked->action, "create") || !parked->name ||
        reference->rule[number] != SIM_RULE_NONE ||
        !may_be_gone(parked, parked->table, parked->name, steps) ||
        !was_asked(parked, number))
        return 0;
    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *event = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (event->kind == SIM_EVENT_UPDATE && event->table == parked->table &&
            event->column == column && event->after &&
            !strcmp(event->name, parked->name) &&
            may_be_gone(parked, reference->parent, event->after, steps))
            return 1;
    }
    return 0;
}

/* Return whether some application has written a reference to nothing into
 * COLUMN. Of a message that was withheld, or lost by a restore, the present
 * state is sent, which may be such a row, too. */
static int was_orphan(const sim_message_t *parked, int column)
{
    const apr_array_header_t *events = parked->world->events;
    int i;

    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *event = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (event->table == parked->table && is_meant(parked, event) &&
            let_dangle(parked, event, column))
            return 1;
    }
    return parked->world->restored ||
           sim_withheld_has(parked->world, parked->table, NULL, parked->pool) ||
           may_outlive(parked, column) || was_kept_without(parked, column);
}

/* Return whether PARKED says that COLUMN, which must refer to a row, refers to
 * nothing. */
static int says_none(const sim_message_t *parked, const sim_column_t *column)
{
    return column->kind == SIM_REFERENCE && column->not_null &&
           strstr(parked->body, apr_pstrcat(parked->pool, "\"", column->name,
                                            "\":null", NULL)) != NULL;
}

int sim_orphan_is(const sim_message_t *parked)
{
    const sim_table_t *table = &parked->world->schema->tables[parked->table];
    int i;

    for (i = 0; i < table->count; i++)
        if (says_none(parked, &table->columns[i]) && was_orphan(parked, i))
            return 1;
    return 0;
}

int sim_orphan_is_made_up(const sim_message_t *parked)
{
    const sim_table_t *table = &parked->world->schema->tables[parked->table];
    int i;

    for (i = 0; i < table->count; i++)
        if (says_none(parked, &table->columns[i]))
            return !sim_orphan_is(parked);
    return 0;
}
