/* Nodes with CommunicatorOnError stop that have stopped: something cannot be
 * applied there. */
#ifndef SIM_STOPPED_H
#define SIM_STOPPED_H

#include "world.h"

/* Return whether WORLD can tell: two nodes, of which one stops, whose histories
 * fit. */
int sim_stopped_may_ask(const sim_world_t *world);

/* Return the node that has stopped, now that nothing moves any more: it holds
 * less than the other one has numbered. -1: none has. */
int sim_stopped_find(const sim_world_t *world);

/* Let NODE, which had stopped and parks now, receive the next batch; fails if
 * it parks nothing of that, unless it had stopped to ask a person about a
 * record that has gone with its parent. */
void sim_stopped_judge(sim_world_t *world, int node);

#endif
