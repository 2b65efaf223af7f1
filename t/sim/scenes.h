/* What the files of the scenes share. */
#ifndef SIM_SCENES_H
#define SIM_SCENES_H

#include "drawing.h"

/* Two linked nodes, in any order. */
typedef struct sim_pair_t {
    int one, other;
} sim_pair_t;

/* A column of a table, by their numbers. */
typedef struct sim_place_t {
    int table, column;
} sim_place_t;

struct sim_scene_t {
    const char *name;
    const char *style; /* of the other steps */

    /* Return whether COLUMN of TABLE, which two nodes carry, is what it needs.
     */
    int (*fits)(const sim_schema_t *schema, const sim_table_t *table,
                const sim_column_t *column, sim_pair_t both);
    void (*draw)(sim_draw_t *draw, sim_place_t place, sim_pair_t both);
};

/* Let the messages of FROM go to TO, and none back. */
sim_step_t *sim_scene_send_all(sim_draw_t *draw, int from, int to);

/* Insert one row into TABLE at NODE, with unique values that no other row has.
 * Returns its tag. */
int sim_scene_row(sim_draw_t *draw, int node, int table);

/* Let NODE number its messages: that is done before a database is saved. */
void sim_scene_number_all(sim_draw_t *draw, int node);

/* Let all nodes know all. */
void sim_scene_exchange_all(sim_draw_t *draw);

/* Return whether COLUMN of TABLE holds values that applications write. */
int sim_scene_is_plain(const sim_schema_t *schema, const sim_table_t *table,
                       const sim_column_t *column, sim_pair_t both);

/* Return whether COLUMN of TABLE refers to another table, and neither has other
 * needs. */
int sim_scene_is_child(const sim_schema_t *schema, const sim_table_t *table,
                       const sim_column_t *column);

/* Return a column of TABLE other than BUT that holds values which applications
 * write; -1: there is none. */
int sim_scene_plain_of(const sim_schema_t *schema, const sim_table_t *table,
                       int but, sim_pair_t both);

/* Return whether rows of TABLE need no other row, but for column BUT; and
 * nothing of their own happens to them. */
int sim_scene_stands_alone(const sim_table_t *table, int but);

/* Return whether COLUMN of TABLE refers to another table, and neither has other
 * needs. */
int sim_scene_is_child(const sim_schema_t *schema, const sim_table_t *table,
                       const sim_column_t *column);

#endif
