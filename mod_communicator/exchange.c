/* Who sent a request, and whether this peer may do so. */
#include "mod_communicator.h"

#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <http_ssl.h>
#include <string.h>

#include <apr_strings.h>

#include "log.h"
#include "base/number.h"
#include "config/settings.h"
#include "node/epoch.h"
#include "outbox/withheld.h"

APLOG_USE_MODULE(communicator);

/* Return whether the client is on this host. */
static int from_loopback(const request_rec *r)
{
    const apr_sockaddr_t *address = r->useragent_addr;
    const unsigned char *bytes = address->ipaddr_ptr;
    static const unsigned char zeros[15];

    if (address->family == APR_INET)
        return bytes[0] == 127;
    if (address->family != APR_INET6)
        return 1;
    if (IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)address->ipaddr_ptr))
        return bytes[12] == 127;
    return !memcmp(bytes, zeros, sizeof(zeros)) && bytes[15] == 1;
}

/* Refuse by 403 with TEXT, which the log has too, as NUMBER; return 1. */
static int forbid(mod_exchange_t *exchange, const char *number,
                  const char *text, const char *hint)
{
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, exchange->r, "%s%s (%s)", number,
                  text, hint);
    mod_answer_refusal(exchange, HTTP_FORBIDDEN, CM_FORBIDDEN, text, hint);
    return 1;
}

/* The check_ functions return 1 when they have refused the request.
 *
 * Refuse what crossed the network unencrypted, or was sent by a web page of
 * another site through a browser that is logged in here. */
static int check_transport(mod_exchange_t *exchange)
{
    request_rec *r = exchange->r;
    const char *site = apr_table_get(r->headers_in, "Sec-Fetch-Site");

    if (exchange->settings->require_tls && !from_loopback(r) &&
        !ap_ssl_conn_is_ssl(r->connection))
        return forbid(exchange, CM0003,
                      "plain HTTP is accepted only from this host",
                      "use https://, and change the password: it was sent "
                      "unencrypted; or set CommunicatorRequireTLS Off");
    if (apr_table_get(r->headers_in, "Origin") ||
        (site && !strcasecmp(site, "cross-site")))
        return forbid(exchange, CM0004,
                      "a web page of another site sent this request",
                      "peers send neither Origin nor Sec-Fetch-Site");
    return 0;
}

/* Find the peer that logged in. */
static int check_user(mod_exchange_t *exchange)
{
    request_rec *r = exchange->r;

    if (!r->user)
        return forbid(exchange, CM0001, "no user is logged in",
                      "the <Location> needs AuthType and Require valid-user");
    exchange->peer = cm_settings_peer_of_user(exchange->settings, r->user);
    if (exchange->peer)
        return 0;
    return forbid(exchange, CM0002,
                  apr_psprintf(r->pool, "user '%s' is not a peer of '%s'",
                               r->user, exchange->settings->name),
                  "declare it: CommunicatorPeer NAME user=USER");
}

/* Read the number in header NAME, if it is there, from 0 to MOST; return
 * whether it could be read. */
static int read_number(apr_int64_t *number, const apr_table_t *headers,
                       const char *name, apr_int64_t most)
{
    const char *text = apr_table_get(headers, name);

    return !text || cm_number_read(number, text, most);
}

/* Read what the request says about the peer's history and clock; return the
 * header that is wrong, or NULL. */
static const char *read_claim(mod_exchange_t *exchange)
{
    const apr_table_t *headers = exchange->r->headers_in;
    cm_claim_t *claim = &exchange->said.claim;

    claim->epoch = apr_table_get(headers, "Communicator-Epoch");
    claim->known_epoch = apr_table_get(headers, "Communicator-Peer-Epoch");
    if (!read_number(&claim->received, headers, "Communicator-Received",
                     CM_SEQ_MAX))
        return "Communicator-Received";
    if (!read_number(&claim->newest, headers, "Communicator-Newest",
                     CM_SEQ_MAX))
        return "Communicator-Newest";
    if (!cm_epoch_claim_read_held(claim,
                                  apr_table_get(headers, "Communicator-Held")))
        return "Communicator-Held";
    if (!read_number(&exchange->said.clock, headers, "Communicator-Clock",
                     CM_CLOCK_MAX))
        return "Communicator-Clock";
    return NULL;
}

/* Return whether communicator-sync sent R: a gem sends neither its User-Agent
 * nor after= and bytes=. */
static int is_from_sync(const request_rec *r)
{
    static const char program[] = "communicator-sync";
    const char *agent = apr_table_get(r->headers_in, "User-Agent");

    return (agent && !strncmp(agent, program, sizeof(program) - 1)) ||
           mod_request_value(r, "after") || mod_request_value(r, "bytes");
}

/* Refuse a request without our headers unless the peer is declared as a gem. A
 * proxy that removes the headers makes a peer of ours look like a gem, and a
 * gem gets no deletes. */
