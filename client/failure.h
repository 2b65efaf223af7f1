/* Why a request of libcurl failed, and what to do about it. */
#ifndef FAILURE_H
#define FAILURE_H

#include "http.h"

/* What is known of a request without a reply. */
typedef struct sync_failure_t {
    const sync_http_config_t *config;
    const sync_proxy_t *proxy;
    int result;        /* a CURLcode, not CURLE_OK */
    const char *words; /* libcurl's own */
    long tunnel;       /* how a proxy answered to CONNECT; 0: it did not */
    int overflow;      /* the reply was larger than the limit */
} sync_failure_t;

/* Return the error that it is, with a hint. */
cm_error_t *sync_failure(const sync_failure_t *failure, apr_pool_t *pool);

/* Return the error of a reply that is larger than CONFIG allows. */
cm_error_t *sync_failure_too_large(const sync_http_config_t *config,
                                   apr_pool_t *pool);

#endif
