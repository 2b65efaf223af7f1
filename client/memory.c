/* What is remembered from run to run: see memory.h. */
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>
#include <json.h>

#include "folder.h"

#define FILE_NAME "/status.json"

static apr_status_t put(void *baton)
{
    json_object_put(baton);
    return APR_SUCCESS;
}

static cm_error_t *unreadable(const char *path, cm_code_e code, const char *why,
                              apr_pool_t *pool)
{
    return cm_error_hint(
        CM_FAIL(pool, code, "'%s' cannot be read: %s", path, why), pool,
        code == CM_FILE ? "run this as the same user, or as one of its group "
                          "after chmod g+rx on the folder"
                        : "remove it: the next run writes it again");
}

/* Read the file in DIRECTORY into *ALL, NULL when there is none. */
static cm_error_t *read_file(json_object **all, const char *directory,
                             apr_pool_t *pool)
{
    const char *path = apr_pstrcat(pool, directory, FILE_NAME, NULL);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat info;

    *all = NULL;
    if (fd < 0)
        return errno == ENOENT
                   ? NULL
                   : unreadable(path, CM_FILE, strerror(errno), pool);
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode))
        *all = json_object_from_fd(fd);
    close(fd);
    if (json_object_is_type(*all, json_type_object))
        return NULL;
    json_object_put(*all);
    *all = NULL;
    return unreadable(path, CM_MALFORMED, "it is damaged", pool);
}

/* Return the folder that is used instead of DIRECTORY, which this user cannot
 * write; NULL: nothing is remembered there. */
static const char *spare_of(const char *directory, apr_pool_t *pool)
{
    const char *spare = sync_folder_spare(directory, 0, pool);
    struct stat info;

    if (!spare || stat(apr_pstrcat(pool, spare, FILE_NAME, NULL), &info) != 0)
        return NULL;
    return spare;
}

/* Read what is remembered in DIRECTORY, and in the folder used instead. */
static json_object *read_all(const char *directory, apr_pool_t *pool)
{
    const char *spare = spare_of(directory, pool);
    json_object *all, *more;
    cm_error_t *err = read_file(&all, directory, pool);

    if (err || !all)
        all = json_object_new_object();
    err = spare ? read_file(&more, spare, pool) : NULL;
    if (!spare || err || !more)
        return all;
    json_object_object_foreach(more, name, member)
    {
        json_object_object_add(all, name, json_object_get(member));
    }
    json_object_put(more);
    return all;
}

cm_error_t *sync_memory_check(const sync_client_t *client)
{
    const char *directory = client->settings->client.state_directory;
    const char *spare = spare_of(directory, client->pool);
    json_object *all;

    CM_TRY(read_file(&all, spare ? spare : directory, client->pool));
    json_object_put(all);
    return NULL;
}

json_object *sync_memory_read(const sync_client_t *client, const char *name,
                              apr_pool_t *pool)
{
    json_object *all = read_all(client->settings->client.state_directory, pool);
    json_object *member;

    if (json_object_object_get_ex(all, name, &member) &&
        json_object_is_type(member, json_type_object))
        json_object_get(member);
    else
        member = json_object_new_object();
    json_object_put(all);
    apr_pool_cleanup_register(pool, member, put, apr_pool_cleanup_null);
    return member;
}

apr_int64_t sync_memory_number(json_object *object, const char *name)
{
    return json_object_get_int64(json_object_object_get(object, name));
}

sync_runs_t sync_memory_runs(const sync_client_t *client, const char *name)
{
    json_object *member = sync_memory_read(client, name, client->pool);
    sync_runs_t runs = {
        .last_run = sync_memory_number(member, "last_run"),
        .last_success = sync_memory_number(member, "last_success"),
        .exit_status = sync_memory_number(member, "exit_status")};

    if (!runs.exit_status)
        return runs;
    runs.failed = sync_memory_number(member, "runs");
    runs.reason =
        json_object_get_string(json_object_object_get(member, "reason"));
    runs.hint = json_object_get_string(json_object_object_get(member, "hint"));
    return runs;
}

static cm_error_t *failed(const char *path, apr_pool_t *pool)
{
    return cm_error_hint(
        CM_FAIL(pool, CM_FILE, "cannot write '%s': %s", path, strerror(errno)),
        pool,
        "make CommunicatorStateDir for the user that runs communicator-sync");
}

/* Write TEXT into the new file PATH, which no link leads to; returns 0 with
 * errno. */
static int write_new(const char *path, const char *text)
{
    apr_size_t size = strlen(text), done = 0;
    ssize_t count = 0;
    int fd, closed, why;

    /* A run that was killed may have left it: writers hold a lock. */
    if (unlink(path) != 0 && errno != ENOENT)
        return 0;
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return 0;
    sync_folder_give(fd, path);
    for (; done < size && count >= 0; done += count > 0 ? count : 0)
        count = write(fd, text + done, size - done);
    why = errno;
    closed = close(fd);
    if (count < 0)
        errno = why;
    return count >= 0 && closed == 0;
}

static cm_error_t *replace(const char *path, json_object *all, apr_pool_t *pool)
{
    const char *made = apr_pstrcat(pool, path, ".new", NULL);
    int flags = JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE;
    const char *text =
        cm_clean_json(json_object_to_json_string_ext(all, flags), pool);

    if (!write_new(made, text) || rename(made, path) != 0)
        return failed(path, pool);
    return NULL;
}

/* Lock the memory in FOLDER; *FD holds the lock until it is closed. */
static cm_error_t *lock_memory(int *fd, const char *folder, apr_pool_t *pool)
{
    const char *path = apr_pstrcat(pool, folder, FILE_NAME ".lock", NULL);
    cm_error_t *err;

    *fd = sync_folder_open(path);
    if (*fd >= 0 && flock(*fd, LOCK_EX) == 0)
        return NULL;
    err = failed(path, pool);
    if (*fd >= 0)
        close(*fd);
    return err;
}

cm_error_t *sync_memory_write(const sync_client_t *client, const char *name,
                              json_object *member)
{
    const char *directory = client->settings->client.state_directory;
    apr_pool_t *pool = client->pool;
    const char *folder = sync_folder_of(directory, pool);
    const char *spare = spare_of(directory, pool);
    json_object *all;
    cm_error_t *err;
    int fd;

    CM_TRY(lock_memory(&fd, folder, pool));
    all = read_all(directory, pool);
    json_object_object_add(all, name, json_object_get(member));
    err = replace(apr_pstrcat(pool, folder, FILE_NAME, NULL), all, pool);
    /* The folder can be written again and has all that was in the other. */
    if (!err && spare && strcmp(spare, folder) != 0)
        unlink(apr_pstrcat(pool, spare, FILE_NAME, NULL));
    json_object_put(all);
    close(fd);
    return err;
}
