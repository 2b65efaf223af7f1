/* The judge: whether all is well after a history, by plain SQL and what the
 * applications did. It uses nothing of lib/. */
#ifndef SIM_JUDGE_H
#define SIM_JUDGE_H

#include "world.h"

/* Judge WORLD, which has come to rest: sets world->failure. */
void sim_judge(sim_world_t *world);

/* Judge, before people have decided anything, whether conflicts wait for them.
 */
void sim_judge_undecided(sim_world_t *world);

/* Judge, at any time, whether a message at NODE has overtaken a parked one of
 * its record: as far as all messages stay rows there. */
void sim_judge_order(sim_world_t *world, int node, apr_pool_t *pool);

#endif
