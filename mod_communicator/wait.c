/* Requests that wait for the next message. Each holds a thread of httpd, but no
 * connection to the database. */
#include "mod_communicator.h"

#include <http_core.h>
#include <poll.h>

#include <apr_atomic.h>
#include <apr_portable.h>
#include <ap_mpm.h>

/* So that a process that has to end does so soon. */
#define MOST_PAUSE apr_time_from_msec(250)

#ifndef POLLRDHUP
#define POLLRDHUP 0
#endif

/* How many wait in this process. */
static apr_uint32_t waiting;

/* Half of the threads stay free for other requests: none waits where each
 * process serves one request at a time. */
static apr_uint32_t most(const cm_settings_t *settings)
{
    int threads = 0, limit = settings->waiters;

    if (ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads) != APR_SUCCESS)
        threads = 0;
    return (apr_uint32_t)(limit < threads / 2 ? limit : threads / 2);
}

int mod_wait_begin(const cm_settings_t *settings)
{
    if (apr_atomic_inc32(&waiting) < most(settings))
        return 1;
    apr_atomic_dec32(&waiting);
    return 0;
}

void mod_wait_end(void)
{
    apr_atomic_dec32(&waiting);
}

static int is_stopping(void)
{
    int state = AP_MPMQ_RUNNING;

    return ap_mpm_query(AP_MPMQ_MPM_STATE, &state) == APR_SUCCESS &&
           state == AP_MPMQ_STOPPING;
}

/* Return the socket of R's client, or -1. */
static int socket_of(const request_rec *r)
{
    conn_rec *connection = r->connection;
    apr_socket_t *client = ap_get_conn_socket(connection);
    apr_os_sock_t number;

    if (!client || apr_os_sock_get(&number, client) != APR_SUCCESS)
        return -1;
    return number;
}

int mod_wait_on(const request_rec *r, apr_interval_time_t time)
{
    struct pollfd client = {.fd = socket_of(r), .events = POLLRDHUP};
    apr_interval_time_t pause;

    for (; time > 0; time -= pause) {
        pause = time < MOST_PAUSE ? time : MOST_PAUSE;
        if (is_stopping() || poll(&client, 1, (int)apr_time_as_msec(pause)) > 0)
            return 0;
    }
    return !is_stopping();
}
