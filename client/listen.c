/* Listening to a peer: see listen.h. */
#include "listen.h"

#include <apr_strings.h>

#include "exchange/headers.h"
#include "connect.h"

/* How long a request waits, in seconds. */
#define MOST_WAIT 30

/* After a proxy has ended a request, shorter ones are sent for so long. */
#define CAREFUL apr_time_from_sec(3600)

/* A request that failed sooner was not ended for its length. */
#define TOO_SOON apr_time_from_sec(1)

/* How often a peer is asked that does not let us wait: soon after something
 * has moved, and else. */
#define ASK_OFTEN  apr_time_from_sec(1)
#define ASK_SELDOM apr_time_from_sec(5)

#define MOST_FAILURES 6 /* it is asked again after 1, 2, 4 ... 60 seconds */

struct sync_listen_t {
    const cm_peer_settings_t *peer;
    apr_pool_t *pool; /* of the request */
    const cm_transport_t *transport;
    int asking;          /* there is one */
    apr_int64_t from;    /* the message that it asks for */
    apr_time_t asked_at; /* when it was sent */
    apr_time_t next_at;  /* when the next one is due */
    apr_time_t cut_at;   /* a proxy has ended one; 0: none has */
    int wait;            /* seconds */
    int failures;        /* in a row */
};

static int most_wait(const sync_client_t *client)
{
    int timeout = client->options->run.timeout;

    return timeout / 2 > MOST_WAIT ? MOST_WAIT : timeout > 2 ? timeout / 2 : 1;
}

sync_listen_t *sync_listen_open(const sync_client_t *client,
                                const cm_peer_settings_t *peer,
                                apr_pool_t *pool)
{
    sync_listen_t *listen = apr_pcalloc(pool, sizeof(*listen));

    listen->peer = peer;
    listen->wait = most_wait(client);
    apr_pool_create(&listen->pool, pool);
    return listen;
}

/* Ask again when so many requests have failed. */
static void back_off(sync_listen_t *listen)
{
    if (listen->failures < MOST_FAILURES)
        listen->failures++;
    listen->next_at =
        apr_time_now() + apr_time_from_sec(1 << (listen->failures - 1));
}

static void ask(sync_listen_t *listen, const sync_client_t *client,
                apr_interval_time_t pause)
{
    const apr_time_t now = apr_time_now();
    cm_session_t *session;

    apr_pool_clear(listen->pool);
    if (listen->cut_at && now - listen->cut_at > CAREFUL) {
        listen->cut_at = 0;
        listen->wait = most_wait(client);
    }
    if (sync_connect(&session, client, listen->peer, listen->pool)) {
        back_off(listen);
        return;
    }
    listen->transport = session->transport;
    listen->from = session->peer->received + 1;
    listen->asked_at = now;
    listen->asking = 1;
    listen->transport->send(
        listen->transport->baton,
        apr_psprintf(listen->pool,
                     "from_id=%" APR_INT64_T_FMT
                     "&limit=0&wait=%d&every=%" APR_INT64_T_FMT,
                     listen->from, listen->wait, apr_time_as_msec(pause)),
        NULL, listen->pool);
}

/* No answer of ours has come: the peer is away, or something between us does
 * not wait for so long. */
static void meet_failure(sync_listen_t *listen, apr_interval_time_t took)
{
    if (took < TOO_SOON) {
        back_off(listen);
        return;
    }
    listen->cut_at = apr_time_now();
    if (took * 3 / 4 < apr_time_from_sec(listen->wait))
        listen->wait = (int)apr_time_sec(took * 3 / 4);
    if (listen->wait < 1)
        listen->wait = 1;
}

/* Return whether REPLY, which came after TOOK, says that there is something. */
static int meet_reply(sync_listen_t *listen, const cm_transport_reply_t *reply,
                      apr_int64_t received, apr_interval_time_t pause)
{
    const apr_table_t *headers = reply->headers;
    const char *wrong = NULL;

    listen->failures = 0;
    if (cm_headers_number(headers, "Communicator-More", 1, &wrong) > 0)
        return listen->from > received;
    if (cm_headers_number(headers, "Communicator-Waited", CM_CLOCK_MAX,
                          &wrong) <= 0)
        listen->next_at =
            listen->asked_at +
            (pause < apr_time_from_msec(100) ? ASK_OFTEN : ASK_SELDOM);
    return 0;
}

static int finish(sync_listen_t *listen, apr_int64_t received,
                  apr_interval_time_t pause)
{
    const cm_transport_t *transport = listen->transport;
    cm_transport_reply_t *reply;
    cm_error_t *err = transport->finish(&reply, transport->baton, listen->pool);
    apr_interval_time_t took = apr_time_now() - listen->asked_at;

    listen->asking = 0;
    listen->next_at = 0;
    if (!err && reply->status == 200 &&
        apr_table_get(reply->headers, "Communicator-Protocol"))
        return meet_reply(listen, reply, received, pause);
    meet_failure(listen, took);
    return 0;
}

/* A gem would send all its messages: the next cycle asks for them. */
static int is_gem_due(sync_listen_t *listen)
{
    const apr_time_t now = apr_time_now();

    if (now < listen->next_at)
        return 0;
    listen->next_at = now + ASK_SELDOM;
    return 1;
}

int sync_listen_hears(sync_listen_t *listen, const sync_client_t *client,
                      apr_int64_t received, apr_interval_time_t pause)
{
    int heard = 0;

    if (listen->peer->gem)
        return is_gem_due(listen);
    if (listen->asking && sync_http_is_done(listen->transport->baton))
        heard = finish(listen, received, pause);
    if (!listen->asking && !heard && apr_time_now() >= listen->next_at)
        ask(listen, client, pause);
    return heard;
}
