/* Scenes of messages that come together, or wait behind others. */
#ifndef SIM_SCENES_WAITING_H
#define SIM_SCENES_WAITING_H

#include "scenes.h"

/* What sim_scene_t calls. */
int sim_waiting_fits_together(const sim_schema_t *schema,
                              const sim_table_t *table,
                              const sim_column_t *column, sim_pair_t both);
int sim_waiting_fits_tied(const sim_schema_t *schema, const sim_table_t *table,
                          const sim_column_t *column, sim_pair_t both);
int sim_waiting_fits_named(const sim_schema_t *schema, const sim_table_t *table,
                           const sim_column_t *column, sim_pair_t both);
int sim_waiting_fits_behind(const sim_schema_t *schema,
                            const sim_table_t *table,
                            const sim_column_t *column, sim_pair_t both);

void sim_waiting_draw_together(sim_draw_t *draw, sim_place_t place,
                               sim_pair_t both);
void sim_waiting_draw_tied(sim_draw_t *draw, sim_place_t place,
                           sim_pair_t both);
void sim_waiting_draw_named(sim_draw_t *draw, sim_place_t place,
                            sim_pair_t both);
void sim_waiting_draw_behind(sim_draw_t *draw, sim_place_t place,
                             sim_pair_t both);

#endif
