/* check: the whole way, step by step; each line is ok, or says what to do. */
#include "check.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <apr_file_info.h>
#include <apr_strings.h>
#include <json.h>

#include "after.h"
#include "alert.h"
#include "command.h"
#include "memory.h"
#include "notify.h"

/* Judge a file that may hold a password: only its owner, and perhaps httpd's
 * group, may be able to read it. */
static void check_file(sync_check_t *check, const char *path)
{
    const cm_settings_t *settings = check->client->settings;
    apr_pool_t *pool = check->client->pool;
    apr_finfo_t info;
    apr_status_t rv = apr_stat(&info, path, APR_FINFO_PROT, pool);

    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE)
        return;
    if (!(info.protection & APR_FPROT_WREAD) || !settings->database.params ||
        !strstr(settings->database.params, "pass"))
        sync_check_went(check, NULL, "configuration %s", path);
    else
        sync_check_say(
            check, SYNC_VERDICT_WARN,
            apr_psprintf(pool, "DBDParams may hold a password: chmod o= %s",
                         path),
            "configuration %s: everybody may read it", path);
}

static void check_directory(sync_check_t *check, const char *name,
                            const char *path)
{
    apr_pool_t *pool = check->client->pool;
    cm_error_t *err = NULL;

    if (access(path, W_OK | X_OK) != 0)
        err = cm_error_hint(CM_FAIL(pool, CM_FILE, "%s", strerror(errno)), pool,
                            "make it for the user that runs communicator-sync: "
                            "install -d -o USER %s",
                            path);
    sync_check_went(check, err, "%s %s", name, path);
}

/* Report why the last run with NAME, a peer or this node, failed, if it did. */
static void check_last_run(sync_check_t *check, const char *name)
{
    sync_runs_t runs = sync_memory_runs(check->client, name);
    const char *when =
        sync_output_when(apr_time_from_sec(runs.last_run), check->client->pool);

    if (runs.reason)
        sync_check_say(check, SYNC_VERDICT_WARN,
                       "the lines below say what is wrong at present",
                       "%s: the last run, %s, failed: %s", name, when,
                       runs.reason);
}

/* Judge CommunicatorNotifyCommand: can it run, and did it work last time? */
static void check_notify(sync_check_t *check)
{
    const char *command = check->client->settings->client.notify_command;
    apr_pool_t *pool = check->client->pool;
    sync_runs_t runs = sync_memory_runs(check->client, SYNC_ALERT_NOTIFY);
    cm_error_t *err = command ? sync_notify_check(command, pool) : NULL;

    if (!command)
        return;
    if (err)
        sync_check_say(check, SYNC_VERDICT_WARN, NULL, "%s",
                       cm_error_text(err, pool));
    else if (runs.reason)
        sync_check_say(check, SYNC_VERDICT_WARN, runs.hint, "%s", runs.reason);
    else
        sync_check_went(check, NULL, "CommunicatorNotifyCommand");
}

/* Judge CommunicatorAfterApplyCommand, in the same way. */
static void check_after(sync_check_t *check)
{
    const char *command = check->client->settings->client.after_command;
    cm_error_t *err =
        command ? sync_after_check(command, check->client->pool) : NULL;

    if (command)
        sync_check_went(check, err, "CommunicatorAfterApplyCommand");
}

/* Judge the state file, and what it says of the last runs. */
static void check_memory(sync_check_t *check, const apr_array_header_t *peers)
{
    cm_error_t *err = sync_memory_check(check->client);
    int i;

    if (err)
        sync_check_say(check, SYNC_VERDICT_WARN, err->hint, "state: %s",
                       cm_error_text(err, check->client->pool));
    check_notify(check);
    check_after(check);
    check_last_run(check, check->client->settings->name);
    for (i = 0; i < peers->nelts; i++)
        check_last_run(check,
                       APR_ARRAY_IDX(peers, i, cm_peer_settings_t *)->name);
}

/* Judge the files of this host. A node that connects to no peer needs no state
 * and no locks. */
static void check_files(sync_check_t *check, const apr_array_header_t *peers)
{
    const cm_settings_t *settings = check->client->settings;
    int connects = 0, i;

    for (i = 0; i < peers->nelts; i++)
        connects |=
            APR_ARRAY_IDX(peers, i, const cm_peer_settings_t *)->uri != NULL;
    check_file(check, check->client->options->config);
    if (!connects)
        return;
    check_directory(check, "state", settings->client.state_directory);
    check_directory(check, "locks", settings->client.run_directory);
    check_memory(check, peers);
}

cm_error_t *sync_command_check(sync_client_t *client)
{
    sync_check_t check = {.client = client};
    apr_array_header_t *peers;
    int i;

    CM_TRY(sync_client_peers(&peers, client, 0));
    if (client->output->json)
        check.list = json_object_new_array();
    check_files(&check, peers);
    sync_check_database(&check);
    for (i = 0; i < peers->nelts; i++)
        sync_check_peer(&check, APR_ARRAY_IDX(peers, i, cm_peer_settings_t *));
    if (check.list)
        sync_output_json(client->output, check.list);
    return NULL;
}
