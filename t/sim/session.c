/* See session.h. */
#include "session.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "gone.h"

/* Milliseconds after which a statement that has no answer may wait for a lock.
 */
#define PATIENCE 15

static struct {
    sim_session_work_t *work; /* NULL: nobody else is at work */
    sim_session_ended_t *ended;
    void *baton;
    int percent;
    int busy; /* an application is taking a step */
    sim_random_t random;
} sessions;

/* The sockets of the nodes, and of second processes there (beside.h); 0: not
 * known. */
static int sockets[SIM_NODES];
static int seconds[SIM_NODES];
static int *learning; /* one of these, or NULL */

void sim_session_begin(apr_uint64_t seed, sim_session_work_t *work,
                       sim_session_ended_t *ended, void *baton)
{
    static const int percents[] = {0, 2, 10, 30};

    sessions.work = work;
    sessions.ended = ended;
    sessions.baton = baton;
    sessions.random = sim_random_begin(seed, "sessions");
    sessions.percent = percents[sim_random_below(&sessions.random, 4)];
}

void sim_session_end(void)
{
    sessions.work = NULL;
}

void sim_session_learn(int node)
{
    learning = &sockets[node];
}

void sim_session_learn_second(int node)
{
    learning = &seconds[node];
}

void sim_session_forget(int node)
{
    sockets[node] = 0;
}

void sim_session_forget_second(int node)
{
    seconds[node] = 0;
}

/* Return whose SOCKET is, one of WHICH, or -1. */
static int node_of(const int *which, int socket)
{
    int i;

    for (i = 0; i < SIM_NODES; i++)
        if (which[i] && which[i] == socket)
            return i;
    return -1;
}

static void work(int node, int waits)
{
    int at = sim_clock_node();

    sessions.busy = 1;
    sessions.work(sessions.baton, node, waits);
    sessions.busy = 0;
    sim_clock_at(at);
}

static ssize_t send_data(int socket, const void *data, size_t size, int flags)
{
    return (ssize_t)syscall(SYS_sendto, socket, data, size,
                            flags | MSG_NOSIGNAL, NULL, 0);
}

/* End the connection of NODE, and throw away what the server answers. If it
 * HAS something TO DO, that may wait for an application. */
static ssize_t end(int socket, int node, int has_to_do)
{
    struct pollfd fd = {socket, POLLIN, 0};
    char room[4096];

    shutdown(socket, SHUT_WR);
    do {
        if (has_to_do)
            (void)poll(&fd, 1, -1);
        else
            (void)syscall(SYS_poll, &fd, 1, -1);
    } while (recv(socket, room, sizeof(room), 0) > 0);
    sockets[node] = 0;
    sessions.busy = 1;
    sessions.ended(sessions.baton, node);
    sessions.busy = 0;
    errno = EPIPE;
    return -1;
}

ssize_t send(int socket, const void *data, size_t size, int flags)
{
    int node, second;

    if (learning)
        *learning = socket;
    learning = NULL;
    if (!sessions.work || sessions.busy)
        return send_data(socket, data, size, flags);
    node = node_of(sockets, socket);
    second = node_of(seconds, socket);
    if ((node >= 0 || second >= 0) &&
        sim_random_chance(&sessions.random, sessions.percent))
        work(node >= 0 ? node : second, 0);
    if (node < 0)
        return send_data(socket, data, size, flags);
    switch (sim_gone_next(node)) {
    case SIM_GONE_AFTER:
        (void)send_data(socket, data, size, flags);
        return end(socket, node, 1);
    case SIM_GONE_NOW:
        return end(socket, node, 0);
    case SIM_GONE_NOT:
        break;
    }
    return send_data(socket, data, size, flags);
}

int connect(int socket, const struct sockaddr *address, socklen_t size)
{
    int node = sim_clock_node();

    if (!sessions.busy && sim_gone_is(node)) {
        errno = ECONNREFUSED;
        return -1;
    }
    if (!sessions.busy && sim_gone_mend(node))
        sockets[node] = socket;
    return (int)syscall(SYS_connect, socket, address, size);
}

/* Some compilers believe that poll() only writes there. */
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    int node = -1, found;

    /* A second process may wait for the first one: it gives up soon. */
    if (sessions.work && !sessions.busy && count == 1)
        node = node_of(sockets, fds->fd);
    if (node < 0)
        return (int)syscall(SYS_poll, fds, count, timeout);
    for (;;) {
        int span = timeout >= 0 && timeout < PATIENCE ? timeout : PATIENCE;

        found = (int)syscall(SYS_poll, fds, count, span);
        if (found || timeout == span)
            return found;
        if (timeout > 0)
            timeout -= span;
        work(node, 1);
    }
}
