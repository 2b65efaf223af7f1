/* Runs between two nodes: what communicator-sync and mod_communicator do. */
#ifndef SIM_EXCHANGE_H
#define SIM_EXCHANGE_H

#include "exchange/session.h"
#include "world.h"

/* What is done in a session. */
typedef cm_error_t *(*sim_talk_t)(cm_session_t *session, void *baton,
                                  apr_pool_t *pool);

/* Let STEP's node call its peer, and TALK. */
void sim_exchange_talk(sim_world_t *world, const sim_step_t *step,
                       sim_talk_t talk, void *baton);

/* Let STEP's node call its peer and exchange messages, as STEP says. */
void sim_exchange_run(sim_world_t *world, const sim_step_t *step);

/* Retry at NODE all that is parked, as the command does. */
void sim_exchange_retry(sim_world_t *world, int node);

/* Discard the first message that is parked at NODE. */
void sim_exchange_discard(sim_world_t *world, int node);

/* Revive the first record at NODE whose delete is parked, or was discarded. */
void sim_exchange_revive(sim_world_t *world, int node);

/* Let a person at NODE decide about the first message that conflict=hold has
 * parked there; or AGAIN about one whose decision a foreign key has refused.
 * Returns whether there was one. */
int sim_exchange_decide(sim_world_t *world, int node, int again);

/* Return what moves when messages do, as text. */
const char *sim_exchange_state(sim_world_t *world, apr_pool_t *pool);

#endif
