/* Tables that change while the nodes exchange messages. */
#ifndef SIM_ALTER_H
#define SIM_ALTER_H

#include "world.h"

/* Change a table as STEP says, a SIM_ALTER or a SIM_DROP. Nobody must be in a
 * transaction at the node. */
void sim_alter(sim_world_t *world, const sim_step_t *step);

/* Run migrate where tables were changed: the triggers know their columns. */
void sim_alter_migrate(sim_world_t *world);

/* Keep no connections from before the schema changes, and none to the changed
 * one: what they remember would be seen in the history of the seed. */
void sim_alter_forget(const sim_world_t *world);

#endif
