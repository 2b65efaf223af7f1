/* POST ?recover=: the peer asks whether the histories fit, and what this node
 * has to do where they do not (recover.h). */
#include "exchange/serve.h"

#include <string.h>

#include <apr_strings.h>

#include "exchange/headers.h"
#include "exchange/log.h"
#include "exchange/recover.h"

typedef struct request_t {
    cm_recover_steps_t steps; /* none: it only asks */
    cm_epoch_split_t split;
    apr_int64_t last_seq;
} request_t;

/* Return whether the request wants something that may be done: only where the
 * histories do not fit can a peer change anything. */
static int is_due(const request_t *request)
{
    const cm_epoch_split_t *split = &request->split;

    return (request->steps.renews || request->steps.accepts) &&
           (split->peer_is_new || split->we_are_new ||
            split->peer_was_set_back || split->we_were_set_back);
}

static cm_error_t *carry_out(const cm_recover_steps_t *steps,
                             cm_exchange_t *exchange)
{
    cm_serve_log(exchange, CM_LOG_NOTICE,
                 CM0049 "peer '%s' recovers: this node %s%s%s, and publishes "
                        "all records",
                 exchange->peer->name,
                 steps->renews ? "begins a new history" : "",
                 steps->renews && steps->accepts ? ", " : "",
                 steps->accepts ? "accepts the peer's new history" : "");
    CM_TRY(cm_recover_here(steps, exchange->node, exchange->peer->name,
                           exchange->pool));
    exchange->own_epoch = apr_pstrdup(exchange->pool, exchange->node->epoch);
    return NULL;
}

static cm_error_t *look(cm_exchange_t *exchange, void *baton)
{
    request_t *request = baton;
    cm_error_t *err = cm_contact_read(exchange);

    if (err && err->code != CM_EPOCH)
        return err;
    CM_TRY(cm_node_refresh(&request->last_seq, exchange->node, exchange->pool));
    if (!err)
        return NULL;
    CM_TRY(cm_epoch_split(&request->split, &exchange->said.claim,
                          exchange->node, exchange->known, exchange->pool));
    return is_due(request) ? carry_out(&request->steps, exchange) : NULL;
}

void cm_serve_recover(cm_exchange_t *exchange)
{
    apr_table_t *headers = exchange->answer.headers;
    const char *what =
        cm_request_value(exchange->request->query, "recover", exchange->pool);
    request_t request = {.steps = {.renews = strstr(what, "renew") != NULL,
                                   .accepts = strstr(what, "accept") != NULL}};
    cm_buffer_t *body;
    cm_error_t *err;

    if (!cm_request_body(&body, exchange))
        return;
    err = cm_serve_with_node(exchange, look, &request);
    if (err) {
        cm_serve_error(exchange, err);
        return;
    }
    apr_table_setn(exchange->answer.notes, "communicator-result", "ok");
    apr_table_setn(headers, CM_RECOVER_HEADER,
                   cm_recover_text(&request.split, exchange->pool));
    cm_headers_set(headers, "Communicator-Newest", request.last_seq);
    cm_serve_send(exchange, CM_HTTP_OK, "{}\n", 3);
}
