/* Settings as configuration lines: see settings_print.h. */
#include "config/settings_print.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "config/directive.h"
#include "config/directive_internal.h"

/* Return whether the word of SIZE letters at NAME is the name of a password:
 * pass, password, sslpassword, pwd. */
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

/* Append the line of the directive ID, if it has a value. What only the client
 * reads is not printed. */
static void print_value(cm_buffer_t *out, const cm_settings_t *settings,
                        cm_directive_e id)
{
    const cm_directive_t *directive = &cm_directive_table[id];
    const char *text = cm_directive_text(settings, id, out->pool);

    if (!text || directive->reader == CM_READER_CLIENT)
        return;
    if (id == CM_DIRECTIVE_PARAMS)
        text = apr_pstrcat(out->pool, "\"",
                           cm_settings_print_mask(text, out->pool), "\"", NULL);
    cm_buffer_raw(
        out, apr_pstrcat(out->pool, directive->name, " ", text, "\n", NULL));
}

static void print_place(cm_buffer_t *out, const cm_place_t *written)
{
    cm_buffer_raw(out, apr_psprintf(out->pool, "  # %s:%d\n", written->file,
                                    written->line));
}

void cm_settings_print(cm_buffer_t *out, const cm_settings_t *settings)
{
    int i;

    for (i = 0; i < CM_DIRECTIVE_COUNT; i++)
        print_value(out, settings, i);
    for (i = 0; i < settings->peers->nelts; i++) {
        const cm_peer_settings_t *peer =
            APR_ARRAY_IDX(settings->peers, i, const cm_peer_settings_t *);

        cm_directive_peer_print(out, peer);
        print_place(out, &peer->place);
    }
    for (i = 0; i < settings->models->nelts; i++) {
        const cm_model_t *model =
            APR_ARRAY_IDX(settings->models, i, const cm_model_t *);

        cm_directive_model_print(out, model);
        print_place(out, &model->place);
    }
}
