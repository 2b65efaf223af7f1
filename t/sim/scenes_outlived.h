/* Scenes of rows that outlive the parents that they need, without a foreign
 * key. */
#ifndef SIM_SCENES_OUTLIVED_H
#define SIM_SCENES_OUTLIVED_H

#include "scenes.h"

/* What sim_scene_t calls. */
int sim_outlived_fits_changed(const sim_schema_t *schema,
                              const sim_table_t *table,
                              const sim_column_t *column, sim_pair_t both);
int sim_outlived_fits_unread(const sim_schema_t *schema,
                             const sim_table_t *table,
                             const sim_column_t *column, sim_pair_t both);

void sim_outlived_draw_changed(sim_draw_t *draw, sim_place_t place,
                               sim_pair_t both);
void sim_outlived_draw_unread(sim_draw_t *draw, sim_place_t place,
                              sim_pair_t both);

#endif
