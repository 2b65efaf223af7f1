/* The password for a peer: see secret.h. */
#include "secret.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_file_io.h>
#include <apr_file_info.h>
#include <apr_strings.h>

#include "base/file.h"
#include "config/settings.h"

#define LONGEST 1024

static cm_error_t *file_failed(const char *path, apr_status_t rv,
                               apr_pool_t *pool)
{
    char words[120];

    return CM_FAIL(pool, CM_FILE, "cannot read the password file '%s': %s",
                   path, apr_strerror(rv, words, sizeof(words)));
}

static cm_error_t *read_line(const char **line, const char *path,
                             apr_pool_t *pool)
{
    char buffer[LONGEST + 1];
    apr_size_t size = LONGEST;
    apr_file_t *file;
    apr_status_t rv;

    CM_TRY_FOR(cm_file_open(&file, path, pool), pool, "no password");
    rv = apr_file_read_full(file, buffer, LONGEST, &size);
    apr_file_close(file);
    if (rv != APR_SUCCESS && rv != APR_EOF)
        return file_failed(path, rv, pool);
    buffer[size] = '\0';
    buffer[strcspn(buffer, "\r\n")] = '\0';
    *line = apr_pstrdup(pool, buffer);
    if (!**line)
        return CM_FAIL(pool, CM_CONFIG, "the password file '%s' is empty",
                       path);
    return NULL;
}

/* systemd guards its own directory (the files in it may be 0440). */
static const char *credential(const cm_peer_settings_t *peer, apr_pool_t *pool)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY"), *path;

    if (!directory)
        return NULL;
    path = apr_pstrcat(pool, directory, "/", peer->name, NULL);
    if (access(path, F_OK) == 0)
        return path;
    path = apr_pstrcat(pool, directory, "/password", NULL);
    return access(path, F_OK) == 0 ? path : NULL;
}

static cm_error_t *check_owner(const char *path, apr_pool_t *pool)
{
    apr_finfo_t info;
    apr_status_t rv;

    rv = apr_stat(&info, path, APR_FINFO_PROT | APR_FINFO_OWNER, pool);
    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE)
        return file_failed(path, rv, pool);
    /* Root, who is at work by hand, may use that of the user who runs it. */
    if (info.user != 0 && info.user != geteuid() && geteuid() != 0)
        return CM_FAIL(pool, CM_CONFIG,
                       "the password file '%s' belongs to someone else", path);
    if (info.protection & (APR_FPROT_GREAD | APR_FPROT_GWRITE |
                           APR_FPROT_WREAD | APR_FPROT_WWRITE))
        return cm_error_hint(CM_FAIL(pool, CM_CONFIG,
                                     "others may read the password file '%s'",
                                     path),
                             pool, "chmod 600 %s", path);
    return NULL;
}

cm_error_t *sync_secret_read(const char **password,
                             const cm_peer_settings_t *peer, apr_pool_t *pool)
{
    const char *path = credential(peer, pool);

    if (path)
        return read_line(password, path, pool);
    if (!peer->password_file)
        return cm_error_hint(
            CM_FAIL(pool, CM_CONFIG, "%s:%d: peer '%s' has no password",
                    peer->place.file, peer->place.line, peer->name),
            pool, "add password-file=FILE to its CommunicatorPeer");
    CM_TRY(check_owner(peer->password_file, pool));
    return read_line(password, peer->password_file, pool);
}
