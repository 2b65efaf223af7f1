/* The command line: see options.h. */
#include "options.h"

#include <stdio.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_version.h>
#include <apu_version.h>
#include <json.h>

#include "config/option.h"
#include "command.h"
#include "http.h"
#include "suggest.h"

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

#define DEFAULT_CONFIG  "/etc/communicator/communicator.conf"
#define DEFAULT_TIMEOUT 120
#define MOST_SECONDS    86400

typedef enum kind_e {
    FLAG,
    TEXT,
    LIST, /* may be given several times */
    SECONDS,
    AGE
} kind_e;

typedef struct option_t {
    const char *name;
    char letter; /* 0: none */
    kind_e kind;
    const char *argument; /* for help; NULL: none */
    size_t member;
    int bits; /* sync_command_bit_e */
    const char *help;
} option_t;

#define MEMBER(name) offsetof(sync_options_t, name)

static const option_t known[] = {
    {"config", 'c', TEXT, "FILE", MEMBER(config), SYNC_FOR_ALL,
     "read FILE; default " DEFAULT_CONFIG},
    {"peer", 'p', TEXT, "NAME", MEMBER(peer), SYNC_FOR_ALL,
     "only this peer; default all"},
    {"quiet", 'q', FLAG, NULL, MEMBER(print.quiet), SYNC_FOR_ALL,
     "print nothing unless something is wrong"},
    {"verbose", 'v', FLAG, NULL, MEMBER(print.verbose), SYNC_FOR_ALL,
     "print more, also when not on a terminal"},
    {"json", 0, FLAG, NULL, MEMBER(print.json), SYNC_FOR_ALL,
     "results and errors as JSON, a line each"},
    {"wait", 'w', SECONDS, "TIME", MEMBER(run.wait),
     SYNC_FOR_SYNC | SYNC_FOR_EPOCH | SYNC_FOR_LOCK,
     "wait this long for another run to end; default 0"},
    {"timeout", 't', SECONDS, "TIME", MEMBER(run.timeout),
     SYNC_FOR_SYNC | SYNC_FOR_REMOTE,
     "longest time for one request; default 120s"},
    {"max-time", 0, SECONDS, "TIME", MEMBER(run.max_time),
     SYNC_FOR_SYNC | SYNC_FOR_DRAIN,
     "end after TIME, between two batches; default never"},
    {"splay", 0, SECONDS, "TIME", MEMBER(run.splay), SYNC_FOR_SYNC,
     "wait up to TIME first, always the same on one host"},
    {"cron", 0, FLAG, NULL, MEMBER(run.cron), SYNC_FOR_SYNC,
     "report a problem once, remind once a day, and report its end"},
    {"follow", 'f', FLAG, NULL, MEMBER(run.follow), SYNC_FOR_SYNC,
     "stay, and move what changes within a moment"},
    {"history", 0, FLAG, NULL, MEMBER(status.history), SYNC_FOR_STATUS,
     "list the last runs, 20 or NUMBER of them"},
    {"watch", 0, FLAG, NULL, MEMBER(status.watch), SYNC_FOR_STATUS,
     "show it again every 2s, or every TIME, until q"},
    {"nagios", 0, FLAG, NULL, MEMBER(status.nagios), SYNC_FOR_STATUS,
     "as a plugin: one line, exit status 0 to 3"},
    {"warning", 0, AGE, "AGE", MEMBER(status.warning), SYNC_FOR_STATUS,
     "with --nagios: last contact, oldest message; 10min"},
    {"critical", 0, AGE, "AGE", MEMBER(status.critical), SYNC_FOR_STATUS,
     "as --warning, for critical; default 30min"},
    {"prometheus", 0, FLAG, NULL, MEMBER(status.prometheus), SYNC_FOR_STATUS,
     "as text for node_exporter's textfile collector"},
    {"older-than", 0, AGE, "AGE", MEMBER(select.older_than), SYNC_FOR_PURGE,
     "remove what is older, as 30d; CommunicatorRetain"},
    {"force", 0, FLAG, NULL, MEMBER(select.force), SYNC_FOR_PURGE,
     "remove also what a peer has not confirmed"},
    {"dry-run", 'n', FLAG, NULL, MEMBER(migrate.dry_run), SYNC_FOR_MIGRATE,
     "show the SQL and change nothing"},
    {"drop-triggers", 0, FLAG, NULL, MEMBER(migrate.drop_triggers),
     SYNC_FOR_MIGRATE, "before columns are dropped: only drop the triggers"},
    {"all", 'a', FLAG, NULL, MEMBER(select.all),
     SYNC_FOR_PUBLISH | SYNC_FOR_PURGE,
     "every record of the model; purge: of any age"},
    {"missing", 0, FLAG, NULL, MEMBER(select.missing), SYNC_FOR_PUBLISH,
     "with --all: only those that were never sent"},
    {"where", 0, TEXT, "SQL", MEMBER(select.where), SYNC_FOR_PUBLISH,
     "the records for which this condition holds"},
    {"model", 0, TEXT, "MODEL", MEMBER(history.model), SYNC_FOR_HISTORY,
     "only messages of this model"},
    {"id", 0, TEXT, "ID", MEMBER(history.id), SYNC_FOR_HISTORY,
     "with --model: only those of the record with this key"},
    {"since", 0, TEXT, "TIME", MEMBER(history.since), SYNC_FOR_HISTORY,
     "only newer ones: 2h, or a date and time in UTC"},
    {"limit", 0, TEXT, "NUMBER", MEMBER(history.limit), SYNC_FOR_HISTORY,
     "as many as this, the newest; default 100"},
    {"dump", 0, FLAG, NULL, MEMBER(print.dump), SYNC_FOR_CONFIGTEST,
     "show what is in force, passwords masked"},
    {"table", 0, LIST, "PATTERN", MEMBER(models.tables), SYNC_FOR_MODELS,
     "only tables of such names, as 'shop_*'; repeatable"},
    {"write", 0, TEXT, "FILE", MEMBER(models.write), SYNC_FOR_MODELS,
     "write the lines to FILE, which declares nothing yet"},
    {"guess", 0, FLAG, NULL, MEMBER(models.guess), SYNC_FOR_MODELS,
     "take references from the names of columns, too"},
    {"diff", 0, FLAG, NULL, MEMBER(models.diff), SYNC_FOR_MODELS,
     "show what the configuration lacks, and what is gone"},
    {"new", 0, FLAG, NULL, MEMBER(mend.renew), SYNC_FOR_EPOCH,
     "this database was restored or created again"},
    {"accept", 0, TEXT, "PEER", MEMBER(mend.accept), SYNC_FOR_EPOCH,
     "that peer's database was restored or created again"},
    {"yes", 'y', FLAG, NULL, MEMBER(mend.yes), SYNC_FOR_RECOVER, "do not ask"},
    {"repair", 0, FLAG, NULL, MEMBER(mend.repair), SYNC_FOR_VERIFY,
     "publish again what differs"},
    {"from", 0, TEXT, "SIDE", MEMBER(mend.from), SYNC_FOR_VERIFY,
     "with --repair: SIDE's name; what only it has is right"},
    {"help", 'h', FLAG, NULL, MEMBER(print.help), SYNC_FOR_ALL,
     "show this help"},
    {"version", 'V', FLAG, NULL, MEMBER(print.version), SYNC_FOR_ALL,
     "show the versions"},
};

