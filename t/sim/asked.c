/* See asked.h. */
#include "asked.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "message.h"

static int is_same(const char *one, const char *other)
{
    return one && other ? !strcmp(one, other) : one == other;
}

/* Return the column that REASON, "'COLUMN' was changed ...", is about. */
static const char *column_of(const char *reason, apr_pool_t *pool)
{
    return *reason == '\''
               ? apr_pstrndup(pool, reason + 1, strcspn(reason + 1, "'"))
               : reason;
}

/* Return what CELLS, the body and the references of a message, say of COLUMN;
 * NULL: nothing, or NULL. */
static const char *said(const char **cells, const char *column,
                        apr_pool_t *pool)
{
    const char *at =
        cells[1] ? strstr(cells[1], apr_psprintf(pool, "\"%s\":", column))
                 : NULL;

    return at ? apr_pstrndup(pool, at, strcspn(at, "}"))
              : sim_message_find(cells[0], column, pool);
}

/* Return whether a message of PEER that waits behind MESSAGE, of its record,
 * says something else of COLUMN. */
static int is_more_to_come(sim_world_t *world, int number, const char *peer,
                           const cm_parked_t *message, const char *column)
{
    apr_pool_t *pool = world->step_pool;
    const apr_array_header_t *found = sim_node_select(
        world->nodes[number].beside,
        apr_psprintf(pool,
                     "SELECT body, refs FROM inbound_messages WHERE"
                     " processed_at IS NULL AND peer = '%s' AND model = '%s'"
                     " AND origin = '%s' AND original_id = '%s' AND id >="
                     " %" APR_INT64_T_FMT " ORDER BY id",
                     peer, message->model, message->identity.origin,
                     message->identity.original_id, message->id),
        2, pool);
    const char *first, *next;
    int i;

    for (i = 1; i < found->nelts; i++) {
        first = said(APR_ARRAY_IDX(found, 0, const char **), column, pool);
        next = said(APR_ARRAY_IDX(found, i, const char **), column, pool);
        if (!is_same(first, next))
            return 1;
    }
    return 0;
}

const char *sim_asked_begin(sim_world_t *world, int number, const char *peer,
                            const cm_parked_t *message)
{
    const char *question = apr_pstrcat(
        world->pool, message->model, " ", message->identity.origin, " ",
        message->identity.original_id, ": ", message->reason, NULL);
    const char *node = sim_schema_node_name(number);
    const char *other = apr_table_get(world->asked, question);
    const sim_table_t *table =
        &world->schema->tables[strtol(message->model + 1, NULL, 10)];

    if (other && strcmp(other, node) && !world->jumped &&
        !sim_schema_is_reused(table))
        sim_world_fail(world, "asked", "%s is asked about %s, as %s was", node,
                       question, other);
    if (!is_more_to_come(world, number, peer, message,
                         column_of(message->reason, world->step_pool)))
        return question;
    apr_table_unset(world->asked, question);
    return NULL;
}

/* Return whether node NUMBER has something of the message of ROW: SQL says in
 * which table, and ends with the column of the message's number. */
static int has(sim_world_t *world, int number, const cm_parked_row_t *row,
               const char *sql)
{
    return strcmp(sim_node_value(
                      world->nodes[number].beside,
                      apr_psprintf(world->step_pool,
                                   "SELECT count(*) FROM %s = %" APR_INT64_T_FMT
                                   " AND peer = '%s'",
                                   sql, row->message.id, row->peer),
                      world->step_pool),
                  "0") != 0;
}

void sim_asked_end(sim_world_t *world, int number, const char *question,
                   const cm_parked_row_t *row, int fails)
{
    const int is_parked =
        has(world, number, row,
            "inbound_messages WHERE processed_at IS NULL AND id");
    /* such a message is kept whole */
    const int is_given_up =
        fails && has(world, number, row,
                     "communicator_conflicts WHERE column_name IS NULL AND"
                     " message_id");

    if (is_parked || is_given_up)
        apr_table_unset(world->asked, question);
    else
        apr_table_setn(world->asked, question, sim_schema_node_name(number));
}
