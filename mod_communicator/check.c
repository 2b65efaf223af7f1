/* The whole configuration: what `apachectl configtest` finds wrong with it, and
 * what `httpd -t -D DUMP_COMMUNICATOR` prints of it. */
#include <apr_dbd.h>

#include "mod_communicator.h"

#include <errno.h>
#include <http_core.h>
#include <http_log.h>
#include <mod_dbd.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "store/dialect.h"
#include "config/settings.h"
#include "config/directive.h"
#include "exchange/log.h"

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

/* Return the words of the directive NAME that applies to SERVER, or NULL: no
 * interface gives the settings of another module. */
static const char *line_of(const server_rec *server, const char *name)
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

/* Say that mod_dbd will make an empty database, whose name may be misspelt.
 * httpd starts nevertheless: the file may come later, and other sites need it.
 */
static void warn_of_new_file(const server_rec *server, const char *params,
                             apr_pool_t *pool)
{
    const char *file = ap_getword_conf(pool, &params);

    if (access(file, F_OK) != 0 && errno == ENOENT)
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, server,
                     CM0022 "DBDParams: the file '%s' does not exist, and "
                            "mod_dbd will make an empty database of it",
                     file);
}

/* Check what SERVER's configuration says to mod_dbd. */
static int check_database(const server_rec *server, apr_pool_t *pool)
{
    const char *driver = line_of(server, "DBDriver");
    const char *params = line_of(server, "DBDParams");

    if (!driver || !params)
        return refuse(
            server,
            apr_pstrcat(
                pool, driver ? "DBDParams" : "DBDriver",
                " is missing: Communicator uses the database of mod_dbd",
                NULL));
    driver = ap_getword_conf(pool, &driver);
    if (!cm_dialect_of_driver(driver))
        return refuse(server,
                      apr_psprintf(pool,
                                   "Communicator does not know DBDriver '%s' "
                                   "(known: sqlite3, pgsql, mysql)",
                                   driver));
    if (!strcmp(driver, "mysql") && (!strstr(params, "reconnect=0") ||
                                     !strstr(params, "CLIENT_FOUND_ROWS")))
        return refuse(server, "DBDParams for mysql must contain 'reconnect=0 "
                              "flags=CLIENT_FOUND_ROWS': otherwise half of a "
                              "transaction can be lost");
    if (!strcmp(driver, "sqlite3"))
        warn_of_new_file(server, params, pool);
    return OK;
}

/* Check the settings of SERVER. */
static int check_server(server_rec *server, apr_pool_t *ptemp)
{
    const mod_server_t *config =
        ap_get_module_config(server->module_config, &communicator_module);
    cm_error_t *err;

    if (!config->endpoints && !config->settings->name)
        return OK;
    err = cm_settings_check(config->settings, ptemp);
    if (err) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, server, CM0020 "%s",
                     cm_error_line(err, ptemp));
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
                         CM0021 "mod_dbd is not loaded: Communicator needs it "
                                "for its database connections");
            return HTTP_INTERNAL_SERVER_ERROR;
        }
        if (check_server(each, ptemp) != OK)
            return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;
}

/* Return the value of mod_dbd's directive NAME for SERVER, or NULL. */
static const char *word_for(const server_rec *server, const char *name,
                            apr_pool_t *pool)
{
    const char *words = line_of(server, name);

    return words ? ap_getword_conf(pool, &words) : NULL;
}

/* Return where SERVER was written: "main server", or its name and line. */
static const char *title_of(const server_rec *server, apr_pool_t *pool)
{
    if (!server->is_virtual)
        return "main server";
    return apr_psprintf(pool, "virtual host %s (%s:%u)",
                        server->server_hostname ? server->server_hostname : "",
                        server->defn_name, server->defn_line_number);
}

void mod_check_dump(apr_pool_t *pconf, server_rec *server)
{
    cm_buffer_t *out;
    apr_file_t *file;
    apr_size_t written;
    server_rec *each;

    if (!ap_exists_config_define("DUMP_COMMUNICATOR") ||
        apr_file_open_stdout(&file, pconf) != APR_SUCCESS)
        return;
    out = cm_buffer_create(4096, pconf);
    for (each = server; each; each = each->next) {
        const mod_server_t *config = mod_server_own(server, each);
        cm_settings_t shown;

        if (!config)
            continue;
        shown = *config->settings;
        shown.database.driver = word_for(each, "DBDriver", pconf);
        shown.database.params = word_for(each, "DBDParams", pconf);
        cm_buffer_raw(out,
                      apr_psprintf(pconf, "# %s, endpoints: %d\n",
                                   title_of(each, pconf), config->endpoints));
        cm_directive_print(out, &shown, 0);
    }
    if (!out->size)
        cm_buffer_raw(out, "# CommunicatorName is not set\n");
    apr_file_write_full(file, out->data, out->size, &written);
}
