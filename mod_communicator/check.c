/* What `apachectl configtest` finds beyond single lines. */
#include <apr_dbd.h>

#include "mod_communicator.h"

#include <http_log.h>
#include <mod_dbd.h>
#include <string.h>

#include <apr_strings.h>

#include "store/dialect.h"
#include "log.h"
#include "config/settings.h"

APLOG_USE_MODULE(communicator);

/* Return the words of the last line NAME among TREE and its siblings, not
 * within sections; NULL when there is none. */
static const char *last_line(const ap_directive_t *tree, const char *name)
{
    const char *words = NULL;

    for (; tree; tree = tree->next) {
        if (!strcasecmp(tree->directive, name))
            words = tree->args;
    }
    return words;
}

const char *mod_check_line(const server_rec *server, const char *name)
{
    const ap_directive_t *tree;
    const char *words = NULL;

    for (tree = ap_conftree; tree && server->is_virtual; tree = tree->next) {
        if (strcasecmp(tree->directive, "<VirtualHost") ||
            strcmp(tree->filename, server->defn_name) ||
            tree->line_num != (int)server->defn_line_number)
            continue;
        words = last_line(tree->first_child, name);
    }
    return words ? words : last_line(ap_conftree, name);
}

static int refuse(const server_rec *server, const char *reason)
{
    ap_log_error(APLOG_MARK, APLOG_ERR, 0, server, CM0022 "%s", reason);
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* Check SERVER's lines for mod_dbd, whose own settings nobody else sees. */
static int check_database(const server_rec *server, apr_pool_t *pool)
{
    const char *driver = mod_check_line(server, "DBDriver");
    const char *params = mod_check_line(server, "DBDParams");

    if (!driver || !params)
        return refuse(server,
                      apr_pstrcat(pool, driver ? "DBDParams" : "DBDriver",
                                  " is missing: Communicator works on the "
                                  "database that mod_dbd knows here",
                                  NULL));
    driver = ap_getword_conf(pool, &driver);
    if (!cm_dialect_of_driver(driver))
        return refuse(server,
                      apr_psprintf(pool,
                                   "DBDriver '%s' is unknown to Communicator "
                                   "(known: sqlite3, pgsql, mysql)",
                                   driver));
    if (!strcmp(driver, "mysql") && (!strstr(params, "reconnect=0") ||
                                     !strstr(params, "CLIENT_FOUND_ROWS")))
        return refuse(server, "DBDParams for mysql must have 'reconnect=0 "
                              "flags=CLIENT_FOUND_ROWS': otherwise half a "
                              "transaction can be lost");
    return OK;
}

/* Check what is in effect for SERVER. */
static int check_server(server_rec *server, apr_pool_t *ptemp)
{
    const mod_server_t *config =
        ap_get_module_config(server->module_config, &communicator_module);
    cm_error_t *err;

    if (!config->endpoints && !config->settings->name)
        return OK;
    err = cm_settings_check(config->settings, ptemp);
    if (err) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, server, CM0020 "%s%s%s%s",
                     cm_error_text(err, ptemp), err->hint ? " (" : "",
                     err->hint ? err->hint : "", err->hint ? ")" : "");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return config->endpoints ? check_database(server, ptemp) : OK;
}

int mod_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                     server_rec *server)
{
    server_rec *each;

    (void)pconf;
    (void)plog;
    for (each = server; each; each = each->next) {
        const mod_server_t *config =
            ap_get_module_config(each->module_config, &communicator_module);

        if (config->endpoints && !APR_RETRIEVE_OPTIONAL_FN(ap_dbd_open)) {
            ap_log_error(APLOG_MARK, APLOG_ERR, 0, each,
                         CM0021 "mod_dbd is not loaded: it gives Communicator "
                                "its database connections");
            return HTTP_INTERNAL_SERVER_ERROR;
        }
        if (check_server(each, ptemp) != OK)
            return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;
}
