/* Files that an operator names: see file.h. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_portable.h>

static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode)    ? "a directory"
           : S_ISFIFO(mode) ? "a FIFO"
           : S_ISSOCK(mode) ? "a socket"
                            : "a device";
}

static cm_error_t *no_file(const char *path, mode_t mode, apr_pool_t *pool)
{
    return CM_FAIL(pool, CM_FILE, "cannot read '%s': it is %s, not a file",
                   path, kind_of(mode));
}

cm_error_t *cm_file_open(apr_file_t **file, const char *path, apr_pool_t *pool)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat info;

    if (fd < 0 || fstat(fd, &info) != 0) {
        int why = errno;

        if (fd >= 0)
            close(fd);
        return CM_FAIL(pool, CM_FILE, "cannot read '%s': %s", path,
                       strerror(why));
    }
    if (!S_ISREG(info.st_mode)) {
        close(fd);
        return no_file(path, info.st_mode, pool);
    }
    if (apr_os_file_put(file, &fd, APR_FOPEN_READ, pool) == APR_SUCCESS)
        return NULL;
    close(fd);
    return CM_FAIL(pool, CM_INTERNAL, "cannot use the file '%s'", path);
}

cm_error_t *cm_file_check(const char *path, apr_pool_t *pool)
{
    struct stat info;

    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return no_file(path, info.st_mode, pool);
    return NULL;
}
