/* parked, retry, discard: messages that cannot be applied. */
#include "command.h"

#include <string.h>

#include <apr_strings.h>
#include <json.h>

#include "operate/parked.h"
#include "listing.h"
#include "withheld.h"
#include "outbox/withheld.h"

#define MOST_LISTED 1000
#define MOST_TOLD   10

static const char *record_cell(const void *row, const sync_output_t *output,
                               apr_pool_t *pool)
{
    const cm_parked_row_t *parked = row;

    (void)output;
    return sync_output_record(parked->message.identity.origin,
                              parked->message.identity.original_id, pool);
}

/* What waits for another record needs nobody. */
static const char *reason_cell(const void *row, const sync_output_t *output,
                               apr_pool_t *pool)
{
    const cm_parked_t *message = &((const cm_parked_row_t *)row)->message;
    const char *reason =
        sync_output_clean(message->reason ? message->reason : "", pool);

    return message->transient ? sync_output_paint(output, 'd', reason, pool)
                              : reason;
}

#define COLUMN(title, key, kind, field)                                        \
    SYNC_COLUMN(title, key, kind, cm_parked_row_t, field)
static const sync_column_t columns[] = {
    {COLUMN("PEER", "peer", TEXT, peer)},
    {COLUMN("ID", "id", NUMBER, message.id)},
    {COLUMN("MODEL", "model", TEXT, message.model), .none = "?"},
    {.title = "RECORD", .cell = record_cell},
    {COLUMN("AGE", "received_at", AGE, received_at), .none = "-"},
    {COLUMN("REASON", "reason", TEXT, message.reason), .cell = reason_cell},
    {COLUMN(NULL, "origin", TEXT, message.identity.origin)},
    {COLUMN(NULL, "original_id", TEXT, message.identity.original_id)},
    {COLUMN(NULL, "action", TEXT, action)},
    {COLUMN(NULL, "transient", TRUTH, message.transient)},
    {COLUMN(NULL, "attempts", INT, attempts)},
    SYNC_COLUMN_END};
#undef COLUMN

static cm_error_t *print_table(const sync_client_t *client,
                               const apr_array_header_t *rows, apr_pool_t *pool)
{
    apr_int64_t all;

    if (rows->nelts == 0)
        return NULL;
    sync_listing_table(client->output, columns, rows, pool);
    if (rows->nelts < MOST_LISTED)
        return NULL;
    CM_TRY(
        cm_inbox_retry_count(&all, client->node, client->options->peer, pool));
    sync_output_line(client->output, "the first %d of %s", rows->nelts,
                     sync_output_number(all, pool));
    return NULL;
}

cm_error_t *sync_command_parked(int *status, sync_client_t *client,
                                apr_pool_t *scratch_pool)
{
    apr_array_header_t *rows, *withheld, *peers;

    (void)status;
    CM_TRY(sync_client_peers(&peers, client, 0, scratch_pool));
    CM_TRY(sync_client_node(client));
    CM_TRY(cm_parked_list(&rows, client->node, client->options->peer,
                          MOST_LISTED, scratch_pool));
    CM_TRY(cm_withheld_list(&withheld, client->node, client->options->peer,
                            MOST_LISTED, scratch_pool));
    if (client->output->json) {
        json_object *list = json_object_new_array();

        sync_listing_json(list, columns, rows, scratch_pool);
        sync_withheld_json(list, withheld, scratch_pool);
        sync_output_json(client->output, list);
        return NULL;
    }
    if (!rows->nelts && !withheld->nelts)
        sync_output_summary(client->output, "nothing is parked here");
    CM_TRY(print_table(client, rows, scratch_pool));
    if (withheld->nelts)
        sync_withheld_table(client, withheld, scratch_pool);
    return NULL;
}

static void report_json(const sync_client_t *client, const char *peer,
                        const cm_receipt_t *receipt)
{
    json_object *json = json_object_new_object();
    json_object *list = json_object_new_array(), *item;
    int i;

    sync_output_add_text(json, "peer", peer);
    sync_output_add_number(json, "applied", receipt->applied);
    for (i = 0; i < receipt->parked->nelts; i++) {
        const cm_parked_t *one =
            &APR_ARRAY_IDX(receipt->parked, i, cm_parked_t);

        item = json_object_new_object();
        sync_output_add_number(item, "id", one->id);
        sync_output_add_text(item, "model", one->model);
        sync_output_add_text(item, "reason", one->reason);
        json_object_array_add(list, item);
    }
    json_object_object_add(json, "parked", list);
    sync_output_json(client->output, json);
}

/* Say how a try went; *STATUS when something stays. */
static void report(int *status, const sync_client_t *client, const char *peer,
                   const cm_receipt_t *receipt)
{
    int i;

    if (receipt->parked->nelts)
        *status = cm_error_code_exit_status(CM_REJECTED);
    if (client->output->json) {
        report_json(client, peer, receipt);
        return;
    }
    sync_output_line(client->output, "%s: %d applied, %d parked", peer,
                     receipt->applied, receipt->parked->nelts);
    for (i = 0; i < receipt->parked->nelts && i < MOST_TOLD; i++) {
        const cm_parked_t *one =
            &APR_ARRAY_IDX(receipt->parked, i, cm_parked_t);

        sync_output_warn(
            client->output, peer, "message %" APR_INT64_T_FMT " (%s): %s",
            one->id, one->model ? one->model : "?",
            sync_output_clean(one->reason ? one->reason : "", client->pool));
    }
    if (receipt->parked->nelts > MOST_TOLD)
        sync_output_warn(client->output, peer,
                         "and %d more: communicator-sync "
                         "parked",
                         receipt->parked->nelts - MOST_TOLD);
}

