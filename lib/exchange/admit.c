/* Who sent a request, and whether this peer may do so: see serve.h. */
#include "exchange/serve.h"

#include <string.h>

#include <apr_strings.h>

#include "config/settings.h"
#include "outbox/withheld.h"
#include "exchange/headers.h"
#include "exchange/log.h"

/* The check_ functions return 0 when they have refused the request.
 *
 * Find the peer that logged in. */
static int check_user(cm_exchange_t *exchange)
{
    if (!exchange->request->user)
        return cm_serve_forbid(
            exchange, CM0001, "no user is logged in",
            "the <Location> needs AuthType and Require valid-user");
    exchange->peer =
        cm_settings_peer_of_user(exchange->settings, exchange->request->user);
    if (exchange->peer)
        return 1;
    return cm_serve_forbid(
        exchange, CM0002,
        apr_psprintf(exchange->pool, "user '%s' is not a peer of '%s'",
                     exchange->request->user, exchange->settings->name),
        "declare it: CommunicatorPeer NAME user=USER");
}

/* Return whether communicator-sync sent the request: a gem sends neither its
 * User-Agent nor after= and bytes=. */
static int is_from_sync(const cm_exchange_t *exchange)
{
    static const char program[] = "communicator-sync";
    const char *agent = cm_request_header(exchange, "User-Agent");

    return (agent && !strncmp(agent, program, sizeof(program) - 1)) ||
           cm_request_has(exchange, "after") ||
           cm_request_has(exchange, "bytes");
}

/* Refuse a request without our headers unless the peer is declared as a gem. A
 * proxy that removes the headers makes a peer of ours look like a gem, and a
 * gem gets no deletes. */
static int check_gem(cm_exchange_t *exchange)
{
    int ours = is_from_sync(exchange);
    const char *text, *hint;

    if (!exchange->gem || (exchange->peer->gem && !ours))
        return 1;
    text = apr_psprintf(
        exchange->pool,
        "the request of peer '%s' has no Communicator headers, although %s",
        exchange->peer->name,
        ours ? "communicator-sync sent it"
             : "the peer is not declared as a gem");
    hint = ours ? CM_HEADERS_REMEDY
                : apr_pstrcat(exchange->pool,
                              CM_HEADERS_REMEDY
                              "; or, if the peer is a gem, add protocol=gem to "
                              "CommunicatorPeer ",
                              exchange->peer->name, NULL);
    cm_serve_log(exchange, CM_LOG_ERROR, CM0028 "%s (%s)", text, hint);
    cm_serve_refuse(exchange, CM_HTTP_UNAVAILABLE, CM_PROTOCOL, text, hint);
    return 0;
}

/* Read what a peer of ours says about itself. */
static int check_protocol(cm_exchange_t *exchange)
{
    const char *version = cm_request_header(exchange, "Communicator-Protocol");
    const char *name = cm_request_header(exchange, "Communicator-Node");
    const apr_table_t *headers = exchange->request->headers;
    const char *wrong = NULL;

    if (exchange->gem)
        return 1;
    if (strcmp(version, "2")) {
        cm_serve_refuse(exchange, CM_HTTP_BAD_REQUEST, CM_PROTOCOL,
                        "this Communicator-Protocol is unknown here (known: 2)",
                        NULL);
        return 0;
    }
    if (!name || strcmp(name, exchange->peer->name))
        return cm_serve_forbid(
            exchange, CM0005,
            apr_psprintf(exchange->pool,
                         "user '%s' is peer '%s' here, but the "
                         "request is from node '%.255s'",
                         exchange->request->user, exchange->peer->name,
                         name ? name : ""),
            "CommunicatorName there and CommunicatorPeer here must "
            "agree");
    exchange->said.insists =
        cm_request_header(exchange, "Communicator-Drain") != NULL;
    exchange->said.withheld = cm_withheld_sum_read(
        cm_request_header(exchange, "Communicator-Withheld"));
    exchange->said.claim = cm_headers_claim(headers, &wrong);
    exchange->said.pending =
        cm_headers_number(headers, "Communicator-Pending", CM_SEQ_MAX, &wrong);
    exchange->said.clock =
        cm_headers_number(headers, "Communicator-Clock", CM_CLOCK_MAX, &wrong);
    if (!wrong)
        return 1;
    cm_serve_error(
        exchange,
        CM_FAIL(exchange->pool, CM_MALFORMED,
                "the header %s is '%.100s', which is not a valid number", wrong,
                cm_request_header(exchange, wrong)));
    return 0;
}

/* Refuse where the endpoint is switched off. */
static int check_on(cm_exchange_t *exchange)
{
    if (!exchange->request->off)
        return 1;
    cm_serve_log(exchange, CM_LOG_INFO,
                 CM0007 "refused: Communicator is Off here");
    cm_serve_refuse(exchange, CM_HTTP_UNAVAILABLE, CM_PAUSED,
                    "Communicator is switched off here", NULL);
    return 0;
}

int cm_admit(cm_exchange_t *exchange)
{
    return check_user(exchange) && check_gem(exchange) &&
           check_protocol(exchange) && check_on(exchange);
}
