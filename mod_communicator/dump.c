/* httpd -t -D DUMP_COMMUNICATOR: what is in effect, per virtual host. */
#include "status.h"

#include <http_core.h>

#include <apr_strings.h>

#include "config/settings_print.h"

/* Return the value of the line NAME of mod_dbd's for SERVER, or NULL. */
static const char *word_for(const server_rec *server, const char *name,
                            apr_pool_t *pool)
{
    const char *words = mod_check_line(server, name);

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

void mod_dump_config(apr_pool_t *pconf, server_rec *server)
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
        shown.driver = word_for(each, "DBDriver", pconf);
        shown.params = word_for(each, "DBDParams", pconf);
        cm_buffer_raw(out,
                      apr_psprintf(pconf, "# %s, endpoints: %d\n",
                                   title_of(each, pconf), config->endpoints));
        cm_settings_print(out, &shown);
    }
    if (!out->size)
        cm_buffer_raw(out, "# CommunicatorName is not set anywhere\n");
    apr_file_write_full(file, out->data, out->size, &written);
}
