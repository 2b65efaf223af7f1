/* See parked.h. */
#include "parked.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "record/tuple.h"

#define SELECT_PARKED                                                          \
    "SELECT peer, id, model, origin, original_id, action, body, refs, error,"  \
    " clock FROM inbound_messages WHERE processed_at IS NULL"                  \
    " ORDER BY peer, id"
#define COLUMNS 10

typedef struct parked_t {
    sim_world_t *world;
    sim_node_t *node;
    sim_session_t *session;
    const apr_array_header_t *rows;
    apr_pool_t *pool;
    int table;
    const char *model, *clock;
    const char *peer, *id, *origin, *original_id, *action, *body, *refs, *error;
    const sim_row_t *row; /* here, or NULL */
    const char *name;
} parked_t;

/* A string of JSON, without any \u above one byte: the simulator's values have
 * none. */
const char *sim_parked_unquote(const char *text, apr_pool_t *pool)
{
    char *plain = apr_palloc(pool, strlen(text) + 1), *out = plain;

    for (text++; *text && *text != '"'; text++) {
        if (*text != '\\') {
            *out++ = *text;
            continue;
        }
        text++;
        if (*text == 'u') {
            *out++ = (char)strtol(apr_pstrndup(pool, text + 1, 4), NULL, 16);
            text += 4;
        }
        else {
            *out++ = *text == 'n'   ? '\n'
                     : *text == 't' ? '\t'
                     : *text == 'r' ? '\r'
                                    : *text;
        }
    }
    *out = '\0';
    return plain;
}

/* The value of KEY in the text JSON, the first that is found; NULL: there is
 * none, or it is null. */
static const char *find(const char *json, const char *key, apr_pool_t *pool)
{
    const char *at =
        json ? strstr(json, apr_pstrcat(pool, "\"", key, "\":", NULL)) : NULL;

    if (!at)
        return NULL;
    at += strlen(key) + 3;
    if (*at == '"')
        return sim_parked_unquote(at, pool);
    return strncmp(at, "null", 4) ? apr_pstrndup(pool, at, strcspn(at, ",}"))
                                  : NULL;
}

int sim_parked_has(const apr_array_header_t *waiting, int table,
                   const char *name)
{
    int i;

    for (i = 0; name && i < waiting->nelts; i++) {
        const sim_waiting_t *it = &APR_ARRAY_IDX(waiting, i, sim_waiting_t);

        if (it->table == table && !strcmp(it->name, name))
            return 1;
    }
    return 0;
}

/* The key of a row of TABLE as sim_row_t has it; KEY is as a mapping has it. */
static const char *id_of(const parked_t *parked, int number, const char *key)
{
    const sim_table_t *table = &parked->world->schema->tables[number];
    const char *parts[2];

    if (!key || (!table->paired && table->joined < 2) ||
        !cm_tuple_read(parts, 2, key, parked->pool))
        return key;
    return table->paired
               ? parts[1]
               : apr_pstrcat(parked->pool, parts[0], ",", parts[1], NULL);
}

/* The row of the record (ORIGIN, ID) of TABLE here, or NULL. It may have the
 * row under another identity (match=). */
static const sim_row_t *row_of(const parked_t *parked, int table,
                               const char *origin, const char *id)
{
    const char *key = sim_node_value(
        parked->session,
        apr_psprintf(parked->pool,
                     "SELECT coalesce(s.local_record_id, m.local_record_id)"
                     " FROM communicator_mappings AS m LEFT JOIN"
                     " communicator_mappings AS s ON s.origin = m.same_origin"
                     " AND s.original_id = m.same_id AND s.local_record_type ="
                     " m.local_record_type AND s.deleted_at = 0 WHERE"
                     " m.origin = '%s' AND m.original_id = '%s' AND"
                     " m.local_record_type = 'M%d' AND m.deleted_at = 0",
                     origin, id, table),
        parked->pool);
    int i;

    key = id_of(parked, table, key);
    for (i = 0; key && i < parked->rows->nelts; i++) {
        const sim_row_t *row = &APR_ARRAY_IDX(parked->rows, i, sim_row_t);

        if (row->table == table && !strcmp(row->key, key))
            return row;
    }
    return NULL;
}

/* A child here refuses the delete. */
static int is_refused_by_child(const parked_t *parked)
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
                row->values[column] &&
                !strcmp(row->values[column], parked->name))
                return 1;
    }
    return 0;
}

/* Return the body of the last message before PARKED that is parked, too, is of
 * its record and has COLUMN; NULL: there is none. A peer may say nothing of a
 * column that it lacks (only=, or since it was dropped). */
