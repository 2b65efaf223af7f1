/* What each node has noted about the messages that it received: see judge.h. */
#include "judging.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "message.h"

/* Return the number that SQL, about one peer by its name, selects at NODE. */
static long ask(const sim_judge_t *judge, int node, const char *sql,
                const char *peer)
{
    const char *text =
        sim_node_value(&judge->world->nodes[node].sessions[0],
                       apr_psprintf(judge->pool, sql, peer), judge->pool);

    return text ? strtol(text, NULL, 10) : 0;
}

/* Return whether a row filter of PEER may hold a message back that has its
 * number already. */
static int has_filter(const sim_judge_t *judge, int peer)
{
    const sim_schema_t *schema = judge->world->schema;
    int i;

    for (i = 0; i < schema->count; i++)
        if (sim_schema_filter(&schema->tables[i], peer, judge->pool))
            return 1;
    return 0;
}

/* Return whether NODE has to have received each number of PEER: in a pair,
 * where nothing was withheld. A purge forgets what was, when it has ended. */
static int is_dense(const sim_judge_t *judge, int peer)
{
    return judge->world->schema->nodes == 2 && !has_filter(judge, peer) &&
           !(judge->world->purged >> peer & 1) &&
           !ask(judge, peer, "SELECT count(*) FROM communicator_withheld", "");
}

/* The batches that NODE has received from PEER follow each other, up to the
 * last number that it holds. A purge has removed the first ones, or all. */
static void judge_received(sim_judge_t *judge, int node, int peer)
{
    const char *name = sim_schema_node_name(peer);
    const int is_purged = judge->world->purged >> node & 1;
    const int dense = is_dense(judge, peer);
    const apr_array_header_t *rows =
        sim_node_select(&judge->world->nodes[node].sessions[0],
                        apr_psprintf(judge->pool,
                                     "SELECT first_seq, last_seq, messages FROM"
                                     " communicator_received WHERE peer = '%s'"
                                     " ORDER BY first_seq",
                                     name),
                        3, judge->pool);
    const long held =
        ask(judge, node,
            "SELECT received FROM communicator_peers WHERE name = '%s'", name);
    long last = 0;
    int i;

    for (i = 0; i < rows->nelts; i++) {
        const char **cells = APR_ARRAY_IDX(rows, i, const char **);
        long first = strtol(cells[0], NULL, 10), before = last;
        long count = strtol(cells[2], NULL, 10);

        last = strtol(cells[1], NULL, 10);
        if (first <= before || count > last - first + 1 || count < 1)
            sim_world_fail(judge->world, "received",
                           "%ld messages from %ld to %ld of %s at %s, after "
                           "%ld",
                           count, first, last, name, sim_schema_node_name(node),
                           before);
        if (dense && (count < last - first + 1 ||
                      (first > before + 1 && (i || !is_purged))))
            sim_world_fail(judge->world, "received",
                           "%s lacks messages of %s between %ld and %ld",
                           sim_schema_node_name(node), name, before, last);
    }
    if (last > held || (dense && last < held && !is_purged))
        sim_world_fail(judge->world, "received",
                       "%s holds messages of %s up to %ld, not %ld",
                       sim_schema_node_name(node), name, last, held);
}

/* Return what joins MESSAGE, an alias in a query, with the mapping that says
 * which other name its record has (match=). A tombstone names the record that
 * continues the deleted one: that is another record. */
static const char *with_name(const char *message, apr_pool_t *pool)
{
    return apr_psprintf(
        pool,
        " LEFT JOIN communicator_mappings AS of_%s ON of_%s.origin = %s.origin"
        " AND of_%s.original_id = %s.original_id AND"
        " of_%s.local_record_type = upper(%s.model) AND of_%s.deleted_at = 0",
        message, message, message, message, message, message, message, message);
}

/* Return the condition that NODE knew the record of MESSAGE by the name there
 * before it applied "later". */
static const char *was_known(const char *message, int node, apr_pool_t *pool)
{
    return apr_psprintf(
        pool,
        "(%s.origin = '%s' OR EXISTS (SELECT 1 FROM inbound_messages AS known"
        " WHERE known.peer = %s.peer AND known.model = %s.model AND"
        " known.origin = %s.origin AND known.original_id = %s.original_id AND"
        " known.error IS NULL AND known.processed_at < later.processed_at))",
        message, sim_schema_node_name(node), message, message, message,
        message);
}

