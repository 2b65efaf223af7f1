/* See causes.h. */
#include "causes.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "orphan.h"
#include "parked.h"

/* Return whether rows of TABLE need what COLUMN, a reference, refers to: they
 * do not let go of it when it is deleted. */
static int is_needed(const sim_table_t *table, const sim_column_t *column)
{
    return column->not_null || column - table->columns < table->joined;
}

/* A child here refuses the delete. */
static int is_refused_by_child(const sim_message_t *parked)
{
    const sim_schema_t *schema = parked->world->schema;
    int i, column;

    if (!parked->row)
        return 0;
    for (i = 0; i < parked->rows->nelts; i++) {
        const sim_row_t *row = &APR_ARRAY_IDX(parked->rows, i, sim_row_t);
        const sim_table_t *table = &schema->tables[row->table];

        for (column = 0; column < table->count; column++)
            if (table->columns[column].kind == SIM_REFERENCE &&
                table->columns[column].parent == parked->table &&
                table->columns[column].rule[parked->node->number] !=
                    SIM_RULE_NONE &&
                is_needed(table, &table->columns[column]) &&
                row->values[column] &&
                !strcmp(row->values[column], parked->name))
                return 1;
    }
    return 0;
}

/* Return the body of the last message before PARKED that is parked, too, is of
 * its record and has COLUMN; NULL: there is none. A peer may say nothing of a
 * column that it lacks (only=, or since it was dropped). */
static const char *earlier_body(const sim_message_t *parked, const char *column)
{
    return sim_node_value(
        parked->session,
        apr_psprintf(parked->pool,
                     "SELECT body FROM inbound_messages WHERE processed_at IS"
                     " NULL AND peer = '%s' AND model = '%s' AND origin = '%s'"
                     " AND original_id = '%s' AND id < %s AND body LIKE"
                     " '%%\"%s\":%%' ORDER BY id DESC LIMIT 1",
                     parked->peer, parked->model, parked->origin,
                     parked->original_id, parked->id, column),
        parked->pool);
}

/* Return the value that COLUMN, by its name, would have; NULL: none. */
static const char *value_of(const sim_message_t *parked, const char *column)
{
    const char *body = parked->body;

    if (!body || !strstr(body, apr_psprintf(parked->pool, "\"%s\":", column)))
        body = earlier_body(parked, column);
    return sim_message_find(body, column, parked->pool);
}

/* Return whether PARKED and a message about the row TAKER wait for nothing but
 * each other, as both have the value of COLUMN that the other is to have. */
static int is_swap(const sim_message_t *parked, int column,
                   const sim_row_t *taker)
{
    const apr_array_header_t *found = sim_node_select(
        parked->session, SIM_MESSAGE_SELECT, SIM_MESSAGE_COLUMNS, parked->pool);
    const char *name =
        parked->world->schema->tables[parked->table].columns[column].name;
    const char *here = parked->row ? parked->row->values[column] : NULL;
    int i;

    for (i = 0; here && i < found->nelts; i++) {
        sim_message_t other = *parked;
        const char *wanted;

        sim_message_take(&other, APR_ARRAY_IDX(found, i, const char **));
        if (other.row != taker || strcmp(other.peer, parked->peer))
            continue;
        wanted = value_of(&other, name);
        other.exchanged_with = parked->row;
        if (wanted && !strcmp(wanted, here))
            return !sim_causes_has(&other);
    }
    return 0;
}

/* Another row here has the unique value, or the key. */
static int is_taken(const sim_message_t *parked)
{
    const sim_table_t *table = &parked->world->schema->tables[parked->table];
    int i, column;

    if (sim_schema_is_reused(table) && !parked->row &&
        sim_rows_find(parked->rows, parked->table, parked->name))
        return 1;
    for (column = 0; column < table->count; column++) {
        const char *value = table->columns[column].unique
                                ? value_of(parked, table->columns[column].name)
                                : NULL;

        for (i = 0; value && i < parked->rows->nelts; i++) {
            const sim_row_t *row = &APR_ARRAY_IDX(parked->rows, i, sim_row_t);

            if (row->table == parked->table && row != parked->row &&
                row != parked->exchanged_with && row->values[column] &&
                !strcmp(row->values[column], value) &&
                !is_swap(parked, column, row))
                return 1;
        }
    }
    return 0;
}

/* Return whether a parked record continues (ORIGIN, ID) of TABLE under another
 * key: what needs that one waits for it. */