static const char *earlier_body(const parked_t *parked, const char *column)
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
static const char *value_of(const parked_t *parked, const char *column)
{
    const char *body = parked->body;

    if (!body || !strstr(body, apr_psprintf(parked->pool, "\"%s\":", column)))
        body = earlier_body(parked, column);
    return find(body, column, parked->pool);
}

/* Another row here has the unique value, or the key. */
static int is_taken(const parked_t *parked)
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
                row->values[column] && !strcmp(row->values[column], value))
                return 1;
        }
    }
    return 0;
}

/* The record (ORIGIN, ID) of TABLE is known to be deleted: what needs it is
 * deleted, too, instead of waiting for it. */
static int is_deleted(const parked_t *parked, int table, const char *origin,
                      const char *id)
{
    const char *count = sim_node_value(
        parked->session,
        apr_psprintf(parked->pool,
                     "SELECT count(*) FROM communicator_mappings WHERE"
                     " origin = '%s' AND original_id = '%s' AND"
                     " local_record_type = 'M%d' AND deleted_at > 0",
                     origin, id, table),
        parked->pool);

    return strcmp(count, "0") != 0;
}

/* Return whether PARKED is about the record (ORIGIN, ID) of TABLE. */
static int is_about(const parked_t *parked, int table, const char *origin,
                    const char *id)
{
    return table == parked->table && !strcmp(origin, parked->origin) &&
           !strcmp(id, parked->original_id);
}

/* Return whether it says what COLUMN refers to. */
static int refers_to(const char **origin, const char **id,
                     const parked_t *parked, const sim_column_t *column)
{
    const char *at =
        parked->refs && column->kind == SIM_REFERENCE
            ? strstr(parked->refs,
                     apr_pstrcat(parked->pool, "\"", column->name, "\":", NULL))
            : NULL;

    if (!at)
        return 0;
    *origin = find(at, "origin", parked->pool);
    *id = find(at, "original_id", parked->pool);
    return 1;
}

/* A record that it refers to is not here: another one than its own. */
static int is_waiting_for_parent(const parked_t *parked)
{
    const sim_table_t *table = &parked->world->schema->tables[parked->table];
    int column;

    for (column = 0; column < table->count; column++) {
        const int parent = table->columns[column].parent;
        const char *origin, *id;

        if (!refers_to(&origin, &id, parked, &table->columns[column]))
            continue;
        if (!is_about(parked, parent, origin, id) &&
            !row_of(parked, parent, origin, id) &&
            (table->keeps || !is_deleted(parked, parent, origin, id)))
            return 1;
    }
    return 0;
}

/* Return how many other messages of the same peer and model are parked, of
 * those that CONDITION and the arguments say. */
static int count_others(const parked_t *parked, const char *condition, ...)
    __attribute__((format(printf, 2, 3)));

static int count_others(const parked_t *parked, const char *condition, ...)
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
static int is_behind_other_life(const parked_t *parked)
{
    const char *key = apr_pstrndup(parked->pool, parked->original_id,
                                   strcspn(parked->original_id, "\x1f"));

    return !strcmp(parked->origin, "*") &&
           count_others(parked,
                        "id < %s AND original_id <> '%s' AND"
                        " (original_id = '%s' OR original_id LIKE '%s\x1f%%')",
                        parked->id, parked->original_id, key, key);
}

/* Return whether the statement of EVENT did that to the row NAME of TABLE, too.
 * COLUMN: it gave the row a value there. */
static int did(const parked_t *parked, const sim_event_t *event,
               sim_event_e kind, int table, const char *name, int column)
{
    const apr_array_header_t *events = parked->world->events;
    int i;

    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *other = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (other->statement == event->statement && other->kind == kind &&
            other->table == table && name && !strcmp(other->name, name) &&
            (kind != SIM_EVENT_UPDATE ||
             (other->column == column && other->after)))
            return 1;
    }
    return 0;
}

/* Return whether EVENT let COLUMN of the row refer to nothing. It did not if it
 * has only deleted what the row refers to. */
static int let_dangle(const parked_t *parked, const sim_event_t *event,
                      int column)
{
    const sim_table_t *table = &parked->world->schema->tables[parked->table];

    switch (event->kind) {
    case SIM_EVENT_INSERT:
        return !did(parked, event, SIM_EVENT_UPDATE, parked->table, event->name,
                    column);
    case SIM_EVENT_UPDATE:
        return event->column == column && !event->after &&
               !did(parked, event, SIM_EVENT_DELETE,
                    table->columns[column].parent, event->before, 0);
    case SIM_EVENT_DELETE: /* another row may be called so then */
        return sim_schema_is_reused(table);
    case SIM_EVENT_KEY:  /* the row is sent as a new one, */
    case SIM_EVENT_MOVE: /* or once more */
        return 1;
    }
    return 0;
}

