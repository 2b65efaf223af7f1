/* See judge.h. */
#include "judging.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include "message.h"
#include "parked.h"

const char *sim_judge_shown(const char *value)
{
    return value ? value : "NULL";
}

/* Each message has a number, and whom it is for has it. */
static void judge_outbox(sim_judge_t *judge, int number)
{
    sim_session_t *session = &judge->world->nodes[number].sessions[0];
    const char *waiting = sim_node_value(
        session,
        "SELECT (SELECT count(*) FROM outbound_messages WHERE seq IS NULL)"
        " + (SELECT count(*) FROM communicator_publications)",
        judge->pool);
    const char *behind = sim_node_value(
        session,
        "SELECT (SELECT count(*) FROM outbound_messages AS m"
        " JOIN communicator_peers AS p ON m.seq > p.confirmed"
        " AND (m.source IS NULL OR m.source <> p.name))"
        " + (SELECT count(*) FROM communicator_batches AS b"
        " JOIN communicator_peers AS p ON b.last_seq > p.confirmed)",
        judge->pool);

    if (strcmp(waiting, "0"))
        sim_world_fail(judge->world, "unstamped", "%s at %s", waiting,
                       sim_schema_node_name(number));
    if (strcmp(behind, "0"))
        sim_world_fail(judge->world, "unconfirmed", "%s at %s", behind,
                       sim_schema_node_name(number));
}

/* Nothing is withheld in the end. With deletes=no a message of a record that is
 * gone waits for a person. */
static void judge_withheld(sim_judge_t *judge, int number)
{
    apr_array_header_t *models = sim_node_select(
        &judge->world->nodes[number].sessions[0],
        "SELECT model FROM communicator_withheld WHERE ended_at = 0", 1,
        judge->pool);
    int i, table;

    for (i = 0; i < models->nelts; i++) {
        table = (int)strtol(APR_ARRAY_IDX(models, i, const char **)[0] + 1,
                            NULL, 10);
        if (!judge->world->schema->tables[table].keeps)
            sim_world_fail(judge->world, "withheld", "a message of m%d at %s",
                           table, sim_schema_node_name(number));
        APR_ARRAY_PUSH(judge->waiting, sim_waiting_t) =
            (sim_waiting_t){table, ""};
    }
}

int sim_judge_has_event(const sim_judge_t *judge, sim_event_e kind, int table,
                        const char *name)
{
    const apr_array_header_t *events = judge->world->events;
    int i;

    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *event = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (event->kind == kind && event->table == table &&
            !strcmp(event->name, name))
            return 1;
    }
    return 0;
}

static int waits(const sim_judge_t *judge, int table, const char *name);

/* Whether a row waits that a row of TABLE is called by. */
static int parent_waits(const sim_judge_t *judge, const sim_table_t *table,
                        const char *name)
{
    const char *end = strchr(name, ',');

    if (table->joined < 2 || !end)
        return table->joined && waits(judge, table->columns[0].parent, name);
    return waits(judge, table->columns[1].parent, end + 1) ||
           waits(judge, table->columns[0].parent,
                 apr_pstrmemdup(judge->pool, name, (apr_size_t)(end - name)));
}

/* Whether nodes may differ about the record NAME: something of it is parked. Or
 * its key was changed, and that is a delete and a new record: a known limit. Or
 * it was deleted where deletes are not sent. */
static int waits(const sim_judge_t *judge, int table, const char *name)
{
    if (judge->world->schema->tables[table].keeps && name &&
        sim_judge_has_event(judge, SIM_EVENT_DELETE, table, name))
        return 1;
    if (name && parent_waits(judge, &judge->world->schema->tables[table], name))
        return 1;
    return sim_parked_has(judge->waiting, table, name) ||
           (name && sim_judge_has_event(judge, SIM_EVENT_KEY, table, name));
}

/* A row that had no identity in a database that was restored, since where= kept
 * it when that was saved: what was sent of it after that has come back as
 * another record (the guide, "Restore from a backup"). */
static int was_kept(const sim_judge_t *judge, const sim_row_t *row)
{
    int i;

    for (i = 0; i < judge->world->schema->nodes; i++)
        if (judge->world->restored >> i & 1 &&
            sim_parked_has(judge->world->kept[i], row->table, row->name))
            return 1;
    return 0;
}

/* Return whether a person has decided about a message that was held, and may be
 * of TABLE. */