static int is_continued(const sim_message_t *parked, int table,
                        const char *origin, const char *id)
{
    const char *what =
        apr_psprintf(parked->pool,
                     "%%\"\":{\"model\":\"m%d\",\"origin\":\"%s\""
                     ",\"original_id\":",
                     table, origin);
    const char *count = sim_node_value(
        parked->session,
        apr_psprintf(parked->pool,
                     "SELECT count(*) FROM inbound_messages WHERE processed_at"
                     " IS NULL AND (refs LIKE '%s%s}%%' OR refs LIKE"
                     " '%s\"%s\"}%%')",
                     what, id, what, id),
        parked->pool);

    return strcmp(count, "0") != 0;
}

/* The record (ORIGIN, ID) of TABLE is known to be deleted: what needs it is
 * deleted, too, instead of waiting for it. */
static int is_deleted(const sim_message_t *parked, int table,
                      const char *origin, const char *id)
{
    const char *count = sim_node_value(
        parked->session,
        apr_psprintf(parked->pool,
                     "SELECT count(*) FROM communicator_mappings WHERE"
                     " origin = '%s' AND original_id = '%s' AND"
                     " local_record_type = 'M%d' AND deleted_at > 0",
                     origin, id, table),
        parked->pool);

    return strcmp(count, "0") != 0 && !is_continued(parked, table, origin, id);
}

/* Return whether PARKED is about the record (ORIGIN, ID) of TABLE. */
static int is_about(const sim_message_t *parked, int table, const char *origin,
                    const char *id)
{
    return table == parked->table && !strcmp(origin, parked->origin) &&
           !strcmp(id, parked->original_id);
}

/* Return whether a foreign key on COLUMN is checked at once here. */
static int is_checked_at_once(const sim_message_t *parked,
                              const sim_column_t *column)
{
    return column->rule[parked->node->number] != SIM_RULE_NONE &&
           !column->deferred;
}

/* Return how many other messages of the same peer and model are parked, of
 * those that CONDITION and the arguments say. */
static int count_others(const sim_message_t *parked, const char *condition, ...)
    __attribute__((format(printf, 2, 3)));

/* Return the LATER messages of the record of PARKED, or the earlier ones, that
 * the same peer has sent and that are parked here: sim_message_t. */
static const apr_array_header_t *others_of(const sim_message_t *parked,
                                           int later)
{
    const apr_array_header_t *found = sim_node_select(
        parked->session, SIM_MESSAGE_SELECT, SIM_MESSAGE_COLUMNS, parked->pool);
    apr_array_header_t *others =
        apr_array_make(parked->pool, 4, sizeof(sim_message_t));
    int i;

    for (i = 0; i < found->nelts; i++) {
        sim_message_t other = *parked;

        sim_message_take(&other, APR_ARRAY_IDX(found, i, const char **));
        if (!strcmp(other.peer, parked->peer) &&
            is_about(&other, parked->table, parked->origin,
                     parked->original_id) &&
            (later ? apr_atoi64(other.id) > apr_atoi64(parked->id)
                   : apr_atoi64(other.id) < apr_atoi64(parked->id)))
            APR_ARRAY_PUSH(others, sim_message_t) = other;
    }
    return others;
}

/* Return whether PARKED stands between parked messages of its record. Those of
 * records that refer to each other come all together, or the first ones. */
static int is_in_between(const sim_message_t *parked)
{
    return others_of(parked, 0)->nelts && others_of(parked, 1)->nelts;
}

/* Return whether an earlier parked message of the record of PARKED, or a LATER
 * one, has a unique value that is taken here. */
static int has_taken(const sim_message_t *parked, int later)
{
    const apr_array_header_t *others = others_of(parked, later);
    int i;

    for (i = 0; i < others->nelts; i++)
        if (is_taken(&APR_ARRAY_IDX(others, i, sim_message_t)))
            return 1;
    return 0;
}

/* Return whether MESSAGE, of a record that refers to that of PARKED as that one
 * to it, can come only with all messages of both, as the first of its record is
 * refused alone, and one of them is refused, too. */
static int needs_all(const sim_message_t *message, const sim_message_t *parked)
{
    if (!has_taken(message, 0))
        return 0;
    for (; parked != message; parked = parked->needed_by)
        if (has_taken(parked, 1))
            return 1;
    return 0;
}

/* Return whether the record (ORIGIN, ID) of TABLE, to which COLUMN refers and
 * for which PARKED waits, has a reason not to be here other than that it waits,
 * too, for one of those that wait for it. If foreign keys that are checked at
 * once tie them all to each other, none can come first. */
