/* --follow: a process that stays. It makes cycles, each of them a run as cron
 * starts it, as soon as there is a reason: something was committed here, a peer
 * says that it has something (listen.h), or a minute has passed. Connections
 * are kept from cycle to cycle; the lock of a peer is not, so that other runs
 * may do some of the work. */
#ifndef FOLLOW_H
#define FOLLOW_H

#include "exchange/met.h"
#include "client.h"

/* A peer, and how the last cycle with it went. */
typedef struct sync_cycle_peer_t {
    const cm_peer_settings_t *settings;
    int skip;                 /* not in this cycle */
    int busy;                 /* another run was at work with it */
    int failed;               /* ... with an error ... */
    apr_time_t failing_since; /* ... and so did those since then */
    apr_int64_t moved;
    apr_int64_t confirmed, received; /* as in its row; 0: not known */
    cm_met_t met; /* what is remembered of it, since no cycle has failed */
} sync_cycle_peer_t;

/* One cycle, or the only run. */
typedef struct sync_cycle_t {
    apr_array_header_t *peers; /* sync_cycle_peer_t */
    int directions;            /* CM_RUN_PUSH, CM_RUN_PULL */
    int full;   /* with all that a run does, once a minute; else only what
                   cannot wait */
    int failed; /* no peer could be served ... */
    apr_time_t failing_since; /* ... since then; 0: it could */
} sync_cycle_t;

/* Make CYCLE with CLIENT, whose pool lasts for one cycle. */
typedef void (*sync_follow_cycle_t)(sync_client_t *client, sync_cycle_t *cycle);

/* Make cycles of CYCLE by RUN, until a signal or --max-time ends that. *AGAIN:
 * SIGHUP did, and the configuration has no error. Fails with CM_INTERNAL. */
cm_error_t *sync_follow(int *again, sync_client_t *client, sync_cycle_t *cycle,
                        sync_follow_cycle_t run) CM_UNUSED_RESULT;

/* Become the program that is installed now, with the configuration of now.
 * Returns only when a signal has asked to end, or with CM_FILE when it fails.
 */
cm_error_t *sync_follow_again(const sync_client_t *client) CM_UNUSED_RESULT;

#endif
