/* migrate: create or upgrade Communicator's tables and triggers. */
#include "command.h"

#include <stdio.h>

#include <json.h>

#include "base/number.h"
#include "schema/gem_tables.h"
#include "schema/migrate.h"
#include "schema/records.h"
#include "outbox/inherit.h"
#include "outbox/withheld.h"

/* Messages that could not be read: so many are published again in one run. */
#define MOST_UNREAD 10000

typedef struct migration_t {
    const sync_client_t *client;
    int steps;
} migration_t;

static void on_step(void *baton, const char *what, const char *sql)
{
    migration_t *migration = baton;
    const sync_output_t *output = migration->client->output;

    migration->steps += sql != NULL; /* a warning is not a step */
    if (output->json) {
        json_object *json = json_object_new_object();

        sync_output_add_text(json, "step", what);
        sync_output_add_text(json, "sql", sql);
        sync_output_add_truth(json, "done",
                              !migration->client->options->migrate.dry_run);
        sync_output_json(output, json);
        return;
    }
    if (migration->client->options->migrate.dry_run) {
        if (what)
            printf("-- %s\n", what);
        if (sql)
            printf("%s;\n\n", sql);
        return;
    }
    if (what)
        sync_output_line(output, "%s", what);
    if (sql && output->verbose)
        printf("%s;\n", sql);
}

/* Warn of peers that an earlier version, or the gem, served as gems: they are
 * refused unless protocol=gem declares them. */
static cm_error_t *warn_of_gems(sync_client_t *client)
{
    const apr_array_header_t *peers = client->settings->peers;
    cm_peer_t *known;
    int i;

    CM_TRY(sync_client_node(client));
    for (i = 0; i < peers->nelts; i++) {
        const cm_peer_settings_t *peer =
            APR_ARRAY_IDX(peers, i, const cm_peer_settings_t *);

        CM_TRY(cm_peer_find(&known, client->node, peer->name, client->pool));
        if (!known || known->epoch || peer->gem ||
            (!known->has_received && !known->last_push_at &&
             !known->last_pull_at))
            continue;
        sync_output_warn(
            client->output, peer->name,
            "it was a gem so far; if it still is one, add protocol=gem to its "
            "CommunicatorPeer (%s:%d), else it is refused",
            peer->place.file, peer->place.line);
    }
    return NULL;
}

/* Warn of records of classes that no model has: a model of that class may have
 * another name. */
static cm_error_t *warn_of_classes(sync_client_t *client)
{
    apr_array_header_t *unclaimed;
    int i;

    CM_TRY(cm_records_unclaimed(&unclaimed, client->store, client->settings,
                                client->pool));
    for (i = 0; i < unclaimed->nelts; i++) {
        const cm_unclaimed_t *one =
            &APR_ARRAY_IDX(unclaimed, i, cm_unclaimed_t);

        sync_output_warn(client->output, NULL, "%s; " CM_UNCLAIMED_HINT,
                         cm_records_unclaimed_text(one, client->pool),
                         one->type);
    }
    return NULL;
}

/* In a database of the gem received messages are kept as it kept them. */
static cm_error_t *tell_history(sync_client_t *client)
{
    CM_TRY(sync_client_node(client));
    if (client->settings->history == CM_HISTORY_UNSET &&
        client->node->history == CM_HISTORY_ROWS)
        sync_output_line(client->output,
                         "messages sent or received stay rows of "
                         "outbound_messages and inbound_messages, as "
                         "with the gem; "
                         "'CommunicatorHistory packed' takes less time and "
                         "room");
    return NULL;
}

/* What waits since the gem's time is as old as it is. */
static cm_error_t *inherit(sync_client_t *client)
{
    apr_int64_t count;

    CM_TRY(sync_client_node(client));
    CM_TRY(cm_inherit_clocks(&count, client->node, client->pool));
    if (count)
        sync_output_line(client->output,
                         "%s from the gem's time got the time of their "
                         "creation",
                         cm_number_of(count, "message", client->pool));
    return NULL;
}