static int check_gem(mod_exchange_t *exchange)
{
    static const char remedy[] =
        "a proxy in between removes the headers that begin with "
        "'Communicator-': let it pass them on";
    request_rec *r = exchange->r;
    int ours = is_from_sync(r);
    const char *text, *hint;

    if (!exchange->gem || (exchange->peer->gem && !ours))
        return 0;
    text = apr_psprintf(
        r->pool,
        "the request of peer '%s' has no Communicator headers, although %s",
        exchange->peer->name,
        ours ? "communicator-sync sent it"
             : "the peer is not declared as a gem");
    hint =
        ours ? remedy
             : apr_psprintf(r->pool,
                            "%s; or, if the peer is a gem, add protocol=gem to "
                            "CommunicatorPeer %s",
                            remedy, exchange->peer->name);
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, CM0028 "%s (%s)", text, hint);
    mod_answer_refusal(exchange, HTTP_SERVICE_UNAVAILABLE, CM_PROTOCOL, text,
                       hint);
    return 1;
}

/* Read what a peer of ours says about itself. */
static int check_protocol(mod_exchange_t *exchange)
{
    request_rec *r = exchange->r;
    const char *version = apr_table_get(r->headers_in, "Communicator-Protocol");
    const char *name = apr_table_get(r->headers_in, "Communicator-Node");
    const char *wrong;

    if (exchange->gem)
        return 0;
    if (strcmp(version, "2")) {
        mod_answer_refusal(
            exchange, HTTP_BAD_REQUEST, CM_PROTOCOL,
            "this Communicator-Protocol is unknown here (known: 2)", NULL);
        return 1;
    }
    if (!name || strcmp(name, exchange->peer->name))
        return forbid(exchange, CM0005,
                      apr_psprintf(r->pool,
                                   "user '%s' is peer '%s' here, but the "
                                   "request is from node '%.255s'",
                                   r->user, exchange->peer->name,
                                   name ? name : ""),
                      "CommunicatorName there and CommunicatorPeer here must "
                      "agree");
    exchange->said.insists =
        apr_table_get(r->headers_in, "Communicator-Drain") != NULL;
    exchange->said.withheld = cm_withheld_sum_read(
        apr_table_get(r->headers_in, "Communicator-Withheld"));
    wrong = read_claim(exchange);
    if (!wrong)
        return 0;
    mod_answer_error(
        exchange,
        CM_FAIL(r->pool, CM_MALFORMED,
                "the header %s is '%.100s', which is not a valid number", wrong,
                apr_table_get(r->headers_in, wrong)));
    return 1;
}

/* Return the exchange of R, of which nothing is known yet. */
static mod_exchange_t *open_exchange(request_rec *r)
{
    const mod_server_t *server =
        ap_get_module_config(r->server->module_config, &communicator_module);
    mod_exchange_t *exchange = apr_pcalloc(r->pool, sizeof(*exchange));

    exchange->r = r;
    exchange->pool = mod_allocator_pool(r);
    exchange->settings = server->settings;
    exchange->gem = mod_endpoint_is_gem(r);
    exchange->said.claim = cm_epoch_claim_none();
    exchange->withheld = exchange->said.withheld = cm_withheld_sum_read(NULL);
    /* Part of an answer cannot be parsed. */
    apr_table_unset(r->headers_in, "Range");
    apr_table_unset(r->headers_in, "If-Range");
    return exchange;
}

/* Refuse where SetHandler is set without Communicator On. */
static int check_place(mod_exchange_t *exchange, const mod_location_t *location)
{
    if (location)
        return 0;
    return forbid(exchange, CM0006,
                  "SetHandler alone does not make an endpoint",
                  "add Communicator On to the <Location>");
}

/* Refuse where it is switched off. */
static int check_on(mod_exchange_t *exchange, const mod_location_t *location)
{
    if (location->on)
        return 0;
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, exchange->r,
                  CM0007 "refused: Communicator is Off here");
    mod_answer_refusal(exchange, HTTP_SERVICE_UNAVAILABLE, CM_PAUSED,
                       "Communicator is switched off here", NULL);
    return 1;
}

int mod_exchange_handler(request_rec *r)
{
    const mod_location_t *location;
    mod_exchange_t *exchange;

    if (!r->handler || strcmp(r->handler, "communicator") || r->main)
        return DECLINED;
    location = mod_endpoint_of(r);
    exchange = open_exchange(r);
    if (check_place(exchange, location) || check_transport(exchange) ||
        check_user(exchange) || check_gem(exchange) ||
        check_protocol(exchange) || check_on(exchange, location))
        return OK;
    if (r->method_number == M_GET)
        return mod_pull(exchange);
    if (r->method_number == M_POST && !exchange->gem &&
        (mod_request_value(r, "verify") || mod_request_value(r, "repair")))
        return mod_verify(exchange);
    if (r->method_number == M_POST)
        return mod_push(exchange);
    apr_table_setn(r->headers_out, "Allow", "GET, HEAD, POST");
    return mod_answer_refusal(exchange, HTTP_METHOD_NOT_ALLOWED, CM_USAGE,
                              "only GET, HEAD and POST are allowed here", NULL);
}
