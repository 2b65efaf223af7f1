/* Writing the journal: see journal.h. */
#include "journal.h"

#include "base/clock.h"
#include "operate/gather.h"
#include "alert.h"
#include "command.h"

/* The runs of this process; NULL: none yet. It outlives all pools of runs. */
static cm_gather_t *gather;

/* Return whether the journal can be written at all. */
static int is_there(const sync_client_t *client)
{
    return client->node && cm_transaction_revive(client->store, client->pool);
}

/* Tell that the journal cannot be written because of ERR, or (NULL) can be. */
static void tell(const sync_client_t *client, const cm_error_t *err,
                 apr_pool_t *pool)
{
    if (err && cm_error_code_is_transient(err->code))
        err = NULL;
    sync_alert_close(sync_alert_open(client, SYNC_ALERT_JOURNAL, pool), err,
                     NULL, 0);
}

static cm_gather_t *gathered(void)
{
    apr_pool_t *pool;

    if (!gather) {
        apr_pool_create(&pool, NULL);
        gather = cm_gather_create(pool);
    }
    return gather;
}

void sync_journal_write(sync_client_t *client, const char *peer,
                        const cm_session_t *session, const cm_error_t *err,
                        int status, apr_time_t began)
{
    cm_journal_row_t row = {
        .peer = peer,
        .command = client->options->command->name,
        .began_at = began,
        .ended_at = cm_clock_now(),
        .exit_status = err ? cm_error_code_exit_status(err->code) : status};
    apr_pool_t *pool;

    if (!is_there(client))
        return;
    apr_pool_create(&pool, client->pool);
    if (err)
        row.error = cm_error_text(err, pool);
    if (session) {
        row.sent.moved = session->totals.pushed;
        row.received.moved = session->totals.pulled;
        row.applied = session->totals.applied;
        row.parked = session->totals.parked->nelts;
    }
    tell(client,
         cm_gather_run(gathered(), client->node, &row,
                       session ? &session->said : NULL, pool),
         pool);
    apr_pool_destroy(pool);
}

void sync_journal_end(sync_client_t *client)
{
    if (gather && is_there(client))
        tell(client, cm_gather_end(gather, client->node, client->pool),
             client->pool);
}