/* Return the condition that "later" and "parked" are of one record: under one
 * name, or under two, of which both were known. Times tell nothing where clocks
 * were wrong. */
static const char *is_same(const sim_world_t *world, int node, apr_pool_t *pool)
{
    const char *same = "later.origin = parked.origin AND later.original_id ="
                       " parked.original_id";

    if (world->jumped)
        return same;
    return apr_pstrcat(pool, "(", same,
                       " OR (coalesce(of_parked.same_origin, parked.origin) ="
                       " coalesce(of_later.same_origin, later.origin) AND"
                       " coalesce(of_parked.same_id, parked.original_id) ="
                       " coalesce(of_later.same_id, later.original_id) AND ",
                       was_known("parked", node, pool), " AND ",
                       was_known("later", node, pool), "))", NULL);
}

/* Where all messages stay rows: none has overtaken one of its record that is
 * parked, or was until later. */
void sim_judge_order(sim_world_t *world, int node, apr_pool_t *pool)
{
    const char *count = sim_node_value(
        world->nodes[node].beside,
        apr_pstrcat(
            pool,
            "SELECT count(*) FROM inbound_messages AS parked JOIN"
            " inbound_messages AS later ON later.peer = parked.peer AND"
            " later.model = parked.model AND later.id > parked.id",
            with_name("parked", pool), with_name("later", pool),
            " WHERE (parked.processed_at IS NULL",
            world->jumped ? ""
                          : " OR (parked.error IS NULL AND"
                            " parked.processed_at > later.processed_at)",
            ") AND later.processed_at IS NOT NULL AND later.error IS NULL AND ",
            is_same(world, node, pool), NULL),
        pool);

    if (strcmp(count, "0"))
        sim_world_fail(world, "overtaken",
                       "%s messages have overtaken parked ones of their "
                       "records at %s",
                       count, sim_schema_node_name(node));
}

/* Return whether somebody elsewhere has replaced the value that EVENT wrote, or
 * has deleted its record: who did that may have decided a conflict. */
static int is_replaced_elsewhere(const sim_judge_t *judge,
                                 const sim_event_t *event)
{
    const apr_array_header_t *events = judge->world->events;
    int i;

    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *other = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (other <= event || other->node == event->node ||
            other->table != event->table || strcmp(other->name, event->name))
            continue;
        if (other->kind == SIM_EVENT_DELETE)
            return 1;
        if (other->kind == SIM_EVENT_UPDATE && other->column == event->column &&
            other->before && !strcmp(other->before, event->after))
            return 1;
    }
    return 0;
}

/* Return whether both events have changed the same column of the same row. */
static int is_same_place(const sim_event_t *one, const sim_event_t *other)
{
    return one->kind == other->kind && one->table == other->table &&
           one->column == other->column && !strcmp(one->name, other->name);
}

/* Return whether both values are the same; NULL: none. */
static int is_same_value(const char *one, const char *other)
{
    return one && other ? !strcmp(one, other) : one == other;
}

/* Return whether another node has written the value that EVENT wrote over a
 * change of its own: nobody is asked, as the two leave what stands here. */
static int is_returned_elsewhere(const sim_judge_t *judge,
                                 const sim_event_t *event)
{
    const sim_event_t *first = (const void *)judge->world->events->elts;
    const sim_event_t *last = first + judge->world->events->nelts;
    const sim_event_t *other, *before;

    for (other = first; other < last; other++) {
        if (other->node == event->node || !is_same_place(other, event) ||
            !is_same_value(other->after, event->after))
            continue;
        for (before = first; before < other; before++)
            if (before->node == other->node && is_same_place(before, other) &&
                is_same_value(before->after, other->before))
                return 1;
    }
    return 0;
}

/* Return whether a conflict of TABLE at NODE may have ended without a person:
 * where another node has decided by the clocks, and what was written here won,
 * somebody there may have replaced it; or what was changed there twice is the
 * same as here. In a hub, both values may come from other nodes. */
static int is_settled_elsewhere(const sim_judge_t *judge, int table, int node)
{
    const apr_array_header_t *events = judge->world->events;
    int is_pair = judge->world->schema->nodes == 2, i;

    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *event = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (event->kind == SIM_EVENT_UPDATE &&
            (event->node == node || !is_pair) && event->table == table &&
            ((event->after && is_replaced_elsewhere(judge, event)) ||
             is_returned_elsewhere(judge, event)))
            return 1;
    }
    return 0;
}

/* Return whether a row that was no record may become one of TABLE at NODE: what
 * it had loses to what made the record. It was none by its own row filter, or
 * for want of a parent that a row filter keeps. */
