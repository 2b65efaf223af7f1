/* Two runs at once: while one run is at work, another one between the same
 * nodes, or with a neighbour, begins and ends between two of its statements, as
 * from a second host. The functions of apr_dbd that run statements are defined
 * here before those of the library. */
#ifndef SIM_BESIDE_H
#define SIM_BESIDE_H

#include "world.h"

/* Let another run come between two statements of the run of STEP, which is
 * about to begin. */
void sim_beside_begin(sim_world_t *world, const sim_step_t *step);

/* That run has ended. */
void sim_beside_end(void);

/* Return whether a run is within a statement of another one. */
int sim_beside_is_busy(void);

#endif
