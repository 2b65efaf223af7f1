/* status: queues and last contact, per peer. */
#include "command.h"

#include <apr_strings.h>
#include <json.h>

#include "cm_outbox.h"

#define COLUMNS 8

typedef struct status_t {
    const char *name;
    cm_peer_t *peer;
    cm_pending_t pending;
    apr_int64_t parked;
} status_t;

static cm_error_t *read_status(status_t *status, cm_node_t *node,
                               const char *name, apr_pool_t *pool)
{
    cm_error_t *err;

    status->name = name;
    CM_TRY(cm_store_begin(node->store, pool));
    err = cm_peer_load(&status->peer, node, name, 0, pool);
    if (!err)
        err = cm_store_commit(node->store, pool);
    cm_store_rollback(node->store);
    if (!err)
        err = cm_outbox_pending(&status->pending, node, name, pool);
    if (!err)
        err = cm_inbox_parked_count(&status->parked, node, name, pool);
    return err;
}

static void add(json_object *json, const char *name, apr_int64_t number)
{
    json_object_object_add(json, name, json_object_new_int64(number));
}

static json_object *as_json(const status_t *status)
{
    const cm_peer_t *peer = status->peer;
    json_object *json = json_object_new_object();

    json_object_object_add(json, "peer", json_object_new_string(status->name));
    json_object_object_add(json, "epoch",
                           peer->epoch ? json_object_new_string(peer->epoch)
                                       : NULL);
    add(json, "pending", status->pending.count);
    add(json, "oldest_pending_clock", status->pending.oldest_clock);
    add(json, "parked", status->parked);
    add(json, "received", peer->received);
    add(json, "confirmed", peer->confirmed);
    add(json, "last_push_at", peer->last_push_at);
    add(json, "last_pull_at", peer->last_pull_at);
    add(json, "clock_offset", peer->clock_offset);
    return json;
}

static void add_row(apr_array_header_t *cells, const status_t *status,
                    apr_pool_t *pool)
{
    const cm_peer_t *peer = status->peer;
    const char *row[COLUMNS];
    int i;

    row[0] = status->name;
    row[1] = apr_psprintf(pool, "%" APR_INT64_T_FMT, status->pending.count);
    row[2] = status->pending.oldest_clock
                 ? cm_output_ago(status->pending.oldest_clock, pool)
                 : "-";
    row[3] = apr_psprintf(pool, "%" APR_INT64_T_FMT, status->parked);
    row[4] = apr_psprintf(pool, "%" APR_INT64_T_FMT, peer->received);
    row[5] = apr_psprintf(pool, "%" APR_INT64_T_FMT, peer->confirmed);
    row[6] = cm_output_ago(peer->last_push_at, pool);
    row[7] = cm_output_ago(peer->last_pull_at, pool);
    for (i = 0; i < COLUMNS; i++)
        APR_ARRAY_PUSH(cells, const char *) = row[i];
}

static void add_heading(apr_array_header_t *cells)
{
    static const char *const heading[COLUMNS] = {
        "PEER",     "PENDING",   "OLDEST",    "PARKED",
        "RECEIVED", "CONFIRMED", "LAST PUSH", "LAST PULL"};
    int i;

    for (i = 0; i < COLUMNS; i++)
        APR_ARRAY_PUSH(cells, const char *) = heading[i];
}

cm_error_t *cm_command_status(int *status, cm_client_t *client,
                              apr_pool_t *scratch_pool)
{
    apr_array_header_t *peers, *cells;
    json_object *all = NULL;
    int i;

    (void)status;
    CM_TRY(cm_client_peers(&peers, client, 0, scratch_pool));
    CM_TRY(cm_client_node(client));
    cells = apr_array_make(scratch_pool, 32, sizeof(const char *));
    add_heading(cells);
    if (client->output->json)
        all = json_object_new_array();
    for (i = 0; i < peers->nelts; i++) {
        status_t one = {0};
        const char *skew;

        CM_TRY(read_status(&one, client->node,
                           APR_ARRAY_IDX(peers, i, cm_peer_settings_t *)->name,
                           scratch_pool));
        if (all)
            json_object_array_add(all, as_json(&one));
        else
            add_row(cells, &one, scratch_pool);
        skew = cm_client_skew(one.peer, scratch_pool);
        if (skew && !all)
            cm_output_warn(client->output, one.name, "%s", skew);
    }
    if (all)
        cm_output_json(client->output, all);
    else
        cm_output_table(client->output, cells, COLUMNS);
    return NULL;
}
