/* What an empty pull is compared with: a handler that runs one indexed SELECT
 * through mod_dbd, and nothing else. */
#include <httpd.h>
#include <http_config.h>
#include <http_protocol.h>
#include <apr_dbd.h>
#include <apr_optional.h>
#include <mod_dbd.h>

static APR_OPTIONAL_FN_TYPE(ap_dbd_acquire) * acquire;

static int answer(request_rec *r)
{
    apr_dbd_results_t *rows = NULL;
    apr_dbd_row_t *row = NULL;
    const char *name;
    ap_dbd_t *database;

    if (!r->handler || strcmp(r->handler, "bench-select"))
        return DECLINED;
    database = acquire(r);
    if (!database ||
        apr_dbd_select(database->driver, r->pool, database->handle, &rows,
                       "SELECT name FROM users WHERE id = 7", 1))
        return HTTP_INTERNAL_SERVER_ERROR;
    if (apr_dbd_get_row(database->driver, r->pool, rows, &row, 1))
        return HTTP_NOT_FOUND;
    name = apr_dbd_get_entry(database->driver, row, 0);
    ap_set_content_type(r, "application/json");
    ap_rprintf(r, "[\"%s\"]", name ? name : "");
    return OK;
}

static void find_dbd(void)
{
    acquire = APR_RETRIEVE_OPTIONAL_FN(ap_dbd_acquire);
}

static void register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_optional_fn_retrieve(find_dbd, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(answer, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(bench_select) = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks,
#if defined(AP_MODULE_FLAG_NONE)
    AP_MODULE_FLAG_NONE
#endif
};
