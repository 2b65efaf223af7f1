/* The clock and the source of randomness: see clock.h. */
#include "base/clock.h"

#include <apr_general.h>

static apr_status_t host_random(unsigned char *bytes, apr_size_t size)
{
    return apr_generate_random_bytes(bytes, size);
}

static const cm_clock_t host = {apr_time_now, apr_sleep, host_random};

/* Only a test sets it, before it does anything else. */
static const cm_clock_t *clock_in_use = &host;

apr_time_t cm_clock_now(void)
{
    return clock_in_use->now();
}

int cm_clock_is_past(apr_int64_t then, apr_int64_t now, apr_int64_t span)
{
    return then < now - span || then > now + span;
}

void cm_clock_sleep(apr_interval_time_t span)
{
    clock_in_use->sleep(span);
}

apr_status_t cm_clock_random(unsigned char *bytes, apr_size_t size)
{
    return clock_in_use->random(bytes, size);
}

void cm_clock_replace(const cm_clock_t *clock)
{
    clock_in_use = clock;
}