static int may_adopt(const sim_judge_t *judge, const sim_table_t *table,
                     int node)
{
    return table->match >= 0 || (sim_schema_is_reused(table) &&
                                 sim_schema_may_stay(judge->world->schema, node,
                                                     table, judge->pool));
}

/* Return whether an application has deleted the row of TABLE that Communicator
 * called ID at NODE. A key of several columns may have other values elsewhere:
 * there it may be any row. */
static int was_deleted(const sim_judge_t *judge, int table, int node,
                       const char *id)
{
    const apr_array_header_t *events = judge->world->events;
    const sim_table_t *deleted = &judge->world->schema->tables[table];
    const int is_shared = sim_schema_is_shared(deleted);
    const char *key = sim_message_key(deleted, id, judge->pool);
    int i;

    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *event = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (event->kind != SIM_EVENT_DELETE || event->table != table)
            continue;
        if (event->node != node && deleted->joined > 1)
            return 1;
        if ((event->node == node || is_shared) && event->row &&
            event->row->key && !strcmp(event->row->key, key))
            return 1;
    }
    return 0;
}

/* Return whether the record of a conflict of TABLE at NODE had gone with its
 * parent by then, and no application has deleted it: nobody is asked about a
 * record that the next message deletes anyway. CELLS are its origin, its id
 * there, its key here, and when the conflict was decided. Times tell nothing
 * where clocks were wrong. */
static int has_gone(const sim_judge_t *judge, int table, int node,
                    const char **cells)
{
    const sim_event_t event = {.table = table};

    return cells[0] && cells[1] && cells[2] &&
           sim_judge_may_have_gone(judge, &event) &&
           !was_deleted(judge, table, node, cells[2]) &&
           ask(judge, node,
               "SELECT count(*) FROM communicator_mappings WHERE deleted_at > 0"
               " AND %s",
               apr_psprintf(
                   judge->pool,
                   "local_record_type = 'M%d' AND origin = '%s' AND"
                   " original_id = '%s' AND (deleted_at <= %s OR 1 = %d)",
                   table, cells[0], cells[1], cells[3], judge->world->jumped)) >
               0;
}

/* Return whether a conflict of TABLE at NODE was decided, of a record that has
 * not gone with its parent by then. Who replaced a value that was withheld
 * seems to know the one here of its clock (docs/convergence.md). */
static int is_decided(const sim_judge_t *judge, int table, int node)
{
    const apr_array_header_t *rows = sim_node_select(
        &judge->world->nodes[node].sessions[0],
        apr_psprintf(judge->pool,
                     "SELECT origin, original_id, local_record_id, created_at,"
                     " peer, column_name, won_value, won_clock FROM"
                     " communicator_conflicts WHERE model = 'm%d' AND"
                     " won_value <> 'null'",
                     table),
        8, judge->pool);
    int i;

    for (i = 0; i < rows->nelts; i++) {
        const char **cells = APR_ARRAY_IDX(rows, i, const char **);

        if (!has_gone(judge, table, node, cells) &&
            !sim_judge_is_of_withheld(judge, node, table, cells))
            return 1;
    }
    return 0;
}

/* Where a person decides, no conflict of a change is decided before. (One that
 * was, says what has won.) */
static void judge_held(sim_judge_t *judge, int node)
{
    const sim_schema_t *schema = judge->world->schema;
    int i;

    for (i = 0; i < schema->count; i++)
        if (schema->tables[i].holds >> node & 1 &&
            !may_adopt(judge, &schema->tables[i], node) &&
            apr_is_empty_table(judge->world->decided) &&
            !is_settled_elsewhere(judge, i, node) && is_decided(judge, i, node))
            sim_world_fail(judge->world, "decided",
                           "a conflict of m%d by nobody at %s", i,
                           sim_schema_node_name(node));
}

/* A row of communicator_conflicts: one word has lost to another. */
typedef struct conflict_t {
    int table;
    const char *column, *lost, *won;
    const char *name; /* of the row; NULL: it is gone */
} conflict_t;

/* Return whether EVENT gave the column of CONFLICT, in its row, the value that
 * won. If the row is gone, it may be any that has got the value. */
