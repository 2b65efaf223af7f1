/* A process that stays: see follow.h. */
#include "follow.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "config/config_file.h"
#include "outbox/waiting.h"
#include "exchange/run.h"
#include "http.h"
#include "listen.h"
#include "service.h"
#include "stop.h"

/* A full cycle is made that often: retries, purges, alerts. */
#define FULL_EVERY apr_time_from_sec(60)

/* How often the outbox is looked at: after something has moved, and later. */
#define BUSY_TIME  apr_time_from_sec(60)
#define BUSY_PAUSE apr_time_from_msec(10)
#define CALM_PAUSE apr_time_from_msec(250)

/* When a reason turns out to be none, the next one has to wait: this long at
 * first, at most. */
#define LEAST_HOLD apr_time_from_msec(20)
#define MOST_HOLD  apr_time_from_sec(1)

/* After a cycle that has moved something, the next one waits that many times as
 * long as it took, at most: so many changes cost few cycles, and the
 * application keeps the machine. */
#define REST_TIMES 10
#define MOST_REST  apr_time_from_msec(70)

/* What a peer holds is noted when nothing has moved for so long, if there was
 * no other transaction to note it. */
#define NOTE_AFTER apr_time_from_sec(1)

/* A peer, or the database, that fails is tried again after 1, 2, 4 ... 60
 * seconds. */
#define MOST_DELAY 60

typedef struct delay_t {
    int failures; /* in a row */
    apr_time_t next;
} delay_t;

typedef struct follow_t {
    sync_client_t *client;
    sync_cycle_t *cycle;
    sync_follow_cycle_t run;
    sync_listen_t **listens; /* one per peer */
    delay_t *delays;         /* one per peer */
    delay_t delay;           /* of the database */
    sync_client_t keeper;    /* has the node; its pool is that of the
                                connection to the database */
    apr_time_t full_at;      /* when the next full cycle is due */
    apr_time_t moved_at;     /* when something has moved */
    apr_time_t held_until;
    apr_interval_time_t hold;
    apr_int64_t seen;   /* only numbers above this one are a reason */
    int again;          /* it ends to begin again */
    int directions;     /* of a full cycle */
    int reasons;        /* the directions in which something waits */
    apr_pool_t *pool;   /* of one cycle */
    apr_pool_t *looked; /* of one look */
} follow_t;

static sync_cycle_peer_t *peer_of(const follow_t *follow, int i)
{
    return &APR_ARRAY_IDX(follow->cycle->peers, i, sync_cycle_peer_t);
}

static void note(delay_t *delay, int failed)
{
    int seconds = 1;

    if (!failed) {
        delay->failures = 0;
        delay->next = 0;
        return;
    }
    while (seconds < MOST_DELAY && seconds < 1 << delay->failures)
        seconds *= 2;
    if (seconds >= MOST_DELAY)
        seconds = MOST_DELAY;
    else
        delay->failures++;
    delay->next = apr_time_now() + apr_time_from_sec(seconds);
}

static void disconnect(follow_t *follow)
{
    apr_pool_clear(follow->keeper.pool);
    follow->keeper.store = NULL;
    follow->keeper.node = NULL;
}

/* Open the node, or read again what may have changed. If that fails, the cycle
 * tries it, too, and reports why. */
static void connect_node(follow_t *follow)
{
    apr_int64_t last = 0;
    cm_error_t *err = sync_client_node(&follow->keeper);

    if (!err) {
        cm_node_renew(follow->keeper.node);
        err = cm_node_refresh(&last, follow->keeper.node, follow->pool);
    }
    if (err)
        disconnect(follow);
    else if (last > follow->seen && follow->cycle->directions & CM_RUN_PUSH)
        follow->seen = last;
}

/* Let the next cycle wait after one that began at BEGAN, and did something or,
 * if not USEFUL, had no reason at all. */
static void hold(follow_t *follow, apr_time_t began, int useful)
{
    const apr_time_t now = apr_time_now();
    const apr_interval_time_t rest = REST_TIMES * (now - began);
    const apr_interval_time_t twice = 2 * follow->hold;

    if (useful) {
        follow->hold = 0;
        follow->held_until = now + (rest < MOST_REST ? rest : MOST_REST);
        return;
    }
    follow->hold = twice < LEAST_HOLD  ? LEAST_HOLD
                   : twice > MOST_HOLD ? MOST_HOLD
                                       : twice;
    follow->held_until = now + follow->hold;
}

