/* check: the whole way, step by step; each line is ok, or says what to do. */
#include "check.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <apr_file_info.h>
#include <apr_strings.h>
#include <json.h>

#include "alert.h"
#include "memory.h"
#include "notify.h"
#include "base/error.h"
#include "config/settings.h"

/* A file with a password is for its owner, and perhaps for httpd's group. */
static void check_file(sync_check_t *check, const char *what, const char *path)
{
    const cm_settings_t *settings = check->client->settings;
    apr_finfo_t info;
    apr_status_t rv;

    rv = apr_stat(&info, path, APR_FINFO_PROT, check->pool);
    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE)
        return;
    if (!(info.protection & APR_FPROT_WREAD) || !settings->params ||
        !strstr(settings->params, "pass")) {
        sync_check_went(check, apr_psprintf(check->pool, "%s %s", what, path),
                        NULL);
        return;
    }
    sync_check_say(
        check, CM_VERDICT_WARN,
        apr_psprintf(check->pool, "%s %s: everybody may read it", what, path),
        apr_psprintf(check->pool, "DBDParams may hold a password: chmod o= %s",
                     path));
}

/* The directories that runs need; where nobody connects from here none do. */
static void check_directory(sync_check_t *check, const char *name,
                            const char *path)
{
    const char *what = apr_psprintf(check->pool, "%s %s", name, path);
    cm_error_t *err = NULL;

    if (access(path, W_OK | X_OK) != 0)
        err = cm_error_hint(
            CM_FAIL(check->pool, CM_FILE, "%s", strerror(errno)), check->pool,
            "make it, for the user that runs "
            "communicator-sync: install -d -o USER %s",
            path);
    sync_check_went(check, what, err);
}

/* Say why the last run failed, if it did: NAME is a peer's, or this node's. */
static void check_last_run(sync_check_t *check, const char *name)
{
    apr_pool_t *pool = check->pool;
    sync_runs_t runs =
        sync_memory_runs(check->client->settings->state_directory, name, pool);

    if (runs.reason)
        sync_check_say(
            check, CM_VERDICT_WARN,
            apr_psprintf(
                pool, "%s: the last run, %s, failed: %s", name,
                sync_output_when(apr_time_from_sec(runs.last_run), pool),
                sync_output_clean(runs.reason, pool)),
            "the lines below say what is wrong at present");
}

/* CommunicatorNotifyCommand: is it there, and did it do its work? */
static void check_notify(sync_check_t *check)
{
    const cm_settings_t *settings = check->client->settings;
    apr_pool_t *pool = check->pool;
    sync_runs_t runs;
    cm_error_t *err;

    if (!settings->notify_command)
        return;
    err = sync_notify_check(settings->notify_command, pool);
    runs = sync_memory_runs(settings->state_directory, CM_ALERT_NOTIFY, pool);
    if (err)
        sync_check_say(check, CM_VERDICT_WARN, cm_error_text(err, pool), NULL);
    else if (runs.reason)
        sync_check_say(check, CM_VERDICT_WARN,
                       sync_output_clean(runs.reason, pool), runs.hint);
    else
        sync_check_went(check, "CommunicatorNotifyCommand", NULL);
}

/* What the runs remember. */
static void check_memory(sync_check_t *check, const apr_array_header_t *peers)
{
    const cm_settings_t *settings = check->client->settings;
    apr_pool_t *pool = check->pool;
    apr_time_t written;
    cm_error_t *err =
        sync_memory_check(&written, settings->state_directory, pool);
    int i;

    if (err)
        sync_check_say(
            check, CM_VERDICT_WARN,
            apr_pstrcat(pool, "state: ", cm_error_text(err, pool), NULL),
            err->hint);
    check_notify(check);
    check_last_run(check, settings->name);
    for (i = 0; i < peers->nelts; i++)
        check_last_run(check,
                       APR_ARRAY_IDX(peers, i, cm_peer_settings_t *)->name);
}

static void check_files(sync_check_t *check, const apr_array_header_t *peers)
{
    const cm_settings_t *settings = check->client->settings;
    int connects = 0, i;

    for (i = 0; i < peers->nelts; i++)
        connects |=
            APR_ARRAY_IDX(peers, i, const cm_peer_settings_t *)->uri != NULL;
    check_file(check, "configuration", check->client->options->config);
    if (!connects)
        return;
    check_directory(check, "state", settings->state_directory);
    check_directory(check, "locks", settings->run_directory);
    check_memory(check, peers);
}

cm_error_t *sync_command_check(int *status, sync_client_t *client,
                               apr_pool_t *scratch_pool)
{
    sync_check_t check = {.client = client, .pool = scratch_pool};
    apr_array_header_t *peers;
    int i;

    CM_TRY(sync_client_peers(&peers, client, 0, scratch_pool));
    if (client->output->json)
        check.list = json_object_new_array();
    check_files(&check, peers);
    sync_check_database(&check);
    for (i = 0; i < peers->nelts; i++)
        sync_check_peer(&check, APR_ARRAY_IDX(peers, i, cm_peer_settings_t *));
    if (check.list)
        sync_output_json(client->output, check.list);
    *status = check.status;
    return NULL;
}