/* Return whether some node has withheld a message of the model of PARKED. */
static int was_withheld(const parked_t *parked)
{
    int i;

    for (i = 0; i < parked->world->schema->nodes; i++)
        if (strcmp(sim_node_value(
                       &parked->world->nodes[i].sessions[0],
                       apr_psprintf(parked->pool,
                                    "SELECT count(*) FROM communicator_withheld"
                                    " WHERE model = '%s'",
                                    parked->model),
                       parked->pool),
                   "0"))
            return 1;
    return 0;
}

/* Return whether rows of some node may outlive what COLUMN refers to. Then an
 * application may replace one reference to nothing by another, which makes no
 * event: both have no name. */
static int may_outlive(const parked_t *parked, const sim_column_t *column)
{
    int i;

    for (i = 0; i < parked->world->schema->nodes; i++)
        if (column->rule[i] == SIM_RULE_NONE)
            return !strcmp(parked->action, "update");
    return 0;
}

/* Return whether EVENT may be about the row that PARKED brings. One that is
 * called by what its key refers to has another name once that is replaced. */
static int is_meant(const parked_t *parked, const sim_event_t *event)
{
    return parked->world->schema->tables[parked->table].joined > 0 ||
           (parked->name && !strcmp(event->name, parked->name));
}

/* Return whether some application has written a reference to nothing into
 * COLUMN. Of a message that was withheld, or lost by a restore, the present
 * state is sent, which may be such a row, too. */
static int was_orphan(const parked_t *parked, int column)
{
    const apr_array_header_t *events = parked->world->events;
    int i;

    for (i = 0; i < events->nelts; i++) {
        const sim_event_t *event = &APR_ARRAY_IDX(events, i, sim_event_t);

        if (event->table == parked->table && is_meant(parked, event) &&
            let_dangle(parked, event, column))
            return 1;
    }
    return parked->world->restored || was_withheld(parked) ||
           may_outlive(
               parked,
               &parked->world->schema->tables[parked->table].columns[column]);
}

/* It must refer to something, but referred to nothing when it was written, as
 * nothing at its node forbids. */
static int is_orphan(const parked_t *parked)
{
    const sim_table_t *table = &parked->world->schema->tables[parked->table];
    int i;

    for (i = 0; i < table->count; i++) {
        const sim_column_t *column = &table->columns[i];

        if (column->kind == SIM_REFERENCE && column->not_null &&
            strstr(parked->body, apr_pstrcat(parked->pool, "\"", column->name,
                                             "\":null", NULL)) &&
            was_orphan(parked, i))
            return 1;
    }
    return 0;
}

/* The first moment that is too far ahead for a clock. */
static apr_time_t far_ahead(void)
{
    return apr_time_now() + apr_time_from_sec(86400);
}

/* A peer has lied (liar.c): no such model is here, or its clock is far ahead.
 */
static int is_lie(const parked_t *parked)
{
    return *parked->model == 'x' ||
           (parked->clock && apr_atoi64(parked->clock) > far_ahead());
}

/* It is behind one of its record that cannot be applied, whatever follows: its
 * clock is far ahead. That one may name the record otherwise (match=). */
static int is_behind_lie(const parked_t *parked)
{
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

        if (is_about(parked, parked->table, name[0], name[1]) ||
            (parked->row &&
             row_of(parked, parked->table, name[0], name[1]) == parked->row))
            return 1;
    }
    return 0;
}

/* The name of the row that PARKED brings, if its key refers to others. */
static const char *joined_name(const parked_t *parked, const sim_table_t *table)
{
    const char *name = NULL, *origin, *id;
    int i;

    for (i = 0; i < table->joined; i++) {
        const sim_column_t *column = &table->columns[i];
        const sim_row_t *parent =
            refers_to(&origin, &id, parked, column)
                ? row_of(parked, column->parent, origin, id)
                : NULL;
        const char *part = parent ? parent->name : "?";

        name = name ? apr_pstrcat(parked->pool, name, ",", part, NULL) : part;
    }
    return name;
}