/* Return whether a peer holds more than its row says. */
static int has_unnoted(const follow_t *follow)
{
    int i;

    for (i = 0; i < follow->cycle->peers->nelts; i++) {
        const sync_cycle_peer_t *peer = peer_of(follow, i);

        if (!follow->delays[i].next && peer->met.held > peer->met.confirmed)
            return 1;
    }
    return 0;
}

/* Learn from the cycle that began at BEGAN: what is no reason for another, and
 * who is not asked for a while. */
static void learn(follow_t *follow, apr_time_t began, int status)
{
    apr_int64_t moved = 0;
    int i, busy = 0, failed = follow->cycle->failed;

    note(&follow->delay, failed);
    for (i = 0; i < follow->cycle->peers->nelts; i++) {
        const sync_cycle_peer_t *peer = peer_of(follow, i);

        if (peer->skip)
            continue;
        moved += peer->moved;
        busy |= peer->busy;
        failed |= peer->failed;
        note(&follow->delays[i], peer->failed);
        if (peer->confirmed > follow->seen)
            follow->seen = peer->confirmed;
        if (peer->met.held > follow->seen)
            follow->seen = peer->met.held;
    }
    if (failed)
        disconnect(follow);
    if (moved)
        follow->moved_at = apr_time_now();
    hold(follow, began, moved || (follow->cycle->full && !busy));
    /* What needs a person is found in full by a full cycle. */
    if (status && !follow->cycle->full)
        follow->full_at = 0;
    sync_service_notify(failed   ? "STATUS=a peer or the database is away"
                        : status ? "STATUS=messages need attention"
                                 : "STATUS=all is well");
}

/* Say which peers are served, and how: those that failed, and all of them once
 * a minute, with all that a run does. */
static void plan(follow_t *follow)
{
    sync_cycle_t *cycle = follow->cycle;
    const apr_time_t now = apr_time_now();
    int i;

    cycle->full = now >= follow->full_at || follow->delay.next;
    for (i = 0; i < cycle->peers->nelts; i++) {
        peer_of(follow, i)->skip = now < follow->delays[i].next;
        if (follow->delays[i].next && !peer_of(follow, i)->skip)
            cycle->full = 1;
    }
    if (cycle->full)
        follow->full_at = now + FULL_EVERY;
    cycle->directions = cycle->full ? follow->directions : follow->reasons;
    cycle->failed = follow->reasons = 0;
}

static void make_cycle(follow_t *follow)
{
    const apr_time_t began = apr_time_now();
    sync_client_t view = *follow->client;

    apr_pool_clear(follow->pool);
    plan(follow);
    connect_node(follow);
    view.pool = follow->pool;
    view.store = follow->keeper.store;
    view.node = follow->keeper.node;
    follow->run(&view, follow->cycle);
    learn(follow, began, view.status);
    fflush(stdout);
}

/* Return how long to wait between two looks. */
static apr_interval_time_t pause_of(const follow_t *follow)
{
    return apr_time_now() - follow->moved_at < BUSY_TIME ? BUSY_PAUSE
                                                         : CALM_PAUSE;
}

/* Return CM_RUN_PUSH if something was committed here, else 0. A failure is a
 * reason for a cycle, which reports it. */
static int look(follow_t *follow)
{
    int waiting;
    cm_error_t *err;

    if (!(follow->directions & CM_RUN_PUSH))
        return 0;
    err = cm_waiting_look(&waiting, NULL, follow->keeper.node, follow->seen,
                          follow->looked);
    return err || waiting ? CM_RUN_PUSH : 0;
}

/* Return CM_RUN_PULL if peer I has something, else 0. */
static int listen_to(follow_t *follow, int i)
{
    sync_client_t view = *follow->client;

    if (!(follow->directions & CM_RUN_PULL))
        return 0;
    view.pool = follow->looked;
    view.store = follow->keeper.store;
    view.node = follow->keeper.node;
    return sync_listen_hears(follow->listens[i], &view,
                             peer_of(follow, i)->received, pause_of(follow))
               ? CM_RUN_PULL
               : 0;
}

