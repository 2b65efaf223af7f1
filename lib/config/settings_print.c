/* Settings as lines of configuration again: see settings_print.h. */
#include "config/settings_print.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#define FMT "%" APR_INT64_T_FMT

/* Return whether the word of SIZE letters at NAME stands for a password: pass,
 * password, sslpassword, pwd. */
static int is_password(const char *name, apr_size_t size)
{
    static const char *const words[] = {"pass", "pwd", "secret"};
    apr_size_t i, k;

    if (size == 8 && strncasecmp(name, "passfile", 8) == 0)
        return 0;
    for (i = 0; i < sizeof(words) / sizeof(*words); i++)
        for (k = 0; k + strlen(words[i]) <= size; k++)
            if (strncasecmp(name + k, words[i], strlen(words[i])) == 0)
                return 1;
    return 0;
}

static const char *behind_space(const char *at)
{
    while (apr_isspace(*at))
        at++;
    return at;
}

static const char *behind_word(const char *at)
{
    while (apr_isalpha(*at) || *at == '_')
        at++;
    return at;
}

/* Return whether "name =" stands at AT. */
static int is_name(const char *at)
{
    const char *name = behind_space(at), *end = behind_word(name);

    return end > name && *behind_space(end) == '=';
}

/* Return where the value at AT ends, as PostgreSQL, MariaDB and an address
 * write it: rather too late than too early. */
static const char *behind_value(const char *at)
{
    char quote = *at == '\'' || *at == '"' ? *at++ : '\0';

    for (; *at; at++) {
        if (*at == '\\' && at[1])
            at++;
        else if (quote ? *at == quote
                       : apr_isspace(*at) ||
                             (strchr(",;|&", *at) && is_name(at + 1)))
            break;
    }
    return at + (quote && *at == quote);
}

/* Return where the password of the address at AT, "//user:password@host", ends:
 * at its "@"; *BEGIN is where it begins. NULL when it has none. */
static const char *password_of(const char **begin, const char *at)
{
    apr_size_t size = strcspn(at + 2, "/?# \t\r\n\"'") + 2;
    const char *end = at + size, *colon;

    while (end > at && *end != '@')
        end--;
    colon = end > at ? memchr(at, ':', end - at) : NULL;
    *begin = colon ? colon + 1 : NULL;
    return colon ? end : NULL;
}

const char *cm_settings_print_mask(const char *params, apr_pool_t *pool)
{
    cm_buffer_t *out = cm_buffer_create(strlen(params) + 16, pool);
    const char *rest = params, *end, *value;

    while (*rest) {
        end = strncmp(rest, "//", 2) ? NULL : password_of(&value, rest);
        if (end) {
            cm_buffer_append(out, rest, value - rest);
            cm_buffer_raw(out, "***");
            rest = end;
            continue;
        }
        end = behind_word(rest);
        value = behind_space(end);
        if (*value == '=' && is_password(rest, end - rest)) {
            value = behind_space(value + 1);
            cm_buffer_append(out, rest, value - rest);
            cm_buffer_raw(out, "***");
            rest = behind_value(value);
            continue;
        }
        end += end == rest;
        cm_buffer_append(out, rest, end - rest);
        rest = end;
    }
    cm_buffer_append(out, "", 1);
    return out->data;
}

/* Append "NAME VALUE" and a newline. */
static void line(cm_buffer_t *out, const char *name, const char *value)
{
    cm_buffer_raw(out, apr_pstrcat(out->pool, name, " ", value, "\n", NULL));
}

static void option(cm_buffer_t *out, const char *key, const char *value)
{
    if (value)
        cm_buffer_raw(out, apr_pstrcat(out->pool, " ", key, "=", value, NULL));
}

static void place(cm_buffer_t *out, const cm_place_t *written)
{
    cm_buffer_raw(out, apr_psprintf(out->pool, "  # %s:%d\n", written->file,
                                    written->line));
}

