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

/* Places in SQLite's header: the file's format, which migrate has made one with
 * a write-ahead log; its version, and that for which its size stands there. */
#define FORMAT        18
#define VERSION       24
#define VERSION_VALID 92

typedef struct file_t {
    sim_schema_t schema; /* that IMAGE is for */
    unsigned char *image;
    size_t size;
    apr_pool_t *pool, *our_pool; /* of the connections; NULL: closed */
    sim_session_t session, ours;
    int is_stale; /* nobody should use the connections again */
} file_t;

static file_t files[SIM_NODES];

/* Higher than any version that the file comes to by itself. */
static apr_uint32_t version = 1000000;

static void remove_file(const char *path, apr_pool_t *pool)
{
    unlink(path);
    unlink(apr_pstrcat(pool, path, "-journal", NULL));
    unlink(apr_pstrcat(pool, path, "-wal", NULL));
    unlink(apr_pstrcat(pool, path, "-shm", NULL));
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

    file->image[FORMAT] = file->image[FORMAT + 1] = 1; /* without the log */
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
    if (file->our_pool)
        apr_pool_destroy(file->our_pool);
    if (file->pool)
        apr_pool_destroy(file->pool);
    file->our_pool = file->pool = NULL;
    file->is_stale = 0;
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

/* Open the node on our connection, as mod_communicator does on mod_dbd's. */
static const char *open_node(file_t *file, sim_node_t *node)
{
    cm_store_t *store;
    cm_error_t *err = cm_store_attach(&store, file->ours.driver,
                                      file->ours.handle, file->our_pool);

    apr_pool_create(&node->open_pool, node->pool);
    if (!err)
        err = cm_node_open(&node->node, node->settings, store, node->open_pool);
    return err ? cm_error_text(err, node->pool) : NULL;
}

static const char *open_all(file_t *file, sim_node_t *node)
{
    const char *error = NULL;

    if (!file->pool) {
        apr_pool_create(&file->pool, NULL);
        error = join(&file->session, node->params, file->pool);
    }
    if (!error && !file->our_pool) {
        apr_pool_create(&file->our_pool, NULL);
        error = join(&file->ours, node->params, file->our_pool);
        if (!error)
            error = sim_node_run(&file->ours, "PRAGMA recursive_triggers = OFF",
                                 file->our_pool);
    }
    (void)sim_node_run(&file->session, "ROLLBACK", node->pool);
    node->sessions[0] = file->session;
    node->session_count = 1;
    node->beside = &node->sessions[0];
    return error ? error : open_node(file, node);
}

const char *sim_file_make(sim_node_t *node)
{
    file_t *file = &files[node->number];
    const char *error;

    node->params = sim_node_path("node", node->number, node->pool);
    error = sim_node_configure(node);
    if (file->is_stale)
        close_all(file);
    if (!error && memcmp(&file->schema, node->schema, sizeof(file->schema)))
        error = begin(file, node);
    if (!error)
        error = write_image(file, node->params);
    if (!error)
        error = open_all(file, node);
    node->is_altered = 0;
    return error;
}

const char *sim_file_save(sim_node_t *node)
{
    struct stat found;
    void *image = NULL;
    int in;

    /* After migrate there may be a write-ahead log, which the session does not
     * see before it reads. */
    (void)sim_node_value(&node->sessions[0],
                         "SELECT count(*) FROM communicator_node", node->pool);
    (void)sim_node_select(&node->sessions[0], "PRAGMA wal_checkpoint(TRUNCATE)",
                          1, node->pool);
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
    const char *error;
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
    error = open_all(file, node);
    /* The file of the next history begins with another inode's. */
    node->is_altered = 1;
    return error;
}

void sim_file_leave(const sim_node_t *node)
{
    file_t *file = &files[node->number];

    if (file->our_pool && node->database == SIM_SQLITE) {
        apr_pool_destroy(file->our_pool);
        file->our_pool = NULL;
    }
}

void sim_file_forget(const sim_node_t *node)
{
    if (node->database == SIM_SQLITE)
        files[node->number].is_stale = 1;
}
