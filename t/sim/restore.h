/* Databases that are restored from a backup, and what a person does then. */
#ifndef SIM_RESTORE_H
#define SIM_RESTORE_H

#include "world.h"

/* Save or restore the database of STEP's node, as STEP says. */
void sim_restore(sim_world_t *world, const sim_step_t *step);

/* A run by STEP has ended well: it must not, if its nodes know different
 * histories of each other. */
void sim_restore_check(sim_world_t *world, const sim_step_t *step);

/* Let all nodes that were restored begin a new history, as the operator's
 * guide says. */
void sim_restore_renew(sim_world_t *world);

/* Publish all of all nodes: what they have applied of lost histories is sent
 * back to those that have lost it. */
void sim_restore_publish(sim_world_t *world);

#endif