/* Return whether there is a reason for a cycle, now. */
static int has_reason(follow_t *follow)
{
    const apr_time_t now = apr_time_now();
    int i, ready = 0;

    apr_pool_clear(follow->looked);
    if (now < follow->delay.next)
        return 0;
    if (now >= follow->full_at || follow->delay.next || !follow->keeper.node)
        return 1;
    for (i = 0; i < follow->cycle->peers->nelts; i++) {
        if (now < follow->delays[i].next)
            continue;
        if (follow->delays[i].next)
            return 1;
        ready = 1;
        if (!(follow->reasons & CM_RUN_PULL))
            follow->reasons |= listen_to(follow, i);
    }
    if (!ready || now < follow->held_until)
        return 0;
    follow->reasons |= look(follow);
    /* The next push notes that. Let there be one soon. */
    if (now - follow->moved_at >= NOTE_AFTER && has_unnoted(follow))
        follow->reasons |= CM_RUN_PUSH;
    return follow->reasons != 0;
}

/* Return whether the configuration can be read again. If it has an error, that
 * is reported, and the one before stays. */
static int can_reload(follow_t *follow)
{
    const sync_client_t *client = follow->client;
    cm_settings_t *settings;
    cm_error_t *err;

    apr_pool_clear(follow->looked);
    err =
        cm_config_file_read(&settings, client->options->config, follow->looked);
    if (err)
        sync_output_error(client->output, NULL, err, follow->looked);
    return !err;
}

cm_error_t *sync_follow_again(const sync_client_t *client)
{
    const char *const *words = client->words;

    fflush(stdout);
    sync_stop_hold();
    if (sync_stop_is_asked()) {
        sync_service_notify("STOPPING=1");
        return NULL;
    }
    execvp(words[0], (char *const *)(apr_uintptr_t)words);
    return CM_FAIL(client->pool, CM_FILE, "cannot start '%s': %s", words[0],
                   strerror(errno));
}

/* Wait for a reason; returns 0 when it is time to end. */
static int wait_for_reason(follow_t *follow)
{
    while (!sync_stop_is_asked() && !sync_stop_is_late()) {
        sync_service_live();
        if (sync_stop_wants_reload() && can_reload(follow)) {
            follow->again = 1;
            return 0;
        }
        if (has_reason(follow))
            return 1;
        sync_http_await(follow->client->kept, pause_of(follow));
    }
    return 0;
}

/* Let a last cycle note what it should not leave to the next process. */
static void note_at_end(follow_t *follow)
{
    if (follow->delay.next || !has_unnoted(follow))
        return;
    follow->full_at = apr_time_now() + FULL_EVERY;
    follow->reasons = CM_RUN_PUSH;
    make_cycle(follow);
}

cm_error_t *sync_follow(int *again, sync_client_t *client, sync_cycle_t *cycle,
                        sync_follow_cycle_t run)
{
    const int count = cycle->peers->nelts;
    follow_t follow = {.client = client, .cycle = cycle, .run = run};
    apr_pool_t *all;
    int i;

    follow.directions = cycle->directions;
    apr_pool_create(&all, client->pool);
    follow.listens = apr_pcalloc(all, count * sizeof(sync_listen_t *));
    follow.delays = apr_pcalloc(all, count * sizeof(delay_t));
    CM_TRY(sync_http_keep(&client->kept, all));
    follow.keeper = *client;
    apr_pool_create(&follow.keeper.pool, all);
    apr_pool_create(&follow.pool, all);
    apr_pool_create(&follow.looked, all);
    for (i = 0; i < count; i++)
        follow.listens[i] =
            sync_listen_open(client, peer_of(&follow, i)->settings, all);
    follow.moved_at = apr_time_now();
    sync_service_notify("READY=1");
    while (wait_for_reason(&follow))
        make_cycle(&follow);
    note_at_end(&follow);
    apr_pool_destroy(all);
    client->kept = NULL;
    *again = follow.again;
    if (!follow.again)
        sync_service_notify("STOPPING=1");
    return NULL;
}
