/* check: the way to a peer, step by step. */
#include "check.h"

#include <string.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "operate/health.h"
#include "connect.h"

/* Certificates are usually renewed some weeks before they expire. */
#define CERTIFICATE_LEFT apr_time_from_sec(21 * 86400)

/* The steps on the way to a peer, in their order. */
typedef enum step_e {
    STEP_SECRET,
    STEP_REACH,
    STEP_TLS,
    STEP_LOGIN,
    STEP_ANSWER,
    STEP_HISTORY,
    STEP_ALL
} step_e;

static const char *const steps[] = {
    "address and password", "name, route and port",
    "TLS and certificate",  "login",
    "Communicator answers", "histories fit"};

/* What is known of one peer. */
typedef struct way_t {
    sync_check_t *check;
    const cm_peer_settings_t *peer;
    cm_session_t *session; /* NULL: HTTP could not be set up */
    sync_http_t *http;     /* as above */
    cm_error_t *secret;    /* why there is no password */
    cm_error_t *err;       /* why the way ends, or NULL */
} way_t;

/* Return the step at which failures of CODE happen. */
static step_e step_of(cm_code_e code)
{
    switch (code) {
    case CM_CONFIG:
    case CM_FILE:
        return STEP_SECRET;
    case CM_NETWORK:
    case CM_TIMEOUT:
    case CM_PROXY:
        return STEP_REACH;
    case CM_TLS:
        return STEP_TLS;
    case CM_UNAUTHORIZED:
    case CM_FORBIDDEN:
        return STEP_LOGIN;
    case CM_EPOCH:
        return STEP_HISTORY;
    default:
        return STEP_ANSWER;
    }
}

/* Say what kind of peer it is, and whether protocol= says the same. */
static void check_kind(sync_check_t *check, const cm_peer_settings_t *peer,
                       int gem)
{
    apr_pool_t *pool = check->client->pool;
    const char *file = peer->place.file;
    int line = peer->place.line;

    if (gem && !peer->gem)
        sync_check_say(
            check, SYNC_VERDICT_WARN,
            apr_psprintf(pool,
                         "if it is a gem, add protocol=gem (%s:%d), else it is "
                         "refused; if not, update it, or let the proxy in "
                         "between pass headers that begin with 'Communicator-'",
                         file, line),
            "%s: it has not used Communicator's protocol yet, like a gem",
            peer->name);
    else if (!gem && peer->gem)
        sync_check_say(
            check, SYNC_VERDICT_WARN,
            apr_psprintf(pool, "remove protocol=gem (%s:%d)", file, line),
            "%s: protocol=gem, but it speaks Communicator's protocol, which is "
            "used",
            peer->name);
    else
        sync_check_went(check, NULL, "%s: it %s", peer->name,
                        gem ? "is a gem, as protocol=gem says"
                            : "speaks Communicator's protocol");
}

/* Judge a peer that answers. */
static void check_answer(const way_t *way)
{
    cm_session_t *session = way->session;
    const char *name = way->peer->name;
    const char *skew =
        session->peer
            ? sync_client_skew(session->peer, way->check->client->pool)
            : NULL;

    if (skew)
        sync_check_say(way->check, SYNC_VERDICT_WARN,
                       "set the clocks of both hosts (NTP)", "%s: %s", name,
                       skew);
    else if (session->kind == CM_PEER_OURS && session->peer)
        sync_check_went(way->check, NULL, "%s: clocks agree", name);
    check_kind(way->check, way->peer, session->kind == CM_PEER_GEM);
    if (session->kind == CM_PEER_OURS && session->peer)
        sync_check_models(way->check, session);
}

/* Warn when the certificate of the peer's httpd expires soon. */
static void check_certificate(const way_t *way)
{
    apr_int64_t end = sync_http_expires(way->http);
    apr_int64_t left = end - cm_clock_now();
    const char *time;

    if (!end)
        return;
    time = cm_health_judge_span(left, way->check->client->pool);
    if (left > CERTIFICATE_LEFT)
        sync_check_went(way->check, NULL, "%s: its certificate is valid for %s",
                        way->peer->name, time);
    else
        sync_check_say(
            way->check, SYNC_VERDICT_WARN,
            "renew it there; if that happens by itself, see why it did not",
            "%s: its certificate expires in %s", way->peer->name, time);
}

