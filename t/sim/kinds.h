/* The kinds of columns: their types, values that are hard to carry, and how one
 * value looks the same on all databases. */
#ifndef SIM_KINDS_H
#define SIM_KINDS_H

#include <apr_pools.h>

#include "random.h"

typedef enum sim_database_e {
    SIM_SQLITE,
    SIM_PGSQL,
    SIM_MYSQL
} sim_database_e;

typedef enum sim_kind_e {
    SIM_INTEGER,
    SIM_TEXT,
    SIM_BOOLEAN,
    SIM_DECIMAL,
    SIM_DOUBLE,
    SIM_DATE,
    SIM_TIMESTAMP,
    SIM_ZONED,
    SIM_TIME,
    SIM_BINARY,
    SIM_UUID,
    SIM_JSON,
    SIM_ENUM,
    SIM_REFERENCE
} sim_kind_e;

/* Return the type of columns of KIND, which is no reference, on DATABASE. */
const char *sim_kind_type(sim_kind_e kind, sim_database_e database);

/* Return a value of KIND that is hard to carry, as SQL of DATABASE. All of
 * DATABASES (bits) can hold it; the longest text fills its column. */
const char *sim_kind_edge(sim_random_t *random, sim_kind_e kind,
                          unsigned databases, sim_database_e database,
                          apr_pool_t *pool);

/* Return another value of KIND for each NUMBER, but that there are few of some
 * kinds, as SQL of DATABASE. */
const char *sim_kind_plain(sim_kind_e kind, int number, sim_database_e database,
                           apr_pool_t *pool);

/* Return SQL of DATABASE that shows the value COLUMN of KIND; what it shows is
 * the same everywhere after sim_kind_canonical(). */
const char *sim_kind_shown(sim_kind_e kind, sim_database_e database,
                           const char *column, apr_pool_t *pool);

/* Return TEXT, as sim_kind_shown() shows it, in the form that all databases
 * have in common: that of the wire. NULL remains. */
const char *sim_kind_canonical(sim_kind_e kind, const char *text,
                               apr_pool_t *pool);

#endif
