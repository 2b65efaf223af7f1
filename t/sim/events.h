/* What a statement of an application did, as the rows before and after show. */
#ifndef SIM_EVENTS_H
#define SIM_EVENTS_H

#include "world.h"

/* Note what the statement of STEP did to the rows BEFORE, which are as AFTER
 * now. */
void sim_events_note(sim_world_t *world, const sim_step_t *step,
                     const apr_array_header_t *before,
                     const apr_array_header_t *after);

#endif
