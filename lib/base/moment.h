/* Dates and times as text: read as databases and gems write them, written in
 * canonical form. */
#ifndef CM_BASE_MOMENT_H
#define CM_BASE_MOMENT_H

#include <apr_pools.h>

/* A date, a time, or both, in UTC. */
typedef struct cm_moment_t {
    int has_date, has_time;
    int is_real; /* 0: a zero date, or 31st of June; kept as it is */
    int year, month, day;
    int before_christ; /* PostgreSQL's "BC" */
    int negative;      /* a time below 00:00:00 */
    int hour, minute, second, nanosecond;
} cm_moment_t;

/* Read TEXT: "2011-06-22", "2011/06/22 10:11:12 +0000", "10:11:12.5",
 * "2000-01-01T10:11:12+02:00", "0044-03-15 BC" ...; a zone is converted to
 * UTC. Returns 0 when it is none of these. */
int cm_moment_read(cm_moment_t *moment, const char *text, apr_size_t size);

/* Read the seconds since 1970 in TEXT ("1698539400.123456"). */
int cm_moment_read_epoch(cm_moment_t *moment, const char *text,
                         apr_size_t size);

/* Return MOMENT, a date with or without a time, in microseconds since 1970; 0
 * when it is not real, before Christ, or a time alone. */
apr_int64_t cm_moment_clock(const cm_moment_t *moment);

/* Return the number of digits that the fraction of the second needs. */
int cm_moment_fraction(const cm_moment_t *moment);

/* Return "2011-06-22", "10:11:12.5", or both with BETWEEN ("T") between them
 * and ZONE ("Z") at the end, in POOL. A date before year 1 ends with " BC". */
const char *cm_moment_date(const cm_moment_t *moment, apr_pool_t *pool);
const char *cm_moment_time(const cm_moment_t *moment, apr_pool_t *pool);
const char *cm_moment_both(const cm_moment_t *moment, const char *between,
                           const char *zone, apr_pool_t *pool);

/* Return CLOCK, microseconds since 1970, in ISO 8601:
 * "2026-11-29T05:49:24.000120Z". */
const char *cm_moment_iso(apr_int64_t clock, apr_pool_t *pool);

#endif
