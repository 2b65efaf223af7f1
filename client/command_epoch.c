/* epoch: which history this database and its peers tell, and the way out when
 * they do not fit. */
#include "command.h"

#include <apr_strings.h>
#include <json.h>

#include "node/epoch.h"

#define COLUMNS 5

/* Keep other runs away: they took the numbers for what they were. */
static cm_error_t *take_locks(const sync_client_t *client,
                              const apr_array_header_t *peers, apr_pool_t *pool)
{
    int i;

    for (i = 0; i < peers->nelts; i++) {
        const cm_peer_settings_t *peer =
            APR_ARRAY_IDX(peers, i, cm_peer_settings_t *);

        if (peer->uri)
            CM_TRY(sync_client_exclude_others(client, peer, pool));
    }
    return NULL;
}

static cm_error_t *renew(const sync_client_t *client,
                         const apr_array_header_t *peers, apr_pool_t *pool)
{
    const cm_node_t *node = client->node;
    const char *name = node->settings->name;
    int i;

    CM_TRY(take_locks(client, peers, pool));
    CM_TRY(cm_epoch_renew(client->node, pool));
    sync_output_line(client->output, "the epoch of '%s' is now %s", name,
                     node->epoch);
    for (i = 0; i < peers->nelts; i++)
        sync_output_line(client->output,
                         "next, at '%s': communicator-sync epoch --accept %s",
                         APR_ARRAY_IDX(peers, i, cm_peer_settings_t *)->name,
                         name);
    sync_output_line(client->output,
                     "then, here and there: communicator-sync publish MODEL "
                     "--all, for each model");
    return NULL;
}

static cm_error_t *accept_peer(const sync_client_t *client,
                               const apr_array_header_t *peers,
                               const char *name, apr_pool_t *pool)
{
    if (!cm_settings_peer(client->settings, name))
        return CM_FAIL(pool, CM_USAGE, "there is no peer '%s'", name);
    CM_TRY(take_locks(client, peers, pool));
    CM_TRY(cm_epoch_accept(client->node, name, pool));
    sync_output_line(client->output, "'%s' is taken for what it will say it is",
                     name);
    sync_output_line(client->output,
                     "next, here and there: communicator-sync publish MODEL "
                     "--all, for each model");
    return NULL;
}

static const char *number(apr_int64_t value, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%" APR_INT64_T_FMT, value);
}

/* Append what is known of a node, as a row. */
static void add_row(apr_array_header_t *cells, const char *name,
                    const char *epoch, const char *written,
                    const char *received, const char *confirmed)
{
    APR_ARRAY_PUSH(cells, const char *) = name;
    APR_ARRAY_PUSH(cells, const char *) = epoch ? epoch : "not known";
    APR_ARRAY_PUSH(cells, const char *) = written;
    APR_ARRAY_PUSH(cells, const char *) = received;
    APR_ARRAY_PUSH(cells, const char *) = confirmed;
}

static json_object *as_json(const char *name, const char *epoch)
{
    json_object *json = json_object_new_object();

    json_object_object_add(json, "node", json_object_new_string(name));
    json_object_object_add(json, "epoch",
                           epoch ? json_object_new_string(epoch) : NULL);
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
                        const apr_array_header_t *peers, apr_pool_t *pool)
{
    apr_array_header_t *cells = apr_array_make(pool, 16, sizeof(char *));
    json_object *json, *all = json_object_new_array();
    cm_node_t *node = client->node;
    apr_int64_t last_seq;
    cm_peer_t *peer;
    int i;

    CM_TRY(cm_node_refresh(&last_seq, node, pool));
    add_row(cells, "NODE", "EPOCH", "WRITTEN", "RECEIVED", "CONFIRMED");
    add_row(cells, node->settings->name, node->epoch, number(last_seq, pool),
            "-", "-");
    json = as_json(node->settings->name, node->epoch);
    json_object_object_add(json, "written", json_object_new_int64(last_seq));
    json_object_object_add(json, "life", json_object_new_int(node->life));
    json_object_array_add(all, json);
    for (i = 0; i < peers->nelts; i++) {
        CM_TRY(load_peer(&peer, node,
                         APR_ARRAY_IDX(peers, i, cm_peer_settings_t *)->name,
                         pool));
        add_row(cells, peer->name, peer->epoch, "-",
                number(peer->received, pool), number(peer->confirmed, pool));
        json = as_json(peer->name, peer->epoch);
        json_object_object_add(json, "received",
                               json_object_new_int64(peer->received));
        json_object_object_add(json, "confirmed",
                               json_object_new_int64(peer->confirmed));
        json_object_array_add(all, json);
    }
    if (client->output->json)
        sync_output_json(client->output, all);
    else {
        sync_output_table(client->output, cells, COLUMNS);
        json_object_put(all);
    }
    return NULL;
}

cm_error_t *sync_command_epoch(int *status, sync_client_t *client,
                               apr_pool_t *scratch_pool)
{
    const sync_options_t *options = client->options;
    apr_array_header_t *peers;

    (void)status;
    if (options->renew && options->accept)
        return CM_FAIL(scratch_pool, CM_USAGE,
                       "--new is for the database that was restored, --accept "
                       "for the others: not both at once");
    CM_TRY(sync_client_peers(&peers, client, 0, scratch_pool));
    CM_TRY(sync_client_node(client));
    if (options->renew)
        CM_TRY(renew(client, peers, scratch_pool));
    if (options->accept)
        CM_TRY(accept_peer(client, peers, options->accept, scratch_pool));
    if ((options->renew || options->accept) && !client->output->json)
        return NULL;
    return show(client, peers, scratch_pool);
}
