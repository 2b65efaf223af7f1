/* Applications that are at work while a node is, on servers: between two
 * statements of the node, and while it waits for a lock that one of their open
 * transactions has. The client libraries of PostgreSQL and MariaDB call
 * connect(), send() and poll(), which are defined here before those of the C
 * library. There the process at a node, or its connection, can end, too
 * (gone.h). */
#ifndef SIM_SESSION_H
#define SIM_SESSION_H

#include <apr.h>

/* Let an application take a step while NODE is at work; WAITS: NODE waits for
 * an answer of its database: no step, unless it is for a lock. */
typedef void sim_session_work_t(void *baton, int node, int waits);

/* Wait until the server has rolled back what a connection of NODE, which has
 * just ended, had not committed. */
typedef void sim_session_ended_t(void *baton, int node);

/* Let WORK happen from now on, as often as SEED says; ENDED when gone.h ends a
 * connection. */
void sim_session_begin(apr_uint64_t seed, sim_session_work_t *work,
                       sim_session_ended_t *ended, void *baton);
void sim_session_end(void);

/* The next connection that sends something is that of NODE itself. */
void sim_session_learn(int node);

/* The next connection that sends something is that of a second process at NODE.
 */
void sim_session_learn_second(int node);

/* The connection of NODE is closed. */
void sim_session_forget(int node);

/* That of the second process is. */
void sim_session_forget_second(int node);

#endif
