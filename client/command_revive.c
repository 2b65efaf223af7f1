/* revive: a record that was deleted on one side lives again on both. */
#include "command.h"

#include <json.h>

#include "record/tuple.h"
#include "inbox/revive.h"
#include "verify/wire.h"
#include "after.h"
#include "connect.h"

static void report(const sync_client_t *client, const char *node,
                   apr_int64_t revived)
{
    json_object *json = json_object_new_object();

    sync_output_add_text(json, "node", node);
    sync_output_add_number(json, "revived", revived);
    sync_output_result(client->output, json,
                       "its row at '%s' is a new record now; the next run "
                       "brings it to the other side",
                       node);
}

/* Ask PEER, which may still have the row. */
static cm_error_t *ask(apr_int64_t *revived, const sync_client_t *client,
                       const cm_peer_settings_t *peer, const cm_model_t *model,
                       const apr_array_header_t *identities)
{
    const cm_verify_question_t question = {
        .ask = CM_ASK_REVIVE, .model = model->name, .names = identities};
    cm_verify_answer_t *answer;
    cm_session_t *session;

    CM_TRY(sync_connect(&session, client, peer, client->pool));
    CM_TRY(cm_session_greet(session, client->pool));
    if (session->kind != CM_PEER_OURS)
        return NULL;
    CM_TRY(cm_session_ask(&answer, session, &question, client->pool));
    *revived = answer->published;
    return NULL;
}

static void ask_peers(apr_int64_t *revived, sync_client_t *client,
                      const apr_array_header_t *peers, const cm_model_t *model,
                      const apr_array_header_t *identities)
{
    int i;

    for (i = 0; i < peers->nelts && !*revived; i++) {
        const cm_peer_settings_t *peer =
            APR_ARRAY_IDX(peers, i, cm_peer_settings_t *);
        cm_error_t *err;

        if (!peer->uri)
            continue;
        err = ask(revived, client, peer, model, identities);
        if (err)
            sync_client_report(client, peer->name, err);
        if (*revived)
            report(client, peer->name, *revived);
    }
}

/* Open the node, keep other runs away, and find what the words name. */
static cm_error_t *begin(apr_array_header_t **identities,
                         const cm_model_t **model, sync_client_t *client,
                         const apr_array_header_t *peers)
{
    const apr_array_header_t *words = client->options->arguments;
    const char *const *word = (const char *const *)words->elts;
    int i;

    if (words->nelts < 2)
        return sync_client_usage(client, "revive needs a model and an id");
    CM_TRY(sync_client_model(model, client, word[0]));
    CM_TRY(sync_client_node(client));
    for (i = 0; i < peers->nelts; i++)
        CM_TRY(sync_client_exclude_others(
            client, APR_ARRAY_IDX(peers, i, cm_peer_settings_t *)));
    return cm_inbox_revive_find(
        identities, client->node, *model, words->nelts > 2 ? word[1] : NULL,
        cm_tuple_of_word(word[words->nelts - 1], (*model)->columns.key->nelts,
                         client->pool),
        client->pool);
}

cm_error_t *sync_command_revive(sync_client_t *client)
{
    apr_array_header_t *peers, *identities;
    const cm_model_t *model;
    apr_int64_t revived = 0;
    int acted;

    CM_TRY(sync_client_peers(&peers, client, 0));
    CM_TRY(begin(&identities, &model, client, peers));
    if (identities->nelts && model->publishes)
        CM_TRY(cm_inbox_revive(&revived, client->node, model, identities,
                               client->pool));
    if (revived)
        report(client, client->settings->name, revived);
    else if (identities->nelts)
        ask_peers(&revived, client, peers, model, identities);
    sync_after_run(&acted, client);
    if (revived || client->status)
        return NULL;
    return cm_error_hint(
        CM_FAIL(
            client->pool, CM_USAGE,
            "no row is left of a deleted record '%s' of model '%s', here or "
            "at a peer that can be asked from here",
            APR_ARRAY_IDX(client->options->arguments,
                          client->options->arguments->nelts - 1, const char *),
            model->name),
        client->pool,
        "where the row still is, run `communicator-sync revive` on that host; "
        "if it is gone, insert it again");
}
