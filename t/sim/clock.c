/* See clock.h. */
#include "clock.h"

#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define BEGINNING APR_INT64_C(1700000000000000)

static struct {
    int running;
    int node;
    apr_time_t base;
    apr_time_t latest;          /* that any node has been told */
    apr_time_t told[SIM_NODES]; /* the latest of each */
    apr_interval_time_t offset[SIM_NODES];
    apr_interval_time_t grain; /* it shows no less: several moments are one */
    sim_random_t random;
} simulated;

apr_time_t sim_clock_real(void)
{
    struct timespec now;

    syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
    return (apr_time_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Each look at the clock takes a while: a loop that waits for a time comes to
 * its end. */
static apr_time_t look(void)
{
    apr_time_t now;

    if (!simulated.running)
        return sim_clock_real();
    simulated.base += 7;
    now = simulated.base - simulated.base % simulated.grain +
          simulated.offset[simulated.node];
    if (now > simulated.latest)
        simulated.latest = now;
    if (now > simulated.told[simulated.node])
        simulated.told[simulated.node] = now;
    return now;
}

static void pass(apr_interval_time_t span)
{
    simulated.base += span;
}

static apr_status_t random_bytes(unsigned char *bytes, apr_size_t size)
{
    for (; size; size--)
        *bytes++ = (unsigned char)sim_random_next(&simulated.random);
    return APR_SUCCESS;
}

/* Most clocks tell any two moments from each other. With some, nodes do things
 * at the same time. */
static apr_interval_time_t draw_grain(apr_uint64_t seed)
{
    static const apr_interval_time_t grains[] = {1, 1, 1, 20000, 1000000};
    sim_random_t random = sim_random_begin(seed, "grain");

    return grains[sim_random_below(&random, sizeof(grains) / sizeof(*grains))];
}

void sim_clock_begin(apr_uint64_t seed, int real)
{
    static const cm_clock_t clock = {look, pass, random_bytes};

    memset(&simulated, 0, sizeof(simulated));
    simulated.running = 1;
    simulated.base = simulated.latest = real ? sim_clock_real() : BEGINNING;
    simulated.random = sim_random_begin(seed, "bytes");
    simulated.grain = real ? 1 : draw_grain(seed);
    cm_clock_replace(&clock);
}

int sim_clock_is_coarse(void)
{
    return simulated.grain > 1;
}

void sim_clock_end(void)
{
    simulated.running = 0;
}

void sim_clock_at(int node)
{
    simulated.node = node;
}

int sim_clock_node(void)
{
    return simulated.node;
}

void sim_clock_pass(apr_interval_time_t span)
{
    pass(span);
}

void sim_clock_set(int node, apr_interval_time_t offset)
{
    simulated.offset[node] = offset;
}

int sim_clock_is_behind(int node)
{
    return simulated.base + simulated.offset[node] < simulated.told[node];
}

void sim_clock_agree(void)
{
    memset(simulated.offset, 0, sizeof(simulated.offset));
    simulated.base = simulated.latest + 1000000;
}

/* These stand before those of the C library, for all libraries of the
 * process. */

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    apr_time_t time = look();

    (void)zone;
    now->tv_sec = (time_t)(time / 1000000);
    now->tv_usec = (suseconds_t)(time % 1000000);
    return 0;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    apr_time_t time;

    if (!simulated.running || clock != CLOCK_REALTIME)
        return (int)syscall(SYS_clock_gettime, clock, now);
    time = look();
    now->tv_sec = (time_t)(time / 1000000);
    now->tv_nsec = (long)(time % 1000000 * 1000);
    return 0;
}

time_t time(time_t *seconds)
{
    time_t now = (time_t)(look() / 1000000);

    if (seconds)
        *seconds = now;
    return now;
}
