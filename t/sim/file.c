/* Databases that are files, of SQLite: see node.h. The empty ones of a schema
 * are made once, then written over those that the last history has left. The
 * connections stay open and do not notice more than a change by another
 * process: reading the schema and preparing statements took most of the time.
 */
#include "node.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "sqlite.h"

/* Places in SQLite's header: the file's version, and that for which its size
 * stands there. */
#define VERSION       24
#define VERSION_VALID 92

typedef struct file_t {
    sim_schema_t schema; /* that IMAGE is for */
    unsigned char *image;
    size_t size;
    apr_pool_t *pool; /* of the connections; NULL: closed */
    sim_session_t session, ours;
    int is_stale; /* the next process gets other connections */
} file_t;

static file_t files[SIM_NODES];

/* Higher than any version that the file comes to by itself. */
static apr_uint32_t version = 1000000;

static void remove_file(const char *path, apr_pool_t *pool)
{
    unlink(path);
    unlink(apr_pstrcat(pool, path, "-journal", NULL));
}

static const char *read_image(file_t *file, const char *path)
{
    struct stat found;
    int in = open(path, O_RDONLY);

    free(file->image);
    file->image = NULL;
    if (in < 0 || fstat(in, &found))
        return "cannot read the database";
    file->size = (size_t)found.st_size;
    file->image = malloc(file->size);
    if (!file->image || read(in, file->image, file->size) != found.st_size)
        return "cannot read the database";
    close(in);
    return NULL;
}

static void put_number(unsigned char *bytes, apr_uint32_t number)
{
    bytes[0] = (unsigned char)(number >> 24);
    bytes[1] = (unsigned char)(number >> 16);
    bytes[2] = (unsigned char)(number >> 8);
    bytes[3] = (unsigned char)number;
}

static const char *write_image(file_t *file, const char *path)
{
    int out = open(path, O_WRONLY | O_CREAT, 0600);
    int failed;

    version += 100000;
    put_number(file->image + VERSION, version);
    put_number(file->image + VERSION_VALID, version);
    failed = out < 0 ||
             write(out, file->image, file->size) != (ssize_t)file->size ||
             ftruncate(out, (off_t)file->size);
    close(out);
    return failed ? "cannot write the database" : NULL;
}

static void close_all(file_t *file)
{
    if (file->pool)
        apr_pool_destroy(file->pool);
    file->pool = NULL;
}

/* A session without a disk. */
static const char *join(sim_session_t *session, const char *path,
                        apr_pool_t *pool)
{
    const char *error = sim_node_join(session, SIM_SQLITE, path, pool);

    if (!error)
        error = sim_node_run(session, "PRAGMA synchronous = OFF", pool);
    if (!error)
        (void)sim_node_select(session, "PRAGMA journal_mode = MEMORY", 1, pool);
    return error;
}

/* Make the database of a schema that is new. */
static const char *begin(file_t *file, sim_node_t *node)
{
    const char *error;

    close_all(file);
    remove_file(node->params, node->pool);
    error = sim_node_install(node);
    if (!error)
        error = read_image(file, node->params);
    if (!error)
        file->schema = *node->schema;
    return error;
}

/* Open the connections of the application and of ours. */
static const char *join_both(file_t *file, sim_node_t *node)
{
    const char *error;

    apr_pool_create(&file->pool, NULL);
    error = join(&file->session, node->params, file->pool);
    if (!error)
        error = join(&file->ours, node->params, file->pool);
    if (!error)
        error = sim_node_run(&file->ours, "PRAGMA recursive_triggers = OFF",
                             node->pool);
    return error;
}

/* Open our side on our connection, as mod_communicator does on mod_dbd's. */
static const char *open_ours(const sim_session_t *ours, sim_node_t *node)
{
    cm_store_t *store;
    cm_error_t *err;

    if (node->open_pool)
        apr_pool_destroy(node->open_pool);
    apr_pool_create(&node->open_pool, node->pool);
    sim_sqlite_leave(apr_dbd_native_handle(ours->driver, ours->handle));
    err = cm_store_attach(&store, ours->driver, ours->handle, node->open_pool);
    if (!err)
        err = cm_node_open(&node->node, node->settings, store, node->open_pool);
    return err ? cm_error_text(err, node->pool) : NULL;
}

static const char *open_all(file_t *file, sim_node_t *node)
{
    const char *error = file->pool ? NULL : join_both(file, node);

    (void)sim_node_run(&file->session, "ROLLBACK", node->pool);
    node->sessions[0] = file->session;
    node->session_count = 1;
    node->beside = &node->sessions[0];
    return error ? error : open_ours(&file->ours, node);
}

const char *sim_file_open(sim_node_t *node)
{
    file_t *file = &files[node->number];

    /* A process that has ended may have known half of a new schema. */
    if (file->is_stale) {
        apr_pool_destroy(node->open_pool);
        node->open_pool = NULL;
        close_all(file);
    }
    return open_all(file, node);
}

const char *sim_file_make(sim_node_t *node)
{
    file_t *file = &files[node->number];
    const char *error;

    node->params = sim_node_path("node", node->number, node->pool);
    error = sim_node_configure(node);
    if (file->is_stale)
        close_all(file);
    file->is_stale = 0;
    if (!error && memcmp(&file->schema, node->schema, sizeof(file->schema)))
        error = begin(file, node);
    if (!error)
        error = write_image(file, node->params);
    return error ? error : open_all(file, node);
}

const char *sim_file_save(sim_node_t *node)
{
    struct stat found;
    void *image = NULL;
    int in;

    in = open(node->params, O_RDONLY);
    if (in < 0 || fstat(in, &found))
        return "cannot save the database";
    node->saved_size = (apr_size_t)found.st_size;
    image = apr_palloc(node->pool, node->saved_size);
    node->saved = image;
    if (read(in, image, node->saved_size) != found.st_size)
        return "cannot save the database";
    /* Only now: with it all locks of the process on the file go. */
    close(in);
    return NULL;
}

const char *sim_file_restore(sim_node_t *node)
{
    file_t *file = &files[node->number];
    int out, failed;

    if (node->open_pool)
        apr_pool_destroy(node->open_pool);
    node->open_pool = NULL;
    close_all(file);
    remove_file(node->params, node->pool);
    out = open(node->params, O_WRONLY | O_CREAT, 0600);
    failed = out < 0 || write(out, node->saved, node->saved_size) !=
                            (ssize_t)node->saved_size;
    close(out);
    if (failed)
        return "cannot restore the database";
    return open_all(file, node);
}

void sim_file_forget(int number)
{
    files[number].is_stale = 1;
}
