/* configtest: the configuration, read and shown. It was read before we get
 * here; what is wrong with it has been said. */
#include "command.h"

#include <stdio.h>
#include <string.h>

#include <apr_strings.h>
#include <json.h>

#include "config/settings_print.h"
#include "uri.h"

/* Return all that is in force, as lines. */
static cm_buffer_t *dump(const cm_settings_t *settings, apr_pool_t *pool)
{
    cm_buffer_t *out = cm_buffer_create(4096, pool);

    cm_settings_print(out, settings);
    cm_buffer_raw(out, apr_pstrcat(pool, "CommunicatorStateDir ",
                                   settings->state_directory,
                                   "\nCommunicatorRunDir ",
                                   settings->run_directory, "\n", NULL));
    if (settings->notify_command)
        cm_buffer_raw(out, apr_pstrcat(pool, "CommunicatorNotifyCommand \"",
                                       cm_settings_print_mask(
                                           settings->notify_command, pool),
                                       "\"\n", NULL));
    return out;
}

static void print_json(const sync_client_t *client, const cm_buffer_t *lines)
{
    json_object *json = json_object_new_object();
    json_object *list = json_object_new_array();
    const char *line, *end = lines->data, *stop = lines->data + lines->size;

    sync_output_add_text(json, "config", client->options->config);
    sync_output_add_truth(json, "ok", 1);
    for (line = end; line < stop; line = end + 1) {
        end = memchr(line, '\n', stop - line);
        json_object_array_add(
            list, json_object_new_string_len(line, (int)(end - line)));
    }
    json_object_object_add(json, "in_force", list);
    sync_output_json(client->output, json);
}

cm_error_t *sync_command_configtest(int *status, sync_client_t *client,
                                    apr_pool_t *scratch_pool)
{
    const cm_settings_t *settings = client->settings;
    const char *uri;
    int i, loopback;

    (void)status;
    for (i = 0; i < settings->peers->nelts; i++) {
        const cm_peer_settings_t *peer =
            APR_ARRAY_IDX(settings->peers, i, cm_peer_settings_t *);

        if (peer->uri)
            CM_TRY(sync_uri_check(&uri, &loopback, peer, scratch_pool));
    }
    if (client->output->json)
        print_json(client, dump(settings, scratch_pool));
    else if (client->options->dump) {
        const cm_buffer_t *lines = dump(settings, scratch_pool);

        fwrite(lines->data, 1, lines->size, stdout);
    }
    else
        sync_output_line(client->output, "Syntax OK");
    return NULL;
}
