/* Values in directives: see option.h. */
#include "config/option.h"

#include <errno.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

const char *const cm_option_answers[] = {"no", "yes", NULL};

/* Return the keys of OPTIONS as "table=, key=". */
static const char *known_keys(const cm_option_t *options, apr_pool_t *pool)
{
    const char *text = apr_pstrcat(pool, options->key, "=", NULL);

    while ((++options)->key)
        text = apr_pstrcat(pool, text, ", ", options->key, "=", NULL);
    return text;
}

/* Return the row of WORD ("key=..."), or NULL. */
static const cm_option_t *find(const cm_option_t *options, const char *word)
{
    const char *equals = strchr(word, '=');
    apr_size_t size = equals ? (apr_size_t)(equals - word) : 0;

    for (; equals && options->key; options++) {
        if (!strncasecmp(options->key, word, size) && !options->key[size])
            return options;
    }
    return NULL;
}

/* A quote within the word would become part of the value. */
static cm_error_t *check_value(const cm_option_t *option, const char *value,
                               apr_pool_t *pool)
{
    if (!*value)
        return CM_FAIL(pool, CM_CONFIG, "option '%s=' has no value",
                       option->key);
    if (*value == '"' || *value == '\'')
        return CM_FAIL(pool, CM_CONFIG,
                       "quotes must enclose the whole word: \"%s=...\"",
                       option->key);
    return NULL;
}

static cm_error_t *set_time(apr_interval_time_t *interval,
                            const cm_option_t *option, const char *value,
                            apr_pool_t *pool)
{
    if (strcasecmp(value, option->words[0]))
        return cm_option_time(interval, value, pool);
    *interval = option->none;
    return NULL;
}

cm_error_t *cm_option_set(void *target, const cm_option_t *option,
                          const char *value, apr_pool_t *pool)
{
    void *field = (char *)target + option->offset;

    switch (option->kind) {
    case CM_OPTION_TEXT:
        if (option->check)
            CM_TRY(option->check(value, pool));
        *(const char **)field = apr_pstrdup(pool, value);
        return NULL;
    case CM_OPTION_NAMES:
        return cm_option_list(*(apr_array_header_t **)field, value, pool);
    case CM_OPTION_WORD:
        return cm_option_choice(field, value, option->words, pool);
    case CM_OPTION_SIZE:
        return cm_option_size(field, value, pool);
    case CM_OPTION_TIME:
        return set_time(field, option, value, pool);
    case CM_OPTION_OWN:
        break;
    }
    return option->take(target, value, pool);
}

static const char *time_text(const cm_option_t *option,
                             apr_interval_time_t interval, apr_pool_t *pool)
{
    if (interval == option->none)
        return option->words[0];
    return apr_psprintf(pool, "%" APR_INT64_T_FMT "ms",
                        (apr_int64_t)apr_time_as_msec(interval));
}

const char *cm_option_text(const void *target, const cm_option_t *option,
                           apr_pool_t *pool)
{
    const void *field = (const char *)target + option->offset;
    const apr_array_header_t *names;

    switch (option->kind) {
    case CM_OPTION_TEXT:
        return *(const char *const *)field;
    case CM_OPTION_NAMES:
        names = *(apr_array_header_t *const *)field;
        return names->nelts ? apr_array_pstrcat(pool, names, ',') : NULL;
    case CM_OPTION_WORD:
        return *(const int *)field || !option->quiet
                   ? option->words[*(const int *)field]
                   : NULL;
    case CM_OPTION_SIZE:
        return apr_psprintf(pool, "%" APR_INT64_T_FMT,
                            *(const apr_int64_t *)field);
    case CM_OPTION_TIME:
        return time_text(option, *(const apr_interval_time_t *)field, pool);
    case CM_OPTION_OWN:
        break;
    }
    return option->print(target, pool);
}