static void print_peer(cm_buffer_t *out, const cm_peer_settings_t *peer)
{
    cm_buffer_raw(out, "CommunicatorPeer ");
    cm_buffer_raw(out, peer->name);
    option(out, "uri",
           peer->uri ? cm_settings_print_mask(peer->uri, out->pool) : NULL);
    option(out, "user", peer->user);
    option(out, "password-file", peer->password_file);
    option(out, "ca-file", peer->ca_file);
    option(out, "insecure", peer->insecure ? "yes" : NULL);
    if (peer->compress != CM_COMPRESS_AUTO)
        option(out, "compress",
               peer->compress == CM_COMPRESS_YES ? "yes" : "no");
    option(out, "protocol", peer->gem ? "gem" : NULL);
    place(out, &peer->place);
}

/* Return NAMES with commas between, NULL when there are none. */
static const char *list(const apr_array_header_t *names, apr_pool_t *pool)
{
    return names->nelts > 0 ? apr_array_pstrcat(pool, names, ',') : NULL;
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

static void print_model(cm_buffer_t *out, const cm_model_t *model)
{
    const char *direction = !model->receives    ? "publish"
                            : !model->publishes ? "receive"
                                                : "both";
    const char *conflict = model->conflict == CM_CONFLICT_HOLD ? "hold"
                           : model->conflict == CM_CONFLICT_NODE
                               ? model->conflict_node
                               : "newest";

    cm_buffer_raw(out, "CommunicatorModel ");
    cm_buffer_raw(out, model->name);
    option(out, "table", model->table);
    option(out, "key", model->key);
    option(out, "direction", direction);
    option(out, "except", list(model->except, out->pool));
    option(out, "only", list(model->only, out->pool));
    option(out, "references", references(model, out->pool));
    option(out, "keys", model->shared_keys ? "shared" : "mapped");
    option(out, "match", list(model->match, out->pool));
    option(out, "conflict", conflict);
    option(out, "deletes", model->deletes ? "yes" : "no");
    place(out, &model->place);
}

/* Append "NAME SECONDS", or WORD where there is no such time. */
static void time_line(cm_buffer_t *out, const char *name,
                      apr_interval_time_t interval, const char *word)
{
    line(out, name,
         interval > 0 ? apr_psprintf(out->pool, FMT "ms",
                                     (apr_int64_t)apr_time_as_msec(interval))
                      : word);
}

static void print_limits(cm_buffer_t *out, const cm_settings_t *settings)
{
    line(out, "CommunicatorRequireTLS", settings->require_tls ? "On" : "Off");
    line(out, "CommunicatorMaxBody",
         apr_psprintf(out->pool, FMT, settings->max_body));
    line(out, "CommunicatorBatch",
         apr_psprintf(out->pool, "%d " FMT, settings->batch_messages,
                      settings->batch_bytes));
    line(out, "CommunicatorOnError",
         settings->on_error == CM_ON_ERROR_STOP ? "stop" : "park");
    time_line(out, "CommunicatorExpectEvery", settings->expect_every, "off");
    time_line(out, "CommunicatorRetain", settings->retain, "forever");
}

void cm_settings_print(cm_buffer_t *out, const cm_settings_t *settings)
{
    int i;

    if (settings->name)
        line(out, "CommunicatorName", settings->name);
    if (settings->driver)
        line(out, "DBDriver", settings->driver);
    if (settings->params)
        line(out, "DBDParams",
             apr_pstrcat(out->pool, "\"",
                         cm_settings_print_mask(settings->params, out->pool),
                         "\"", NULL));
    print_limits(out, settings);
    for (i = 0; i < settings->peers->nelts; i++)
        print_peer(
            out, APR_ARRAY_IDX(settings->peers, i, const cm_peer_settings_t *));
    for (i = 0; i < settings->models->nelts; i++)
        print_model(out,
                    APR_ARRAY_IDX(settings->models, i, const cm_model_t *));
}
