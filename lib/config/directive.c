/* Lines into words, words into settings: see directive.h. */
#include "config/directive.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "config/directive_take.h"
#include "config/option.h"

const cm_directive_t cm_directive_table[CM_DIRECTIVE_COUNT] = {
#define CM_DIRECTIVE(id, name, reader, least, most, usage, help)               \
    {CM_DIRECTIVE_##id, name, CM_READER_##reader, least, most, usage, help},
#include "config/directives.h"
#undef CM_DIRECTIVE
};

const cm_directive_t *cm_directive_find(const char *name)
{
    int i;

    for (i = 0; i < CM_DIRECTIVE_COUNT; i++) {
        if (!strcasecmp(cm_directive_table[i].name, name))
            return &cm_directive_table[i];
    }
    return NULL;
}

const char *cm_directive_names(apr_pool_t *pool)
{
    const char *names = cm_directive_table[0].name;
    int i;

    for (i = 1; i < CM_DIRECTIVE_COUNT; i++)
        names =
            apr_pstrcat(pool, names, ", ", cm_directive_table[i].name, NULL);
    return names;
}

/* Copy the word from START to END; within QUOTE (0: none) a backslash goes
 * before that quote, and always before another backslash. */
static const char *unescape(const char *start, const char *end, char quote,
                            apr_pool_t *pool)
{
    char *word = apr_palloc(pool, end - start + 1);
    char *to = word;

    while (start < end) {
        if (*start == '\\' && start + 1 < end &&
            (start[1] == '\\' || (quote && start[1] == quote)))
            start++;
        *to++ = *start++;
    }
    *to = '\0';
    return word;
}

/* Return where the word that starts at START ends: at its QUOTE, or (0) at a
 * blank. */
static const char *word_end(const char *start, char quote)
{
    if (!quote) {
        while (*start && !apr_isspace(*start))
            start++;
        return start;
    }
    while (*start && *start != quote) {
        if (*start == '\\' && (start[1] == quote || start[1] == '\\'))
            start++;
        start++;
    }
    return start;
}

cm_error_t *cm_directive_words(apr_array_header_t **words, const char *line,
                               apr_pool_t *pool)
{
    const char *end;
    char quote;

    *words = apr_array_make(pool, 4, sizeof(const char *));
    for (;;) {
        while (apr_isspace(*line))
            line++;
        if (!*line)
            return NULL;
        quote = *line == '"' || *line == '\'' ? *line++ : '\0';
        end = word_end(line, quote);
        if (quote && !*end)
            return CM_FAIL(pool, CM_CONFIG,
                           "the quote before '%s' is not "
                           "closed",
                           line);
        APR_ARRAY_PUSH(*words, const char *) = unescape(line, end, quote, pool);
        line = quote ? end + 1 : end;
    }
}

/* Fail when DIRECTIVE does not take COUNT words. */
static cm_error_t *check_count(const cm_directive_t *directive, int count,
                               apr_pool_t *pool)
{
    if (count >= directive->least &&
        (!directive->most || count <= directive->most))
        return NULL;
    return CM_FAIL(pool, CM_CONFIG, "%s takes %s: %s %s", directive->name,
                   directive->most == 1   ? "one word"
                   : directive->most == 2 ? "one or two words"
                                          : "a name and options",
                   directive->name, directive->usage);
}

/* Take the words of one of the directives that set a limit or a habit. */
static cm_error_t *set_habit(cm_settings_t *settings, cm_directive_e id,
                             int count, const char *const *words,
                             apr_pool_t *pool)
{
    static const char *const flags[] = {"Off", "On", NULL};
    static const char *const on_error[] = {"park", "stop", NULL};
    int choice = 0;

    switch (id) {
    case CM_DIRECTIVE_REQUIRE_TLS:
        return cm_option_choice(&settings->require_tls, words[0], flags, pool);
    case CM_DIRECTIVE_MAX_BODY:
        return cm_option_size(&settings->max_body, words[0], pool);
    case CM_DIRECTIVE_BATCH:
        CM_TRY(cm_option_number(&settings->batch_messages, words[0], 1, 100000,
                                pool));
        if (count > 1)
            CM_TRY(cm_option_size(&settings->batch_bytes, words[1], pool));
        return NULL;
    case CM_DIRECTIVE_ON_ERROR:
        CM_TRY(cm_option_choice(&choice, words[0], on_error, pool));
        settings->on_error = choice ? CM_ON_ERROR_STOP : CM_ON_ERROR_PARK;
        return NULL;
    case CM_DIRECTIVE_EXPECT_EVERY:
        settings->expect_every = 0;
        return strcasecmp(words[0], "off")
                   ? cm_option_time(&settings->expect_every, words[0], pool)
                   : NULL;
    case CM_DIRECTIVE_RETAIN:
        settings->retain = -1;
        return strcasecmp(words[0], "forever")
                   ? cm_option_time(&settings->retain, words[0], pool)
                   : NULL;
    default:
        return CM_FAIL(pool, CM_INTERNAL, "%s is not taken here",
                       cm_directive_table[id].name);
    }
}

/* Return the member that holds the one word of directive ID, or NULL. */
static const char **text_of(cm_settings_t *settings, cm_directive_e id)
{
    switch (id) {
    case CM_DIRECTIVE_NAME:
        return &settings->name;
    case CM_DIRECTIVE_DRIVER:
        return &settings->driver;
    case CM_DIRECTIVE_PARAMS:
        return &settings->params;
    case CM_DIRECTIVE_STATE_DIR:
        return &settings->state_directory;
    case CM_DIRECTIVE_RUN_DIR:
        return &settings->run_directory;
    case CM_DIRECTIVE_NOTIFY_COMMAND:
        return &settings->notify_command;
    default:
        return NULL;
    }
}

/* Take the one WORD of a directive that holds text. */
static cm_error_t *set_text(const char **text, const cm_directive_t *directive,
                            const char *word, apr_pool_t *pool)
{
    if (!*word)
        return CM_FAIL(pool, CM_CONFIG, "%s is empty", directive->name);
    if (directive->id == CM_DIRECTIVE_NAME && !cm_option_is_node_name(word))
        return CM_FAIL(pool, CM_CONFIG,
                       "'%s' is not a node's name (letters, digits, '.', "
                       "'_', '-')",
                       word);
    *text = apr_pstrdup(pool, word);
    return NULL;
}

cm_error_t *cm_directive_set(cm_settings_t *settings,
                             const cm_directive_t *directive, int count,
                             const char *const *words, cm_place_t place,
                             apr_pool_t *pool)
{
    const char **text = text_of(settings, directive->id);

    CM_TRY(check_count(directive, count, pool));
    if (text)
        CM_TRY(set_text(text, directive, words[0], pool));
    else if (directive->id == CM_DIRECTIVE_PEER)
        CM_TRY(cm_directive_peer_take(settings, count, words, place, pool));
    else if (directive->id == CM_DIRECTIVE_MODEL)
        CM_TRY(cm_directive_model_take(settings, count, words, place, pool));
    else
        CM_TRY_FOR(set_habit(settings, directive->id, count, words, pool), pool,
                   "%s", directive->name);
    settings->given |= 1u << directive->id;
    return NULL;
}
