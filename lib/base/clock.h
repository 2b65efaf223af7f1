/* The clock and the source of randomness: the host's, unless a test replaces
 * them so that it can repeat what happened. */
#ifndef CM_BASE_CLOCK_H
#define CM_BASE_CLOCK_H

#include <apr_time.h>

typedef struct cm_clock_t {
    apr_time_t (*now)(void); /* microseconds since 1970 */
    void (*sleep)(apr_interval_time_t span);
    apr_status_t (*random)(unsigned char *bytes, apr_size_t size);
} cm_clock_t;

/* Return the time, microseconds since 1970. */
apr_time_t cm_clock_now(void);

/* Return whether more than SPAN has passed from THEN to NOW, all in one unit. A
 * THEN more than SPAN ahead was stored before the clock was set back: it counts
 * as long ago, or nothing would happen until the clock has caught up. */
int cm_clock_is_past(apr_int64_t then, apr_int64_t now, apr_int64_t span);

/* Wait for SPAN microseconds. */
void cm_clock_sleep(apr_interval_time_t span);

/* Fill BYTES with SIZE random bytes that nobody can guess. */
apr_status_t cm_clock_random(unsigned char *bytes, apr_size_t size);

/* Take CLOCK, which must outlive the process, instead of the host's. Only for
 * tests, before the first thread. */
void cm_clock_replace(const cm_clock_t *clock);

#endif
