/* Scenes of what two nodes do to the same rows. */
#ifndef SIM_SCENES_BOTH_H
#define SIM_SCENES_BOTH_H

#include "scenes.h"

/* What sim_scene_t calls. */
int sim_both_fits_moved(const sim_schema_t *schema, const sim_table_t *table,
                        const sim_column_t *column, sim_pair_t both);

void sim_both_draw_moved(sim_draw_t *draw, sim_place_t place, sim_pair_t both);

#endif
