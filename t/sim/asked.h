/* What people are asked in the end (conflict=hold). What the one of another
 * node has decided of a column of a record ends that question here, too. */
#ifndef SIM_ASKED_H
#define SIM_ASKED_H

#include "inbox/inbox.h"
#include "operate/parked.h"
#include "world.h"

/* A person at node NUMBER is about to decide about MESSAGE of PEER: fails where
 * one at another node has done so, unless both nodes have made the record, or
 * clocks do not tell what was earlier: then there may be more to ask about.
 * Returns the question; or NULL if what is decided now does not end it, since a
 * later message of the record that waits says something else of the column. */
const char *sim_asked_begin(sim_world_t *world, int number, const char *peer,
                            const cm_parked_t *message);

/* Note that it was decided, unless what the message of ROW says besides cannot
 * be applied: it is parked still, or FAILS says so and it was discarded. Then
 * it was given up, and the other node is not told (docs/convergence.md, known
 * limits). */
void sim_asked_end(sim_world_t *world, int number, const char *question,
                   const cm_parked_row_t *row, int fails);

#endif