static int may_be_away(const sim_message_t *parked, const sim_column_t *column,
                       int table, const char *origin, const char *id)
{
    const apr_array_header_t *found = sim_node_select(
        parked->session, SIM_MESSAGE_SELECT, SIM_MESSAGE_COLUMNS, parked->pool);
    int at_once = is_checked_at_once(parked, column), i;
    const sim_message_t *before;

    for (before = parked; before; before = before->needed_by) {
        if (is_about(before, table, origin, id))
            return at_once || is_in_between(before) ||
                   needs_all(before, parked);
        at_once &= before->needed_in != NULL &&
                   is_checked_at_once(parked, before->needed_in);
    }
    for (i = 0; i < found->nelts; i++) {
        sim_message_t parent = *parked;

        sim_message_take(&parent, APR_ARRAY_IDX(found, i, const char **));
        parent.needed_by = parked;
        parent.needed_in = column;
        /* what follows may be refused, and the record is here anyway */
        if (is_about(&parent, table, origin, id))
            return sim_causes_has(&parent);
    }
    return 1;
}

static int is_waiting_for_parent(const sim_message_t *parked);

/* Return whether a later message of the record of PARKED gives it another
 * parent in COLUMN, and waits for that one. Until it comes, the record does not
 * go with the parent that it has now. */
static int waits_for_another(const sim_message_t *parked,
                             const sim_column_t *column)
{
    const apr_array_header_t *later = others_of(parked, 1);
    const char *name = apr_psprintf(parked->pool, "\"%s\":", column->name);
    int i;

    for (i = 0; i < later->nelts; i++) {
        const sim_message_t *message = &APR_ARRAY_IDX(later, i, sim_message_t);

        if (strstr(message->body, name) && is_waiting_for_parent(message))
            return 1;
    }
    return 0;
}

/* A record that it refers to is not here: another one than its own. */
static int is_waiting_for_parent(const sim_message_t *parked)
{
    const sim_table_t *table = &parked->world->schema->tables[parked->table];
    int column;

    for (column = 0; column < table->count; column++) {
        const char *origin, *id;
        int parent;

        if (!sim_message_refers(&parent, &origin, &id, parked,
                                &table->columns[column]))
            continue;
        if (!is_about(parked, parent, origin, id) &&
            !sim_message_row(parked, parent, origin, id) &&
            (table->keeps || !is_deleted(parked, parent, origin, id) ||
             waits_for_another(parked, &table->columns[column])) &&
            may_be_away(parked, &table->columns[column], parent, origin, id))
            return 1;
    }
    return 0;
}

/* Return whether another row here refers to that of PARKED, and may refer to
 * another one. */
static int has_child(const sim_message_t *parked)
{
    const sim_schema_t *schema = parked->world->schema;
    int i, column;

    for (i = 0; i < parked->rows->nelts; i++) {
        const sim_row_t *row = &APR_ARRAY_IDX(parked->rows, i, sim_row_t);
        const sim_table_t *table = &schema->tables[row->table];

        for (column = table->joined; column < table->count; column++)
            if (row != parked->row &&
                table->columns[column].kind == SIM_REFERENCE &&
                sim_schema_refers(&table->columns[column], parked->table) &&
                row->values[column] &&
                !strcmp(row->values[column], parked->name))
                return 1;
    }
    return 0;
}

/* Another record continues that of PARKED, a delete, and is not here: what
 * refers to it waits for that one. */
static int is_waiting_for_heir(const sim_message_t *parked)
{
    static const sim_column_t heir = {.kind = SIM_REFERENCE, .name = ""};
    sim_message_t end = *parked;
    const char *origin, *id;
    int table;

    /* the row gives up its unique values */
    end.exchanged_with = parked->row;
    return !strcmp(parked->action, "delete") && parked->row &&
           sim_message_refers(&table, &origin, &id, parked, &heir) &&
           !sim_message_row(parked, table, origin, id) &&
           !is_deleted(parked, table, origin, id) && has_child(parked) &&
           may_be_away(&end, &heir, table, origin, id);
}

static int count_others(const sim_message_t *parked, const char *condition, ...)
{
    const char *sql = apr_psprintf(
        parked->pool,
        "SELECT count(*) FROM inbound_messages WHERE processed_at IS NULL"
        " AND peer = '%s' AND model = '%s' AND origin = '%s' AND ",
        parked->peer, parked->model, parked->origin);
    va_list args;

    va_start(args, condition);
    sql = apr_pstrcat(parked->pool, sql,
                      apr_pvsprintf(parked->pool, condition, args), NULL);
    va_end(args);
    return (int)strtol(sim_node_value(parked->session, sql, parked->pool), NULL,
                       10);
}

