/* What a statement of an application did, as the rows before and after show. */
#ifndef SIM_EVENTS_H
#define SIM_EVENTS_H

#include "world.h"

/* Note in EVENTS (sim_event_t) what changed at NODE from the rows BEFORE to
 * AFTER. */
void sim_events_compare(apr_array_header_t *events, const sim_schema_t *schema,
                        int node, const apr_array_header_t *before,
                        const apr_array_header_t *after);

/* Note the rows of STEP, a REPLACE, that a later row of the same statement has
 * removed: no look at the table shows them. AFTER are the rows now. */
void sim_events_note_replaced(sim_world_t *world, const sim_step_t *step,
                              const apr_array_header_t *after);

#endif
