/* What nodes have withheld from their peers, also what a purge has forgotten
 * since. */
#ifndef SIM_WITHHELD_H
#define SIM_WITHHELD_H

#include "world.h"

typedef struct sim_withheld_t {
    int node;         /* that has withheld it */
    const char *peer; /* from whom */
    const char *model, *action;
    const char *origin, *original_id; /* or NULL */
    const char *clock, *body;         /* NULL: not known */
} sim_withheld_t;

/* Return what NODE has withheld, sim_withheld_t. */
apr_array_header_t *sim_withheld_of(const sim_world_t *world, int node,
                                    apr_pool_t *pool);

/* NODE is about to purge: that may remove what was withheld, and has ended.
 * Note it in world->withheld. */
void sim_withheld_note(sim_world_t *world, int node);

/* Return whether a node has withheld a message of TABLE: one with ACTION, NULL:
 * any. */
int sim_withheld_has(const sim_world_t *world, int table, const char *action,
                     apr_pool_t *pool);

#endif
