/* The judge: whether all is well after a history, by plain SQL and what the
 * applications did. It uses nothing of lib/. */
#ifndef SIM_JUDGE_H
#define SIM_JUDGE_H

#include "world.h"

/* Judge WORLD, which has come to rest: sets world->failure. */
void sim_judge(sim_world_t *world);

#endif
