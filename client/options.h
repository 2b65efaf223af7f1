/* The command line. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <apr_tables.h>
#include <apr_time.h>

#include "base/error.h"

struct sync_command_t;

/* The commands that an option belongs to, as bits. */
typedef enum sync_command_bit_e {
    SYNC_FOR_SYNC = 1,
    SYNC_FOR_MIGRATE = 2,
    SYNC_FOR_PUBLISH = 4,
    SYNC_FOR_CONFIGTEST = 8,
    SYNC_FOR_REMOTE = 16, /* commands that talk to the peer */
    SYNC_FOR_EPOCH = 32,
    SYNC_FOR_VERIFY = 64,
    SYNC_FOR_PURGE = 128,
    SYNC_FOR_DRAIN = 256,
    SYNC_FOR_LOCK = 512, /* commands that other runs may hold up */
    SYNC_FOR_STATUS = 1024,
    SYNC_FOR_HISTORY = 2048,
    SYNC_FOR_MODELS = 4096,
    SYNC_FOR_RECOVER = 8192,
    SYNC_FOR_ALL = ~0
} sync_command_bit_e;

/* What to print. */
typedef struct sync_options_print_t {
    int quiet, verbose, json;
    int help, version;
    int dump; /* configtest */
} sync_options_print_t;

/* How a run works: times in seconds. */
typedef struct sync_options_run_t {
    int wait;     /* for the lock */
    int timeout;  /* for one request */
    int max_time; /* for the whole run; 0: no limit */
    int splay;    /* within which the run begins */
    int cron;
    int follow;
} sync_options_run_t;

/* What publish and purge work on. */
typedef struct sync_options_select_t {
    int all;
    int missing; /* of these, only records that no peer has got */
    const char *where;
    apr_interval_time_t older_than; /* 0: not given */
    int force;                      /* also what is not confirmed */
} sync_options_select_t;

/* What migrate does. */
typedef struct sync_options_migrate_t {
    int dry_run, drop_triggers;
} sync_options_migrate_t;

/* How epoch, recover and verify mend what does not fit. */
typedef struct sync_options_mend_t {
    int renew;          /* epoch --new */
    const char *accept; /* epoch --accept */
    int repair;         /* verify --repair ... */
    const char *from;   /* ... --from */
    int yes;            /* recover --yes */
} sync_options_mend_t;

/* What status shows; how it is printed for a monitor, and what it is to warn
 * of. */
typedef struct sync_options_status_t {
    int history, watch;
    int nagios, prometheus;
    apr_interval_time_t warning, critical;
} sync_options_status_t;

/* What history shows; NULL: not given. */
typedef struct sync_options_history_t {
    const char *model, *id, *since, *limit;
} sync_options_history_t;

/* What models proposes, and where that goes. */
typedef struct sync_options_models_t {
    apr_array_header_t *tables; /* const char *: patterns; NULL: all tables */
    const char *write;          /* the file; NULL: stdout */
    int diff, guess;
} sync_options_models_t;

typedef struct sync_options_t {
    const char *config;
    const char *peer; /* NULL: all */
    sync_options_print_t print;
    sync_options_run_t run;
    sync_options_select_t select;
    sync_options_migrate_t migrate;
    sync_options_mend_t mend;
    sync_options_status_t status;
    sync_options_history_t history;
    sync_options_models_t models;
    const struct sync_command_t *command;
    apr_array_header_t *arguments; /* const char *: after the command */
} sync_options_t;

/* Read the words of the command line. Fails with CM_USAGE; *OPTIONS is set even
 * then, so that the error is printed in the form that was asked for. */
cm_error_t *sync_options_read(sync_options_t **options, int argc,
                              const char *const *argv,
                              apr_pool_t *pool) CM_UNUSED_RESULT;

/* Print what --help says, about the command in OPTIONS when there is one. */
void sync_options_help(const sync_options_t *options);

/* Print the versions of the program and of its libraries. */
void sync_options_version(void);

#endif