/* Publish again the records whose messages could not be read: new triggers may
 * write better ones. What cannot be published stays listed. */
static cm_error_t *publish_unread(sync_client_t *client)
{
    apr_pool_t *pool = client->pool;
    apr_array_header_t *list;
    apr_int64_t published;
    int i, all = 0;

    CM_TRY(sync_client_node(client));
    CM_TRY(cm_withheld_list(&list, client->node, NULL, MOST_UNREAD, pool));
    for (i = 0; i < list->nelts; i++) {
        const cm_withheld_t *one = &APR_ARRAY_IDX(list, i, cm_withheld_t);

        if (one->refuser == CM_REFUSER_HERE &&
            !cm_withheld_retry(&published, client->node, one->peer, one->seq,
                               pool))
            all += published > 0;
    }
    if (all)
        sync_output_line(client->output,
                         "%d records published again: their messages could "
                         "not be read",
                         all);
    return NULL;
}

/* Give the model whose triggers are to be dropped; NULL: of all models. */
static cm_error_t *find_model(const cm_model_t **model,
                              const sync_client_t *client)
{
    const apr_array_header_t *words = client->options->arguments;

    *model = NULL;
    if (!words->nelts)
        return NULL;
    if (!client->options->migrate.drop_triggers)
        return sync_client_usage(
            client, "migrate takes a model with --drop-triggers only");
    return sync_client_model(model, client,
                             APR_ARRAY_IDX(words, 0, const char *));
}

static void say_nothing_done(const migration_t *migration)
{
    const sync_client_t *client = migration->client;

    if (!migration->steps)
        sync_output_line(client->output, "%snothing to do",
                         client->options->migrate.dry_run ? "-- " : "");
}

static cm_error_t *drop_triggers(migration_t *migration,
                                 const cm_model_t *model)
{
    const sync_client_t *client = migration->client;
    const int dry_run = client->options->migrate.dry_run;

    CM_TRY_FOR(cm_migrate_drop_triggers(client->store, client->settings, model,
                                        dry_run, on_step, migration,
                                        client->pool),
               client->pool, "cannot drop the triggers");
    if (migration->steps && !dry_run)
        sync_output_warn(client->output, NULL,
                         "changes in these tables are not published until "
                         "`communicator-sync migrate` has made the triggers "
                         "again");
    say_nothing_done(migration);
    return NULL;
}

/* Create or upgrade tables and triggers, then say and do what that leaves. */
static cm_error_t *upgrade(migration_t *migration, sync_client_t *client)
{
    const int dry_run = client->options->migrate.dry_run;
    cm_gem_tables_e gem;

    CM_TRY(cm_gem_tables_find(&gem, client->store, client->pool));
    CM_TRY_FOR(cm_migrate_run(client->store, client->settings, dry_run, on_step,
                              migration, client->pool),
               client->pool, "cannot migrate");
    say_nothing_done(migration);
    if (gem == CM_GEM_TABLES_NAMELESS)
        sync_output_warn(client->output, NULL, "%s; %s",
                         CM_GEM_TABLES_NAMELESS_TEXT,
                         CM_GEM_TABLES_NAMELESS_HINT);
    if (migration->steps)
        CM_TRY(warn_of_classes(client));
    if (dry_run)
        return NULL;
    CM_TRY(inherit(client));
    if (migration->steps)
        CM_TRY(tell_history(client));
    CM_TRY(publish_unread(client));
    return warn_of_gems(client);
}

cm_error_t *sync_command_migrate(sync_client_t *client)
{
    migration_t migration = {client, 0};
    const cm_model_t *model;

    CM_TRY(find_model(&model, client));
    CM_TRY(sync_client_store(client));
    return client->options->migrate.drop_triggers
               ? drop_triggers(&migration, model)
               : upgrade(&migration, client);
}