static int was_decided(const sim_judge_t *judge, int table)
{
    return judge->world->schema->tables[table].holds &&
           !apr_is_empty_table(judge->world->decided);
}

/* Return whether ROW may be there as two records: a row filter has ended one of
 * them (leave=delete), which a person kept, and the other is the row since it
 * matches again (docs/convergence.md). */
static int is_kept_and_back(const sim_judge_t *judge, const sim_row_t *row)
{
    return judge->world->schema->tables[row->table].leaves &&
           was_decided(judge, row->table);
}

static void judge_doubles(sim_judge_t *judge, int number)
{
    const apr_array_header_t *rows = judge->rows[number];
    int i;

    for (i = 1; i < rows->nelts; i++) {
        const sim_row_t *row = &APR_ARRAY_IDX(rows, i, sim_row_t);

        if (row->table != row[-1].table || strcmp(row->name, row[-1].name) ||
            waits(judge, row->table, row->name))
            continue;
        if (was_kept(judge, row) || is_kept_and_back(judge, row))
            APR_ARRAY_PUSH(judge->waiting, sim_waiting_t) =
                (sim_waiting_t){row->table, row->name};
        else
            sim_world_fail(judge->world, "twice", "%s of t%d at %s", row->name,
                           row->table, sim_schema_node_name(number));
    }
}

/* A reference may differ while the parent waits. What a person has decided
 * where nothing is published stays there. */
static int may_differ(const sim_judge_t *judge, const sim_row_t *one,
                      const sim_row_t *other, int number)
{
    const sim_column_t *column =
        &judge->world->schema->tables[one->table].columns[number];

    if (judge->world->schema->tables[one->table].publisher >= 0 &&
        was_decided(judge, one->table))
        return 1;
    if (number < SIM_COLUMNS && column->names)
        return may_differ(judge, one, other, number - 1);
    if (number == SIM_COLUMNS || column->kind != SIM_REFERENCE)
        return 0;
    if (!one->values[number] != !other->values[number] &&
        sim_judge_may_forget(judge, one, number))
        return 1;
    return sim_judge_may_dangle(judge, column) ||
           waits(judge, column->parent, one->values[number]) ||
           waits(judge, column->parent, other->values[number]) ||
           (column->other >= 0 &&
            (waits(judge, column->other, one->values[number]) ||
             waits(judge, column->other, other->values[number])));
}

static void compare_rows(sim_judge_t *judge, const sim_row_t *one,
                         const sim_row_t *other, int number)
{
    const sim_table_t *table = &judge->world->schema->tables[one->table];
    int i;

    if (waits(judge, one->table, one->name) ||
        sim_judge_is_outside(judge, 0, one) ||
        sim_judge_is_outside(judge, number, other) ||
        sim_judge_was_left(judge, 0, one) ||
        sim_judge_was_left(judge, number, other))
        return;
    for (i = 0; i <= SIM_COLUMNS; i++)
        if (sim_judge_is_common(judge->world->schema, table, i, 0, number) &&
            strcmp(sim_judge_shown(one->values[i]),
                   sim_judge_shown(other->values[i])) &&
            !(sim_judge_leads_to_stranded(judge, 0, one, i) &&
              !other->values[i]) &&
            !(sim_judge_leads_to_stranded(judge, number, other, i) &&
              !one->values[i]) &&
            !may_differ(judge, one, other, i))
            sim_world_fail(
                judge->world, "differ", "%s of %s: %s is %s at %s, %s at %s",
                one->name, table->name,
                i == SIM_COLUMNS ? "tag" : table->columns[i].name,
                sim_judge_shown(one->values[i]), sim_schema_node_name(0),
                sim_judge_shown(other->values[i]),
                sim_schema_node_name(number));
    sim_judge_clocks(judge, one, other, number);
}

/* What is at node ONE is at node OTHER, too. */
static void judge_there(sim_judge_t *judge, int one, int other)
{
    const apr_array_header_t *rows = judge->rows[one];
    int i;

    for (i = 0; i < rows->nelts; i++) {
        const sim_row_t *row = &APR_ARRAY_IDX(rows, i, sim_row_t);

        if (!sim_rows_find(judge->rows[other], row->table, row->name) &&
            !waits(judge, row->table, row->name) &&
            !sim_judge_is_stranded(judge, one, row))
            sim_world_fail(judge->world, "missing", "%s of t%d at %s",
                           row->name, row->table, sim_schema_node_name(other));
    }
}