cm_error_t *cm_option_take(void *target, const cm_option_t *options, int count,
                           const char *const *words, apr_pool_t *pool)
{
    const cm_option_t *option;
    apr_uint32_t seen = 0;
    const char *value;
    int i;

    for (i = 0; i < count; i++) {
        if (!(option = find(options, words[i])))
            return CM_FAIL(pool, CM_CONFIG, "unknown option '%s' (known: %s)",
                           words[i], known_keys(options, pool));
        if (seen & (1u << (option - options)))
            return CM_FAIL(pool, CM_CONFIG, "option '%s=' is given twice",
                           option->key);
        seen |= 1u << (option - options);
        value = strchr(words[i], '=') + 1;
        CM_TRY(check_value(option, value, pool));
        CM_TRY_FOR(cm_option_set(target, option, value, pool), pool,
                   "option '%s='", option->key);
    }
    return NULL;
}

const char *cm_option_quoted(const char *word, apr_pool_t *pool)
{
    char *text, *to;

    to = text = apr_palloc(pool, 2 * strlen(word) + 3);
    *to++ = '"';
    for (; *word; word++) {
        if (*word == '"' || *word == '\\')
            *to++ = '\\';
        *to++ = *word;
    }
    *to++ = '"';
    *to = '\0';
    return text;
}

void cm_option_print(cm_buffer_t *out, const void *target,
                     const cm_option_t *options)
{
    for (; options->key; options++) {
        const char *text = cm_option_text(target, options, out->pool);

        if (!text)
            continue;
        text = apr_pstrcat(out->pool, options->key, "=", text, NULL);
        cm_buffer_raw(out, " ");
        cm_buffer_raw(out, strpbrk(text, " \t\"")
                               ? cm_option_quoted(text, out->pool)
                               : text);
    }
}

cm_error_t *cm_option_choice(int *choice, const char *value,
                             const char *const *names, apr_pool_t *pool)
{
    const char *known = "";

    for (*choice = 0; names[*choice]; ++*choice) {
        if (!strcasecmp(names[*choice], value))
            return NULL;
        known =
            apr_pstrcat(pool, known, *known ? ", " : "", names[*choice], NULL);
    }
    return CM_FAIL(pool, CM_CONFIG, "unknown value '%s' (known: %s)", value,
                   known);
}

cm_error_t *cm_option_list(apr_array_header_t *list, const char *value,
                           apr_pool_t *pool)
{
    const char *end;

    for (;; value = end + 1) {
        end = strchr(value, ',');
        if (!end)
            end = value + strlen(value);
        if (end == value)
            return CM_FAIL(pool, CM_CONFIG,
                           "there is an empty name between commas");
        APR_ARRAY_PUSH(list, const char *) =
            apr_pstrmemdup(pool, value, end - value);
        if (!*end)
            return NULL;
    }
}

/* Read the digits that TEXT begins with; *END is behind them, or TEXT itself
 * when there are none or too many. */
static apr_int64_t leading_number(const char *text, const char **end)
{
    char *behind;
    apr_int64_t number;

    *end = text;
    if (!apr_isdigit(*text))
        return 0;
    errno = 0;
    number = apr_strtoi64(text, &behind, 10);
    if (!errno)
        *end = behind;
    return number;
}

cm_error_t *cm_option_number(int *number, const char *value, int least,
                             int most, apr_pool_t *pool)
{
    const char *end;
    apr_int64_t read = leading_number(value, &end);

    if (end == value || *end || read < least || read > most)
        return CM_FAIL(pool, CM_CONFIG, "'%s' is not a number from %d to %d",
                       value, least, most);
    *number = (int)read;
    return NULL;
}

