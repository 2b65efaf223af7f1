/* A message that is parked when all has come to rest, as plain SQL shows it,
 * and the row that it is about. */
#ifndef SIM_MESSAGE_H
#define SIM_MESSAGE_H

#include "world.h"

/* What sim_message_take() takes. */
#define SIM_MESSAGE_SELECT                                                     \
    "SELECT peer, id, model, origin, original_id, action, body, refs, error,"  \
    " clock, clocks FROM inbound_messages WHERE processed_at IS NULL"          \
    " ORDER BY peer, id"
#define SIM_MESSAGE_COLUMNS 11

typedef struct sim_message_t {
    sim_world_t *world;
    sim_node_t *node;
    sim_session_t *session;
    const apr_array_header_t *rows;
    apr_pool_t *pool;
    int table;
    const char *model, *clock;
    const char *clocks; /* of columns that did not change with it; or NULL */
    const char *peer, *id, *origin, *original_id, *action, *body, *refs, *error;
    const sim_row_t *row; /* here, or NULL */
    const char *name;
    const struct sim_message_t *needed_by; /* it is the parent of; or NULL */
    const sim_column_t *needed_in;         /* whose column that is */
    const sim_row_t *exchanged_with;       /* whose unique value it is to have,
                                              for its own; or NULL */
} sim_message_t;

/* Take CELLS, a row of what SIM_MESSAGE_SELECT asks for, into PARKED, whose
 * world, node, session, rows and pool are set. */
void sim_message_take(sim_message_t *parked, const char **cells);

/* Return the name of the row that PARKED brings, or NULL. */
const char *sim_message_name(const sim_message_t *parked);

/* Return the same of a row of TABLE whose key refers to others. */
const char *sim_message_joined_name(const sim_message_t *parked,
                                    const sim_table_t *table);

/* Return the row of the record (ORIGIN, ID) of TABLE here, or NULL. It may have
 * the row under another identity (match=). */
const sim_row_t *sim_message_row(const sim_message_t *parked, int table,
                                 const char *origin, const char *id);

/* Return the key, as sim_row_t has it, of the row of TABLE that Communicator
 * calls ID: a tuple, if the key has several columns. */
const char *sim_message_key(const sim_table_t *table, const char *id,
                            apr_pool_t *pool);

/* Return whether PARKED says what COLUMN refers to: (*ORIGIN, *ID) of *TABLE.
 */
int sim_message_refers(int *table, const char **origin, const char **id,
                       const sim_message_t *parked, const sim_column_t *column);

/* Return the value of KEY in the text JSON, the first that is found; NULL:
 * there is none, or it is null. */
const char *sim_message_find(const char *json, const char *key,
                             apr_pool_t *pool);

/* Return TEXT, a JSON string in quotes, as it is meant: without any \u above
 * one byte, since the simulator's values have none. */
const char *sim_message_unquote(const char *text, apr_pool_t *pool);

#endif