/* Compare node NUMBER with the first. */
static void judge_equal(sim_judge_t *judge, int number)
{
    int i;

    judge_there(judge, 0, number);
    judge_there(judge, number, 0);
    for (i = 0; i < judge->rows[0]->nelts; i++) {
        const sim_row_t *row = &APR_ARRAY_IDX(judge->rows[0], i, sim_row_t);
        const sim_row_t *other =
            sim_rows_find(judge->rows[number], row->table, row->name);

        if (other)
            compare_rows(judge, row, other, number);
    }
}

/* Return whether the row NAME of TABLE may have left its row filter for a time,
 * and been deleted elsewhere meanwhile (leave=delete): it came back as a new
 * record. */
static int has_left(const sim_judge_t *judge, const sim_table_t *table,
                    const char *name)
{
    const apr_array_header_t *events = judge->world->events;
    int i;

    for (i = 0; table->leaves && i < events->nelts; i++) {
        const sim_event_t *event = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (event->kind == SIM_EVENT_UPDATE && event->column == table->filter &&
            &judge->world->schema->tables[event->table] == table &&
            !strcmp(event->name, name))
            return 1;
    }
    return 0;
}

/* What was inserted is there, stays where it was, or somebody has deleted it;
 * what was deleted is not there, but where a key is used again, it came back
 * into a row filter, or a person has decided to keep it. */
static void judge_existence(sim_judge_t *judge, const sim_event_t *event)
{
    const sim_table_t *table = &judge->world->schema->tables[event->table];
    const sim_row_t *row =
        sim_rows_find(judge->rows[0], event->table, event->name);

    if (event->kind == SIM_EVENT_INSERT && !row &&
        !sim_judge_may_have_gone(judge, event) &&
        !sim_judge_stays(judge, event) &&
        !sim_judge_has_left(judge, event->table, event->name) &&
        !sim_judge_is_left_elsewhere(judge, event) &&
        !(event->was && was_decided(judge, event->table)))
        sim_world_fail(judge->world, "lost", "%s of %s, inserted at %s",
                       event->name, table->name,
                       sim_schema_node_name(event->node));
    if (event->kind == SIM_EVENT_DELETE && row &&
        !sim_schema_is_reused(table) && !table->holds &&
        !has_left(judge, table, event->name) &&
        !sim_parked_has(judge->world->revived, event->table, event->name))
        sim_world_fail(judge->world, "revived", "%s of %s, deleted at %s",
                       event->name, table->name,
                       sim_schema_node_name(event->node));
}

/* Whether an application has replaced the value of EVENT, knowing it. */
int sim_judge_is_overwritten(const sim_judge_t *judge, const sim_event_t *event)
{
    const apr_array_header_t *events = judge->world->events;
    int i;

    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *other = &APR_ARRAY_IDX(events, i, sim_event_t);

        /* It went with its parent, and its key is used again. */
        if (other > event && other->kind == SIM_EVENT_INSERT &&
            sim_judge_is_one(judge, other, event->table, event->name) &&
            sim_judge_may_be_orphaned(judge, event->table))
            return 1;
        if (other->kind == SIM_EVENT_UPDATE && other->column == event->column &&
            other->before && !strcmp(other->before, event->after) &&
            sim_judge_is_one(judge, other, event->table, event->name))
            return 1;
    }
    return 0;
}

/* Return whether an application has deleted the record of EVENT, and may have
 * known its value. Only words are each given once; and whose row goes with its
 * parent, knows what is at each node. */
static int is_deleted(const sim_judge_t *judge, const sim_event_t *event)
{
    const apr_array_header_t *events = judge->world->events;
    const int is_word = *event->after == 'v' && event->column < SIM_COLUMNS &&
                        !sim_judge_may_be_orphaned(judge, event->table);
    int i;

    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *end = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (end->kind == SIM_EVENT_DELETE && end->table == event->table &&
            !strcmp(end->name, event->name) &&
            (!is_word || sim_judge_is_known_at(judge, end, event)))
            return 1;
    }
    return 0;
}

/* Return whether an application has replaced the value of EVENT, or deleted its
 * record, and may have known it. */
static int is_replaced(const sim_judge_t *judge, const sim_event_t *event)
{
    return is_deleted(judge, event) ||
           sim_judge_has_event(judge, SIM_EVENT_NAME, event->table,
                               event->name) ||
           sim_judge_is_overwritten(judge, event);
}

