/* check: the whole way, step by step; each line is ok, or says what to do. */
#include "command.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <apr_file_info.h>
#include <apr_strings.h>
#include <json.h>

#include "cm_capture.h"
#include "cm_health.h"
#include "cm_schema.h"
#include "cm_state.h"
#include "session.h"

/* Certificates are renewed some weeks before they end. */
#define CERTIFICATE_LEFT apr_time_from_sec(21 * 86400)

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
    if (model->publishes)
        CM_TRY(triggers_are_there(client, table, pool));
    return model->receives ? cm_state_rights(client->node, model, pool) : NULL;
}

static void check_model(check_t *check, const cm_model_t *model)
{
    apr_pool_t *pool = check->pool;
    const char *parents = NULL;
    cm_error_t *err = model_is_usable(check->client, model, pool);

    if (!err && model->publishes)
        err = cm_catalog_unseen(&parents, check->client->store, model, pool);
    if (!went(check, apr_psprintf(pool, "model %s", model->name), err) ||
        !parents)
        return;
    say(check, CM_VERDICT_WARN,
        apr_psprintf(pool,
                     "model %s: what foreign keys do to '%s' along with %s "
                     "is seen by no trigger",
                     model->name, model->table, parents),
        "have the same foreign keys on the other side, or let the application "
        "change the rows itself");
}

/* A file with a password is for its owner, and perhaps for httpd's group. */
static void check_file(check_t *check, const char *what, const char *path)
{
    const cm_settings_t *settings = check->client->settings;
    apr_finfo_t info;
    apr_status_t rv;

    rv = apr_stat(&info, path, APR_FINFO_PROT, check->pool);
    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE)
        return;
    if (!(info.protection & APR_FPROT_WREAD) || !settings->params ||
        !strstr(settings->params, "pass")) {
        went(check, apr_psprintf(check->pool, "%s %s", what, path), NULL);
        return;
    }
    say(check, CM_VERDICT_WARN,
        apr_psprintf(check->pool, "%s %s: everybody may read it", what, path),
        apr_psprintf(check->pool, "DBDParams may hold a password: chmod o= %s",
                     path));
}

/* The directories that runs need; where nobody connects from here none do. */
static void check_directory(check_t *check, const char *name, const char *path)
{
    const char *what = apr_psprintf(check->pool, "%s %s", name, path);
    cm_error_t *err = NULL;

    if (access(path, W_OK | X_OK) != 0)
        err = cm_error_hint(
            CM_FAIL(check->pool, CM_FILE, "%s", strerror(errno)), check->pool,
            "make it, for the user that runs "
            "communicator-sync: install -d -o USER %s",
            path);
    went(check, what, err);
}

static void check_files(check_t *check, int connects)
{
    const cm_settings_t *settings = check->client->settings;

    check_file(check, "configuration", check->client->options->config);
    if (!connects)
        return;
    check_directory(check, "state", settings->state_directory);
    check_directory(check, "locks", settings->run_directory);
}

/* What waits for a person, and why nothing may move. */
static void check_state(check_t *check)
{
    cm_client_t *client = check->client;
    apr_pool_t *pool = check->pool;
    cm_state_t *state = NULL;
    int i;

    if (!went(check, "rights on Communicator's tables",
              cm_state_rights(client->node, NULL, pool)) ||
        !went(check, "this node",
              cm_state_read(&state, client->node, NULL, pool)))
        return;
    if (state->paused_at)
        say(check, CM_VERDICT_WARN,
            cm_output_paused(state->name, state->paused_at, pool),
            "communicator-sync resume");
    for (i = 0; i < state->peers->nelts; i++) {
        const cm_peer_state_t *one =
            &APR_ARRAY_IDX(state->peers, i, cm_peer_state_t);

        if (one->parked)
            say(check, CM_VERDICT_WARN,
                apr_psprintf(pool, "%s of %s parked here",
                             cm_output_messages(one->parked, pool),
                             one->peer->name),
                "communicator-sync parked");
        if (one->said.parked > 0)
            say(check, CM_VERDICT_WARN,
                apr_psprintf(pool, "%s of ours parked at %s, as of %s",
                             cm_output_messages(one->said.parked, pool),
                             one->peer->name,
                             cm_output_when(one->said.at, pool)),
                "communicator-sync parked, on that host");
    }
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
    if (cm_client_node(client) != NULL)
        return;
    check_state(check);
    for (i = 0; i < settings->models->nelts; i++)
        check_model(check, APR_ARRAY_IDX(settings->models, i, cm_model_t *));
}

/* The steps on the way to a peer, in their order. */
typedef enum step_e {
    STEP_SECRET,
    STEP_REACH,
    STEP_TLS,
    STEP_LOGIN,
    STEP_ANSWER,
    STEP_HISTORY,
    STEP_ALL
} step_e;

static const char *const steps[] = {
    "address and password", "name, route and port",
    "TLS and certificate",  "login",
    "Communicator answers", "histories fit"};