static int has_won(const sim_judge_t *judge, const conflict_t *conflict,
                   const sim_event_t *event)
{
    const sim_table_t *table = &judge->world->schema->tables[conflict->table];

    return event->kind == SIM_EVENT_UPDATE && event->table == conflict->table &&
           event->column < SIM_COLUMNS && event->after &&
           !strcmp(event->after, conflict->won) &&
           !strcmp(table->columns[event->column].name, conflict->column) &&
           (!conflict->name || !strcmp(event->name, conflict->name));
}

/* Return whether the value that CONFLICT has lost was written where a row
 * filter applies, and WON knew it from an earlier message: a row is sent as it
 * is when it gets its number, under the clock of each change that is sent, so
 * the value has a later clock, too (docs/convergence.md). */
static int was_sent_early(const sim_judge_t *judge, const conflict_t *conflict,
                          const sim_event_t *won)
{
    const sim_event_t *lost =
        sim_judge_writer_of(judge, won, won->column, conflict->lost);

    return lost && sim_schema_may_stay(
                       judge->world->schema, lost->node,
                       &judge->world->schema->tables[lost->table], judge->pool);
}

/* Return whether who wrote the value that won had the other one before, or a
 * value that replaced it, or so on. */
static int has_known(const sim_judge_t *judge, const conflict_t *conflict)
{
    const apr_array_header_t *events = judge->world->events;
    int i, known = 0;

    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *won = &APR_ARRAY_IDX(events, i, sim_event_t);
        const sim_event_t *event = won;

        if (!has_won(judge, conflict, won))
            continue;
        while (event && event->before && strcmp(event->before, conflict->lost))
            event =
                sim_judge_writer_of(judge, event, event->column, event->before);
        if (!event || !event->before || was_sent_early(judge, conflict, won))
            return 0;
        known = 1;
    }
    return known;
}

/* Return what the row of the record (ORIGIN, ID) of TABLE is called at NODE, or
 * NULL. */
static const char *name_of(const sim_judge_t *judge, int node, int table,
                           const char *origin, const char *id)
{
    const apr_array_header_t *rows = judge->rows[node];
    const char *key = sim_node_value(
        &judge->world->nodes[node].sessions[0],
        apr_psprintf(judge->pool,
                     "SELECT local_record_id FROM communicator_mappings WHERE"
                     " local_record_type = 'M%d' AND origin = '%s' AND"
                     " original_id = '%s' AND deleted_at = 0",
                     table, origin, id),
        judge->pool);
    int i;

    for (i = 0; key && i < rows->nelts; i++) {
        const sim_row_t *row = &APR_ARRAY_IDX(rows, i, sim_row_t);

        if (row->table == table && row->key && !strcmp(row->key, key))
            return row->name;
    }
    return NULL;
}

/* Return whether what looks like an update of the row NAME of table NUMBER
 * (NULL: it is gone) may be another record: the row is called by what several
 * may have. By match= they have it only one after the other. */
static int may_be_another(const sim_judge_t *judge, int number,
                          const char *name)
{
    const sim_table_t *table = &judge->world->schema->tables[number];

    return sim_schema_is_reused(table) &&
           (table->match < 0 || !name ||
            sim_judge_has_left(judge, number, name));
}

/* Return whether a value of TABLE may get a newer clock without being written
 * again: a person, or conflict=, lets it win; or a trigger of another node puts
 * the deleted row back; or a column was dropped before the change of it had a
 * number, which then counts as one of the whole row. */
static int may_win_again(const sim_table_t *table)
{
    int i;

    for (i = 0; i < table->count; i++)
        if (table->columns[i].altered)
            return 1;
    return table->holds || table->wins >= 0 || table->returns;
}

/* Return how many messages of the record (ORIGIN, ID) of TABLE have passed over
 * an earlier one under its other name at NODE, where messages stay rows. */
static long count_passed(const sim_judge_t *judge, int node, int table,
                         const char *origin, const char *id)
{
    const char *sql = apr_pstrcat(
        judge->pool,
        "SELECT count(*) FROM inbound_messages AS parked JOIN inbound_messages"
        " AS later ON later.peer = parked.peer AND later.model = parked.model"
        " AND later.id > parked.id",
        with_name("parked", judge->pool), with_name("later", judge->pool),
        apr_psprintf(
            judge->pool,
            " WHERE parked.model = 'm%d' AND (later.origin <> parked.origin OR"
            " later.original_id <> parked.original_id) AND"
            " coalesce(of_parked.same_origin, parked.origin) = '%s' AND"
            " coalesce(of_parked.same_id, parked.original_id) = '%s' AND"
            " coalesce(of_later.same_origin, later.origin) = '%s' AND"
            " coalesce(of_later.same_id, later.original_id) = '%s'",
            table, origin, id, origin, id),
        judge->world->jumped ? ""
                             : " AND later.processed_at < parked.processed_at",
        NULL);

    return ask(judge, node, sql, "");
}