/* Another row here refers to what PARKED brings as its key. */
static int is_key_taken(const parked_t *parked)
{
    const sim_table_t *table = &parked->world->schema->tables[parked->table];
    const sim_row_t *row = table->joined
                               ? sim_rows_find(parked->rows, parked->table,
                                               joined_name(parked, table))
                               : NULL;

    return row && row != parked->row;
}

/* All messages of a record up to one are tried together, so each that is parked
 * has a cause of its own, whatever is wrong with those before it. */
static int has_cause(const parked_t *parked)
{
    if (is_behind_lie(parked) || is_behind_other_life(parked) ||
        is_orphan(parked) || is_lie(parked))
        return 1;
    /* An update may be a delete, too: with a parent that is deleted. */
    if (is_refused_by_child(parked))
        return 1;
    return strcmp(parked->action, "delete") != 0 &&
           (is_taken(parked) || is_key_taken(parked) ||
            is_waiting_for_parent(parked));
}

/* The name of the row that PARKED brings, or NULL. */
static const char *name_in_body(const parked_t *parked)
{
    const sim_table_t *table = &parked->world->schema->tables[parked->table];

    if (table->joined)
        return joined_name(parked, table);
    if (sim_schema_is_shared(table))
        return id_of(parked, parked->table,
                     apr_pstrndup(parked->pool, parked->original_id,
                                  strcspn(parked->original_id, "\x1f")));
    return find(parked->body, sim_schema_name(table), parked->pool);
}

/* The name of the record that PARKED is about. */
static const char *name_of(const parked_t *parked)
{
    return parked->row ? parked->row->name : name_in_body(parked);
}

/* Take CELLS, a row of what SELECT_PARKED asks for. */
static void take(parked_t *parked, const char **cells)
{
    parked->peer = cells[0];
    parked->id = cells[1];
    parked->model = cells[2];
    parked->table = (int)strtol(cells[2] + 1, NULL, 10);
    parked->origin = cells[3];
    parked->original_id = cells[4];
    parked->action = cells[5];
    parked->body = cells[6];
    parked->refs = cells[7];
    parked->error = cells[8];
    parked->clock = cells[9];
    parked->row =
        row_of(parked, parked->table, parked->origin, parked->original_id);
    parked->name = name_of(parked);
}

static void look_at(parked_t *parked, const char **cells,
                    apr_array_header_t *waiting)
{
    const char *name;

    take(parked, cells);
    APR_ARRAY_PUSH(waiting, sim_waiting_t) =
        (sim_waiting_t){parked->table, parked->name ? parked->name : ""};
    /* After a restore another row may be the same record. */
    name = name_in_body(parked);
    if (name)
        APR_ARRAY_PUSH(waiting, sim_waiting_t) =
            (sim_waiting_t){parked->table, name};
    if (!has_cause(parked))
        sim_world_fail(parked->world, "parked",
                       "%s: message %s of %s, %s of m%d %s (%s): %s",
                       sim_schema_node_name(parked->node->number), parked->id,
                       parked->peer, parked->action, parked->table,
                       parked->original_id, parked->name ? parked->name : "?",
                       parked->error ? parked->error : "");
}

int sim_parked_first(const char **peer, apr_int64_t *id, sim_world_t *world,
                     int number)
{
    sim_node_t *node = &world->nodes[number];
    parked_t parked = {.world = world,
                       .node = node,
                       .session = node->beside,
                       .rows = sim_rows_read(node, node->beside, world->pool),
                       .pool = world->pool};
    apr_array_header_t *found =
        sim_node_select(parked.session, SELECT_PARKED, COLUMNS, world->pool);

    if (!found->nelts)
        return 0;
    take(&parked, APR_ARRAY_IDX(found, 0, const char **));
    if (!parked.name)
        return 0;
    APR_ARRAY_PUSH(world->discarded, sim_waiting_t) =
        (sim_waiting_t){parked.table, parked.name};
    *peer = parked.peer;
    *id = apr_atoi64(parked.id);
    return 1;
}

void sim_parked_find(sim_world_t *world, int number,
                     const apr_array_header_t *rows,
                     apr_array_header_t *waiting)
{
    parked_t parked = {.world = world,
                       .node = &world->nodes[number],
                       .session = &world->nodes[number].sessions[0],
                       .rows = rows,
                       .pool = world->pool};
    apr_array_header_t *found =
        sim_node_select(parked.session, SELECT_PARKED, COLUMNS, world->pool);
    int i;

    for (i = 0; i < found->nelts; i++)
        look_at(&parked, APR_ARRAY_IDX(found, i, const char **), waiting);
}
