/* Shrinking: the fewest steps, tables and columns that still fail alike. */
#ifndef SIM_SHRINK_H
#define SIM_SHRINK_H

#include "world.h"

/* Return what is wrong with HISTORY in POOL, or NULL. */
typedef const char *sim_try_t(sim_history_t *history, void *baton);

/* Leave out of HISTORY, which FAILS, all that is not needed for it to fail in
 * the same way. Returns the last failure. */
const char *sim_shrink(sim_history_t *history, sim_schema_t *schema,
                       const char *failure, sim_try_t *fails, void *baton);

#endif
