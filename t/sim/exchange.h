/* Exchanging messages between two nodes: what communicator-sync and
 * mod_communicator do, by calls of the library. */
#ifndef SIM_EXCHANGE_H
#define SIM_EXCHANGE_H

#include "world.h"

/* Send what FROM has to TO, as STEP says; *MOVED grows by the messages that
 * arrived. */
void sim_exchange_push(sim_world_t *world, const sim_step_t *step, int from,
                       int to, int *moved);

/* Retry at NODE what is parked of PEER, and publish what was missing; *MOVED
 * grows by the messages that took effect. */
void sim_exchange_retry(sim_world_t *world, int node, int peer, int *moved);

#endif