/* Return whether it waits behind what is parked of an earlier record with the
 * same key. */
static int is_behind_other_life(const sim_message_t *parked)
{
    const char *key = apr_pstrndup(parked->pool, parked->original_id,
                                   strcspn(parked->original_id, "\x1f"));

    return !strcmp(parked->origin, "*") &&
           count_others(parked,
                        "id < %s AND original_id <> '%s' AND"
                        " (original_id = '%s' OR original_id LIKE '%s\x1f%%')",
                        parked->id, parked->original_id, key, key);
}

/* The first moment that is too far ahead for a clock. */
static apr_time_t far_ahead(void)
{
    return apr_time_now() + apr_time_from_sec(86400);
}

/* A peer has lied (liar.c): no such model is here, or its clock is far ahead.
 */
static int is_lie(const sim_message_t *parked)
{
    return *parked->model == 'x' ||
           (parked->clock && apr_atoi64(parked->clock) > far_ahead());
}

/* It is behind one of its record that cannot be applied, whatever follows: its
 * clock is far ahead. That one may name the record otherwise (match=, a key of
 * references); then nothing here says so of one that is deleted. */
static int is_behind_lie(const sim_message_t *parked)
{
    const sim_table_t *table = &parked->world->schema->tables[parked->table];
    const int is_nameless = (table->match >= 0 || table->joined) &&
                            !parked->row && !strcmp(parked->action, "delete");
    const apr_array_header_t *lies = sim_node_select(
        parked->session,
        apr_psprintf(parked->pool,
                     "SELECT origin, original_id FROM inbound_messages WHERE"
                     " processed_at IS NULL AND peer = '%s' AND model = '%s'"
                     " AND id < %s AND clock > %" APR_INT64_T_FMT,
                     parked->peer, parked->model, parked->id, far_ahead()),
        2, parked->pool);
    int i;

    for (i = 0; i < lies->nelts; i++) {
        const char **name = APR_ARRAY_IDX(lies, i, const char **);

        if (is_nameless || is_about(parked, parked->table, name[0], name[1]) ||
            (parked->row && sim_message_row(parked, parked->table, name[0],
                                            name[1]) == parked->row))
            return 1;
    }
    return 0;
}

/* Another row here refers to what PARKED brings as its key. */
static int is_key_taken(const sim_message_t *parked)
{
    const sim_table_t *table = &parked->world->schema->tables[parked->table];
    const sim_row_t *row =
        table->joined ? sim_rows_find(parked->rows, parked->table,
                                      sim_message_joined_name(parked, table))
                      : NULL;

    return row && row != parked->row;
}

/* Return whether BODY, of an earlier message of its record, has a value that
 * may be refused, and that PARKED does not replace: another one, in a column
 * which PARKED has as it was before. */
static int is_kept(const sim_message_t *parked, const char *body)
{
    const sim_table_t *table = &parked->world->schema->tables[parked->table];
    int i;

    for (i = 0; i < table->count; i++) {
        const sim_column_t *column = &table->columns[i];
        const char *old = sim_message_find(body, column->name, parked->pool);
        const char *new =
            sim_message_find(parked->body, column->name, parked->pool);

        if ((column->kind == SIM_REFERENCE || column->unique) &&
            strstr(parked->clocks,
                   apr_pstrcat(parked->pool, "\"", column->name, "\"", NULL)) &&
            (old && new ? strcmp(old, new) != 0 : old != new))
            return 1;
    }
    return 0;
}

/* Return whether PARKED cannot replace what an earlier message of its record
 * says, with CLOCK and BODY: values of that win. */
static int is_older(const sim_message_t *parked, const char *clock,
                    const char *body)
{
    return (clock && parked->clock &&
            apr_atoi64(clock) >= apr_atoi64(parked->clock)) ||
           (parked->clocks && parked->body && is_kept(parked, body));
}

/* Return whether PARKED waits behind an earlier message of its record whose
 * values win: they are newer (after a restore, or from a third node). */
