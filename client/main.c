/* communicator-sync: pushes and pulls messages, and is the operator's tool. */
#include <stdio.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <apr_dbd.h>
#include <apr_general.h>

#include "config/config_file.h"
#include "command.h"
#include "monitor.h"
#include "stop.h"

/* What the database's library takes for one result it takes again for the
 * next: the kernel need not have it back in between. */
static void keep_memory(void)
{
#ifdef __GLIBC__
    mallopt(M_TRIM_THRESHOLD, 4 * 1024 * 1024);
#endif
}

static cm_error_t *run(int *status, sync_client_t *client, int argc,
                       const char *const *argv)
{
    sync_options_t *options;
    apr_pool_t *pool = client->pool;
    cm_error_t *err = sync_options_read(&options, argc, argv, pool);

    client->options = options;
    client->output = sync_output_create(options->quiet, options->verbose,
                                        options->json, pool);
    CM_TRY(err);
    if (options->help) {
        sync_options_help(options);
        return NULL;
    }
    if (options->version) {
        sync_options_version();
        return NULL;
    }
    CM_TRY(cm_config_file_read(&client->settings, options->config, pool));
    return options->command->run(status, client, pool);
}

int main(int argc, const char *const *argv)
{
    sync_client_t client = {0};
    cm_error_t *err;
    int status = 0;

    keep_memory();
    apr_app_initialize(&argc, &argv, NULL);
    apr_pool_create(&client.pool, NULL);
    apr_dbd_init(client.pool);
    client.output = sync_output_create(0, 0, 0, client.pool);
    sync_stop_catch();
    err = run(&status, &client, argc, argv);
    if (err && client.options && client.options->nagios)
        status = sync_monitor_print_unknown(err, client.pool);
    else if (err) {
        sync_output_error(client.output, NULL, err, client.pool);
        status = cm_error_code_exit_status(err->code);
    }
    if (fflush(stdout) != 0 && status == 0)
        status = cm_error_code_exit_status(CM_FILE);
    apr_pool_destroy(client.pool);
    apr_terminate();
    return status;
}
