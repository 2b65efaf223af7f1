/* migrate: Communicator's tables and triggers. */
#include "command.h"

#include <stdio.h>

#include <json.h>

#include "cm_schema.h"

typedef struct migration_t {
    const cm_client_t *client;
    int steps;
} migration_t;

static void on_step(void *baton, const char *what, const char *sql)
{
    migration_t *migration = baton;
    const cm_output_t *output = migration->client->output;

    migration->steps += sql != NULL; /* a warning is no step */
    if (output->json) {
        json_object *json = json_object_new_object();

        cm_output_add_text(json, "step", what);
        cm_output_add_text(json, "sql", sql);
        cm_output_add_truth(json, "done", !migration->client->options->dry_run);
        cm_output_json(output, json);
        return;
    }
    if (migration->client->options->dry_run) {
        if (what)
            printf("-- %s\n", what);
        if (sql)
            printf("%s;\n\n", sql);
        return;
    }
    if (what)
        cm_output_line(output, "%s", what);
    if (sql && output->verbose)
        printf("%s;\n", sql);
}

/* Name the peers that were served as gems by an earlier version, or by the gem
 * here, and will be refused unless they are declared to be gems. */
static cm_error_t *tell_gems(cm_client_t *client, apr_pool_t *pool)
{
    const apr_array_header_t *peers = client->settings->peers;
    cm_peer_t *known;
    int i;

    CM_TRY(cm_client_node(client));
    for (i = 0; i < peers->nelts; i++) {
        const cm_peer_settings_t *peer =
            APR_ARRAY_IDX(peers, i, const cm_peer_settings_t *);

        CM_TRY(cm_peer_find(&known, client->node, peer->name, pool));
        if (!known || known->epoch || peer->gem ||
            (!known->has_received && !known->last_push_at &&
             !known->last_pull_at))
            continue;
        cm_output_warn(client->output, peer->name,
                       "it was a gem so far; if it still is one, add "
                       "protocol=gem to its CommunicatorPeer (%s:%d), as it is "
                       "refused without",
                       peer->place.file, peer->place.line);
    }
    return NULL;
}

cm_error_t *cm_command_migrate(int *status, cm_client_t *client,
                               apr_pool_t *scratch_pool)
{
    migration_t migration = {client, 0};
    int dry_run = client->options->dry_run;

    (void)status;
    CM_TRY(cm_client_store(client));
    CM_TRY_FOR(cm_schema_migrate(client->store, client->settings, dry_run,
                                 on_step, &migration, scratch_pool),
               scratch_pool, "cannot migrate");
    if (migration.steps == 0)
        cm_output_line(client->output, "%snothing to do", dry_run ? "-- " : "");
    return dry_run ? NULL : tell_gems(client, scratch_pool);
}
