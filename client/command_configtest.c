/* configtest: the configuration, read and shown. It was read before we get
 * here; what is wrong with it has been said. */
#include "command.h"

#include <stdio.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "uri.h"

/* DBDParams without its passwords: "password=x" becomes "password=***". */
static const char *mask(const char *params, apr_pool_t *pool)
{
    const char *masked = "", *rest = params, *found;

    while ((found = strpbrk(rest, "pP")) != NULL) {
        const char *end = found;
        int is_password;

        while (apr_isalpha(*end))
            end++;
        is_password = *end == '=' &&
                      (strncasecmp(found, "pass", 4) == 0 ||
                       strncasecmp(found, "pwd", 3) == 0) &&
                      strncasecmp(found, "passfile", 8) != 0;
        if (end == found || !is_password) {
            masked =
                apr_pstrcat(pool, masked,
                            apr_pstrmemdup(pool, rest, found + 1 - rest), NULL);
            rest = found + 1;
            continue;
        }
        end++;
        masked = apr_pstrcat(
            pool, masked, apr_pstrmemdup(pool, rest, end - rest), "***", NULL);
        rest = *end == '\'' ? end + 1 + strcspn(end + 1, "'")
                            : end + strcspn(end, " ,;|");
        rest += *end == '\'' && *rest;
    }
    return apr_pstrcat(pool, masked, rest, NULL);
}

static const char *list(const apr_array_header_t *names, apr_pool_t *pool)
{
    return names->nelts > 0 ? apr_array_pstrcat(pool, names, ',') : NULL;
}

static void dump_key(const char *key, const char *value)
{
    if (value)
        printf(" %s=%s", key, value);
}

static void dump_peer(const cm_peer_settings_t *peer)
{
    printf("CommunicatorPeer %s", peer->name);
    dump_key("uri", peer->uri);
    dump_key("user", peer->user);
    dump_key("password-file", peer->password_file);
    dump_key("ca-file", peer->ca_file);
    dump_key("insecure", peer->insecure ? "yes" : NULL);
    printf("  # %s:%d\n", peer->place.file, peer->place.line);
}

static const char *references(const cm_model_t *model, apr_pool_t *pool)
{
    const char *text = NULL;
    int i;

    for (i = 0; i < model->references->nelts; i++) {
        const cm_reference_t *one =
            &APR_ARRAY_IDX(model->references, i, cm_reference_t);

        text = apr_pstrcat(pool, text ? text : "", text ? "," : "", one->column,
                           ":", one->model, NULL);
    }
    return text;
}

static void dump_model(const cm_model_t *model, apr_pool_t *pool)
{
    const char *direction = !model->receives    ? "publish"
                            : !model->publishes ? "receive"
                                                : "both";
    const char *conflict = model->conflict == CM_CONFLICT_HOLD ? "hold"
                           : model->conflict == CM_CONFLICT_NODE
                               ? model->conflict_node
                               : "newest";

    printf("CommunicatorModel %s", model->name);
    dump_key("table", model->table);
    dump_key("key", model->key);
    dump_key("direction", direction);
    dump_key("except", list(model->except, pool));
    dump_key("only", list(model->only, pool));
    dump_key("references", references(model, pool));
    dump_key("keys", model->shared_keys ? "shared" : "mapped");
    dump_key("match", list(model->match, pool));
    dump_key("conflict", conflict);
    dump_key("deletes", model->deletes ? "yes" : "no");
    printf("  # %s:%d\n", model->place.file, model->place.line);
}

static void dump(const cm_settings_t *settings, apr_pool_t *pool)
{
    int i;

    printf("CommunicatorName %s\n", settings->name);
    if (settings->driver)
        printf("DBDriver %s\n", settings->driver);
    if (settings->params)
        printf("DBDParams \"%s\"\n", mask(settings->params, pool));
    printf("CommunicatorRequireTLS %s\n", settings->require_tls ? "On" : "Off");
    printf("CommunicatorMaxBody %" APR_INT64_T_FMT "\n", settings->max_body);
    printf("CommunicatorBatch %d %" APR_INT64_T_FMT "\n",
           settings->batch_messages, settings->batch_bytes);
    printf("CommunicatorOnError %s\n",
           settings->on_error == CM_ON_ERROR_STOP ? "stop" : "park");
    printf("CommunicatorStateDir %s\nCommunicatorRunDir %s\n",
           settings->state_directory, settings->run_directory);
    for (i = 0; i < settings->peers->nelts; i++)
        dump_peer(APR_ARRAY_IDX(settings->peers, i, cm_peer_settings_t *));
    for (i = 0; i < settings->models->nelts; i++)
        dump_model(APR_ARRAY_IDX(settings->models, i, cm_model_t *), pool);
}

cm_error_t *cm_command_configtest(int *status, cm_client_t *client,
                                  apr_pool_t *scratch_pool)
{
    const cm_settings_t *settings = client->settings;
    const char *uri;
    int i, loopback;

    (void)status;
    for (i = 0; i < settings->peers->nelts; i++) {
        const cm_peer_settings_t *peer =
            APR_ARRAY_IDX(settings->peers, i, cm_peer_settings_t *);

        if (peer->uri)
            CM_TRY(cm_uri_check(&uri, &loopback, peer, scratch_pool));
    }
    if (client->options->dump)
        dump(settings, scratch_pool);
    else
        cm_output_line(client->output, "Syntax OK");
    return NULL;
}
