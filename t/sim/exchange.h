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

/* When a person decides. */
typedef enum sim_when_e {
    SIM_WHEN_BUSY, /* while applications go on */
    SIM_WHEN_REST, /* nobody is asked what a person elsewhere has decided */
    SIM_WHEN_AGAIN /* at rest, too: the database has refused the decision */
} sim_when_e;

/* Let a person at NODE decide about the first message that conflict=hold has
 * parked there. Returns whether there was one. */
int sim_exchange_decide(sim_world_t *world, int node, sim_when_e when);

/* Return what moves when messages do, as text. */
const char *sim_exchange_state(sim_world_t *world, apr_pool_t *pool);

#endif
