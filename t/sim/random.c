/* See random.h: splitmix64. */
#include "random.h"

sim_random_t sim_random_begin(apr_uint64_t seed, const char *purpose)
{
    sim_random_t random = {seed * APR_UINT64_C(0x9e3779b97f4a7c15) + 1};

    for (; *purpose; purpose++)
        random.state = (random.state ^ (unsigned char)*purpose) *
                       APR_UINT64_C(0x100000001b3);
    (void)sim_random_next(&random);
    return random;
}

apr_uint64_t sim_random_next(sim_random_t *random)
{
    apr_uint64_t z = random->state += APR_UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * APR_UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * APR_UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

int sim_random_below(sim_random_t *random, int count)
{
    return (int)(sim_random_next(random) % (apr_uint64_t)count);
}

int sim_random_chance(sim_random_t *random, int percent)
{
    return sim_random_below(random, 100) < percent;
}
