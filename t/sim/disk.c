/* See disk.h. SQLite calls what it asks of the system a VFS; all but the files
 * is left to its own. Its locks are those of
 * https://www.sqlite.org/lockingv3.html. */
#include "disk.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* Of sqlite3.h, which need not be installed. */
#define OK           0
#define BUSY         5
#define NOT_FOUND    12
#define CANNOT_OPEN  14
#define SHORT_READ   (10 | 2 << 8)
#define MAIN_DB      0x100
#define MAIN_JOURNAL 0x800
#define MAY_CREATE   4
#define OVERWRITES   0x1000 /* a write changes no byte beside it */

enum {
    NO_LOCK,
    SHARED,
    RESERVED,
    PENDING,
    EXCLUSIVE
};

#define MOST_FILES 16

typedef struct vfs_t vfs_t;
typedef struct handle_t handle_t;

typedef struct methods_t {
    int version;
    int (*close)(handle_t *);
    int (*read)(handle_t *, void *, int, long long);
    int (*write)(handle_t *, const void *, int, long long);
    int (*truncate)(handle_t *, long long);
    int (*sync)(handle_t *, int);
    int (*size)(handle_t *, long long *);
    int (*lock)(handle_t *, int);
    int (*unlock)(handle_t *, int);
    int (*is_reserved)(handle_t *, int *);
    int (*control)(handle_t *, int, void *);
    int (*sector)(handle_t *);
    int (*traits)(handle_t *);
} methods_t;

struct vfs_t {
    int version;
    int handle_size;
    int most_path;
    vfs_t *next;
    const char *name;
    void *data;
    int (*open)(vfs_t *, const char *, handle_t *, int, int *);
    int (*remove)(vfs_t *, const char *, int);
    int (*access)(vfs_t *, const char *, int, int *);
    void *others[16]; /* that are not changed */
};

typedef struct file_t {
    char *path; /* NULL: there is none */
    unsigned char *data;
    size_t size, room;
    int readers;      /* that hold SHARED or more */
    handle_t *writer; /* that holds RESERVED or more */
    int is_closed;    /* WRITER waits until the readers have gone: no others */
} file_t;

/* A file that a connection has open. */
struct handle_t {
    const methods_t *methods;
    file_t *file;
    int level; /* of its lock */
};

static file_t files[MOST_FILES];
static vfs_t ours;
static vfs_t *theirs;

static file_t *find(const char *path)
{
    int i;

    for (i = 0; i < MOST_FILES; i++)
        if (files[i].path && !strcmp(files[i].path, path))
            return &files[i];
    return NULL;
}

static file_t *create(const char *path)
{
    int i;

    for (i = 0; i < MOST_FILES; i++)
        if (!files[i].path) {
            files[i].path = strdup(path);
            return &files[i];
        }
    abort();
}

static void discard(file_t *file)
{
    free(file->path);
    free(file->data);
    memset(file, 0, sizeof(*file));
}

static int make_room(file_t *file, size_t size)
{
    if (size > file->room) {
        file->room = 2 * size;
        file->data = realloc(file->data, file->room);
        if (!file->data)
            abort();
    }
    if (size > file->size) {
        memset(file->data + file->size, 0, size - file->size);
        file->size = size;
    }
    return OK;
}

static int read_some(handle_t *handle, void *data, int size, long long from)
{
    const file_t *file = handle->file;
    size_t at = (size_t)from, wanted = (size_t)size;
    size_t there = at < file->size ? file->size - at : 0;

    if (there >= wanted) {
        memcpy(data, file->data + at, wanted);
        return OK;
    }
    memset(data, 0, wanted);
    if (there)
        memcpy(data, file->data + at, there);
    return SHORT_READ;
}

static int write_some(handle_t *handle, const void *data, int size,
                      long long from)
{
    make_room(handle->file, (size_t)from + (size_t)size);
    memcpy(handle->file->data + from, data, (size_t)size);
    return OK;
}

static int cut(handle_t *handle, long long size)
{
    if ((size_t)size < handle->file->size)
        handle->file->size = (size_t)size;
    return OK;
}

static int sync_nothing(handle_t *handle, int how)
{
    (void)handle;
    (void)how;
    return OK;
}

static int size_of(handle_t *handle, long long *size)
{
    *size = (long long)handle->file->size;
    return OK;
}