const char *sim_judge_value_of(const char *text, apr_pool_t *pool)
{
    return *text == '"' ? sim_message_unquote(text, pool) : text;
}

int sim_judge_is_kept(const sim_judge_t *judge, const char *value)
{
    int i;

    for (i = 0; i < judge->lost->nelts; i++)
        if (!strcmp(APR_ARRAY_IDX(judge->lost, i, const char *), value))
            return 1;
    return 0;
}

const sim_event_t *sim_judge_writer_of(const sim_judge_t *judge,
                                       const sim_event_t *event, int column,
                                       const char *value)
{
    const sim_event_t *first = (const sim_event_t *)judge->world->events->elts;
    const sim_event_t *other;

    for (other = event - 1; value && *value == 'v' && other >= first; other--)
        if (other->kind == SIM_EVENT_UPDATE && other->column == column &&
            other->after && !strcmp(other->after, value) &&
            sim_judge_is_one(judge, other, event->table, event->name))
            return other;
    return NULL;
}

/* Return whether EVENT has replaced the value of OTHER, or one that had, or so
 * on. Only words are each given once. */
static int has_replaced(const sim_judge_t *judge, const sim_event_t *event,
                        const sim_event_t *other)
{
    do {
        event = sim_judge_writer_of(judge, event, event->column, event->before);
    } while (event && event != other);
    return event != NULL;
}

/* Return whether another node has written the column of EVENT, too, which it
 * did not know: it alone may lose to such a value. A third node may prefer what
 * its own node wrote before and no longer has (conflict=NODE). */
static int is_contested(const sim_judge_t *judge, const sim_event_t *event)
{
    const sim_table_t *table = &judge->world->schema->tables[event->table];
    const apr_array_header_t *events = judge->world->events;
    int i;

    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *other = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (!sim_judge_is_one(judge, other, event->table, event->name) ||
            (other->node == event->node &&
             (judge->world->schema->nodes == 2 || other >= event)))
            continue;
        if (other->kind == SIM_EVENT_UPDATE
                ? other->column == event->column &&
                      !has_replaced(judge, event, other)
                : sim_schema_is_reused(table))
            return 1;
    }
    return 0;
}

/* Return whether the values of COLUMN of TABLE may have gone with it. On
 * servers all values of a row are sent, until migrate has looked at its new
 * columns: an older one may win then. */
/* Return whether a column of TABLE was dropped. A change of it that has no
 * number yet counts as one of the whole row then: it may have been renamed. */
static int was_altered(const sim_table_t *table)
{
    int i;

    for (i = 0; i < table->count; i++)
        if (table->columns[i].altered)
            return 1;
    return 0;
}

/* Return whether a trigger has put ROW back, whatever deleted it. */
static int is_put_back(const sim_table_t *table, const sim_row_t *row)
{
    const char *tag = row->values[SIM_COLUMNS];

    return table->returns && tag && *tag && tag[strlen(tag) - 1] == '+';
}

/* Return whether a row filter may have kept the value of EVENT at its node,
 * where it then won over one of the same clock, by its value only: whoever
 * replaced that one seemed to know it (docs/convergence.md). */
static int was_taken_for_another(const sim_judge_t *judge,
                                 const sim_event_t *event)
{
    const sim_table_t *table = &judge->world->schema->tables[event->table];
    apr_array_header_t *won;
    int i;

    if (!sim_schema_may_stay(judge->world->schema, event->node, table,
                             judge->pool))
        return 0;
    won = sim_node_select(
        &judge->world->nodes[event->node].sessions[0],
        apr_psprintf(judge->pool,
                     "SELECT won_value FROM communicator_conflicts WHERE"
                     " model = 'm%d' AND lost_clock = won_clock AND won_value"
                     " IS NOT NULL",
                     event->table),
        1, judge->pool);
    for (i = 0; i < won->nelts; i++)
        if (!strcmp(sim_judge_value_of(APR_ARRAY_IDX(won, i, const char **)[0],
                                       judge->pool),
                    event->after))
            return 1;
    return 0;
}

/* Return whether a value of TABLE may be gone where a person has decided: it
 * had the clock of another one, whose node has replaced that
 * (docs/convergence.md).
 */
static int was_decided_at_once(const sim_judge_t *judge, int table)
{
    return sim_clock_is_coarse() && was_decided(judge, table);
}

/* A value that is no more was replaced by one who knew it, or is kept. A person
 * may prefer a record that one node only has written, to one that has its key
 * now. */
