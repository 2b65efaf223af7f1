/* Writing the journal: see journal.h. */
#include "journal.h"

#include "base/clock.h"
#include "operate/journal.h"
#include "alert.h"
#include "command.h"

void sync_journal_write(sync_client_t *client, const char *peer,
                        const cm_session_t *session, const cm_error_t *err,
                        int status, apr_time_t began)
{
    apr_pool_t *pool = client->pool;
    cm_journal_row_t row = {
        .peer = peer,
        .command = client->options->command->name,
        .began_at = began,
        .ended_at = cm_clock_now(),
        .exit_status = err ? cm_error_code_exit_status(err->code) : status,
        .error = err ? cm_error_text(err, pool) : NULL};

    if (!client->node || !cm_transaction_revive(client->store, pool))
        return;
    if (session) {
        row.sent.moved = session->totals.pushed;
        row.received.moved = session->totals.pulled;
        row.applied = session->totals.applied;
        row.parked = session->totals.parked->nelts;
    }
    err = cm_journal_run(client->node, &row, session ? &session->said : NULL,
                         pool);
    if (err && cm_error_code_is_transient(err->code))
        err = NULL;
    sync_alert_close(sync_alert_open(client, SYNC_ALERT_JOURNAL, pool), err,
                     NULL, 0);
}
