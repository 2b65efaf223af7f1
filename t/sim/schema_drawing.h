/* How a schema is drawn: what the files of that share. */
#ifndef SIM_SCHEMA_DRAWING_H
#define SIM_SCHEMA_DRAWING_H

#include "schema.h"

/* Return whether a node of SCHEMA is on DATABASE. */
int sim_schema_is_on(const sim_schema_t *schema, sim_database_e database);

/* Return whether columns may refer to rows of TABLE. */
int sim_schema_is_parent(const sim_schema_t *schema, const sim_table_t *table);

/* Add a column of KIND to TABLE, which all nodes have; its name begins with
 * LETTER. */
sim_column_t *sim_schema_add(sim_table_t *table, sim_kind_e kind, char letter);

/* Let rows of some tables refer to rows of one table or another, as a second
 * column says. */
void sim_schema_draw_either(sim_schema_t *schema);

/* Draw what only some tables have, when all else is drawn. */
void sim_schema_draw_rare(sim_schema_t *schema);

#endif
