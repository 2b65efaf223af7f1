/* The configuration: settings of servers, virtual hosts and sections, and the
 * directives that set them, made from directives.h. */
#include "mod_communicator.h"

#include <string.h>

#include <apr_strings.h>

#include "config/directive.h"

void *mod_server_create(apr_pool_t *pool, server_rec *unused)
{
    mod_server_t *server = apr_pcalloc(pool, sizeof(*server));

    (void)unused;
    server->settings = cm_settings_create(pool);
    return server;
}

void *mod_server_merge(apr_pool_t *pool, void *base_data, void *over_data)
{
    const mod_server_t *base = base_data, *over = over_data;
    mod_server_t *merged = apr_pcalloc(pool, sizeof(*merged));

    merged->settings = cm_settings_merge(base->settings, over->settings, pool);
    merged->endpoints = base->endpoints + over->endpoints;
    return merged;
}

void *mod_server_location_create(apr_pool_t *pool, char *path)
{
    mod_location_t *location = apr_pcalloc(pool, sizeof(*location));

    (void)path;
    location->on = location->status = -1;
    return location;
}

void *mod_server_location_merge(apr_pool_t *pool, void *base_data,
                                void *over_data)
{
    const mod_location_t *base = base_data, *over = over_data;
    mod_location_t *merged =
        apr_pmemdup(pool, over->on < 0 ? base : over, sizeof(*base));

    merged->status = over->status < 0 ? base->status : over->status;
    return merged;
}

mod_server_t *mod_server_own(server_rec *first, server_rec *server)
{
    mod_server_t *config =
        ap_get_module_config(server->module_config, &communicator_module);
    server_rec *each;

    for (each = first; each != server; each = each->next)
        if (ap_get_module_config(each->module_config, &communicator_module) ==
            config)
            return NULL;
    return config->settings->name ? config : NULL;
}

static const char *set_directive(cmd_parms *cmd, void *location,
                                 const char *arguments)
{
    mod_server_t *server =
        ap_get_module_config(cmd->server->module_config, &communicator_module);
    const cm_directive_t *directive = cm_directive_find(cmd->cmd->name);
    cm_place_t place = {cmd->directive->filename, cmd->directive->line_num};
    apr_array_header_t *words;
    cm_error_t *err;

    (void)location;
    err = cm_directive_words(&words, arguments, cmd->pool);
    if (!err)
        err = cm_directive_set(server->settings, directive, words->nelts,
                               (const char *const *)words->elts, place,
                               cmd->pool);
    /* httpd puts file and line before it */
    return err ? cm_error_line(err, cmd->pool) : NULL;
}

/* For a directive of communicator-sync in httpd's configuration. */
static const char *refuse_directive(cmd_parms *cmd, void *location,
                                    const char *arguments)
{
    (void)location;
    (void)arguments;
    return apr_psprintf(cmd->pool,
                        "%s is only for communicator-sync: keep it in a file "
                        "that httpd does not Include",
                        cmd->cmd->name);
}

/* Return why Communicator is not allowed where CMD is, or NULL. */
static const char *misplaced(const cmd_parms *cmd)
{
    static const char *const wrong = "Communicator is allowed only in a "
                                     "<Location \"/path\"> without patterns";
    const ap_directive_t *section = cmd->directive->parent;

    for (; section; section = section->parent) {
        if (!strcasecmp(section->directive, "<Location"))
            break;
        if (strcasecmp(section->directive, "<Limit") &&
            strcasecmp(section->directive, "<LimitExcept"))
            return wrong;
    }
    if (!section || !cmd->path || *cmd->path != '/' ||
        strpbrk(section->args, "*?[~"))
        return wrong;
    return NULL;
}

static const char *set_endpoint(cmd_parms *cmd, void *data, int on)
{
    mod_server_t *server =
        ap_get_module_config(cmd->server->module_config, &communicator_module);
    mod_location_t *location = data;
    const char *error = misplaced(cmd);

    if (error)
        return error;
    location->on = on;
    location->path = apr_pstrdup(cmd->pool, cmd->path);
    server->endpoints += on;
    return NULL;
}

static const char *allow_status(cmd_parms *cmd, void *data, int on)
{
    mod_location_t *location = data;

    (void)cmd;
    location->status = on;
    return NULL;
}

#define READER_BOTH(name, usage, help)                                         \
    AP_INIT_RAW_ARGS(name, set_directive, NULL, RSRC_CONF,                     \
                     name " " usage ": " help),
#define READER_CLIENT(name, usage, help)                                       \
    AP_INIT_RAW_ARGS(name, refuse_directive, NULL, RSRC_CONF | ACCESS_CONF,    \
                     help),
#define READER_BORROWED(name, usage, help)
#define DIRECTIVE(id, name, reader, least, most, usage, help)                  \
    READER_##reader(name, usage, help)

const command_rec mod_server_directives[] = {
    AP_INIT_FLAG("Communicator", set_endpoint, NULL, ACCESS_CONF,
                 "Communicator On|Off: the endpoint at exactly this "
                 "<Location>; default Off"),
    AP_INIT_FLAG("CommunicatorStatus", allow_status, NULL, ACCESS_CONF,
                 "CommunicatorStatus On|Off: whether SetHandler "
                 "communicator-status shows the state here; default Off"),
#define CM_DIRECTIVE DIRECTIVE
#include "config/directives.h"
#undef CM_DIRECTIVE
    {NULL}};
