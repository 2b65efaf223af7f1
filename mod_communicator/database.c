/* Connections of mod_dbd, and the node on each. */
#include <apr_dbd.h>

#include "mod_communicator.h"

#include <http_log.h>
#include <mod_dbd.h>

#include <apr_strings.h>

#include "base/error.h"
#include "store/store.h"
#include "config/settings.h"
#include "node/node.h"
#include "exchange/log.h"

APLOG_USE_MODULE(communicator);

/* A restarted database leaves dead connections in the pool; mod_dbd drops one
 * per try. */
#define OPEN_TRIES 8
#define WORK_TRIES 3

/* A gem gives up after 10 seconds. */
#define TRY_TIME apr_time_from_sec(5)

/* A use of a connection: by which server, since when, for what. */
typedef struct use_t {
    server_rec *server;
    const cm_settings_t *settings;
    apr_time_t began;
    cm_host_work_t work;
    void *baton;
    apr_pool_t *pool;
} use_t;

/* Return whether too much time has passed for another try. */
static int is_late(const use_t *use)
{
    return apr_time_now() - use->began > TRY_TIME;
}

static cm_error_t *open_connection(ap_dbd_t **connection, const use_t *use)
{
    APR_OPTIONAL_FN_TYPE(ap_dbd_open) *dbd_open =
        APR_RETRIEVE_OPTIONAL_FN(ap_dbd_open);
    int i;

    for (i = 0; dbd_open && i < OPEN_TRIES && (i == 0 || !is_late(use)); i++) {
        *connection = dbd_open(use->pool, use->server);
        if (*connection)
            return NULL;
    }
    return CM_FAIL(use->pool, CM_UNAVAILABLE,
                   "mod_dbd has no connection to the database");
}

static void close_connection(ap_dbd_t *connection, const use_t *use)
{
    APR_OPTIONAL_FN_TYPE(ap_dbd_close) *dbd_close =
        APR_RETRIEVE_OPTIONAL_FN(ap_dbd_close);

    dbd_close(use->server, connection);
}

/* Open the node on CONNECTION, where it stays under KEY. If that fails, nothing
 * is left in the connection's pool, which may live as long as the process. */
static cm_error_t *open_new(cm_node_t **node, cm_store_t *store,
                            const char *key, ap_dbd_t *connection,
                            const use_t *use)
{
    apr_pool_t *pool;
    cm_error_t *err;

    apr_pool_create(&pool, connection->pool);
    err = cm_node_open(node, use->settings, store, pool);
    if (err) {
        err = cm_error_copy(err, use->pool);
        apr_pool_destroy(pool);
        return err;
    }
    apr_pool_userdata_set(*node, key, NULL, connection->pool);
    return NULL;
}

/* Set *NODE to the node on CONNECTION, opened at its first use. Virtual hosts
 * with equal DBDParams share connections, so the key has the settings in it. */
static cm_error_t *open_node(cm_node_t **node, ap_dbd_t *connection,
                             const use_t *use)
{
    const char *key =
        apr_psprintf(use->pool, "communicator-%pp", (void *)use->settings);
    cm_store_t *store;
    void *known = NULL;

    /* Always: mod_dbd may have reconnected. */
    CM_TRY(cm_store_attach(&store, connection->driver, connection->handle,
                           connection->pool, use->pool));
    apr_pool_userdata_get(&known, key, connection->pool);
    if (!known)
        return open_new(node, store, key, connection, use);
    *node = known;
    cm_node_renew(*node);
    return NULL;
}

/* Do the work once. */
static cm_error_t *use_once(const use_t *use)
{
    ap_dbd_t *connection;
    cm_node_t *node = NULL;
    cm_error_t *err;

    CM_TRY(open_connection(&connection, use));
    err = open_node(&node, connection, use);
    if (!err)
        err = use->work(node, use->baton, use->pool);
    if (err)
        err = cm_error_copy(err, use->pool);
    if (err && err->code == CM_SCHEMA && node)
        cm_node_forget(node);
    close_connection(connection, use);
    return err;
}

/* Return whether another try after try NUMBER may succeed in spite of ERR. When
 * tables had changed, the connection has forgotten them by now. */
static int may_pass(const cm_error_t *err, int number)
{
    return err->code == CM_UNAVAILABLE || err->code == CM_BUSY ||
           (err->code == CM_SCHEMA && number == 1);
}

cm_error_t *mod_database_use(server_rec *server, const cm_settings_t *settings,
                             apr_time_t began, cm_host_work_t work, void *baton,
                             apr_pool_t *pool)
{
    const use_t use = {server, settings, began, work, baton, pool};
    cm_error_t *err;
    int i;

    for (i = 1;; i++) {
        err = use_once(&use);
        if (!err || !may_pass(err, i) || i == WORK_TRIES || is_late(&use))
            return err;
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, server,
                     CM0016 "trying again: %s", cm_error_text(err, pool));
    }
}
