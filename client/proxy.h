/* The proxy between this host and a peer: that of proxy=, or of the
 * environment. The latter libcurl chooses itself, and names only in its debug
 * output. */
#ifndef PROXY_H
#define PROXY_H

#include "config/settings.h"

typedef struct sync_proxy_t {
    const char *set;     /* the variable that names a proxy, or "proxy="; NULL:
                            none does */
    const char *used;    /* the one whose proxy was used; NULL: none */
    const char *address; /* of that proxy, user and password masked */
    apr_pool_t *pool;
} sync_proxy_t;

/* Let the libcurl handle CURL use the proxy of PEER, with LOGIN (USER:PASSWORD;
 * NULL: none), or observe which one it takes from the environment. POOL must
 * outlive CURL. */
sync_proxy_t *sync_proxy_set(void *curl, const cm_peer_settings_t *peer,
                             const char *login, apr_pool_t *pool);

#endif
