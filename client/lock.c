/* One run at a time per peer: see lock.h. */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>
#include <apr_time.h>

#include "folder.h"
#include "stop.h"

#define TOO_LONG 3600 /* seconds: a run that lasts longer is reported */

static const char *path_of(const char *folder, const char *peer,
                           apr_pool_t *pool)
{
    return apr_pstrcat(pool, folder, "/", peer, ".lock", NULL);
}

cm_error_t *sync_lock_check(const sync_client_t *client, const char *peer)
{
    apr_pool_t *pool = client->pool;
    const char *folder =
        sync_folder_of(client->settings->client.run_directory, pool);
    const char *path = path_of(folder, peer, pool);

    if (access(path, R_OK) == 0 || errno == ENOENT)
        return NULL;
    return cm_error_hint(
        CM_FAIL(pool, CM_FILE, "cannot open the lock '%s': %s", path,
                strerror(errno)),
        pool,
        "a run of another user made it: chown it to the user that runs "
        "communicator-sync");
}

static apr_status_t close_lock(void *baton)
{
    close(*(int *)baton);
    return APR_SUCCESS;
}

static cm_error_t *open_lock(int *fd, const char *configured, const char *peer,
                             apr_pool_t *pool)
{
    const char *path = path_of(sync_folder_of(configured, pool), peer, pool);
    const char *spare;
    int *kept = apr_palloc(pool, sizeof(*kept)), why;

    *fd = sync_folder_open(path);
    why = errno;
    spare = *fd < 0 ? sync_folder_spare(configured, 1, pool) : NULL;
    if (spare)
        *fd = sync_folder_open(path_of(spare, peer, pool));
    if (*fd < 0)
        return cm_error_hint(CM_FAIL(pool, CM_FILE,
                                     "cannot open the lock '%s': %s", path,
                                     strerror(why)),
                             pool,
                             "make its folder for the user that runs "
                             "communicator-sync, or set CommunicatorRunDir");
    *kept = *fd;
    apr_pool_cleanup_register(pool, kept, close_lock, close_lock);
    return NULL;
}

/* Try until SECONDS have passed; *TAKEN is whether we have it. */
static cm_error_t *try_lock(int *taken, int fd, int seconds, apr_pool_t *pool)
{
    apr_time_t end = apr_time_now() + apr_time_from_sec(seconds);

    for (;;) {
        *taken = flock(fd, LOCK_EX | LOCK_NB) == 0;
        if (*taken || apr_time_now() >= end)
            return NULL;
        CM_TRY(sync_stop_check(pool));
        apr_sleep(apr_time_from_msec(100));
    }
}

static void sign(int fd)
{
    char text[64];
    int size = snprintf(text, sizeof(text), "%ld %lld\n", (long)getpid(),
                        (long long)apr_time_sec(apr_time_now()));

    /* For people only: the lock does not depend on it. */
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, size, 0) != size)
        return;
}

/* Return who holds the lock, as it has written there; *AGE in seconds. */
static const char *read_holder(apr_int64_t *age, int fd, apr_pool_t *pool)
{
    char text[64] = "";
    ssize_t size = pread(fd, text, sizeof(text) - 1, 0);
    char *rest;
    apr_int64_t pid, since;

    *age = 0;
    if (size <= 0)
        return "another process";
    pid = apr_strtoi64(text, &rest, 10);
    since = apr_strtoi64(rest, NULL, 10);
    if (since > 0 && since <= APR_INT64_MAX / 2)
        *age = apr_time_sec(apr_time_now()) - since;
    return apr_psprintf(
        pool, "process %" APR_INT64_T_FMT " for %" APR_INT64_T_FMT " seconds",
        pid, *age);
}

cm_error_t *sync_lock_take(const char **holder, const sync_client_t *client,
                           const char *peer, apr_pool_t *pool)
{
    int seconds = client->options->run.wait;
    apr_int64_t age;
    int fd = -1, taken = 0;

    *holder = NULL;
    CM_TRY(open_lock(&fd, client->settings->client.run_directory, peer, pool));
    CM_TRY(try_lock(&taken, fd, seconds, pool));
    if (taken) {
        sign(fd);
        return NULL;
    }
    *holder = read_holder(&age, fd, pool);
    /* An age below 0: the clock was set back. */
    if (seconds == 0 && age < TOO_LONG && age > -TOO_LONG)
        return NULL;
    return CM_FAIL(pool, CM_LOCKED, "another run is at work: %s", *holder);
}
