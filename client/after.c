/* What is done after messages have changed records: see after.h. */
#include "after.h"

#include <apr_tables.h>

#include "inbox/after.h"
#include "alert.h"
#include "process.h"

#define DIRECTIVE    "CommunicatorAfterApplyCommand"
#define MOST_SECONDS 600

static cm_error_t *with_hint(cm_error_t *err, apr_pool_t *pool)
{
    return err ? cm_error_hint(err, pool,
                               "correct the program; the next run starts it "
                               "again")
               : NULL;
}

/* Start the program with the names of the models that have changed. */
static cm_error_t *run_command(const sync_client_t *client)
{
    const char *command = client->settings->client.after_command;
    apr_array_header_t *models;
    cm_after_notes_t notes;
    cm_error_t *err;

    if (!command)
        return NULL;
    CM_TRY(cm_after_changed(&models, &notes, client->node, client->pool));
    if (!models->nelts)
        return NULL;
    err = with_hint(sync_process_run(DIRECTIVE, command, models, "",
                                     MOST_SECONDS, client->pool),
                    client->pool);
    CM_TRY(cm_after_told(client->node, &notes, err, client->pool));
    return err;
}

static cm_error_t *run_statements(int *done, const sync_client_t *client)
{
    apr_array_header_t *failures;

    CM_TRY(cm_after_run(done, &failures, client->node, client->pool));
    return failures->nelts
               ? cm_error_copy(APR_ARRAY_IDX(failures, 0, cm_error_t *),
                               client->pool)
               : NULL;
}

void sync_after_run(int *done, sync_client_t *client)
{
    sync_alert_t *alert =
        sync_alert_open(client, SYNC_ALERT_AFTER, client->pool);
    cm_error_t *err = run_statements(done, client);
    cm_error_t *other = run_command(client);

    sync_client_exit_with(client, err);
    sync_client_exit_with(client, other);
    if (err && other)
        sync_output_error(client->output, NULL, other, client->pool);
    sync_alert_close(alert, err ? err : other, NULL, 0);
}

cm_error_t *sync_after_check(const char *command, apr_pool_t *pool)
{
    return with_hint(sync_process_check(DIRECTIVE, command, pool), pool);
}
