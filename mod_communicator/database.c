/* A connection of mod_dbd's, and the node on it. */
#include <apr_dbd.h>

#include "mod_communicator.h"

#include <http_log.h>
#include <mod_dbd.h>

#include <apr_strings.h>

#include "log.h"

APLOG_USE_MODULE(communicator);

/* A restarted database leaves dead connections in the pool, of which mod_dbd
 * throws away one per try. */
#define OPEN_TRIES 8
#define WORK_TRIES 3

/* A gem gives up after 10 seconds. */
#define TRY_TIME apr_time_from_sec(5)

/* Return whether the request has waited too long for another try. */
static int is_late(const request_rec *r)
{
    return apr_time_now() - r->request_time > TRY_TIME;
}

static cm_error_t *open_connection(ap_dbd_t **connection, request_rec *r)
{
    APR_OPTIONAL_FN_TYPE(ap_dbd_open) *dbd_open =
        APR_RETRIEVE_OPTIONAL_FN(ap_dbd_open);
    int i;

    for (i = 0; i < OPEN_TRIES && (i == 0 || !is_late(r)); i++) {
        *connection = dbd_open(r->pool, r->server);
        if (*connection)
            return NULL;
    }
    return CM_FAIL(r->pool, CM_UNAVAILABLE,
                   "mod_dbd has no connection to the database");
}

static void close_connection(ap_dbd_t *connection, request_rec *r)
{
    APR_OPTIONAL_FN_TYPE(ap_dbd_close) *dbd_close =
        APR_RETRIEVE_OPTIONAL_FN(ap_dbd_close);

    dbd_close(r->server, connection);
}

/* Give the node of CONNECTION, opened when it is first used. Virtual hosts
 * with equal DBDParams share their connections, hence the key. */
static cm_error_t *open_node(cm_exchange_t *exchange, ap_dbd_t *connection)
{
    request_rec *r = exchange->r;
    const char *key =
        apr_psprintf(r->pool, "communicator-%pp", (void *)exchange->settings);
    cm_store_t *store;
    void *node = NULL;

    apr_pool_userdata_get(&node, key, connection->pool);
    if (!node) {
        CM_TRY(cm_store_attach(&store, connection->driver, connection->handle,
                               connection->pool));
        CM_TRY(cm_node_open(&exchange->node, exchange->settings, store,
                            connection->pool));
        apr_pool_userdata_set(exchange->node, key, NULL, connection->pool);
        node = exchange->node;
    }
    exchange->node = node;
    exchange->own_epoch = apr_pstrdup(r->pool, exchange->node->epoch);
    return NULL;
}

/* Run WORK once. */
static cm_error_t *run_once(cm_exchange_t *exchange, cm_work_t work,
                            void *baton)
{
    ap_dbd_t *connection;
    cm_error_t *err;

    CM_TRY(open_connection(&connection, exchange->r));
    err = open_node(exchange, connection);
    if (!err)
        err = work(exchange, baton);
    if (err)
        err = cm_error_copy(err, exchange->r->pool);
    if (err && err->code == CM_SCHEMA && exchange->node)
        cm_node_forget(exchange->node);
    exchange->node = NULL;
    close_connection(connection, exchange->r);
    return err;
}

cm_error_t *cm_database_run(cm_exchange_t *exchange, cm_work_t work,
                            void *baton)
{
    request_rec *r = exchange->r;
    cm_error_t *err;
    int i;

    for (i = 1;; i++) {
        err = run_once(exchange, work, baton);
        if (!err || (err->code != CM_UNAVAILABLE && err->code != CM_BUSY) ||
            i == WORK_TRIES || is_late(r))
            return err;
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, CM0016 "once more: %s",
                      cm_error_text(err, r->pool));
    }
}
