/* Databases that are files, of SQLite: see node.h. The empty ones of a schema
 * are made once, then written over those that the last history has left. The
 * connections stay open and do not notice more than a change by another
 * process: reading the schema and preparing statements took most of the time.
 */
#include "node.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "disk.h"
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

static const char *read_image(file_t *file, const char *path)
{
    const unsigned char *data = sim_disk_read(&file->size, path);

    free(file->image);
    file->image = data ? malloc(file->size) : NULL;
    if (!file->image)
        return "cannot read the database";
    memcpy(file->image, data, file->size);
    return NULL;
}

static void put_number(unsigned char *bytes, apr_uint32_t number)
{
    bytes[0] = (unsigned char)(number >> 24);
    bytes[1] = (unsigned char)(number >> 16);
    bytes[2] = (unsigned char)(number >> 8);
    bytes[3] = (unsigned char)number;
}

static void write_image(file_t *file, const char *path)
{
    version += 100000;
    put_number(file->image + VERSION, version);
    put_number(file->image + VERSION_VALID, version);
    sim_disk_write(path, file->image, file->size);
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
    sim_disk_remove(node->params);
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
    err = cm_store_attach(&store, ours->driver, ours->handle, node->open_pool,
                          node->open_pool);
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
        write_image(file, node->params);
    return error ? error : open_all(file, node);
}

const char *sim_file_save(sim_node_t *node)
{
    const unsigned char *data = sim_disk_read(&node->saved_size, node->params);

    if (!data)
        return "cannot save the database";
    node->saved = apr_pmemdup(node->pool, data, node->saved_size);
    return NULL;
}

const char *sim_file_restore(sim_node_t *node)
{
    file_t *file = &files[node->number];

    if (node->open_pool)
        apr_pool_destroy(node->open_pool);
    node->open_pool = NULL;
    close_all(file);
    sim_disk_remove(node->params);
    sim_disk_write(node->params, node->saved, node->saved_size);
    return open_all(file, node);
}

void sim_file_forget(int number)
{
    files[number].is_stale = 1;
}