static void judge_value(sim_judge_t *judge, const sim_event_t *event)
{
    const sim_table_t *table = &judge->world->schema->tables[event->table];
    const sim_row_t *row =
        sim_rows_find(judge->rows[0], event->table, event->name);

    if (event->kind != SIM_EVENT_UPDATE || !event->after || !row ||
        event->column == table->filter || /* all are empty in the end */
        !sim_judge_is_common(judge->world->schema, table, event->column, 0,
                             event->node) ||
        (event->column < SIM_COLUMNS &&
         (table->columns[event->column].kind == SIM_REFERENCE ||
          table->columns[event->column].names ||
          table->columns[event->column].counts)))
        return;
    if (!strcmp(sim_judge_shown(row->values[event->column]), event->after) ||
        is_put_back(table, row) || is_replaced(judge, event) ||
        (sim_judge_is_kept(judge, event->after) &&
         (is_contested(judge, event) || was_decided(judge, event->table) ||
          was_altered(table) || table->leaves)) ||
        sim_judge_was_withheld(judge, event->table) ||
        sim_judge_has_gone_for_another(judge, event) ||
        sim_judge_went_by_filter(judge, event, event->column) ||
        was_taken_for_another(judge, event) ||
        was_decided_at_once(judge, event->table) ||
        sim_judge_was_dropped(judge, table, event->column))
        return;
    sim_world_fail(judge->world, "vanished",
                   "%s of %s: %s, written at %s, is "
                   "neither there nor kept",
                   event->name, table->name, event->after,
                   sim_schema_node_name(event->node));
}

/* All values that stand in communicator_conflicts, of all nodes. */
static void read_lost(sim_judge_t *judge)
{
    int i, j;

    judge->lost = apr_array_make(judge->pool, 8, sizeof(const char *));
    for (i = 0; i < judge->world->schema->nodes; i++) {
        apr_array_header_t *rows = sim_node_select(
            &judge->world->nodes[i].sessions[0],
            "SELECT lost_value FROM communicator_conflicts WHERE lost_value"
            " IS NOT NULL",
            1, judge->pool);

        for (j = 0; j < rows->nelts; j++) {
            APR_ARRAY_PUSH(judge->lost, const char *) = sim_judge_value_of(
                APR_ARRAY_IDX(rows, j, const char **)[0], judge->pool);
        }
    }
}

/* Return whether a restore may have undone the event NUMBER: the database has
 * lost what nobody else had. An insert elsewhere, or later, must not be lost,
 * nor a row that another node had by then. */
static int is_undone(const sim_world_t *world, int number)
{
    const sim_event_t *event =
        &APR_ARRAY_IDX(world->events, number, sim_event_t);

    return world->restored &&
           (event->kind != SIM_EVENT_INSERT ||
            (number < world->restored_at &&
             world->restored >> event->node & 1 &&
             !sim_parked_has(world->spread, event->table, event->name)));
}

void sim_judge(sim_world_t *world)
{
    sim_judge_t judge = {.world = world, .pool = world->pool};
    int i;

    judge.waiting = apr_array_make(world->pool, 8, sizeof(sim_waiting_t));
    sim_judge_read_discarded(&judge);
    sim_judge_read_unknown(&judge);
    for (i = 0; i < world->schema->nodes; i++) {
        judge.rows[i] = sim_rows_read(
            &world->nodes[i], &world->nodes[i].sessions[0], world->pool);
        judge_outbox(&judge, i);
        sim_judge_read_clocks(&judge, i);
        judge_withheld(&judge, i);
        sim_parked_find(world, i, judge.rows[i], judge.waiting);
        judge_doubles(&judge, i);
    }
    read_lost(&judge);
    for (i = 1; i < world->schema->nodes; i++)
        judge_equal(&judge, i);
    for (i = 0; i < world->events->nelts && !world->failure; i++) {
        const sim_event_t *event =
            &APR_ARRAY_IDX(world->events, i, sim_event_t);

        if (!world->restored)
            sim_judge_stayed(&judge, event);
        if (waits(&judge, event->table, event->name) || is_undone(world, i) ||
            sim_judge_was_discarded(&judge, event))
            continue;
        judge_existence(&judge, event);
        if (world->restored)
            continue;
        judge_value(&judge, event);
        sim_judge_buried(&judge, event);
    }
    sim_judge_outlived(&judge);
    sim_judge_apart(&judge);
    sim_judge_inbox(&judge);
    sim_judge_claims(&judge);
}
