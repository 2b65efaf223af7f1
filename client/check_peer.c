/* check: the way to a peer, step by step. */
#include "check.h"

#include <string.h>

#include <apr_strings.h>

#include "operate/health.h"
#include "connect.h"

/* Certificates are renewed some weeks before they end. */
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
    cm_session_t *session; /* NULL: not even the address is right */
    sync_http_t *http;     /* the same */
    cm_error_t *secret;    /* why there is no password */
    cm_error_t *err;       /* why it went no further */
} way_t;

/* Return the step that a failure of that code is about. */
static step_e step_of(cm_code_e code)
{
    switch (code) {
    case CM_CONFIG:
    case CM_FILE:
        return STEP_SECRET;
    case CM_NETWORK:
    case CM_TIMEOUT:
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

/* Say what kind of peer it is, and whether it is declared so. */
static void check_kind(sync_check_t *check, const cm_peer_settings_t *peer,
                       int gem)
{
    const char *place =
        apr_psprintf(check->pool, "%s:%d", peer->place.file, peer->place.line);

    if (gem && !peer->gem)
        sync_check_say(
            check, CM_VERDICT_WARN,
            apr_psprintf(check->pool,
                         "%s: it has not spoken Communicator's protocol yet, "
                         "as if it was a gem",
                         peer->name),
            apr_psprintf(check->pool,
                         "if it is a gem, add protocol=gem (%s): it is refused "
                         "without; else update it, or let the proxy in between "
                         "pass headers that begin with 'Communicator-'",
                         place));
    else if (!gem && peer->gem)
        sync_check_say(
            check, CM_VERDICT_WARN,
            apr_psprintf(check->pool,
                         "%s: protocol=gem, but it speaks "
                         "Communicator's protocol, which is used",
                         peer->name),
            apr_psprintf(check->pool, "remove protocol=gem (%s)", place));
    else
        sync_check_say(check, CM_VERDICT_OK,
                       apr_psprintf(check->pool, "%s: it %s", peer->name,
                                    gem ? "is a gem, as protocol=gem says"
                                        : "speaks Communicator's protocol"),
                       NULL);
}

/* How the peer is, now that it answers. */
static void check_answer(const way_t *way)
{
    sync_check_t *check = way->check;
    const cm_session_t *session = way->session;
    const char *name = way->peer->name;
    const char *skew =
        session->peer ? sync_client_skew(session->peer, check->pool) : NULL;

    if (skew)
        sync_check_say(check, CM_VERDICT_WARN,
                       apr_psprintf(check->pool, "%s: %s", name, skew),
                       "set the clocks of both hosts (NTP)");
    else if (session->kind == CM_PEER_OURS && session->peer)
        sync_check_went(
            check, apr_psprintf(check->pool, "%s: clocks agree", name), NULL);
    check_kind(check, way->peer, session->kind == CM_PEER_GEM);
}

/* What the peer's httpd will be refused for before long. */
static void check_certificate(const way_t *way)
{
    sync_check_t *check = way->check;
    apr_int64_t end = sync_http_expires(way->http);
    apr_int64_t left = end - cm_clocks_now();
    const char *name = way->peer->name;

    if (!end)
        return;
    if (left > CERTIFICATE_LEFT)
        sync_check_went(
            check,
            apr_psprintf(check->pool, "%s: its certificate is valid for %s",
                         name, cm_health_judge_span(left, check->pool)),
            NULL);
    else
        sync_check_say(
            check, CM_VERDICT_WARN,
            apr_psprintf(check->pool, "%s: its certificate expires in %s", name,
                         cm_health_judge_span(left, check->pool)),
            "renew it there; if that happens by itself, see why it did not");
}

/* Which proxy the request went through, where the environment names one. */
static void check_proxy(const way_t *way)
{
    const sync_proxy_t *proxy = sync_http_proxy(way->http);
    apr_pool_t *pool = way->check->pool;
    const char *name = way->peer->name;

    if (proxy->used)
        sync_check_went(
            way->check,
            apr_psprintf(pool, "%s: through the proxy %s (%s)", name,
                         sync_output_clean(proxy->address, pool), proxy->used),
            NULL);
    else if (proxy->set)
        sync_check_went(
            way->check,
            apr_psprintf(pool,
                         "%s: %s is set, but not used here (no_proxy "
                         "names the host, or it is this one)",
                         name, proxy->set),
            NULL);
}

/* Ask for nothing: that tells how the peer stands, and changes nothing.
 * Without database or password it is tried how far the way goes. */
static void meet(way_t *way)
{
    sync_check_t *check = way->check;
    sync_client_t *client = check->client;
    cm_session_t *session;

    way->err =
        sync_connect_probe(&session, &way->http, &way->secret, client->settings,
                           way->peer, client->options->timeout, check->pool);
    if (way->err)
        return;
    way->session = session;
    session->node = client->node;
    if (client->node) {
        cm_error_t *err = cm_session_load(session, check->pool);

        if (err)
            sync_check_went(check,
                            apr_psprintf(check->pool, "%s: what is known of it",
                                         way->peer->name),
                            err);
    }
    cm_session_insist(session);
    sync_http_inspect(way->http);
    way->err = cm_session_greet(session, check->pool);
}

/* Say how far the way goes. A login cannot be judged without a password, nor a
 * history without the database. */
static void check_steps(const way_t *way)
{
    apr_pool_t *pool = way->check->pool;
    step_e last = way->err ? step_of(way->err->code) : STEP_ALL, step;
    int plain = strncasecmp(way->peer->uri, "https:", 6) != 0;

    for (step = 0; step < STEP_ALL && step <= last; step++) {
        const char *what =
            apr_psprintf(pool, "%s: %s", way->peer->name, steps[step]);
        cm_error_t *err = step == last ? way->err : NULL;

        if (step == STEP_SECRET && way->secret)
            err = way->secret;
        if ((step == STEP_TLS && plain && !err) ||
            (step == STEP_LOGIN && way->secret) ||
            (step == STEP_HISTORY && !way->session->peer))
            continue;
        sync_check_went(way->check, what, err);
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

/* Of a peer that comes to us there is nothing to try, only to remember. */
static void check_caller(sync_check_t *check, const cm_peer_settings_t *peer)
{
    apr_interval_time_t every = check->client->settings->expect_every;
    cm_status_t *state;
    const cm_peer_t *known;
    apr_int64_t last;

    if (!sync_check_went(
            check, apr_psprintf(check->pool, "%s: comes to us", peer->name),
            cm_status_read(&state, check->client->node, peer->name,
                           check->pool)))
        return;
    known = APR_ARRAY_IDX(state->peers, 0, cm_status_peer_t).peer;
    last = known->last_pull_at > known->last_push_at ? known->last_pull_at
                                                     : known->last_push_at;
    if (known->epoch || last || known->has_received)
        check_kind(check, peer, !known->epoch);
    if (every && cm_clocks_is_past(last, cm_clocks_now(), every))
        sync_check_say(check, CM_VERDICT_WARN,
                       apr_psprintf(check->pool, "%s was here last: %s",
                                    peer->name,
                                    sync_output_when(last, check->pool)),
                       "is its cron or timer running?");
}

void sync_check_peer(sync_check_t *check, const cm_peer_settings_t *peer)
{
    if (peer->uri)
        check_way(check, peer);
    else if (check->client->node)
        check_caller(check, peer);
}
