/* Where runs keep files: see folder.h. */
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

/* Folders that root makes belong to this user, if packages, or somebody by the
 * guide, have made it. */
#define USER "_communicator"

/* Make the folder PATH for the user that is to run the program. */
static int make_folder(const char *path, mode_t mode)
{
    const struct passwd *user;

    if (mkdir(path, mode) != 0)
        return 0;
    user = geteuid() == 0 ? getpwnam(USER) : NULL;
    return !user || chown(path, user->pw_uid, user->pw_gid) == 0;
}

/* Return whether the folder PATH, made if necessary, can be written; if not,
 * errno says why. */
static int is_usable(const char *path)
{
    if (access(path, W_OK | X_OK) == 0)
        return 1;
    return errno == ENOENT && make_folder(path, 0755);
}

/* Return whether the folder PATH is this user's alone: in /tmp anybody may have
 * made it. With MAKE it is made. */
static int is_private(const char *path, int make)
{
    struct stat info;

    if (make && mkdir(path, 0700) != 0 && errno != EEXIST)
        return 0;
    return lstat(path, &info) == 0 && S_ISDIR(info.st_mode) &&
           info.st_uid == geteuid() && !(info.st_mode & 077);
}

const char *sync_folder_spare(const char *configured, int make,
                              apr_pool_t *pool)
{
    const char *tmp = getenv("TMPDIR"), *parent, *path;
    char *name = apr_pstrdup(pool, configured), *c;

    for (c = name; *c; c++)
        if (*c == '/')
            *c = '_';
    parent = apr_psprintf(pool, "%s/communicator-%ld",
                          tmp && *tmp ? tmp : "/tmp", (long)geteuid());
    path = apr_pstrcat(pool, parent, "/", name, NULL);
    return is_private(parent, make) && is_private(path, make) ? path : NULL;
}

const char *sync_folder_of(const char *configured, apr_pool_t *pool)
{
    const char *spare;

    if (is_usable(configured))
        return configured;
    spare = sync_folder_spare(configured, 1, pool);
    return spare ? spare : configured;
}

cm_error_t *sync_folder_check(const char *configured, const char *directive,
                              apr_pool_t *pool)
{
    const char *spare, *meanwhile = "";
    cm_error_t *err;

    if (is_usable(configured))
        return NULL;
    err = CM_FAIL(pool, CM_FILE, "'%s' (%s) cannot be written: %s", configured,
                  directive, strerror(errno));
    spare = sync_folder_spare(configured, 1, pool);
    if (spare)
        meanwhile =
            apr_pstrcat(pool, "; until then '", spare, "' is used", NULL);
    return cm_error_hint(err, pool,
                         "make it for the user that runs communicator-sync: "
                         "install -d -o USER %s%s",
                         configured, meanwhile);
}

/* Stat the folder of the file PATH; return whether there is one. */
static int stat_folder(struct stat *folder, const char *path)
{
    const char *slash = strrchr(path, '/');
    char parent[4096];

    if (!slash || slash == path || (size_t)(slash - path) >= sizeof(parent))
        return 0;
    memcpy(parent, path, slash - path);
    parent[slash - path] = '\0';
    return stat(parent, folder) == 0;
}

void sync_folder_give(int fd, const char *path)
{
    struct stat file, folder;

    if (!stat_folder(&folder, path) || fstat(fd, &file) != 0 ||
        file.st_uid != geteuid())
        return;
    /* If this fails, runs of other users fail and report it. */
    if (fchmod(fd, folder.st_mode & 0666) != 0)
        return;
    if (geteuid() == 0 && folder.st_uid != 0 &&
        fchown(fd, folder.st_uid, folder.st_gid) != 0)
        return;
}

int sync_folder_open(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

    if (fd >= 0)
        sync_folder_give(fd, path);
    else if (errno == EACCES || errno == EROFS)
        /* Another user's: whoever may read a file may lock it. */
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    return fd;
}
