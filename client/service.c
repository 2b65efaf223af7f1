/* Telling systemd how a process is: see service.h. */
#include "service.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <apr_strings.h>
#include <apr_time.h>

#include "stop.h"

void sync_service_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = path ? strlen(path) : 0;
    int fd;

    if (!size || size >= sizeof(address.sun_path))
        return;
    memcpy(address.sun_path, path, size);
    if (*path == '@') /* a name that is in no folder */
        address.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL,
               (const struct sockaddr *)&address,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size)) < 0)
        size = 0; /* whoever started us watches by other means */
    close(fd);
}

/* Return how long the watchdog waits; 0: there is none. */
static apr_interval_time_t patience(void)
{
    const char *time = getenv("WATCHDOG_USEC");

    return time ? apr_strtoi64(time, NULL, 10) : 0;
}

void sync_service_live(void)
{
    static apr_time_t last;
    const apr_time_t now = apr_time_now();
    const apr_interval_time_t most = patience();

    if (!most || (now >= last && now - last < most / 4))
        return;
    last = now;
    sync_service_notify("WATCHDOG=1");
}

cm_error_t *sync_service_check(apr_pool_t *pool)
{
    sync_service_live();
    return sync_stop_check(pool);
}
