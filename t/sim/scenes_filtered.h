/* Scenes of rows that a row filter keeps at their node (where=). */
#ifndef SIM_SCENES_FILTERED_H
#define SIM_SCENES_FILTERED_H

#include "scenes.h"

/* What sim_scene_t calls. */
int sim_filtered_fits_replaced(const sim_schema_t *schema,
                               const sim_table_t *table,
                               const sim_column_t *column, sim_pair_t both);

void sim_filtered_draw_replaced(sim_draw_t *draw, sim_place_t place,
                                sim_pair_t both);

#endif