/* Return whether NODE may have learned that the record (ORIGIN, ID) of TABLE
 * has another name from a message that passed over one under the first name: a
 * known limit (docs/convergence.md). Neither name is its own. */
static int was_passed_over(const sim_judge_t *judge, int node, int table,
                           const char *origin, const char *id)
{
    const char *name = sim_schema_node_name(node);
    const int shows = judge->world->schema->rows >> node & 1 &&
                      !(judge->world->purged >> node & 1);

    if (judge->world->schema->tables[table].match < 0 || !strcmp(origin, name))
        return 0;
    if (shows)
        return count_passed(judge, node, table, origin, id) > 0;
    return ask(judge, node,
               apr_psprintf(judge->pool,
                            "SELECT count(*) FROM communicator_mappings WHERE"
                            " local_record_type = 'M%d' AND same_origin = '%s'"
                            " AND same_id = '%s' AND origin <> '%s'"
                            " AND deleted_at = 0",
                            table, origin, id, name),
               "") > 0;
}

/* Who replaces a value that they know is in no conflict with it. */
static void judge_conflicts(sim_judge_t *judge, int node)
{
    const apr_array_header_t *rows = sim_node_select(
        &judge->world->nodes[node].sessions[0],
        "SELECT model, column_name, lost_value, won_value, origin, original_id"
        " FROM communicator_conflicts WHERE lost_value LIKE '\"v%'"
        " AND won_value LIKE '\"v%'",
        6, judge->pool);
    int i;

    for (i = 0; i < rows->nelts; i++) {
        const char **cells = APR_ARRAY_IDX(rows, i, const char **);
        conflict_t conflict = {
            .table = (int)strtol(cells[0] + 1, NULL, 10),
            .column = cells[1],
            .lost = sim_judge_value_of(cells[2], judge->pool),
            .won = sim_judge_value_of(cells[3], judge->pool)};

        if (may_win_again(&judge->world->schema->tables[conflict.table]))
            continue;
        conflict.name =
            name_of(judge, node, conflict.table, cells[4], cells[5]);
        if (may_be_another(judge, conflict.table, conflict.name) ||
            was_passed_over(judge, node, conflict.table, cells[4], cells[5]))
            continue;
        if (has_known(judge, &conflict))
            sim_world_fail(judge->world, "known",
                           "%s of %s lost to %s at %s, which replaced it",
                           conflict.lost, cells[0], conflict.won,
                           sim_schema_node_name(node));
    }
}

/* No lie about the time has become a record's (liar.c: in the last year of
 * all), unless a person has discarded one. */
static void judge_clocks(sim_judge_t *judge, int node)
{
    if (judge->world->discarded->nelts)
        return;
    if (ask(judge, node,
            "SELECT count(*) FROM communicator_mappings WHERE clock >"
            " 1000000000000000000",
            ""))
        sim_world_fail(judge->world, "ahead",
                       "a record at %s has the clock of a lie",
                       sim_schema_node_name(node));
}

void sim_judge_undecided(sim_world_t *world)
{
    sim_judge_t judge = {.world = world, .pool = world->pool};
    int i;

    for (i = 0; i < world->schema->nodes && !world->restored; i++) {
        judge.rows[i] = sim_rows_read(
            &world->nodes[i], &world->nodes[i].sessions[0], world->pool);
        judge_held(&judge, i);
    }
    for (i = 0; i < world->events->nelts && !world->restored; i++)
        sim_judge_spared(&judge, &APR_ARRAY_IDX(world->events, i, sim_event_t));
}

/* After a restore numbers begin again. */
void sim_judge_inbox(sim_judge_t *judge)
{
    const sim_schema_t *schema = judge->world->schema;
    int i;

    for (i = 0; i < schema->nodes - 1 && !judge->world->restored; i++) {
        judge_received(judge, schema->links[i].caller, schema->links[i].callee);
        judge_received(judge, schema->links[i].callee, schema->links[i].caller);
    }
    for (i = 0; i < schema->nodes; i++)
        judge_clocks(judge, i);
    for (i = 0; i < schema->nodes && !judge->world->restored; i++) {
        sim_judge_order(judge->world, i, judge->pool);
        judge_held(judge, i);
        judge_conflicts(judge, i);
    }
}
