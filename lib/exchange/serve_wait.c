/* GET with wait=: answer as soon as there is something for the peer. */
#include "exchange/serve.h"

#include "base/clock.h"
#include "outbox/outbox.h"
#include "outbox/waiting.h"

/* Proxies give up after 60 seconds, some after 30. */
#define MOST_SECONDS 30

/* Milliseconds between two looks. */
#define LEAST_PAUSE 5
#define MOST_PAUSE  1000
#define PAUSE       100

typedef struct look_t {
    const char *peer;
    apr_int64_t after; /* the peer knows of messages up to this one */
    int found;
    cm_pending_t pending;
} look_t;

static cm_error_t *look(cm_node_t *node, void *baton, apr_pool_t *pool)
{
    look_t *search = baton;

    CM_TRY(cm_waiting_look(&search->found, NULL, node, search->after, pool));
    if (!search->found)
        return NULL;
    return cm_outbox_pending(&search->pending, node, search->peer,
                             CM_EXACT_ON_THE_WAY, pool);
}

/* Look, again and again, until something is found or the time is over. The
 * connection to the database is given back after each look. */
static cm_error_t *look_until(look_t *search, const cm_host_t *host,
                              apr_interval_time_t pause, apr_time_t end,
                              apr_pool_t *pool)
{
    apr_pool_t *iterpool;
    cm_error_t *err = NULL;

    apr_pool_create(&iterpool, pool);
    while (!err && !search->found && cm_clock_now() < end &&
           host->wait_on(host->baton, pause)) {
        apr_pool_clear(iterpool);
        err = host->use_node(host->baton, look, search, iterpool);
    }
    if (err)
        err = cm_error_copy(err, pool);
    apr_pool_destroy(iterpool);
    return err;
}

static apr_int64_t within(apr_int64_t value, apr_int64_t least,
                          apr_int64_t most)
{
    if (value < least)
        return least;
    return value > most ? most : value;
}

cm_error_t *cm_serve_wait_read(cm_serve_wait_t *wait,
                               const cm_exchange_t *exchange)
{
    const char *query = exchange->request->query;

    wait->seconds = 0;
    wait->pause = PAUSE;
    wait->asked = !cm_request_is_head(exchange) && !exchange->gem &&
                  cm_request_has(exchange, "wait");
    if (!wait->asked)
        return NULL;
    CM_TRY(cm_request_number(&wait->seconds, query, "wait", exchange->pool));
    CM_TRY(cm_request_number(&wait->pause, query, "every", exchange->pool));
    wait->seconds = within(wait->seconds, 0, MOST_SECONDS);
    wait->pause = within(wait->pause, LEAST_PAUSE, MOST_PAUSE);
    return NULL;
}

cm_error_t *cm_serve_wait(cm_pending_t *pending, int *found,
                          const cm_serve_wait_t *wait, apr_int64_t after,
                          const cm_exchange_t *exchange)
{
    const cm_host_t *host = exchange->host;
    look_t search = {.peer = exchange->peer->name, .after = after};
    cm_error_t *err;

    *found = 0;
    if (!wait->seconds || !host->wait_begin || !host->wait_begin(host->baton))
        return NULL;
    err = look_until(&search, host, apr_time_from_msec(wait->pause),
                     cm_clock_now() + apr_time_from_sec(wait->seconds),
                     exchange->pool);
    host->wait_end(host->baton);
    *found = search.found;
    if (search.found)
        *pending = search.pending;
    return err;
}
