/* Random numbers that a seed repeats: a state of its own for each purpose, so
 * that more numbers for one purpose do not change those for another. */
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

#include <apr.h>

typedef struct sim_random_t {
    apr_uint64_t state;
} sim_random_t;

/* Begin the numbers of SEED for PURPOSE. */
sim_random_t sim_random_begin(apr_uint64_t seed, const char *purpose);

/* Return the next 64 bits. */
apr_uint64_t sim_random_next(sim_random_t *random);

/* Return a number from 0 to COUNT - 1; COUNT is above 0. */
int sim_random_below(sim_random_t *random, int count);

/* Return 1 in PERCENT of 100 cases. */
int sim_random_chance(sim_random_t *random, int percent);

#endif