#define KNOWN ((int)(sizeof(known) / sizeof(*known)))

/* Find the option of that name, or (NULL) of that letter. */
static const option_t *find(const char *name, size_t size, char letter)
{
    int i;

    for (i = 0; i < KNOWN; i++)
        if (name ? strlen(known[i].name) == size &&
                       strncmp(known[i].name, name, size) == 0
                 : known[i].letter == letter)
            return &known[i];
    return NULL;
}

static cm_error_t *usage(apr_pool_t *pool, const char *format, const char *word)
{
    return cm_error_hint(CM_FAIL(pool, CM_USAGE, format, word), pool,
                         "communicator-sync --help");
}

/* WORD, a KIND of word, is not known: say which one may be meant. */
static cm_error_t *unknown(apr_pool_t *pool, const char *kind,
                           const sync_suggestion_t *suggestion)
{
    cm_error_t *err =
        CM_FAIL(pool, CM_USAGE, "unknown %s '%s'", kind, suggestion->word);

    if (!suggestion->nearest)
        return cm_error_hint(err, pool, "communicator-sync --help");
    return cm_error_hint(
        err, pool,
        apr_psprintf(pool, "did you mean '%s'?", suggestion->nearest));
}

static cm_error_t *unknown_command(const char *word, apr_pool_t *pool)
{
    sync_suggestion_t suggestion = {.word = word};
    const sync_command_t *command;

    for (command = sync_commands; command->name; command++)
        sync_suggest(&suggestion, command->name);
    return unknown(pool, "command", &suggestion);
}

