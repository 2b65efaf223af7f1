/* A node: its database, the application's sessions there, and ours. */
#ifndef SIM_NODE_H
#define SIM_NODE_H

#include <apr_dbd.h>

#include "history.h"
#include "node/node.h"

#define SIM_SESSIONS 2

/* A session of the application, which knows nothing of lib/. */
typedef struct sim_session_t {
    const apr_dbd_driver_t *driver;
    apr_dbd_t *handle;
    int open;   /* in a transaction */
    int broken; /* PostgreSQL: a statement of it failed */
} sim_session_t;

typedef struct sim_node_t {
    int number;
    const sim_schema_t *schema;
    sim_database_e database;
    const char *params;
    sim_session_t sessions[SIM_SESSIONS];
    int session_count;
    sim_session_t *beside; /* in no transaction; on SQLite the first one */
    cm_settings_t *settings;
    cm_node_t *node;       /* with its store */
    apr_pool_t *open_pool; /* of NODE */
    int others;            /* on servers: connections beside ours */
    const void *saved;     /* a backup of the database */
    apr_size_t saved_size;
    apr_pool_t *pool;
} sim_node_t;

/* Use DIRECTORY for all files. */
void sim_node_use(const char *directory);

/* Make the database of NODE, empty, as SCHEMA has it, in POOL; then open it.
 * What went wrong is returned; NULL: nothing. */
const char *sim_node_make(sim_node_t *node, const sim_schema_t *schema,
                          int number, apr_pool_t *pool);

/* Open our side of NODE, once more: a process has ended, another begins. */
const char *sim_node_open(sim_node_t *node);

/* Open our side of NODE for a second process in POOL, beside the first; it does
 * not wait for locks, since the first cannot go on meanwhile. */
const char *sim_node_join_second(cm_node_t **second, sim_node_t *node,
                                 apr_pool_t *pool);

/* Wait until the server has forgotten our connection at NODE, which has just
 * ended. */
void sim_node_wait(sim_node_t *node);

/* Return whether a statement at NODE, which is on a server, waits for a lock.
 */
int sim_node_is_waiting(sim_node_t *node);

/* Run migrate at NODE. */
const char *sim_node_migrate(sim_node_t *node);

/* Run migrate --drop-triggers at NODE, for its model called NAME. */
const char *sim_node_drop_triggers(sim_node_t *node, const char *name);

/* Make the database of node NUMBER anew for the next history; on SQLite that
 * is done anyway, but with the same connections. */
void sim_node_forget(int number);

/* Let the clock of a server be wrong by OFFSET for what the triggers write. */
void sim_node_skew(sim_node_t *node, apr_int64_t offset);

/* Drop the databases on servers. */
void sim_node_drop_all(void);

/* Open a session of an application in POOL. */
const char *sim_node_join(sim_session_t *session, sim_database_e database,
                          const char *params, apr_pool_t *pool);

/* Return the name of the file of KIND for node NUMBER. */
const char *sim_node_path(const char *kind, int number, apr_pool_t *pool);

/* Write the configuration of NODE, whose params are known, and read it. */
const char *sim_node_configure(sim_node_t *node);

/* Create the tables of the application and Communicator's. */
const char *sim_node_install(sim_node_t *node);

/* --- file.c: SQLite --- */

/* Make the database of NODE, empty, and open it: its connections are kept from
 * one history of a schema to the next. */
const char *sim_file_make(sim_node_t *node);

/* Open our side of NODE, once more, on the connection that is kept. What the
 * process before had begun is rolled back. */
const char *sim_file_open(sim_node_t *node);

/* Save the database of NODE, and restore what was saved last. Nobody must be
 * in a transaction. */
const char *sim_file_save(sim_node_t *node);
const char *sim_file_restore(sim_node_t *node);

/* Do not keep the connections at node NUMBER: not for another process, and not
 * for the next history. */
void sim_file_forget(int number);

/* Run SQL in SESSION. Returns the database's words if it failed. */
const char *sim_node_run(sim_session_t *session, const char *sql,
                         apr_pool_t *pool);

/* Return the rows of SQL, const char ** each, with COUNT cells. */
apr_array_header_t *sim_node_select(sim_session_t *session, const char *sql,
                                    int count, apr_pool_t *pool);

/* Return the first cell of the first row, or NULL. */
const char *sim_node_value(sim_session_t *session, const char *sql,
                           apr_pool_t *pool);

#endif
