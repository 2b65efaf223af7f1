/* Requests to a peer: see transport.h. */
#include "exchange/transport.h"

cm_error_t *cm_transport_post(cm_transport_reply_t **reply,
                              const cm_transport_t *transport,
                              const char *query, const char *data,
                              apr_size_t size, apr_pool_t *pool)
{
    cm_transport_body_t body = transport->pack(
        transport->baton, (cm_transport_body_t){data, size, NULL}, pool);

    transport->send(transport->baton, query, &body, pool);
    return transport->finish(reply, transport->baton, pool);
}