static cm_error_t *unknown_option(const char *word, apr_pool_t *pool)
{
    sync_suggestion_t suggestion = {
        .word = apr_pstrmemdup(pool, word, strcspn(word, "="))};
    int i;

    for (i = 0; i < KNOWN; i++)
        sync_suggest(&suggestion, apr_pstrcat(pool, "--", known[i].name, NULL));
    return unknown(pool, "option", &suggestion);
}

/* Read the time VALUE of OPTION into MEMBER. */
static cm_error_t *set_time(void *member, const option_t *option,
                            const char *value, apr_pool_t *pool)
{
    apr_interval_time_t time;
    cm_error_t *err = cm_option_time(&time, value, pool);

    if (err)
        return usage(
            pool, "%s",
            apr_psprintf(pool, "--%s: %s", option->name, err->message));
    if (option->kind == AGE) {
        *(apr_interval_time_t *)member = time;
        return NULL;
    }
    if (time > apr_time_from_sec(MOST_SECONDS))
        return usage(pool, "'%s' is more than a day", value);
    /* Rounded up: less than a second is not 0. */
    *(int *)member = (int)apr_time_sec(time + APR_USEC_PER_SEC - 1);
    return NULL;
}

static cm_error_t *set(sync_options_t *options, const option_t *option,
                       const char *value, apr_pool_t *pool)
{
    char *member = (char *)options + option->member;

    if (option->kind == FLAG) {
        *(int *)(void *)member = 1;
        return NULL;
    }
    if (option->kind == TEXT) {
        *(const char **)(void *)member = value;
        return NULL;
    }
    if (option->kind == LIST) {
        apr_array_header_t **list = (apr_array_header_t **)(void *)member;

        if (!*list)
            *list = apr_array_make(pool, 4, sizeof(const char *));
        APR_ARRAY_PUSH(*list, const char *) = value;
        return NULL;
    }
    CM_TRY(set_time(member, option, value, pool));
    if (strcmp(option->name, "older-than") == 0 && !options->select.older_than)
        return usage(pool, "--older-than %s is --all", value);
    return NULL;
}

/* Read the option at *I, and the next word when that is its argument. */
static cm_error_t *take(sync_options_t *options, apr_array_header_t *used,
                        int *i, int argc, const char *const *argv,
                        apr_pool_t *pool)
{
    const char *word = argv[*i], *value = NULL;
    const option_t *option;

    if (word[1] == '-') {
        value = strchr(word, '=');
        option = find(word + 2, strcspn(word + 2, "="), 0);
    }
    else {
        option = find(NULL, 0, word[1]);
        value = word[2] ? word + 1 : NULL;
    }
    if (!option || (value && !option->argument))
        return unknown_option(word, pool);
    if (value)
        value++;
    else if (option->argument) {
        if (*i + 1 == argc)
            return usage(pool, "option '%s' needs a value", word);
        value = argv[++*i];
    }
    APR_ARRAY_PUSH(used, const option_t *) = option;
    return set(options, option, value, pool);
}

static cm_error_t *check(const sync_options_t *options,
                         const apr_array_header_t *used, apr_pool_t *pool)
{
    const sync_command_t *command = options->command;
    int i;

    if (options->print.help || options->print.version)
        return NULL;
    for (i = 0; i < used->nelts; i++) {
        const option_t *option = APR_ARRAY_IDX(used, i, const option_t *);

        if (option->bits != SYNC_FOR_ALL && !(option->bits & command->bits))
            return CM_FAIL(pool, CM_USAGE, "%s has no option '--%s'",
                           command->name, option->name);
    }
    if (command->arguments_max >= 0 &&
        options->arguments->nelts > command->arguments_max)
        return CM_FAIL(pool, CM_USAGE, "%s takes no '%s'", command->name,
                       APR_ARRAY_IDX(options->arguments, command->arguments_max,
                                     const char *));
    if (options->print.quiet && options->print.verbose)
        return usage(pool, "%s", "--quiet and --verbose exclude each other");
    if (options->run.timeout < 1)
        return usage(pool, "%s", "--timeout must be at least 1s");
    return NULL;
}

