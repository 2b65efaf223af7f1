/* The command line. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <apr_tables.h>
#include <apr_time.h>

#include "base/error.h"

struct sync_command_t;

/* The commands that an option belongs to, as bits. */
typedef enum sync_command_bit_e {
    CM_FOR_SYNC = 1,
    CM_FOR_MIGRATE = 2,
    CM_FOR_PUBLISH = 4,
    CM_FOR_CONFIGTEST = 8,
    CM_FOR_REMOTE = 16, /* commands that talk to the peer */
    CM_FOR_EPOCH = 32,
    CM_FOR_VERIFY = 64,
    CM_FOR_PURGE = 128,
    CM_FOR_DRAIN = 256,
    CM_FOR_LOCK = 512, /* commands that other runs may hold up */
    CM_FOR_STATUS = 1024,
    CM_FOR_ALL = ~0
} sync_command_bit_e;

/* What to print. */
typedef struct sync_print_t {
    int quiet, verbose, json;
    int help, version;
    int dump; /* configtest */
} sync_print_t;

/* How a run works: times in seconds. */
typedef struct sync_run_t {
    int wait;     /* for the lock */
    int timeout;  /* for one request */
    int max_time; /* for the whole run; 0: any */
    int splay;    /* within which the run begins */
    int cron;
} sync_run_t;

/* What publish and purge work on. */
typedef struct sync_select_t {
    int all;
    const char *where;
    apr_interval_time_t older_than; /* 0: not given */
    int force;                      /* also what is not confirmed */
} sync_select_t;

/* What migrate does. */
typedef struct sync_migrate_t {
    int dry_run, drop_triggers;
} sync_migrate_t;

/* How epoch and verify mend what does not fit. */
typedef struct sync_mend_t {
    int renew;          /* epoch --new */
    const char *accept; /* epoch --accept */
    int repair;         /* verify --repair ... */
    const char *from;   /* ... --from */
} sync_mend_t;

/* How status is printed for a monitor, and what it is to warn of. */
typedef struct sync_status_t {
    int nagios, prometheus;
    apr_interval_time_t warning, critical;
} sync_status_t;

typedef struct sync_options_t {
    const char *config;
    const char *peer; /* NULL: all */
    sync_print_t print;
    sync_run_t run;
    sync_select_t select;
    sync_migrate_t migrate;
    sync_mend_t mend;
    sync_status_t status;
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
