/* Rows that have outlived the parent that they need, since no foreign key
 * deletes them. */
#ifndef SIM_OUTLIVED_H
#define SIM_OUTLIVED_H

#include "world.h"

/* A row that all nodes had, with the parent that a statement has deleted. */
typedef struct sim_outlived_t {
    const sim_row_t *row, *parent;
    int column; /* which refers to it */
    int at;     /* how many events there were by then */
} sim_outlived_t;

/* Note the rows that a statement at NODE, which found the rows BEFORE and left
 * AFTER, lets outlive their parents. */
void sim_outlived_note(sim_world_t *world, int node,
                       const apr_array_header_t *before,
                       const apr_array_header_t *after);

#endif