/* Name the proxy that the request went through, if the environment sets any. */
static void check_proxy(const way_t *way)
{
    const sync_proxy_t *proxy = sync_http_proxy(way->http);
    const char *name = way->peer->name;

    if (proxy->used)
        sync_check_went(way->check, NULL, "%s: through the proxy %s (%s)", name,
                        proxy->address, proxy->used);
    else if (proxy->set)
        sync_check_went(way->check, NULL,
                        "%s: %s is set, but not used here (no_proxy names the "
                        "host, or it is this one)",
                        name, proxy->set);
}

/* Greet the peer, which shows how it is and changes nothing. Without database
 * or password, go as far as possible. */
static void meet(way_t *way)
{
    sync_check_t *check = way->check;
    sync_client_t *client = check->client;
    cm_session_t *session;
    cm_error_t *err;

    way->err = sync_connect_probe(&session, &way->http, &way->secret, client,
                                  way->peer, client->pool);
    if (way->err)
        return;
    way->session = session;
    session->node = client->node;
    if (client->node) {
        err = cm_session_load(session, client->pool);
        if (err)
            sync_check_went(check, err, "%s: what is known of it",
                            way->peer->name);
    }
    cm_session_insist(session);
    sync_http_inspect(way->http);
    way->err = cm_session_greet(session, client->pool);
}

/* Say how far the way goes. A login cannot be judged without a password, nor a
 * history without the database. */
static void check_steps(const way_t *way)
{
    step_e last = way->err ? step_of(way->err->code) : STEP_ALL, step;
    int plain = strncasecmp(way->peer->uri, "https:", 6) != 0;

    for (step = 0; step < STEP_ALL && step <= last; step++) {
        cm_error_t *err = step == last ? way->err : NULL;

        if (step == STEP_SECRET && way->secret)
            err = way->secret;
        if ((step == STEP_TLS && plain && !err) ||
            (step == STEP_LOGIN && way->secret) ||
            (step == STEP_HISTORY && !way->session->peer))
            continue;
        sync_check_went(way->check, err, "%s: %s", way->peer->name,
                        steps[step]);
    }
}

static void check_way(sync_check_t *check, const cm_peer_settings_t *peer)
{
    way_t way = {.check = check, .peer = peer};

    meet(&way);
    if (way.session)
        check_proxy(&way);
    check_steps(&way);
    if (way.session)
        check_certificate(&way);
    if (!way.err)
        check_answer(&way);
}

/* Judge a peer that connects to this node: by when it did so last. */
static void check_caller(sync_check_t *check, const cm_peer_settings_t *peer)
{
    sync_client_t *client = check->client;
    apr_interval_time_t every = client->settings->expect_every;
    cm_status_t *state;
    const cm_peer_t *known;
    apr_int64_t last;

    if (!sync_check_went(
            check,
            cm_status_read(&state, client->node, peer->name, client->pool),
            "%s: connects to this node", peer->name))
        return;
    known = APR_ARRAY_IDX(state->peers, 0, cm_status_peer_t).peer;
    last = known->last_pull_at > known->last_push_at ? known->last_pull_at
                                                     : known->last_push_at;
    if (known->epoch || last || known->has_received)
        check_kind(check, peer, !known->epoch);
    if (every && cm_clock_is_past(last, cm_clock_now(), every))
        sync_check_say(check, SYNC_VERDICT_WARN,
                       "is its cron or timer running?", "%s was here last: %s",
                       peer->name, sync_output_when(last, client->pool));
}

void sync_check_peer(sync_check_t *check, const cm_peer_settings_t *peer)
{
    if (peer->uri)
        check_way(check, peer);
    else if (check->client->node)
        check_caller(check, peer);
}
