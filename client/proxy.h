/* The proxy between this host and a peer. libcurl finds it in the
 * environment; what it decides is what it says while it connects. */
#ifndef PROXY_H
#define PROXY_H

#include <apr_pools.h>

typedef struct sync_proxy_t {
    const char *set;  /* the variable that names a proxy; NULL: none is set */
    const char *used; /* the variable that the last connection followed */
    const char *address; /* of that proxy, its password masked */
    apr_pool_t *pool;
} sync_proxy_t;

/* Watch which proxy the libcurl handle CURL uses for requests to URI, when the
 * environment names any. Lives as long as POOL, which must outlive CURL. */
sync_proxy_t *sync_proxy_watch(void *curl, const char *uri, apr_pool_t *pool);

#endif
