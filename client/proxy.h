/* The proxy between this host and a peer. libcurl chooses it by the
 * environment, and names it only in its debug output. */
#ifndef PROXY_H
#define PROXY_H

#include <apr_pools.h>

typedef struct sync_proxy_t {
    const char *set;     /* the variable that names a proxy; NULL: none does */
    const char *used;    /* the variable whose proxy was used; NULL: none */
    const char *address; /* of that proxy, user and password masked */
    apr_pool_t *pool;
} sync_proxy_t;

/* Observe which proxy the libcurl handle CURL uses for requests to URI, if the
 * environment names one. POOL must outlive CURL. */
sync_proxy_t *sync_proxy_watch(void *curl, const char *uri, apr_pool_t *pool);

#endif
