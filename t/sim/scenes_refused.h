/* Scenes of unique values that are refused. */
#ifndef SIM_SCENES_REFUSED_H
#define SIM_SCENES_REFUSED_H

#include "scenes.h"

/* What sim_scene_t calls. */
int sim_refused_fits_order(const sim_schema_t *schema, const sim_table_t *table,
                           const sim_column_t *column, sim_pair_t both);
int sim_refused_fits_discarded(const sim_schema_t *schema,
                               const sim_table_t *table,
                               const sim_column_t *column, sim_pair_t both);

void sim_refused_draw_order(sim_draw_t *draw, sim_place_t place,
                            sim_pair_t both);
void sim_refused_draw_discarded(sim_draw_t *draw, sim_place_t place,
                                sim_pair_t both);

#endif
