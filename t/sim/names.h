/* Rows that match= finds by a value which an application changes. Where two
 * nodes have made such a row, each knows it under two names as soon as it has
 * received the other's. If the value changes before, nobody can know that the
 * two were one: a known limit (docs/convergence.md). */
#ifndef SIM_NAMES_H
#define SIM_NAMES_H

#include "world.h"

/* Note in WORLD that the nodes may differ about what has the name of EVENT, or
 * had it, if that has happened by EVENT. */
void sim_names_note(sim_world_t *world, const sim_event_t *event);

#endif
