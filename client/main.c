/* communicator-sync: pushes and pulls messages; the tool of operators. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <apr_dbd.h>
#include <apr_general.h>

#include "config/config_file.h"
#include "command.h"
#include "journal.h"
#include "monitor.h"
#include "stop.h"

/* Give no connection, and no file, the number of a standard stream that the
 * caller has closed: what is printed would go there. What fills its place can
 * be neither printed to nor read from, so that it fails as when it is closed.
 */
static void fill_closed(void)
{
    int fd;

    for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
            _exit(cm_error_code_exit_status(CM_FILE));
}

/* Keep freed memory: the database's library allocates as much for each result.
 */
static void keep_memory(void)
{
#ifdef __GLIBC__
    mallopt(M_TRIM_THRESHOLD, 4 * 1024 * 1024);
#endif
}

static cm_error_t *run(sync_client_t *client, int argc, const char *const *argv)
{
    sync_options_t *options;
    apr_pool_t *pool = client->pool;
    cm_error_t *err = sync_options_read(&options, argc, argv, pool);

    client->options = options;
    client->output =
        sync_output_create(options->print.quiet, options->print.verbose,
                           options->print.json, pool);
    CM_TRY(err);
    if (options->print.help) {
        sync_options_help(options);
        return NULL;
    }
    if (options->print.version) {
        sync_options_version();
        return NULL;
    }
    /* Before the configuration is read: what changes from then on counts. */
    if (options->run.follow)
        sync_stop_catch_reload();
    CM_TRY(cm_config_file_read(&client->settings, options->config, pool));
    return options->command->run(client);
}

int main(int argc, const char *const *argv)
{
    sync_client_t client = {0};
    cm_error_t *err;

    fill_closed();
    keep_memory();
    apr_app_initialize(&argc, &argv, NULL);
    apr_pool_create(&client.pool, NULL);
    apr_dbd_init(client.pool);
    client.words = argv;
    client.output = sync_output_create(0, 0, 0, client.pool);
    sync_stop_catch();
    err = run(&client, argc, argv);
    sync_journal_end(&client);
    if (err && client.options && client.options->status.nagios)
        client.status = sync_monitor_unknown(err, client.pool);
    else if (err)
        sync_client_report(&client, NULL, err);
    if (fflush(stdout) != 0 && client.status == 0)
        client.status = cm_error_code_exit_status(CM_FILE);
    apr_pool_destroy(client.pool);
    apr_terminate();
    return client.status;
}
