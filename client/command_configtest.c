/* configtest: the configuration, read and shown. It was read before we get
 * here; what is wrong with it has been said. */
#include "command.h"

#include <stdio.h>

#include "cm_settings_print.h"
#include "uri.h"

static void dump(const cm_settings_t *settings, apr_pool_t *pool)
{
    cm_buffer_t *out = cm_buffer_create(4096, pool);

    cm_settings_print(out, settings);
    fwrite(out->data, 1, out->size, stdout);
    printf("CommunicatorStateDir %s\nCommunicatorRunDir %s\n",
           settings->state_directory, settings->run_directory);
    if (settings->notify_command)
        printf("CommunicatorNotifyCommand \"%s\"\n", settings->notify_command);
}

cm_error_t *cm_command_configtest(int *status, cm_client_t *client,
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
            CM_TRY(cm_uri_check(&uri, &loopback, peer, scratch_pool));
    }
    if (client->options->dump)
        dump(settings, scratch_pool);
    else
        cm_output_line(client->output, "Syntax OK");
    return NULL;
}
