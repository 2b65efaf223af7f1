/* What a person has let stay (conflict=hold) against a change of a peer. */
#ifndef SIM_KEPT_H
#define SIM_KEPT_H

#include "world.h"

/* One column of a row. */
typedef struct sim_kept_t {
    const sim_row_t *row; /* before the decision; NULL: none */
    int column;
} sim_kept_t;

/* Return what stays at node NUMBER if its person discards message ID of PEER,
 * which is parked for REASON. */
sim_kept_t sim_kept_begin(sim_world_t *world, int number, const char *peer,
                          apr_int64_t id, const char *reason);

/* Fail where KEPT did not stay, now that the person has decided, unless
 * somebody who knew it has replaced it. */
void sim_kept_end(sim_world_t *world, int number, sim_kept_t kept);

#endif