static int is_overruled(const sim_message_t *parked)
{
    const apr_array_header_t *earlier = sim_node_select(
        parked->session,
        apr_psprintf(parked->pool,
                     "SELECT clock, body FROM inbound_messages WHERE"
                     " processed_at IS NULL AND peer = '%s' AND model = '%s'"
                     " AND origin = '%s' AND original_id = '%s' AND id < %s",
                     parked->peer, parked->model, parked->origin,
                     parked->original_id, parked->id),
        2, parked->pool);
    int i;

    for (i = 0; i < earlier->nelts; i++) {
        const char **cells = APR_ARRAY_IDX(earlier, i, const char **);

        if (is_older(parked, cells[0], cells[1]))
            return 1;
    }
    return 0;
}

/* Return whether people decide about the table of PARKED at its node. */
static int is_held(const sim_message_t *parked)
{
    return parked->world->schema->tables[parked->table].holds >>
               parked->node->number &
           1;
}

/* Return whether PARKED is merged with OTHER, which is of the same record under
 * another name (match=, a key of references): where people decide, both are in
 * conflict, so that they are not tried together. */
static int has_other_name(const sim_message_t *parked,
                          const sim_message_t *other)
{
    const sim_table_t *table = &parked->world->schema->tables[parked->table];

    return (table->match >= 0 || table->joined) && other->name &&
           parked->name && !strcmp(other->name, parked->name) &&
           (is_held(parked) || is_older(parked, other->clock, other->body));
}

/* Return whether PARKED says only what its record was like, and OTHER is of the
 * same record: what a person decides of OTHER counts more. */
static int has_decision(const sim_message_t *parked, const sim_message_t *other)
{
    return is_held(parked) && !strcmp(other->origin, parked->origin) &&
           !strcmp(other->original_id, parked->original_id) &&
           count_others(parked,
                        "id = %s AND base IS NULL AND action = 'update'",
                        parked->id);
}

/* Return whether PARKED waits behind a message that has a cause. */
static int is_behind(const sim_message_t *parked)
{
    const apr_array_header_t *found = sim_node_select(
        parked->session, SIM_MESSAGE_SELECT, SIM_MESSAGE_COLUMNS, parked->pool);
    int i;

    for (i = 0; i < found->nelts; i++) {
        sim_message_t other = *parked;

        sim_message_take(&other, APR_ARRAY_IDX(found, i, const char **));
        if (!strcmp(other.peer, parked->peer) && other.table == parked->table &&
            apr_atoi64(other.id) < apr_atoi64(parked->id) &&
            (has_other_name(parked, &other) || has_decision(parked, &other)) &&
            sim_causes_has(&other))
            return 1;
    }
    return 0;
}

/* Return whether PARKED, a delete that rows here refuse, is all that the next
 * record with its shared key waits for: that one gets the row. */
static int is_taken_over(const sim_message_t *parked)
{
    const apr_array_header_t *found = sim_node_select(
        parked->session, SIM_MESSAGE_SELECT, SIM_MESSAGE_COLUMNS, parked->pool);
    const apr_size_t size = strcspn(parked->original_id, "\x1f");
    int i;

    for (i = 0; i < found->nelts; i++) {
        sim_message_t next = *parked;

        sim_message_take(&next, APR_ARRAY_IDX(found, i, const char **));
        if (strcmp(next.peer, parked->peer) || next.table != parked->table ||
            strcmp(next.origin, "*") || strcmp(parked->origin, "*") ||
            apr_atoi64(next.id) <= apr_atoi64(parked->id) ||
            !strcmp(next.original_id, parked->original_id) ||
            strcspn(next.original_id, "\x1f") != size ||
            strncmp(next.original_id, parked->original_id, size))
            continue;
        next.row = parked->row;
        return !strcmp(next.action, "create") && !is_held(parked) &&
               !sim_orphan_is(&next) && !is_lie(&next) && !is_taken(&next) &&
               !is_waiting_for_parent(&next);
    }
    return 0;
}

/* All messages of a record up to one are tried together, so each that is parked
 * has a cause of its own, whatever is wrong with those before it, unless their
 * values win, or a person is to decide. */
int sim_causes_has(const sim_message_t *parked)
{
    if (is_behind_lie(parked) || is_behind_other_life(parked) ||
        sim_orphan_is(parked) || is_lie(parked) || is_overruled(parked) ||
        is_behind(parked))
        return 1;
    /* An update may be a delete, too: with a parent that is deleted. */
    if (is_refused_by_child(parked) && !is_taken_over(parked))
        return 1;
    if (is_waiting_for_heir(parked))
        return 1;
    return strcmp(parked->action, "delete") != 0 &&
           (is_taken(parked) || is_key_taken(parked) ||
            is_waiting_for_parent(parked));
}
