/* Scenes of rows that are found to be the same (match=). */
#ifndef SIM_SCENES_MATCHED_H
#define SIM_SCENES_MATCHED_H

#include "scenes.h"

/* What sim_scene_t calls. */
int sim_matched_fits_twins(const sim_schema_t *schema, const sim_table_t *table,
                           const sim_column_t *column, sim_pair_t both);

void sim_matched_draw_twins(sim_draw_t *draw, sim_place_t place,
                            sim_pair_t both);

int sim_matched_fits_rematched(const sim_schema_t *schema,
                               const sim_table_t *table,
                               const sim_column_t *column, sim_pair_t both);
void sim_matched_draw_rematched(sim_draw_t *draw, sim_place_t place,
                                sim_pair_t both);

#endif
