/* check: the whole way, step by step; each line is ok, or says what to do. */
#include "command.h"

#include <apr_strings.h>
#include <json.h>

#include "cm_capture.h"
#include "cm_schema.h"
#include "session.h"

typedef struct check_t {
    cm_client_t *client;
    json_object *list; /* with --json */
    int status;        /* of the worst failure */
    apr_pool_t *pool;
} check_t;

static void say(check_t *check, cm_verdict_e verdict, const char *what,
                const char *remedy)
{
    static const char *const words[] = {"ok", "warning", "fail"};
    json_object *json;

    if (!check->list) {
        cm_output_verdict(check->client->output, verdict, what, remedy);
        return;
    }
    json = json_object_new_object();
    json_object_object_add(json, "verdict",
                           json_object_new_string(words[verdict]));
    json_object_object_add(json, "what", json_object_new_string(what));
    if (remedy)
        json_object_object_add(json, "hint", json_object_new_string(remedy));
    json_object_array_add(check->list, json);
}

/* Say how a step went; returns whether it went well. */
static int went(check_t *check, const char *what, const cm_error_t *err)
{
    const char *text;

    if (!err) {
        say(check, CM_VERDICT_OK, what, NULL);
        return 1;
    }
    text = apr_pstrcat(check->pool, what, ": ", cm_error_text(err, check->pool),
                       NULL);
    say(check, CM_VERDICT_FAIL, cm_output_clean(text, check->pool),
        err->hint ? cm_output_clean(err->hint, check->pool) : NULL);
    if (check->status == 0)
        check->status = cm_code_exit_status(err->code);
    return 0;
}

static cm_error_t *schema_is_known(const cm_client_t *client, apr_pool_t *pool)
{
    int present, known;

    CM_TRY(cm_schema_version(&present, &known, client->store, pool));
    if (present == known)
        return NULL;
    if (present > known)
        return cm_error_hint(CM_FAIL(pool, CM_SCHEMA,
                                     "version %d is newer than this program "
                                     "knows (%d)",
                                     present, known),
                             pool, "upgrade communicator-sync");
    return cm_error_hint(CM_FAIL(pool, CM_SCHEMA,
                                 "the database has version %d, %d is needed",
                                 present, known),
                         pool, "communicator-sync migrate");
}

static cm_error_t *triggers_are_there(cm_client_t *client,
                                      const cm_table_t *table, apr_pool_t *pool)
{
    cm_capture_e state;

    CM_TRY(cm_capture_state(&state, client->store, table, pool));
    if (state == CM_CAPTURE_CURRENT)
        return NULL;
    return cm_error_hint(
        CM_FAIL(pool, CM_SCHEMA, "the triggers of '%s' %s", table->model->table,
                state == CM_CAPTURE_MISSING
                    ? "are not there: its changes are not published"
                    : "were made for other columns"),
        pool, "communicator-sync migrate");
}

static cm_error_t *model_is_usable(cm_client_t *client, const cm_model_t *model,
                                   apr_pool_t *pool)
{
    const cm_table_t *table;

    CM_TRY(cm_node_table(&table, client->node, model));
    return model->publishes ? triggers_are_there(client, table, pool) : NULL;
}

static void check_database(check_t *check)
{
    cm_client_t *client = check->client;
    const cm_settings_t *settings = client->settings;
    apr_pool_t *pool = check->pool;
    int i;

    if (!went(check,
              apr_psprintf(pool, "database (%s)",
                           settings->driver ? settings->driver : "none"),
              cm_client_store(client)))
        return;
    if (!went(check, "tables of Communicator", schema_is_known(client, pool)))
        return;
    if (!went(check, "this node", cm_client_node(client)))
        return;
    for (i = 0; i < settings->models->nelts; i++) {
        const cm_model_t *model =
            APR_ARRAY_IDX(settings->models, i, cm_model_t *);

        went(check, apr_psprintf(pool, "model %s", model->name),
             model_is_usable(client, model, pool));
    }
}

static void check_peer(check_t *check, const cm_peer_settings_t *peer)
{
    cm_session_t *session;
    apr_pool_t *pool = check->pool;
    const char *name = apr_psprintf(pool, "peer %s", peer->name);
    const char *skew;
    cm_error_t *err;

    err = cm_session_open(&session, check->client->node, peer,
                          check->client->options->timeout, pool);
    if (!err)
        err = cm_session_greet(session, pool);
    if (!went(check, name, err))
        return;
    skew = cm_client_skew(session->peer, pool);
    if (skew)
        say(check, CM_VERDICT_WARN, skew, "set the clocks of both hosts (NTP)");
}

cm_error_t *cm_command_check(int *status, cm_client_t *client,
                             apr_pool_t *scratch_pool)
{
    check_t check = {client, NULL, 0, scratch_pool};
    apr_array_header_t *peers;
    int i;

    CM_TRY(cm_client_peers(&peers, client, 0, scratch_pool));
    if (client->output->json)
        check.list = json_object_new_array();
    went(
        &check,
        apr_psprintf(scratch_pool, "configuration %s", client->options->config),
        NULL);
    check_database(&check);
    for (i = 0; client->node && i < peers->nelts; i++) {
        const cm_peer_settings_t *peer =
            APR_ARRAY_IDX(peers, i, cm_peer_settings_t *);

        if (peer->uri)
            check_peer(&check, peer);
    }
    if (check.list)
        cm_output_json(client->output, check.list);
    *status = check.status;
    return NULL;
}
