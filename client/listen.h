/* Listening to the peers: a request to each that its server answers as soon as
 * there is a message (wait= in docs/wire.md). Where a server cannot do that, or
 * has no room for one more, it is asked every few seconds. A proxy that ends
 * long requests is remembered, and later ones are shorter.
 *
 * What goes wrong here is not reported: the next cycle finds it, too. */
#ifndef LISTEN_H
#define LISTEN_H

#include "client.h"

typedef struct sync_listen_t sync_listen_t;

/* Prepare to listen to PEER, with the connections that CLIENT keeps. Nothing is
 * sent yet. It ends with POOL. */
sync_listen_t *sync_listen_open(const sync_client_t *client,
                                const cm_peer_settings_t *peer,
                                apr_pool_t *pool);

/* Ask if that is due, and return whether the peer has something that is not
 * here. CLIENT has an open node; RECEIVED is the last message that is held of
 * the peer, as far as known. The peer shall look every PAUSE microseconds. */
int sync_listen_hears(sync_listen_t *listen, const sync_client_t *client,
                      apr_int64_t received, apr_interval_time_t pause);

#endif
