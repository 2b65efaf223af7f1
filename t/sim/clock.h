/* The simulated time. While it runs, gettimeofday(), clock_gettime() and time()
 * of the whole process tell it: libapr and SQLite's triggers ask those. Each
 * node has a clock of its own, which may be wrong by any span. */
#ifndef SIM_CLOCK_H
#define SIM_CLOCK_H

#include <apr_time.h>

#include "random.h"

#define SIM_NODES 3

/* Begin at a fixed moment, or (REAL) now, with all clocks right; random bytes
 * come from SEED. The servers of databases know only the real time. */
void sim_clock_begin(apr_uint64_t seed, int real);

/* Return whether moments that follow each other may be the same. */
int sim_clock_is_coarse(void);

/* Let the host's time be told again. */
void sim_clock_end(void);

/* Say at which node the process is at work. */
void sim_clock_at(int node);

/* Return at which. */
int sim_clock_node(void);

/* Move all clocks on. */
void sim_clock_pass(apr_interval_time_t span);

/* Let the clock of NODE be wrong by OFFSET. */
void sim_clock_set(int node, apr_interval_time_t offset);

/* Return whether the clock of NODE has been set back, and is not yet again what
 * it was. */
int sim_clock_is_behind(int node);

/* Let all clocks be right, and later than any has ever been. */
void sim_clock_agree(void);

/* Return the host's real time, microseconds. */
apr_time_t sim_clock_real(void);

#endif
