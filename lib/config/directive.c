/* The directives: see directive.h. */
#include "config/directive.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "config/action.h"
#include "config/mask.h"
#include "config/model_options.h"
#include "config/option.h"
#include "config/peer_options.h"
#include "config/require_tls.h"

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

/* Copy the word from START to END without the backslashes that escape QUOTE (0:
 * none) or another backslash. */
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

/* Return where the word that starts at START ends: at QUOTE, or if that is 0 at
 * a blank. */
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

/* --- directives with one value --- */

static cm_error_t *take_batch(void *target, const char *value, apr_pool_t *pool)
{
    return cm_option_number(&((cm_settings_t *)target)->batch.messages, value,
                            1, 100000, pool);
}

static const char *print_batch(const void *target, apr_pool_t *pool)
{
    const cm_settings_t *settings = target;

    return apr_psprintf(pool, "%d %" APR_INT64_T_FMT, settings->batch.messages,
                        settings->batch.bytes);
}

static cm_error_t *take_waiters(void *target, const char *value,
                                apr_pool_t *pool)
{
    return cm_option_number(&((cm_settings_t *)target)->waiters, value, 0,
                            100000, pool);
}

static const char *print_waiters(const void *target, apr_pool_t *pool)
{
    return apr_itoa(pool, ((const cm_settings_t *)target)->waiters);
}

/* CommunicatorHistory: the words of cm_history_e, without UNSET. */
static const char *const histories[] = {"packed", "rows", "none", NULL};

static cm_error_t *take_history(void *target, const char *value,
                                apr_pool_t *pool)
{
    int index;

    CM_TRY(cm_option_choice(&index, value, histories, pool));
    ((cm_settings_t *)target)->history = index + CM_HISTORY_PACKED;
    return NULL;
}

static const char *print_history(const void *target, apr_pool_t *pool)
{
    const cm_settings_t *settings = target;

    (void)pool;
    return settings->history == CM_HISTORY_UNSET
               ? NULL
               : histories[settings->history - CM_HISTORY_PACKED];
}

static const char *const on_error[] = {"park", "stop", NULL};
static const char *const off[] = {"off", NULL};
static const char *const forever[] = {"forever", NULL};

/* What the first word of each directive sets. Those without a key are set
 * elsewhere. */
static const cm_option_t values[CM_DIRECTIVE_COUNT] = {
    [CM_DIRECTIVE_NAME] = {CM_OPTION("", TEXT, cm_settings_t, name),
                           .check = cm_option_check_node},
    [CM_DIRECTIVE_DRIVER] = {CM_OPTION("", TEXT, cm_settings_t,
                                       database.driver)},
    [CM_DIRECTIVE_PARAMS] = {CM_OPTION("", TEXT, cm_settings_t,
                                       database.params)},
    [CM_DIRECTIVE_REQUIRE_TLS] = {.key = "",
                                  .kind = CM_OPTION_OWN,
                                  .take = cm_require_tls_take,
                                  .print = cm_require_tls_print},
    [CM_DIRECTIVE_MAX_BODY] = {CM_OPTION("", SIZE, cm_settings_t, max_body)},
    [CM_DIRECTIVE_BATCH] = {.key = "",
                            .kind = CM_OPTION_OWN,
                            .take = take_batch,
                            .print = print_batch},
    [CM_DIRECTIVE_ON_ERROR] = {CM_OPTION("", WORD, cm_settings_t, on_error),
                               .words = on_error},
    [CM_DIRECTIVE_EXPECT_EVERY] = {CM_OPTION("", TIME, cm_settings_t,
                                             expect_every),
                                   .words = off},
    [CM_DIRECTIVE_HISTORY] = {.key = "",
                              .kind = CM_OPTION_OWN,
                              .take = take_history,
                              .print = print_history},
    [CM_DIRECTIVE_RETAIN] = {CM_OPTION("", TIME, cm_settings_t, retain),
                             .words = forever, .none = -1},
    [CM_DIRECTIVE_WAITERS] = {.key = "",
                              .kind = CM_OPTION_OWN,
                              .take = take_waiters,
                              .print = print_waiters},
    [CM_DIRECTIVE_STATE_DIR] = {CM_OPTION("", TEXT, cm_settings_t,
                                          client.state_directory)},
    [CM_DIRECTIVE_RUN_DIR] = {CM_OPTION("", TEXT, cm_settings_t,
                                        client.run_directory)},
    [CM_DIRECTIVE_AFTER_COMMAND] = {CM_OPTION("", TEXT, cm_settings_t,
                                              client.after_command)},
    [CM_DIRECTIVE_NOTIFY_COMMAND] = {CM_OPTION("", TEXT, cm_settings_t,
                                               client.notify_command)},
};