cm_error_t *cm_option_size(apr_int64_t *bytes, const char *value,
                           apr_pool_t *pool)
{
    static const char units[] = "KMG";
    const char *end;
    const char *unit = NULL;
    apr_int64_t read = leading_number(value, &end);
    int shift = 0;

    if (end != value && *end && (unit = strchr(units, apr_toupper(*end)))) {
        shift = 10 * (int)(unit - units + 1);
        end++;
    }
    if (end == value || *end || read < 1 || read > APR_INT64_MAX >> shift)
        return CM_FAIL(pool, CM_CONFIG,
                       "'%s' is not a size (bytes, or with K, M, G: 16M)",
                       value);
    *bytes = read << shift;
    return NULL;
}

static const struct {
    const char *name;
    apr_interval_time_t interval;
} time_units[] = {
    {"ms", APR_USEC_PER_SEC / 1000}, {"s", APR_USEC_PER_SEC},
    {"min", 60 * APR_USEC_PER_SEC},  {"h", 3600 * APR_USEC_PER_SEC},
    {"d", 86400 * APR_USEC_PER_SEC}, {"w", 7 * 86400 * APR_USEC_PER_SEC},
};

cm_error_t *cm_option_time(apr_interval_time_t *interval, const char *value,
                           apr_pool_t *pool)
{
    const char *end;
    apr_int64_t read = leading_number(value, &end);
    apr_size_t i;

    if (end != value && !*end && !read) {
        *interval = 0;
        return NULL;
    }
    if (end != value && !*end)
        return CM_FAIL(pool, CM_CONFIG,
                       "'%s' has no unit: write %ss, %smin, %sh or %sd", value,
                       value, value, value, value);
    for (i = 0; end != value && i < sizeof(time_units) / sizeof(*time_units);
         i++) {
        if (strcasecmp(end, time_units[i].name) ||
            read > APR_INT64_MAX / time_units[i].interval)
            continue;
        *interval = read * time_units[i].interval;
        return NULL;
    }
    return CM_FAIL(pool, CM_CONFIG,
                   "'%s' is not a time (a number with ms, s, min, h, d or w: "
                   "30d)",
                   value);
}

int cm_option_is_node_name(const char *name)
{
    apr_size_t size = strlen(name);

    return size && size <= 255 &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                        "0123456789._-") == size;
}

cm_error_t *cm_option_check_node(const char *name, apr_pool_t *pool)
{
    if (cm_option_is_node_name(name))
        return NULL;
    return CM_FAIL(pool, CM_CONFIG,
                   "'%s' is not a node name (letters, digits, '.', '_', '-')",
                   name);
}

cm_error_t *cm_option_check_file(const char *path, apr_pool_t *pool)
{
    if (*path == '/')
        return NULL;
    return CM_FAIL(pool, CM_CONFIG, "a file must be given by an absolute path");
}

int cm_option_is_model_name(const char *name)
{
    const char *at = name;

    do {
        if (at > name)
            at++;
        if (*at < 'a' || *at > 'z')
            return 0;
        at += strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_");
    } while (*at == '/');
    return !*at && at - name <= 255;
}

cm_error_t *cm_option_check_class(const char *name, apr_pool_t *pool)
{
    const char *at = name;
    int good;

    do {
        if (at > name)
            at += 2;
        good = *at >= 'A' && *at <= 'Z';
        while (apr_isalnum(*at) || *at == '_')
            at++;
    } while (good && !strncmp(at, "::", 2));
    if (good && !*at && at - name <= 255)
        return NULL;
    return CM_FAIL(
        pool, CM_CONFIG,
        "'%s' is not the name of a class, such as Post or Blog::Post", name);
}

cm_error_t *cm_option_check_quotes(const char *value, apr_pool_t *pool)
{
    const char *at;
    int open = 0; /* 1: ", 2: ' */

    for (at = value; *at; at++)
        open ^= *at == '"' ? 1 : *at == '\'' ? 2 : 0;
    if (!open)
        return NULL;
    return cm_error_hint(
        CM_FAIL(pool, CM_CONFIG, "a quote in '%s' is not closed", value), pool,
        "quote the whole option: \"where=status = 'open'\"");
}
