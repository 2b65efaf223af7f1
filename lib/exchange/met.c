/* What is remembered of a peer: see met.h. */
#include "exchange/met.h"

#include <string.h>

#include <apr_strings.h>

void cm_met_keep(cm_met_t *met, const cm_session_t *session)
{
    const cm_peer_t *peer = session->peer;

    *met = (cm_met_t){0};
    if (session->kind != CM_PEER_OURS || !peer->epoch ||
        strlen(peer->epoch) >= sizeof(met->its_epoch))
        return;
    apr_cpystrn(met->epoch, session->node->epoch, sizeof(met->epoch));
    apr_cpystrn(met->its_epoch, peer->epoch, sizeof(met->its_epoch));
    met->confirmed = peer->confirmed;
    met->received = peer->received;
    met->held =
        session->held > peer->confirmed ? session->held : peer->confirmed;
    met->newest = session->newest > met->held ? session->newest : met->held;
    met->accepts_gzip = session->accepts_gzip;
}

int cm_met_recall(cm_session_t *session, const cm_met_t *met)
{
    const cm_peer_t *peer = session->peer;

    if (!*met->epoch || strcmp(met->epoch, session->node->epoch) ||
        !peer->epoch || strcmp(met->its_epoch, peer->epoch) ||
        session->newest < met->newest || peer->confirmed < met->confirmed ||
        peer->received < met->received)
        return 0;
    session->held = met->held;
    session->accepts_gzip = met->accepts_gzip;
    session->transport->accept_gzip(session->transport->baton,
                                    met->accepts_gzip);
    session->met = 1;
    return 1;
}
