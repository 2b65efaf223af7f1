/* Scenes of people who decide about conflicts. */
#ifndef SIM_SCENES_PEOPLE_H
#define SIM_SCENES_PEOPLE_H

#include "scenes.h"

/* What sim_scene_t calls. */
int sim_people_fits_split(const sim_schema_t *schema, const sim_table_t *table,
                          const sim_column_t *column, sim_pair_t both);
int sim_people_fits_undone(const sim_schema_t *schema, const sim_table_t *table,
                           const sim_column_t *column, sim_pair_t both);

void sim_people_draw_split(sim_draw_t *draw, sim_place_t place,
                           sim_pair_t both);
void sim_people_draw_undone(sim_draw_t *draw, sim_place_t place,
                            sim_pair_t both);

#endif