/* Say how many records of what is held back from PEER go out again. */
static void report_sent(const sync_client_t *client, const char *peer,
                        apr_int64_t published)
{
    json_object *json;

    if (!client->output->json) {
        sync_output_line(
            client->output,
            "%s: %" APR_INT64_T_FMT
            " records are published again: the next run sends them",
            peer, published);
        return;
    }
    json = json_object_new_object();
    sync_output_add_text(json, "peer", peer);
    sync_output_add_number(json, "published", published);
    sync_output_json(client->output, json);
}

static cm_error_t *retry_all(int *status, sync_client_t *client,
                             apr_pool_t *pool)
{
    apr_array_header_t *peers;
    cm_receipt_t *receipt;
    apr_int64_t published;
    int i;

    CM_TRY(sync_client_peers(&peers, client, 0, pool));
    for (i = 0; i < peers->nelts; i++) {
        const cm_peer_settings_t *peer =
            APR_ARRAY_IDX(peers, i, const cm_peer_settings_t *);

        if (peer->uri)
            CM_TRY(sync_client_exclude_others(client, peer, pool));
        CM_TRY(cm_inbox_retry(&receipt, client->node, peer->name, pool));
        if (receipt->applied || receipt->parked->nelts || client->output->json)
            report(status, client, peer->name, receipt);
        CM_TRY(sync_withheld_send(&published, client, peer->name, NULL, pool));
        if (published)
            report_sent(client, peer->name, published);
    }
    return NULL;
}

/* Try the parked messages IDS of PEER again. */
static cm_error_t *retry_parked(int *status, const sync_client_t *client,
                                const char *peer, const apr_array_header_t *ids,
                                apr_pool_t *pool)
{
    cm_receipt_t *receipt;

    if (!ids->nelts)
        return NULL;
    CM_TRY(cm_inbox_retry_decided(&receipt, client->node, peer, ids,
                                  CM_DECIDE_THEIRS, pool));
    if (receipt->applied == 0 && receipt->parked->nelts == 0)
        return cm_error_hint(CM_FAIL(pool, CM_USAGE,
                                     "no such message of '%s' is parked here",
                                     peer),
                             pool, "communicator-sync parked lists them");
    report(status, client, peer, receipt);
    return NULL;
}

cm_error_t *sync_command_parked_retry(int *status, sync_client_t *client,
                                      apr_pool_t *scratch_pool)
{
    const cm_peer_settings_t *peer;
    apr_array_header_t *words, *parked, *withheld;
    apr_int64_t published;

    if (client->options->arguments->nelts == 0) {
        CM_TRY(sync_client_node(client));
        return retry_all(status, client, scratch_pool);
    }
    CM_TRY(sync_withheld_read_words(&peer, &words, client, scratch_pool));
    CM_TRY(sync_client_node(client));
    if (peer->uri)
        CM_TRY(sync_client_exclude_others(client, peer, scratch_pool));
    CM_TRY(sync_withheld_divide_words(&parked, &withheld, words, client,
                                      peer->name, scratch_pool));
    CM_TRY(retry_parked(status, client, peer->name, parked, scratch_pool));
    if (!withheld->nelts)
        return NULL;
    CM_TRY(sync_withheld_send(&published, client, peer->name, withheld,
                              scratch_pool));
    report_sent(client, peer->name, published);
    return NULL;
}

static void report_discarded(const sync_client_t *client, const char *peer,
                             apr_int64_t id)
{
    json_object *json;

    if (!client->output->json) {
        sync_output_line(client->output,
                         "%s: message %" APR_INT64_T_FMT
                         " is discarded, and kept in communicator_conflicts",
                         peer, id);
        return;
    }
    json = json_object_new_object();
    sync_output_add_text(json, "peer", peer);
    sync_output_add_number(json, "discarded", id);
    sync_output_json(client->output, json);
}

/* Give up on messages of PEER, and on ours that it does not get. */
static cm_error_t *discard_all(const sync_client_t *client, const char *peer,
                               const apr_array_header_t *parked,
                               const apr_array_header_t *withheld,
                               apr_pool_t *pool)
{
    apr_int64_t id;
    int i;

    for (i = 0; i < parked->nelts; i++) {
        id = APR_ARRAY_IDX(parked, i, apr_int64_t);
        CM_TRY(cm_parked_discard(client->node, peer, id, pool));
        report_discarded(client, peer, id);
    }
    for (i = 0; i < withheld->nelts; i++) {
        id = APR_ARRAY_IDX(withheld, i, apr_int64_t);
        CM_TRY(cm_withheld_discard(client->node, peer, id, pool));
        report_discarded(client, peer, id);
    }
    return NULL;
}

cm_error_t *sync_command_parked_discard(int *status, sync_client_t *client,
                                        apr_pool_t *scratch_pool)
{
    const cm_peer_settings_t *peer;
    apr_array_header_t *words, *parked, *withheld;
    cm_receipt_t *receipt;

    (void)status;
    CM_TRY(sync_withheld_read_words(&peer, &words, client, scratch_pool));
    CM_TRY(sync_client_node(client));
    if (peer->uri)
        CM_TRY(sync_client_exclude_others(client, peer, scratch_pool));
    CM_TRY(sync_withheld_divide_words(&parked, &withheld, words, client,
                                      peer->name, scratch_pool));
    CM_TRY(discard_all(client, peer->name, parked, withheld, scratch_pool));
    CM_TRY(cm_inbox_retry(&receipt, client->node, peer->name, scratch_pool));
    if (client->output->json)
        report_json(client, peer->name, receipt);
    else if (receipt->applied)
        sync_output_line(client->output, "%s: %d that waited behind: applied",
                         peer->name, receipt->applied);
    return NULL;
}
