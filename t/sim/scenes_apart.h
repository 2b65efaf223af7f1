/* Scenes of columns that only one of two nodes has. */
#ifndef SIM_SCENES_APART_H
#define SIM_SCENES_APART_H

#include "scenes.h"

/* What sim_scene_t calls. */
int sim_apart_fits_ended(const sim_schema_t *schema, const sim_table_t *table,
                         const sim_column_t *column, sim_pair_t both);

void sim_apart_draw_ended(sim_draw_t *draw, sim_place_t place, sim_pair_t both);

int sim_apart_fits_renamed(const sim_schema_t *schema, const sim_table_t *table,
                           const sim_column_t *column, sim_pair_t both);

void sim_apart_draw_renamed(sim_draw_t *draw, sim_place_t place,
                            sim_pair_t both);

int sim_apart_fits_reparented(const sim_schema_t *schema,
                              const sim_table_t *table,
                              const sim_column_t *column, sim_pair_t both);

void sim_apart_draw_reparented(sim_draw_t *draw, sim_place_t place,
                               sim_pair_t both);

#endif
