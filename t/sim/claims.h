/* What Communicator itself says when all has come to rest: verify, and the
 * health of each node. It must agree with the judge. */
#ifndef SIM_CLAIMS_H
#define SIM_CLAIMS_H

#include "world.h"

/* Let the caller of LINK verify all models: FOUND gets the records of each
 * table that differ. With REPAIR it publishes them; FROM is the node that is
 * right, or -1. */
void sim_claims_verify(int *found, sim_world_t *world, const sim_link_t *link,
                       int repair, int from);

/* Return a problem that node NUMBER reports of itself, or NULL. */
const char *sim_claims_health(sim_world_t *world, int number);

#endif
