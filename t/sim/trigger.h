/* Triggers of the application, which do more than a message says. */
#ifndef SIM_TRIGGER_H
#define SIM_TRIGGER_H

#include "schema.h"

/* Choose the triggers of the tables of SCHEMA, which is made else. */
void sim_trigger_draw(sim_schema_t *schema);

/* Add the statements (const char *) that create the triggers at NODE to DDL:
 * all tables are there. */
void sim_trigger_add(apr_array_header_t *ddl, const sim_schema_t *schema,
                     int node, apr_pool_t *pool);

#endif