static int begin_to_read(handle_t *handle)
{
    file_t *file = handle->file;

    if (file->is_closed)
        return BUSY;
    file->readers++;
    handle->level = SHARED;
    return OK;
}

static int lock(handle_t *handle, int level)
{
    file_t *file = handle->file;

    if (handle->level >= level)
        return OK;
    if (level == SHARED)
        return begin_to_read(handle);
    if (file->writer && file->writer != handle)
        return BUSY;
    file->writer = handle;
    handle->level = level;
    if (level == RESERVED)
        return OK;
    file->is_closed = 1;
    if (file->readers == 1)
        return OK;
    handle->level = PENDING;
    return BUSY;
}

static int unlock(handle_t *handle, int level)
{
    file_t *file = handle->file;

    if (handle->level <= level)
        return OK;
    if (file->writer == handle) {
        file->writer = NULL;
        file->is_closed = 0;
    }
    file->readers -= level == NO_LOCK;
    handle->level = level;
    return OK;
}

static int is_reserved(handle_t *handle, int *reserved)
{
    *reserved = handle->file->writer != NULL;
    return OK;
}

static int control(handle_t *handle, int what, void *with)
{
    (void)handle;
    (void)what;
    (void)with;
    return NOT_FOUND;
}

static int sector(handle_t *handle)
{
    (void)handle;
    return 4096;
}

static int traits(handle_t *handle)
{
    (void)handle;
    return OVERWRITES;
}

static int close_file(handle_t *handle)
{
    return unlock(handle, NO_LOCK);
}

static const methods_t methods = {
    1,    close_file, read_some,   write_some, cut,    sync_nothing, size_of,
    lock, unlock,     is_reserved, control,    sector, traits};

/* Temporary files have no name. */
static int open_file(vfs_t *vfs, const char *path, handle_t *handle, int flags,
                     int *opened)
{
    (void)vfs;
    if (!path || !(flags & (MAIN_DB | MAIN_JOURNAL)))
        return theirs->open(theirs, path, handle, flags, opened);
    memset(handle, 0, sizeof(*handle));
    handle->file = find(path);
    if (!handle->file && !(flags & MAY_CREATE))
        return CANNOT_OPEN;
    if (!handle->file)
        handle->file = create(path);
    handle->methods = &methods;
    if (opened)
        *opened = flags;
    return OK;
}

static int remove_file(vfs_t *vfs, const char *path, int sync)
{
    file_t *file = find(path);

    (void)vfs;
    if (!file)
        return theirs->remove(theirs, path, sync);
    discard(file);
    return OK;
}

/* A database has its journal here, and no write-ahead log. */
static int ask(vfs_t *vfs, const char *path, int what, int *found)
{
    (void)vfs;
    (void)what;
    *found = find(path) != NULL;
    return OK;
}

void sim_disk_begin(void *library)
{
    vfs_t *(*search)(const char *);
    int (*enter)(vfs_t *, int);

    *(void **)&search = dlsym(library, "sqlite3_vfs_find");
    *(void **)&enter = dlsym(library, "sqlite3_vfs_register");
    theirs = search ? search(NULL) : NULL;
    if (!theirs || !enter)
        abort();
    ours = *theirs;
    ours.name = "sim";
    ours.open = open_file;
    ours.remove = remove_file;
    ours.access = ask;
    if (ours.handle_size < (int)sizeof(handle_t))
        ours.handle_size = (int)sizeof(handle_t);
    enter(&ours, 1);
}

const unsigned char *sim_disk_read(size_t *size, const char *path)
{
    const file_t *file = find(path);

    *size = file ? file->size : 0;
    return file ? file->data : NULL;
}

void sim_disk_write(const char *path, const unsigned char *data, size_t size)
{
    file_t *file = find(path);

    if (!file)
        file = create(path);
    file->size = 0;
    make_room(file, size);
    memcpy(file->data, data, size);
}

void sim_disk_remove(const char *path)
{
    static const char end[] = "-journal";
    size_t size = strlen(path);
    char *journal = malloc(size + sizeof(end));
    file_t *file = find(path);

    if (!journal)
        abort();
    memcpy(journal, path, size);
    memcpy(journal + size, end, sizeof(end));
    if (file)
        discard(file);
    file = find(journal);
    if (file)
        discard(file);
    free(journal);
}