/* The command "help" is another way to say --help. */
static cm_error_t *take_help(sync_options_t *options, apr_pool_t *pool)
{
    const char *name = options->arguments->nelts
                           ? APR_ARRAY_IDX(options->arguments, 0, const char *)
                           : NULL;

    options->print.help = 1;
    options->command = name ? sync_command_find(name) : NULL;
    return name && !options->command ? unknown_command(name, pool) : NULL;
}

cm_error_t *sync_options_read(sync_options_t **options, int argc,
                              const char *const *argv, apr_pool_t *pool)
{
    sync_options_t *made = apr_pcalloc(pool, sizeof(*made));
    apr_array_header_t *used = apr_array_make(pool, 8, sizeof(option_t *));
    cm_error_t *err = NULL, *failed = NULL;
    int i, only_words = 0;

    *options = made;
    made->config = DEFAULT_CONFIG;
    made->run.timeout = DEFAULT_TIMEOUT;
    made->status.warning = apr_time_from_sec(600);
    made->status.critical = apr_time_from_sec(1800);
    made->arguments = apr_array_make(pool, 8, sizeof(const char *));
    for (i = 1; i < argc; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0)
            only_words = 1;
        else if (!only_words && argv[i][0] == '-' && argv[i][1])
            failed = take(made, used, &i, argc, argv, pool);
        else if (made->command)
            APR_ARRAY_PUSH(made->arguments, const char *) = argv[i];
        else if ((made->command = sync_command_find(argv[i])) == NULL)
            failed = unknown_command(argv[i], pool);
        if (!err)
            err = failed;
    }
    CM_TRY(err);
    if (!made->command && !made->print.help)
        made->command = &sync_commands[0];
    CM_TRY(check(made, used, pool));
    return made->command && !made->command->run && !made->print.help
               ? take_help(made, pool)
               : NULL;
}

static void help_options(int bits)
{
    int i;

    for (i = 0; i < KNOWN; i++) {
        const option_t *option = &known[i];
        char text[40], letter[8] = "    ";

        if (bits != SYNC_FOR_ALL && option->bits != SYNC_FOR_ALL &&
            !(option->bits & bits))
            continue;
        if (option->letter)
            snprintf(letter, sizeof(letter), "-%c, ", option->letter);
        snprintf(text, sizeof(text), "%s--%s%s%s", letter, option->name,
                 option->argument ? " " : "",
                 option->argument ? option->argument : "");
        printf("  %-20s %s\n", text, option->help);
    }
}

void sync_options_help(const sync_options_t *options)
{
    const sync_command_t *command = options->command;

    if (command) {
        printf("usage: communicator-sync [OPTION...] %s%s%s\n\n%s\n%s%s",
               command->name, *command->arguments ? " " : "",
               command->arguments, command->help, command->more,
               "\nOptions:\n");
        help_options(command->bits);
        return;
    }
    printf("usage: communicator-sync [OPTION...] [COMMAND]\n\n"
           "Keeps records of two databases in sync: pushes what changed here "
           "to a peer,\nand pulls what changed there.\n\nCommands:\n");
    for (command = sync_commands; command->name; command++) {
        char text[64];

        snprintf(text, sizeof(text), "%s%s%s", command->name,
                 *command->arguments ? " " : "", command->arguments);
        printf("  %-46s %s\n", text, command->help);
    }
    printf("\nOptions:\n");
    help_options(SYNC_FOR_ALL);
    printf("\nExit status is one of sysexits(3): 0 done, 64 usage, 65 data, "
           "69 nothing there,\n70 database or internal, 74 file, 75 try again "
           "later, 76 protocol, 77 refused,\n78 configuration.\n"
           "More in communicator-sync(8).\n");
}

void sync_options_version(void)
{
    printf("communicator-sync %s\nprotocol 2, and that of the gem of 2010\n"
           "apr %s\napr-util %s\njson-c %s\n%s\n",
           PACKAGE_VERSION, apr_version_string(), apu_version_string(),
           json_c_version(), sync_http_version());
}