static cm_error_t *set_value(cm_settings_t *settings, cm_directive_e id,
                             int count, const char *const *words,
                             apr_pool_t *pool)
{
    if (!values[id].key)
        return CM_FAIL(pool, CM_INTERNAL, "cannot be set by a value");
    if (!*words[0])
        return CM_FAIL(pool, CM_CONFIG, "the value is empty");
    CM_TRY(cm_option_set(settings, &values[id], words[0], pool));
    if (id == CM_DIRECTIVE_BATCH && count > 1)
        return cm_option_size(&settings->batch.bytes, words[1], pool);
    if (id == CM_DIRECTIVE_REQUIRE_TLS && count > 1)
        return cm_require_tls_trust(settings, count - 1, words + 1, pool);
    return NULL;
}

/* Fail when DIRECTIVE does not take COUNT words. */
static cm_error_t *check_count(const cm_directive_t *directive, int count,
                               apr_pool_t *pool)
{
    if (count >= directive->least &&
        (!directive->most || count <= directive->most))
        return NULL;
    return CM_FAIL(pool, CM_CONFIG, "%s takes %s: %s %s", directive->name,
                   directive->least == 2  ? "two words"
                   : directive->most == 1 ? "one word"
                   : directive->most == 2 ? "one or two words"
                                          : "at least one word",
                   directive->name, directive->usage);
}

cm_error_t *cm_directive_set(cm_settings_t *settings,
                             const cm_directive_t *directive, int count,
                             const char *const *words, cm_place_t place,
                             apr_pool_t *pool)
{
    CM_TRY(check_count(directive, count, pool));
    switch (directive->id) {
    case CM_DIRECTIVE_PEER:
        CM_TRY(cm_peer_options_take(settings, count, words, place, pool));
        break;
    case CM_DIRECTIVE_MODEL:
        CM_TRY(cm_model_options_take(settings, count, words, place, pool));
        break;
    case CM_DIRECTIVE_AFTER_APPLY:
        CM_TRY_FOR(cm_action_take(settings, words, place, pool), pool, "%s",
                   directive->name);
        break;
    default:
        CM_TRY_FOR(set_value(settings, directive->id, count, words, pool), pool,
                   "%s", directive->name);
    }
    settings->given |= 1u << directive->id;
    return NULL;
}

/* --- printing --- */

/* Print the line of the directive ID, if it has a value. */
static void print_value(cm_buffer_t *out, const cm_settings_t *settings,
                        cm_directive_e id)
{
    const char *text = values[id].key
                           ? cm_option_text(settings, &values[id], out->pool)
                           : NULL;

    if (!text)
        return;
    if (id == CM_DIRECTIVE_PARAMS || id == CM_DIRECTIVE_AFTER_COMMAND ||
        id == CM_DIRECTIVE_NOTIFY_COMMAND)
        text = apr_pstrcat(out->pool, "\"", cm_mask_passwords(text, out->pool),
                           "\"", NULL);
    cm_buffer_raw(out, apr_pstrcat(out->pool, cm_directive_table[id].name, " ",
                                   text, "\n", NULL));
}

/* Print the line of the peer or model TARGET, and where it was declared. */
static void print_declaration(cm_buffer_t *out, cm_directive_e id,
                              const char *name, const void *target,
                              const cm_option_t *options, cm_place_t place)
{
    cm_buffer_raw(out, cm_directive_table[id].name);
    cm_buffer_raw(out, " ");
    cm_buffer_raw(out, name);
    cm_option_print(out, target, options);
    cm_buffer_raw(
        out, apr_psprintf(out->pool, "  # %s:%d\n", place.file, place.line));
}

void cm_directive_print(cm_buffer_t *out, const cm_settings_t *settings,
                        int client)
{
    int i;

    for (i = 0; i < CM_DIRECTIVE_COUNT; i++)
        if (client || cm_directive_table[i].reader != CM_READER_CLIENT)
            print_value(out, settings, i);
    for (i = 0; i < settings->peers->nelts; i++) {
        const cm_peer_settings_t *peer =
            APR_ARRAY_IDX(settings->peers, i, const cm_peer_settings_t *);

        print_declaration(out, CM_DIRECTIVE_PEER, peer->name, peer,
                          cm_peer_options, peer->place);
    }
    for (i = 0; i < settings->models->nelts; i++) {
        const cm_model_t *model =
            APR_ARRAY_IDX(settings->models, i, const cm_model_t *);

        print_declaration(out, CM_DIRECTIVE_MODEL, model->name, model,
                          cm_model_options, model->place);
    }
    cm_action_print(out, cm_directive_table[CM_DIRECTIVE_AFTER_APPLY].name,
                    settings);
}
