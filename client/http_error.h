/* What libcurl says of a failure, for a person. */
#ifndef HTTP_ERROR_H
#define HTTP_ERROR_H

#include <curl/curl.h>

#include "http.h"

/* Return the error for RC with WORDS of libcurl's (may be ""). OVERFLOW: the
 * reply became too large. PROXY: what the connection went through. */
cm_error_t *sync_http_error_explain(CURLcode rc, const char *words,
                                    int overflow,
                                    const sync_http_config_t *config,
                                    const sync_proxy_t *proxy,
                                    apr_pool_t *pool);

#endif