/* Return the step that a failure of that code is about. */
static step_e step_of(cm_code_e code)
{
    switch (code) {
    case CM_CONFIG:
    case CM_FILE:
        return STEP_SECRET;
    case CM_NETWORK:
    case CM_TIMEOUT:
        return STEP_REACH;
    case CM_TLS:
        return STEP_TLS;
    case CM_UNAUTHORIZED:
    case CM_FORBIDDEN:
        return STEP_LOGIN;
    case CM_EPOCH:
        return STEP_HISTORY;
    default:
        return STEP_ANSWER;
    }
}

/* How the peer is, now that it answers. */
static void check_answer(check_t *check, const cm_session_t *session)
{
    const char *name = session->settings->name;
    const char *skew = cm_client_skew(session->peer, check->pool);

    if (skew)
        say(check, CM_VERDICT_WARN,
            apr_psprintf(check->pool, "%s: %s", name, skew),
            "set the clocks of both hosts (NTP)");
    else if (session->kind == CM_PEER_OURS)
        went(check, apr_psprintf(check->pool, "%s: clocks agree", name), NULL);
    else
        say(check, CM_VERDICT_OK,
            apr_psprintf(check->pool, "%s: it is a Communicator of 2011", name),
            NULL);
}

/* What the peer's httpd will be refused for before long. */
static void check_certificate(check_t *check, const cm_session_t *session)
{
    apr_int64_t end = cm_http_expires(session->http);
    apr_int64_t left = end - cm_clock_now();
    const char *name = session->settings->name;

    if (!end)
        return;
    if (left > CERTIFICATE_LEFT)
        went(check,
             apr_psprintf(check->pool, "%s: its certificate is valid for %s",
                          name, cm_health_span(left, check->pool)),
             NULL);
    else
        say(check, CM_VERDICT_WARN,
            apr_psprintf(check->pool, "%s: its certificate expires in %s", name,
                         cm_health_span(left, check->pool)),
            "renew it there; if that happens by itself, see why it did not");
}

/* Ask for nothing: that tells how it stands, and changes nothing. */
static cm_error_t *meet(cm_session_t **session, check_t *check,
                        const cm_peer_settings_t *peer)
{
    CM_TRY(cm_session_open(session, check->client->node, peer,
                           check->client->options->timeout, check->pool));
    cm_session_insist(*session);
    cm_http_inspect((*session)->http);
    return cm_session_greet(*session, check->pool);
}

static void check_peer(check_t *check, const cm_peer_settings_t *peer)
{
    cm_session_t *session = NULL;
    cm_error_t *err = meet(&session, check, peer);
    step_e failed = err ? step_of(err->code) : STEP_ALL, step;
    int plain = strncasecmp(peer->uri, "https:", 6) != 0;

    for (step = 0; step < STEP_ALL && step <= failed; step++) {
        const char *what =
            apr_psprintf(check->pool, "%s: %s", peer->name, steps[step]);

        if (step == STEP_TLS && plain && failed != STEP_TLS)
            continue;
        went(check, what, step == failed ? err : NULL);
    }
    if (session)
        check_certificate(check, session);
    if (!err)
        check_answer(check, session);
}

/* Of a peer that comes to us there is nothing to try, only to remember. */
static void check_caller(check_t *check, const cm_peer_settings_t *peer)
{
    apr_interval_time_t every = check->client->settings->expect_every;
    cm_state_t *state;
    const cm_peer_t *known;
    apr_int64_t last;

    if (!went(check, apr_psprintf(check->pool, "%s: comes to us", peer->name),
              cm_state_read(&state, check->client->node, peer->name,
                            check->pool)))
        return;
    known = APR_ARRAY_IDX(state->peers, 0, cm_peer_state_t).peer;
    last = known->last_pull_at > known->last_push_at ? known->last_pull_at
                                                     : known->last_push_at;
    if (every && cm_clock_now() - last > every)
        say(check, CM_VERDICT_WARN,
            apr_psprintf(check->pool, "%s was here last: %s", peer->name,
                         cm_output_when(last, check->pool)),
            "is its cron or timer running?");
}

cm_error_t *cm_command_check(int *status, cm_client_t *client,
                             apr_pool_t *scratch_pool)
{
    check_t check = {client, NULL, 0, scratch_pool};
    apr_array_header_t *peers;
    int connects = 0, i;

    CM_TRY(cm_client_peers(&peers, client, 0, scratch_pool));
    if (client->output->json)
        check.list = json_object_new_array();
    for (i = 0; i < peers->nelts; i++)
        connects |=
            APR_ARRAY_IDX(peers, i, const cm_peer_settings_t *)->uri != NULL;
    check_files(&check, connects);
    check_database(&check);
    for (i = 0; client->node && i < peers->nelts; i++) {
        const cm_peer_settings_t *peer =
            APR_ARRAY_IDX(peers, i, cm_peer_settings_t *);

        if (peer->uri)
            check_peer(&check, peer);
        else
            check_caller(&check, peer);
    }
    if (check.list)
        cm_output_json(client->output, check.list);
    *status = check.status;
    return NULL;
}
