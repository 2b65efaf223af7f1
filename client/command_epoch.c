/* epoch: show the histories that this database and its peers know, and mend
 * them when they do not fit. */
#include "command.h"

#include <apr_strings.h>
#include <json.h>

#include "node/epoch.h"

#define COLUMNS 5

/* Keep other runs away, which use the numbers as they were. */
static cm_error_t *exclude_others(const sync_client_t *client,
                                  const apr_array_header_t *peers)
{
    int i;

    for (i = 0; i < peers->nelts; i++)
        CM_TRY(sync_client_exclude_others(
            client, APR_ARRAY_IDX(peers, i, cm_peer_settings_t *)));
    return NULL;
}

static cm_error_t *renew(const sync_client_t *client,
                         const apr_array_header_t *peers)
{
    const char *name = client->settings->name;
    int i;

    CM_TRY(exclude_others(client, peers));
    CM_TRY(cm_epoch_renew(client->node, client->pool));
    sync_output_line(client->output, "the epoch of '%s' is now %s", name,
                     client->node->epoch);
    for (i = 0; i < peers->nelts; i++)
        sync_output_line(client->output,
                         "next, at '%s': communicator-sync epoch --accept %s",
                         APR_ARRAY_IDX(peers, i, cm_peer_settings_t *)->name,
                         name);
    sync_output_line(client->output,
                     "then, on both sides: communicator-sync publish --all");
    return NULL;
}

static cm_error_t *accept_peer(const sync_client_t *client,
                               const apr_array_header_t *peers,
                               const char *name)
{
    const cm_peer_settings_t *peer;

    CM_TRY(sync_client_peer(&peer, client, name));
    CM_TRY(exclude_others(client, peers));
    CM_TRY(cm_epoch_accept(client->node, name, client->pool));
    sync_output_line(client->output,
                     "the next epoch that '%s' reports is accepted", name);
    sync_output_line(client->output,
                     "next, on both sides: communicator-sync publish --all");
    return NULL;
}

static const char *number(apr_int64_t value, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%" APR_INT64_T_FMT, value);
}

/* Add an object about a node to LIST, and return it. */
static json_object *add_json(json_object *list, const char *name,
                             const char *epoch)
{
    json_object *json = json_object_new_object();

    sync_output_add_text(json, "node", name);
    sync_output_add_text(json, "epoch", epoch);
    json_object_array_add(list, json);
    return json;
}

static cm_error_t *load_peer(cm_peer_t **peer, cm_node_t *node,
                             const char *name, apr_pool_t *pool)
{
    CM_TRY(cm_transaction_begin(node->store, pool));
    return cm_transaction_end(node->store,
                              cm_peer_load(peer, node, name, 0, pool), pool);
}

static cm_error_t *show(const sync_client_t *client,
                        const apr_array_header_t *peers)
{
    static const char *const heading[COLUMNS] = {"NODE", "EPOCH", "WRITTEN",
                                                 "RECEIVED", "CONFIRMED"};
    apr_pool_t *pool = client->pool;
    apr_array_header_t *cells = apr_array_make(pool, 16, sizeof(char *));
    json_object *json, *all = json_object_new_array();
    cm_node_t *node = client->node;
    const char *name = client->settings->name;
    apr_int64_t last_seq;
    cm_peer_t *peer;
    int i;

    CM_TRY(cm_node_refresh(&last_seq, node, pool));
    sync_output_row(cells, COLUMNS, heading);
    sync_output_row(cells, COLUMNS,
                    (const char *[COLUMNS]){name, node->epoch,
                                            number(last_seq, pool), "-", "-"});
    json = add_json(all, name, node->epoch);
    sync_output_add_number(json, "written", last_seq);
    sync_output_add_number(json, "life", node->life);
    for (i = 0; i < peers->nelts; i++) {
        name = APR_ARRAY_IDX(peers, i, cm_peer_settings_t *)->name;
        CM_TRY(load_peer(&peer, node, name, pool));
        sync_output_row(cells, COLUMNS,
                        (const char *[COLUMNS]){
                            name, peer->epoch ? peer->epoch : "not known", "-",
                            number(peer->received, pool),
                            number(peer->confirmed, pool)});
        json = add_json(all, name, peer->epoch);
        sync_output_add_number(json, "received", peer->received);
        sync_output_add_number(json, "confirmed", peer->confirmed);
    }
    if (client->output->json)
        sync_output_json(client->output, all);
    else {
        sync_output_table(client->output, cells, COLUMNS);
        json_object_put(all);
    }
    return NULL;
}

cm_error_t *sync_command_epoch(sync_client_t *client)
{
    const sync_options_t *options = client->options;
    apr_array_header_t *peers;

    if (options->mend.renew && options->mend.accept)
        return CM_FAIL(client->pool, CM_USAGE,
                       "--new is for the database that was restored, --accept "
                       "for the others: not both at once");
    CM_TRY(sync_client_peers(&peers, client, 0));
    CM_TRY(sync_client_node(client));
    if (options->mend.renew)
        CM_TRY(renew(client, peers));
    if (options->mend.accept)
        CM_TRY(accept_peer(client, peers, options->mend.accept));
    if ((options->mend.renew || options->mend.accept) && !client->output->json)
        return NULL;
    return show(client, peers);
}
