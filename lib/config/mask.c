/* Hiding passwords: see mask.h. */
#include "config/mask.h"

#include <string.h>

#include <apr_lib.h>

#include "base/buffer.h"

/* Return whether the SIZE letters at NAME name a password: pass, password,
 * sslpassword, pwd. */
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

/* Return whether "name =" is at AT. */
static int is_name(const char *at)
{
    const char *name = behind_space(at), *end = behind_word(name);

    return end > name && *behind_space(end) == '=';
}

/* Return where the value at AT ends, in the parameters of PostgreSQL or MariaDB
 * or in a URI. In doubt the end is too late: rather hide too much. */
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

/* Return where the password of the URI at AT, "//user:password@host", ends: at
 * its "@"; *BEGIN is where it begins. NULL: it has none. */
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

/* The same for "name=password" at AT, or a URI. */
static const char *secret_of(const char **begin, const char *at)
{
    const char *end = strncmp(at, "//", 2) ? NULL : password_of(begin, at);

    if (end)
        return end;
    end = behind_word(at);
    *begin = behind_space(end);
    if (**begin != '=' || !is_password(at, end - at))
        return NULL;
    *begin = behind_space(*begin + 1);
    return behind_value(*begin);
}

const char *cm_mask_passwords(const char *text, apr_pool_t *pool)
{
    cm_buffer_t *out = cm_buffer_create(strlen(text) + 16, pool);
    const char *end, *secret;

    for (; *text; text = end) {
        end = secret_of(&secret, text);
        if (end) {
            cm_buffer_append(out, text, secret - text);
            cm_buffer_raw(out, "***");
            continue;
        }
        end = behind_word(text);
        end += end == text;
        cm_buffer_append(out, text, end - text);
    }
    cm_buffer_append(out, "", 1);
    return out->data;
}
